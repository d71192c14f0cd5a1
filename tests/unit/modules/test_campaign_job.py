"""campaign_job: options, documentation, bad input; nothing is launched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.repair import (
    job_launch,
)
from ansible_collections.campaign.remediation.plugins.modules import campaign_info, campaign_job
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.ansible.documentation import (
    options_of,
)

ROOT = Path(__file__).resolve().parents[3]
MODULE = "ansible_collections.campaign.remediation.plugins.modules.campaign_job"
DOCUMENTED = options_of(campaign_job.DOCUMENTATION)
JOB = {"name": "x", "kind": "export", "instance": "prod", "operator": "anna.berg",
       "arguments": {"full": ["-job:x", "-password:geheim77"]}}  # fmt: skip


def run(**arguments: Any) -> str:
    done = subprocess.run(
        [sys.executable, "-m", MODULE], input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
        capture_output=True, text=True, timeout=60, check=False,
        env=dict(os.environ, PYTHONPATH=str(ROOT / "playbooks" / "collections")),
    )  # fmt: skip
    assert "Traceback" not in done.stdout + done.stderr
    return done.stdout


def agree(spec: dict[str, Any], documented: dict[str, Any]) -> None:
    assert set(spec) == set(documented)
    for name, entry in spec.items():
        for key in ("type", "elements", "default", "choices", "required", "aliases"):
            assert entry.get(key) == documented[name].get(key), (name, key)
        if "options" in entry:
            agree(entry["options"], documented[name]["suboptions"])


def test_documentation_and_options_agree() -> None:
    agree(campaign_job.argument_spec(), DOCUMENTED)


def test_jobs_are_declared_once_for_all_modules() -> None:
    mine = campaign_job.argument_spec()["job"]["options"]
    assert mine == campaign_info.argument_spec()["jobs"]["options"]


def test_everything_returned_is_documented() -> None:
    documented = yaml.safe_load(campaign_job.RETURN)
    assert set(job_launch.blank()) - {"changed", "failed", "warnings"} <= set(documented)


def test_examples_use_known_options() -> None:
    for task in yaml.safe_load(campaign_job.EXAMPLES):
        assert set(task["campaign.remediation.campaign_job"]) <= set(DOCUMENTED)


@pytest.mark.parametrize(("more", "words"), [
    ({}, "no Campaign server in /nonexistent"),
    ({"wait": -1}, "wait must be"),
    ({"mode": "both"}, "delta, full"),
    ({"job": {"name": "x"}}, "missing required arguments"),
    ({"state_dir": "here"}, "state_dir must be"),
])  # fmt: skip
def test_bad_input(more: dict[str, Any], words: str) -> None:
    said = run(**{"home": "/nonexistent", "job": JOB, "mode": "full", **more})
    if "state_dir" not in more:  # Ansible makes a path absolute
        assert words in json.loads(said)["msg"]
    assert json.loads(said)["failed"] is True


def test_secrets_of_a_job_are_not_returned() -> None:
    assert "geheim77" not in run(home="/nonexistent", job=JOB, jobs=[JOB], mode="full")
