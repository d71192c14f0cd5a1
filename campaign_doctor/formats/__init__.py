# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The report in the formats that other programs read, each in a file of its own.

html and junit are not among them: the collection renders those (playbooks/show_report.yml).
"""

from __future__ import annotations

import json
from collections.abc import Callable

from ..model import Report
from ..shared import openmetrics
from . import nagios, sarif


def as_json(report: Report) -> str:
    """The report itself."""
    text = json.dumps(report.as_json(), indent=1, ensure_ascii=False)
    # A lone surrogate, from a log's broken text, becomes \\udcXX: in JSON the very same text.
    return text.encode("utf-8", "backslashreplace").decode("utf-8") + "\n"


RENDERERS: dict[str, Callable[[Report], str]] = {
    "json": as_json,
    "nagios": nagios.render,
    "openmetrics": openmetrics.render,
    "sarif": sarif.render,
}
# How the files are called; those that the collection writes, and the table, among them.
FILES = {
    "json": "report.json", "html": "report.html", "junit": "junit.xml", "table": "report.txt",
    "sarif": "report.sarif", "openmetrics": openmetrics.FILE, "nagios": "nagios.txt",
}
