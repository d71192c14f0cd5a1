"""Which ansible-playbook a task belongs to, whether another one lives, and signs of its life."""

from __future__ import annotations

import multiprocessing
import os
import re
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.ansible import (
    controller,
    keeper,
)


def tell(pipe: Any) -> None:
    pipe.send(controller.identity())


def test_a_task_s_process_names_its_parent() -> None:
    """As Ansible's workers are made."""
    context = multiprocessing.get_context("fork")
    mine, other = context.Pipe()
    worker = context.Process(target=tell, args=(other,))
    worker.start()
    me = mine.recv()
    worker.join()
    assert (me["pid"], me["start"]) == (os.getpid(), controller.start_of(os.getpid()))
    assert all(me[name] for name in ("host", "boot", "space"))
    assert re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{6}", controller.run_name(me))
    assert controller.run_name(me) != controller.run_name({**me, "pid": me["pid"] + 1})


def test_who_lives() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    start = controller.start_of(process.pid)
    assert start is not None
    assert controller.lives(process.pid, start)
    assert not controller.lives(process.pid, start + 1), "its number was used again"
    process.communicate(b"\n")
    assert not controller.lives(process.pid, start)


def test_only_a_process_of_this_machine_is_judged() -> None:
    me = controller.identity()
    assert me is not None
    token = f"{me['pid']}-{me['start']}"
    assert controller.judged(me, {"controller": me}) == (token, True)
    gone = {**me, "start": me["start"] + 1}
    assert controller.judged(me, {"controller": gone}) == (f"{me['pid']}-{gone['start']}", False)
    for other in ({"host": "other"}, {"boot": "other"}, {"space": "pid:[1]"}):
        assert controller.judged(me, {"controller": {**me, **other}}) is None


@pytest.mark.parametrize("holder", [
    None, "x", {}, {"controller": "x"}, {"controller": {"pid": 1}},
    {"controller": {"host": "h", "boot": "b", "space": "s", "pid": "1", "start": 1}},
])  # fmt: skip
def test_what_a_host_says_is_looked_at_first(holder: Any) -> None:
    assert controller.judged(controller.identity(), holder) is None


def test_a_host_cannot_name_a_group_of_processes() -> None:
    me = controller.identity()
    assert me is not None
    for pid in (-1, 0, 2**40):
        assert controller.judged(me, {"controller": {**me, "pid": pid}}) is None


# -------------------------------------------------------------------------------- the keeper


@pytest.mark.parametrize("sign", [
    "", "alive-0123456789abcdef", "/x/alive-0123456789abcdef\n", "/x/alive-0123456789abcdeg",
    "/x\n/alive-0123456789abcdef", "/x/lock",
])  # fmt: skip
def test_only_a_sign_file_is_touched(sign: str) -> None:
    assert keeper.command(sign) is None


def test_a_sign_is_given_to_a_file_that_is_there(tmp_path: Path) -> None:
    sign = tmp_path / "a 'b" / "alive-0123456789abcdef"
    sign.parent.mkdir()
    text = keeper.command(str(sign))
    assert text is not None
    assert subprocess.run(["sh", "-c", text], check=False).returncode == 1
    assert not sign.exists(), "what was given back stays away"
    sign.touch()
    os.utime(sign, (1, 1))
    subprocess.run(["sh", "-c", text], check=True)
    assert sign.stat().st_mtime > 1


def counted(beats: list[int], answer: bool) -> bool:
    beats.append(1)
    return answer


def broken() -> bool:
    raise OSError


def test_signs_are_given_until_the_run_is_gone() -> None:
    beats: list[int] = []
    waits = iter([False, False, True])
    keeper.keep(lambda seconds: next(waits), lambda: counted(beats, True))
    assert len(beats) == 2


def test_signs_end_with_the_lock_and_with_the_host() -> None:
    beats: list[int] = []
    keeper.keep(lambda seconds: False, lambda: counted(beats, False))
    assert len(beats) == 1
    keeper.keep(lambda seconds: False, broken)


KEPT = """
import multiprocessing, os, sys, time
from ansible import constants
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.ansible import keeper
constants.DEFAULT_LOCAL_TMP = sys.argv[1]
keeper.BEAT_SECONDS = 0.05

def beat():
    with open(sys.argv[2], "a") as stream:
        stream.write("x")
    return True

def work():
    keeper.begin("app1", beat)

worker = multiprocessing.get_context("fork").Process(target=work)
worker.start()
worker.join()
print(keeper._note("app1").read_text().split()[0], flush=True)
input()
keeper.end("app1")
input()
"""


@pytest.mark.parametrize("how", ["given back", "killed"])
def test_a_keeper_outlives_the_task_and_not_the_run(tmp_path: Path, how: str) -> None:
    beats = tmp_path / "beats"
    where = str(Path(__file__).resolve().parents[3] / "playbooks" / "collections")
    run = subprocess.Popen(
        [sys.executable, "-c", KEPT, tmp_path, beats], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": where},
    )  # fmt: skip
    assert run.stdin and run.stdout
    pid = int(run.stdout.readline())
    descriptor = os.pidfd_open(pid)
    try:
        while not (beats.exists() and beats.stat().st_size > 2):
            assert run.poll() is None
        if how == "killed":
            run.kill()
            assert run.stdout.read() == b"", "nobody waits for the keeper"
        else:
            run.stdin.write(b"\n")
            run.stdin.flush()
        ended(descriptor)
    finally:
        os.close(descriptor)
        run.send_signal(signal.SIGKILL)
        run.wait()


def ended(descriptor: int) -> None:
    """Wait for the end of a process."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    assert poll.poll(60_000), "the keeper stays"
