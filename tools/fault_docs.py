#!/usr/bin/env python3
# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Writes docs/developer/faults.md from the table of the tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from common import CHECKOUT
from common.writer import Writer

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning import ladder
from campaign_lab import faults

FILE = CHECKOUT / "docs" / "developer" / "faults.md"
TABLE = CHECKOUT / "tests" / "integration" / "faults.yml"
HEADING = """\
# The fault matrix

What the lab can break, what the diagnosis finds, and what `playbooks/remediate.yml` then does.
`tools/fault_docs.py` writes this page from `tests/integration/faults.yml`; the tests run every line
of it. Each fault has its own server with two instances. A fleet of eleven or twelve such servers and
a healthy one goes through the same runs of the playbooks:

* The diagnosis must name the root cause and nothing false beside it.
* Check mode must change nothing and announce what a run then does.
* Afterwards the finding must be gone, and every other module must have the same process and the same
  configuration as before.
* A second run must change nothing.
* Nothing may be found on the healthy server or done to it.

`make nightly` assigns the faults to the fleets differently each day.

**Found** lists the root causes; the report shows their effects below them. **Done** is the plan. The
remedy in brackets is tried only if the one before it was proved not to help. *Without success* marks
remedies that are documented for the finding but cannot help here, because the lab leaves the cause in
place: the run says so, and an operator must act. `(declared)` means that the site must permit the
remedy first.
"""
COLUMNS = ("Fault", "What is broken", "Found", "Done", "Left to an operator")
NOTHING = {"nothing": "Not visible from outside, or not part of Campaign"}


def page() -> str:
    """The whole document."""
    table: dict[str, dict[str, Any]] = yaml.safe_load(TABLE.read_text(encoding="utf-8"))["faults"]
    rows = [_line(COLUMNS), _line(["---"] * len(COLUMNS))]
    rows += [_line(_cells(name, entry)) for name, entry in table.items()]
    outcomes = [entry["outcome"] for entry in table.values()]
    counted = (
        f"{len(outcomes)} faults: {outcomes.count('repaired')} are repaired,"
        f" {outcomes.count('unproved')} is repaired without a proof, {outcomes.count('not_repaired')}"
        f" are treated without success, {outcomes.count('refused')} are refused until the site permits"
        f" the remedy, {outcomes.count('person')} are left to an operator, and"
        f" {outcomes.count('nothing')} cannot be seen."
    )
    return "\n".join([HEADING, counted, "", *rows, ""])


def _cells(name: str, entry: Mapping[str, Any]) -> Iterator[str]:
    fault = entry.get("fault", name)
    yield f"`{fault}`"
    yield faults.FAULTS[fault.partition(":")[0]].summary.rstrip(".")
    yield ", ".join(f"`{root}`" for root in entry["roots"]) or "–"
    yield "; ".join(_steps(entry)) or "–"
    if entry["outcome"] == "not_repaired":
        yield f"Without success: {entry['person']}"
    elif entry["outcome"] == "unproved":
        yield f"Not proved {entry['note']}"
    elif entry["outcome"] == "refused":
        yield f"Refused without `{entry['person']}`"
    else:
        yield entry.get("person", entry.get("note", NOTHING.get(entry["outcome"], "")))


def _steps(entry: Mapping[str, Any]) -> Iterator[str]:
    for step in entry.get("plan", ()):
        remedy, target = step.split()[:2]
        keys = [root.partition("@")[0] for root in entry["roots"]]
        after = ladder.rungs(keys[0], remedy)[1:]
        declared = " (declared)" if entry.get("variables") else ""
        further = f" ({', '.join(f'`{rung}`' for rung in after)})" if after else ""
        yield f"`{remedy}` {target.removesuffix('@default')}{declared}{further}"


def _line(cells: Any) -> str:
    return "| " + " | ".join(cells) + " |"


WRITER = Writer(__doc__, lambda: {FILE: page()})

if __name__ == "__main__":
    sys.exit(WRITER.main())
