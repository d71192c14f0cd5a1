"""The saved runs that other tests replay are what the collection does today. Where one fails, run
tools/saved_runs.py again.
"""

from __future__ import annotations

import importlib.util
import json

import pytest
from jsonschema import Draft202012Validator

from doctor.replay import SAVED, saved
from integration.harness import CHECKOUT

NAMES = sorted(path.stem for path in SAVED.iterdir())
SCHEMA = Draft202012Validator(json.loads((CHECKOUT / "docs" / "report.schema.json").read_text()))


def test_they_are_those_that_the_tool_makes() -> None:
    spec = importlib.util.spec_from_file_location(
        "saved_runs", CHECKOUT / "tools" / "saved_runs.py")
    assert spec is not None and spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert sorted(tool.RUNS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_its_report_is_as_the_schema_says(name: str) -> None:
    report = saved(name)["report"]
    if name == "no_such_instance":
        assert report is None, "it is refused before anything is reported"
    else:
        assert [error.message for error in SCHEMA.iter_errors(report)] == []


@pytest.mark.parametrize("name", NAMES)
def test_its_tasks_are_those_of_the_playbooks(name: str) -> None:
    begun = [event["event_data"] for event in saved(name)["events"]
             if event["event"] == "playbook_on_task_start"]
    assert begun
    for data in begun:
        if data["task"].startswith("Validating arguments against arg spec"):
            continue  # Ansible's own
        path = data["task_path"].removeprefix("/srv/collection/").rpartition(":")[0]
        parts = (CHECKOUT / path).read_text().split(f"- name: {data['task']}\n")[1:]
        actions = [part.partition("- name: ")[0] for part in parts]
        assert any(f"{data['task_action']}:" in action for action in actions), data
