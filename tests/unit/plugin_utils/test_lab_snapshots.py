"""Every fault of the lab, from a snapshot that was taken of it (tools/snapshots.py).

tests/integration/faults.yml says what must be found in each; the integration tests compare the
same with a running lab.
"""

from __future__ import annotations

import copy
import json
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.diagnose import (
    diagnose,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.snapshot.thresholds import (
    Thresholds,
)

FOR_INFORMATION = ("*.errors_few@*", "*.errors_before_repair@*", "*.daily_restart_errors@*")
FOLDER = Path(__file__).with_name("snapshots")
TABLE: dict[str, dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parents[2] / "integration" / "faults.yml").read_text(encoding="utf-8")
)["faults"]
MOST_BYTES = 12_000  # more is nothing that a person reads

Json = dict[str, Any]


def load(name: str) -> Json:
    kept: Json = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return kept


def judge(kept: Json) -> list[Json]:
    diagnosis = diagnose(
        kept["snapshot"], "app1", thresholds=Thresholds.of(kept["thresholds"])
    )
    found: list[Json] = diagnosis.as_dict()["findings"]
    return found


def test_a_healthy_server_has_no_finding() -> None:
    kept = load("healthy")
    assert set(kept["snapshot"]["probes"]) >= {"pdump", "processes", "logs", "http", "jobs"}
    assert judge(kept) == []


def test_every_fault_has_its_snapshot() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == {"healthy", *TABLE}


@pytest.mark.parametrize("name", TABLE)
def test_the_roots_and_what_they_explain(name: str) -> None:
    expected = TABLE[name]
    kept = load(name)
    untouched = copy.deepcopy(kept)
    roots, explained = set(), set()
    for finding in judge(kept):
        place = finding["id"].partition("#")[0]
        if any(fnmatch(place, pattern) for pattern in FOR_INFORMATION):
            continue
        if not finding["caused_by"]:
            roots.add(place)
        elif not any(fnmatch(place, pattern) for pattern in expected.get("maybe", [])):
            explained.add(place)
    assert roots == set(expected["roots"])
    assert explained == set(expected.get("explained", []))
    assert kept == untouched


@pytest.mark.parametrize("name", TABLE)
def test_it_is_small_and_holds_no_password(name: str) -> None:
    text = (FOLDER / f"{name}.json").read_text(encoding="utf-8")
    assert len(text) < MOST_BYTES
    assert "neolane-secret" not in text
