# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What is known on a host that holds repairs back there: a pause, and earlier repairs of the same
findings. A plan asks for it.
"""

from __future__ import annotations

from collections.abc import Collection

from ..snapshot.server import LAST_MOMENT, Server
from .records import PastRepair, Pause


def pause_of(server: Server) -> Pause | None:
    """The pause of repairs that held when the snapshot was taken."""
    found = next(iter(server.ledger.paused), None)
    if found is None:
        return None
    until, since = found.until, found.since
    if found.unknown or until is None or not 0 <= until <= LAST_MOMENT:
        return Pause(unknown=found.unknown or "the host does not say until when")
    known = since is not None and 0 <= since <= LAST_MOMENT
    return Pause(until=until, since=since if known else None, who=found.who, reason=found.reason)


def repaired(server: Server, ids: Collection[str]) -> tuple[PastRepair, ...] | None:
    """The earlier repairs of these findings, as far as the ledger was read; None if there are none.

    A time in the future is none of a repair: it cannot be told when that was.
    """
    found = tuple(
        PastRepair(id=each.id, at=each.at, remedy=each.remedy)
        for each in server.ledger.answered if each.id in ids and 0 <= each.at <= server.now
    )
    return found or None


def ledger_begins(server: Server) -> float | None:
    """When the ledger begins, where earlier lines of it were not read."""
    return next(iter(server.ledger.begins), None)
