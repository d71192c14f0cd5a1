"""The program that takes a snapshot: run as a host would, by a Python that knows nothing else."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.campaign.remediation.plugins.module_utils import standalone
from ansible_collections.campaign.remediation.plugins.modules.campaign_info import argument_spec
from ansible_collections.campaign.remediation.plugins.plugin_utils.program import (
    enough,
    program,
    replaced,
)

ALONE = "-ISB"  # no environment, no installed library, no compiled file


def options(**given: Any) -> dict[str, Any]:
    return {name: spec.get("default") for name, spec in argument_spec().items()} | given


def run(text: bytes, folder: Path) -> tuple[int, dict[str, Any]]:
    """What the program answers that comes through standard input."""
    done = subprocess.run(
        [sys.executable, ALONE], input=text, capture_output=True, timeout=60, check=False,
        cwd=folder,
    )  # fmt: skip
    assert done.stderr == b""
    return done.returncode, json.loads(done.stdout)


def test_it_needs_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    code, answer = run(program(options(home=str(tmp_path / "none"))), tmp_path)
    assert (code, answer["changed"]) == (0, False)
    snapshot = answer["snapshot"]
    assert snapshot["installed"] is False
    assert [snapshot["probes"][name]["error"] for name in ("machine", "service")] == [None, None]
    assert list(tmp_path.iterdir()) == []


def test_it_runs_from_a_file(tmp_path: Path) -> None:
    """Without pipelining Ansible copies it."""
    file = tmp_path / "program"
    file.write_bytes(program(options(home=str(tmp_path / "none"))))
    done = subprocess.run(
        [sys.executable, ALONE, file], capture_output=True, timeout=60, check=True
    )
    assert json.loads(done.stdout)["snapshot"]["installed"] is False


def test_bad_input_is_one_line(tmp_path: Path) -> None:
    code, answer = run(program(options(timeout=-5.0)), tmp_path)
    assert (code, answer["failed"]) == (1, True)
    assert "timeout must be above 0" in answer["msg"]
    assert "\n" not in answer["msg"]


def test_a_defect_says_where(tmp_path: Path) -> None:
    code, answer = run(program({"timeout": 20.0}), tmp_path)
    assert (code, answer["failed"]) == (1, True)
    assert answer["msg"].endswith(": KeyError: 'probe_timeout'")
    assert "module_utils/snapshot.py" in answer["exception"]
    assert "options[name]" in answer["exception"], "the line itself is not shown"


def test_no_password_comes_back(tmp_path: Path) -> None:
    """Not even where a site wrote it in another option."""
    secret = 'Geheim"17\\'
    given = options(
        home=str(tmp_path / "none"),
        mailboxes=[{"instance": "prod", "host": "mail", "port": 110, "login": "bounces",
                    "password": secret}],
        jobs=[{"name": f"for {secret}", "kind": "export", "instance": "prod", "arguments": None}],
    )  # fmt: skip
    _code, answer = run(program(given), tmp_path)
    assert [job["name"] for job in answer["snapshot"]["jobs_declared"]] == ["for ***"]
    assert "Geheim" not in json.dumps(answer)


def test_an_empty_password_hides_nothing() -> None:
    given = {"api": [{"password": "x"}, {"password": ""}, {"password": None}], "login": "password"}
    assert standalone.passwords(given) == ["x"]


def test_numbers_and_keys_stay_what_they_are() -> None:
    answer: Any = {"port": 110, "a1": ["1", None, True, 1.5]}
    assert standalone.without(["1"], answer) == {"port": 110, "a***": ["***", None, True, 1.5]}


def test_an_old_python_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (2, 7, 18))
    answer = standalone.answer({}, {})
    assert answer["failed"] is True
    assert "3.6 or newer" in answer["msg"] and "ansible_python_interpreter" in answer["msg"]


@pytest.mark.parametrize(("given", "expected"), [
    ({}, True),
    ({"api": [{"login": "x"}]}, False),
    ({"api": [{"login": "x"}], "api_from": "controller"}, True),
])  # fmt: skip
def test_the_api_needs_ansibles_library_on_the_host(given: Any, expected: bool) -> None:
    assert enough(options(**given)) is expected


@dataclasses.dataclass(frozen=True)
class Module:
    """What ansible-core builds since 2.19."""

    b_module_data: bytes
    shebang: str


@pytest.mark.parametrize(("built", "expected"), [
    (("new", "#!/py", b"old", "/path"), ("new", "#!/py", b"own", "/path")),
    ((Module(b"old", "#!/py"), "/path"), (Module(b"own", "#!/py"), "/path")),
    (("something", "else"), ("something", "else")),
    ((1, 2, 3), (1, 2, 3)),
])  # fmt: skip
def test_only_the_text_is_replaced(built: Any, expected: Any) -> None:
    assert replaced(built, b"own") == expected
