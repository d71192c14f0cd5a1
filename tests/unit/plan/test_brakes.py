"""The brakes as a site writes them, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning.brakes import (
    OPTIONS,
    Amount,
    Brakes,
    same_for_all,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning.policy import (
    InvalidPolicy,
)

GROUPS = {"all": {"a", "b", "c"}, "web": {"a", "b", "c"}, "mid": {"a"}}


@pytest.mark.parametrize(
    ("planned", "failures", "batch"),
    [(1, 1, 1), (3, 1, 1), (8, 2, 2), (12, 3, 3), (200, 3, 50)],
)
def test_the_defaults(planned: int, failures: int, batch: int) -> None:
    brakes = Brakes.of(dict.fromkeys(OPTIONS))
    assert brakes == Brakes()
    assert (brakes.failures(planned), brakes.first_batch(planned)) == (failures, batch)
    assert brakes.at_once(planned) == planned
    assert (brakes.canary, brakes.canary_from, brakes.accepts("mta.not_running")) == (1, 3, False)


@pytest.mark.parametrize(
    ("value", "hosts", "up", "number"),
    [(5, 3, False, 5), ("5", 3, False, 5), ("25%", 10, False, 2), ("25 %", 10, True, 3),
     ("100%", 7, False, 7)],
)
def test_an_amount(value: Any, hosts: int, up: bool, number: int) -> None:
    assert Brakes.of({"batch": value}).batch.of(hosts, up=up) == number


@pytest.mark.parametrize(
    ("option", "value", "named"),
    [
        ("batch", "120%", "at most 100%"), ("batch", 0, "at least 1"), ("batch", "0%", "at least 1"),
        ("batch", "-1", "a number of hosts or a percentage"), ("batch", True, "not True"),
        ("batch", [1, 2], "a number of hosts"), ("serial", "half", "a number of hosts"),
        ("max_failures", 1.5, "a number of hosts"), ("canary", "1%", "0 or more"),
        ("canary_from", -1, "0 or more"), ("storm_percent", 101, "from 1 to 100"),
        ("storm_percent", 0, "from 1 to 100"), ("min_healthy", ["web"], "must map groups"),
        ("min_healthy", {"web": "120%"}, "min_healthy: web must be at least 1 and at most 100%"),
        ("accept_storm", ["mta.nothing"], "'mta.nothing' is not a finding key"),
        ("accept_storm", 7, "true or a list"),
    ],
)
def test_what_is_refused_names_the_variable(option: str, value: Any, named: str) -> None:
    with pytest.raises(InvalidPolicy) as refused:
        Brakes.of({option: value})
    assert str(refused.value).startswith(f"campaign_{option}")
    assert named in str(refused.value)
    assert "\n" not in str(refused.value)


def test_storms_that_are_accepted() -> None:
    for value in (True, "yes", ["mta.not_running"], "mta.not_running"):
        assert Brakes.of({"accept_storm": value}).accepts("mta.not_running"), value
    for value in (False, "no", ["web.hung"], []):
        assert not Brakes.of({"accept_storm": value}).accepts("mta.not_running"), value


@pytest.mark.parametrize(
    ("wanted", "minimum"),
    [({"web": 2}, {"web": 2}), ({"web": "50%"}, {"web": 2}), ({"mid": "100%"}, {"mid": 1}), ({}, {})],
)
def test_how_many_must_be_healthy(wanted: Any, minimum: Any) -> None:
    assert Brakes.of({"min_healthy": wanted}).minimums(GROUPS) == minimum


@pytest.mark.parametrize(
    ("wanted", "named"),
    [({"wbe": 1}, "the inventory has no group 'wbe'"), ({"mid": 2}, "only 1 in the inventory")],
)
def test_a_group_that_cannot_be_so_is_refused(wanted: Any, named: str) -> None:
    with pytest.raises(InvalidPolicy, match="campaign_min_healthy") as refused:
        Brakes.of({"min_healthy": wanted}).minimums(GROUPS)
    assert named in str(refused.value)


def test_all_hosts_of_a_run_have_the_same() -> None:
    same = Brakes(canary=2)
    assert same_for_all({"a": same, "b": Brakes(canary=2)}) == same
    assert same_for_all({}) == Brakes()
    with pytest.raises(InvalidPolicy, match="campaign_batch differs between a and b"):
        same_for_all({"a": same, "b": Brakes(canary=2, batch=Amount(3))})
