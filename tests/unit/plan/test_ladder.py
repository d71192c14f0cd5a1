"""The tables of remedies hold together, and with the catalogue and the documentation."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.campaign.remediation.plugins.action import campaign_plan as action
from ansible_collections.campaign.remediation.plugins.modules import campaign_plan
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.catalogue import (
    BY_KEY,
    CATALOGUE,
    ORDER,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.model import (
    Problem,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning import (
    ladder,
    policy,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning.make import (
    WHYS,
)

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "user" / "plan.md").read_text(encoding="utf-8")
REPAIRED = [problem for problem in CATALOGUE if problem.remedy]


@pytest.mark.parametrize("problem", REPAIRED, ids=lambda problem: problem.key)
def test_a_ladder_begins_with_the_documented_remedy_and_only_climbs(problem: Problem) -> None:
    rungs = ladder.rungs(problem.key, str(problem.remedy))
    assert rungs[0] == problem.remedy
    levels = [ladder.REMEDIES[rung].level for rung in rungs]
    assert levels == sorted(set(levels))


def test_the_contract_s_order_of_mildness() -> None:
    rungs = ("reload", "restart", "kill_and_start", "rebuild_shared_memory", "restart_service")
    levels = [ladder.REMEDIES[rung].level for rung in rungs]
    assert levels == sorted(set(levels))
    assert rungs[1:] == ladder.HIGHEST


def test_tables_name_what_exists() -> None:
    assert set(ladder.AFTER_KEY) <= {problem.key for problem in REPAIRED}
    assert all(set(remedy.then) <= set(ladder.REMEDIES) for remedy in ladder.REMEDIES.values())
    assert all(remedy.covers <= set(ladder.REMEDIES) for remedy in ladder.REMEDIES.values())
    assert set(ladder.ROLES) == set(ORDER)


def test_what_covers_is_no_milder() -> None:
    for stronger in ladder.REMEDIES.values():
        for milder in stronger.covers:
            assert ladder.REMEDIES[milder].level <= stronger.level
            assert ladder.RANK[milder] < ladder.RANK[stronger.name]


def test_ladders_that_matter() -> None:
    assert ladder.rungs("web.errors_restart_helps", "restart") == ("restart", "kill_and_start")
    assert ladder.rungs("stat.quotas_not_loaded", "reload") == ("reload", "restart")
    assert ladder.rungs("mta.not_running", "start") == ("start",)
    assert ladder.rungs("watchdog.memory_alert", "restart_service") == ("restart_service",)


def test_stops_say_what_they_cut_off() -> None:
    assert "workflow" in (ladder.cancels("restart", "wfserver") or "")
    assert ladder.cancels("start", "wfserver") is None
    assert ladder.cancels("rebuild_shared_memory", "trackinglogd") == ladder.ALL_WORK


# --- documentation ----------------------------------------------------------------------------


def test_the_page_names_every_variable_and_reason() -> None:
    for option in policy.OPTIONS:
        assert f"`campaign_{option}`" in PAGE
    for why in WHYS:
        assert f"`{why}`" in PAGE


def test_every_policy_variable_is_an_option() -> None:
    documented = yaml.safe_load(campaign_plan.DOCUMENTATION)["options"]
    assert set(policy.OPTIONS) <= set(documented)
    assert set(documented) == set(action.ARGUMENTS)
    for option in policy.OPTIONS:
        assert "default" not in documented[option]  # it is the host's own variable
        assert f"C(campaign_{option})" in " ".join(documented[option]["description"])
    for highest in ladder.HIGHEST:
        assert f"V({highest})" in " ".join(documented["highest_rung"]["description"])


def test_catalogue_remedies_are_known() -> None:
    assert {problem.remedy for problem in BY_KEY.values() if problem.remedy} <= set(ladder.REMEDIES)
