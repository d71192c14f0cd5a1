# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What changed from one run to another, in lines."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from .formats import table
from .history import Run
from .model import Change, Changes, Finding, Report
from .shared import outline, view, words


def numbers(report: Report) -> str:
    """How it is, in one line."""
    return table.summary(report).plain


def causes(report: Report) -> list[str]:
    """Where there is nothing to compare with: every host without a diagnosis, and every cause."""
    told = [
        words.clean(f"{view.status_word(host)} {host.name}: {host.error}")
        for host in report.hosts if host.status != "diagnosed"
    ]
    found, _notes = outline.findings(report)
    return told + [_line(entry) for entry in found.entries]


def lines(changes: Changes) -> list[str]:
    """One for each change, hosts first; none where nothing has changed."""
    if not changes:
        return []
    return [_line(entry) for entry in outline.changes(changes).entries]


def _line(entry: outline.Entry) -> str:
    """Alone and without a colour: with its severity, and its hosts where the head counts them."""
    item = entry.item
    severity = item.severity.value.upper() if isinstance(item, (Finding, Change)) else ""
    marks = ": ".join(dict.fromkeys(filter(None, (entry.mark, severity))))
    hosts = f" ({outline.some(entry.hosts, outline.ROOM_ALONE)})" if len(entry.hosts) > 1 else ""
    return words.clean(f"{marks} {entry.head}{hosts}".lstrip())


def show(console: Console, old: Run, new: Run, changes: Changes) -> None:
    """The changes between two runs of the history."""
    console.print(
        Text(f"From run {old.number} ({old.finished}) to run {new.number} ({new.finished})",
             style="bold"),
        soft_wrap=True,
    )
    for part in table.entries(outline.changes(changes)):
        table.show(console, part)
    for score in changes.scores:
        console.print(Text(f"  score of {score.host}: {score.was} → {score.score}"),
                      soft_wrap=True)
