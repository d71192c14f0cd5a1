"""playbooks/remediate.yml where things go wrong: budgets, work in flight, full disks.

One lab for all; each test breaks it and leaves it whole again.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from integration.harness import CHECKOUT, Run, playbook
from integration.remediate.remedies import Site
from needs import needs

WFSERVER, MTA = "wfserver@prod", "mta@prod"
QUICK = {
    "campaign_wait": 1, "campaign_gone_within": 5, "campaign_accept_lost_work": True,
    # Nothing here is in the API's answers. The fleets of the fault matrix ask it, and so do others.
    "campaign_api": [],
}  # fmt: skip


def remediate(site: Site, report: Path, *arguments: str, **variables: Any) -> Run:
    return site.remediate(report, *arguments, variables={**QUICK, **variables})


def results(run: Run) -> list[tuple[str, str]]:
    """Rung and result of each action."""
    return [(action["rung"], action["result"]) for action in run.host("app1")["actions"]]


def reasons(run: Run) -> str:
    """Why actions were refused or did not help."""
    return "\n".join(str(action["reason"]) for action in run.host("app1")["actions"])


def done(site: Site) -> list[str]:
    """Remedies that the ledger knows as done."""
    return [
        line["remedy"] for line in site.ledger()
        if line["event"] == "ended" and line["result"] == "done" and not line["inside"]
    ]  # fmt: skip


# ------------------------------------------------------------------------------- tasks of a step


def test_a_step_that_goes_well_takes_six_tasks_at_most(site: Site, report_dir: Path) -> None:
    """Each task costs time on each host of a fleet."""
    site.ctl("break", "module_memory_high", "--module", "wfserver")
    run = site.remediate(
        report_dir, variables=QUICK, env={"ANSIBLE_DISPLAY_SKIPPED_HOSTS": "false"}
    )
    assert results(run) == [("restart", "repaired")], str(run)
    step = run.output.partition("Choose the first step]")[2].partition("Release the host]")[0]
    tasks = re.findall(r"^(?:ok|changed): ", step, re.MULTILINE)
    assert 4 <= len(tasks) <= 6, str(run)


# ------------------------------------------------------------------------------ ladder, budget


def test_a_remedy_that_cannot_help_climbs_its_ladder_and_says_so(
    site: Site, report_dir: Path
) -> None:
    site.ctl("break", "mta_children_missing")
    before = site.pids()
    run = remediate(site, report_dir, campaign_fail_on="not_repaired")
    assert run.code != 0
    assert results(run) == [("restart", "not_repaired"), ("kill_and_start", "not_repaired")]
    assert "NOT REPAIRED" in run.output
    after = site.pids()
    assert {name for name in before if before[name] != after.get(name)} == {MTA}


def test_the_last_rung_of_wfserver_shows_more(site: Site, report_dir: Path) -> None:
    """Workflow processes die after each remedy: a chance to see it is given after each."""
    site.ctl("break", "workflow_children_dying")
    database = site.home().parent / "database" / "prod.sqlite"
    before = site.pids()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(
            site.remediate, report_dir, timeout=900,  # three remedies, and a minute after each
            variables={**QUICK, "campaign_gone_within": 60, "campaign_fail_on": "not_repaired"},
        )  # fmt: skip
        known = -1
        while not running.done():
            if len(done(site)) != known:
                known = len(done(site))
                with closing(sqlite3.connect(database, isolation_level=None)) as connection:
                    connection.execute("UPDATE xtk_workflow SET labNext = 0")
            time.sleep(0.05)
        run = running.result()
    assert run.code != 0, str(run)
    assert results(run) == [
        ("restart", "not_repaired"), ("kill_and_start", "not_repaired"),
        ("raise_log_precision", "not_repaired"),
    ], str(run)  # fmt: skip
    assert run.host("app1")["actions"][-1]["left"] == "changed"
    assert "-verbose" in site.command_line(WFSERVER)
    after = site.pids()
    assert {name for name in before if before[name] != after.get(name)} == {WFSERVER}


SERVICE = """
- hosts: app1
  gather_facts: false
  tasks:
    - ansible.builtin.include_role:
        name: campaign.remediation.campaign
      vars:
        campaign_steps:
          - {order: 1, module: watchdog, instance: default, role: watchdog, subject: null,
             remedy: restart_service, rungs: [restart_service], rungs_for: {}, because: [],
             keys: [], title: Restart the service, verify: [], afterwards: null, asks: false,
             not_after: null}
    - ansible.builtin.copy:
        content: "{{ campaign_actions | to_json }}"
        dest: "{{ campaign_report_dir }}/actions.json"
        mode: "0600"
"""


def test_the_whole_service_with_what_a_dead_watchdog_left_behind(
    site: Site, tmp_path: Path
) -> None:
    """The strongest rung, where neither a unit nor an init script starts the service."""
    before = site.healthy()
    os.kill(before["watchdog@default"], signal.SIGKILL)
    playbook_file = tmp_path / "service.yml"
    playbook_file.write_text(SERVICE)
    collections = str(CHECKOUT / "playbooks" / "collections")
    run = playbook(
        playbook_file, report_dir=tmp_path, env={**site.env, "ANSIBLE_COLLECTIONS_PATH": collections},
        variables=QUICK, timeout=180,
    )
    assert run.code == 0, str(run)
    (action,) = json.loads((tmp_path / "actions.json").read_text())
    assert (action["result"], action["left"]) == ("done", "changed"), action
    after = site.healthy()
    assert [name for name in before if before[name] == after[name]] == []
    (begun,) = [line for line in site.ledger() if line["event"] == "begun" and not line["inside"]]
    assert (begun["remedy"], begun["whole_server"]) == ("restart_service", True)


def test_the_budget_stops_a_crash_loop_of_restarts(site: Site, tmp_path: Path) -> None:
    site.ctl("break", "mta_children_missing")
    first = remediate(site, tmp_path / "1", campaign_restart_budget=3)
    assert results(first) == [("restart", "not_repaired"), ("kill_and_start", "not_repaired")]
    second = remediate(site, tmp_path / "2", campaign_restart_budget=3)
    assert results(second) == [("restart", "not_repaired"), ("kill_and_start", "refused")]

    before, lines = site.pids(), len(done(site))
    third = remediate(site, tmp_path / "3", campaign_restart_budget=3)
    assert [result for _rung, result in results(third)] == ["refused"], str(third)
    assert "accept_restart_loop" in reasons(third)
    assert site.pids() == before
    assert len(done(site)) == lines

    fourth = remediate(
        site, tmp_path / "4", campaign_restart_budget=3, campaign_accept_restart_loop=True
    )
    assert results(fourth)[0] == ("restart", "not_repaired")


def test_work_in_flight_is_not_cut_off(site: Site, report_dir: Path) -> None:
    site.ctl("break", "module_memory_high", "--module", "wfserver")
    workflow = site.long_workflow()
    try:
        before = site.pids()
        run = remediate(site, report_dir, campaign_accept_lost_work=False)
        assert results(run) == [("restart", "refused")], str(run)
        assert "accept_lost_work" in reasons(run)
        assert "-wf:nightly" in reasons(run)
        assert site.pids() == before
        assert done(site) == []
    finally:
        workflow.kill()
        workflow.wait()


# ------------------------------------------------------------------------------- full disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """A file system of 1 MB with so many bytes free, for the state directory."""
    needs(os.geteuid() == 0, "only root can mount a small file system")
    where = tmp_path / "small"
    where.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", str(where)]
    subprocess.run(mount, check=True)

    def fill(free: int) -> Path:
        filler = where / "filler"
        with filler.open("wb", buffering=0) as stream:
            try:
                while True:
                    stream.write(bytes(4096))
            except OSError:
                pass
        os.truncate(filler, max(0, filler.stat().st_size - free))
        return where

    try:
        yield fill
    finally:
        subprocess.run(["umount", str(where)], check=True)


@pytest.mark.parametrize(
    ("free", "way_out"), [(0, "accept_no_record"), (32 * 1024, "accept_no_evidence")]
)
def test_a_full_disk_stops_a_repair_that_would_leave_no_trace(
    site: Site, tmp_path: Path, small_disk: Callable[[int], Path], free: int, way_out: str
) -> None:
    site.ctl("break", "module_hung:wfserver")
    before = site.pids()
    disk = str(small_disk(free))
    run = remediate(site, tmp_path / "full", campaign_state_dir=disk)
    assert site.pids() == before, str(run)
    assert way_out in run.output, str(run)
    assert "disk is full" in run.output or "No space left" in run.output, str(run)
    assert [result for _rung, result in results(run)] in (["refused"], []), str(run)

    accepted = {"campaign_accept_no_evidence": True, f"campaign_{way_out}": True}
    again = remediate(site, tmp_path / "accepted", campaign_state_dir=disk, **accepted)
    assert results(again) == [("kill_and_start", "repaired")], str(again)
    assert site.pids()[WFSERVER] != before[WFSERVER]
