# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a remediation adds to the report: the plan, the actions, and what remains.

Uses the standard library only: campaign_doctor has this very file, by a link, and reads its own
model.py with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from ..model import Action, Host, Report, Step, Unplanned

T = TypeVar("T")

# The order for the reader: failures first.
RESULTS = ("not_repaired", "refused", "unproved", "repaired", "done", "skipped")
WORDS = {"not_repaired": "NOT REPAIRED", "refused": "REFUSED", "repaired": "repaired"}
WORDS |= {"unproved": "NOT PROVED", "done": "done", "skipped": "skipped"}
LEFT = {"as_before": "unchanged", "changed": "changed", "unknown": "unknown: check it by hand"}

COUNTED = ("repaired", "done", "unproved", "not_repaired", "refused")


@dataclass(frozen=True)
class Group(Generic[T]):
    """Steps or findings left that read the same on one or more hosts."""

    item: T  # of the first host
    hosts: list[str]


def outcomes(host: Host) -> list[Action]:
    """The last action for each step: earlier ones were milder rungs of its ladder."""
    last: dict[tuple[str, ...], Action] = {}
    for action in host.actions:
        last[_identity(action)] = action
    return list(last.values())


def _identity(entry: Step | Action) -> tuple[str, ...]:
    """Which step an action belongs to."""
    because = sorted(entry.because) or [entry.remedy]
    return entry.module, entry.instance, entry.subject or "", *because


def counts(hosts: Iterable[Host]) -> dict[str, int]:
    """How the steps of all hosts ended."""
    results: list[str] = [action.result for host in hosts for action in outcomes(host)]
    return {result: results.count(result) for result in COUNTED}


def waiting(host: Host) -> list[Step]:
    """The steps of a host that nothing was done for."""
    begun = {_identity(action) for action in host.actions}
    return [step for step in host.plan if _identity(step) not in begun]


def planned(report: Report) -> list[Group[Step]]:
    """The steps that nothing was done for; what reads the same on several hosts is one."""
    return _grouped(
        ((host.name, step) for host in report.hosts for step in waiting(host)),
        (
            "module", "instance", "subject", "remedy", "rungs", "because", "command", "limit",
            "not_after", "refused_unless", "held",
        ),
    )


def done(report: Report) -> list[tuple[str, Action]]:
    """Host and action, failures first; milder rungs come before the last one."""
    final = {id(action) for host in report.hosts for action in outcomes(host)}
    rank: dict[tuple[str, tuple[str, ...]], int] = {}
    entries = [(host.name, action) for host in report.hosts for action in host.actions]
    for name, action in entries:
        if id(action) in final:
            rank[(name, _identity(action))] = _rank(action)
    entries.sort(key=lambda entry: rank[(entry[0], _identity(entry[1]))])
    return entries


def _rank(action: Action) -> int:
    return RESULTS.index(action.result) if action.result in RESULTS else len(RESULTS)


def unplanned(report: Report) -> list[Group[Unplanned]]:
    """What is not repaired and why, without effects of other findings."""
    return _grouped(
        (
            (host.name, entry)
            for host in report.hosts for entry in host.left if entry.why != "caused_by"
        ),
        ("id", "why", "reason", "until"),
    )


def _grouped(entries: Iterable[tuple[str, T]], names: tuple[str, ...]) -> list[Group[T]]:
    groups: dict[tuple[object, ...], Group[T]] = {}
    for host, item in entries:
        identity = tuple(getattr(item, name) for name in names)
        groups.setdefault(identity, Group(item, [])).hosts.append(host)
    return list(groups.values())


def word(action: Action) -> str:
    """The result in one or two words."""
    return WORDS.get(action.result, action.result)


def span(action: Action) -> tuple[float | None, float | None]:
    """When an action began and ended, in seconds since the epoch; None where that is not known."""
    if not action.started or not action.finished:
        return None, None
    moments = [
        datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
        for text in (action.started, action.finished)
    ]
    return moments[0], moments[1]


def title(action: Action) -> str:
    """The action, in a few words."""
    rung = action.rung or action.remedy
    subject = f" {action.subject}" if action.subject else ""
    return f"{rung}{subject}"


def at_work(step: Step) -> str:
    """What of the work in flight a step would cut off."""
    if step.work is None:
        return "not checked"
    named = (f"{each.what} ({each.origin or f'pid {each.pid}'})" for each in step.work)
    return ", ".join(named) or "nothing"


def further(step: Step) -> str:
    """What follows if the remedy does not help."""
    rungs = ", then ".join([*step.rungs[1:], "an operator"])
    return f"{rungs} ({step.limit})" if step.limit else rungs
