"""Exit codes: which one each end of a run has, and which wins."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from campaign_doctor import outcome
from campaign_doctor.model import Report
from campaign_doctor.outcome import WORST_FIRST, ExitCode, worst
from campaign_doctor.runner import Ended
from doctor import samples

Json = dict[str, Any]


def action(result: str, **more: Any) -> Json:
    return {
        "module": "mta", "instance": "prod", "remedy": "restart", "rung": "restart",
        "because": ["mta.hung@prod"], "result": result, **more,
    }


def report(*hosts: Json, **more: Any) -> Report:
    return Report.of(samples.report(*hosts, **more))


def ill(severity: str, **more: Any) -> Json:
    return samples.host(
        verdict="degraded", findings=[samples.finding("mta.hung", severity=severity)], **more
    )


@pytest.mark.parametrize(
    ("hosts", "code"),
    [
        ([samples.host()], 0),
        ([ill("info")], 0),
        ([ill("warning")], 1),
        ([ill("critical")], 1),
        ([samples.host(), samples.unreachable("app2")], 4),
        ([ill("critical"), samples.unreachable("app2")], 4),
        ([samples.unreachable("app1")], 4),
        ([samples.host(verdict="unknown")], 4),
        ([samples.host(), samples.host("app2", status="failed", verdict="unknown")], 4),
        ([samples.host(status="failed", verdict="unknown", error="Missing sudo password")], 4),
        ([samples.host(status="not_installed", verdict="unknown")], 4),
        ([samples.host(status="failed", verdict="unknown",
                       error="Unknown instance 'prdo': this server has default, prod.")], 5),
        ([samples.host(status="failed", verdict="unknown",
                       error="timeout (campaign_timeout) must be a number, not 'soon'.")], 5),
        ([samples.host(actions=[action("repaired", left="changed")])], 0),
        ([samples.host(actions=[action("not_repaired", left="as_before")])], 2),
        ([samples.host(actions=[action("not_repaired", left="changed")])], 3),
        ([samples.host(actions=[action("not_repaired", left="unknown")])], 3),
        ([samples.host(actions=[action("not_repaired")])], 3),
        ([ill("critical", actions=[action("refused")])], 6),
        ([ill("critical", actions=[action("refused"), action("skipped", instance="b")])], 6),
        ([ill("critical", plan_refused="it has expired")], 6),
        ([samples.host(plan_refused="wfserver.hung@prod is no longer found")], 0),
        ([ill("critical", actions=[action("refused"), action("repaired", instance="b")])], 1),
        ([ill("critical", actions=[action("skipped")])], 1),
        ([ill("critical", actions=[action("not_repaired", left="as_before")]),
          samples.unreachable("app2")], 2),
    ],
)
def test_what_was_found_and_done_decides(hosts: list[Json], code: int) -> None:
    assert outcome.of_diagnosis(report(*hosts)) == code


def test_the_last_rung_of_a_ladder_decides() -> None:
    milder = action("not_repaired", left="unknown")
    stronger = action("repaired", rung="kill_and_start", left="changed")
    assert outcome.of_diagnosis(report(samples.host(actions=[milder, stronger]))) == 0
    vain = action("not_repaired", rung="kill_and_start", left="as_before")
    assert outcome.of_diagnosis(report(samples.host(actions=[milder, vain]))) == 3
    other = action("not_repaired", instance="prod2", left="as_before")
    assert outcome.of_diagnosis(report(samples.host(actions=[milder, stronger, other]))) == 2


@pytest.mark.parametrize(
    ("actions", "check", "code"),
    [
        ([action("done", because=[])], False, 0),
        ([action("refused", because=[])], False, 5),
        ([action("skipped", because=[])], True, 0),
        ([action("skipped", because=[])], False, 5),
        ([], False, 5),
        ([action("not_repaired", because=[], left="as_before")], False, 2),
        ([action("not_repaired", because=[], left="unknown")], False, 3),
    ],
)
def test_an_order_is_judged_by_itself(actions: list[Json], check: bool, code: int) -> None:
    """What else is wrong on the host does not make an order fail."""
    hosts = [ill("critical", actions=actions)]
    assert outcome.of_on_demand(report(*hosts, check=check, mode="targeted")) == code


def ended(stats: Json | None, **more: Any) -> Ended:
    return Ended(folder=Path("/nonexistent"), rc=0, stats=stats, **more)


def test_without_a_report_it_did_not_run_unless_something_had_begun() -> None:
    assert outcome.of_run(ended(None), None, outcome.of_diagnosis, changed=[]) == 5
    assert outcome.of_run(ended({}), None, outcome.of_diagnosis, changed=[]) == 5
    assert outcome.of_run(ended(None), None, outcome.of_diagnosis, changed=["app1"]) == 3


def test_statistics_tell_what_the_report_does_not() -> None:
    whole = report(samples.host())
    fine = {"processed": {"app1": 1}, "failures": {}}

    def code(stats: Json | None, *changed: str) -> int:
        return outcome.of_run(ended(stats), whole, outcome.of_diagnosis, changed=changed)

    assert code(fine) == 0
    assert code(None) == 5, "Ansible broke off after the report"
    assert code(None, "app1") == 3
    assert code({"processed": {"app1": 1, "app2": 1}}) == 4, "a host is missing in the report"
    assert code({"processed": {"app1": 1}, "failures": {"app1": 1}}) == 5
    assert code({"processed": {"app1": 1}, "failures": {"app1": 1}}, "app1") == 3
    told = report(ill("critical", actions=[action("refused")]))
    assert outcome.of_run(ended({"processed": {"app1": 1}, "failures": {"app1": 1}}), told,
                          outcome.of_diagnosis, changed=[]) == 6


def test_interrupted_hides_everything_else() -> None:
    for told in (None, report(samples.host()), report(ill("critical"))):
        stopped = ended({}, stopped=True)
        assert outcome.of_run(stopped, told, outcome.of_diagnosis, changed=["app1"]) == 130


def test_the_worst_wins() -> None:
    assert [code.value for code in WORST_FIRST] == [130, 3, 2, 5, 4, 6, 1, 0]
    assert set(WORST_FIRST) == set(ExitCode)
    for better, worse in combinations(reversed(WORST_FIRST), 2):
        assert worst([better, worse]) is worst([worse, better]) is worse
