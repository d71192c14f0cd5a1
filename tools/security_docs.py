#!/usr/bin/env python3
# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Writes the table of attacks into docs/developer/security.md, from the rows of tests/hostile."""

from __future__ import annotations

import sys
from itertools import groupby

from common import CHECKOUT
from common.writer import Writer

from hostile.attacks import SECTIONS
from hostile.table import ATTACKS, Attack

FILE = CHECKOUT / "docs" / "developer" / "security.md"
BEGIN, END = "<!-- attacks: written by tools/security_docs.py -->\n", "<!-- end of attacks -->\n"


def table() -> str:
    """All rows, a table for each section."""
    parts = [f"{len(ATTACKS)} rows in {len(SECTIONS)} files.\n"]
    for section, rows in groupby(ATTACKS, lambda attack: attack.section):
        parts.append(
            f"\n### {section}\n\n| The account | Root's run | What holds besides |\n|---|---|---|\n"
        )
        parts.extend(_row(attack) for attack in rows)
    return "".join(parts)


def _row(attack: Attack) -> str:
    cells = (_sentence(attack.does), attack.run.name, _sentence(attack.holds))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def page(text: str) -> str:
    """The page with the table of today in it."""
    before, begin, rest = text.partition(BEGIN)
    _old, end, after = rest.partition(END)
    assert begin and end, f"{FILE} has no place for the table"
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


WRITER = Writer(__doc__, lambda: {FILE: page(FILE.read_text(encoding="utf-8"))})

if __name__ == "__main__":
    sys.exit(WRITER.main())
