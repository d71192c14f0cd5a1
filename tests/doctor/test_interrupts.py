"""Ctrl-C once and twice, killed from outside, and what is left behind: nothing."""

from __future__ import annotations

import signal
import sys
import tomllib
from typing import Any

import pytest

from doctor.harness import FAST, SECONDS, Said, Site, until
from doctor.replay import Replay
from integration.harness import CHECKOUT, INVENTORY

# Two steps, the first of which takes its time: its module has to stay up for a while.
SLOW = ("--yes", *FAST, "-e", "campaign_wait=12")
ONLY = ("--module", "stat", "--module", "inMail")
AT_WORK = "step 1 of 2, Start stat@prod: start"


@pytest.fixture
def repairing(site: Site) -> Site:
    """Two modules do not run."""
    for module in ("stat", "inMail"):
        site.breaks(f"module_stopped_by_hand:{module}")
    return site


INTERRUPTED = ("-i", "app1,", "--yes", *ONLY, *FAST)


@pytest.fixture
def interrupted(replay: Replay) -> Replay:
    """Such a repair, saved, and interrupted in its first step."""
    replay.can("interrupted")
    return replay


def pdump(site: Site) -> str:
    return site.lab.nlserver("pdump").output


def is_told_of(told: str, report: dict[str, Any]) -> None:
    """The step in hand was brought to its end, and no other begun."""
    assert "app1 finishes the current step" in told, told
    first, second = report["hosts"][0]["actions"]
    assert (first["module"], first["result"]) == ("stat", "repaired"), told
    assert (second["module"], second["result"]) == ("inMail", "skipped"), told
    assert "asked to stop" in second["reason"]


def test_the_first_ends_the_step_in_hand_and_begins_no_other(repairing: Site) -> None:
    process = repairing.start("remediate", "-i", INVENTORY, *SLOW, *ONLY)
    with Said(process) as said:
        said.until(AT_WORK)
        process.send_signal(signal.SIGINT)
        told = said.end()
    assert process.returncode == 130, told
    is_told_of(told, repairing.report())
    assert "stat@prod" in pdump(repairing) and "inMail@prod" not in pdump(repairing)
    assert repairing.processes() == []
    repairing.nothing_left(told)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_terminal_that_closes_and_a_scheduler_mean_the_same(
    interrupted: Replay, number: signal.Signals
) -> None:
    """The run that is replayed was interrupted; it waits until this one is, too."""
    process = interrupted.start("remediate", *INTERRUPTED)
    with Said(process) as said:
        said.until(AT_WORK)
        process.send_signal(number)
        told = said.end()
    assert process.returncode == 130, told
    is_told_of(told, interrupted.report())
    assert interrupted.processes() == []
    interrupted.nothing_left(told)


def test_the_second_kills_and_says_that_the_state_is_unknown(repairing: Site) -> None:
    process = repairing.start("remediate", "-i", INVENTORY, *SLOW, *ONLY)
    with Said(process) as said:
        said.until(AT_WORK)
        # Ansible and a worker of its own session.
        until(SECONDS, lambda: len(repairing.processes()) > 2)
        process.send_signal(signal.SIGINT)
        said.until("Ctrl-C again")
        process.send_signal(signal.SIGINT)
        told = said.end()
    assert process.returncode == 130, told
    assert "Killed." in told and "State unknown: app1" in told, told
    until(SECONDS, lambda: repairing.processes() == [])
    repairing.nothing_left(told)


def test_what_only_looks_stops_at_once(replay: Replay) -> None:
    """Ansible would go on for as long as the test lets it."""
    begun = replay.folder / "begun"
    replay.env["FAKE_RUNS"] = str(begun)
    process = replay.start("diagnose", "-i", "app1,")
    with Said(process) as said:
        until(SECONDS, begun.exists)
        process.send_signal(signal.SIGINT)
        told = said.end()
        assert begun.exists()
    assert process.returncode == 130, told
    assert told.splitlines() == ["Interrupted. Nothing was changed."], told
    assert replay.processes() == []
    replay.nothing_left(told)


# Ctrl-C while this module is being imported.
EARLY = """
import os, signal, sys
from importlib.abc import MetaPathFinder

class Interrupting(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == sys.argv[1]:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
from campaign_doctor.__main__ import main
main()
"""


@pytest.mark.parametrize("module", ["campaign_doctor.cli", "typer", "pydantic", "ansible_runner"])
def test_in_the_first_second_it_is_one_line(replay: Replay, module: str) -> None:
    replay.command = [sys.executable, "-c", EARLY, module]
    process = replay.start("--version")
    with Said(process) as said:
        told = said.end()
    assert (process.returncode, told) == (130, "Interrupted. Nothing was changed.\n")


def test_the_command_begins_there() -> None:
    settings = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    assert settings["project"]["scripts"] == {"campaign-doctor": "campaign_doctor.__main__:main"}


def test_killed_from_outside_leaves_no_secret_for_long(interrupted: Replay) -> None:
    """Nobody can clean up after SIGKILL; the next command does."""
    process = interrupted.start("remediate", *INTERRUPTED)
    with Said(process) as said:
        said.until(AT_WORK)
        process.kill()
        process.wait()
        (left,) = interrupted.tmp.glob("campaign-doctor-*")
        assert oct(left.stat().st_mode & 0o777) == "0o700"
        for each in interrupted.processes():
            each.kill()
    interrupted.can("stopped")
    assert interrupted.doctor("diagnose", "--module", "inMail").code == 1
    interrupted.nothing_left()


def test_ansible_killed_in_the_middle_of_a_repair_is_3(interrupted: Replay) -> None:
    process = interrupted.start("remediate", *INTERRUPTED)
    with Said(process) as said:
        said.until(AT_WORK)
        for each in interrupted.processes():
            if each.pid != process.pid:
                each.kill()
        told = said.end()
    assert process.returncode == 3, told
    assert "wrote no report" in told and "State unknown: app1" in told, told
    assert "campaign-doctor ledger app1 -i app1," in told, told
    interrupted.nothing_left(told)
