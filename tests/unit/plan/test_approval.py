"""The approval of a plan by a second person: what is refused, what is told, what is handed on."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from unit.plan.builder import ILL, make, server

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning import (
    approval,
    handed_on,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning.digest import (
    digest,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning.policy import (
    InvalidPolicy,
    Policy,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning.records import (
    Plan,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning.saved import (
    InvalidPlan,
    parse,
)

Json = dict[str, Any]
REQUIRED = Policy.of({"approval": "required"})


def plan(made_by: str | None = "anna") -> Json:
    """A plan with two steps for one host, and none for the other."""
    made: Json = json.loads(json.dumps(make(server(*ILL), server(name="app2"))))
    return {**made, "made_by": made_by}


def approved(data: Json, by: str = "paul") -> Json:
    return {**data, "approval": {"by": by, "at": "2025-11-18T12:10:00Z", "sha256": digest(data)}}


def test_an_approved_plan_keeps_its_steps_and_says_who_approved_it() -> None:
    kept = approval.enforced(parse(approved(plan())), {"app1": REQUIRED})
    app1, app2 = kept.hosts
    assert (len(app1.steps), app1.refused) == (2, None)
    said = "plan r1, made by anna, approved by paul at 2025-11-18T12:10:00Z"
    assert (app1.notes, app2.notes) == ((said,), ())


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (plan(), "nobody has approved this plan"),
        (approved(plan("paul")), "paul both made the plan and approved it"),
        (approved(plan(None)), "does not say who made it"),
        (approved(plan("")), "does not say who made it"),
    ],
)
def test_without_a_second_person_no_step_is_left(data: Json, reason: str) -> None:
    read = parse(data)
    app1, app2 = approval.enforced(read, {"app1": REQUIRED, "app2": REQUIRED}).hosts
    assert reason in str(app1.refused)
    assert (app1.steps, app2.refused) == ((), None)
    left = {entry.id: (entry.why, reason in entry.reason) for entry in app1.left}
    assert {id for step in read.hosts[0].steps for id in step.because} <= set(left)
    assert left[ILL[0]] == ("policy", True)
    assert [len(host.steps) for host in approval.enforced(read, {}).hosts] == [2, 0]


def change_host(data: Json) -> None:
    data["hosts"][0]["name"] = "app9"


def change_step(data: Json) -> None:
    data["hosts"][0]["steps"].pop()


def change_time(data: Json) -> None:
    data["expires_at"] = "2099-01-01T00:00:00Z"


def change_planner(data: Json) -> None:
    data["made_by"] = "somebody else"


@pytest.mark.parametrize("change", [change_host, change_step, change_time, change_planner])
def test_a_plan_that_was_changed_after_its_approval(change: Any) -> None:
    data = approved(plan())
    change(data)
    with pytest.raises(InvalidPlan, match="changed after paul approved it at 2025-11-18T12:10:00Z"):
        parse(data)


def test_whether_a_step_asks_again_is_not_what_was_approved() -> None:
    data = approved(plan())
    data["hosts"][0]["steps"][0]["asks"] = True
    assert parse(data).approval


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("yes", "the plan has approval 'yes'"), ({}, "the plan has approval {}"),
        ({"by": "paul", "at": 7, "sha256": ""}, "the plan has approval {'by': 'paul', 'at': 7"),
        ({"by": "paul", "at": "today", "sha256": ""}, "'today' is not a time"),
    ],
)
def test_a_bad_approval_is_refused_in_a_line(given: Any, message: str) -> None:
    with pytest.raises(InvalidPlan, match=message) as caught:
        parse({**plan(), "approval": given})
    assert "\n" not in str(caught.value)


def test_hosts_that_cannot_be_read_are_damage() -> None:
    data = approved(plan())
    with pytest.raises(InvalidPlan, match="damaged"):
        parse({**data, "hosts": ["app1"]})


def test_the_policy_knows_two_words() -> None:
    assert not Policy.of({}).approval
    with pytest.raises(InvalidPolicy, match="campaign_approval: 'maybe' is not one of none, req"):
        Policy.of({"approval": "maybe"})


def test_what_is_handed_on_is_a_plan_without_people() -> None:
    work = {"app1": [{"kind": "session", "what": "anna.berg", "module": "mta", "instance": "prod"}]}
    whole = Plan.of(make(server(*ILL), server(name="app2"), work=work))
    data = handed_on.handed_on(replace(whole, made_by="paul"))
    assert isinstance(data, dict)
    assert "anna.berg" not in json.dumps(data)
    read = parse(json.loads(json.dumps(data)))
    assert [host.name for host in read.hosts] == ["app1"]
    assert [step.remedy for step in read.hosts[0].steps] == [
        step.remedy for step in whole.hosts[0].steps
    ]
    assert read.made_by == "paul"


def test_what_is_too_large_is_handed_on_as_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handed_on, "LIMIT_BYTES", 100)
    said = handed_on.handed_on(Plan.of(plan()))
    assert isinstance(said, str)
    assert said.startswith("The plan has ")
