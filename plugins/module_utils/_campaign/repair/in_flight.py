# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The work that the end of a module would cancel."""

import re
import time

from ..host import proc
from ..names import UTILITIES
from ..record import evidence

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Dict, List, Optional

    from ..snapshot.probes import Context

    Entry = Dict[str, Any]

IDLE_SECONDS = 900.0  # a session that was unused for so long is no work in progress
_SESSION = re.compile(r"^(\d\d)/(\d\d)/(\d{4}) (\d\d):(\d\d):(\d\d)\s+(\S+)\s+(\S+)\s+(.*)$")


def sessions(text: str, now: float) -> "List[Entry]":
    """The operators connected, of `nlserver pdump -who`, who did something lately."""
    found = []
    inside = False
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("Connections"):
            inside = True
        elif line.startswith("Connection pool"):
            break
        match = _SESSION.match(line) if inside else None
        if match:
            day, month, year, hour, minute, second = (int(word) for word in match.groups()[:6])
            try:
                at = time.mktime((year, month, day, hour, minute, second, 0, 0, -1))
            except (ValueError, OverflowError):
                at = now
            if now - at < IDLE_SECONDS:
                found.append(
                    {"kind": "session", "what": match.group(9), "module": "web",
                     "instance": match.group(8), "from": match.group(7), "since": at}
                )  # fmt: skip
    return found


def in_flight(
    context: "Context", module: str, instance: str, groups: "Optional[Dict[str,"
                                                            " List[Entry]]]" = None
) -> "List[Entry]":
    """The work that the end of this module would cancel; `module` is the one that ends it.

    watchdog ends all of it; web ends sessions; wfserver its workflows (runwf); an export, an
    import or a tracking run is itself the work. Mail waits in the spool and is not lost.
    """
    groups = groups or proc.processes(proc.scan(context.home))
    everything = module == "watchdog"
    found = []
    for child in groups["children"]:
        mine = module == "wfserver" and child["instance"] == instance
        if child["name"] == "runwf" and (everything or mine):
            found.append(_work("workflow", child))
    for process in groups["modules"]:
        if process["name"] in UTILITIES and (
            everything or evidence.matches(process, module, instance)
        ):
            found.append(_work("job", process))
    if (module == "web" or everything) and any(p["name"] == "web" for p in groups["modules"]):
        found.extend(sessions(context.nlserver("pdump", "-who")[1], time.time()))
    return found


def _work(kind: str, process: "Entry") -> "Entry":
    words = [w for w in process["arguments"] if not w.startswith(("-tracefile", "-detach"))]
    return {
        "kind": kind,
        "what": " ".join([process["name"]] + words),
        "module": "wfserver" if kind == "workflow" else process["name"],
        "instance": process["instance"],
        "pid": process["pid"],
        "since": process["started_at"],
    }


def describe_work(found: "List[Entry]") -> str:
    texts = []
    for work in found[:5]:
        who = "operator %s" % work["what"] if work["kind"] == "session" else work["what"]
        texts.append("%s (%s)" % (who, work.get("from") or "pid %d" % work["pid"]))
    more = len(found) - len(texts)
    return ", ".join(texts) + (" and %d more" % more if more > 0 else "")
