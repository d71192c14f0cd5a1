# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What is left of the restart budget of a module, by the ledger of its host."""

from __future__ import annotations

from typing import NamedTuple

from ..snapshot.records import ModuleInstance
from ..snapshot.server import Server
from .brakes import ledger_begins

TIMES_TOLD = 20  # of one module: ledger.ENTRIES


class Budget(NamedTuple):
    """How often a module may be started or restarted within some minutes."""

    restarts: int
    minutes: float


def left(server: Server, module: ModuleInstance, budget: Budget | None) -> int | None:
    """How often it may still be restarted now; None if the ledger does not say.

    A snapshot tells of the ledger what is within the log window, and the last restarts only.
    """
    if budget is None or not server.answered("ledger"):
        return None
    begin = server.now - 60 * budget.minutes
    window = server.header.asked.log_window
    if window is None or window < budget.minutes or (ledger_begins(server) or 0) > begin:
        return None
    key = module.name, module.instance
    ours = [each.times for each in server.ledger.restarts if (each.module, each.instance) == key]
    times = [at for some in ours for at in some if at >= begin]
    if len(times) >= TIMES_TOLD and budget.restarts > len(times):
        return None
    return max(0, budget.restarts - len(times))
