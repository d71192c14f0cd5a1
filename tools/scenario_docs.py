#!/usr/bin/env python3
# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Writes the table of docs/developer/molecule.md from the scenarios.

What a scenario is, is said by its tests' docstring; its hosts by hosts.yml; what it proves by the
names of its tests.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator

import yaml
from common import CHECKOUT
from common.writer import Writer

SCENARIOS = CHECKOUT / "molecule"
FILE = CHECKOUT / "docs" / "developer" / "molecule.md"
BEGIN = "<!-- What follows is written by tools/scenario_docs.py. -->"
END = "<!-- Here it ends. -->"
COLUMNS = ("Scenario", "What it is", "Hosts", "What it proves")


def scenarios() -> list[str]:
    """Their names, default first."""
    names = (path.parent.name for path in SCENARIOS.glob("*/molecule.yml"))
    return sorted(names, key=lambda name: (name != "default", name))


def table() -> str:
    """The lines between the marks."""
    rows = [COLUMNS, ("---",) * len(COLUMNS), *map(_cells, scenarios())]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _cells(scenario: str) -> tuple[str, ...]:
    hosts = yaml.safe_load((SCENARIOS / scenario / "hosts.yml").read_text())
    trees = [ast.parse(path.read_text())
             for path in sorted((SCENARIOS / scenario).glob("test_*.py"))]
    about = " ".join((ast.get_docstring(tree) or "").split("\n\n")[0] for tree in trees)
    proofs = "; ".join(name for tree in trees for name in _proofs(tree))
    return f"`{scenario}`", " ".join(about.split()), ", ".join(hosts), proofs


def _proofs(tree: ast.Module) -> Iterator[str]:
    """A test's name is a sentence."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node.name.removeprefix("test_").replace("_", " ")


def page(written: str) -> str:
    """The document with the table as it should be."""
    before, _, rest = written.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


WRITER = Writer(__doc__, lambda: {FILE: page(FILE.read_text(encoding="utf-8"))})

if __name__ == "__main__":
    sys.exit(WRITER.main())
