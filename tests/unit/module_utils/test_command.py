"""Argument lists, limits, and processes that do not want to end."""

from __future__ import annotations

import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.campaign.remediation.plugins.module_utils._campaign import command
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.errors import (
    ProbeError,
)


def runner(**more: Any) -> command.Runner:
    return command.Runner("neolane", "/usr/local/neolane", **more)


def test_how_a_command_is_started() -> None:
    calls: list[Any] = []

    def start(arguments: list[str], **more: Any) -> Any:
        calls.append((arguments, more))
        return subprocess.Popen(["true"], **more)

    result = runner(start=start).run(["nlserver", "pdump"], 5, {"XTK_VAR_DIR": "/v"})
    assert result.return_code == 0
    assert len(calls) == 1
    arguments, more = calls[0]
    assert arguments == ["nlserver", "pdump"]
    assert more["start_new_session"] is True
    assert more["stdin"] == subprocess.DEVNULL
    assert more["cwd"] == "/"
    assert more["env"] == {
        "PATH": command.PATH,
        "HOME": "/usr/local/neolane",
        "USER": "neolane",
        "LOGNAME": "neolane",
        "LC_ALL": "C",
        "XTK_VAR_DIR": "/v",
    }
    assert "shell" not in more


def test_outputs_and_code() -> None:
    result = runner().run(["sh", "-c", "echo out; echo err >&2; exit 3"], 5)
    assert (result.return_code, result.out, result.err) == (3, b"out\n", b"err\n")


def test_no_such_command() -> None:
    with pytest.raises(ProbeError) as caught:
        runner().run(["/no/such/nlserver"], 5)
    assert caught.value.kind == "missing"
    assert "/no/such/nlserver" in caught.value.message


def test_a_file_that_may_not_be_run(tmp_path: Any) -> None:
    (tmp_path / "nlserver").write_text("x")
    with pytest.raises(ProbeError) as caught:
        runner().run([str(tmp_path / "nlserver")], 5)
    assert caught.value.kind == "denied"


def test_output_is_cut_and_the_rest_drained() -> None:
    size = command.OUTPUT_LIMIT * 3
    result = runner().run(["head", "-c", str(size), "/dev/zero"], 10)
    assert result.return_code == 0
    assert len(result.out) == command.OUTPUT_LIMIT


def test_a_hanging_command_is_killed_with_its_children(tmp_path: Any) -> None:
    pids = tmp_path / "pids"
    script = f'trap "" TERM; sleep 60 & echo $$ $! > "{pids}"; wait; sleep 60'
    started = time.monotonic()
    with pytest.raises(ProbeError) as caught:
        runner().run(["sh", "-c", script], 0.5)
    assert caught.value.kind == "timeout"
    assert time.monotonic() - started < 300
    for pid in pids.read_text().split():
        assert gone(int(pid)), f"still there: {pid}"


def gone(pid: int) -> bool:
    for _ in range(1500):
        try:
            with open(f"/proc/{pid}/stat") as stream:
                if stream.read().rpartition(")")[2].split()[0] == "Z":
                    return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


def test_a_command_that_closes_its_output_and_stays() -> None:
    with pytest.raises(ProbeError, match="did not answer"):
        runner().run(["sh", "-c", "exec sleep 60 >&- 2>&-"], 0.3)


def test_side_by_side() -> None:
    release = threading.Event()

    def broken() -> None:
        raise ValueError("oops")

    def denied() -> None:
        raise PermissionError(13, "Permission denied", "/x")

    started = time.monotonic()
    calls = command.side_by_side([lambda: 1, broken, denied, release.wait], 0.3)
    release.set()
    assert time.monotonic() - started < 30
    assert (calls[0].value, calls[0].error) == (1, None)
    assert calls[1].error.as_data() == {"kind": "failed", "message": "ValueError: oops"}
    assert calls[2].error.as_data() == {"kind": "denied", "message": "/x: Permission denied"}
    assert calls[3].error.kind == "timeout"


def test_a_value_is_worked_out_once() -> None:
    once, calls = command.Once(), []

    def slow() -> int:
        calls.append(1)
        time.sleep(0.05)
        return 7

    results = command.side_by_side([lambda: once.get("a", slow)] * 4, 5)
    assert [result.value for result in results] == [7] * 4
    assert len(calls) == 1


def test_a_child_process_answers() -> None:
    assert command.in_child(lambda: b"x" * 300000, 10) == b"x" * 300000


def test_a_child_process_that_does_not_answer_is_left() -> None:
    started = time.monotonic()
    assert command.in_child(lambda: time.sleep(60), 0.3) is None
    assert time.monotonic() - started < 30


def test_a_child_process_does_not_hold_the_output() -> None:
    """Or Ansible would wait for a process that cannot end."""
    found = command.in_child(
        lambda: b"\n".join(bytes(Path(f"/proc/self/fd/{fd}").readlink()) for fd in (0, 1, 2)), 10
    )
    assert found == b"/dev/null\n/dev/null\n/dev/null"
