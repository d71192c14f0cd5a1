# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Writing the report's files: atomically, and readable only by the owner."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from . import html, junit
from .model import Report

NAMES = {"json": "report.json", "html": "report.html", "junit": "junit.xml"}


def render(report: Report, form: str) -> str:
    """The report in one of the forms that are files."""
    if form == "html":
        return html.render(report)
    if form == "junit":
        return junit.render(report)
    return json.dumps(report.as_dict(), indent=1, ensure_ascii=False, default=str) + "\n"


def write(report: Report, directory: Path, forms: list[str]) -> list[Path]:
    """Write the files; raises OSError when the directory or a file cannot be written."""
    texts = {NAMES[form]: render(report, form) for form in forms}
    if not directory.is_dir():
        directory.mkdir(mode=0o700, parents=True)
    return [_replace(directory / name, text) for name, text in texts.items()]


def _replace(path: Path, text: str) -> Path:
    # mkstemp gives 0600. A lone surrogate becomes \udcXX, in JSON the very same text.
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return path
