"""campaign_module against the lab: broken, repaired, looked at from outside."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from campaign_lab.layout import LAB_PASSWORD
from integration.remediate.remedies import Site

WF = {"module": "wfserver", "instance": "prod", "accept_lost_work": True}
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")


def tree(directory: Path) -> dict[str, tuple[int, int]]:
    """Every file below, with size and time."""
    return {
        str(path): (path.lstat().st_size, path.lstat().st_mtime_ns)
        for path in directory.rglob("*") if path.is_file()
    }  # fmt: skip


def only(before: dict[str, int], after: dict[str, int]) -> set[str]:
    """The modules whose process is another."""
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


# --------------------------------------------------------------------- states, and their proof


@pytest.mark.parametrize(
    ("module", "instance"),
    [("wfserver", "prod"), ("mta", "prod2"), ("stat", "prod"), ("inMail", "prod2"),
     ("web", "default"), ("syslogd", "default"), ("trackinglogd", "default")],
)  # fmt: skip
def test_module_that_died_is_started(site: Site, module: str, instance: str) -> None:
    name = "%s@%s" % (module, instance)
    before = site.healthy()
    site.ctl("break", "module_killed", "--module", module, "--instance",
             "prod" if instance == "default" else instance)  # fmt: skip
    assert only(before, site.pids()) == {name}

    announced = site.call(module=module, instance=instance, check=True)
    assert announced["changed"] and name not in site.pids()
    assert not site.state_dir().exists()

    result = site.call(module=module, instance=instance)
    after = site.healthy()
    assert result["changed"] and result["commands"] == announced["commands"]
    assert (result["before"]["state"], result["after"]["state"]) == ("stopped", "running")
    assert result["after"]["pid"] == after[name]
    assert only(before, after) == {name} and not result["touched"]
    assert announced["after"]["state"] == result["after"]["state"]
    assert announced["after"]["precision"] == result["after"]["precision"]

    lines = site.ledger()
    assert [line["event"] for line in lines] == ["begun", "ended"]
    second = site.call(module=module, instance=instance)
    assert not second["changed"] and not second["commands"]
    assert site.ledger() == lines and site.pids() == after


def test_restart_touches_only_its_module(site: Site) -> None:
    before = site.healthy()
    conf = tree(site.home() / "conf")
    result = site.call(**WF, state="restarted", because=["wfserver.hung"], remedy="restart")
    after = site.healthy()
    assert only(before, after) == {"wfserver@prod"}
    assert (result["before"]["pid"], result["after"]["pid"]) == (
        before["wfserver@prod"], after["wfserver@prod"]
    )  # fmt: skip
    assert tree(site.home() / "conf") == conf
    begun, ended = site.ledger()
    assert (begun["who"], begun["from"]) == ("anna", "ansible1")
    assert begun["because"] == ["wfserver.hung"]
    assert (ended["result"], ended["command"]) == ("done", result["commands"])
    assert ended["after"]["pid"] == after["wfserver@prod"]
    assert result["diff"]["before"] != result["diff"]["after"]


def test_check_mode_does_nothing(site: Site) -> None:
    before, files = site.healthy(), tree(site.home() / "conf")
    for options in (
        {"state": "restarted"}, {"state": "stopped"}, {"log_precision": "verbose"},
        {"log_precision": "trace", "trace_filters": ["wdbc"]},
    ):  # fmt: skip
        result = site.call(**WF, **options, check=True)
        assert result["changed"] and result["commands"] and result["diff"]
    assert site.pids() == before
    assert tree(site.home() / "conf") == files
    assert not site.state_dir().exists()


def test_stop_and_start(site: Site) -> None:
    before = site.healthy()
    stopped = site.call(**WF, state="stopped")
    assert only(before, site.pids()) == {"wfserver@prod"}
    assert (stopped["changed"], stopped["after"]["pid"]) == (True, None)
    assert not site.call(**WF, state="stopped")["changed"]
    assert site.call(**WF)["changed"]
    assert only(before, site.healthy()) == {"wfserver@prod"}


def test_hung_module_is_ended_and_started(site: Site) -> None:
    before = site.healthy()
    site.ctl("break", "module_hung", "--module", "wfserver")
    result = site.call(**WF, state="restarted", immediate=True, remedy="kill_and_start")
    assert result["before"]["state"] == "hung"
    assert [command[1:] for command in result["commands"]] == [
        ["stop", "wfserver@prod", "-immediate"], ["start", "wfserver@prod"]
    ]  # fmt: skip
    assert only(before, site.healthy()) == {"wfserver@prod"}


@pytest.mark.parametrize(
    ("module", "instance", "word"),
    [("web", "default", "Configuration reloaded"), ("stat", "prod", "reloaded")],
)
def test_reload_keeps_the_process(site: Site, module: str, instance: str, word: str) -> None:
    before = site.healthy()
    log = site.home() / "var" / instance / "log" / (module + ".log")
    size = log.stat().st_size
    result = site.call(module=module, instance=instance, state="reloaded")
    assert result["changed"] and site.pids() == before
    deadline = time.monotonic() + 5
    while word not in log.read_bytes()[size:].decode():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert site.ledger()[-1]["state"] == "reloaded"


def test_whole_server(site: Site) -> None:
    before = site.healthy()
    options = {"module": "watchdog", "accept_lost_work": True}
    site.call(**options, state="stopped")
    assert site.pids() == {}
    result = site.call(**options)
    after = site.healthy()
    assert result["after"]["pid"] == after["watchdog@default"]
    assert only(before, after) == set(before)
    assert not site.call(**options)["changed"]


def test_watchdog_alone_adopts_its_modules(site: Site) -> None:
    before = site.healthy()
    site.ctl("break", "watchdog_killed")
    assert site.call(module="watchdog")["changed"]
    assert only(before, site.healthy()) == {"watchdog@default"}


def test_consolidation_is_launched(site: Site) -> None:
    before = site.healthy()
    result = site.call(module="tracking", instance="prod")
    assert [command[1:] for command in result["commands"]] == [["start", "tracking@prod"]]
    assert result["changed"] and site.healthy() == before


# --------------------------------------------------------------------------- log precision


def test_precision_goes_up_and_back(site: Site) -> None:
    before = site.healthy()
    up = site.call(**WF, log_precision="verbose", precision_for="30m")
    assert up["changed"] and "-verbose" in site.command_line("wfserver@prod")
    raised = site.ledger()[-1]["precision"]
    assert raised["value"] == "verbose" and 1700 < raised["until"] - time.time() <= 1800
    middle, lines = site.pids(), site.ledger()
    again = site.call(**WF, log_precision="verbose", precision_for="30m")
    assert not again["changed"] and site.pids() == middle and site.ledger() == lines
    assert not site.call(**WF)["changed"]  # started, and no word of the precision

    back = site.call(**WF, log_precision="standard")
    assert back["changed"] and "-verbose" not in site.command_line("wfserver@prod")
    assert site.ledger()[-1]["precision"]["value"] == "standard"
    assert not site.call(**WF, log_precision="standard")["changed"]
    assert only(before, site.healthy()) == {"wfserver@prod"}


def test_trace_runs_outside_the_watchdog_and_outlives_us(site: Site) -> None:
    before = site.healthy()
    trace = {"log_precision": "trace", "trace_filters": ["wdbc", "soap"]}
    result = site.call(**WF, **trace)
    words = site.command_line("wfserver@prod")
    assert words[1:] == ["wfserver", "-instance:prod", "-verbose", "-tracefilter:soap,wdbc",
                         "-tracefile:wfserver_debug@prod"]  # fmt: skip
    assert result["after"]["filters"] == ["soap", "wdbc"]
    assert os.getsid(result["after"]["pid"]) == result["after"]["pid"]
    assert (site.home() / "var/prod/log/wfserver_debug.log").exists()
    assert not site.call(**WF, **trace)["changed"]
    assert site.call(**WF, log_precision="standard")["changed"]
    assert only(before, site.healthy()) == {"wfserver@prod"}
    assert "-detach" in site.command_line("wfserver@prod")


def test_trace_of_web(site: Site) -> None:
    options = {"module": "web", "accept_lost_work": True}
    site.call(**options, log_precision="trace", trace_filters=["*"])
    assert "-tomcat" in site.command_line("web@default")
    assert site.call(**options, log_precision="standard")["changed"]


def test_precision_restored_by_hand_is_noticed(site: Site) -> None:
    site.call(**WF, log_precision="verbose")
    site.nlserver("restart", "wfserver@prod", "-noconsole")
    assert not site.call(**WF, log_precision="standard")["changed"]
    assert site.ledger()[-1]["result"] == "unchanged"
    found = site.call("campaign_guard", state="opened", run="r", evidence=False)
    assert found["precisions"] == []


# --------------------------------------------------------------------------------- failures


def test_start_that_cannot_help_says_so(site: Site) -> None:
    site.ctl("break", "stat_address_missing")
    result = site.call(module="mta", instance="prod")
    assert result["failed"] and not result["refused"]
    assert "mta@prod could not be started. Tried: " in result["msg"]
    assert "log/mta.log" in result["msg"] and result["evidence"] in result["msg"]
    assert site.ledger()[-1]["result"] == "failed"


def test_module_that_does_not_last_is_a_failure(site: Site) -> None:
    site.ctl("break", "module_crash_loop", "--module", "wfserver")
    result = site.call(**WF, state="restarted", wait=15)
    assert result["failed"]
    assert "wfserver@prod could not be restarted" in result["msg"]


def test_restart_with_a_broken_configuration_leaves_it_running(site: Site) -> None:
    before = site.healthy()
    site.ctl("break", "config_invalid_xml")
    result = site.call(**WF, state="restarted")
    assert result["failed"] and site.pids() == before
    assert "config-prod.xml" in result["msg"]
    assert "Its state has not changed: running (pid %d)." % before["wfserver@prod"] in result["msg"]
    assert not result["changed"]


def test_nlserver_that_hangs_is_left_behind(site: Site) -> None:
    before = site.healthy()
    site.ctl("break", "nlserver_hangs")
    began = time.monotonic()
    result = site.call(**WF, state="restarted", command_timeout=1)
    assert result["failed"] and "did not finish within 1 s" in result["msg"]
    assert time.monotonic() - began < 15
    assert site.pids() == before


# ----------------------------------------------------------------------------------- guards


def test_budget_stops_a_crash_loop(site: Site) -> None:
    options = {**WF, "state": "restarted", "wait": 0, "evidence": False}
    for _ in range(3):
        assert site.call(**options)["changed"]
    pids = site.healthy()
    for check in (True, False):
        refused = site.call(**options, check=check)
        assert refused["failed"] and refused["refused"] and refused["guard"] == "budget"
        assert "accept_restart_loop: true" in refused["msg"]
    assert site.pids() == pids
    assert site.ledger()[-1]["event"] == "refused"
    assert site.call(**{**options, "instance": "prod2"})["changed"]
    assert site.call(**options, accept_restart_loop=True)["changed"]


def test_spent_budget_does_not_leave_a_precision_on(site: Site) -> None:
    for level in ("verbose", "standard", "verbose", "standard", "verbose"):
        assert site.call(**WF, log_precision=level, wait=0, evidence=False)["changed"]
    assert site.call(**WF, state="restarted")["guard"] == "budget"
    assert site.call(**WF, log_precision="standard")["changed"]


def test_daily_restart_and_others_do_not_count(site: Site) -> None:
    for _ in range(4):
        site.nlserver("restart", "wfserver@prod", "-noconsole")
    assert site.call(**WF, state="restarted")["changed"]


def test_two_runs_at_once(site: Site) -> None:
    first = site.start("campaign_module", **WF, state="restarted", wait=3, run="first")
    lock = site.state_dir() / "lock"
    deadline = time.monotonic() + 10
    while not lock.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    second = site.call(module="mta", instance="prod", state="restarted", lock_timeout=0.2)
    assert second["refused"] and second["guard"] == "lock"
    assert "run first of anna from ansible1" in second["msg"]
    third = site.start("campaign_module", **WF, state="restarted", lock_timeout=30, run="third")
    assert site.finish(first)["changed"]
    assert site.finish(third)["changed"]  # it waited
    lines = [line for line in site.ledger() if line["event"] != "refused"]
    assert [(line["run"], line["event"]) for line in lines] == [
        ("first", "begun"), ("first", "ended"), ("third", "begun"), ("third", "ended")
    ]  # fmt: skip
    assert not lock.exists()


def test_workflow_in_flight_refuses_and_is_waited_for(site: Site) -> None:
    stand_in = site.long_workflow()
    try:
        pids = site.healthy()
        options = {"module": "wfserver", "instance": "prod", "state": "restarted"}
        refused = site.call(**options)
        assert refused["guard"] == "in_flight" and "runwf" in refused["msg"]
        assert "accept_lost_work: true" in refused["msg"]
        assert site.pids() == pids
        late = site.call(**options, in_flight="wait", in_flight_timeout=1)
        assert "after 1 s" in late["msg"]
        waiting = site.start("campaign_module", **options, in_flight="wait")
        time.sleep(1)
        assert site.pids() == pids
        stand_in.kill()
        stand_in.wait()
        assert site.finish(waiting)["changed"]
    finally:
        stand_in.kill()
        stand_in.wait()


def test_running_export_refuses_to_end_the_server(site: Site) -> None:
    site.ctl("break", "export_running_too_long")
    pids = site.healthy()
    refused = site.call(module="watchdog", state="stopped")
    assert refused["guard"] == "in_flight" and "export" in refused["msg"]
    assert site.pids() == pids


# ---------------------------------------------------------------------------------- evidence


def test_evidence_is_clean_of_passwords_and_small(site: Site) -> None:
    log = site.home() / "var/prod/log/wfserver.log"
    kept = log.read_bytes()
    try:
        with log.open("ab") as stream:
            stream.write(b"2025-11-23T10:00:00Z\t1\t1\t1\terror\tlog\tlogin failed for %s\n"
                         % LAB_PASSWORD.encode())  # fmt: skip
            stream.write((b"x" * 120 + b"\n") * 60000)
            stream.write(b"near the end: %s\n" % LAB_PASSWORD.encode())
        result = site.call(**WF, state="restarted", because=[LAB_PASSWORD])
    finally:
        log.write_bytes(kept)
    files = [path for path in Path(result["evidence"]).iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 5 * 1024 * 1024
    for path in [*files, site.state_dir() / "ledger.jsonl"]:
        assert LAB_PASSWORD.encode() not in path.read_bytes(), path
    assert "near the end: ***" in (Path(result["evidence"]) / "log-wfserver@prod.txt").read_text()


def test_evidence_is_kept_by_number(site: Site) -> None:
    for _ in range(4):
        site.call(**WF, state="restarted", wait=0, evidence_keep=2, accept_restart_loop=True)
    assert len(list((site.state_dir() / "evidence").iterdir())) == 2


@pytest.fixture
def small_disk(site: Site) -> Iterator[Path]:
    """The evidence directory on a disk of its own, of 64 kB."""
    path = site.state_dir() / "evidence"
    path.mkdir(parents=True, mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", path], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", path], check=True)


@ROOT
def test_full_disk_during_evidence(site: Site, small_disk: Path) -> None:
    (small_disk / "filler").write_bytes(b"x" * 45056)
    pids = site.healthy()
    refused = site.call(**WF, state="restarted")
    assert refused["refused"] and refused["guard"] == "evidence"
    assert "the disk is full" in refused["msg"] and "accept_no_evidence: true" in refused["msg"]
    assert site.pids() == pids
    assert [path.name for path in small_disk.iterdir()] == ["filler"]
    accepted = site.call(**WF, state="restarted", accept_no_evidence=True)
    assert accepted["changed"] and accepted["evidence"] is None
    assert "disk is full" in str(accepted["warnings"])


@ROOT
def test_full_disk_for_the_ledger(site: Site) -> None:
    site.state_dir().mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", site.state_dir()], check=True)
    try:
        (site.state_dir() / "filler").write_bytes(b"x" * 4096)
        pids = site.healthy()
        refused = site.call(**WF, state="restarted")
        assert refused["guard"] == "record" and "accept_no_record: true" in refused["msg"]
        assert site.pids() == pids
        accepted = site.call(**WF, state="restarted", accept_no_record=True,
                             accept_no_evidence=True)  # fmt: skip
        assert accepted["changed"], accepted
    finally:
        subprocess.run(["umount", site.state_dir()], check=True)


# ------------------------------------------------------------------------- killed in the middle

STEPS = {
    "before the lock": "before(guard.Lock, 'take')",
    "with the lock": "after(guard.Lock, 'take')",
    "within evidence": "before(evidence._Bundle, 'write', 3)",
    "before the ledger": "before(ledger.Ledger, 'append')",
    "within a line": "before(ledger.os, 'fsync', 2)",
    "begun": "after(ledger.Ledger, 'append')",
    "while nlserver runs": "before(finish, '_watch')",
    "after the command": "after(control.StepRunner, '_run')",
    "while it settles": "before(control.StepRunner, 'settle')",
    "before the end is written": "before(ledger.Ledger, 'append', 2)",
}
OPEN = list(STEPS)[4:]  # the repair stands in the ledger, its end does not


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_every_step(site: Site, step: str) -> None:
    before = site.healthy()
    site.killed(STEPS[step], **WF, state="restarted", run="dead")
    time.sleep(0.5)  # nlserver, in its own session, goes on
    told = site.call(**WF, check=True)
    assert [entry["run"] for entry in told["interrupted"]] == (["dead"] if step in OPEN else [])
    result = site.call(**WF)  # whatever was left: it runs afterwards
    assert only(before, site.healthy()) <= {"wfserver@prod"}
    assert not result.get("failed"), result
    again = site.call(**WF, state="restarted")
    assert again["changed"], again
    if step in OPEN:
        (entry,) = again["interrupted"] or result["interrupted"]
        assert entry["present"]["state"] == "running"
        assert "was never finished" in str([again.get("warnings"), result.get("warnings")])
    assert site.call(**WF, check=True)["interrupted"] == []
    kept = (site.state_dir() / "evidence").iterdir()
    assert not [path for path in kept if "partial" in path.name]


def test_killed_between_stop_and_trace_is_told(site: Site) -> None:
    before = site.healthy()
    site.killed("before(control.StepRunner, '_spawn')", **WF, log_precision="trace",
                trace_filters=["wdbc"], run="dead")  # fmt: skip
    assert "wfserver@prod" not in site.pids()
    result = site.call(**WF)
    (entry,) = result["interrupted"]
    assert (entry["run"], entry["present"]["state"]) == ("dead", "stopped")
    assert result["changed"] and only(before, site.healthy()) == {"wfserver@prod"}


# ------------------------------------------------------------------------------------- a run


def test_bracket_of_a_run(site: Site) -> None:
    run = {"run": "r1", "lock_timeout": 0.2}
    opened = site.call("campaign_guard", state="opened", **run)
    assert not opened["changed"] and Path(opened["evidence"]).name.endswith("-host@default")
    other = site.call(module="mta", instance="prod", state="restarted", lock_timeout=0.2)
    assert other["guard"] == "lock" and "run r1" in other["msg"]
    remedy = {"module": "trackinglogd", "remedy": "rebuild_shared_memory"}
    site.call("campaign_guard", state="begun", because=["x.y"], **remedy, **run)
    inner = site.call(module="trackinglogd", state="restarted", **run)
    assert inner["changed"] and inner["evidence"] is None  # the remedy has taken it
    site.call("campaign_guard", state="ended", result="done", seconds=1.5, **remedy, **run)
    closed = site.call("campaign_guard", state="closed", **run)
    assert not closed["interrupted"] and not (site.state_dir() / "lock").exists()
    assert [line["event"] for line in site.ledger() if line["run"] == "r1"] == [
        "run_opened", "begun", "begun", "ended", "ended", "run_closed"
    ]  # fmt: skip
    for _ in range(2):  # the repair counted once
        assert site.call(module="trackinglogd", state="restarted", wait=0)["changed"]
    assert site.call(module="trackinglogd", state="restarted")["guard"] == "budget"


def test_remedy_that_stops_the_whole_server_asks_once(site: Site) -> None:
    run = {"run": "r1", "module": "trackinglogd", "remedy": "rebuild_shared_memory"}
    work = site.long_workflow()
    try:
        refused = site.call("campaign_guard", state="begun", whole_server=True, **run)
        assert refused["guard"] == "in_flight" and "-wf:nightly" in refused["msg"]
        assert not (site.state_dir() / "lock").exists()
        begun = site.call("campaign_guard", state="begun", whole_server=True,
                          accept_lost_work=True, **run)  # fmt: skip
        assert Path(begun["evidence"]).name.endswith("-trackinglogd@default")
        assert site.call(module="watchdog", state="stopped", run="r1")["changed"]
        assert site.call(module="watchdog", run="r1")["changed"]
    finally:
        work.kill()
        work.wait()
    site.call("campaign_guard", state="ended", **run)
    site.call("campaign_guard", state="closed", run="r1")
    site.healthy()


def test_run_closed_with_an_open_remedy_tells(site: Site) -> None:
    site.call("campaign_guard", state="opened", run="r1", evidence=False)
    site.call("campaign_guard", state="begun", run="r1", module="mta", instance="prod",
              remedy="move_tmp", accept_lost_work=True)  # fmt: skip
    closed = site.call("campaign_guard", state="closed", run="r1")
    assert [entry["remedy"] for entry in closed["interrupted"]] == ["move_tmp"]
    assert site.ledger()[-2]["result"] == "interrupted"


def test_guard_in_check_mode_writes_nothing(site: Site) -> None:
    for state in ("opened", "begun", "ended", "closed"):
        site.call("campaign_guard", state=state, run="r1", module="stat", instance="prod",
                  remedy="x", check=True)  # fmt: skip
    assert not site.state_dir().exists()


def test_through_ansible(site: Site, tmp_path: Path) -> None:
    """The same through the real thing, with --check --diff and without."""
    from integration.harness import BIN, CHECKOUT, run

    play = tmp_path / "play.yml"
    task = {"campaign.remediation.campaign_module": site.options(**WF, state="restarted")}
    play.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": [task]}]))
    before = site.healthy()
    command = [BIN / "ansible-playbook", "-i", CHECKOUT / "inventories" / "lab", play, "-vvv"]
    environment = {**site.env, "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / "playbooks/collections")}
    check = run([*command, "--check", "--diff"], env=environment)
    assert check.code == 0 and "changed=1" in check.output, check
    assert site.pids() == before
    done = run(command, env=environment)
    assert done.code == 0 and "changed=1" in done.output, done
    assert only(before, site.healthy()) == {"wfserver@prod"}
    assert LAB_PASSWORD not in check.output + done.output
