"""Two jobs of a workflow: the first one plans, the second one applies that plan. Only the statistics
of the first reach the second, as in AWX.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from campaign_doctor.digest import digest
from integration.harness import Run
from integration.remediate.remedies import Site
from integration.remediate.test_remediate_playbook import QUICK

STATISTICS = {"ANSIBLE_SHOW_CUSTOM_STATS": "true"}
Json = dict[str, Any]


def handed_on(run: Run) -> Json:
    """What the run gives to the next job."""
    text = run.output.partition("RUN: ")[2]
    found: Json = json.JSONDecoder().raw_decode(text)[0]
    return found


@pytest.fixture
def statistics(site: Site, tmp_path: Path) -> Json:
    """Of a job that plans the repair of wfserver."""
    site.ctl("break", "module_hung:wfserver")
    run = site.remediate(
        tmp_path / "planning", env=STATISTICS,
        variables={**QUICK, "campaign_plan_only": True, "campaign_who": "anna"},
    )
    assert run.code == 0, str(run)
    assert site.ledger() == []
    return handed_on(run)


def test_a_plan_travels_in_the_statistics_alone(
    site: Site, statistics: Json, tmp_path: Path
) -> None:
    assert statistics["campaign_plan_verdict"] == "planned"
    assert statistics["campaign_verdict"] == "down"
    assert "wfserver.hung" in {root["key"] for root in statistics["campaign_roots"]}
    assert len(json.dumps(statistics)) < 10_000
    hostile = statistics["campaign_plan_data"]
    caught = tmp_path / "template-evaluated"
    hostile["hosts"][0]["steps"][0]["title"] += (
        "{{ lookup('ansible.builtin.pipe', 'touch %s') }}" % caught
    )
    hostile["approval"] = {
        "by": "paul", "at": "2026-11-29T12:00:00Z", "sha256": digest(hostile),
    }
    before = site.pids()
    job = tmp_path / "job.json"
    job.write_text(json.dumps(statistics))
    run = site.remediate(
        tmp_path / "applying", "-e", f"@{job}",
        variables={**QUICK, "campaign_approval": "required"},
    )
    (action,) = run.host("app1")["actions"]
    assert (action["remedy"], action["result"]) == ("kill_and_start", "repaired"), str(run)
    after = site.pids()
    assert {name for name in before if before[name] != after[name]} == {"wfserver@prod"}
    assert not caught.exists()
    told = "made by anna, approved by paul at 2026-11-29T12:00:00Z"
    (note,) = run.host("app1")["plan_notes"]
    (opened,) = [line for line in site.ledger() if line["event"] == "run_opened"]
    assert told in note
    assert told in opened["reason"]


def test_what_requires_an_approval_is_refused_before_any_host_is_asked(
    site: Site, statistics: Json, tmp_path: Path
) -> None:
    data = {"campaign_plan_data": json.dumps(statistics["campaign_plan_data"])}
    for number, (given, reason) in enumerate([
        (data, "app1: campaign_approval is required, and nobody has approved this plan"),
        ({**data, "campaign_plan_file": "plan.json"}, "which plan is meant?"),
        ({"campaign_plan_data": "no plan"}, "campaign_plan_data: this is not a plan as JSON"),
    ]):
        run = site.remediate(
            tmp_path / str(number), variables={**QUICK, **given, "campaign_approval": "required"}
        )
        assert run.code != 0
        assert reason in run.output, str(run)
        assert "Take a snapshot" not in run.output
    assert site.ledger() == []


def test_a_step_that_asks_where_there_is_no_terminal(site: Site, tmp_path: Path) -> None:
    site.ctl("break", "module_hung:wfserver")
    run = site.remediate(tmp_path / "asking", variables={**QUICK, "campaign_ask": True})
    (action,) = run.host("app1")["actions"]
    assert action["result"] == "skipped"
    assert "not given: there is no terminal to ask at (campaign_ask)" in action["reason"]
    assert run.seconds < 60
    assert [line for line in site.ledger() if line["event"] == "begun"] == []
