# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a remediation adds to the report: what was planned, what was done, what is left to do.

Uses the standard library only: campaign_doctor has this very file, by a link.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

Json = dict[str, Any]

# The order in which a person wants them: what did not work first.
RESULTS = ("not_repaired", "refused", "unproved", "repaired", "done", "skipped")
WORDS = {"not_repaired": "NOT REPAIRED", "refused": "REFUSED", "repaired": "repaired"}
WORDS |= {"unproved": "NOT PROVED", "done": "done", "skipped": "skipped"}
LEFT = {"as_before": "as it was found", "changed": "changed", "unknown": "unknown: look at it"}

COUNTED = ("repaired", "done", "unproved", "not_repaired", "refused")

_STEP: Json = {
    "order": 0, "module": "host", "instance": "default", "remedy": "", "rungs": [],
    "because": [], "keys": [], "title": "", "command": None, "cancels": None, "limit": None,
    "subject": None, "not_after": None, "work": None, "commands": None, "refused_unless": None,
}
_ACTION: Json = {
    "module": "host", "instance": "default", "remedy": "", "rung": None, "subject": None,
    "because": [], "command": [], "result": "skipped", "reason": None,
    "guard": None, "before": {}, "after": {}, "left": "unknown", "seconds": None,
    "started": None, "finished": None, "evidence": None,
}
_LEFT: Json = {
    "id": "", "key": "", "module": "host", "instance": "default", "why": "", "reason": "",
    "until": None,
}


class Group(NamedTuple):
    """Steps, actions or findings left that read the same on one or more hosts."""

    item: Json  # of the first host
    hosts: list[str]


def host_part(planned: Mapping[str, Any] | None, actions: object) -> Json:
    """A host's keys in the report, each entry with all that the report promises."""
    planned = planned or {}
    done = actions if isinstance(actions, (list, tuple)) else ()
    return {
        "plan": [_filled(_STEP, step) for step in planned.get("steps") or ()],
        "left": [_filled(_LEFT, entry) for entry in planned.get("left") or ()],
        "plan_refused": planned.get("refused"),
        "plan_notes": [str(note) for note in planned.get("notes") or ()],
        "actions": [_filled(_ACTION, _typed(each)) for each in done if isinstance(each, Mapping)],
    }


def _filled(blank: Json, given: Mapping[str, Any]) -> Json:
    known = {key: value for key, value in given.items() if value is not None or key not in blank}
    return {**blank, **known}


def _typed(action: Mapping[str, Any]) -> Json:
    """An action as it was meant: before ansible-core 2.19 a template gives text, whatever is in it.

    So nothing came as an empty text, and a number as its digits.
    """
    typed = {key: None if value == "" else value for key, value in action.items()}
    seconds = typed.get("seconds")
    if isinstance(seconds, str):
        typed["seconds"] = float(seconds)
    return typed


def outcomes(host: Mapping[str, Any]) -> list[Json]:
    """The last action for each step: what came before it were milder rungs of its ladder."""
    last: dict[tuple[str, ...], Json] = {}
    for action in host["actions"]:
        last[_identity(action)] = action
    return list(last.values())


def _identity(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """Which step an action belongs to."""
    because = sorted(map(str, entry["because"])) or [str(entry["remedy"])]
    return entry["module"], entry["instance"], str(entry["subject"] or ""), *because


def counts(hosts: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """How the steps of all hosts ended."""
    results = [action["result"] for host in hosts for action in outcomes(host)]
    return {result: results.count(result) for result in COUNTED}


def waiting(host: Mapping[str, Any]) -> list[Json]:
    """The steps of a host that nothing was done for."""
    begun = {_identity(action) for action in host["actions"]}
    return [step for step in host["plan"] if _identity(step) not in begun]


def planned(report: Mapping[str, Any]) -> list[Group]:
    """The steps that nothing was done for; what reads the same on several hosts is one."""
    return _grouped(
        ((host["name"], step) for host in report["hosts"] for step in waiting(host)),
        (
            "module", "instance", "subject", "remedy", "rungs", "because", "command", "limit",
            "not_after", "refused_unless",
        ),
    )


def done(report: Mapping[str, Any]) -> list[tuple[str, Json]]:
    """Host and action, those that did not work first; milder rungs stand before their last."""
    final = {id(action) for host in report["hosts"] for action in outcomes(host)}
    rank: dict[tuple[str, tuple[str, ...]], int] = {}
    entries = [(host["name"], action) for host in report["hosts"] for action in host["actions"]]
    for name, action in entries:
        if id(action) in final:
            rank[(name, _identity(action))] = _rank(action)
    entries.sort(key=lambda entry: rank[(entry[0], _identity(entry[1]))])
    return entries


def _rank(action: Mapping[str, Any]) -> int:
    result = action["result"]
    return RESULTS.index(result) if result in RESULTS else len(RESULTS)


def left(report: Mapping[str, Any]) -> list[Group]:
    """What is not repaired and why, without what another finding explains."""
    return _grouped(
        (
            (host["name"], entry)
            for host in report["hosts"] for entry in host["left"] if entry["why"] != "caused_by"
        ),
        ("id", "why", "reason", "until"),
    )


def _grouped(entries: Iterable[tuple[str, Json]], keys: tuple[str, ...]) -> list[Group]:
    groups: dict[str, Group] = {}
    for host, item in entries:
        identity = repr([item.get(key) for key in keys])  # a report of before has fewer
        groups.setdefault(identity, Group(item, [])).hosts.append(host)
    return list(groups.values())


def word(action: Mapping[str, Any]) -> str:
    """The result in one or two words."""
    return WORDS.get(action["result"], str(action["result"]))


def span(action: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """When an action began and ended, in seconds since the epoch; None where that is not known."""
    if not action["started"] or not action["finished"]:
        return None, None
    moments = [
        datetime.fromisoformat(action[key].replace("Z", "+00:00")).timestamp()
        for key in ("started", "finished")
    ]
    return moments[0], moments[1]


def title(action: Mapping[str, Any]) -> str:
    """What was done, in a few words."""
    rung = action["rung"] or action["remedy"]
    subject = f" {action['subject']}" if action["subject"] else ""
    return f"{rung}{subject}"


def at_work(step: Mapping[str, Any]) -> str:
    """What of the work in flight a step would cut off."""
    if step["work"] is None:
        return "not looked at"
    named = (
        f"{each['what']} ({each.get('from') or 'pid ' + str(each.get('pid'))})"
        for each in step["work"]
    )
    return ", ".join(named) or "nothing"


def further(step: Mapping[str, Any]) -> str:
    """What follows if the remedy does not help."""
    rungs = ", then ".join([*step["rungs"][1:], "a person"])
    return f"{rungs} ({step['limit']})" if step["limit"] else rungs
