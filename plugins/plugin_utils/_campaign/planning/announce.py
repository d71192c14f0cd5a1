# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a step of the plan will run, and what a guard will require, determined by the same rules.

Commands come from the functions that the host itself uses (repair/steps.py, account/tree.py). None:
what is run is found out only then, such as which segments of shared memory are left after the stop.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.account import tree
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.errors import (
    InputError,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.host.services import (
    NO_WAY,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import DEFAULT
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.repair.steps import (
    Requested,
    choose_mode,
    job_command,
    steps,
    workflow_commands,
    workflow_methods,
)

from ..diagnosis.model import HOST
from ..diagnosis.records import Diagnosis, Finding, Module
from .ladder import REMEDIES

Commands = tuple[tuple[str, ...], ...]


class Case(NamedTuple):
    """For what a remedy is: a module on some instances of a host, the finding that asks for it, and
    what the site declares (ladder.DECLARATIONS).
    """

    module: str
    instances: Sequence[str]
    finding: Finding
    diagnosis: Diagnosis
    declared: Mapping[str, Any]


def commands(remedy: str, case: Case) -> Commands | None:
    """The argument lists that a remedy runs on the host."""
    if not case.diagnosis.home:
        return None
    if remedy in _OWN:
        return _OWN[remedy](case)
    call = REMEDIES[remedy].call
    if call is None or call.precision_of_site:
        return None
    module_id = ("watchdog", DEFAULT) if case.module == HOST else (case.module, case.instances[0])
    return _of(*module_id, call.state, case.diagnosis, call.log_precision, call.immediate)


def typed(commands: Commands | None) -> str | None:
    """The same as lines of a shell; None if they are not known."""
    return "\n".join(map(shlex.join, commands)) if commands else None


def _of(
    module: str, instance: str, state: str, diagnosis: Diagnosis,
    level: str | None = None, immediate: bool = False, *, stopped: bool = False,
) -> Commands:
    before = _before(None if stopped else _row(diagnosis, module, instance))
    service = dict(diagnosis.starts_by or NO_WAY)
    if stopped:
        service["active"] = False
    requested = Requested(state, level, [], immediate)
    home = diagnosis.home or ""
    taken = steps(home, module, instance, before, requested, service)
    return tuple(tuple(step.command) for step in taken)


def _row(diagnosis: Diagnosis, module: str, instance: str) -> Module | None:
    return next(
        (row for row in diagnosis.modules if (row.module, row.instance) == (module, instance)),
        None,
    )


def _runs(row: Module) -> bool:
    return row.state in ("running", "hung")


def _before(row: Module | None) -> dict[str, Any]:
    """The module as campaign_module will find it."""
    if row is None or not _runs(row):
        filters = list(row.filters) if row else []
        return {"pid": None, "state": "stopped", "precision": None, "filters": filters}
    return {
        "pid": row.pid, "state": row.state, "precision": row.precision,
        "filters": list(row.filters),
    }


def _stop_all(diagnosis: Diagnosis) -> Commands:
    """As roles/campaign/tasks/stop_all.yml: the watchdog, which takes all along, or one by one."""
    stop = _of("watchdog", DEFAULT, "stopped", diagnosis)
    if stop:
        return stop
    return tuple(
        command
        for row in diagnosis.modules if row.module != "watchdog" and _runs(row)
        for command in _of(
            row.module, row.instance, "stopped", diagnosis, immediate=row.state == "hung"
        )
    )


def _restart_service(case: Case) -> Commands:
    diagnosis = case.diagnosis
    return _stop_all(diagnosis) + _of("watchdog", DEFAULT, "started", diagnosis, stopped=True)


def _fact(case: Case, name: str) -> str:
    """A fact of the finding; empty if it is not known."""
    return str(case.finding.evidence.get(name) or "")


def _clear_pid_file(case: Case) -> Commands | None:
    path = _fact(case, "path")
    return (("rm", path),) if path else None


def _enable_service(case: Case) -> Commands | None:
    unit = _fact(case, "unit")
    return (("systemctl", "enable", unit),) if unit else None


def _start_front_end(case: Case) -> Commands | None:
    """As roles/campaign/tasks/front_end.yml."""
    service, own = case.declared.get("front_service"), case.declared.get("front_commands")
    if service:
        return (("systemctl", "start", str(service)),)
    start = own.get("start") if isinstance(own, Mapping) else None
    return (tuple(map(str, start)),) if isinstance(start, (list, tuple)) and start else None


def _free_port(case: Case) -> Commands | None:
    """Of a process without a unit. What would start a unit again, its host tells."""
    pid = _fact(case, "pid")
    if _fact(case, "unit") or not pid:
        return None
    return (("kill", pid), *_of("syslogd", DEFAULT, "restarted", case.diagnosis))


def _move_tmp(case: Case) -> Commands | None:
    var_dir = _fact(case, "var_dir")
    if not var_dir or _fact(case, "tmp_dir") == tree.tmp_of(var_dir)[0]:
        return None  # it is set already: whether it is there, the host tells
    moved = tuple(map(tuple, tree.tmp_commands(var_dir)))
    restarts = (_of(case.module, each, "restarted", case.diagnosis) for each in case.instances)
    return moved + tuple(command for some in restarts for command in some)


def _relaunch(case: Case) -> Commands | None:
    jobs = case.declared.get("jobs")
    wanted = (case.module, _fact(case, "job"), case.instances[0])
    known = [
        job for job in (jobs if isinstance(jobs, Sequence) else ())
        if isinstance(job, Mapping) and isinstance(job.get("arguments"), Mapping)
        and (job.get("kind"), job.get("name"), job.get("instance")) == wanted
    ]
    if len(known) != 1:
        return None
    job = dict(known[0])
    try:
        mode = choose_mode(job, str(case.declared.get("mode") or ""))
        return (tuple(job_command(case.diagnosis.home or "", job, mode)),)
    except InputError:
        return None  # it will be refused


def _start_workflow(case: Case) -> Commands | None:
    evidence, name = case.finding.evidence, _fact(case, "workflow")
    state, failed = evidence.get("state"), evidence.get("failed")
    if not name or not isinstance(state, int) or not isinstance(failed, bool):
        return None
    methods = workflow_methods(state, failed, wake=True)
    return tuple(map(tuple, workflow_commands(name, methods)))


_OWN: dict[str, Callable[[Case], Commands | None]] = {
    "restart_service": _restart_service,
    "clear_pid_file": _clear_pid_file,
    "enable_service": _enable_service,
    "start_front_end": _start_front_end,
    "free_port": _free_port,
    "move_tmp": _move_tmp,
    "relaunch": _relaunch,
    "start_workflow": _start_workflow,
}


def missing(
    remedy: str, finding: Finding, declared: Mapping[str, Any]
) -> str | None:
    """What the site must declare for a guard not to refuse the remedy; None if nothing is missing.
    """
    undeclared = REMEDIES[remedy].undeclared
    return None if undeclared is None else undeclared(finding.evidence, declared)
