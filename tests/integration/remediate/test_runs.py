"""playbooks/remediate.yml as a run among others: at once, asked to stop, killed.

One lab for all; each test breaks it and leaves it whole again.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.harness import (
    BIN,
    CHECKOUT,
    INVENTORY,
    REMEDIATE,
    Lab,
    Run,
    environment,
    playbook,
    wait_until,
)
from integration.lab.conftest import process_table
from integration.remediate.remedies import Site, open_repairs
from integration.remediate.runs import actions, begin, kill, read_until, remediate, variables
from integration.remediate.test_remediate_playbook import QUICK, WFSERVER, done, results

PLAYBOOKS = CHECKOUT / "playbooks"
GONE = "its findings are already gone"
FAULT = "module_hung:wfserver"


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
    taken = [action for name in names for action in actions(tmp_path / name)]
    ends = [(action["result"], action["left"], action["reason"]) for action in taken]
    assert ("repaired", "changed", None) in ends, outputs
    # The other one planned the same, waited, and saw that nothing is left to do; or it came when
    # all was over, and planned nothing.
    ends.remove(("repaired", "changed", None))
    assert ends in ([], [("skipped", "as_before", GONE)]), outputs


def test_a_plan_is_checked_again_where_another_run_was_meanwhile(
    site: Site, report_dir: Path
) -> None:
    """Each step is, not only the first."""
    site.ctl("break", "module_killed:mta")
    site.ctl("break", "module_killed:wfserver")
    site.call("campaign_guard", state="opened", run="by-hand", who="berta", evidence=False)
    process = begin(site, report_dir, campaign_lock_timeout=60)
    output = read_until(process, lambda output: b"PLAY [Repair]" in output)
    site.call(module="wfserver", instance="prod", state="started", run="by-hand")
    pid = site.pids()[WFSERVER]
    site.call("campaign_guard", state="closed", run="by-hand")
    output += process.communicate(timeout=120)[0]
    assert process.returncode == 0, output.decode()
    first, second = actions(report_dir)
    assert (first["module"], first["result"]) == ("mta", "repaired"), output.decode()
    assert (second["module"], second["result"]) == ("wfserver", "skipped"), output.decode()
    assert (second["left"], second["reason"]) == ("as_before", GONE)
    assert site.pids()[WFSERVER] == pid


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


@pytest.mark.parametrize("how", ["repair", "order"])
def test_one_server_under_two_names_is_repaired_once(
    site: Site, tmp_path: Path, how: str
) -> None:
    """One waits, then looks again; report and ledger agree."""
    inventory = tmp_path / "alias.yml"
    inventory.write_text(json.dumps({"all": {"hosts": {"alias": site.variables()}}}))
    names = ("app1", "alias")
    if how == "repair":
        site.ctl("break", FAULT)
    before = site.pids()
    run = playbook(
        REMEDIATE if how == "repair" else CHECKOUT / "playbooks" / "restart_wfserver.yml",
        "-i", inventory, report_dir=tmp_path / "report", env=site.env,
        variables=variables(site, {"campaign_instance": "prod", "campaign_lock_timeout": 0.1}),
    )  # fmt: skip
    assert run.code == 0, str(run)
    after = site.healthy()
    assert {name for name in before if before[name] != after[name]} == {WFSERVER}, str(run)
    taken = {name: run.host(name)["actions"][0] for name in names}
    (worker,) = (name for name in names if taken[name]["result"] in ("repaired", "done"))
    (other,) = (name for name in names if name != worker)
    assert taken[other]["result"] == "skipped", str(run)
    words = GONE if how == "repair" else f"already did it on this server, under the name {worker}"
    assert words in taken[other]["reason"], str(run)
    lines = site.ledger()
    (run_name,) = {line["run"] for line in lines}
    assert [(line["event"], line["host"]) for line in lines] == [
        ("run_opened", worker), ("begun", worker), ("ended", worker), ("run_closed", worker),
        ("run_opened", other), ("run_closed", other),
    ], run_name  # fmt: skip


def test_unlock_shows_and_frees_only_when_it_is_asked_to(site: Site, tmp_path: Path) -> None:
    site.call("campaign_guard", state="opened", run="by-hand", who="berta", evidence=False)
    held = (site.state_dir() / "lock").read_bytes()
    unlock = CHECKOUT / "playbooks" / "unlock.yml"
    shown = playbook(unlock, report_dir=tmp_path, env=site.env)
    assert shown.code == 0, str(shown)
    for words in ("run by-hand of berta", "its lock expires at", "run_opened", "+free",
                  "Set campaign_unlock=true to release it"):  # fmt: skip
        assert words in shown.output, (words, str(shown))
    assert (site.state_dir() / "lock").read_bytes() == held
    freed = playbook(
        unlock, report_dir=tmp_path, env=site.env, variables={"campaign_unlock": True}
    )
    assert freed.code == 0 and "was removed" in freed.output, str(freed)
    assert not (site.state_dir() / "lock").exists()
    assert site.ledger()[-1]["event"] == "taken_over"
    late = site.call(module="wfserver", instance="prod", state="restarted", run="by-hand")
    assert late["guard"] == "lock" and "removed by hand" in late["msg"]


# ------------------------------------------------------------------------------------ paused


def pause(site: Site, report: Path, **options: Any) -> Run:
    """As an operator does, with the playbook."""
    given = {"campaign_pause_for": "1h", "campaign_pause_reason": "a new disk", **options}
    return playbook(PLAYBOOKS / "pause.yml", report_dir=report, env=site.env, variables=given)


def test_a_paused_host_is_left_alone_until_it_is_resumed(site: Site, tmp_path: Path) -> None:
    site.ctl("break", "module_killed:wfserver")
    before = site.pids()
    done = pause(site, tmp_path)
    assert done.code == 0 and "Repairs are paused on this host until" in done.output, str(done)
    refused = site.call(module="wfserver", instance="prod", state="started")
    assert refused["guard"] == "pause" and refused["changed"] is False
    for words in ("until 2", "a new disk (", "campaign-doctor resume", "campaign_accept_pause"):
        assert words in refused["msg"], refused["msg"]
    assert site.call(module="mta", instance="prod", state="restarted", check=True)["guard"] == "pause"
    run = remediate(site, tmp_path / "paused")
    assert run.code == 0 and results(run) == [], str(run)
    (left,) = (each for each in run.host("app1")["left"] if each["id"] == "wfserver.not_running@prod")
    assert (left["why"], run.host("app1")["paused"]["reason"]) == ("paused", "a new disk"), str(run)
    assert site.pids() == before
    ended = playbook(PLAYBOOKS / "resume.yml", report_dir=tmp_path, env=site.env)
    assert ended.code == 0 and "The pause of this host was ended" in ended.output, str(ended)
    events = [line["event"] for line in site.ledger()]
    assert events == ["paused", "refused", "resumed"], events
    again = remediate(site, tmp_path / "again")
    assert results(again) == [("start", "repaired")], str(again)


def test_a_pause_ends_by_itself_and_a_damaged_one_is_told(site: Site, tmp_path: Path) -> None:
    assert site.call("campaign_guard", state="paused", pause_for="1m", reason="a new disk")["changed"]
    path = site.state_dir() / "pause"
    entry = json.loads(path.read_bytes())
    path.write_text(json.dumps({**entry, "since": entry["since"] - 61, "until": entry["since"]}))
    assert site.call(module="mta", instance="prod", state="started")["guard"] is None
    opened = site.call("campaign_guard", state="opened", run="r1", evidence=False)
    assert opened["refused"] is False
    site.call("campaign_guard", state="closed", run="r1")
    path.write_text("{" * 10_000)
    unclear = site.call("campaign_guard", state="opened", run="r2", evidence=False)
    assert unclear["guard"] == "pause" and "unknown whether repairs are paused" in unclear["msg"]
    assert site.call("campaign_guard", state="resumed")["changed"] and not path.exists()
    bad = pause(site, tmp_path, campaign_pause_reason="")
    assert bad.code == 2 and "campaign_pause_reason" in bad.output, str(bad)
    assert not path.exists() and site.call("campaign_guard", state="resumed")["changed"] is False


def test_a_pause_lets_a_step_end_and_no_other_begin(site: Site, tmp_path: Path) -> None:
    site.ctl("break", "module_killed:mta")
    site.ctl("break", "module_killed:wfserver")
    process = begin(site, tmp_path, campaign_wait=3)
    assert wait_until(lambda: any(line["event"] == "begun" for line in site.ledger()), 90, 0.02)
    paused = site.call("campaign_guard", state="paused", pause_for="1h", reason="a new disk")
    assert "This host is held by run" in paused["msg"]
    output = process.communicate(timeout=120)[0].decode()
    first, second = actions(tmp_path)
    facts = ("module", "result", "guard", "left")
    assert [first[name] for name in facts] == ["mta", "repaired", None, "changed"], output
    assert [second[name] for name in facts] == ["wfserver", "refused", "pause", "as_before"], output
    assert "mta@prod" in site.pids() and WFSERVER not in site.pids()
    assert not open_repairs(site.ledger()) and site.ledger()[-1]["event"] == "run_closed"


def test_a_finding_that_keeps_coming_back_is_left_with_the_dates(
    site: Site, tmp_path: Path
) -> None:
    site.ctl("break", "module_killed:wfserver")
    assert results(remediate(site, tmp_path / "first")) == [("start", "repaired")]
    (ended,) = (line for line in site.ledger() if line["event"] == "ended")
    assert ended["because"] == ["wfserver.not_running@prod"]
    earlier = [{**ended, "run": f"r{days}", "at": ended["at"] - 86400 * days} for days in (1, 2, 3)]
    with (site.state_dir() / "ledger.jsonl").open("a") as file:
        file.writelines(json.dumps(line) + "\n" for line in earlier)
    site.ctl("break", "module_killed:wfserver")
    before = site.pids()
    run = remediate(site, tmp_path / "again")
    assert run.code == 0 and results(run) == [], str(run)
    (left,) = (each for each in run.host("app1")["left"] if each["id"] == ended["because"][0])
    assert left["why"] == "recurring" and left["until"], left
    assert "came back 4 times in 7 days, each time repaired by start (2" in left["reason"], left
    assert site.pids() == before
    more = remediate(site, tmp_path / "more", campaign_recurrence={"times": 4})
    assert results(more) == [("start", "repaired")], str(more)


# ------------------------------------------------------------------------------ asked to stop


def test_a_run_that_is_asked_to_stop_begins_nothing(site: Site, tmp_path: Path) -> None:
    site.ctl("break", "module_killed:wfserver")
    stop = tmp_path / "stop"
    stop.touch()
    before, lines = site.pids(), site.ledger()
    run = remediate(site, tmp_path / "stopped", campaign_stop_file=str(stop))
    assert run.code == 0, str(run)
    assert results(run) == [], str(run)  # the host is not even begun
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
    facts = ("module", "result", "left")
    assert [first[name] for name in facts] == ["mta", "repaired", "changed"], output
    assert [second[name] for name in facts] == ["wfserver", "skipped", "as_before"], output
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
    assert not site.state_dir().exists()
    plan = json.loads((tmp_path / "plan.json").read_text())
    (host,) = plan["hosts"]
    (step,) = host["steps"]
    assert step["remedy"] == "restart" and step["cancels"], str(run)
    (nightly,) = [each for each in step["work"] if each["pid"] == workflow.pid]
    assert (nightly["kind"], nightly["module"], nightly["instance"]) == (
        "workflow", "wfserver", "prod",
    )  # fmt: skip
    assert "-wf:nightly" in nightly["what"]
    assert run.host("app1")["plan"][0]["work"] == step["work"]
    assert "nightly" in run.output, str(run)


# ------------------------------------------------------------------------------------- orders


def test_an_order_on_a_healthy_module_is_done(site: Site, tmp_path: Path) -> None:
    """Nothing was wrong, so nothing was repaired."""
    before = site.healthy()
    order = CHECKOUT / "playbooks" / "restart_wfserver.yml"
    chosen = {**variables(site, {}), "campaign_instance": "prod"}
    check = playbook(
        order, "--check", report_dir=tmp_path / "check", env=site.env, variables=chosen
    )
    assert check.code == 0 and site.pids() == before, str(check)
    run = playbook(order, report_dir=tmp_path / "run", env=site.env, variables=chosen)
    assert run.code == 0, str(run)
    (announced,), (action,) = check.host("app1")["actions"], run.host("app1")["actions"]
    assert (announced["result"], announced["command"]) == ("skipped", action["command"])
    assert (action["result"], action["left"]) == ("done", "as_before"), str(run)
    assert (run.report["summary"]["done"], run.report["summary"]["repaired"]) == (1, 0)
    after = site.pids()
    assert {name for name in before if before[name] != after.get(name)} == {WFSERVER}


def test_a_line_is_awaited_in_its_log(site: Site, tmp_path: Path) -> None:
    """In check mode it is only announced; a log that nobody writes gets none."""
    order = CHECKOUT / "playbooks" / "check_syslogd.yml"
    chosen = variables(site, {"campaign_line_within": 4})

    def run(name: str, *arguments: str) -> dict[str, Any]:
        done = playbook(
            order, *arguments, report_dir=tmp_path / name, env=site.env, variables=chosen
        )
        (action,) = done.host("app1")["actions"]
        assert action["remedy"] == action["rung"] == "check_syslogd", str(done)
        assert (action["started"], action["because"]) == (None, []), str(done)
        return dict(action)

    check = run("check", "--check")
    assert check["result"] == "skipped" and "would wait for a new line" in check["reason"], check
    good = run("run")
    assert good["result"] == "done" and good["reason"].startswith("A new line appeared in "), good
    assert good["reason"].endswith("/default/log/web.log."), good
    site.ctl("break", "module_hung:syslogd")
    bad = run("hung")
    assert bad["result"] == "not_repaired" and bad["reason"].startswith("No new line appeared in "), bad


# ---------------------------------------------------------------------------- lost connections


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab(tmp_path_factory.mktemp("lab"))
    try:
        lab.up("app1", "app2")
        yield lab
    finally:
        lab.down()


@pytest.fixture
def two_servers(both: Lab) -> Lab:
    """Servers where nothing has been done."""
    both.forget()
    return both


def test_a_host_whose_connection_is_lost_in_the_middle(
    two_servers: Lab, tmp_path: Path
) -> None:
    """The host is told as such, what it was in is unknown, and the other host is repaired."""
    lab = two_servers
    for server in ("app1", "app2"):
        lab.ctl("break", "module_killed:wfserver", "--server", server)
    cut = tmp_path / "cut"
    inventory = tmp_path / "cut.yml"
    inventory.write_text(json.dumps({"all": {"hosts": {
        "app1": {"ansible_connection": "cut", "cut_file": str(cut)}, "app2": {},
    }}}))  # fmt: skip
    ledger = lab.state_dir() / "ledger.jsonl"
    report = tmp_path / "report"
    extra = {"campaign_report_dir": str(report), **QUICK, "campaign_wait": 3}
    process = subprocess.Popen(
        [BIN / "ansible-playbook", REMEDIATE, "-i", INVENTORY, "-i", inventory,
         "-e", json.dumps(extra)],
        cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=environment(**lab.env, ANSIBLE_CONNECTION_PLUGINS=str(Path(__file__).parent /
                                                                  "connection")),
    )  # fmt: skip
    begun = wait_until(lambda: ledger.exists() and '"begun"' in ledger.read_text(), 90, 0.02)
    cut.touch()
    output = process.communicate(timeout=180)[0].decode()
    assert begun, output
    assert "Traceback" not in output
    hosts = {h["name"]: h for h in json.loads((report / "report.json").read_text())["hosts"]}
    assert hosts["app1"]["status"] == "unreachable", output
    (lost,) = hosts["app1"]["actions"]
    assert (lost["result"], lost["left"]) == ("not_repaired", "unknown"), output
    assert "connection was cut" in lost["reason"], output
    (good,) = hosts["app2"]["actions"]
    assert (good["result"], good["left"]) == ("repaired", "changed"), output

    # The next run ends what this one left open.
    cut.unlink()
    again = lab.remediate(
        tmp_path / "again", "-i", str(inventory), variables=QUICK,
        env={"ANSIBLE_CONNECTION_PLUGINS": str(Path(__file__).parent / "connection")},
    )  # fmt: skip
    assert again.code == 0, str(again)
    assert [f for f in again.findings("app1") if f["module"] == "wfserver"] == []


def test_one_host_after_the_other(two_servers: Lab, tmp_path: Path) -> None:
    lab = two_servers
    for server in ("app1", "app2"):
        # Not killed: on a slow machine the watchdog would be there before the repair.
        lab.ctl("break", "module_stopped_by_hand:mta", "--server", server)
    run = lab.remediate(tmp_path, variables={**QUICK, "campaign_serial": 1})
    assert run.code == 0, str(run)
    spans = []
    for server in ("app1", "app2"):
        (action,) = run.host(server)["actions"]
        assert (action["module"], action["result"]) == ("mta", "repaired"), str(run)
        lines = lab.ledger(server)
        spans.append([
            next(line["at"] for line in reversed(lines) if line["event"] == event)
            for event in ("run_opened", "run_closed")
        ])  # fmt: skip
    spans.sort()
    assert spans[0][1] < spans[1][0], "the second host was begun before the first had ended"


# -------------------------------------------------------------------------------- killed runs


def host_calls(output: bytes) -> int:
    """Tasks of the repair that were sent to the host; the others change nothing on it."""
    return output.partition(b"PLAY [Repair]")[2].count(b" EXEC ")


POINTS: dict[str, Callable[[Site, bytes], bool]] = {
    "the lock is taken": lambda _site, output: host_calls(output) >= 1,
    "the remedy is sent": lambda _site, output: host_calls(output) >= 2,
    "the remedy has begun": lambda site, _output: "begun" in events(site),
    "the remedy has ended": lambda site, _output: "ended" in events(site),
    "the proof is looked for": lambda _site, output: host_calls(output) >= 3,
    "the lock is given back": lambda _site, output: host_calls(output) >= 4,
}


def events(site: Site) -> list[str]:
    return [line["event"] for line in site.ledger()]


@pytest.mark.parametrize("point", POINTS)
def test_a_run_killed_at_any_step_leaves_the_server_or_a_word(
    point: str, site: Site, tmp_path: Path
) -> None:
    """A run after it says what the killed one left open, and ends it."""
    site.ctl("break", FAULT)
    before = site.pids()
    process = begin(site, tmp_path / "killed", "-vvv")
    try:
        read_until(process, lambda output: POINTS[point](site, output))
    finally:
        kill(process)
    left_open = open_repairs(site.ledger())
    after = remediate(site, tmp_path / "after")
    assert after.code == 0, str(after)
    assert WFSERVER in site.pids(), f"{site.ledger()}\n{after}"
    pids = site.healthy()
    assert {name for name in before if before[name] != pids[name]} == {WFSERVER}, str(after)
    assert not [f for f in after.findings("app1") if f["module"] == "wfserver"], str(after)
    results_of = results(after)
    if results_of[:1] == [("finish_repair", "repaired")]:
        # What was cut is finished first of all; then there may be nothing left for the other step.
        results_of = [each for each in results_of[1:] if each != (None, "skipped")]
    assert results_of in (
        [], [("kill_and_start", "repaired")], [("start", "repaired")],
    ), str(after)  # fmt: skip
    if left_open and results_of:
        # Told by the run that comes after, once, and written down.
        assert "was never finished" in after.output, str(after)
        ends = [line["result"] for line in site.ledger() if line["event"] == "ended"]
        assert ends.count("interrupted") == len(left_open), site.ledger()
    if results_of:
        assert open_repairs(site.ledger()) == []


def test_what_a_cut_repair_had_stopped_is_started_again_first_of_all(
    site: Site, tmp_path: Path
) -> None:
    """Only ansible-playbook itself is killed, and the next run comes at once."""
    process = begin(
        site, tmp_path / "killed", book=CHECKOUT / "playbooks" / "rebuild_tracking_memory.yml"
    )
    try:
        cut = wait_until(
            lambda: "watchdog@default" not in site.pids() or process.poll() is not None, 240, 0.02
        )
    finally:
        process.kill()
        output = process.communicate(timeout=60)[0].decode()
    assert cut and process.returncode == -signal.SIGKILL, output
    after = remediate(site, tmp_path / "after", campaign_lock_timeout=60)
    assert after.code == 0, str(after)
    site.healthy()
    said = " ".join(after.output.split())
    assert "was interrupted: its process on" in said and "takes over the host." in said, str(after)
    first, *others = results(after)
    assert first[0] == "finish_repair" and first[1] in ("repaired", "done"), str(after)
    assert {result for _rung, result in others} <= {"skipped", "repaired"}, str(after)
    critical = {f["key"] for f in after.findings("app1") if f["severity"] == "critical"}
    # The log may tell of the time in which the front-end web server was stopped.
    assert critical <= {"tracking.redirection_unreachable"}, str(after)
    lines = site.ledger()
    events_of = [line["event"] for line in lines]
    assert events_of.index("taken_over") < events_of.index("ended", events_of.index("taken_over"))
    assert open_repairs(lines) == []
    (closed,) = (
        line for line in lines if line["result"] == "interrupted" and not line["inside"]
    )
    assert "finished it" in closed["reason"] and closed["remedy"] == "rebuild_shared_memory"


def test_a_command_that_a_killed_run_left_at_work_is_waited_for(
    site: Site, tmp_path: Path
) -> None:
    """The run is killed while nlserver stops the server; the next one comes before that has ended."""
    process = begin(
        site, tmp_path / "killed", book=CHECKOUT / "playbooks" / "rebuild_tracking_memory.yml"
    )
    words = [str(site.home() / "bin" / "nlserver"), "shutdown"]

    def stopping() -> list[int]:
        return [p.pid for p in process_table() if p.arguments[-2:] == words]

    command = 0
    try:
        assert wait_until(stopping, 240, 0.005)
        (command,) = stopping()
        os.kill(command, signal.SIGSTOP)
    finally:
        kill(process, command)
    following = begin(site, tmp_path / "after", campaign_lock_timeout=60)
    try:
        assert wait_until(lambda: "taken_over" in events(site), 60, 0.05)
        # Whoever does not wait finds that nothing was stopped, and says so at once.
        assert not wait_until(lambda: "ended" in events(site), 3), site.ledger()
    finally:
        os.kill(command, signal.SIGCONT)
        output = following.communicate(timeout=240)[0].decode()
    assert following.returncode == 0, output
    site.healthy()
    first = actions(tmp_path / "after")[0]
    assert first["rung"] == "finish_repair" and first["result"] in ("repaired", "done"), output
