# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The report as a page: one file that needs no network, from the templates in `page/`.

Everything that comes from a host is escaped by the template engine. The page's own script is the
only one that a browser may run: the page names its hash.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import jinja2

from . import alike, anchors, matrix, timeline, tree
from .model import Action, Change, Changes, Report, Severity, Summary
from .shared import fixes, outline, repair, view, words
from .shared.changes import SEVERITIES

FOLDER = Path(__file__).with_name("page")

KINDS = ("healthy", "degraded", "down", "unknown", "unreachable", "failed", "not_installed")
KIND_WORDS = {"failed": "not diagnosed", "not_installed": "without Campaign"}
# Red is only for critical; blind is for what could not be checked.
TONES = {"healthy": "ok", "degraded": "warning", "down": "critical", "unknown": "blind",
         "unreachable": "blind", "failed": "blind", "not_installed": "none",
         "not_expected": "none"}
# Of verdicts: the style sheet has the sign and the colour of each.
CLASSES = {"down": "x", "degraded": "w", "unknown": "u", "healthy": "h", "not_expected": "e"}
MARKS = {"new": "info", "worse": "info"}  # kinds of change
MANY = 40  # hosts and cards: beyond, a browser lays out those in view
BARS = {**outline.RESULT_TONES, "not_repaired": "warning", "diagnosis": "info"}  # of the time line
BUILDS_IN_FULL = 3
TITLES = {"plan": "Plan", "remediate": "Remediation", "targeted": "Order", "replay": "Replay"}


class Segment(NamedTuple):
    """A piece of the ring: hosts of a kind, in percent of all."""

    kind: str
    hosts: int
    share: float
    offset: float


def render(report: Report) -> str:
    """The page's text."""
    found = view.causes(report)
    named = anchors.of(report, found)
    told = outline.sections(report)
    causes = [cause for cause in found if cause.finding.severity is not Severity.INFO]
    notes = [cause for cause in found if cause.finding.severity is Severity.INFO]
    columns = matrix.columns(report.hosts)
    line = timeline.of(report)
    script = _file("page.js")
    page = _environment().get_template("page.html.j2").render(
        report=report,
        title=f"Campaign {TITLES.get(report.mode, 'diagnosis').lower()}",
        verdict=_verdict(report),
        anchors=named,
        rows=matrix.rows(report, named, matrix.titles(found, named)),
        columns=columns,
        tracks=matrix.tracks(columns, report.changes is not None),
        ring=_ring(report.summary),
        causes=causes,
        notes=notes,
        told=told,
        contents=_contents(report, told, len(notes), line is not None),
        changed=_changed(report.changes),
        repair_tone=partial(_repair_tone, report),
        line=line,
        builds=_builds(report),
        many=len(found) + sum(1 + len(host.actions) + len(host.plan) for host in report.hosts) > MANY,
        style=_file("page.css"),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )
    return page.encode("utf-8", "replace").decode("utf-8")


def _contents(
    report: Report, told: dict[str, outline.Section], notes: int, line: bool
) -> list[tuple[str, str, int | None]]:
    """The sections of the page: anchor, heading, and how many entries."""
    storms = told.get("storms")
    found: list[tuple[str, str, int | None]] = [
        *([("storms", storms.title, len(storms.entries))] if storms else []),
        ("hosts", "Hosts", len(report.hosts)), ("causes", "Root causes", report.summary.roots),
    ]
    for name in ("changes", "paused", "repairs", "plan", "waves", "left", "notes", "unseen"):
        if name == "notes" and notes:
            found.append((name, "Notes", notes))
        elif name == "changes" and name in told:
            found.append((name, "Changes", None))
        elif name != "notes" and name in told:
            found.append((name, told[name].title, len(told[name].entries)))
    return [*found, ("time", "Time line", None)] if line else found


def _builds(report: Report) -> str:
    """The versions of Campaign in this run, the most frequent first."""
    counts = Counter(host.build for host in report.hosts if host.build)
    if len(counts) == 1:
        return next(iter(counts))
    listed = (f"{build} ({count} host{'' if count == 1 else 's'})"
              for build, count in counts.most_common(BUILDS_IN_FULL))
    others = len(counts) - BUILDS_IN_FULL
    return ", ".join([*listed, *([f"{others} more"] if others > 0 else [])]) or "version not known"


def _repair_tone(report: Report, entry: outline.Entry) -> str:
    """Of a repair: what did not help is red where a critical finding remains."""
    action = entry.item
    if not isinstance(action, Action) or action.result != "not_repaired":
        return {"muted": "none"}.get(entry.tone, entry.tone)
    critical = any(
        finding.severity is Severity.CRITICAL and finding.id in action.because
        for host in report.hosts if host.name in entry.hosts for finding in host.findings
    )
    return "critical" if critical else "warning"


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
        repair=repair, words=words, view=view, tree=tree, alike=alike, fixes=fixes,
        some=outline.some, ROOM=outline.ROOM_ALONE, TONES=TONES, CLASSES=CLASSES,
        KIND_WORDS=KIND_WORDS, BARS=BARS, MARKS=MARKS, SEVERITIES=SEVERITIES,
    )
    return environment


@cache
def _file(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _shown(value: object) -> object:
    """Text without what a browser should not get; a macro's output is unchanged."""
    untrusted = isinstance(value, str) and not hasattr(value, "__html__")
    return words.clean(value) if untrusted else value


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
        tone = "critical" if summary.critical or summary.down else "warning"
        return f"{count} repair{'' if count == 1 else 's'} did not help.", tone
    blind = summary.unreachable + summary.failed
    if summary.roots:
        roots = summary.roots
        ill = sum(1 for host in report.hosts
                  if any(finding.severity is not Severity.INFO for finding in host.findings))
        tone = "critical" if summary.critical or summary.down else "warning"
        where = f"{ill} of {hosts} hosts" if hosts > 1 else "this host"
        return f"{roots} root cause{'' if roots == 1 else 's'} on {where}.", tone
    if blind:
        return f"{blind} of {hosts} hosts could not be diagnosed.", "blind"
    if summary.healthy < hosts:
        return "No problem was found, but not everything could be checked.", "warning"
    return ("All hosts are healthy." if hosts > 1 else "The host is healthy."), "ok"
