"""The programs that are sent: run as a host would, by a Python that knows nothing else."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from unit.module_utils.rooms import PACKAGE, imported

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.payload import (
    bootstrap,
)
from ansible_collections.campaign.remediation.plugins.modules.campaign_info import argument_spec
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.ansible.payload import (
    CHANGING,
    NEEDED,
    SNAPSHOT,
    enough,
    files,
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


def reached(first: str, left_out: str) -> set[str]:
    """The files that are imported from the first one on, early or late, but not this room's."""
    found: set[str] = set()
    open_ = [first]
    while open_:
        name = open_.pop()
        if name in found or name.startswith(f"{left_out}."):
            continue
        found.add(name)
        path = PACKAGE / f"{name.replace('.', '/')}.py"
        open_ += [f"{room}.{file}".lstrip(".") for room, file in imported(path)]
    return found


def test_it_brings_what_is_imported_and_nothing_else() -> None:
    """Only the API is asked by Ansible's own library (see enough)."""
    snapshot = reached("payload.isolated", left_out="api")
    assert set(files(NEEDED)) == snapshot
    assert set(files(CHANGING)) == reached("repair.sent", left_out="api") - snapshot


def test_another_python_compiles_it_itself(tmp_path: Path) -> None:
    text = program(options(home=str(tmp_path / "none")))
    mine = repr(bootstrap.this_python()).encode()
    assert text.count(mine) == 1
    for python in (b"'cpython-36 330d0d0a'", b"''"):
        code, answer = run(text.replace(mine, python), tmp_path)
        assert (code, answer["snapshot"]["installed"]) == (0, False)
    # This one does not: it runs what came along.
    broken = text.replace(repr(SNAPSHOT.compiled["command"]).encode(), b"'AAAA'", 1)
    assert run(broken, tmp_path)[1]["failed"] is True


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
    assert "_campaign/snapshot/collect.py" in answer["exception"]
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
    assert bootstrap.passwords(given) == ["x"]


def test_numbers_and_keys_stay_what_they_are() -> None:
    answer: Any = {"port": 110, "a1": ["1", None, True, 1.5]}
    assert bootstrap.without(["1"], answer) == {"port": 110, "a***": ["***", None, True, 1.5]}


def test_an_old_python_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (2, 7, 18))
    answer = bootstrap.answer({}, "payload.isolated", {})
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
