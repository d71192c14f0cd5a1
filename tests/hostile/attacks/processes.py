"""What the account's processes can do to who looks at them."""

from __future__ import annotations

import contextlib
import os
import signal
import time

import pytest

from hostile import slow_file
from hostile.attacks.answers import PROCESSES
from hostile.table import ACCOUNT_PROBES, RESTART, attack
from hostile.world import Outcome, Tree

LONGEST = 40  # seconds, after which it is over whatever happens


def unreadable(tree: Tree) -> None:
    """Be a process in the home whose command line nobody gets to read."""
    signal.alarm(LONGEST)
    file = tree.baits / "slow"
    served = slow_file.mount(tree.world.fuse, file)
    if os.fork() == 0:
        os.close(served)  # the file system ends with its server, and with it all that waits
        signal.alarm(LONGEST)
        os.chdir(tree.home)
        ready = os.open(tree.baits / "ready", os.O_CREAT | os.O_WRONLY)
        slow_file.hide_arguments(file, ready)
    slow_file.serve(served)


def wait_for_it(tree: Tree) -> dict[str, object]:
    """No options; the process is there."""
    ready = tree.baits / "ready"
    end = time.monotonic() + 5
    while not (ready.exists() and ready.stat().st_size):
        if time.monotonic() > end:
            pytest.skip("an account has no file systems of its own on this machine")
        time.sleep(0.02)
    return {}


@attack(
    PROCESSES,
    "to read the command line of one of its processes never ends: a file system of the account's"
    " (FUSE) keeps its memory locked",
    "the answer is in time, and names the process",
    meanwhile=unreadable,
    options=wait_for_it,
)
def command_line_hangs(tree: Tree) -> None:
    (tree.baits / "slow").touch()


@command_line_hangs.judged
def _it_is_named(tree: Tree, outcome: Outcome) -> None:
    others = outcome.data("processes")["others"]
    assert [one["arguments"] for one in others] == [[]]
    assert others[0]["user"] == tree.world.name


@attack(
    PROCESSES,
    "the same, while a module is restarted",
    "the repair ends in its time",
    RESTART,
    meanwhile=unreadable,
    options=wait_for_it,
)
def command_line_hangs_in_a_repair(tree: Tree) -> None:
    (tree.baits / "slow").touch()


def halts_its_own(tree: Tree) -> None:
    """Halt all that is the account, over and over."""
    (tree.baits / "ready").write_text("1")
    while True:
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGSTOP)
        time.sleep(0.001)


@attack(
    PROCESSES,
    "it halts every process that is the account, over and over: root's child that has become it, too",
    "all other probes answer in time, and nothing is left behind",
    blind=ACCOUNT_PROBES,
    meanwhile=halts_its_own,
    options=wait_for_it,
)
def child_is_halted(tree: Tree) -> None:
    pass


@child_is_halted.judged
def _it_was_halted(tree: Tree, outcome: Outcome) -> None:
    assert outcome.probes["environment"]["error"]["kind"] == "timeout"
