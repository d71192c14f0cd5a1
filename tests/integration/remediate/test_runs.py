"""playbooks/remediate.yml as a run among others: at once, asked to stop, killed.

One lab for all; each test breaks it and leaves it whole again.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

from integration.harness import BIN, CHECKOUT, INVENTORY, REMEDIATE, Run, environment, wait_until
from integration.remediate.remedies import Site
from integration.remediate.test_remediate_playbook import (
    QUICK,
    WFSERVER,
    done,
    remediate,
    results,
)

TASK = re.compile(rb"^TASK \[(.*?)\]", re.MULTILINE)


def begin(site: Site, report: Path, **variables: Any) -> subprocess.Popen[bytes]:
    """Start remediate.yml in a process group of its own."""
    extra = {"campaign_report_dir": str(report), **QUICK, **variables}
    return subprocess.Popen(
        [BIN / "ansible-playbook", REMEDIATE, "-i", INVENTORY, "-e", json.dumps(extra)],
        cwd=CHECKOUT, env={**environment(**site.env), "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip


def actions(report: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((report / "report.json").read_text())["hosts"][0][
        "actions"
    ]
    return found


# --------------------------------------------------------------------------------- other runs


def test_two_runs_at_once_repair_once(site: Site, tmp_path: Path) -> None:
    site.ctl("break", "module_hung:wfserver")
    before = site.pids()
    names = ("one", "two")
    runs = [
        begin(site, tmp_path / name, campaign_lock_timeout=60, campaign_wait=3) for name in names
    ]
    outputs = "\n".join(process.communicate(timeout=180)[0].decode() for process in runs)
    assert [process.returncode for process in runs] == [0, 0], outputs
    after = site.pids()
    assert {name for name in before if before[name] != after.get(name)} == {WFSERVER}
    assert done(site) == ["kill_and_start"], outputs
    ends = [(a["result"], a["left"], a["reason"]) for name in names for a in actions(tmp_path / name)]
    assert ("repaired", "changed", None) in ends, outputs
    # The other one planned the same, waited, and saw that nothing is left to do; or it came when all
    # was over, and planned nothing.
    ends.remove(("repaired", "changed", None))
    assert ends in ([], [("skipped", "as_before", "what it was planned for is gone since")]), outputs


def test_a_plan_is_checked_again_after_the_wait_for_another_run(
    site: Site, report_dir: Path
) -> None:
    site.ctl("break", "module_killed:wfserver")
    site.call("campaign_guard", state="opened", run="by-hand", who="berta", evidence=False)
    process = begin(site, report_dir, campaign_lock_timeout=60)
    output = b""
    assert process.stdout
    while b"Take the host for this run" not in output:
        data = os.read(process.stdout.fileno(), 65536)
        assert data, output.decode()
        output += data
    site.call(module="wfserver", instance="prod", state="started", run="by-hand")
    pids = site.healthy()
    site.call("campaign_guard", state="closed", run="by-hand")
    output += process.communicate(timeout=120)[0]
    assert process.returncode == 0, output.decode()
    (action,) = actions(report_dir)
    assert (action["result"], action["left"]) == ("skipped", "as_before"), output.decode()
    assert "is gone" in action["reason"]
    assert site.pids() == pids


def test_a_second_run_says_who_holds_the_host(site: Site, report_dir: Path) -> None:
    site.ctl("break", "module_killed:wfserver")
    held = site.call("campaign_guard", state="opened", run="by-hand", who="berta", evidence=False)
    assert not held.get("failed"), held
    run = remediate(site, report_dir, campaign_lock_timeout=1, campaign_fail_on="not_repaired")
    assert run.code != 0
    assert "1 repair refused" in run.output
    assert WFSERVER not in site.pids()
    assert "by-hand" in run.output and "berta" in run.output, str(run)
    assert "accept_other_run" in run.output
    assert [result for _rung, result in results(run)] == ["refused"], str(run)
    site.call("campaign_guard", state="closed", run="by-hand")
    assert results(remediate(site, report_dir)) == [("start", "repaired")]


# ------------------------------------------------------------------------------ asked to stop


def test_a_run_that_is_asked_to_stop_begins_nothing(site: Site, tmp_path: Path) -> None:
    site.ctl("break", "module_killed:wfserver")
    stop = tmp_path / "stop"
    stop.touch()
    before, lines = site.pids(), site.ledger()
    run = remediate(site, tmp_path / "stopped", campaign_stop_file=str(stop))
    assert run.code == 0, str(run)
    assert results(run) == [(None, "skipped")], str(run)
    assert "asked to stop (campaign_stop_file)" in run.output
    assert (site.pids(), site.ledger()) == (before, lines)
    stop.unlink()
    again = remediate(site, tmp_path / "again", campaign_stop_file=str(stop))
    assert results(again) == [("start", "repaired")], str(again)


def test_a_run_that_is_asked_to_stop_ends_its_step_first(site: Site, tmp_path: Path) -> None:
    site.ctl("break", "module_killed:mta")
    site.ctl("break", "module_killed:wfserver")
    stop = tmp_path / "stop"
    process = begin(site, tmp_path, campaign_stop_file=str(stop), campaign_wait=3)
    assert wait_until(lambda: any(line["event"] == "begun" for line in site.ledger()), 90, 0.02)
    stop.touch()
    output = process.communicate(timeout=120)[0].decode()
    assert process.returncode == 0, output
    first, second = actions(tmp_path)
    assert (first["module"], first["result"], first["left"]) == ("mta", "repaired", "changed"), output
    assert (second["module"], second["result"], second["left"]) == (
        "wfserver", "skipped", "as_before",
    ), output  # fmt: skip
    assert "mta@prod" in site.pids() and WFSERVER not in site.pids()
    assert site.ledger()[-1]["event"] == "run_closed", "the host was not given back"


def test_a_plan_shows_the_work_that_it_would_cut_off(site: Site, tmp_path: Path) -> None:
    site.ctl("break", "module_memory_high", "--module", "wfserver")
    workflow = site.long_workflow()
    try:
        run = remediate(
            site, tmp_path / "report", campaign_plan_only=True,
            campaign_plan_write=str(tmp_path / "plan.json"),
        )  # fmt: skip
        assert run.code == 0, str(run)
    finally:
        workflow.kill()
        workflow.wait()
    assert site.ledger() == []
    assert not site.state_dir.exists()
    plan = json.loads((tmp_path / "plan.json").read_text())
    (host,) = plan["hosts"]
    (step,) = host["steps"]
    assert step["remedy"] == "restart" and step["cancels"], str(run)
    assert {"kind": "workflow", "module": "wfserver", "instance": "prod", "pid": workflow.pid}.items()\
        <= next(each for each in step["work"] if "nightly" in each["what"]).items()
    assert run.host("app1")["plan"][0]["work"] == step["work"]
    assert "nightly" in run.output, str(run)


# -------------------------------------------------------------------------------- killed runs


def tasks(run: Run) -> list[str]:
    """The tasks of a run, in their order."""
    return [name.decode() for name in TASK.findall(run.output.encode())]


def kill_at(process: subprocess.Popen[bytes], number: int) -> str:
    """Kill the run and all it started when its nth task has begun; the task's name."""
    assert process.stdout
    output = b""
    while len(TASK.findall(output)) <= number:
        data = os.read(process.stdout.fileno(), 65536)
        assert data, output.decode()
        output += data
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)
    name: bytes = TASK.findall(output)[number]
    return name.decode()
