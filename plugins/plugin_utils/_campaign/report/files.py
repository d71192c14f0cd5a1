# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Writing the report's files: atomically, and readable only by the owner, but for the metrics."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from . import html, junit
from .model import Report
from .shared import openmetrics

NAMES = {
    "json": "report.json", "html": "report.html", "junit": "junit.xml", "openmetrics": openmetrics.FILE,
}
MEMORY_BYTES = 16 * 1024 * 1024  # of a former campaign.prom


def render(report: Report, form: str) -> str:
    """The report in one of the forms that are files."""
    if form == "html":
        return html.render(report)
    if form == "junit":
        return junit.render(report)
    return json.dumps(report.as_dict(), indent=1, ensure_ascii=False, default=str) + "\n"


def write(report: Report, directory: Path, forms: list[str], again: bool = False) -> list[Path]:
    """Write the files; raises OSError when the directory or a file cannot be written.

    `again`: it is a saved report, whose repairs have been counted already.
    """
    texts = {form: _metrics(report, directory, again) if form == "openmetrics" else render(report, form)
             for form in forms}
    if not directory.is_dir():
        directory.mkdir(mode=0o700, parents=True)
    return [
        write_whole(directory / NAMES[form], text, openmetrics.MODE if form == "openmetrics" else 0o600)
        for form, text in texts.items()
    ]


def _metrics(report: Report, directory: Path, again: bool) -> str:
    """The metrics. Their counters go on where the file of the run before them ended."""
    try:
        with (directory / openmetrics.FILE).open(encoding="utf-8", errors="replace") as file:
            former = openmetrics.remembered(file.read(MEMORY_BYTES))
    except FileNotFoundError:
        former = openmetrics.NOTHING
    return openmetrics.render(report, former if again else openmetrics.carried(former, report))


def write_whole(path: Path, text: str, mode: int = 0o600) -> Path:
    """Replace a file as a whole: a reader never sees half of it. Raises OSError."""
    # mkstemp gives 0600. A lone surrogate becomes \udcXX, in JSON the very same text.
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            os.fchmod(file.fileno(), mode)  # whatever the umask
            file.write(text)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return path
