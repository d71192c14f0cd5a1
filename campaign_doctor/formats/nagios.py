# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""One line for Nagios, Icinga and their kin: a state, the gravest cause, and performance data."""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum

from ..model import Report, Severity

TEXT_LENGTH = 200  # what a console of such a system shows in one row


class State(IntEnum):
    """The state, and what a check returns for it."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


def state(report: Report) -> State:
    """Critical: something does not work. Unknown: something could not be seen."""
    summary = report.summary
    if summary.critical or summary.down or summary.not_repaired:
        return State.CRITICAL
    blind = summary.unreachable + summary.failed + summary.not_installed + summary.unknown
    if blind or not report.hosts:
        return State.UNKNOWN
    doubtful = summary.warning or summary.degraded or summary.unproved or summary.refused
    return State.WARNING if doubtful else State.OK


def render(report: Report) -> str:
    """The line."""
    text = _plain("; ".join(_words(report)))
    if len(text) > TEXT_LENGTH:
        text = f"{text[: TEXT_LENGTH - 3].rstrip()}..."
    data = " ".join(f"{name}={value}" for name, value in _data(report))
    return f"CAMPAIGN {state(report).name} - {text} | {data}\n"


def _words(report: Report) -> Iterator[str]:
    summary = report.summary
    kinds = {
        "down": summary.down, "degraded": summary.degraded, "unknown": summary.unknown,
        "unreachable": summary.unreachable, "not diagnosed": summary.failed,
        "without Campaign": summary.not_installed, "healthy": summary.healthy,
    }
    told = ", ".join(f"{count} {kind}" for kind, count in kinds.items() if count)
    noun = "host" if summary.hosts == 1 else "hosts"
    yield f"{summary.hosts} {noun}: {told}" if told else "no host was diagnosed"
    if summary.not_repaired:
        yield f"{summary.not_repaired} not repaired"
    roots = [
        (root, finding) for root in report.roots
        for finding in [report.finding(root)] if finding.severity is not Severity.INFO
    ]
    for root, finding in roots[:3]:
        yield f"{root.host} {finding.headline}"
    if len(roots) > 3:
        yield f"{len(roots) - 3} more causes"


def _data(report: Report) -> Iterator[tuple[str, str]]:
    """Labels need no quotes; critical findings and warnings bring their thresholds."""
    summary = report.summary
    hosts = summary.hosts
    for name in ("healthy", "degraded", "down", "unknown", "unreachable", "failed",
                 "not_installed"):
        yield name, f"{getattr(summary, name)};;;0;{hosts}"
    yield "critical", f"{summary.critical};;0;0"
    yield "warning", f"{summary.warning};0;;0"
    scores = [host.score for host in report.hosts if host.score is not None]
    if scores:
        yield "worst_score", f"{min(scores)};;;0;100"
    for name in ("repaired", "done", "unproved", "not_repaired", "refused"):
        yield name, f"{getattr(summary, name)};;;0"


def _plain(text: str) -> str:
    """On one line, and without the sign that begins the performance data."""
    kept = ("/" if letter == "|" else letter if letter.isprintable() else " " for letter in text)
    return " ".join("".join(kept).split())
