"""Waves, canaries and storms: what is arranged, and what a run may do at each moment."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from unit.plan.builder import NOW, Json, finding, server, typed

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning import (
    admission,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning.admission import (
    FAILED,
    Event,
    Run,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning.brakes import (
    Brakes,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning.make import (
    make,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning.records import (
    FleetPlan,
    HostPlan,
    Plan,
    Result,
    Step,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning.waves import (
    answers_of,
    arranged,
    is_healthy,
    stops,
)

WARNING = "wfserver.memory_alert@prod"  # the host does its work; its remedy stops wfserver
DOWN = "wfserver.hung@prod"
HARMLESS = "watchdog.service_not_enabled@default#nlserver.service"  # its remedy stops nothing
OTHER = "mta.memory_alert@prod"


def fleet(
    found: Mapping[str, Sequence[str]], groups: Mapping[str, Sequence[str]] | None = None,
    known: Mapping[str, Sequence[str]] | None = None, **brakes: Any,
) -> Plan:
    """The plan for hosts with findings."""
    brakes.setdefault("accept_storm", True)
    servers = typed(*(server(*ids, name=name) for name, ids in found.items()))
    plan = make(servers, {}, now=NOW, run="r1", collection="1.0.0")
    return arranged(
        plan, servers, Brakes.of(brakes), {"all": list(found), **(groups or {})}, known
    )


def waves(plan: Plan) -> list[str]:
    assert plan.fleet
    return [" ".join(wave.hosts) for wave in plan.fleet.waves]


def hosts(number: int, *ids: str) -> dict[str, list[str]]:
    return {f"h{n:03d}": list(ids) for n in range(1, number + 1)}


def left(plan: Plan, name: str) -> dict[str, str]:
    (host,) = [host for host in plan.hosts if host.name == name]
    return {entry.why: entry.reason for entry in host.left}


# --- waves --------------------------------------------------------------------------------------


def test_a_few_hosts_are_repaired_together() -> None:
    assert waves(fleet(hosts(3, WARNING))) == ["h001 h002 h003"]
    assert waves(fleet({"a": [WARNING], "b": [OTHER], "c": [], "d": [DOWN]})) == ["a b d"]


def test_one_tries_it_for_all_and_the_waves_double() -> None:
    plan = fleet(hosts(20, WARNING))
    assert [len(wave.split()) for wave in waves(plan)] == [1, 5, 10, 4]
    assert plan.fleet
    assert [(t.remedy, t.key, t.canaries) for t in plan.fleet.trials] == [
        ("restart", "wfserver.memory_alert", ("h001",))
    ]
    canaries = {host.name for host in plan.hosts for step in host.steps if step.canary}
    assert canaries == set(plan.fleet.waves[0].canaries) == {"h001"}
    assert {host.name: host.wave for host in plan.hosts}["h007"] == 3


@pytest.mark.parametrize(
    ("brakes", "sizes"),
    [
        ({"canary": 2}, [2, 2, 4]), ({"canary": 0}, [8]), ({"canary_from": 8}, [8]),
        ({"batch": 1}, [1, 1, 2, 4]), ({"batch": "50%"}, [1, 4, 3]), ({"serial": 3}, [1, 2, 3, 2]),
        ({"serial": "25%"}, [1, 2, 2, 2, 1]),
    ],
)
def test_a_site_sets_their_size(brakes: Json, sizes: list[int]) -> None:
    assert [len(wave.split()) for wave in waves(fleet(hosts(8, WARNING), **brakes))] == sizes


def test_who_needs_no_canary_waits_for_none() -> None:
    found = {**hosts(6, WARNING), "z1": [OTHER], "z2": [OTHER]}
    assert waves(fleet(found))[0] == "h001 z1 z2"


def test_a_canary_of_two_remedies_tries_both_and_nobody_waits_in_a_circle() -> None:
    found = {**hosts(5, WARNING, OTHER), **{f"x{n}": [WARNING] for n in range(5)}}
    plan = fleet(found)
    assert plan.fleet
    assert {trial.key: trial.canaries for trial in plan.fleet.trials} == {
        "wfserver.memory_alert": ("x0",), "mta.memory_alert": ("h001",),
    }
    # The canary of the second waits for the one of the first.
    assert waves(plan)[0] == "x0"
    assert "h001" in waves(plan)[1].split()
    assert all(name not in waves(plan)[1].split() for name in ("h002", "h003"))


# --- healthy hosts ------------------------------------------------------------------------------


def test_a_group_keeps_its_healthy_hosts() -> None:
    found = {"w1": [WARNING], "w2": [WARNING], "w3": [WARNING]}
    plan = fleet(found, {"web": ["w1", "w2", "w3"]}, min_healthy={"web": 2})
    assert waves(plan) == ["w1", "w2", "w3"]
    assert waves(fleet(found, {"web": ["w1"]}, min_healthy={"web": "100%"})) == ["w2 w3"]


def test_what_does_not_work_is_repaired_first_and_counts_afterwards() -> None:
    found = {"w1": [WARNING], "w2": [DOWN], "w3": [WARNING]}
    plan = fleet(found, {"web": list(found)}, min_healthy={"web": 2})
    assert waves(plan) == ["w2", "w1", "w3"]


def test_what_stops_nothing_needs_no_room() -> None:
    plan = fleet({"w1": [HARMLESS], "w2": []}, {"web": ["w1", "w2"]}, min_healthy={"web": 2})
    assert waves(plan) == ["w1"]


def test_without_room_the_finding_is_left_and_says_why() -> None:
    plan = fleet({"w1": [WARNING], "w2": []}, {"web": ["w1", "w2", "w3"]}, min_healthy={"web": 2})
    assert waves(plan) == []
    assert left(plan, "w1")["min_healthy"] == (
        "campaign_min_healthy wants 2 healthy hosts in web, and only 2 of 3 are known to be; 1 of them"
        " were not looked at"
    )


def test_what_was_not_seen_is_not_healthy() -> None:
    (good, ill, lost, empty) = typed(
        server(WARNING, name="a"), server(DOWN, name="b"),
        server(name="c") | {"error": "cannot be reached"}, server(name="d") | {"modules": []},
    )
    assert [is_healthy(each) for each in (good, ill, lost, empty, None)] == [True] + [False] * 4


# --- storms -------------------------------------------------------------------------------------


def test_a_storm_is_planned_and_held() -> None:
    found = {**hosts(5, WARNING), "x1": [OTHER], "x2": []}
    plan = fleet(found, {"app": list(found)[:6]}, accept_storm=False)
    assert plan.fleet
    (storm,) = plan.fleet.storms
    assert (storm.key, storm.group, len(storm.hosts), storm.diagnosed) == (
        "wfserver.memory_alert", "app", 5, 6,
    )
    steps = {host.name: host.steps for host in plan.hosts}
    assert steps["h001"][0].held == storm.reason
    assert "campaign_accept_storm: [wfserver.memory_alert]" in storm.reason
    assert steps["x1"][0].held is None


@pytest.mark.parametrize(
    ("brakes", "known"),
    [
        ({"accept_storm": ["wfserver.memory_alert"]}, {}),
        ({"storm_percent": 100}, {}),
        ({}, {f"h{n:03d}": [WARNING] for n in range(1, 3)}),  # three are new
    ],
)
def test_what_is_no_storm_or_is_accepted(brakes: Json, known: Mapping[str, Sequence[str]]) -> None:
    plan = fleet(hosts(5, WARNING), known=known, **{"accept_storm": False, **brakes})
    assert all(step.held is None for host in plan.hosts for step in host.steps)
    assert plan.fleet and all(storm.accepted for storm in plan.fleet.storms)


def test_a_few_of_many_are_no_storm() -> None:
    found = {**hosts(5, WARNING), **{f"x{n:02d}": [] for n in range(12)}}
    assert fleet(found, accept_storm=False).fleet.storms == ()  # type: ignore[union-attr]
    assert fleet(hosts(3, WARNING), accept_storm=False).fleet.storms == ()  # type: ignore[union-attr]


# --- a run, simulated ---------------------------------------------------------------------------


@dataclass
class _AtWork:
    """A host whose repair has begun, the steps before it, and the one in progress."""

    host: str
    steps: list[Step]
    step: Step | None = None


class Simulated:
    """A run of a plan: so many hosts at once, in any order, each step with a given result.

    What must hold is checked whenever a host begins, from the events alone.
    """

    def __init__(
        self, plan: Plan, forks: int, results: Mapping[str, Result], chance: random.Random,
    ) -> None:
        assert plan.fleet
        self.fleet: FleetPlan = plan.fleet
        self.hosts = {host.name: host for host in plan.hosts}
        self.forks, self.results, self.chance = forks, results, chance
        self.events: list[Event] = []
        self.skipped: dict[str, str] = {}
        self.deferred: list[str] = []

    @property
    def now(self) -> Run:
        return Run(self.fleet, self.events)

    def run(self) -> Simulated:
        for wave in self.fleet.waves:
            self._together(list(wave.hosts), last=False)
        batch = self.fleet.batch
        waiting = self.deferred
        for at in range(0, len(waiting), batch):
            self._together(waiting[at:at + batch], last=True)
        return self

    def _together(self, queue: list[str], *, last: bool) -> None:
        active: list[_AtWork] = []
        while queue or active:
            if queue and len(active) < self.forks and (not active or self.chance.random() < 0.6):
                host = self.hosts[queue.pop(0)]
                if self._begins(host, last=last):
                    active.append(_AtWork(host.name, list(host.steps)))
                continue
            at_work = self.chance.choice(active)
            name = at_work.host
            if at_work.step:
                result = self.results.get(name, "repaired")
                self.events.append(admission.step_ended(name, at_work.step, result))
                at_work.step = None
            elif not at_work.steps:
                active.remove(at_work)
                self.events.append(Event(kind="ended", host=name))
            else:
                step = at_work.steps.pop(0)
                reason = self.now.holds(name, step)
                if reason:
                    self.skipped[name] = reason
                else:
                    self._check_trials(step, active)
                    at_work.step = step

    def _begins(self, host: HostPlan, *, last: bool) -> bool:
        admitted = self.now.admits(host.name, host.steps, last=last)
        if admitted.when == "go":
            self._check(host)
            self.events.append(admission.begun(host.name, host.steps))
        elif admitted.when == "later":
            self.deferred.append(host.name)
        else:
            self.skipped[host.name] = admitted.reason
        return admitted.when == "go"

    def _check_trials(self, step: Step, active: Sequence[_AtWork]) -> None:
        """What must hold when a step begins."""
        for trial in self.fleet.trials:
            answer = (trial.remedy, trial.key)
            if answer not in answers_of(step):
                continue
            tried = [
                event.result for event in self.events if event.kind == "step" and answer in event.answers
                and event.result in ("repaired", *FAILED)
            ]
            working = [each.host for each in active if each.step and answer in answers_of(each.step)]
            if "repaired" not in tried:
                assert len(working) + len(tried) < len(trial.canaries), (trial, working)

    def _check(self, host: HostPlan) -> None:
        """What must hold when a host begins."""
        failed = [event for event in self.events if event.result in FAILED]
        assert len(failed) < self.fleet.max_failures
        begun = {event.host for event in self.events if event.kind == "begun"}
        ended = {event.host for event in self.events if event.kind == "ended"}
        for group in self.fleet.groups:
            ill = {e.host for e in failed}
            stopped = {name for name in begun - ended if any(map(stops, self.hosts[name].steps))}
            healthy = set(group.healthy) - ill - stopped
            if host.name in healthy and any(map(stops, host.steps)):
                mended = {
                    name for name in (ended & set(group.mends)) - ill
                    if any(e.host == name and e.result == "repaired" for e in self.events)
                }
                assert len((healthy | mended) - {host.name}) >= group.minimum, group


RESULTS: list[Result] = ["repaired", "repaired", "repaired", "not_repaired", "unproved", "refused", "skipped"]


@settings(max_examples=150, deadline=None)
@given(
    found=st.lists(st.sets(st.sampled_from([WARNING, DOWN, OTHER, HARMLESS]), max_size=3), max_size=14),
    results=st.lists(st.sampled_from(RESULTS), min_size=14, max_size=14),
    forks=st.sampled_from([1, 2, 5, 50]),
    minimum=st.integers(1, 8), batch=st.sampled_from([1, 2, "25%", "100%"]),
    failures=st.sampled_from([None, 1, 2, 50]), canary=st.integers(0, 2), seed=st.integers(0, 9),
)
def test_no_run_ever_breaks_its_brakes(
    found: list[set[str]], results: list[Result], forks: int, minimum: int, batch: Any,
    failures: int | None, canary: int, seed: int,
) -> None:
    names = [f"h{n:02d}" for n in range(len(found))]
    group = names[: len(names) * 2 // 3]
    plan = fleet(
        dict(zip(names, map(sorted, found), strict=True)), {"web": group},
        min_healthy={"web": min(minimum, len(group))} if group else {},
        batch=batch, max_failures=failures, canary=canary,
    )
    run = Simulated(plan, forks, dict(zip(names, results, strict=False)), random.Random(seed)).run()
    begun = [event.host for event in run.events if event.kind == "begun"]
    planned = {host.name for host in plan.hosts if host.steps}
    assert len(begun) == len(set(begun))
    # Each is either repaired or has the reason.
    assert planned == set(begun) | (set(run.skipped) - set(begun)), run.skipped


@pytest.mark.parametrize("forks", [5, 50])
def test_two_hundred_hosts(forks: int) -> None:
    found = hosts(200, WARNING)
    all_fail: dict[str, Result] = dict.fromkeys(found, "not_repaired")
    chance = random.Random(1)
    plan = fleet(found)
    assert {host.name for host in plan.hosts if host.wave} == set(found)
    # A canary that fails is the only one.
    run = Simulated(plan, forks, all_fail, chance).run()
    assert [event.host for event in run.events if event.kind == "begun"] == ["h001"]
    assert "campaign_canary" in run.skipped["h002"]
    # After it, no host begins once three have failed.
    run = Simulated(plan, forks, {**all_fail, "h001": "repaired"}, chance).run()
    begun = [event.host for event in run.events if event.kind == "begun"]
    assert 3 <= len([e for e in run.events if e.result in FAILED]) <= 3 + forks
    assert len(begun) < 4 + forks
    assert "campaign_max_failures" in run.skipped["h200"]
    # And when all goes well all are done.
    run = Simulated(plan, forks, {}, chance).run()
    assert len([event for event in run.events if event.result == "repaired"]) == 200


def test_after_a_failure_waves_stay_small() -> None:
    plan = fleet(hosts(40, WARNING), max_failures=5)
    assert [len(wave.split()) for wave in waves(plan)] == [1, 10, 20, 9]
    run = Simulated(plan, 50, {"h003": "not_repaired"}, random.Random(1)).run()
    assert len(run.deferred) == 10  # of the wave of twenty
    assert not run.skipped


def test_a_cut_repair_is_finished_although_the_run_has_stopped() -> None:
    interrupted = "host.repair_interrupted@default"
    plan = fleet({"a": [WARNING], "b": [interrupted, WARNING]}, max_failures=1, batch=1)
    assert plan.fleet
    (_a, b) = plan.hosts
    assert [step.remedy for step in b.steps] == ["finish_repair", "restart"]
    failed = admission.step_ended("a", plan.hosts[0].steps[0], "not_repaired")
    run = Run(plan.fleet, [failed])
    assert run.admits("b", b.steps, last=True).when == "go"
    assert [bool(run.holds("b", step)) for step in b.steps] == [False, True]
    assert run.admits("b", b.steps[1:], last=True).when == "never"


def test_a_host_that_has_begun_is_repaired_to_its_end() -> None:
    plan = fleet({"a": [OTHER, WARNING], "b": [WARNING]}, max_failures=1)
    assert plan.fleet
    a, b = plan.hosts
    failed = admission.step_ended("a", a.steps[0], "not_repaired")
    run = Run(plan.fleet, [admission.begun("a", a.steps), failed])
    assert run.holds("a", a.steps[1]) == ""
    assert run.admits("b", b.steps, last=True).when == "never"
    late = Run(plan.fleet, [admission.begun("a", a.steps), failed, admission.begun("b", b.steps)])
    assert "campaign_max_failures" in late.holds("b", b.steps[0])


def test_another_host_tries_what_the_canary_could_not() -> None:
    plan = fleet(hosts(6, WARNING))
    run = Simulated(plan, 50, {"h001": "refused"}, random.Random(1)).run()
    assert not run.skipped
    begun = [event.host for event in run.events if event.kind == "begun"]
    assert begun[:2] == ["h001", "h002"]
    first = next(n for n, event in enumerate(run.events) if event.result == "repaired")
    assert not [e for e in run.events[:first] if e.kind == "begun" and e.host not in begun[:2]]


def test_without_room_what_stops_nothing_is_still_done() -> None:
    plan = fleet({"w1": [WARNING, HARMLESS]}, {"web": ["w1"]}, min_healthy={"web": 1})
    (host,) = plan.hosts
    assert [(step.order, step.remedy) for step in host.steps] == [(1, "enable_service")]
    assert host.wave == 1
    (entry,) = host.left
    assert (entry.id, entry.severity.value) == (WARNING, finding(WARNING)["severity"])
