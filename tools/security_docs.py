#!/usr/bin/env python3
# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Writes the table of attacks into docs/developer/security.md, from the rows of tests/hostile.

usage: tools/security_docs.py [--check]

With --check nothing is written, and the exit code is 1 if the page is not up to date.
"""

from __future__ import annotations

import sys
from itertools import groupby
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(CHECKOUT / name) for name in ("playbooks/collections", "lab", "tests")]

from hostile.attacks import SECTIONS  # noqa: E402
from hostile.table import ATTACKS, Attack  # noqa: E402

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


def main(arguments: list[str]) -> int:
    """Write or compare."""
    text = FILE.read_text(encoding="utf-8")
    new = page(text)
    if arguments == ["--check"]:
        if new != text:
            print(f"{FILE.relative_to(CHECKOUT)} is not up to date: run tools/security_docs.py")
        return int(new != text)
    FILE.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
