# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The history as a table."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from rich.table import Table
from rich.text import Text

from .history import Run
from .shared import words

RIGHT = ("run", "hosts", "critical", "warnings", "code")
WHOLE = (*RIGHT, "finished", "who")


def listed(runs: Iterable[Run]) -> Table:
    """A row for each run."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("run", "finished", "kind", "who", "hosts", "critical", "warnings", "code", "of"):
        # What there is no room for is broken, never cut.
        table.add_column(name, justify="right" if name in RIGHT else "left", overflow="fold",
                         no_wrap=name in WHOLE)
    for run in runs:
        counts = [str(run.summary.get(name, "")) for name in ("hosts", "critical", "warning")]
        begin = [str(run.number), _moment(run.finished), run.kind, run.who]
        cells = [*begin, *counts, str(run.exit_code), _of(run)]
        table.add_row(*(Text(words.clean(cell)) for cell in cells))
    return table


def _moment(text: str) -> str:
    """When it was, here: to the minute, which is enough to find it."""
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone()
    except ValueError:
        return text
    return moment.strftime("%Y-%m-%d %H:%M %Z").strip()


def _of(run: Run) -> str:
    """The inventory, and the hosts and modules of it if they were not all."""
    names = " ".join(_short(name) for name in run.inventory.split(" ")) or "Ansible's own"
    limited = f" --limit {run.limit}" if run.limit else ""
    return f"{names}{limited}{' (some modules)' if run.scope else ''}"


def _short(name: str) -> str:
    """A path as a person would write it here."""
    for folder, written in ((Path.cwd(), ""), (Path.home(), "~/")):
        if name.startswith(f"{folder}/"):
            return written + name.removeprefix(f"{folder}/")
    return name
