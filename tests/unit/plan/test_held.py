"""What a host itself says that holds its repairs back: a pause, and findings that keep coming back."""

from __future__ import annotations

from typing import Any

import pytest
from unit.plan.builder import HOUR, NOW, Json, admit, left, make, saved, server, steps, typed

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


# --- findings that keep coming back -------------------------------------------------------------

DAY = 24 * HOUR
OTHER = "mta.hung@prod"


def repairs(*days: float, id: str = HUNG, remedy: str = "kill_and_start") -> list[Json]:
    """As the ledger has them, so many days ago."""
    return [{"id": id, "at": NOW - ago * DAY, "remedy": remedy} for ago in days]


def again(past: list[Json], *findings: str, **more: Any) -> Json:
    return {**server(*(findings or (HUNG,))), "taken_at": NOW, "repaired": past, **more}


@pytest.mark.parametrize(("past", "policy", "why"), [
    (repairs(), {}, None),
    (repairs(1, 2, 3), {}, None),
    (repairs(1, 2, 3, 4), {}, "recurring"),
    (repairs(1, 2, 3, 6.99), {}, "recurring"),
    (repairs(1, 2, 3, 7), {}, None),  # too long ago
    (repairs(-1, 1, 2, 3), {}, None),  # in the future: nobody knows when that was
    (repairs(1, 2, 3) + repairs(1, 2, id=OTHER), {}, None),
    (repairs(1, 2, 3, 4), {"times": 4}, None),
    (repairs(1, 2, 3, 4, 5), {"times": 4}, "recurring"),
    (repairs(1), {"times": 1}, None),
    (repairs(1, 2), {"times": 1}, "recurring"),
    (repairs(0.1, 0.2, 0.3, 2), {"days": 1}, None),
    (repairs(1, 10, 20, 29), {"days": 30}, "recurring"),
])  # fmt: skip
def test_what_came_back_too_often_is_left(
    past: list[Json], policy: dict[str, int], why: str | None
) -> None:
    (host,) = make(again(past), recurrence=policy)["hosts"]
    assert left(host) == ({HUNG: why} if why else {})
    assert len(host["steps"]) == (0 if why else 1)


def test_the_reason_has_the_dates_and_the_remedies() -> None:
    past = repairs(1, 2) + repairs(3, 4, remedy="restart")
    (entry,) = make(again(past))["hosts"][0]["left"]
    assert entry["reason"] == (
        "came back 4 times in 7 days, each time repaired by restart or kill_and_start"
        " (2025-11-14 12:00, 2025-11-15 12:00, 2025-11-16 12:00, 2025-11-17 12:00 UTC): the repair"
        " does not last; find the cause"
    )
    assert entry["until"] == "2025-11-21T12:00:00Z"  # then the oldest no longer counts
    often = repairs(*(each / 10 for each in range(1, 40)))
    (entry,) = make(again(often))["hosts"][0]["left"]
    assert "39 times" in entry["reason"] and entry["reason"].count(" 2025-") == 5
    assert "(the last on 2025-" in entry["reason"]


def test_another_finding_of_the_module_is_repaired_all_the_same() -> None:
    (host,) = make(again(repairs(1, 2, 3, 4), HUNG, OTHER))["hosts"]
    assert (steps(host), left(host)) == (["1 mta@prod kill_and_start"], {HUNG: "recurring"})


@pytest.mark.parametrize(("id", "remedy"), [
    ("host.repair_interrupted@default", "finish_repair"),
    ("wfserver.log_precision_raised@prod", "restore_log_precision"),
])  # fmt: skip
def test_what_ends_something_begun_is_always_planned(id: str, remedy: str) -> None:
    (host,) = make(again(repairs(1, 2, 3, 4, 5, id=id, remedy=remedy), id))["hosts"]
    assert [step["remedy"] for step in host["steps"]] == [remedy]


def test_a_saved_plan_does_not_repeat_it() -> None:
    plan = saved(again([]))
    (host,) = admit(plan, again(repairs(1, 2, 3, 4)))
    assert (steps(host), left(host)) == ([], {HUNG: "recurring"})


def test_the_clock_of_the_host_counts() -> None:
    """The controller's may be another: so far behind, nothing would count."""
    early = make(again(repairs(1, 2, 3, 4)), now=NOW - 30 * DAY)
    assert left(early["hosts"][0]) == {HUNG: "recurring"}


def test_a_ledger_that_cannot_be_read_is_told_and_blocks_nothing() -> None:
    blind = {"probe": "ledger", "kind": "failed", "message": "Cannot read it: Input/output error."}
    (host,) = make(again([], unseen=[blind]))["hosts"]
    assert len(host["steps"]) == 1
    (note,) = host["notes"]
    assert "could not be read (Cannot read it" in note and "unknown whether" in note
    (host,) = make(again([], "host.disk_filling@default#/", unseen=[blind]))["hosts"]
    assert host["notes"] == [], "where nothing is planned nothing depends on it"


@pytest.mark.parametrize(("days", "told"), [(2, True), (8, False)])
def test_a_ledger_that_was_read_in_part_is_told(days: float, told: bool) -> None:
    (host,) = make(again([], ledger_begins_at=NOW - days * DAY))["hosts"]
    assert len(host["steps"]) == 1
    assert ["read back to 2025-11-16 12:00 UTC only" in note for note in host["notes"]] == [True] * told
