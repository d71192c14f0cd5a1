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
from .ladder import REMEDIES

Commands = list[list[str]]
Row = Mapping[str, Any]


def commands(
    remedy: str, module: str, instance: str, diagnosis: Mapping[str, Any]
) -> Commands | None:
    """The argument lists that a remedy runs on a host of which this is the diagnosis."""
    if not diagnosis.get("home"):
        return None
    if remedy == "restart_service":
        return _stop_all(diagnosis) + _of("watchdog", DEFAULT, "started", diagnosis, stopped=True)
    call = REMEDIES[remedy].call
    if call is None or call.precision_of_site:
        return None
    place = ("watchdog", DEFAULT) if module == HOST else (module, instance)
    return _of(*place, call.state, diagnosis, call.log_precision, call.immediate)


def typed(commands: Commands | None) -> str | None:
    """The same as lines of a shell; None if they are not known."""
    return "\n".join(map(shlex.join, commands)) if commands else None


def _of(
    module: str, instance: str, state: str, diagnosis: Mapping[str, Any],
    level: str | None = None, immediate: bool = False, *, stopped: bool = False,
) -> Commands:
    before = _before({} if stopped else _row(diagnosis, module, instance))
    service = dict(diagnosis.get("starts_by") or NO_WAY)
    if stopped:
        service["active"] = False
    wanted = Wanted(state, level, [], immediate)
    home = str(diagnosis.get("home") or "")
    taken = steps(home, module, instance, before, wanted, service)
    return [list(step.command) for step in taken]


def _row(diagnosis: Mapping[str, Any], module: str, instance: str) -> Row:
    return next(
        (
            row for row in diagnosis.get("modules") or ()
            if (row["module"], row["instance"]) == (module, instance)
        ),
        {},
    )


def _before(row: Row) -> dict[str, Any]:
    """The module as campaign_module will find it."""
    runs = row.get("state") in ("running", "hung")
    return {
        "pid": row.get("pid") if runs else None,
        "state": row.get("state") if runs else "stopped",
        "precision": row.get("precision") if runs else None,
        "filters": list(row.get("filters") or ()),
    }


def _stop_all(diagnosis: Mapping[str, Any]) -> Commands:
    """As roles/campaign/tasks/stop_all.yml: the watchdog, which takes all along, or one by one."""
    stop = _of("watchdog", DEFAULT, "stopped", diagnosis)
    if stop:
        return stop
    return [
        command
        for row in diagnosis.get("modules") or ()
        if row["module"] != "watchdog" and row.get("state") in ("running", "hung")
        for command in _of(
            row["module"], row["instance"], "stopped", diagnosis,
            immediate=row.get("state") == "hung",
        )
    ]


def missing(
    remedy: str, finding: Mapping[str, Any], declared: Mapping[str, Any]
) -> str | None:
    """What the site must declare for a guard not to refuse the remedy; None if nothing is missing.
    """
    undeclared = REMEDIES[remedy].undeclared
    return None if undeclared is None else undeclared(finding.get("evidence") or {}, declared)
