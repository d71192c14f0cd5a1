"""The remedies: catalogue, ladder and the roles' task files name the same ones."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from ansible_collections.campaign.remediation.plugins.action import (
    campaign_file,
    campaign_guard,
    campaign_job,
    campaign_module,
    campaign_workflow,
)
from ansible_collections.campaign.remediation.plugins.modules import (
    campaign_file as file_module,
    campaign_guard as guard_module,
    campaign_job as job_module,
    campaign_module as module_module,
    campaign_workflow as workflow_module,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning import ladder

PLAYBOOKS = {
    "check", "check_syslogd", "collect_evidence", "diagnose", "event", "pause",
    "raise_log_precision",
    "rebuild_tracking_memory", "relaunch_export", "relaunch_import", "reload_configuration",
    "remediate", "restart_module", "restart_wfserver", "restore_log_precision", "resume",
    "start_campaign",
    "start_module", "start_workflow", "stop_module", "unlock",
}
WITHOUT_SERVERS = {"replay", "show_report"}
Documented = dict[str, set[str]]


@pytest.fixture
def documented(generator: ModuleType) -> Documented:
    """Role to its remedies."""
    return {role: set(generator.remedies_of(role)) for role in generator.ROLES}


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_every_remedy_has_its_file_and_no_other(top: Path, documented: Documented) -> None:
    for role, remedies in documented.items():
        files = {path.stem for path in (top / "roles" / role / "tasks").glob("*.yml")}
        assert files - {"main", "diagnose", "restart_instance"} == remedies, role


def own_modules(path: Path) -> set[str]:
    """The modules of this collection that a remedy's file calls."""
    text = path.read_text(encoding="utf-8")
    return set(re.findall(r"^ *campaign\.remediation\.(\w+):$", text, re.MULTILINE))


def test_what_asks_no_guard_by_itself_is_bracketed(top: Path, documented: Documented) -> None:
    """Guards: one call of a module that asks them, or campaign_guard around all tasks of the remedy."""
    asking = {"campaign_job", "campaign_module", "campaign_workflow"}
    for role, remedies in documented.items():
        for remedy in remedies:
            path = top / "roles" / role / "tasks" / f"{remedy}.yml"
            by_itself = own_modules(path) and own_modules(path) <= asking
            bracketed = ladder.REMEDIES[remedy].guard is not None
            several = len([task for task in load(path) if "assert" not in str(task)]) > 1
            assert bracketed or (by_itself and not several), path


def test_the_brackets_of_what_stops_the_whole_server() -> None:
    guards = {name: each.guard for name, each in ladder.REMEDIES.items() if each.guard}
    whole = {name for name, guard in guards.items() if guard.whole_server}
    assert whole == {name for name, each in ladder.REMEDIES.items() if each.host_wide}
    assert all(guards[name].restart for name in whole)


def test_a_remedy_is_an_order_of_its_own_or_a_problem_s(documented: Documented) -> None:
    assert set(ladder.REMEDIES) == set().union(*documented.values())
    assert set(ladder.AFTERWARDS.values()) <= {
        name for name, remedy in ladder.REMEDIES.items() if remedy.offered
    }


def test_playbooks(top: Path) -> None:
    found = {path.stem for path in (top / "playbooks").glob("*.yml")}
    own = {name for name in found if "." not in name}
    assert own == PLAYBOOKS | WITHOUT_SERVERS
    assert found - own == {f"{name}.meta" for name in own}


@pytest.mark.parametrize("name", sorted(WITHOUT_SERVERS))
def test_playbooks_that_need_no_inventory(top: Path, name: str) -> None:
    text = (top / "playbooks" / f"{name}.yml").read_text(encoding="utf-8")
    assert f"ansible-playbook playbooks/{name}.yml -e campaign_" in text.split("\n- name:")[0]
    plays = load(top / "playbooks" / f"{name}.yml")
    assert plays[0]["hosts"] == "localhost"
    assert all(play["hosts"] in ("localhost", "campaign_replayed") for play in plays)


@pytest.mark.parametrize("name", sorted(PLAYBOOKS))
def test_header_shows_how_it_is_run(top: Path, name: str) -> None:
    text = (top / "playbooks" / f"{name}.yml").read_text(encoding="utf-8")
    header = text.split("\n- name:")[0]
    assert f"ansible-playbook playbooks/{name}.yml -i " in header
    assert "campaign_" in header


def test_action_groups_have_every_module(top: Path) -> None:
    groups = load(top / "meta" / "runtime.yml")["action_groups"]
    assert groups["all"] == sorted(p.stem for p in (top / "plugins" / "modules").glob("*.py"))


@pytest.mark.parametrize(
    ("action", "module"),
    [
        (campaign_file, file_module),
        (campaign_guard, guard_module),
        (campaign_job, job_module),
        (campaign_module, module_module),
        (campaign_workflow, workflow_module),
    ],
)
def test_actions_fill_in_options_that_exist(action: Any, module: Any) -> None:
    spec = job_module.argument_spec() if module is job_module else module.argument_spec()
    assert set(action.ActionModule.OPTIONS) <= set(spec)
    assert not {"module", "instance", "state", "job"} & set(action.ActionModule.OPTIONS)
