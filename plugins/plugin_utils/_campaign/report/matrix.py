# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The page's table: hosts by modules, each cell with what leads to its causes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import MODULES

from .anchors import Anchors
from .model import Change, Changes, Host, Module, Report, Severity
from .shared import view, words

# The order of hosts for the reader.
ORDER = ("down", "unreachable", "failed", "degraded", "unknown", "not_installed", "healthy")
WELL = ("healthy", "not_expected")


class Lead(NamedTuple):
    """A root cause that a cell leads to."""

    anchor: str
    title: str


class Cell(NamedTuple):
    """A module of an instance; `instance` only where there are several."""

    verdict: str
    instance: str
    leads: list[Lead]


class Row(NamedTuple):
    """A host."""

    host: Host
    kind: str
    word: str
    anchor: str
    leads: list[Lead]
    cells: dict[str, list[Cell]]
    severities: str
    troubled: str  # names of the modules that are not healthy
    healthy: int
    grade_tone: str
    change: str


def rows(report: Report, anchors: Anchors, titles: Mapping[str, str]) -> list[Row]:
    """The worst first; otherwise the inventory's order stays. `titles`: of the causes, by anchor."""
    changed = dict(_changed(report.changes)) if report.changes else {}
    found = [_row(host, anchors, titles, changed.get(host.name, "")) for host in report.hosts]
    return sorted(found, key=_sort_key)


def columns(hosts: Sequence[Host]) -> list[str]:
    """The modules that any host has, in the order in which they start."""
    present = {module.module for host in hosts for module in host.modules}
    known = [module for module in MODULES if module in present]
    return known + sorted(present.difference(known))


def tracks(modules: Sequence[str], changes: bool) -> str:
    """The widths of the columns, for the style sheet: as much as the head of each asks for."""
    widths = ["minmax(9.5rem,1fr)", "8.5rem", "4.6rem", *(["8rem"] if changes else [])]
    return " ".join([*widths, *(f"{max(2.9, 0.46 * len(name) + 0.85):.1f}rem" for name in modules)])


def _row(host: Host, anchors: Anchors, titles: Mapping[str, str], change: str) -> Row:
    several = len(view.own_instances(host)) > 1
    by_id = {finding.id: finding for finding in host.findings}
    leads = {
        identity: Lead(anchor, titles[anchor]) for identity in by_id
        if (anchor := anchors.findings.get((host.name, identity)))
    }
    cells: dict[str, list[Cell]] = {}
    for module in host.modules:
        name = module.instance if several and module.instance != "default" else ""
        ids = _ids(module, host)
        cells.setdefault(module.module, []).append(
            Cell(module.verdict, name, _once(leads[each] for each in ids if each in leads))
        )
    worst = sorted(by_id, key=lambda identity: by_id[identity].severity.rank)
    troubled = {module.module for module in host.modules if module.verdict not in WELL}
    severities = {finding.severity.value for finding in host.findings}
    return Row(
        host, host.verdict if host.status == "diagnosed" else host.status,
        view.status_word(host).lower(), anchors.hosts[host.name],
        _once(leads[each] for each in worst if each in leads), cells,
        " ".join(sorted(severities)),
        " ".join(sorted(troubled | {finding.module for finding in host.findings})),
        sum(1 for module in host.modules if module.verdict == "healthy"),
        _grade_tone(host), change,
    )


def _ids(module: Module, host: Host) -> list[str]:
    """The findings of a module, the worst first."""
    return [
        finding.id for finding in sorted(host.findings, key=lambda each: each.severity.rank)
        if finding.module == module.module and finding.instance == module.instance
    ]


def _once(leads: Iterator[Lead]) -> list[Lead]:
    return list(dict.fromkeys(leads))


def _grade_tone(host: Host) -> str:
    """Red is only for critical, not for many warnings."""
    if host.grade in ("A", "B"):
        return "ok"
    critical = any(finding.severity is Severity.CRITICAL for finding in host.findings)
    return "critical" if critical else "warning"


def _sort_key(row: Row) -> tuple[int, int]:
    kind = ORDER.index(row.kind) if row.kind in ORDER else len(ORDER)
    return kind, row.host.score or 0


def _changed(changes: Changes) -> Iterator[tuple[str, str]]:
    """What changed on each host, in words."""
    told: dict[str, list[str]] = {}
    for word, kind in (("first seen", "appeared"), ("diagnosis lost", "lost"),
                       ("diagnosed again", "back")):
        for name in getattr(changes.hosts, kind):
            told.setdefault(name, []).append(word)
    for kind in view.CHANGES:
        word = view.CHANGE_WORDS.get(kind, kind)
        for name, count in _counted(getattr(changes, kind)).items():
            told.setdefault(name, []).append(f"{count} {word}")
    for each in changes.scores:
        by = each.score - each.was
        text = f"score {'up' if by > 0 else 'down'} {abs(by)}"
        told.setdefault(each.host, []).append(text)
    for name, parts in told.items():
        yield name, ", ".join(parts)


def _counted(changes: Sequence[Change]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for change in changes:
        counts[change.host] = counts.get(change.host, 0) + 1
    return counts


def titles(causes: Sequence[view.Cause], anchors: Anchors) -> dict[str, str]:
    """Of the causes, by anchor."""
    return {
        anchors.causes[cause.finding.id]: words.titled(
            cause.finding.module, cause.finding.instance, cause.finding.title)
        for cause in causes
    }
