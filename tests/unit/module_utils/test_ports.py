"""Ending the holder of a port: that process, and never another one with its number."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.host import proc
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.repair import ports

HOLDER = """
import socket, sys, time
held = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
held.bind(("127.0.0.1", 0))
print(held.getsockname()[1], flush=True)
for line in sys.stdin:
    held.close()
    print("closed", flush=True)
"""


class Holder:
    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout
        self.port = int(self.process.stdout.readline())

    def let_go(self) -> None:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.process.stdout.readline()

    def end(self, apply: bool = True, **more: Any) -> dict[str, Any]:
        given = {"pid": self.process.pid, "port": self.port, "proto": "udp",
                 "holder": os.path.basename(sys.executable), "found_at": time.time()}  # fmt: skip
        return ports.end_holder({**given, **more}, apply)

    def lives(self) -> bool:
        return self.process.poll() is None


@pytest.fixture
def holder() -> Iterator[Holder]:
    made = Holder()
    yield made
    made.process.kill()
    made.process.communicate()


@pytest.mark.parametrize("handles", [True, False])
def test_the_holder_is_ended(
    holder: Holder, handles: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not handles:  # Python before 3.9, and kernels before 5.3
        monkeypatch.setattr(ports, "_handle", lambda pid: None)
    pid = str(holder.process.pid)
    would = holder.end(apply=False)
    assert (would["changed"], would["commands"]) == (True, [["kill", pid]])
    assert holder.lives()
    assert holder.end() == would
    assert holder.process.wait(30) == -signal.SIGTERM


def test_who_has_let_the_port_go_is_left_alone(holder: Holder) -> None:
    holder.let_go()
    done = holder.end()
    assert (done["changed"], done["commands"]) == (False, [])
    assert "no longer holds" in done["msg"]
    assert holder.lives()


def test_another_process_with_its_number_is_left_alone(holder: Holder) -> None:
    """One that has another name, or that started after the look."""
    with pytest.raises(ports.NotEnded, match="not rsyslogd: it was not ended"):
        holder.end(holder="rsyslogd")
    with pytest.raises(ports.NotEnded, match="started after"):
        holder.end(found_at=time.time() - 3600)
    with pytest.raises(ports.NotEnded, match="must not be ended"):
        holder.end(pid=1)
    assert holder.lives()


def test_a_number_that_is_given_away_between_the_look_and_the_signal(
    holder: Holder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a handle of the kernel's the start is compared at the last moment."""
    starts = iter((1, 2))
    monkeypatch.setattr(ports, "_handle", lambda pid: None)
    monkeypatch.setattr(proc, "start_of", lambda pid: next(starts))
    assert holder.end()["changed"] is False
    assert holder.lives()


def test_who_does_not_show_what_it_is_is_left_alone(
    holder: Holder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hangs(pid: int) -> list[str]:
        raise TimeoutError

    monkeypatch.setattr(proc, "command_line", hangs)
    with pytest.raises(ports.NotEnded, match="command line of process .* cannot be read"):
        holder.end()
    assert holder.lives()


def test_who_is_gone_is_not_missed(holder: Holder) -> None:
    holder.process.kill()
    holder.process.wait()
    assert holder.end()["changed"] is False
