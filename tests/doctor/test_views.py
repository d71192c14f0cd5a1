"""What watch tells, and what a person is asked about before a repair: in the words of the outline."""

from __future__ import annotations

import io
import time

import pytest
from rich.console import Console

from campaign_doctor import changes_view, plan_view
from campaign_doctor.history import compare
from campaign_doctor.model import Report
from campaign_doctor.shared import outline
from doctor import samples
from doctor.samples import Json, finding, host, report, unreachable

STEP: Json = {
    "order": 1, "module": "wfserver", "instance": "prod", "remedy": "restart",
    "rungs": ["restart"], "because": ["wfserver.hung@prod"], "keys": ["wfserver.hung"],
    "title": "Restart wfserver@prod", "command": "nlserver restart wfserver@prod",
    "cancels": "workflow tasks are interrupted", "limit": None, "subject": None,
    "not_after": None, "refused_unless": "no workflow is running",
    "commands": [["nlserver", "restart", "wfserver@prod"]],
    "work": [
        {"kind": "workflow", "what": "runwf -wf:nightly", "module": "wfserver",
         "instance": "prod", "pid": 7},
        {"kind": "session", "what": "anna", "module": "web", "instance": "prod",
         "from": "10.0.0.7"},
    ],
}  # fmt: skip
LEFT: Json = {"id": "web.slow@prod", "key": "web.slow", "module": "web", "instance": "prod",
              "why": "excluded", "reason": "A person has excluded it", "until": None}
ACTION: Json = {
    "module": "wfserver", "instance": "prod", "remedy": "kill_and_start", "rung": None,
    "subject": None, "because": [], "command": [["nlserver", "stop", "wf server"]],
    "result": "refused", "reason": "A workflow is at work.", "left": "as_before",
}


def shown(view: object, *given: object) -> tuple[object, str]:
    """What a view returns, and what it prints."""
    console = Console(file=io.StringIO(), width=200)
    assert callable(view)
    result = view(console, *given)
    assert isinstance(console.file, io.StringIO)
    return result, console.file.getvalue()


# -- watch ----------------------------------------------------------------------------------------


def test_the_first_look_tells_every_cause_as_the_report_does() -> None:
    data = samples.ill()
    slow = finding("web.slow", "prod", "warning")
    twice = report(*data["hosts"], host("app4", findings=[slow]), host("app5", findings=[slow]))
    told = changes_view.causes(Report.of(twice))
    assert told[0] == "UNREACHABLE app3: timed out"
    causes, _notes = outline.findings(Report.of(twice))
    assert len(told) == 1 + len(causes.entries)
    for line, entry in zip(told[1:], causes.entries, strict=True):
        assert line.startswith(f"{entry.mark} {entry.head}"), line
    assert told[-1] == "WARNING 2 hosts web@prod: Title of web.slow (needs an operator) (app4, app5)"


def test_each_change_is_told_as_the_report_does() -> None:
    gone, new = finding("wfserver.not_running"), finding("mta.hung", "prod", "warning")
    old = report(host(findings=[gone]), host("app2"), host("app4"))
    later = report(host(findings=[new]), unreachable("app2"), host("app3"))
    changes = compare(Report.of(old), Report.of(later))
    assert changes_view.lines(changes) == [
        "Hosts that were not in that run: app3",
        "Hosts that are not in this run: app4",
        "Hosts without a diagnosis now: app2",
        "new: WARNING app1 mta@prod: Title of mta.hung",
        "fixed: CRITICAL app1 wfserver@prod: Title of wfserver.not_running",
    ]
    heads = [entry.head for entry in outline.changes(changes).entries]
    assert all(head in line for head, line in
               zip(heads, changes_view.lines(changes), strict=True))  # fmt: skip


def test_nothing_is_told_where_nothing_has_changed() -> None:
    same = Report.of(report(host(findings=[finding("mta.hung")])))
    assert changes_view.lines(compare(same, same)) == []


def test_what_a_host_says_cannot_command_the_terminal() -> None:
    mine = "\x1b[2J of its own"
    told = changes_view.causes(Report.of(report(
        {**unreachable("app3"), "error": mine}, host(findings=[finding("mta.hung", title=mine)]),
    )))  # fmt: skip
    assert [line for line in told if "of its own" not in line or "\x1b" in line] == []


# -- what a person is asked -----------------------------------------------------------------------


def test_the_plan_is_the_outline_with_what_is_at_work_and_what_is_left() -> None:
    data = Report.of(report(host(plan=[STEP], left=[LEFT]), unreachable("app2")))
    count, text = shown(plan_view.show, data)
    assert count == 1
    for section in (outline.plan(data), outline.unplanned(data)):
        assert section.title in text and section.entries
        for entry in section.entries:
            assert entry.head in text, text
            for detail in entry.body:
                assert detail.text in text, text
    assert "app1 wfserver@prod: workflow runwf -wf:nightly (pid 7)" in text
    assert "app1 wfserver@prod: session anna (from 10.0.0.7)" in text
    assert "app2: unreachable: timed out" in text


def test_work_that_nobody_could_see_is_told_as_such() -> None:
    blind = Report.of(report(host(plan=[{**STEP, "work": None}])))
    assert "app1 wfserver@prod: could not be checked" in shown(plan_view.show, blind)[1]


@pytest.mark.parametrize("more", [{"cancels": None}, {"work": []}])
def test_nothing_at_work_is_not_told(more: Json) -> None:
    quiet = Report.of(report(host(plan=[{**STEP, **more}])))
    text = shown(plan_view.show, quiet)[1]
    assert "app1 wfserver@prod: " in text and "runwf" not in text and "not be seen" not in text


def test_without_a_step_nothing_is_shown() -> None:
    nothing = Report.of(report(host(left=[LEFT]), unreachable("app2")))
    assert shown(plan_view.show, nothing) == (0, "")


def test_an_order_is_shown_with_its_commands_and_with_what_refuses_it() -> None:
    ordered = Report.of(report(host(actions=[ACTION]), unreachable("app2")))
    assert shown(plan_view.show_order, ordered)[1].splitlines() == [
        "app1: kill and start wfserver@prod",
        "  $ nlserver stop 'wf server'",
        "  refused: A workflow is at work.",
        "app2: unreachable: timed out",
    ]


def test_a_name_from_a_host_cannot_command_the_terminal() -> None:
    hostile = {**STEP, "work": [{**STEP["work"][0], "what": "\x1b[2Jrunwf"}]}
    text = shown(plan_view.show, Report.of(report(host(plan=[hostile]))))[1]
    assert "runwf" in text and "\x1b" not in text


def test_the_question_has_the_local_time_beside_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Paris")
    time.tzset()
    left = {**LEFT, "why": "window", "until": "2026-01-31T21:00:00Z"}
    data = Report.of(report(host(plan=[STEP], left=[left])))
    try:
        assert "2026-01-31 21:00:00 UTC (22:00:00 CET)" in shown(plan_view.show, data)[1]
        console = Console(file=io.StringIO(), width=200)
        plan_view.show(console, data, utc=True)
        assert isinstance(console.file, io.StringIO) and "CET" not in console.file.getvalue()
    finally:
        monkeypatch.undo()
        time.tzset()
