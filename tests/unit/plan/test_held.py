"""What a host itself says that holds its repairs back: a pause."""

from __future__ import annotations

from typing import Any

import pytest
from unit.plan.builder import NOW, Json, admit, left, make, saved, server, steps, typed

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning.make import (
    make as make_plan,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning.policy import (
    Policy,
)

PAUSE = {"until": NOW + 7200, "since": NOW, "who": "anna", "reason": "a new disk"}
HUNG = "wfserver.hung@prod"


def paused(**more: Any) -> Json:
    return {**server(HUNG, "host.disk_filling@default#/"), "paused": {**PAUSE, **more}}


def test_nothing_is_planned_on_a_paused_host() -> None:
    (host,) = make(paused())["hosts"]
    assert steps(host) == []
    assert left(host) == {HUNG: "paused", "host.disk_filling@default#/": "no_automatic_remedy"}
    (entry,) = (each for each in host["left"] if each["why"] == "paused")
    assert entry["until"] == "2025-11-18T14:00:00Z"
    assert entry["reason"] == "repairs are paused on this host: a new disk (anna)"


def test_what_an_interrupted_repair_left_waits_for_the_end_of_the_pause() -> None:
    """Whoever paused the host may be at work on it."""
    cut = {**server("host.repair_interrupted@default"), "paused": PAUSE}
    (host,) = make(cut)["hosts"]
    assert (steps(host), set(left(host).values())) == ([], {"paused"})


def test_an_unknown_pause_is_one_without_an_end() -> None:
    (host,) = make(paused(until=None, unknown="/state/pause is damaged"))["hosts"]
    (entry,) = (each for each in host["left"] if each["why"] == "paused")
    assert entry["until"] is None and "unknown whether" in entry["reason"]
    assert "/state/pause is damaged" in entry["reason"]


@pytest.mark.parametrize(("value", "planned"), [
    (True, True), ("true", True), ("yes", True), (False, False), ("false", False), ("", False),
    (None, False),
])  # fmt: skip
def test_an_operator_can_plan_in_spite_of_it(value: object, planned: bool) -> None:
    policy = Policy(declared={"accept_pause": value})
    plan = make_plan(typed(paused()), {"app1": policy}, now=NOW, run="r1", collection="1.0.0")
    assert bool(plan.hosts[0].steps) is planned


def test_a_saved_plan_waits_as_well() -> None:
    plan = saved(server(HUNG))
    (host,) = admit(plan, {**server(HUNG), "paused": PAUSE})
    assert (steps(host), left(host)) == ([], {HUNG: "paused"})
