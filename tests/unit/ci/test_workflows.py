"""The public CI: pinned, without rights, and nothing in it that make does not do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[3]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
Job = dict[str, Any]


def jobs() -> list[Any]:
    return [
        pytest.param(job, id=f"{path.stem}-{name}")
        for path in WORKFLOWS for name, job in yaml.safe_load(path.read_text())["jobs"].items()
    ]  # fmt: skip


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_rights_are_those_to_read(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    assert not [job for job in workflow["jobs"].values() if "permissions" in job]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_commit_and_tell_their_release(path: Path) -> None:
    lines = [line for line in path.read_text().splitlines() if "uses:" in line]
    assert lines
    for line in lines:
        assert re.search(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+$", line), line


@pytest.mark.parametrize("job", jobs())
def test_every_command_is_a_target_of_make(job: Job) -> None:
    commands = [step["run"] for step in job["steps"] if "run" in step]
    assert commands
    for command in commands:
        words = command.split()
        make = words.index("make")
        assert words[:make] in ([], ["sudo"]), command
        assert words[make + 1] in TARGETS and len(words) == make + 2, command


@pytest.mark.parametrize("job", jobs())
def test_it_ends_by_itself_and_keeps_no_token(job: Job) -> None:
    assert job["timeout-minutes"] <= 90
    for step in job["steps"]:
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_the_matrix_tells_the_ansible_core_that_is_installed() -> None:
    runtime = (ROOT / "requirements" / "runtime.txt").read_text().splitlines()
    cores = [Requirement(line) for line in runtime if line.startswith("ansible-core")]
    (workflow,) = (path for path in WORKFLOWS if path.name == "test.yml")
    rows = yaml.safe_load(workflow.read_text())["jobs"]["test"]["strategy"]["matrix"]["include"]
    assert {row["core"] for row in rows} == {
        ".".join(str(core.specifier).lstrip("=").split(".")[:2]) for core in cores
    }
    for row in rows:
        (core,) = (core for core in cores
                   if core.marker and core.marker.evaluate({"python_version": row["python"]}))
        assert core.specifier.contains(f"{row['core']}.{str(core.specifier).split('.')[-1]}")
