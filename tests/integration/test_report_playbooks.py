"""show_report.yml and replay.yml: on the controller alone, without any server."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from integration.harness import CHECKOUT, Run, playbook

REPLAY = CHECKOUT / "playbooks" / "replay.yml"
SHOW = CHECKOUT / "playbooks" / "show_report.yml"
SNAPSHOTS = CHECKOUT / "tests" / "unit" / "plugin_utils" / "snapshots"


def replay(report_dir: Path, *files: Path, arguments: tuple[str, ...] = (), **more: object) -> Run:
    """Diagnose snapshots; an inventory is not needed and is not looked at."""
    given = {"campaign_snapshot_file": [str(file) for file in files], **more}
    return playbook(REPLAY, *arguments, report_dir=report_dir, inventory="localhost,",
                    variables=given)


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("replayed")
    return replay(folder / "report", SNAPSHOTS / "everything_down.json", SNAPSHOTS / "healthy.json")


def test_replay_judges_snapshots(replayed: Run) -> None:
    assert replayed.code == 0, str(replayed)
    report = replayed.report
    assert report["mode"] == "replay"
    assert [host["name"] for host in report["hosts"]] == ["everything_down", "healthy"]
    assert replayed.host("everything_down")["verdict"] == "down"
    keys = {found["key"] for found in replayed.findings("everything_down")}
    assert "watchdog.nothing_runs" in keys
    assert {path.name for path in replayed.report_dir.iterdir()} == {
        "report.json", "report.html", "junit.xml"
    }


def test_replay_of_one_file_that_is_no_list(report_dir: Path) -> None:
    done = playbook(REPLAY, "--check", report_dir=report_dir, inventory="localhost,", variables={
        "campaign_snapshot_file": str(SNAPSHOTS / "healthy.json")})
    assert done.code == 0, str(done)
    assert [host["name"] for host in done.report["hosts"]] == ["healthy"]
    assert done.report["check"] is True


def test_replay_of_a_file_that_is_no_snapshot(report_dir: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text("{")
    done = replay(report_dir, bad, SNAPSHOTS / "healthy.json")
    assert done.code == 2, str(done)
    assert f"the snapshot {bad} is not valid JSON" in done.output
    assert done.host("bad")["status"] == "failed"
    assert done.host("healthy")["status"] == "diagnosed"
    done = replay(report_dir, tmp_path / "none.json")
    assert done.code == 2
    assert "cannot read the snapshot" in done.output


def test_replay_of_files_of_the_same_name(report_dir: Path, tmp_path: Path) -> None:
    files = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        files.append(tmp_path / folder / "app1.json")
        shutil.copy(SNAPSHOTS / "healthy.json", files[-1])
    done = replay(report_dir, *files)
    assert [host["name"] for host in done.report["hosts"]] == [str(file) for file in files]


def test_replay_asks_for_a_snapshot(report_dir: Path) -> None:
    done = playbook(REPLAY, report_dir=report_dir, inventory="localhost,")
    assert done.code == 2
    assert "Set campaign_snapshot_file" in done.output


def test_a_saved_report_is_shown(replayed: Run, report_dir: Path) -> None:
    done = playbook(SHOW, report_dir=report_dir, inventory="localhost,", variables={
        "campaign_report_file": str(replayed.report_dir / "report.json"),
        "campaign_report_previous": str(replayed.report_dir / "report.json"),
        "campaign_report_formats": ["html", "openmetrics"], "campaign_report_display": False,
    })
    assert done.code == 0, str(done)
    assert sorted(path.name for path in report_dir.iterdir()) == ["campaign.prom", "report.html"]
    assert "campaign_findings{" in (report_dir / "campaign.prom").read_text()
    page = (report_dir / "report.html").read_text()
    assert "Changes since" in page
    assert replayed.report["run"] in page
    assert "Root causes" not in done.output


def test_a_saved_report_on_the_terminal(replayed: Run, report_dir: Path) -> None:
    done = playbook(SHOW, "--check", report_dir=report_dir, inventory="localhost,", variables={
        "campaign_report_file": str(replayed.report_dir / "report.json"),
        "campaign_fail_on": "critical",
    })
    assert done.code == 2
    assert "campaign_fail_on=critical" in done.output
    assert "watchdog: Campaign is down" in done.output
    assert done.report == replayed.report


def test_a_saved_report_that_is_none(report_dir: Path, tmp_path: Path) -> None:
    bad = tmp_path / "report.json"
    bad.write_text(json.dumps({"schema": 99}))
    done = playbook(SHOW, report_dir=report_dir, inventory="localhost,",
                    variables={"campaign_report_file": str(bad)})
    assert done.code == 2
    assert f"{bad} has schema 99; this collection reads schema 1." in done.output
    done = playbook(SHOW, report_dir=report_dir, inventory="localhost,")
    assert "Set campaign_report_file" in done.output
    assert not report_dir.exists()
