"""The action: what it takes from the hosts' variables, shows, writes, and when it fails."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.campaign.remediation.plugins.action import campaign_report

Json = dict[str, Any]


class HostVars(dict[str, Json]):
    """Variables by host, as Ansible hands them to an action."""

    def raw_get(self, name: str) -> Json:
        return self[name]


@pytest.fixture
def run(tmp_path: Path, make_diagnosis: Any, make_finding: Any) -> Any:
    broken = make_diagnosis("app2", findings=[make_finding("wfserver.not_running")])
    registered = {
        "app1": {"diagnosis": make_diagnosis("app1")},
        "app2": {"diagnosis": broken},
        "app3": {"unreachable": True, "msg": "No route to host"},
    }
    hostvars = HostVars({name: {"campaign_diagnosis": each} for name, each in registered.items()})
    hostvars["app4"] = {"other": registered["app1"]}

    def run(**arguments: Any) -> tuple[Json, list[str]]:
        shown: list[str] = []
        action = campaign_report.ActionModule.__new__(campaign_report.ActionModule)
        arguments.setdefault("directory", str(tmp_path / "report"))
        shell = SimpleNamespace(tmpdir="/tmp")
        action._task = SimpleNamespace(
            args=arguments, async_val=0, check_mode=True, action="campaign_report"
        )
        action._connection = SimpleNamespace(_shell=shell)
        action._display = SimpleNamespace(
            columns=99, display=lambda message, **_: shown.append(message)
        )
        play = ["app1", "app2", "app3"]
        result = action.run(task_vars={"hostvars": hostvars, "ansible_play_hosts_all": play})
        return result, "\n".join(shown).splitlines()

    return run


def test_all_hosts_of_the_play(run: Any, tmp_path: Path) -> None:
    result, shown = run()
    assert (result["changed"], result.get("failed", False)) == (False, False)
    assert result["summary"]["hosts"] == 3
    assert result["files"] == [
        str(tmp_path / "report" / name) for name in ("report.json", "report.html", "junit.xml")
    ]
    report = json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))
    assert [host["status"] for host in report["hosts"]] == ["diagnosed", "diagnosed", "unreachable"]
    assert report["collection"] == "1.0.0"
    assert shown[-1] == f"Report: {tmp_path / 'report'} (report.json, report.html, junit.xml)"
    assert any("No route to host" in line for line in shown)


def test_other_hosts_and_another_variable(run: Any) -> None:
    result, _ = run(hosts=["app4", "unknown"], variable="other", formats=[])
    assert result["files"] == []
    assert (result["summary"]["healthy"], result["summary"]["failed"]) == (1, 1)


def test_nothing_shown_when_asked(run: Any) -> None:
    assert run(display=False)[1] == []


def test_fails_after_everything_is_written(run: Any) -> None:
    result, shown = run(fail_on="critical")
    assert result["failed"] is True
    assert result["msg"] == "campaign_fail_on=critical: 1 critical finding, 1 unreachable host"
    assert shown
    assert all(Path(path).exists() for path in result["files"])


def test_a_directory_that_cannot_be_written(run: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    result, shown = run(directory=str(tmp_path / "file"))
    assert result["failed"] is True
    assert result["msg"].startswith(f"The report cannot be written to {tmp_path / 'file'}")
    assert "\n" not in result["msg"]
    assert any(line.startswith("Summary:") for line in shown)
