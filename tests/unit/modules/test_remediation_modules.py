"""Modules that change something: options, documentation, bad input; nothing is written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.repair import control
from ansible_collections.campaign.remediation.plugins.modules import (
    campaign_file,
    campaign_guard,
    campaign_module,
    campaign_port,
    campaign_workflow,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.ansible.documentation import (
    options_of,
)

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = "ansible_collections.campaign.remediation.plugins.modules."
PLUGINS = [campaign_module, campaign_guard, campaign_workflow, campaign_file, campaign_port]


def run(name: str, **arguments: Any) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", PACKAGE + name],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
        capture_output=True, text=True, timeout=60, check=False,
        env=dict(os.environ, PYTHONPATH=str(ROOT / "playbooks" / "collections")),
    )  # fmt: skip
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.mark.parametrize("plugin", PLUGINS)
def test_documentation_and_options_agree(plugin: ModuleType) -> None:
    documented = options_of(plugin.DOCUMENTATION)
    spec = plugin.argument_spec()
    assert set(spec) == set(documented)
    for name, entry in spec.items():
        for key in ("type", "elements", "default", "choices", "required", "aliases"):
            assert entry.get(key) == documented[name].get(key), (name, key)


@pytest.mark.parametrize("plugin", PLUGINS)
def test_examples_use_known_options(plugin: ModuleType) -> None:
    spec = plugin.argument_spec()
    name = "campaign.remediation." + plugin.__name__.rpartition(".")[2]
    tasks = yaml.safe_load(plugin.EXAMPLES)
    tasks += [task for block in tasks for task in block.get("block", [])]
    used = [task[name] for task in tasks if name in task]
    assert used
    for options in used:
        assert set(options) <= set(spec)


def test_documented_filters_are_the_known_ones() -> None:
    words = " ".join(yaml.safe_load(campaign_module.DOCUMENTATION)["options"]["trace_filters"]
                     ["description"])  # fmt: skip
    for name in control.FILTERS:
        assert "V(%s)" % name in words


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("campaign_module", {"module": "wfserver", "wait": -1}, "wait must be"),
        ("campaign_module", {"module": "wfserver", "log_precision": "trace"}, "trace_filters"),
        ("campaign_module", {"module": "wfserver"}, "no Campaign server in"),
        ("campaign_module", {"module": "nothing"}, "must be one of"),
        ("campaign_guard", {"state": "begun"}, "begun needs run"),
        ("campaign_guard", {"state": "begun", "run": "r"}, "begun needs remedy"),
        ("campaign_guard", {"state": "opened"}, "no Campaign server in"),
    ],
)
def test_bad_input_is_one_line(
    tmp_path: Path, name: str, arguments: dict[str, Any], words: str
) -> None:
    result = run(name, home=str(tmp_path / "nl6"), user="root", **arguments)
    assert result["failed"] and words in result["msg"] and "\n" not in result["msg"]
    assert "exception" not in result
    assert not list(tmp_path.iterdir())
