#!/usr/bin/env python3
# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Writes docs/user/errors.md from the knowledge of errors.ini."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from common import CHECKOUT
from common.writer import Writer

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis import (
    sources,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.knowledge import (
    MEANINGS,
    Alternative,
    Kind,
    Meaning,
)

FILE = CHECKOUT / "docs" / "user" / "errors.md"
HEADING = """\
# Error codes and log lines

What the lines of Campaign's logs mean, whether a restart of the module helps, who acts, and what to
do. `campaign-doctor explain` says the same of a code (`campaign-doctor explain XSV-350012`) or of
the words of a line. Written by `tools/errors_docs.py` from
`plugins/plugin_utils/_campaign/diagnosis/errors.ini`.

* A code on a line of level info reports what is done: it is not an error.
* A line that only wraps another error says that something failed; the next code says why.
* Lines that one process logged at once are one event, and one finding.
* Lines within minutes after a daily restart (`processRestartTime`), here or on the server called,
  are caused by that restart where the table says so. They are reported as that, not as a fault.
* So are lines from before a repair that are not repeated since.
"""


def page() -> str:
    """The whole document."""
    return "\n".join([HEADING, *_contents(), *(text for row in MEANINGS for text in _entry(row))])


def _contents() -> Iterator[str]:
    yield "| code or words | meaning | a restart |\n|---|---|---|"
    for row in MEANINGS:
        note = {Kind.NOTE: " (no error)", Kind.WRAPPER: " (wraps another error)"}.get(row.kind, "")
        name = f"[{row.code}](#{_anchor(row.code)})"
        yield f"| {name} | {_cell(row.text)}{note} | {row.restart.words} |"
    yield ""


def _anchor(heading: str) -> str:
    return "".join(c for c in heading.lower() if c.isalnum() or c in "-_")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _entry(row: Meaning) -> Iterator[str]:
    yield f"## {row.code}\n"
    yield f"{_cell(row.text[0].upper() + row.text[1:])}.\n"
    yield f"* **Lines with** {'; or '.join(_line(each) for each in row.alternatives)}"
    yield f"* **Logged by** {', '.join(row.modules)}"
    yield f"* **A restart** {row.restart.words}"
    yield f"* **Who acts** {row.who}"
    yield f"* **What to do** {_cell(row.action)}"
    if row.harmless:
        yield f"* **No error** {_cell(row.harmless)}"
    if row.within:
        yield f"* Beside [{row.within}](#{_anchor(row.within)}) it tells of the same event."
    if row.problem:
        yield f"* **Finding** `{row.problem}`"
    yield f"* **Source** {', '.join(sources.shown(source) for source in row.sources)}\n"


def _line(each: Alternative) -> str:
    parts = [*sorted(each.codes), *each.words, *(f"/{p.pattern}/" for p in each.patterns)]
    return " and ".join(f"`{part}`" for part in parts)


WRITER = Writer(__doc__, lambda: {FILE: page()})

if __name__ == "__main__":
    sys.exit(WRITER.main())
