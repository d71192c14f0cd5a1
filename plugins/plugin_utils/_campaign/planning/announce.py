# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a step of the plan will run, and what a guard will ask for: told before, by the same rules.

Commands come from the function that the host itself uses (repair/steps.py). None: what is run is
found out only then, such as which segments of shared memory are stale.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.host.services import (
    NO_WAY,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import DEFAULT
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.repair.steps import (
    Wanted,
    steps,
)

from ..diagnosis.model import HOST
from ..diagnosis.records import Diagnosis, Finding, Module
from .ladder import REMEDIES

Commands = tuple[tuple[str, ...], ...]


def commands(
    remedy: str, module: str, instance: str, diagnosis: Diagnosis
) -> Commands | None:
    """The argument lists that a remedy runs on a host of which this is the diagnosis."""
    if not diagnosis.home:
        return None
    if remedy == "restart_service":
        return _stop_all(diagnosis) + _of("watchdog", DEFAULT, "started", diagnosis, stopped=True)
    call = REMEDIES[remedy].call
    if call is None or call.precision_of_site:
        return None
    module_id = ("watchdog", DEFAULT) if module == HOST else (module, instance)
    return _of(*module_id, call.state, diagnosis, call.log_precision, call.immediate)


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
    wanted = Wanted(state, level, [], immediate)
    home = diagnosis.home or ""
    taken = steps(home, module, instance, before, wanted, service)
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


def missing(
    remedy: str, finding: Finding, declared: Mapping[str, Any]
) -> str | None:
    """What the site must declare for a guard not to refuse the remedy; None if nothing is missing.
    """
    undeclared = REMEDIES[remedy].undeclared
    return None if undeclared is None else undeclared(finding.evidence, declared)
