# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The timeline: a row for each host, its diagnosis and its repairs as bars."""

from __future__ import annotations

from typing import NamedTuple

from .model import Report
from .shared import repair, words

HOSTS_IN_FULL = 30


class Bar(NamedTuple):
    """A piece of a row, in percent of its width."""

    left: float
    width: float
    tone: str
    text: str


class Row(NamedTuple):
    """A host with its bars."""

    host: str
    bars: list[Bar]


class TimeLine(NamedTuple):
    """The rows; `start` and `end` as text, `seconds` between them."""

    rows: list[Row]
    left_out: int
    start: str
    end: str
    seconds: float


_Span = tuple[float, float, str, str]


def of(report: Report) -> TimeLine | None:
    """The time line of a run; None where nothing is known of when anything was done."""
    if report.mode == "replay":
        return None  # its snapshots are of other times
    spans: dict[str, list[_Span]] = {}
    repaired: dict[str, float] = {}
    for host in report.hosts:
        name = host.name
        # By the controller's clock, as far as that is known: the others' may be wrong.
        began = host.started_at or host.taken_at
        if began and host.seconds is not None:
            took = host.seconds
            spans.setdefault(name, []).append(
                (began, began + took, "diagnosis", f"diagnosis, {took:.1f} s")
            )
        for action in host.actions:
            begin, end = repair.span(action)
            if begin is not None and end is not None:
                label = words.label(action.module, action.instance)
                text = f"{label}: {repair.title(action)}, {repair.word(action)}"
                text += f", {end - begin:.0f} s with its proof"
                spans.setdefault(name, []).append((begin, end, action.result, text))
                repaired[name] = end
    if not spans:
        return None
    start = min(span[0] for each in spans.values() for span in each)
    end = max(span[1] for each in spans.values() for span in each)
    whole = max(end - start, 0.001)
    # Hosts that were repaired first, then those that took longest.
    names = sorted(
        spans,
        key=lambda name: (name not in repaired, -max(span[1] - span[0] for span in spans[name])),
    )
    rows = [
        Row(name, [
            Bar(
                round(100 * (span[0] - start) / whole, 2),
                round(max(0.6, 100 * (span[1] - span[0]) / whole), 2), span[2], span[3],
            )
            for span in sorted(spans[name])
        ])
        for name in names[:HOSTS_IN_FULL]
    ]
    return TimeLine(
        rows, len(names) - len(rows), words.iso(start), words.iso(end), round(whole, 1)
    )
