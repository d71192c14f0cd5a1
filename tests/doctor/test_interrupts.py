"""Ctrl-C once and twice, killed from outside, and what is left behind: nothing."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from doctor.harness import FAST, Site, until
from integration.harness import INVENTORY

# Two steps, the first of which takes its time.
SLOW = ("-i", str(INVENTORY), "--yes", *FAST, "-e", "campaign_wait=12")
ONLY = ("--module", "stat", "--module", "inMail")


@pytest.fixture
def repairing(site: Site) -> Site:
    """Two modules do not run."""
    for module in ("stat", "inMail"):
        site.breaks(f"module_stopped_by_hand:{module}")
    return site


def under_way(process: subprocess.Popen[str]) -> str:
    """Read until the remedy of the first step is at work; its module has to stay up for a while."""
    told = ""
    assert process.stdout is not None
    while "step 1 of 2, Start stat@prod: start" not in told:
        line = process.stdout.readline()
        assert line, told
        told += line
    return told


def pdump(site: Site) -> str:
    return site.lab.nlserver("pdump").output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_ends_the_step_in_hand_and_begins_no_other(
    repairing: Site, number: signal.Signals
) -> None:
    process = repairing.start("remediate", *SLOW, *ONLY)
    told = under_way(process)
    process.send_signal(number)
    told += process.communicate(timeout=120)[0]
    assert process.returncode == 130, told
    assert "app1 finishes the step in hand" in told, told
    first, second = repairing.report()["hosts"][0]["actions"]
    assert (first["module"], first["result"]) == ("stat", "repaired"), told
    assert (second["module"], second["result"]) == ("inMail", "skipped"), told
    assert "asked to stop" in second["reason"]
    assert "stat@prod" in pdump(repairing) and "inMail@prod" not in pdump(repairing)
    assert repairing.processes() == []
    repairing.nothing_left(told)


def test_the_second_kills_and_says_that_the_state_is_unknown(repairing: Site) -> None:
    process = repairing.start("remediate", *SLOW, *ONLY)
    told = under_way(process)
    until(10, lambda: len(repairing.processes()) > 2)  # Ansible and a worker of its own session
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    while "Ctrl-C again" not in told:
        told += process.stdout.readline()
    process.send_signal(signal.SIGINT)
    told += process.communicate(timeout=30)[0]
    assert process.returncode == 130, told
    assert "Killed." in told and "State unknown: app1" in told, told
    until(10, lambda: repairing.processes() == [])
    repairing.nothing_left(told)


def test_a_diagnosis_is_interrupted_with_what_it_has(site: Site) -> None:
    """One fork, so hosts wait; the second one is slow to connect."""
    app1 = site.variables()
    hosts = site.inventory({"app1": app1, **{f"app{n}": app1 for n in range(2, 30)}})
    process = site.start("diagnose", "-i", hosts, "--forks", "1", "--module", "mta")
    told = ""
    assert process.stdout is not None
    while "app1: " not in told:
        told += process.stdout.readline()
    process.send_signal(signal.SIGINT)
    told += process.communicate(timeout=120)[0]
    assert process.returncode == 130, told
    assert "Stopping: what is being looked at is finished" in told, told
    statuses = [host["status"] for host in site.report()["hosts"]]
    assert statuses[0] == "diagnosed" and statuses[-1] == "failed", statuses
    site.nothing_left(told)


def test_killed_from_outside_leaves_no_secret_for_long(repairing: Site) -> None:
    """Nobody can clean up after SIGKILL; the next command does."""
    process = repairing.start("remediate", *SLOW, *ONLY)
    under_way(process)
    process.kill()
    process.wait()
    (left,) = repairing.tmp.glob("campaign-doctor-*")
    assert oct(left.stat().st_mode & 0o777) == "0o700"
    for each in repairing.processes():
        each.kill()
    assert repairing.run("diagnose", "-i", INVENTORY, *ONLY).code in (0, 1)
    repairing.nothing_left()


def test_ansible_killed_in_the_middle_of_a_repair_is_3(repairing: Site) -> None:
    process = repairing.start("remediate", *SLOW, *ONLY)
    told = under_way(process)
    for each in repairing.processes():
        if each.pid != process.pid:
            os.kill(each.pid, signal.SIGKILL)
    told += process.communicate(timeout=60)[0]
    assert process.returncode == 3, told
    assert "wrote no report" in told and "State unknown: app1" in told, told
    repairing.nothing_left(told)
