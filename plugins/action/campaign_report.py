# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Reports the diagnoses of all hosts: on the terminal, and as files on the controller."""

from __future__ import annotations

import locale
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..modules.campaign_report import DOCUMENTATION
from ..plugin_utils._campaign.ansible import mute_file
from ..plugin_utils._campaign.ansible.documentation import arguments, options_of
from ..plugin_utils._campaign.ansible.spelling import warn
from ..plugin_utils._campaign.ansible.variables import PREFIX, raw_variables
from ..plugin_utils._campaign.ansible.version import collection_version

# Here and not in a function: so they are loaded once, before Ansible forks.
from ..plugin_utils._campaign.diagnosis import causes
from ..plugin_utils._campaign.diagnosis.catalogue import CATALOGUE
from ..plugin_utils._campaign.diagnosis.model import general
from ..plugin_utils._campaign.diagnosis.records import Diagnosis
from ..plugin_utils._campaign.planning.mute_memory import remembered
from ..plugin_utils._campaign.planning.policy import InvalidPolicy, Mute, Policy
from ..plugin_utils._campaign.planning.records import Plan
from ..plugin_utils._campaign.report import build, files, text
from ..plugin_utils._campaign.report.model import Report
from ..plugin_utils._campaign.report.shared import changes, event, news, webhook

ARGUMENTS = arguments(options_of(DOCUMENTATION))
NEEDS = {problem.key: problem.needs for problem in CATALOGUE}
FIXES = {problem.key: problem.fix.steps for problem in CATALOGUE}
# Determined when Ansible loads the plugin: later, in a worker, standard output is something else.
ON_TERMINAL = sys.stdout.isatty()
LOG_WIDTH = 120
ROOTS_HANDED_ON = 100  # the worst come first
COLOURS = {
    "critical": constants.COLOR_ERROR,
    "warning": constants.COLOR_CHANGED,
    "ok": constants.COLOR_OK,
    "heading": constants.COLOR_HIGHLIGHT,
    "muted": constants.COLOR_SKIP,
}


class ActionModule(ActionBase):
    """Needs no connection: everything is in the variables of the hosts."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Build, show and write the report; fail only after that, if requested."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        warn(result, variables)
        _validated, options = self.validate_argument_spec(argument_spec=ARGUMENTS)
        try:
            report = self._saved(options) or self._built(options, variables, result)
        except build.InvalidReport as error:
            raise AnsibleActionFail(str(error)) from None
        former = None
        if options["previous"]:
            try:
                former = build.load(Path(options["previous"]))
                report = replace(report, changes=changes.between(former, report, NEEDS))
            except build.InvalidReport as error:
                _warn(result, f"No comparison with an earlier run: {error}")
        directory = Path(options["directory"]).absolute()
        result.update(
            changed=False, report_dir=str(directory), files=[], summary=report.summary.as_dict(),
            ansible_stats=statistics(report),
        )
        if options["display"]:
            width = self._display.columns + 1 if ON_TERMINAL else LOG_WIDTH
            self._show(text.render(report, width=width, unicode=_unicode()))
        try:
            written = files.write(report, directory, options["formats"], again=bool(options["report"]))
        except OSError as error:
            reason = error.strerror or str(error)
            result.update(
                failed=True,
                msg=f"The report cannot be written to {directory} (campaign_report_dir): {reason}.",
            )
            return result
        result["files"] = [str(path) for path in written]
        if options["display"] and written:
            names = ", ".join(path.name for path in written)
            self._show([text.Line(f"Report: {directory} ({names})")])
        if options["notify_url"]:
            _notify(report, former, options, result)
        failing = build.failing(report, options["fail_on"])
        if failing:
            result.update(failed=True, msg=failing)
        return result

    def _saved(self, options: Mapping[str, Any]) -> Report | None:
        return build.load(Path(options["report"])) if options["report"] else None

    def _built(
        self, options: Mapping[str, Any], variables: dict[str, Any], result: dict[str, Any]
    ) -> Report:
        names = options["hosts"]
        if names is None:
            names = variables.get("ansible_play_hosts_all") or []
        hosts = {str(name): raw_variables(variables, str(name)) for name in names}
        finished = time.time()
        diagnoses = [
            build.diagnosis_of(name, raw.get(options["variable"]), causes.addresses_of(raw))
            for name, raw in hosts.items()
        ]
        linked = causes.across_hosts(diagnoses)
        if options["mode"] != "replay":
            file = mute_file.path_of(
                options["mute_memory"], options["directory"], variables, self._templar
            )
            _remember(file, linked, hosts, variables, result, finished)
        return build.build(
            linked,
            finished=finished,
            collection=collection_version(),
            plan=_plan(raw.get(options["plan_variable"]) for raw in hosts.values()),
            actions={
                name: build.actions_of(raw.get(options["actions_variable"]))
                for name, raw in hosts.items()
            },
            run=build.run_id(finished),
            mode=options["mode"],
            check=bool(self._task.check_mode),
            not_looked_at=causes.not_looked_at(linked, lambda: _others(variables, hosts)),
        )

    def _show(self, lines: Iterable[text.Line]) -> None:
        for tone, group in groupby(lines, key=lambda line: line.tone):
            colour = COLOURS.get(tone)
            # An own line break for each: display() takes one at the end for its own.
            self._display.display("".join(f"{line.text}\n" for line in group), color=colour)


def _notify(
    report: Report, former: Report | None, options: Mapping[str, Any], result: dict[str, Any]
) -> None:
    """Post the event; a failure is a warning."""
    told = event.of(
        report, news.of(report, report.changes, former), _fixes, options["notify_link"]
    )
    try:
        where = webhook.endpoint(options["notify_url"], options["notify_token"] or "")
    except webhook.InvalidUrl as error:
        _warn(result, f"No event was sent: campaign_notify_url cannot be used: {error}.")
        return
    try:
        webhook.post(where, event.as_bytes(told), event.CONTENT_TYPE)
    except webhook.Unsent as error:
        _warn(result, f"No event was sent to {where.name} (campaign_notify_url): {error}.")


def _fixes(key: str) -> list[tuple[str, str]]:
    return [(step.who, general(step.template)) for step in FIXES.get(key, ())]


def _warn(result: dict[str, Any], text: str) -> None:
    result["warnings"] = [*result.get("warnings", ()), text]


def statistics(report: Report) -> dict[str, Any]:
    """What an automation controller shows of the job, and hands on to the next one: numbers and
    keys, nothing of the evidence.
    """
    found = {(host.name, finding.id): finding for host in report.hosts for finding in host.findings}
    roots = [
        {"host": root.host, "key": finding.key, "instance": finding.instance,
         "severity": finding.severity.value}
        for root in report.roots if (finding := found.get((root.host, root.id)))
    ]
    data = {
        "campaign_summary": report.summary.as_dict(),
        "campaign_roots": roots[:ROOTS_HANDED_ON],
        "campaign_verdict": build.worst(report),
    }
    return {"data": data, "per_host": False, "aggregate": False}


def _remember(
    file: Path, diagnoses: Iterable[Diagnosis], hosts: Mapping[str, Mapping[str, Any]],
    variables: Mapping[str, Any], result: dict[str, Any], now: float,
) -> None:
    """Remember which muted findings are gone; what cannot be is a warning."""
    mutes: dict[str, tuple[Mute, ...]] = {}
    unknown = []
    for name, raw in hosts.items():
        try:
            mutes[name] = mutes_of(name, variables.get("hostvars") or {}, raw)
        except InvalidPolicy as error:
            unknown.append(name)
            _warn(result, f"{name}: {error}")
    known = [diagnosis for diagnosis in diagnoses if diagnosis.name not in unknown]
    try:
        mute_file.update(file, lambda memory: remembered(memory, known, mutes, now))
    except mute_file.Unusable as error:
        _warn(result, f"Mutes end at their date only: {error} (campaign_mute_memory).")


def mutes_of(name: str, hostvars: Any, raw: Mapping[str, Any]) -> tuple[Mute, ...]:
    """The mutes that the inventory has for a host. Raises InvalidPolicy."""
    if "campaign_muted" not in raw:
        return ()
    named = ("muted", "windows_timezone")
    options = {option: hostvars[name][PREFIX + option] for option in named if PREFIX + option in raw}
    return Policy.of(options).mutes


def _others(variables: dict[str, Any], run: Iterable[str]) -> dict[str, list[str]]:
    """The hosts of the inventory that are not in the run, with their addresses."""
    names = set((variables.get("groups") or {}).get("all") or ()) - set(run)
    return {name: causes.addresses_of(raw_variables(variables, name)) for name in map(str, names)}


def _plan(registered: Iterable[object]) -> Plan | None:
    """The plan of the run: made once, it is registered on all hosts that took part."""
    for result in registered:
        plan = result.get("plan") if isinstance(result, Mapping) else None
        if isinstance(plan, Mapping):
            return Plan.of(plan)
    return None


def _unicode() -> bool:
    return "utf" in locale.nl_langinfo(locale.CODESET).lower()
