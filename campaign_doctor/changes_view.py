# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What changed from one run to another, in lines."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from . import outline
from .formats import table
from .history import Run
from .model import Changes, Report, Severity

KINDS = ("new", "worse", "better", "gone", "unseen")
WORDS = {"unseen": "not checked"}


def numbers(report: Report) -> str:
    """How it is, in one line."""
    return table.summary(report).plain


def causes(report: Report) -> list[str]:
    """Where there is nothing to compare with: every host without a diagnosis, and every cause."""
    told = [
        f"{host.status.replace('_', ' ')}: {host.name}: {host.error}"
        for host in report.hosts if host.status != "diagnosed"
    ]
    for root in report.roots:
        finding = report.finding(root)
        if finding.severity is not Severity.INFO:
            told.append(
                f"{finding.severity.value.upper()} {root.host} {finding.headline}"
            )
    return told


def lines(changes: Changes) -> list[str]:
    """One for each change, hosts first."""
    hosts = changes.hosts
    told = [
        f"{word}: {', '.join(names)}"
        for word, names in (
            ("no diagnosis any more", hosts.lost), ("diagnosed again", hosts.back),
            ("new host", hosts.appeared), ("gone host", hosts.vanished),
        )
        if names
    ]
    for kind in KINDS:
        for entry in getattr(changes, kind):
            was = f" (was {entry.was.severity.value})" if entry.was else ""
            told.append(
                f"{WORDS.get(kind, kind)}: {entry.severity.value.upper()} {entry.host} "
                f"{entry.headline}{was}"
            )
    return told


def show(console: Console, old: Run, new: Run, changes: Changes) -> None:
    """The changes between two runs of the history."""
    console.print(
        Text(f"From run {old.number} ({old.finished}) to run {new.number} ({new.finished})",
             style="bold"),
        soft_wrap=True,
    )
    for part in table.entries(outline.changes(changes.model_dump(mode="json"))):
        table.show(console, part)
    for score in changes.scores:
        console.print(Text(f"  score of {score.host}: {score.was} → {score.score}"),
                      soft_wrap=True)
