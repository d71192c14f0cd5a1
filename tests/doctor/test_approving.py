"""approve: a second person agrees to a saved plan."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from unit.plan.builder import ILL, make, server

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning.saved import (
    InvalidPlan,
    parse,
)
from campaign_doctor import approving, cli

Json = dict[str, Any]


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    """A plan of anna with two steps."""
    made = make(server(*ILL)) | {"made_by": "anna", "expires_at": "2099-01-01T00:00:00Z"}
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(made))
    return path


def approve(path: Path, monkeypatch: pytest.MonkeyPatch, *words: str, who: str = "paul") -> int:
    monkeypatch.setattr(approving, "who", lambda: who)
    monkeypatch.setattr("sys.argv", ["campaign-doctor", "approve", str(path), *words])
    monkeypatch.setenv("COLUMNS", "200")
    return cli.call()


def test_the_plan_is_shown_and_the_approval_is_in_its_file(
    plan: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert approve(plan, monkeypatch, "--yes") == 0
    said = capsys.readouterr().err
    assert "made by anna" in said
    assert "app1: 1. Start mta@prod, for mta.not_running@prod" in said
    assert "$ what an operator types for mta.not_running@prod" in said
    assert "Approved by paul, until 2099-01-01T00:00:00Z" in said
    approved = json.loads(plan.read_text())
    read = parse(approved).approval  # with the collection's own hash
    assert read
    assert read.by == "paul"
    assert stat.S_IMODE(plan.stat().st_mode) == 0o600
    approved["hosts"][0]["steps"].pop()
    with pytest.raises(InvalidPlan, match="changed after paul approved it"):
        parse(approved)


def test_who_made_it_is_warned(
    plan: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert approve(plan, monkeypatch, "--yes", who="anna") == 0
    assert "You (anna) made this plan: where campaign_approval is required, it will be refused." \
        in capsys.readouterr().err


def test_without_a_terminal_and_without_yes(
    plan: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = plan.read_text()
    assert approve(plan, monkeypatch) == 5
    assert "There is no terminal to ask at, so nothing is approved." in capsys.readouterr().err
    assert plan.read_text() == before


@pytest.mark.parametrize("answer", [True, False])
def test_the_answer_decides(
    plan: Path, answer: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("rich.prompt.Confirm.ask", lambda *_words, **_more: answer)
    assert approve(plan, monkeypatch) == (0 if answer else 5)
    assert bool(json.loads(plan.read_text()).get("approval")) == answer


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expired at 2020-01-01T00:00:00Z. Make a new plan"),
        ({"hosts": []}, "has no steps: there is nothing to approve."),
        ({"expires_at": "2099-01-01T00:00:00"}, "is not a plan."),
        ({"hosts": [{"name": 7}]}, "is not a plan. Make one with: campaign-doctor plan --save"),
        (None, "is not a plan."),
    ],
)
def test_what_cannot_be_approved_is_refused_in_a_line(
    plan: Path, change: Json | None, message: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = "no JSON" if change is None else json.dumps(json.loads(plan.read_text()) | change)
    plan.write_text(text)
    assert approve(plan, monkeypatch, "--yes") == 5
    assert message in capsys.readouterr().err
    assert plan.read_text() == text


def test_a_plan_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert approve(tmp_path / "none.json", monkeypatch, "--yes") == 5
    assert "cannot be read: No such file or directory." in capsys.readouterr().err
