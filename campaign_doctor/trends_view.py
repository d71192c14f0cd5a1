# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Trends as two tables: findings, and how much of the time each module worked."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

from .shared import words
from .trends import STATES, Trend, Trends, availability, middle, of_modules

UNITS = ((86400, "d"), (3600, "h"), (60, "min"))
FINDINGS = ("times", "host", "finding", "now", "time to repair", "what helped", "what did not")
MODULES = ("module", "available", "healthy", "degraded", "down", "unknown")
RIGHT = {"times", *MODULES[1:]}


def show(console: Console, found: Trends) -> None:
    """Both, with a line on what they are made of."""
    runs = f"{found.runs} run{'' if found.runs == 1 else 's'}"
    head = f"{runs} from {words.moment(words.iso(found.since))} to {words.moment(words.iso(found.until))}"
    console.print(Text(head))
    console.print()
    if found.findings:
        console.print(_table(FINDINGS, [_finding(each) for each in found.findings]))
    else:
        console.print(Text("No warning and no critical finding."))
    modules = of_modules(found)
    if modules:
        console.print()
        console.print(_table(MODULES, [
            _module(words.label(*name), seconds) for name, seconds in sorted(modules.items())
        ]))


def _table(names: tuple[str, ...], rows: list[list[str]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for name in names:
        table.add_column(name, justify="right" if name in RIGHT else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(words.clean(cell)) for cell in row))
    return table


def _finding(trend: Trend) -> list[str]:
    lasted = middle(trend.seconds)
    took = "" if lasted is None else f"{'median ' if len(trend.seconds) > 1 else ''}{span(lasted)}"
    now = "open" if trend.since is not None else "gone"
    return [str(trend.times), trend.host, trend.id, now, took, _counted(trend.helped),
            _counted(trend.did_not_help)]


def _counted(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({count})" if count > 1 else name for name, count in numbers.items())


def _module(label: str, seconds: Mapping[str, float]) -> list[str]:
    part = availability(seconds)
    return [label, "unknown" if part is None else f"{part * 100:.2f} %",
            *(span(seconds[state]) for state in STATES)]


def span(seconds: float) -> str:
    """A time in its largest unit."""
    for size, unit in UNITS:
        if seconds >= size:
            return f"{seconds / size:.1f}".removesuffix(".0") + f" {unit}"
    return f"{seconds:.0f} s"
