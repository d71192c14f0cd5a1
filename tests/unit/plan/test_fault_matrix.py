"""The table of the fault matrix agrees with the catalogue and the ladder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.catalogue import (
    BY_KEY,
)

CHECKOUT = Path(__file__).resolve().parents[3]
TABLE: dict[str, dict[str, Any]] = yaml.safe_load(
    (CHECKOUT / "tests" / "integration" / "faults.yml").read_text(encoding="utf-8")
)["faults"]
OUTCOMES = {"repaired", "unproved", "not_repaired", "refused", "person", "nothing"}


@pytest.mark.parametrize("name", TABLE)
def test_an_entry_agrees_with_the_catalogue(name: str) -> None:
    entry = TABLE[name]
    problems = [BY_KEY[root.partition("@")[0]] for root in entry["roots"]]
    planned = [step.split()[0] for step in entry.get("plan", [])]
    assert entry["outcome"] in OUTCOMES
    assert (entry["outcome"] in ("person", "nothing")) != bool(planned)
    assert (entry["outcome"] == "nothing") == (not problems)
    assert ("person" in entry) == (entry["outcome"] not in ("repaired", "unproved", "nothing"))
    assert set(planned) <= {problem.remedy for problem in problems}


@pytest.mark.parametrize("name", [name for name in TABLE if "same_as" in TABLE[name]])
def test_the_other_entry_has_the_same_remedy_and_runs_it(name: str) -> None:
    entry, other = TABLE[name], TABLE[TABLE[name]["same_as"]]
    assert "same_as" not in other
    assert entry["outcome"] == other["outcome"]
    remedies = [[step.split()[0] for step in row["plan"]] for row in (entry, other)]
    assert remedies[0] == remedies[1]
