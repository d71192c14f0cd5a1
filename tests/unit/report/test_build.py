"""The report's dictionary: statuses, verdicts, roots, numbers, and the documented keys."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning import records
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report import (
    build,
    model,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report.model import (
    Report,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report.shared import (
    changes,
)

DOCS = Path(__file__).resolve().parents[3] / "docs"

Json = dict[str, Any]


def host(report: Json, name: str) -> Json:
    return next(each for each in report["hosts"] if each["name"] == name)


def test_every_host_has_a_status(report: Json) -> None:
    assert {each["name"]: each["status"] for each in report["hosts"]} == {
        "app1": "diagnosed",
        "app2": "diagnosed",
        "mid1": "diagnosed",
        "app3": "unreachable",
        "app4": "failed",
        "app5": "not_installed",
    }
    assert host(report, "app3")["reachable"] is False
    assert host(report, "app3")["error"] == "Failed to connect to the host via ssh: timed out"


def test_verdict_is_the_worst(report: Json) -> None:
    verdicts = [each["verdict"] for each in report["hosts"]]
    assert verdicts == ["healthy", "down", "degraded", "unknown", "unknown", "unknown"]


def test_modules_stand_in_start_order(report: Json) -> None:
    modules = [(each["module"], each["instance"]) for each in host(report, "mid1")["modules"]]
    assert modules == [("watchdog", "default"), ("mta", "mid"), ("mta", "mid2")]


def test_roots_explain_across_hosts(report: Json) -> None:
    first, second = report["roots"]
    assert (first["host"], first["id"]) == ("app2", "syslogd.port_taken@default")
    assert first["explains"] == [
        {"host": "app2", "id": "stat.not_running@prod"},
        {"host": "app2", "id": "mta.stat_unreachable@prod"},
        {"host": "mid1", "id": "mta.stat_unreachable@mid"},
    ]
    assert second["id"] == "web.log_precision_raised@default"


def test_a_cause_that_was_not_found_leaves_a_root(
    make_report: Any, make_diagnosis: Any, make_finding: Any
) -> None:
    lonely = make_finding("mta.hung", caused_by_ids=["other:stat.not_running@prod"])
    report = make_report([make_diagnosis("app1", findings=[lonely])])
    assert [root["id"] for root in report["roots"]] == ["mta.hung@prod"]


def test_a_circle_is_still_shown(make_report: Any, make_diagnosis: Any, make_finding: Any) -> None:
    circle = [
        make_finding("mta.hung", caused_by_ids=["stat.hung@prod"]),
        make_finding("stat.hung", caused_by_ids=["mta.hung@prod"]),
    ]
    report = make_report([make_diagnosis("app1", findings=circle)])
    assert report["roots"] == [
        {
            "host": "app1",
            "id": "mta.hung@prod",
            "explains": [{"host": "app1", "id": "stat.hung@prod"}],
        }
    ]


def test_host_names_may_hold_colons(
    make_report: Any, make_diagnosis: Any, make_finding: Any
) -> None:
    cause = make_finding("stat.not_running")
    effect = make_finding("mta.stat_unreachable", caused_by_ids=["fe80::1:stat.not_running@prod"])
    report = make_report(
        [make_diagnosis("fe80::1", findings=[cause]), make_diagnosis("app1", findings=[effect])]
    )
    assert [root["host"] for root in report["roots"]] == ["fe80::1"]


def test_numbers(report: Json) -> None:
    assert report["summary"] == {
        "hosts": 6,
        "healthy": 1,
        "degraded": 1,
        "down": 1,
        "unknown": 0,
        "unreachable": 1,
        "failed": 1,
        "not_installed": 1,
        "critical": 2,
        "warning": 2,
        "info": 1,
        "roots": 1,
        "repaired": 0,
        "done": 0,
        "unproved": 0,
        "not_repaired": 0,
        "refused": 0,
    }


def test_times(report: Json) -> None:
    assert (report["started"], report["finished"]) == (
        "2025-11-23T10:40:00Z",
        "2025-11-23T10:40:05Z",
    )


def test_a_clock_ahead_does_not_start_after_the_end(make_report: Any, make_diagnosis: Any) -> None:
    report = make_report([make_diagnosis("app1", started_at=1.9e9)])
    assert report["started"] == report["finished"]


@pytest.mark.parametrize(
    ("registered", "error"),
    [
        (None, "did not run on this host"),
        ({"skipped": True}, "was skipped"),
        ({"failed": True, "msg": "Task failed: No such instance 'x'."}, "No such instance 'x'."),
        ({"failed": True, "msg": "bad", "module_stderr": "sudo: no\nmore"}, "bad: sudo: no"),
        ({"failed": True, "msg": "sh: -login:a/b9 password=b9 x"}, "sh: -login:*** password=*** x"),
        ({"failed": True}, "failed"),
        ({"changed": False}, "holds no diagnosis"),
    ],
)
def test_hosts_without_a_diagnosis_say_why(registered: object, error: str) -> None:
    diagnosis = build.diagnosis_of("app1", registered)
    assert error in str(diagnosis.error)
    assert diagnosis.name == "app1"


def test_failed_by_its_severity_a_diagnosis_still_counts(make_diagnosis: Any) -> None:
    registered = {"failed": True, "msg": "1 critical finding", "diagnosis": make_diagnosis("x")}
    diagnosis = build.diagnosis_of("app1", registered)
    assert (diagnosis.name, diagnosis.error) == ("app1", None)


def test_fail_on(report: Json, make_report: Any, make_diagnosis: Any) -> None:
    healthy = make_report([make_diagnosis("app1")])
    assert build.failing(Report.of(report), "never") is None
    assert build.failing(Report.of(healthy), "warning") is None
    assert build.failing(Report.of(report), "critical") == (
        "campaign_fail_on=critical: 2 critical findings, 1 unreachable host, 1 failed diagnosis"
    )
    assert "2 warnings" in str(build.failing(Report.of(report), "warning"))


def test_json_is_as_documented(report: Json) -> None:
    """The schema, the page and a built report name the same keys."""
    schema = json.loads((DOCS / "report.schema.json").read_text(encoding="utf-8"))
    milder = copy.deepcopy(report)
    host(milder, "app2")["findings"][0]["severity"] = "warning"
    changed = changes.between(Report.of(milder), Report.of(report), {}).as_dict()
    jsonschema.Draft202012Validator(schema).validate({**report, "changes": changed})
    jsonschema.Draft202012Validator(schema).validate(report)
    defined = {"report": schema["properties"]}
    defined.update({name: part["properties"] for name, part in schema["$defs"].items()})
    full = model.Report.of(report).as_dict()
    built = {
        "step": model.Step(instances=("prod", "prod2"), canary=True, held="x").as_dict(),
        "unplanned": model.Unplanned().as_dict(),
        "action": model.Action().as_dict(),
        "report": {**report, "fleet": None},
        "wave": records.Wave().as_dict(),
        "storm": records.Storm(key="x.y", group="all").as_dict(),
        "trial": records.Trial(remedy="restart", key="x.y").as_dict(),
        "guarded": records.Guarded(name="web", minimum=1).as_dict(),
        "host": {**report["hosts"][1], "paused": None},
        "pause": model.Pause().as_dict(),
        "module": {**full["hosts"][1]["modules"][0], "restart_budget_left": 3},
        "finding": report["hosts"][1]["findings"][0],
        "probe": report["hosts"][1]["unseen"][0],
        "root": report["roots"][0],
        "summary": report["summary"],
        "changes": changed,
        "change": changed["worse"][0],
    }
    page = (DOCS / "user" / "report.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", page, re.DOTALL | re.MULTILINE))
    assert {name.lower() for name in sections} == set(built)
    for name, text in sections.items():
        documented = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
        assert documented == list(defined[name.lower()]), name
        assert sorted(documented) == sorted(built[name.lower()]), name
