"""Commands that start what goes on after them."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ansible_collections.campaign.remediation.plugins.module_utils._campaign import finish

ENVIRONMENT = {"PATH": "/usr/bin:/bin"}


def run(script: str, limit: float = 10.0) -> tuple[int | None, bytes, str | None]:
    return finish.finish(["sh", "-c", script], ENVIRONMENT, limit)


def test_code_and_output() -> None:
    assert run("echo out; echo err >&2; exit 3") == (3, b"out\nerr\n", None)


def test_what_it_starts_does_not_hold_us_and_stays(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    started = time.monotonic()
    assert run(f"sleep 60 & echo $! > {pid}")[0] == 0
    assert time.monotonic() - started < 5
    os.kill(int(pid.read_text()), 15)


def test_a_command_that_does_not_end_is_ended_alone(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    code, _said, why = run(f"sleep 60 & echo $! > {pid}; trap '' TERM; echo no; sleep 60; :", 0.3)
    assert code is None
    assert why == "It did not finish within 0.3 s and was terminated."
    os.kill(int(pid.read_text()), 15)


def test_output_without_end_fills_no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    real = os.ftruncate

    def truncate(descriptor: int, size: int) -> None:
        sizes.append(os.fstat(descriptor).st_size)
        real(descriptor, size)

    monkeypatch.setattr(os, "ftruncate", truncate)
    started = time.monotonic()
    code, said, why = run("while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxx; done", 60)
    assert (code, why) == (None, "It wrote more than 16 MB of output and was killed.")
    assert len(said) <= finish.SAID_LIMIT
    assert sum(sizes) >= finish.FLOOD, "it was ended too early"
    assert max(sizes) < 512 * 1024 * 1024
    assert time.monotonic() - started < 50


def test_a_full_disk_does_not_stop_a_repair(monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(finish.tempfile, "mkstemp", full)
    assert run("echo x; exit 4") == (4, b"", None)


def test_no_such_program() -> None:
    with pytest.raises(FileNotFoundError):
        finish.finish(["/no/such"], ENVIRONMENT, 1)
