"""report.json, typed: what is read, what is kept, and what is refused with a reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from campaign_doctor.model import InvalidReport, Node, Report, Severity
from doctor import samples


def test_a_report_and_its_parts() -> None:
    report = Report.of(samples.ill())
    assert [host.name for host in report.hosts] == ["app1", "app2", "app3"]
    root = report.roots[0]
    assert report.finding(root).label == "stat@prod"
    assert [report.finding(node).key for node in root.explains] == ["mta.stat_unreachable"]
    assert report.finding(Node(host="app2", id="host.disk_filling@default#/var")).label == "host"
    assert [severity.rank for severity in Severity] == [0, 1, 2]


def test_keys_of_a_later_version_are_kept() -> None:
    data = samples.ill()
    data["later"] = {"a": 1}
    data["hosts"][0]["modules"][0]["threads"] = 12
    assert Report.of(data).as_json() == data


def test_keys_of_an_earlier_version_may_be_missing() -> None:
    data = samples.ill()
    for key in ("run", "mode", "check", "changes"):
        del data[key]
    for host in data["hosts"]:
        del host["score"], host["grade"]
    report = Report.of(data)
    assert (report.mode, report.run, report.hosts[0].score) == ("diagnose", None, None)


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(json.dumps(samples.ill()), encoding="utf-8")
    assert Report.load(path).summary.critical == 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "not valid JSON"),
        ("[]", "it does not hold a JSON object"),
        ("{}", "it has no key 'schema'"),
        ('{"schema": 2}', "has schema 2; this campaign-doctor reads schema 1"),
        ('{"schema": 1}', "is damaged: started: Field required (and 5 more)"),
    ],
)
def test_what_is_no_report(text: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidReport) as raised:
        Report.load(path)
    assert reason in str(raised.value)
    assert str(path) in str(raised.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InvalidReport, match="cannot be read: No such file or directory"):
        Report.load(tmp_path / "none.json")


def test_a_root_that_is_not_there() -> None:
    data = samples.ill()
    data["roots"][0]["id"] = "gone@prod"
    with pytest.raises(InvalidReport, match="roots name gone@prod on app2"):
        Report.of(data)


def test_an_error_does_not_repeat_the_value() -> None:
    data = samples.ill()
    data["hosts"][0]["modules"] = "secret words"
    with pytest.raises(InvalidReport) as raised:
        Report.of(data)
    assert "hosts.0.modules" in str(raised.value)
    assert "secret" not in str(raised.value)
