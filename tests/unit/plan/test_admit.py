"""Plans that are read again: what of them still holds, and which are refused."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from unit.plan.builder import HOUR, ILL, NOW, Json, admit, finding, left, make, saved, server, steps

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning import (
    saved as saved_plan,
)


def test_a_plan_comes_back_as_it_was() -> None:
    original = make(server(*ILL))
    assert saved(server(*ILL)) == original
    (host,) = admit(saved(server(*ILL)), server(*ILL))
    assert host == original["hosts"][0]


def test_a_plan_expires() -> None:
    plan = saved(server(*ILL))
    admit(plan, server(*ILL), now=NOW + HOUR - 1)
    with pytest.raises(saved_plan.InvalidPlan, match="expired at 2025-11-18T13:00:00Z"):
        admit(plan, server(*ILL), now=NOW + HOUR)


def test_a_plan_of_the_future_is_refused() -> None:
    with pytest.raises(saved_plan.InvalidPlan, match="in the future"):
        admit(saved(server(*ILL)), server(*ILL), now=NOW - HOUR)
    admit(saved(server(*ILL)), server(*ILL), now=NOW - 60)


def restarted(diagnosis: Json, module: str) -> Json:
    for entry in diagnosis["modules"]:
        if entry["module"] == module:
            entry["pid"] = 4711
    return diagnosis


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (server(ILL[0]), "mta.not_running@prod is no longer found"),
        (restarted(server(*ILL), "wfserver"), "wfserver@prod was running 1008 when the plan was"
         " made and is now running 4711"),
        (restarted(server(*ILL), "web"), None),  # no step touches it
        (server(*ILL[:2]), None),  # nothing was planned for the disk
        (server(*ILL, "web.hung@default"), None),  # new, and not in this plan
        (server(ILL[0], finding(ILL[1], caused_by=["watchdog.stopped@default"])),
         "mta.not_running@prod is now explained by watchdog.stopped@default"),
        ({"name": "app1", "error": "no route", "modules": [], "findings": []}, "no route"),
    ],
)
def test_a_host_that_has_changed_gets_no_step(now: Json, reason: str | None) -> None:
    (host,) = admit(saved(server(*ILL)), now)
    assert host["refused"] == reason
    assert len(host["steps"]) == (2 if reason is None else 0)
    changed = {id for id, why in left(host).items() if why == "state_changed"}
    assert changed == (set() if reason is None else set(ILL[:2]))


def test_the_other_hosts_go_on() -> None:
    plan = saved(server(*ILL), server(*ILL, name="app2"))
    first, second = admit(plan, restarted(server(*ILL), "mta"), server(*ILL, name="app2"))
    assert (len(first["steps"]), len(second["steps"])) == (0, 2)


def test_hosts_that_only_one_side_knows() -> None:
    plan = saved(server(*ILL), server(*ILL, name="app2"))
    (host,) = admit(plan, server(*ILL, name="app3"))
    assert (host["name"], host["steps"], host["left"]) == ("app3", [], [])
    assert host["notes"] == ["the plan does not cover this host"]


@pytest.mark.parametrize(
    ("policy", "remaining", "why"),
    [
        ({"remedies_denied": ["restart"]}, ["1 mta@prod start"], "policy"),
        ({"modules_excluded": ["wfserver"]}, ["1 mta@prod start"], "excluded"),
        ({"windows": [{"from": "22:00", "to": "23:00", "remedies": ["restart"]}],
          "windows_timezone": "UTC"}, ["1 mta@prod start"], "window"),
        ({"muted": [{"key": "wfserver.memory_alert", "until": "2026-01-01", "reason": "x"}]},
         ["1 mta@prod start"], "muted"),
    ],
)
def test_today_s_policy_holds_for_yesterday_s_plan(
    policy: Json, remaining: list[str], why: str
) -> None:
    (host,) = admit(saved(server(*ILL)), server(*ILL), **policy)
    assert steps(host) == remaining
    assert left(host)["wfserver.memory_alert@prod"] == why


def test_today_s_policy_bounds_the_rungs() -> None:
    (host,) = admit(saved(server(*ILL)), server(*ILL), highest_rung="restart", ask=True)
    step = host["steps"][1]
    assert (step["rungs"], list(step["rungs_for"]), step["asks"]) == (
        ["restart"], ["restart"], True
    )


def test_findings_planned_together_are_left_together() -> None:
    both = ("wfserver.memory_alert@prod", "wfserver.file_handles@prod")
    mute = [{"key": "wfserver.file_handles", "until": "2026-01-01", "reason": "known"}]
    (host,) = admit(saved(server(*both)), server(*both), muted=mute)
    assert host["steps"] == []
    assert left(host) == dict.fromkeys(both, "muted")


def test_a_person_may_take_steps_out() -> None:
    plan = saved(server(*ILL))
    del plan["hosts"][0]["steps"][0]
    (host,) = admit(saved_plan.parse(plan).as_dict(), server(*ILL))
    assert steps(host) == ["1 wfserver@prod restart"]


def edit(**changes: Any) -> Json:
    plan = deepcopy(saved(server(*ILL)))
    plan["hosts"][0]["steps"][1].update(changes)
    return plan


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (None, "not a plan"),
        ([], "not a plan"),
        ({"diagnosis": {}}, "not a plan"),
        ({"schema": 2, "hosts": []}, "has schema 2"),
        ({"schema": 1, "hosts": []}, "made_at"),
        (saved() | {"expires_at": "tomorrow"}, "'tomorrow' is not a time"),
        (saved() | {"hosts": [None]}, r"has hosts \[None\]"),
        (saved() | {"hosts": [{"name": "app1"}]}, "fingerprint"),
        (edit(order="first"), "order 'first'"),
        (edit(limit=3), "limit 3"),
        (edit(rungs=[3]), "is damaged"),
        (edit(remedy="../../../evil", rungs=["../../../evil"]), "not documented"),
        (edit(remedy="kill_and_start"), "not documented"),
        (edit(rungs=["restart", "rebuild_shared_memory"]), "not documented"),
        (edit(rungs_for={}), "not documented"),
        (edit(keys=["mta.tired"]), "not all finding keys of the catalogue"),
        (edit(keys=[]), "is damaged"),
        (edit(because=["wfserver.hung@prod"]), "not the ones that the plan was made for"),
        (edit(module="mta"), "its findings are not about mta@prod"),
        (edit(instance="prod2"), "its findings are not about wfserver@prod2"),
        (edit(role="../mta"), "its findings are not about"),
        (edit(subject="another"), "its findings are not about"),
        (edit(afterwards="relaunch"), "not the documented end of its ladder"),
    ],
)
def test_a_plan_that_was_tampered_with_is_refused(plan: Any, message: str) -> None:
    with pytest.raises(saved_plan.InvalidPlan, match=message):
        saved_plan.parse(plan)
