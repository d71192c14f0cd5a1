# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Makes the plan of a run from the diagnoses of all hosts, or reads one and says what holds."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

# Here and not in a function: so they are loaded once, before Ansible forks.
from ..modules.campaign_plan import DOCUMENTATION
from ..plugin_utils._campaign.ansible.documentation import arguments, options_of
from ..plugin_utils._campaign.ansible.variables import PREFIX, raw_variables
from ..plugin_utils._campaign.ansible.version import collection_version
from ..plugin_utils._campaign.diagnosis.causes import addresses_of
from ..plugin_utils._campaign.planning import ladder, saved as saved_plan
from ..plugin_utils._campaign.planning.admit import admit
from ..plugin_utils._campaign.planning.make import make
from ..plugin_utils._campaign.planning.policy import OPTIONS, InvalidPolicy, Policy
from ..plugin_utils._campaign.planning.records import AtWork, Plan, Work
from ..plugin_utils._campaign.report.build import diagnosis_of
from ..plugin_utils._campaign.snapshot import reader

Json = dict[str, Any]

ARGUMENTS = arguments(options_of(DOCUMENTATION))


class ActionModule(ActionBase):
    """Needs no connection: everything is in the variables of the hosts."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Make or read the plan, and write it if requested."""
        result: Json = super().run(tmp, task_vars)
        variables = task_vars or {}
        _validated, options = self.validate_argument_spec(argument_spec=ARGUMENTS)
        now = time.time()
        names = options["hosts"]
        if names is None:
            names = variables.get("ansible_play_hosts_all") or []
        hostvars: Any = variables.get("hostvars") or {}
        diagnoses, policies, exhausted, work = [], {}, {}, {}
        try:
            for name in map(str, names):
                raw = raw_variables(variables, name)
                diagnoses.append(
                    diagnosis_of(name, raw.get(options["variable"]), addresses_of(raw))
                )
                policies[name] = policy_of(name, options, hostvars, raw)
                exhausted[name] = tried(raw.get(options["actions_variable"]))
                work[name] = in_flight(raw.get(options["work_variable"]))
            if options["read_file"]:
                saved = saved_plan.parse(read(Path(options["read_file"])))
                plan = admit(saved, diagnoses, policies, now=now, work=work)
            else:
                plan = make(
                    diagnoses,
                    policies,
                    now=now,
                    run=options["run"] or run_id(now),
                    collection=collection_version(),
                    valid_minutes=options["valid_minutes"],
                    exhausted=exhausted,
                    work=work,
                )
        except (InvalidPolicy, saved_plan.InvalidPlan) as error:
            raise AnsibleActionFail(str(error)) from None
        data = plan.as_dict()
        result.update(
            changed=False,
            plan=data,
            at=now,
            steps={host["name"]: host["steps"] for host in data["hosts"]},
            summary=summary(plan),
            file="",
        )
        if options["plan_file"]:
            path = Path(options["plan_file"]).absolute()
            try:
                write(path, data)
            except OSError as error:
                reason = error.strerror or str(error)
                raise AnsibleActionFail(f"the plan cannot be written to {path}: {reason}") from None
            result["file"] = str(path)
        return result


def policy_of(
    name: str, options: Mapping[str, Any], hostvars: Any, raw: Mapping[str, Any]
) -> Policy:
    """A host's policy: an option of the task holds for all, else its own variable."""
    chosen: Json = {option: options[option] for option in OPTIONS}
    own = [option for option in OPTIONS if chosen[option] is None and PREFIX + option in raw]
    if own:
        templated = hostvars[name]
        chosen.update({option: templated[PREFIX + option] for option in own})
    try:
        return replace(Policy.of(chosen), declared=declared(name, hostvars, raw))
    except InvalidPolicy as error:
        raise InvalidPolicy(f"{name}: {error}") from None


def declared(name: str, hostvars: Any, raw: Mapping[str, Any]) -> Json:
    """What the site declares for guards; the plan names what is missing."""
    names = [each for each in ladder.DECLARATIONS if PREFIX + each in raw]
    return {each: hostvars[name][PREFIX + each] for each in names}


def tried(actions: Any) -> frozenset[str]:
    """Ids of the findings that this run has tried to repair in vain."""
    done = actions if isinstance(actions, (list, tuple)) else ()
    return frozenset(
        str(id)
        for action in done
        if isinstance(action, Mapping) and action.get("result") == "not_repaired"
        for id in action.get("because") or ()
    )


def in_flight(registered: Any) -> AtWork:
    """The work that campaign_guard has found on a host; None if it did not run or failed."""
    work = registered.get("work") if isinstance(registered, Mapping) else None
    if not isinstance(work, (list, tuple)):
        return None
    found = (reader.read(Work, each) for each in work)
    return tuple(each for each in found if each is not reader.ABSENT)


def run_id(now: float) -> str:
    """A name for a run that no other run has."""
    return f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now))}-{os.urandom(3).hex()}"


def summary(plan: Plan) -> dict[str, int]:
    """How much a plan holds."""
    hosts = plan.hosts
    return {
        "hosts": len(hosts),
        "steps": sum(len(host.steps) for host in hosts),
        "left": sum(len(host.left) for host in hosts),
        "refused": sum(host.refused is not None for host in hosts),
    }


def read(path: Path) -> Any:
    """What a plan's file holds."""
    try:
        return json.loads(path.expanduser().read_text(encoding="utf-8"))
    except OSError as error:
        raise saved_plan.InvalidPlan(f"cannot read the plan {path}: {error.strerror}") from None
    except ValueError as error:
        raise saved_plan.InvalidPlan(f"the plan {path} is not valid JSON: {error}") from None


def write(path: Path, plan: Mapping[str, Any]) -> None:
    """Whole or not at all, and for its owner alone."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(plan, file, indent=2)
            file.write("\n")
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
