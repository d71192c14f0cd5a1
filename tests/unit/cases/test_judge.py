"""tests/cases/judge.py: everything that differs from what must be said is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from cases import judge
from cases.form import Case, CaseError, Clock, Expect, Found, Given

WANTED = Found(None, "mta only simulates, no message is sent", "critical", "useless",
               ("verifyMode",))  # fmt: skip


def finding(key: str = "mta.verify_mode", **more: Any) -> dict[str, Any]:
    return {
        "id": f"{key}@prod", "key": key, "module": key.partition(".")[0], "instance": "prod",
        "severity": "critical", "title": "Nothing is sent", "summary": "verifyMode is on.",
        "reason": "a restart changes nothing", "fix": "set verifyMode", "remedy": None,
        "evidence": {}, "caused_by_ids": [], **more,
    }  # fmt: skip


def step(remedy: str = "restart", module: str = "mta", instance: str = "prod", **more: Any) -> Any:
    rungs = more.pop("rungs", [remedy])
    return {"module": module, "instance": instance, "remedy": remedy, "rungs": rungs,
            "rungs_for": {rung: ["x"] for rung in rungs}, "because": ["x"], "subject": None,
            **more}  # fmt: skip


def differences(
    findings: list[Any], steps: Sequence[Any] = (), unseen: Sequence[Any] = (), **expect: Any
) -> list[str]:
    case = Case("one", "mta", Given(Clock()), Expect(**expect))
    diagnosis = {"error": None, "findings": findings, "unseen": unseen}
    return judge.differences(case, diagnosis, {"steps": steps})


@pytest.mark.parametrize("key", [None, "mta.verify_mode", "mta.verify_mode@prod"])
def test_a_finding_that_says_all_is_the_one(key: str | None) -> None:
    assert not differences([finding()], found=(replace(WANTED, key=key),))


@pytest.mark.parametrize("more", [
    {"severity": "warning"}, {"summary": "It is on.", "fix": "set it"},
    {"reason": "nobody knows"}, {"remedy": "restart"},
], ids=str)  # fmt: skip
def test_whatever_must_be_said_is_missed(more: dict[str, Any]) -> None:
    assert differences([finding(**more)], found=(WANTED,))


def test_nothing_found_is_missed() -> None:
    assert differences([], found=(WANTED,)) == [
        "not found: a finding: mta only simulates, no message is sent"]


def test_another_key_is_another_finding() -> None:
    other = Found("mta.hung", "it hangs", "critical", None, ())
    assert len(differences([finding()], found=(other,))) == 2  # missed, and one that is not named


def test_what_would_be_false_is_told_even_if_explained() -> None:
    effect = finding("mta.hung", caused_by_ids=["mta.verify_mode@prod"])
    told = differences([finding(), effect], found=(WANTED,), not_found=("mta.hung",))
    assert [line.partition(":")[0] for line in told] == ["false"]


@pytest.mark.parametrize(("more", "allowed"), [
    ({}, False), ({"severity": "info"}, True), ({"caused_by_ids": ["mta.verify_mode@prod"]}, True),
    ({"caused_by_ids": ["stat.hung@prod"]}, False),
])  # fmt: skip
def test_a_finding_beside(more: dict[str, Any], allowed: bool) -> None:
    beside = finding("web.slow", summary="Slow.", fix="wait", **more)
    assert (differences([finding(), beside], found=(WANTED,)) == []) is allowed


def test_a_finding_that_would_be_false_is_never_the_one_that_is_meant() -> None:
    assert differences([finding()], found=(WANTED,), not_found=("mta.verify_mode",))


def test_nothing_found_because_nothing_was_seen() -> None:
    unseen = [{"probe": "pdump", "kind": "failed", "message": "it died"}]
    assert differences([], unseen=unseen) == ["not seen: pdump: it died"]
    assert not differences([], unseen=[{**unseen[0], "kind": "skipped"}])


@pytest.mark.parametrize(("text", "word", "there"), [
    ("line 2 of", "2", True), ("in 2026", "2", False), ("mode 0644", "644", True),
    ("port 18080", "8080", False), ("at 06:00:00", "06:00", True), ("its Token", "token", True),
    ("BAS-010015", "BAS-010015", True), ("version 3.2", "2", False),
])  # fmt: skip
def test_a_word_in_a_text(text: str, word: str, there: bool) -> None:
    assert judge.mentions(text, word) is there


PLANS = [
    ("none", step(), False),
    ("no restart of mta", step(), False),
    ("no restart of mta", step("move_tmp"), False),
    ("no restart of mta", step(module="stat"), True),
    ("no restart of mta", step("start"), True),
    ("no restart of mta or stat", step(module="stat"), False),
    ("no restart of mta", step("reload", rungs=["reload", "restart"]), False),
    ("no restart of mta before args is edited", step("restore_log_precision"), False),
    ("no restart of mta", step("restart_service", "watchdog", "default"), False),
    ("no start and no restart of any module", step("start", "web", "default"), False),
    ("no stop of any module", step("kill_and_start"), False),
    ("no stop of any module", step("start"), True),
    ("no restart before the files agree", step(module="web"), False),
    ("no restart of a Campaign module", step(module="web"), False),
    ("no restart of web; no start of operationMgt", step(
        "start_workflow", "wfserver", subject="operationMgt"), False),
    ("no start of operationMgt", step("start_workflow", "wfserver", subject="cleanup"), True),
    ("no restart of wfserver", step("start_workflow", "wfserver", subject="cleanup"), True),
    ("no start of the tracking workflow", step("start_workflow", "tracking", subject="tracking"),
     False),
    ("no relaunch of export before", step("relaunch", "export", subject="a"), False),
    ("no free_port of syslogd", step("free_port", "syslogd", "default"), False),
    ("no free_port of syslogd", step("restart", "syslogd", "default"), True),
    ("no start of watchdog", step("start_service", "watchdog", "default"), False),
    (("mta: move_tmp",), step("move_tmp"), True),
    (("mta: move_tmp, with care",), step("restart"), False),
    (("mta@prod: restart", "web: restart"), step("restart"), True),
    (("mta@prod2: restart",), step("restart"), False),
]  # fmt: skip


@pytest.mark.parametrize(("wanted", "planned", "allowed"), PLANS)
def test_plan(wanted: Any, planned: Any, allowed: bool) -> None:
    assert (judge.plan_differences(wanted, {"steps": [planned]}) == []) is allowed


def test_a_remedy_that_may_be_is_to_be_planned() -> None:
    assert judge.plan_differences(("mta: move_tmp",), {"steps": []})


@pytest.mark.parametrize("wanted", ["all is well", "no dance of mta", ("mta move_tmp",)])
def test_a_plan_that_nobody_understands(wanted: Any) -> None:
    with pytest.raises(CaseError):
        judge.plan_differences(wanted, {"steps": [step()]})
