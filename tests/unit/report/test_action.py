"""The action: what it takes from the hosts' variables, shows, writes, and when it fails."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from receiver import receiving

from ansible_collections.campaign.remediation.plugins.action import campaign_report
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report import (
    build,
    files,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report.shared import (
    webhook,
)

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
    hostvars["app4"] = {"other": registered["app1"], "ansible_host": "10.0.0.4"}

    def run(*, check: bool = True, **arguments: Any) -> tuple[Json, list[str]]:
        shown: list[str] = []
        action = campaign_report.ActionModule.__new__(campaign_report.ActionModule)
        arguments.setdefault("directory", str(tmp_path / "report"))
        shell = SimpleNamespace(tmpdir="/tmp")
        action._task = SimpleNamespace(
            args=arguments, async_val=0, check_mode=check, action="campaign_report"
        )
        action._connection = SimpleNamespace(_shell=shell)
        action._templar = None
        action._display = SimpleNamespace(
            columns=99, display=lambda message, **_: shown.append(message)
        )
        play = ["app1", "app2", "app3"]
        result = action.run(task_vars={
            "hostvars": hostvars, "ansible_play_hosts_all": play, "groups": {"all": list(hostvars)},
        })
        return result, "\n".join(shown).splitlines()

    run.hostvars = hostvars  # type: ignore[attr-defined]
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


def test_the_statistics_hold_numbers_and_keys_and_no_evidence(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stats = run()[0]["ansible_stats"]
    assert (stats["per_host"], stats["aggregate"]) == (False, False)
    assert stats["data"]["campaign_summary"] == run()[0]["summary"]
    assert stats["data"]["campaign_verdict"] == "degraded"
    assert stats["data"]["campaign_roots"] == [
        {"host": "app2", "key": "wfserver.not_running", "instance": "prod", "severity": "critical"}
    ]
    only_unknown = run(hosts=["unknown"])[0]["ansible_stats"]["data"]
    assert (only_unknown["campaign_verdict"], only_unknown["campaign_roots"]) == ("unknown", [])
    assert run(hosts=["app4"], variable="other")[0]["ansible_stats"]["data"][
        "campaign_verdict"] == "healthy"
    monkeypatch.setattr(campaign_report, "ROOTS_HANDED_ON", 0)
    assert run()[0]["ansible_stats"]["data"]["campaign_roots"] == []


def test_other_hosts_and_another_variable(run: Any) -> None:
    result, _ = run(hosts=["app4", "unknown"], variable="other", formats=[])
    assert result["files"] == []
    assert (result["summary"]["healthy"], result["summary"]["failed"]) == (1, 1)


def test_a_host_beyond_the_limit_that_may_have_the_cause(
    run: Any, make_diagnosis: Any, make_finding: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = make_finding("mta.stat_unreachable", evidence={
        "stat_host": "stat.example.com", "stat_addresses": "10.0.0.4", "stat_local": False,
    })
    diagnosis = build.diagnosis_of("app1", {"diagnosis": make_diagnosis("app1", findings=[silent])})
    monkeypatch.setattr(build, "diagnosis_of", lambda *_more: diagnosis)
    result, shown = run(hosts=["app1"], formats=["json"])
    report = json.loads(Path(result["files"][0]).read_text(encoding="utf-8"))
    assert report["not_looked_at"] == [{
        "host": "app4", "why": "not_in_run", "serves": "stat", "needed_by": "app1",
        "finding": "mta.stat_unreachable@prod",
    }]  # fmt: skip
    assert "app4: not in this run. It is the stat of app1 (mta.stat_unreachable)" in " ".join(shown)


def test_muted_findings_that_are_gone_are_remembered(run: Any, tmp_path: Path) -> None:
    """app1 is not looked at as a whole here: it has no modules."""
    memory = tmp_path / "report" / "mutes.json"
    run(hosts=["app1"])
    assert not memory.exists()
    muted = {"key": "wfserver.hung", "until": "2099-12-31", "reason": "CHG-1"}
    run.hostvars["app1"]["campaign_muted"] = [muted]
    result, _ = run(hosts=["app1", "app2"])
    assert "warnings" not in result
    (host,) = json.loads(memory.read_text(encoding="utf-8"))["hosts"]
    assert (host["name"], host["mutes"]) == ("app1", [])
    run.hostvars["app1"]["campaign_muted"] = [muted | {"until": "soon"}]
    result, _ = run(hosts=["app1"])
    assert result["warnings"][0].startswith("app1: campaign_muted: until of wfserver.hung is 'soon'")
    memory.write_text("{}")
    run.hostvars["app1"]["campaign_muted"] = [muted]
    result, _ = run(hosts=["app1"])
    assert "mutes.json is not a memory of mutes" in result["warnings"][0] and not result.get("failed")


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


def saved(tmp_path: Path) -> Json:
    report: Json = json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))
    return report


def test_says_what_run_it_was(run: Any, tmp_path: Path) -> None:
    run(mode="remediate", check=True)
    first = saved(tmp_path)
    assert (first["mode"], first["check"]) == ("remediate", True)
    run(check=False)
    second = saved(tmp_path)
    assert (second["mode"], second["check"]) == ("diagnose", False)
    assert first["run"] != second["run"]
    assert re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{8}", first["run"])


def test_a_saved_report_is_shown_as_it_was(run: Any, tmp_path: Path) -> None:
    _, shown = run()
    before = saved(tmp_path)
    result, again = run(
        report=str(tmp_path / "report" / "report.json"), directory=str(tmp_path / "again"),
        hosts=["app4"], mode="plan", fail_on="critical",
    )
    assert shown[:-1] == again[:-1]
    assert json.loads((tmp_path / "again" / "report.json").read_text("utf-8")) == before
    assert result["summary"] == before["summary"]
    assert "1 critical finding" in result["msg"]


def test_changes_since_an_earlier_run(run: Any, tmp_path: Path) -> None:
    path = str(tmp_path / "report" / "report.json")
    run(hosts=["app1", "app3"])
    earlier = saved(tmp_path)["run"]
    _, shown = run(previous=path)
    changes = saved(tmp_path)["changes"]
    assert changes["since"]["run"] == earlier
    assert [entry["id"] for entry in changes["new"]] == ["wfserver.not_running@prod"]
    assert changes["hosts"]["appeared"] == ["app2"]
    assert any(line.startswith("Changes since ") for line in shown)
    run(previous=path, hosts=["app1"])
    assert saved(tmp_path)["changes"]["gone"] == []  # its host is not in this run


@pytest.mark.parametrize("text", [None, "{", '{"schema": 7}', '{"schema": 1, "hosts": 5}'])
def test_an_earlier_report_that_cannot_be_read_is_a_warning(
    text: str | None, run: Any, tmp_path: Path
) -> None:
    path = tmp_path / "previous.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    result, _ = run(previous=str(path))
    assert not result.get("failed")
    assert result["warnings"][0].startswith(f"No comparison with an earlier run: {path} ")
    assert saved(tmp_path)["changes"] is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "cannot be read: No such file or directory"),
        ("{", "is not a report: not valid JSON"),
        ("[]", "it has no key 'schema'"),
        ('{"schema": 7}', "has schema 7; this collection reads schema 1"),
        ('{"schema": 1, "started": ""}', "is damaged: a report has no finished"),
    ],
)
def test_a_saved_report_that_is_none_fails(
    text: str | None, reason: str, run: Any, tmp_path: Path
) -> None:
    path = tmp_path / "saved.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(AnsibleActionFail) as raised:
        run(report=str(path))
    assert f"{path} " in str(raised.value)
    assert reason in str(raised.value)
    assert not (tmp_path / "report").exists()


def test_what_an_earlier_version_did_not_write_is_filled_in(run: Any, tmp_path: Path) -> None:
    """A report as the first release wrote it."""
    run()
    old = saved(tmp_path)
    for key in ("run", "mode", "check", "changes"):
        del old[key]
    for host in old["hosts"]:
        for key in ("score", "grade", "started_at"):
            del host[key]
    path = tmp_path / "old.json"
    path.write_text(json.dumps(old), encoding="utf-8")
    result, _ = run(report=str(path))
    assert len(result["files"]) == 3
    hosts = saved(tmp_path)["hosts"]
    assert [host["grade"] for host in hosts] == ["A", "D", None]


def test_the_options_offer_what_there_is() -> None:
    assert campaign_report.ARGUMENTS["mode"]["choices"] == list(build.MODES)
    assert campaign_report.ARGUMENTS["formats"]["choices"] == list(files.NAMES)


def test_an_event_is_posted_after_the_files_are_written(run: Any, tmp_path: Path) -> None:
    with receiving() as receiver:
        result, _ = run(notify_url=f"{receiver.url}/hook", notify_token="abc", fail_on="critical")
    (got,) = receiver.got
    assert result["failed"], "the findings decide"
    assert got.headers["authorization"] == "Bearer abc"
    report = json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))
    assert got.json["id"] == report["run"]
    assert [cause["key"] for cause in got.json["data"]["causes"]] == ["wfserver.not_running"]
    assert "warnings" not in result


@pytest.mark.parametrize("url", ["ftp://s3cret@host/", "https://127.0.0.1:s3cret/", "{gone}/s3cret"])
def test_an_event_that_cannot_be_posted_is_a_warning(
    run: Any, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "ATTEMPTS", 1)
    with receiving() as receiver:
        pass
    result, _ = run(notify_url=url.format(gone=receiver.url))
    assert not result.get("failed")
    (warning,) = result["warnings"]
    assert "campaign_notify_url" in warning
    assert "s3cret" not in str(result)


def test_nothing_is_posted_unless_asked(run: Any) -> None:
    result, _ = run()
    assert "warnings" not in result


def test_metrics_go_on_from_the_run_before(run: Any, tmp_path: Path) -> None:
    folder = tmp_path / "report"
    folder.mkdir()
    file = folder / "campaign.prom"
    before = 'campaign_root_first_seen_timestamp_seconds{host="app2",id="wfserver.not_running@prod"} 1000'
    file.write_text(f'{before}\ncampaign_repair_steps_total{{host="x",remedy="start",result="done"}} 7\n')
    result, _ = run(formats=["openmetrics", "json"], check=False)
    assert result["files"] == [str(file), str(folder / "report.json")]
    text = file.read_text()
    assert before in text.splitlines(), "a root that holds is no new one"
    assert 'result="done"} 7' in text and text.endswith("# EOF\n")
    assert oct(file.stat().st_mode & 0o777) == "0o644", "node_exporter is somebody else"
    assert oct((folder / "report.json").stat().st_mode & 0o777) == "0o600"


def test_a_saved_report_is_not_counted_again(run: Any, tmp_path: Path) -> None:
    done = {"module": "mta", "instance": "prod", "remedy": "restart", "result": "repaired"}
    run(formats=["json"], check=False)
    saved = tmp_path / "report" / "report.json"
    data = json.loads(saved.read_text())
    data["hosts"][0]["actions"] = [done]
    saved.write_text(json.dumps(data))
    counted = 'campaign_repair_steps_total{host="app1",remedy="restart",result="repaired"} '
    run(report=str(saved), formats=["openmetrics"], check=False)
    assert counted not in (tmp_path / "report" / "campaign.prom").read_text()
    report = build.load(saved)
    for times in (1, 2):
        files.write(report, tmp_path / "report", ["openmetrics"])
        assert f"{counted}{times}\n" in (tmp_path / "report" / "campaign.prom").read_text()
