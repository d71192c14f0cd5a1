"""The playbook's text, the command's terminal and the page say the same sentences."""

from __future__ import annotations

import html as entities
import json
import re

import pytest

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report import (
    html,
    model,
    text,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report.shared import (
    outline,
)
from campaign_doctor.formats import table
from campaign_doctor.model import Report
from doctor.samples import Json, finding, host, module, report, unreachable

STEP: Json = {
    "order": 1, "module": "wfserver", "instance": "prod", "remedy": "restart",
    "rungs": ["restart", "kill_and_start"], "because": ["wfserver.hung@prod"],
    "keys": ["wfserver.hung"], "title": "Restart wfserver@prod",
    "command": "nlserver restart wfserver@prod", "cancels": "workflow tasks are interrupted",
    "limit": "3 in an hour", "subject": None, "not_after": "2025-11-23T22:00:00Z",
    "work": [{"kind": "workflow", "what": "runwf -wf:nightly", "module": "wfserver",
              "instance": "prod", "pid": 7}],
    "commands": None, "refused_unless": "no workflow is running",
}
RESULTS = ("repaired", "done", "unproved", "not_repaired", "refused", "skipped")


def action(result: str) -> Json:
    return {
        "module": "mta", "instance": "prod", "remedy": "restart", "rung": None,
        "subject": f"for {result}", "because": [f"mta.{result}@prod"],
        "command": [["nlserver", "restart", "mta@prod"]], "result": result,
        "reason": f"Why it is {result}.", "guard": None, "before": {"state": "hung"},
        "after": {"state": "running"}, "left": "as_before", "seconds": 4.0, "started": None,
        "finished": None, "evidence": None,
    }


def left(why: str, until: str | None = None) -> Json:
    return {"id": f"web.{why}@prod", "key": f"web.{why}", "module": "web", "instance": "prod",
            "why": why, "reason": f"The reason of {why}", "until": until}


def change(name: str, was: str | None) -> Json:
    return {"host": "app1", **finding(name), "was": was and {"id": name, "severity": was}}


@pytest.fixture(scope="module")
def rich() -> Json:
    """A report that has something of everything, in sentences that need no second line."""
    chain = [
        finding("stat.not_running", fix="nlserver start stat@prod", reason="A decision."),
        finding("mta.stat_unreachable", caused_by_ids=["stat.not_running@prod"]),
        finding("web.slow", "prod", "warning", evidence={}, source=None),
        finding("host.reboot", "default", "info", fix="reboot"),
    ]
    ill = host(
        "app1", verdict="down", findings=chain, plan=[STEP], plan_notes=["a note of the plan"],
        modules=[module("stat", verdict="down"), module("mta", verdict="degraded")],
        unseen=[{"probe": "http", "kind": "timeout", "message": "no answer within 8 s"}],
        left=[left("muted", "2026-01-02T00:00:00Z"), left("excluded"), left("window"),
              left("caused_by")],
        paused={"until": 1764000000.0, "since": 1763990000.0, "who": "anna", "reason": "a new disk",
                "unknown": None},
        actions=[action(result) for result in RESULTS],
    )
    same = host("app2", findings=[finding("web.slow", "prod", "warning", evidence={}, source=None)],
                plan_refused="mta@prod was running, and is stopped now", left=[left("excluded")])
    changes = {
        "since": {"run": None, "finished": "2025-11-22T10:40:05Z"},
        "hosts": {"appeared": ["app2"], "vanished": ["old1"], "lost": ["app3"], "back": ["app1"]},
        "scores": [],
        **{kind: [change(f"web.{kind}", "warning" if kind in ("worse", "better") else None)]
           for kind in ("new", "gone", "worse", "better", "unseen")},
    }
    data = report(ill, same, unreachable("app3"), mode="remediate", changes=changes)
    data["not_looked_at"] = [
        {"host": "stat1", "why": "not_in_run", "serves": "stat", "needed_by": name,
         "finding": "mta.stat_unreachable@prod"} for name in ("app1", "app2")
    ] + [{"host": "db1", "why": "not_diagnosed", "serves": "database", "needed_by": "app1",
          "finding": "host.database_unreachable@prod"}]  # fmt: skip
    data["summary"].update(repaired=1, done=1, unproved=1, not_repaired=1, refused=1)
    return data


def plain(line: str) -> str:
    """A line without its number, its guides and the blanks of its layout."""
    return " ".join(re.sub(r"^[\s│└├─]*(\d+\. )?", "", line).split())


def sentences(lines: list[str]) -> set[str]:
    """All but the states before and after, which are a table in one and lines in the other."""
    told = {plain(line) for line in lines} - {""}
    return {line for line in told if not re.match("Before state|After state|state hung", line)}


def of_text(data: Json) -> set[str]:
    lines = [line.text for line in text.render(model.Report.of(data), width=120)]
    end = len(lines) - lines[::-1].index("")
    summary = " ".join(line.strip() for line in lines[end:]).removeprefix("Summary: ")
    return sentences([*lines[lines.index("Root causes"):end], summary])


def of_terminal(data: Json) -> set[str]:
    lines = table.as_text(Report.of(data), 200).splitlines()
    return sentences(lines[lines.index("Notes"):])


def of_page(data: Json) -> str:
    page = re.sub(r"(?s)<(style|script|svg).*?</\1>", " ", html.render(model.Report.of(data)))
    return " ".join(entities.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_the_terminal_says_what_the_playbook_says(rich: Json) -> None:
    assert of_terminal(rich) == of_text(rich)


@pytest.mark.parametrize("sentence", [
    "app1 web.muted@prod: muted, until 2026-01-02 00:00:00 UTC: The reason of muted",
    "app1, app2 web.excluded@prod: excluded: The reason of excluded",
    "app1 web.window@prod: window: The reason of window",
    "app2: plan refused: mta@prod was running, and is stopped now",
    "app1: a note of the plan",
    "Or else kill_and_start, then an operator (3 in an hour)",
    "Guard no workflow is running",
    "Running runwf -wf:nightly (pid 7)",
    "NOT REPAIRED app1 mta@prod: restart for not_repaired, 4.0 s",
    "NOT PROVED app1 mta@prod: restart for unproved, 4.0 s",
    "Left unchanged",
    "mta@prod: Title of mta.stat_unreachable",
    "Hosts that have a diagnosis again: app1",
    "worse app1 web@prod: Title of web.worse (was warning)",
    "fixed app1 web@prod: Title of web.gone",
    "not checked app1 web@prod: Title of web.unseen",
    "stat1: not in this run. It is the stat of app1, app2 (mta.stat_unreachable): run without --limit to"
    " see a cause there.",
    "db1: not diagnosed. It is the database of app1 (host.database_unreachable): a cause there is not seen.",
])  # fmt: skip
def test_what_the_terminal_says(rich: Json, sentence: str) -> None:
    assert sentence in of_terminal(rich)


def test_the_page_says_the_same_of_repairs_plans_and_changes(rich: Json) -> None:
    page = of_page(rich)
    told = outline.sections(model.Report.of(rich))
    for name in ("repairs", "plan", "left", "unseen", "changes"):
        section = told[name]
        assert section.title in page
        for entry in section.entries:
            assert plain(entry.head) in page
            for detail in (*entry.body, *entry.foot):
                label = "" if detail.label == "Command" else f"{detail.label}: "
                assert plain(f"{label}{detail.text}") in page


def test_what_another_finding_explains_is_not_left(rich: Json) -> None:
    assert not [line for line in of_terminal(rich) if "web.caused_by" in line]


def test_a_report_of_an_older_collection(rich: Json) -> None:
    """It has fewer keys."""
    older = json.loads(json.dumps(rich))
    for key in ("limit", "not_after", "work", "commands", "refused_unless", "cancels"):
        del older["hosts"][0]["plan"][0][key]
    for key in ("left", "evidence", "guard"):
        del older["hosts"][0]["actions"][3][key]
    assert "Or else kill_and_start, then an operator" in of_terminal(older)


def test_long_lists_are_cut_alike(rich: Json) -> None:
    many = [left("excluded") | {"id": f"web.{number}@prod"} for number in range(40)]
    data = rich | {"hosts": [rich["hosts"][0] | {"left": many}, *rich["hosts"][1:]]}
    assert of_terminal(data) == of_text(data)
    # A plan that was refused, a note, and what app2 has left are sentences, too.
    assert f"… and {43 - outline.CAUSES_IN_FULL} more in the report" in of_terminal(data)
