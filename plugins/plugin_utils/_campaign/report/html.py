# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The report as a page: one file that needs no network, from the templates in `page/`.

Everything that comes from a host is escaped by the template engine. The page's own script is the
only one that a browser may run: the page names its hash.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import jinja2

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import MODULES

from . import outline, picture, repair, timeline, view, words
from .changes import SEVERITIES
from .model import Change, Changes, Host, Module, Report, Severity, Summary

FOLDER = Path(__file__).with_name("page")

# Sign and words of each verdict: no colour stands alone.
SIGNS = {
    "down": "\N{MULTIPLICATION SIGN}", "degraded": "!", "unknown": "?",
    "healthy": "\N{CHECK MARK}", "not_expected": "\N{EN DASH}",
}
KINDS = ("healthy", "degraded", "down", "unknown", "unreachable", "failed", "not_installed")
KIND_WORDS = {"failed": "not diagnosed", "not_installed": "without Campaign"}
TONES = {"healthy": "ok", "degraded": "warning", "down": "critical", "unknown": "warning",
         "unreachable": "critical", "failed": "critical", "not_installed": "none",
         "not_expected": "none"}
TITLES = {"plan": "Plan", "remediate": "Remediation", "targeted": "Order", "replay": "Replay"}


class Row(NamedTuple):
    """A host in the table."""

    host: Host
    kind: str
    word: str
    cells: dict[str, list[Module]]
    severities: str
    troubled: str  # names of the modules that are not healthy
    healthy: int
    change: dict[str, int | str] | None


class Segment(NamedTuple):
    """A piece of the ring: hosts of a kind, in percent of all."""

    kind: str
    hosts: int
    share: float
    offset: float


def render(report: Report) -> str:
    """The page's text."""
    found = view.causes(report)
    rows = sorted((_row(host, report.changes) for host in report.hosts), key=_sort_key)
    script = _file("page.js")
    page = _environment().get_template("page.html.j2").render(
        report=report,
        title=f"Campaign {TITLES.get(report.mode, 'diagnosis').lower()}",
        verdict=_verdict(report),
        rows=rows,
        columns=_columns(report.hosts),
        ring=_ring(report.summary),
        causes=[cause for cause in found if cause.finding.severity is not Severity.INFO],
        notes=[cause for cause in found if cause.finding.severity is Severity.INFO],
        told=outline.sections(report),
        changed=_changed(report.changes),
        line=timeline.of(report),
        style=_file("page.css"),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )
    return page.encode("utf-8", "replace").decode("utf-8")


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.globals.update(
        repair=repair, words=words, view=view, picture=picture, SIGNS=SIGNS, TONES=TONES,
        KIND_WORDS=KIND_WORDS, RESULT_TONES=outline.RESULT_TONES, SEVERITIES=SEVERITIES, PICTURE=picture,
    )
    return environment


@cache
def _file(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _shown(value: object) -> object:
    """Text without what a browser should not get; a macro's output stays what it is."""
    untrusted = isinstance(value, str) and not hasattr(value, "__html__")
    return words.clean(value) if untrusted else value


def _columns(hosts: Sequence[Host]) -> list[str]:
    present = {module.module for host in hosts for module in host.modules}
    known = [module for module in MODULES if module in present]
    return known + sorted(present.difference(known))


def _kind(host: Host) -> str:
    return host.verdict if host.status == "diagnosed" else host.status


def _row(host: Host, changes: Changes | None) -> Row:
    cells: dict[str, list[Module]] = {}
    for module in host.modules:
        cells.setdefault(module.module, []).append(module)
    healthy = sum(1 for module in host.modules if module.verdict == "healthy")
    troubled = {
        module.module for module in host.modules
        if module.verdict not in ("healthy", "not_expected")
    } | {finding.module for finding in host.findings}
    severities = {finding.severity.value for finding in host.findings}
    return Row(
        host, _kind(host), view.status_word(host).lower(), cells, " ".join(sorted(severities)),
        " ".join(sorted(troubled)), healthy, _change(host.name, changes),
    )


def _sort_key(row: Row) -> tuple[int, int]:
    """What is worst comes first; otherwise the inventory's order stays."""
    order = ("down", "unreachable", "failed", "degraded", "unknown", "not_installed", "healthy")
    kind = order.index(row.kind) if row.kind in order else len(order)
    return kind, row.host.score or 0


def _change(name: str, changes: Changes | None) -> dict[str, int | str] | None:
    """What changed on one host, in numbers; None where nothing did."""
    if changes is None:
        return None
    counted: dict[str, int | str] = {
        kind: sum(1 for entry in _changes(changes, kind) if entry.host == name)
        for kind in view.CHANGES
    }
    counted["score"] = next(
        (each.score - each.was for each in changes.scores if each.host == name), 0
    )
    counted["word"] = next(
        (word for word, kind in (("first seen", "appeared"), ("lost", "lost"), ("back", "back"))
         if name in getattr(changes.hosts, kind)), "",
    )
    return counted if any(counted.values()) else None


def _changes(changes: Changes, kind: str) -> tuple[Change, ...]:
    found: tuple[Change, ...] = getattr(changes, kind)
    return found


def _changed(changes: Changes | None) -> dict[tuple[str, str], str]:
    """Kind of change of each finding, by host and id."""
    if changes is None:
        return {}
    return {
        (entry.host, entry.id): kind
        for kind in ("new", "worse", "better") for entry in _changes(changes, kind)
    }


def _ring(summary: Summary) -> list[Segment]:
    total = max(1, summary.hosts)
    segments: list[Segment] = []
    offset = 0.0
    for kind in KINDS:
        count = getattr(summary, kind)
        if count:
            share = 100 * count / total
            segments.append(Segment(kind, count, round(share, 2), round(offset, 2)))
            offset += share
    return segments


def _verdict(report: Report) -> tuple[str, str]:
    """The run in one sentence, and its tone."""
    summary = report.summary
    hosts = summary.hosts
    if not hosts:
        return "No host was in this run.", "warning"
    if summary.not_repaired:
        count = summary.not_repaired
        return f"{count} repair{'' if count == 1 else 's'} did not help.", "critical"
    blind = summary.unreachable + summary.failed
    if summary.roots:
        roots = summary.roots
        ill = sum(1 for host in report.hosts
                  if any(finding.severity is not Severity.INFO for finding in host.findings))
        tone = "critical" if summary.critical or summary.down else "warning"
        where = f"{ill} of {hosts} hosts" if hosts > 1 else "this host"
        return f"{roots} root cause{'' if roots == 1 else 's'} on {where}.", tone
    if blind:
        return f"{blind} of {hosts} hosts could not be diagnosed.", "critical"
    if summary.healthy < hosts:
        return "No problem was found, but not everything could be checked.", "warning"
    return ("All hosts are healthy." if hosts > 1 else "The host is healthy."), "ok"
