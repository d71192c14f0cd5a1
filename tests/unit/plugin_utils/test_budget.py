"""What is left of the restart budget: a number only where the ledger says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from unit.plugin_utils.builder import Snapshot, ago, data, fail, healthy

from ansible_collections.campaign.remediation.plugins.action import campaign_diagnose
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.budget import (
    Budget,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.diagnose import (
    diagnose,
)

HOUR = Budget(3, 60)


def server(*minutes: float) -> Snapshot:
    """A server on which we have restarted the mta so many minutes ago."""
    snapshot = healthy("prod")
    snapshot["asked"]["log_window"] = 60
    data(snapshot, "ledger")["restarts"] = [
        {"module": "mta", "instance": "prod", "times": [ago(minutes=each) for each in minutes]}]
    return snapshot


def left(snapshot: Snapshot, budget: Budget | None = HOUR) -> dict[str, Any]:
    """By module; those of which it is unknown have none."""
    modules = diagnose(snapshot, "app1", budget=budget).as_dict()["modules"]
    return {each["module"]: each["restart_budget_left"] for each in modules if "restart_budget_left" in each}


def test_what_was_restarted_within_the_period_is_spent() -> None:
    found = left(server(70, 50, 10))
    assert found["mta"] == 1 and found["wfserver"] == 3
    assert left(server(70, 50, 10), Budget(3, 30))["mta"] == 2
    assert left(server(4, 3, 2, 1))["mta"] == 0


def shorter(snapshot: Snapshot) -> None:
    snapshot["asked"]["log_window"] = 30


def older(snapshot: Snapshot) -> None:
    del snapshot["asked"]["log_window"]


def cut(snapshot: Snapshot) -> None:
    data(snapshot, "ledger")["begins"] = [ago(minutes=59)]


@pytest.mark.parametrize("hide", [lambda snapshot: fail(snapshot, "ledger"), shorter, older, cut],
                         ids=["failed", "shorter window", "unknown window", "cut"])
def test_what_the_ledger_does_not_say_is_absent(hide: Callable[[Snapshot], None]) -> None:
    snapshot = server(10)
    hide(snapshot)
    assert left(snapshot) == {}


def test_a_list_that_may_go_on_is_no_number() -> None:
    assert "mta" not in left(server(*range(1, 21)), Budget(50, 60))
    assert left(server(*range(1, 21)))["mta"] == 0
    assert left(server(10), None) == {}


@pytest.mark.parametrize(("given", "wanted"), [
    ({}, HOUR),
    ({"campaign_restart_budget": "5", "campaign_restart_budget_minutes": 30}, Budget(5, 30)),
    ({"campaign_restart_budget": "many"}, None),
])  # fmt: skip
def test_the_budget_is_that_of_the_site(given: dict[str, Any], wanted: Budget | None) -> None:
    action = campaign_diagnose.ActionModule.__new__(campaign_diagnose.ActionModule)
    action._templar = None
    assert action._budget(given) == wanted
