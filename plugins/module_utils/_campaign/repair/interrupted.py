# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Interrupted repairs: what they have left undone, as data and in words."""

from ..names import DEFAULT, PER_INSTANCE, SHARED
from ..record.lock import stamp

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Container, Dict, List, Tuple

    Entry = Dict[str, Any]

FINISH = "finish_repair"  # the remedy that ends what another run has begun
FRONT_END_TOO = "rebuild_shared_memory"  # stops the front-end web server as well
WATCHDOG = "watchdog"


def unfinished(begun: "Entry", running: "Container[Tuple[str, str]]") -> "List[Entry]":
    """What an interrupted repair has stopped and not started again, the watchdog first.

    begun: its line in the ledger. running: (module, instance) of each running process.
    """
    key = (begun["module"], begun["instance"])
    if begun.get("whole_server"):
        found = [] if (WATCHDOG, DEFAULT) in running else [(WATCHDOG, DEFAULT)]
        # It is unknown whether the front-end web server runs: it is started in any case.
        front = begun.get("remedy") == FRONT_END_TOO
    else:
        before = begun.get("before")
        ran = isinstance(before, dict) and before.get("state") in ("running", "hung")
        stays = key[0] in SHARED + PER_INSTANCE and begun.get("state") != "stopped"
        found = [key] if ran and stays and key not in running else []
        front = False
    entries = [{"module": m, "instance": i, "front_end": False} for m, i in found]
    if front:
        entries.append({"module": "", "instance": DEFAULT, "front_end": True})
    return entries


def describe_interrupted(entry: "Entry") -> str:
    """One warning for a repair that a killed run left."""
    pid = entry["present"]["pid"]
    text = "%s of %s@%s, started at %s by run %s, was never finished; it is now %s." % (
        entry["remedy"],
        entry["module"] or "host",
        entry["instance"],
        stamp(entry["at"]),
        entry["run"],
        "running (pid %d)" % pid if pid else "stopped",
    )
    more = " The next run of remediate.yml finishes it first." if entry.get("unfinished") else ""
    return text + more
