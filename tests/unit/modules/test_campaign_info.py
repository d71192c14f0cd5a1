"""The module as Ansible runs it: options, documentation, answer, memory, old Pythons."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.campaign.remediation.plugins.modules import campaign_info
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.ansible.documentation import (
    options_of,
)

ROOT = Path(__file__).resolve().parents[3]
MODULE = "ansible_collections.campaign.remediation.plugins.modules.campaign_info"
TARGET = sorted((ROOT / "plugins" / "module_utils").rglob("*.py"))


def run(arguments: dict[str, Any], *prefix: str) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [*prefix, sys.executable, "-m", MODULE],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=dict(os.environ, PYTHONPATH=str(ROOT / "playbooks" / "collections")),
    )
    return done.returncode, json.loads(done.stdout)


def test_documentation_and_options_agree() -> None:
    def compare(spec: dict[str, Any], documented: dict[str, Any], where: str) -> None:
        assert set(spec) == set(documented), where
        for name, entry in spec.items():
            told = documented[name]
            for key in ("type", "elements", "default", "choices", "required"):
                assert entry.get(key) == told.get(key), f"{where}{name}: {key}"
            assert told["description"], name
            if "options" in entry:
                compare(entry["options"], told["suboptions"], f"{where}{name}.")

    documented = options_of(campaign_info.DOCUMENTATION)
    compare(campaign_info.argument_spec(), documented, "")


def test_returned_keys_are_documented(tmp_path: Path) -> None:
    told = set(yaml.safe_load(campaign_info.RETURN)["snapshot"]["contains"])
    _code, result = run({"home": str(tmp_path / "none")})
    assert set(result["snapshot"]) == told


def test_a_host_without_campaign_is_no_failure(tmp_path: Path) -> None:
    code, result = run({"home": str(tmp_path / "none"), "_ansible_check_mode": True})
    assert (code, result["changed"], result["snapshot"]["installed"]) == (0, False, False)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({"modules": ["mda"]}, "watchdog, syslogd, stat, mta"),
        ({"timeout": -5}, "timeout must be above 0"),
        ({"home": "relative/nl6"}, "home must be an absolute path"),
        ({"jobs": [{"name": "x", "kind": "sql", "instance": "prod"}]}, "export, import"),
    ],
)
def test_bad_input(arguments: dict[str, Any], part: str) -> None:
    code, result = run(arguments)
    assert code == 1
    assert result["failed"] is True
    assert part in result["msg"]
    assert "\n" not in result["msg"]


def test_the_password_of_a_mailbox_is_not_returned(tmp_path: Path) -> None:
    mailbox = {"instance": "prod", "host": "127.0.0.1", "login": "x", "password": "pa55-of-box"}
    arguments = {"home": str(tmp_path / "none"), "mailboxes": [mailbox]}
    # ansible-core 2.20 and later return the invocation only if they are asked to.
    _code, result = run({**arguments, "_ansible_inject_invocation": True})
    shown = dict(result)
    shown.pop("invocation", None)
    assert "pa55-of-box" not in json.dumps(shown)
    assert result["invocation"]["module_args"]["mailboxes"][0]["password"].startswith("VALUE_")


@pytest.mark.parametrize("path", TARGET, ids=lambda path: path.name)
def test_it_compiles_for_python_3_6(path: Path) -> None:
    """No later syntax in what runs on targets."""
    import ast

    ast.parse(path.read_text(), feature_version=(3, 6))
    assert "from __future__" not in path.read_text()


def test_only_the_standard_library_and_ourselves() -> None:
    import ast

    own = "ansible_collections.campaign.remediation.plugins.module_utils"
    for path in TARGET:
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            # The API's client is Ansible's own HTTP, and nobody imports it without credentials.
            known = (own, "ansible.module_utils") if path.name == "soap.py" else (own,)
            for name in names:
                assert name.startswith(known) or name.split(".")[0] in sys.stdlib_module_names
