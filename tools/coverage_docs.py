#!/usr/bin/env python3
# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Writes docs/developer/coverage.md: which entry of the catalogue finds what the vendor documents.

From tools/symptoms.yml and the table of log lines. It fails where something is neither found nor
explained.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from common import CHECKOUT
from common.writer import Writer

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import MODULES
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.catalogue import (
    BY_KEY,
    CATALOGUE,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.knowledge import (
    MEANINGS,
    Kind,
    Meaning,
    Restart,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.snapshot.history import (
    CHILD_LOGS,
)

FILE = CHECKOUT / "docs" / "developer" / "coverage.md"
SYMPTOMS = CHECKOUT / "tools" / "symptoms.yml"
HEADING = """\
# What is found of what the vendor documents

Written by `tools/coverage_docs.py` from `tools/symptoms.yml` and
`plugins/plugin_utils/_campaign/diagnosis/errors.ini`. Each symptom and each log line has the key
that finds it, or the reason why nothing does; a test fails on one that has neither. `MODULE` stands
for any module.
"""
PARENTS = {child: module for module, children in CHILD_LOGS.items() for child in children}
CONSOLE = "client console"


@dataclass(frozen=True)
class Row:
    """A symptom or a log line, and what becomes of it."""

    module: str
    what: str
    found: tuple[str, ...]
    awaited: tuple[str, ...] = ()
    why_not: str = ""

    @property
    def unknown(self) -> list[str]:
        """Keys that the catalogue does not have."""
        return [key for key in self.found if not known(key)]

    @property
    def open(self) -> bool:
        """Whether neither a key nor a reason is there."""
        return not self.found and not self.why_not

    @property
    def cells(self) -> str:
        """The row of the page's table."""
        parts = [", ".join(f"`{key}`" for key in self.found)]
        parts += [f"not yet: {', '.join(f'`{key}`' for key in self.awaited)}"] * bool(self.awaited)
        parts.append(self.why_not)
        return f"| {self.module} | {self.what} | {'; '.join(filter(None, parts))} |"


def known(key: str) -> bool:
    """Whether the catalogue has a key; of MODULE, in some module."""
    module, _, name = key.partition(".")
    if module == "MODULE":
        return any(problem.name == name for problem in CATALOGUE)
    return key in BY_KEY


def symptoms() -> list[Row]:
    """The documented symptoms."""
    entries: list[dict[str, Any]] = yaml.safe_load(SYMPTOMS.read_text(encoding="utf-8"))["symptoms"]
    return [
        Row(
            entry["module"], f"{entry['symptom']} → {entry['fix']}",
            tuple(entry.get("found", ())), tuple(entry.get("awaited", ())),
            " ".join(entry.get("why_not", "").split()),
        )
        for entry in entries
    ]


def log_lines() -> list[Row]:
    """The table of log lines."""
    return [
        Row(", ".join(row.modules), f"`{row.code}` {row.text}", *_fate(row)) for row in MEANINGS
    ]


def _fate(row: Meaning) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    """(keys, none awaited, reason) of a section of the table."""
    if row.problem:
        return (row.problem,), (), ""
    if row.kind is Kind.NOTE:
        return (), (), f"no error: {row.harmless}"
    if row.modules == (CONSOLE,):
        return (), (), "only on the computer of a user: no log of a server has it"
    name = {
        Restart.HELPS: "errors_restart_helps", Restart.UNKNOWN: "errors_many",
    }.get(row.restart, "errors_restart_useless")
    modules = dict.fromkeys(PARENTS.get(module, module) for module in row.modules)
    keys = [
        "host.other_module_errors" if module not in MODULES else f"{module}.{name}"
        for module in modules if module not in ("any", CONSOLE)
    ]
    return tuple(keys or [f"MODULE.{name}"]), (), ""


def page() -> str:
    """The whole document."""
    return "\n".join([HEADING, *_table("Symptoms", symptoms()), *_table("Log lines", log_lines())])


def _table(title: str, rows: list[Row]) -> Iterator[str]:
    found = sum(bool(row.found) for row in rows)
    awaited = sum(bool(row.awaited) and not row.found for row in rows)
    yield f"## {title}\n"
    yield (
        f"{len(rows)}: {found} are found, {len(rows) - found - awaited} are not and say why"
        + (f", {awaited} are not found yet" if awaited else "") + ".\n"
    )
    yield "| module | what | found by |\n|---|---|---|"
    yield from (row.cells for row in rows)
    yield ""


def gaps() -> list[str]:
    """Rows without a key or a reason, and keys that the catalogue does not have, or has by now."""
    wrong = []
    for row in (*symptoms(), *log_lines()):
        wrong += [f"{row.what}: there is no {key}" for key in row.unknown]
        wrong += [
            f"{row.what}: {key} is there: move it to found" for key in row.awaited if known(key)
        ]
        if row.open and not row.awaited:
            wrong.append(f"{row.what}: neither a key nor a reason")
    return wrong


WRITER = Writer(__doc__, lambda: {FILE: page()}, gaps)

if __name__ == "__main__":
    sys.exit(WRITER.main())
