"""The score of a host and its grade, and what the documentation says of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report import score

PAGE = Path(__file__).resolve().parents[3] / "docs" / "user" / "report.md"

Json = dict[str, Any]


@pytest.mark.parametrize(
    ("findings", "points", "grade"),
    [
        ([], 100, "A"),
        (["info", "info"], 100, "A"),
        (["warning"], 90, "B"),
        (["warning", "warning", "warning"], 70, "C"),
        (["critical"], 60, "D"),
        (["critical", "explained warning", "explained critical"], 45, "D"),
        (["critical", "critical"], 20, "F"),
        (["critical", "critical", "critical"], 0, "F"),
    ],
)
def test_findings_cost_points(
    findings: list[str], points: int, grade: str, make_finding: Any, make_diagnosis: Any,
    make_report: Any,
) -> None:
    made = []
    for number, words in enumerate(findings):
        causes = ["mta.f0@prod"] if "explained" in words else []
        made.append(
            make_finding(f"mta.f{number}", severity=words.split()[-1], caused_by_ids=causes)
        )
    (host,) = make_report([make_diagnosis("app1", findings=made)])["hosts"]
    assert (host["score"], host["grade"]) == (points, grade)


def test_what_nobody_knows_costs_points(make_diagnosis: Any, make_report: Any) -> None:
    modules = make_diagnosis("app1")["modules"]
    modules[0]["verdict"] = "unknown"
    (host,) = make_report([make_diagnosis("app1", modules=modules)])["hosts"]
    assert (host["score"], host["grade"]) == (90, "B")


def test_a_host_is_healthy_only_if_all_was_seen(make_diagnosis: Any, make_report: Any) -> None:
    failed = {"probe": "storage", "kind": "timeout", "message": "no answer"}
    skipped = {"probe": "api", "kind": "skipped", "message": "no credentials"}
    (host,) = make_report([make_diagnosis("app1", unseen=[failed, skipped])])["hosts"]
    assert (host["verdict"], host["score"], host["grade"]) == ("unknown", 90, "B")
    (host,) = make_report([make_diagnosis("app1", unseen=[skipped])])["hosts"]
    assert (host["verdict"], host["score"]) == ("healthy", 100)


def test_no_diagnosis_no_score(report: Json) -> None:
    without = [host for host in report["hosts"] if host["status"] != "diagnosed"]
    assert len(without) == 3
    assert {(host["score"], host["grade"]) for host in without} == {(None, None)}


def test_documented() -> None:
    text = PAGE.read_text(encoding="utf-8").partition("## Score and grade\n")[2]
    text = text.partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| (\d+) \|$", text, re.MULTILINE)
    assert {name: (int(root), int(more)) for name, root, more in rows} == score.COSTS
    assert f"{score.PERFECT} points" in text
    assert f"`unknown`: {score.COST_OF_UNKNOWN}." in text
    flat = " ".join(text.split())
    words = [f"`{letter}` from {least}" for letter, least in score.GRADES if least]
    assert f"{words[0]} points, {', '.join(words[1:])}, and `F` below" in flat
