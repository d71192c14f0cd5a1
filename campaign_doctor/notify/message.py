# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What is sent: a text for people and an event for machines, of the same news."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from ..explain import catalogue
from ..model import Report
from ..shared import event, view, words
from ..shared.news import Item, News, Silent

HOSTS = 20
CAUSES = 25
EFFECTS = 5
AS = {"root": "Fix, as root", "account": "Fix, as the Campaign account", "advice": "Advice"}

Json = dict[str, Any]


class Message(NamedTuple):
    """`tone` is critical, warning, ok or info."""

    title: str
    body: str
    tone: str
    event: Json


def of(report: Report, everything: News, told: News, link: str | None) -> Message:
    """The message about what is told; its event has everything."""
    where = link.replace("{run}", report.run or "last") if link else None
    made = event.of(report, everything, fixes, where)
    return Message(_title(told), "\n\n".join(_paragraphs(report, told, where)), _tone(told), made)


def test() -> Message:
    """What `notify test` sends."""
    text = "This is a test of campaign-doctor. If you can read it, notifications arrive here."
    return Message("Campaign: test message", text, "info", event.test(text))


def fixes(key: str) -> Sequence[tuple[str, str]]:
    """The documented fix of a problem, from the catalogue."""
    problem = catalogue().problem(key)
    return [(step.who, step.text) for step in problem.fix] if problem else ()


def _title(told: News) -> str:
    counts = []
    for kind in ("new", "worse"):
        items = [item for item in told.causes if item.kind == kind]
        critical = sum(item.severity == "critical" for item in items)
        note = f" ({critical} critical)" if critical else ""
        counts.append((len(items), f"{kind}{note}"))
    silent = sum(len(each.changed) for each in told.silent)
    counts.append((silent, f"{'host' if silent == 1 else 'hosts'} without a diagnosis"))
    counts.append((len(told.fixed) + len(told.back), "fixed"))
    return f"Campaign: {', '.join(f'{count} {what}' for count, what in counts if count)}"


def _tone(told: News) -> str:
    if told.silent or any(item.worst == "critical" for item in told.causes):
        return "critical"
    return "warning" if told.causes else "ok"


def _paragraphs(report: Report, told: News, link: str | None) -> Iterator[str]:
    since = f"What changed since {words.moment(told.since)}." if told.since else "This is the first report."
    yield f"{since} Run {report.run or report.finished}.{f' Report: {link}' if link else ''}"
    for item in told.causes[:CAUSES]:
        yield "\n".join(_cause(item))
    left_out = len(told.causes) - CAUSES
    if left_out > 0:
        yield f"And {left_out} more: see the report."
    for silent in told.silent:
        yield "\n".join(_silent(silent))
    fixed = [f"{'FIXED' if item.kind == 'fixed' else 'BETTER'}: {words.clean(item.headline)}"
             f" ({named(item.hosts)})" for item in told.fixed]  # fmt: skip
    if told.back:
        fixed.append(f"DIAGNOSED AGAIN: {named(told.back)}")
    if fixed:
        yield "\n".join(fixed)


def _cause(item: Item) -> Iterator[str]:
    yield f"{item.kind.upper()}, {item.severity}: {words.clean(item.headline)}"
    problem = catalogue().problem(item.key)
    if problem:
        yield problem.means
    yield f"Hosts: {named(item.hosts)}"
    if set(item.changed) != set(item.hosts):
        yield f"Changed on: {named(item.changed)}"
    for effect in item.effects[:EFFECTS]:
        title = words.clean(words.titled(effect.module, effect.instance, effect.title))
        yield f"Explains: {title} ({named(effect.hosts)})"
    if len(item.effects) > EFFECTS:
        yield f"Explains {len(item.effects) - EFFECTS} more: see the report"
    for who, text in event.fix_of(item, fixes):
        yield f"{AS[who]}: {words.clean(text)}"
    yield "campaign-doctor remediate repairs it." if item.automatic else "It needs an operator."


def _silent(silent: Silent) -> Iterator[str]:
    yield f"{view.STATUS_WORDS.get(silent.status, silent.status)}: {named(silent.changed)}"
    yield words.clean(silent.advice)


def named(hosts: Iterable[str]) -> str:
    """The first hosts by name, then how many there are."""
    names = [words.clean(host) for host in hosts]
    more = f" and {len(names) - HOSTS} more" if len(names) > HOSTS else ""
    return f"{', '.join(names[:HOSTS])}{more}"
