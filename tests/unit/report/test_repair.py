"""What a remediation adds to the report, in all its forms."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
from unit.plan.builder import make, server
from unit.report.test_files import Page

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.records import (
    Diagnosis,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning.records import (
    Plan,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report import (
    build,
    html,
    junit,
    text,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report.model import (
    Action,
    Report,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report.shared import (
    repair,
)

Json = dict[str, Any]
DOCS = Path(__file__).resolve().parents[3] / "docs"


def action(module: str, remedy: str, result: str, *because: str, **more: Any) -> Json:
    return {
        "module": module, "instance": "prod", "remedy": remedy, "because": list(because),
        "command": [["nlserver", remedy, f"{module}@prod"]], "result": result, "seconds": 4.25,
        "before": {"state": "running", "pid": 100}, "after": {"state": "running", "pid": 200},
        **more,
    }


ILL = ("wfserver.memory_alert@prod", "mta.not_running@prod", "host.disk_filling@default#/")
MUTED = [{"key": "mta.not_running", "until": "2026-01-01", "reason": "CHG-1: moves"}]


@pytest.fixture
def diagnoses(make_diagnosis: Any) -> list[Json]:
    return [make_diagnosis("app1"), make_diagnosis("app2")]


def plan(**policy: Any) -> Json:
    return make(server(*ILL), server(*ILL, name="app2"), windows_timezone="UTC", **policy)


def report_of(diagnoses: list[Json], plan: Json | None = None, **actions: list[Json]) -> Json:
    return build.build(
        map(Diagnosis.of, diagnoses), finished=1763894405.0, collection="1.0.0",
        plan=Plan.of(plan) if plan else None,
        actions={name: build.actions_of(done) for name, done in actions.items()},
    ).as_dict()


def shown(report: Json) -> str:
    return "\n".join(line.text.rstrip() for line in text.render(Report.of(report)))


PLANNED = """\
Plan
  1. 2 hosts wfserver@prod: Restart wfserver@prod
     Hosts     app1, app2
     For       wfserver.memory_alert
     Command   what an operator types for wfserver.memory_alert@prod
     Or else   kill_and_start, then an operator
     Affects   running workflow tasks are interrupted and started again

Left as it is
  app1, app2 mta.not_running@prod: muted, until 2026-01-02 00:00:00 UTC: CHG-1: moves
  app1, app2 host.disk_filling@default#/: no automatic remedy: you decide what can be deleted
"""
DONE = """\
Repairs
  NOT REPAIRED  app1 wfserver@prod: restart, 4.2 s
                Why      still there
                Command  nlserver restart wfserver@prod
                Before   state running · pid 100
                After    state running · pid 200
                Left     unchanged
  NOT REPAIRED  app1 wfserver@prod: kill_and_start, 4.2 s
                Command  nlserver restart wfserver@prod
                Before   state running · pid 100
                After    state running · pid 200
                Left     unknown: check it by hand
  REFUSED       app2 wfserver@prod: restart, 4.2 s
                Why      budget: 3 restarts in an hour
                Command  nlserver restart wfserver@prod
                Before   state running · pid 100
                After    state running · pid 200
  repaired      app1 mta@prod: start, 4.2 s
                Command  nlserver start mta@prod
                Before   state running · pid 100
                After    state running · pid 200

Planned, not done
  1. app2 mta@prod: Start mta@prod
"""


def repaired(diagnoses: list[Json]) -> Json:
    return report_of(
        diagnoses, plan(),
        app1=[
            action("mta", "start", "repaired", ILL[1]),
            action(
                "wfserver", "restart", "not_repaired", ILL[0], reason="still there",
                left="as_before",
            ),
            action(
                "wfserver", "restart", "not_repaired", ILL[0], rung="kill_and_start",
                left="unknown",
            ),
        ],
        app2=[
            action(
                "wfserver", "restart", "refused", ILL[0], guard="budget",
                reason="budget: 3 restarts in an hour",
            ),
        ],
    )


def test_a_plan_on_the_terminal(diagnoses: list[Json]) -> None:
    assert PLANNED in shown(report_of(diagnoses, plan(muted=MUTED)))


def test_repairs_on_the_terminal(diagnoses: list[Json]) -> None:
    report = repaired(diagnoses)
    assert DONE in shown(report)
    summary = report["summary"]
    assert (summary["repaired"], summary["not_repaired"], summary["refused"]) == (1, 1, 1)
    assert "1 repaired, 1 not repaired, 1 refused." in " ".join(shown(report).split())


def test_a_milder_rung_that_did_not_help_is_no_failure_of_the_step(diagnoses: list[Json]) -> None:
    report = report_of(diagnoses, plan(), app1=[
        action("wfserver", "restart", "not_repaired", ILL[0]),
        action("wfserver", "restart", "repaired", ILL[0], rung="kill_and_start"),
    ])
    assert (report["summary"]["repaired"], report["summary"]["not_repaired"]) == (1, 0)
    assert build.failing(Report.of(report), "not_repaired") is None


def test_a_diagnosis_shows_nothing_of_it(diagnoses: list[Json]) -> None:
    report = report_of(diagnoses)
    for heading in ("Repairs", "Plan", "Left as it is"):
        assert heading not in shown(report)
        assert f"<h2>{heading}</h2>" not in html.render(Report.of(report))


def test_the_schema_holds(diagnoses: list[Json]) -> None:
    schema = json.loads((DOCS / "report.schema.json").read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(schema)
    for report in (repaired(diagnoses), report_of(diagnoses, plan(muted=MUTED))):
        validator.validate(json.loads(json.dumps(report)))


def test_a_repair_in_vain_fails_the_run_that_asks_for_it(diagnoses: list[Json]) -> None:
    report = repaired(diagnoses)
    assert build.failing(Report.of(report), "never") is None
    assert build.failing(Report.of(report), "not_repaired") == (
        "campaign_fail_on=not_repaired: 1 repair failed, 1 repair refused"
    )
    assert "1 repair failed, 1 repair refused" in str(build.failing(Report.of(report), "critical"))


def test_a_refusal_alone_fails_it_too_and_a_skipped_step_does_not(diagnoses: list[Json]) -> None:
    refused = [action("mta", "start", "refused", id) for id in ILL[:2]]
    report = report_of(diagnoses, plan(), app1=refused)
    assert build.failing(Report.of(report), "not_repaired") == (
        "campaign_fail_on=not_repaired: 2 repairs refused"
    )
    skipped = report_of(diagnoses, plan(), app1=[action("mta", "start", "skipped", ILL[0])])
    assert build.failing(Report.of(skipped), "not_repaired") is None


def test_an_order_is_done_and_not_repaired(diagnoses: list[Json]) -> None:
    report = report_of(diagnoses, None, app1=[action("mta", "restart", "done")])
    assert (report["summary"]["done"], report["summary"]["repaired"]) == (1, 0)
    assert "  done          app1 mta@prod: restart, 4.2 s" in shown(report)
    assert build.failing(Report.of(report), "warning") is None
    assert "<skipped" not in junit.render(Report.of(report))


@pytest.mark.parametrize(
    ("work", "words"),
    [
        (None, "Running   not checked"),
        ([], "Running   nothing"),
        (
            [{"kind": "workflow", "what": "runwf -wf:nightly", "module": "wfserver",
              "instance": "prod", "pid": 7},
             {"kind": "session", "what": "anna.berg", "module": "web", "instance": "prod",
              "from": "10.1.2.3"}],
            "Running   runwf -wf:nightly (pid 7)",
        ),
    ],
)
def test_a_plan_says_what_it_would_cut_off(
    diagnoses: list[Json], work: list[Json] | None, words: str
) -> None:
    planned = make(server(*ILL), work={"app1": work})
    assert words in shown(report_of(diagnoses, planned))
    assert "anna.berg" not in shown(report_of(diagnoses, planned))


def test_results_for_continuous_integration(diagnoses: list[Json]) -> None:
    root = ElementTree.fromstring(junit.render(Report.of(repaired(diagnoses))))
    cases = {
        (case.get("classname"), case.get("name")): [child.tag for child in case]
        for case in root.iter("testcase") if str(case.get("name")).startswith("repair")
    }
    assert cases == {
        ("app1", "repair mta@prod start"): [],
        ("app1", "repair wfserver@prod kill_and_start"): ["failure"],
        ("app2", "repair wfserver@prod restart"): ["skipped"],
    }
    failure = root.find(".//failure")
    assert failure is not None and "after pid: 200" in str(failure.text)


def test_the_page(diagnoses: list[Json]) -> None:
    page = html.render(Report.of(repaired(diagnoses)))
    assert Page(page).names.count("article") == 5
    for heading in ("Repairs", "Planned, not done", "Left as it is"):
        assert re.search(rf"<h2 id=\"\w+\">{heading}</h2>", page)
    words = re.sub(r"(<[^>]+>|\s)+", " ", page)
    for phrase in ("budget: 3 restarts in an hour", "pid 100", "4.2 s", "nlserver start mta@prod"):
        assert phrase in words


def test_text_of_hosts_is_escaped(diagnoses: list[Json]) -> None:
    evil = action("wfserver", "restart", "refused", "<b>", reason="<script>")
    evil["command"] = "<i>\n\x1b[2J"
    report = report_of(diagnoses, plan(), app1=[evil])
    page = html.render(Report.of(report))
    assert page.count("<script>") == 1 and "<i>" not in page and "<b>" + "&" not in page
    assert "\x1b" not in shown(report) and "\x1b" not in page


def test_a_plan_that_was_refused(diagnoses: list[Json]) -> None:
    planned = plan()
    refused = "mta@prod was running 1, and is stopped now"
    planned["hosts"][0].update(steps=[], left=[], refused=refused)
    report = report_of(diagnoses, planned)
    assert "app1: plan refused: mta@prod was running 1" in shown(report)
    assert "plan refused: mta@prod was running 1" in html.render(Report.of(report))


def test_text_of_an_older_ansible_is_what_was_meant(diagnoses: list[Json]) -> None:
    """Before ansible-core 2.19 a template gives text: the report has numbers and null."""
    text = {**action("stat", "start", "repaired"), "seconds": "1.5", "subject": "", "rung": "",
            "reason": "", "guard": "", "evidence": ""}  # fmt: skip
    report = report_of(diagnoses, plan(), app1=[text])
    only = report["hosts"][0]["actions"][0]
    assert (only["seconds"], only["subject"], only["guard"]) == (1.5, None, None)
    assert "start, 1.5 s" in shown(report)


def test_what_is_missing_is_filled_in(diagnoses: list[Json]) -> None:
    report = report_of(diagnoses, None, app1=[{"result": "repaired"}, "no action"])  # type: ignore
    (only,) = report["hosts"][0]["actions"]
    assert (only["module"], only["command"], only["seconds"]) == ("host", [], None)
    assert repair.word(Action.of({"result": "odd"})) == "odd"
    assert "repaired" in shown(report)
