# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Takes a snapshot of the host and judges it here: one task, one round trip."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.common.yaml import yaml_load
from ansible.plugins.action import ActionBase

from ..doc_fragments import guards

# Here and not in a function: so the catalogue is built once, before Ansible forks.
from ..module_utils._campaign.errors import ProbeError
from ..modules.campaign_diagnose import DOCUMENTATION
from ..plugin_utils._campaign.ansible.documentation import arguments, options_of
from ..plugin_utils._campaign.ansible.payload import enough, program, replaced
from ..plugin_utils._campaign.ansible.spelling import warn
from ..plugin_utils._campaign.ansible.variables import DIAGNOSIS, PREFIX, address_of, with_variables
from ..plugin_utils._campaign.diagnosis.budget import Budget
from ..plugin_utils._campaign.diagnosis.catalogue import BY_KEY
from ..plugin_utils._campaign.diagnosis.causes import addresses_of
from ..plugin_utils._campaign.diagnosis.diagnose import diagnose
from ..plugin_utils._campaign.diagnosis.records import Diagnosis, Severity
from ..plugin_utils._campaign.snapshot.server import InvalidSnapshot
from ..plugin_utils._campaign.snapshot.thresholds import InvalidThreshold, Thresholds

OWN = ("snapshot", "return_snapshot", "fail_on", "thresholds", "unless_stopped", "gone",
       "gone_within", "plain_module")
SNAPSHOT_MODULE = "campaign.remediation.campaign_info"
STOPPED = "The run was asked to stop."
PAUSE_SECONDS = 2.0  # between two checks whether a finding is gone


ARGUMENTS = arguments(options_of(DOCUMENTATION))
# Of the modules that restart something; a diagnosis only says what is left.
BUDGET = {
    name: option["default"]
    for name, option in yaml_load(guards.ModuleDocFragment.DOCUMENTATION)["options"].items()
    if name in ("restart_budget", "restart_budget_minutes")
}
NOT_FROM_VARIABLES = ("snapshot", "return_snapshot", "gone", "unless_stopped")
PASSED = [name for name in ARGUMENTS if name not in OWN]  # to campaign_info
FROM_VARIABLES = [name for name in ARGUMENTS if name not in NOT_FROM_VARIABLES]


class ActionModule(ActionBase):
    """A connection is made by campaign_info alone; a saved snapshot needs none."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _plain_module = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Take or load the snapshot and diagnose it; fail only after that, if requested."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        warn(result, variables)
        options = self._options(variables)
        if options["unless_stopped"] and DIAGNOSIS not in variables and self._stopped(variables):
            return {**result, "changed": False, "skipped": True, "skip_reason": STOPPED}
        try:
            thresholds = Thresholds.of(options["thresholds"])
            end = time.monotonic() + options["gone_within"]
            budget = self._budget(variables)
            while True:
                if options["snapshot"] is not None:
                    snapshot = load(options["snapshot"])
                else:
                    taken = self._take(options, variables)
                    if taken.get("failed") or "snapshot" not in taken:
                        taken.pop("invocation", None)  # a mailbox's password may be in it
                        warn(taken, variables)
                        return taken
                    snapshot = taken["snapshot"]
                diagnosis = diagnose(
                    snapshot,
                    str(variables.get("inventory_hostname", "")),
                    thresholds=thresholds,
                    addresses=addresses_of(variables),
                    budget=budget,
                )
                remaining = not_gone(diagnosis, options["gone"])
                unproved = not_proved(diagnosis, options["gone"])
                if not (remaining or unproved) or time.monotonic() + PAUSE_SECONDS > end:
                    break
                time.sleep(PAUSE_SECONDS)
        except (InvalidSnapshot, InvalidThreshold) as error:
            raise AnsibleActionFail(str(error)) from None
        result.update(
            changed=False, diagnosis=diagnosis.as_dict(), remaining=remaining, unproved=unproved
        )
        if options["return_snapshot"]:
            result["snapshot"] = snapshot
        result.update(judged(diagnosis, options["fail_on"]))
        return result

    def _options(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Those of the task, and the host's variables where it has none. Raises AnsibleActionFail."""
        self._task.args = with_variables(
            self._task.args, FROM_VARIABLES, variables, self._templar
        )
        check_numbers(self._task.args)
        _validated, options = self.validate_argument_spec(argument_spec=ARGUMENTS)
        self._plain_module = options["plain_module"]
        return dict(options)

    def _budget(self, variables: Mapping[str, Any]) -> Budget | None:
        """The restart budget of the site; none where its variables hold no numbers."""
        found = {**BUDGET, **with_variables({}, BUDGET, variables, self._templar)}
        try:
            return Budget(int(found["restart_budget"]), float(found["restart_budget_minutes"]))
        except (TypeError, ValueError):
            return None

    def _stopped(self, variables: Mapping[str, Any]) -> bool:
        """Whether the run should stop. Not in a condition of the task, which would be
        compiled again for each host and take longer than all rules.
        """
        found = with_variables({}, ["stop_file"], variables, self._templar)
        file = str(found.get("stop_file") or "")
        return file != "" and Path(file).expanduser().exists()

    def _configure_module(
        self, module_name: str, module_args: Mapping[str, Any], *more: Any, **named: Any
    ) -> Any:
        """What Ansible builds to send a module: with our payload in it if that is campaign_info.

        Everything else is left to Ansible, and so is what a later one may pass here.
        """
        built = super()._configure_module(module_name, module_args, *more, **named)
        if module_name != SNAPSHOT_MODULE or self._plain_module:
            return built
        asked = {name: module_args.get(name) for name in PASSED}
        return replaced(built, program(asked)) if enough(asked) else built

    def _take(self, options: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """The result of campaign_info, with the controller's times in the snapshot."""
        passed = {name: options[name] for name in PASSED if options[name] is not None}
        before = time.time()
        try:
            taken: dict[str, Any] = self._execute_module(
                module_name=SNAPSHOT_MODULE,
                module_args=passed,
                task_vars=variables,
            )
        except AnsibleError as error:
            become = self._connection.become
            if become and "become" in str(error):
                raise AnsibleActionFail(not_become(become, error)) from None
            raise
        snapshot = taken.get("snapshot")
        if isinstance(snapshot, dict):
            snapshot["controller"] = {"before_at": before, "after_at": time.time()}
            if options["api"] and options["api_from"] == "controller":
                ask_api(snapshot, options, address_of(variables))
        return taken


def ask_api(snapshot: dict[str, Any], options: Mapping[str, Any], host: str) -> None:
    """The probe `api`, run here instead of on the host; into the snapshot."""
    probes = snapshot.get("probes") or {}
    if "api" not in probes or not snapshot.get("installed"):
        return
    from ..module_utils._campaign.api import api  # noqa: PLC0415

    configuration = (probes.get("configuration") or {}).get("data") or {}
    ports = [
        module["settings"].get("http_port") for module in configuration.get("modules") or ()
        if module["module"] == "web"
    ]
    url = f"http://{host}:{next(filter(None, ports), 8080)}"
    started = time.monotonic()
    data, error = None, None
    try:
        data = api.collect(
            options, snapshot["asked"]["instances"], url, options["api_timeout"]
        )
    except ProbeError as failure:
        data, error = failure.data, failure.as_data()
    probes["api"] = {
        "seconds": round(time.monotonic() - started, 4), "error": error, "data": data,
    }


def not_gone(diagnosis: Diagnosis, ids: Iterable[str]) -> dict[str, str]:
    """Which of these findings are not proved to be gone, and why.

    Not to find one is a proof only if the probes that show it have answered.
    """
    present = {finding.id: finding.summary for finding in diagnosis.findings}
    failed = {failure.probe: failure.message for failure in diagnosis.unseen}
    remaining = {}
    for id in ids:
        problem = BY_KEY.get(id.partition("@")[0])
        blind = [probe for probe in problem.needs if probe in failed] if problem else []
        if id in present:
            remaining[id] = present[id]
        elif blind:
            remaining[id] = f"Cannot tell, probe {blind[0]} failed: {failed[blind[0]]}"
        elif diagnosis.error:
            remaining[id] = diagnosis.error
    return remaining


def not_proved(diagnosis: Diagnosis, ids: Iterable[str]) -> dict[str, str]:
    """Which of these findings are absent only because they could not have shown again yet."""
    present = {finding.id for finding in diagnosis.findings}
    untried = diagnosis.untried
    return {id: untried[id] for id in ids if id in untried and id not in present}


def check_numbers(given: Mapping[str, Any]) -> None:
    """Ansible's own message about a wrong number does not name the value."""
    for name, kind in ((n, a["type"]) for n, a in ARGUMENTS.items() if n in given):
        if kind not in ("int", "float"):
            continue
        try:
            float(given[name])
        except (TypeError, ValueError):
            raise AnsibleActionFail(
                f"{name} ({PREFIX}{name}) must be a number, not '{given[name]}'."
            ) from None


def not_become(become: Any, error: Exception) -> str:
    """Why the connection may not become the other account, in one line."""
    said = " ".join(str(error).replace(">>>", "").split())
    return (
        f"Cannot become '{become.get_option('become_user')}' ({become.name}): {said}"
        " Set ansible_become_user and ansible_become_password, or ansible_become: false and"
        " connect as the Campaign account."
    )


def load(snapshot: Any) -> Any:
    """A saved snapshot, from a mapping or a file, out of the result that it was returned in."""
    if isinstance(snapshot, str):
        path = snapshot
        try:
            snapshot = json.loads(Path(snapshot).expanduser().read_text(encoding="utf-8"))
        except OSError as error:
            raise InvalidSnapshot(f"cannot read the snapshot {error.filename}: {error.strerror}") \
                from None
        except ValueError as error:
            raise InvalidSnapshot(f"the snapshot {path} is not valid JSON: {error}") from None
    if isinstance(snapshot, Mapping) and isinstance(snapshot.get("snapshot"), Mapping):
        return snapshot["snapshot"]
    return snapshot


def judged(diagnosis: Diagnosis, fail_on: str) -> dict[str, Any]:
    """Failed, and why, if there is a finding that bad."""
    if fail_on == "never":
        return {"failed": False}
    worst = Severity(fail_on).rank
    bad = [finding for finding in diagnosis.findings if finding.severity.rank <= worst]
    roots = [finding.summary for finding in bad if not finding.caused_by]
    if not bad:
        return {"failed": False}
    count = "1 finding" if len(bad) == 1 else f"{len(bad)} findings"
    return {"failed": True, "msg": f"{count}, {fail_on} or worse: {' '.join(roots)}"}
