"""playbooks/diagnose.yml: every option can be set, and nothing has a second default."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from common import site_variables

Json = dict[str, Any]


@pytest.fixture(scope="module")
def plays(top: Path) -> list[Json]:
    text = (top / "playbooks" / "diagnose.yml").read_text(encoding="utf-8")
    return list(yaml.safe_load(text))


@pytest.fixture(scope="module")
def shared(top: Path) -> list[Json]:
    """What diagnose.yml and the other playbooks have in common."""
    text = (top / "playbooks" / "tasks" / "diagnose.yml").read_text(encoding="utf-8")
    return list(yaml.safe_load(text))


def test_one_diagnosing_task(plays: list[Json], shared: list[Json]) -> None:
    diagnose, report = plays
    (part,) = diagnose["tasks"]
    (block,) = shared
    assert part["ansible.builtin.import_tasks"] == "tasks/diagnose.yml"
    (task,) = block["block"]
    assert "campaign.remediation.campaign_diagnose" in task
    assert task["register"] == "campaign_diagnosis"
    assert task["timeout"]
    assert block["rescue"]
    assert diagnose["gather_facts"] is False
    assert diagnose["ignore_unreachable"] is True
    assert "strategy" not in diagnose, "free costs more the more hosts there are"
    (task,) = report["tasks"]
    assert task["run_once"] is True
    assert diagnose["hosts"] == report["hosts"]


def test_the_report_decides_what_fails(plays: list[Json], shared: list[Json]) -> None:
    """First every host, then the verdict; all other options come from the variables."""
    task = shared[0]["block"][0]
    assert task["campaign.remediation.campaign_diagnose"] == {
        "fail_on": "never", "unless_stopped": True,
    }
    report = plays[1]["tasks"][0]["campaign.remediation.campaign_report"]
    assert report == {
        "directory": "{{ campaign_report_dir | default(omit) }}",
        "formats": "{{ campaign_report_formats | default(omit) }}",
        "previous": "{{ campaign_report_previous | default(omit) }}",
        "fail_on": "{{ campaign_fail_on | default(omit) }}",
        "notify_url": "{{ campaign_notify_url | default(omit) }}",
        "notify_token": "{{ campaign_notify_token | default(omit) }}",
        "notify_link": "{{ campaign_notify_link | default(omit) }}",
    }


def test_time_limit_is_that_of_the_roles(shared: list[Json]) -> None:
    default = site_variables.shared_options()["campaign_task_timeout"]["default"]
    timeout = shared[0]["block"][0]["timeout"]
    assert timeout == f"{{{{ campaign_task_timeout | default({default}) }}}}"


def test_header_names_the_other_variables(
    top: Path, plays: list[Json], known_variables: set[str]
) -> None:
    text = (top / "playbooks" / "diagnose.yml").read_text(encoding="utf-8")
    header = text.split("\n- name:")[0]
    named = set(re.findall(r"\bcampaign_[a-z_]*[a-z]\b", header))
    assert named - {"campaign_diagnose", "campaign_report", "campaign_x"} <= known_variables
    assert {"campaign_hosts", "campaign_report_dir", "campaign_fail_on"} <= named


def test_whatever_looks_at_hosts_can_post_its_report(top: Path) -> None:
    asked, saved = ("diagnose.yml", "remediate.yml", "parts/verify.yml"), ("replay.yml", "show_report.yml")
    for name in (*asked, *saved):
        plays = yaml.safe_load((top / "playbooks" / name).read_text(encoding="utf-8"))
        reports = [task["campaign.remediation.campaign_report"] for play in plays
                   for task in play.get("tasks", ()) if "campaign.remediation.campaign_report" in task]
        (report,) = reports
        options = {key for key in report if key.startswith("notify_")}
        assert options == ({"notify_url", "notify_token", "notify_link"} if name in asked else set()), name


def includes(tasks: list[Json]) -> Iterator[Json]:
    """The arguments of every included role, also inside blocks."""
    for task in tasks:
        if "ansible.builtin.include_role" in task:
            yield task["ansible.builtin.include_role"]
        for part in ("block", "rescue", "always", "tasks", "pre_tasks", "post_tasks"):
            yield from includes(task.get(part) or [])


def test_hosts_with_other_tasks_of_a_role_are_told_apart(top: Path) -> None:
    """Ansible includes a role once for all hosts whose includes are alike, and does not compare
    tasks_from: one host's remedy would be done to others.
    """
    found = []
    for path in [*(top / "roles").rglob("tasks/*.yml"), *(top / "playbooks").rglob("*.yml")]:
        if "collections" in path.relative_to(top).parts or path.name.endswith(".meta.yml"):
            continue
        for given in includes(yaml.safe_load(path.read_text(encoding="utf-8")) or []):
            if "{{" in given.get("tasks_from", ""):
                found.append(path.name)
                applied = given.get("apply", {}).get("vars", {})
                assert applied == {"_campaign_tasks_from": given["tasks_from"]}, path
    assert sorted(found) == ["afterwards.yml", "guarded.yml", "rung.yml"]
