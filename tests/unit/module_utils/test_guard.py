"""The guards: each refuses when it must, and says what would make it pass."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path

import pytest
import yaml
from unit.module_utils.remediation import OPTIONS, Context, groups, process

from ansible_collections.campaign.remediation.plugins.doc_fragments import guards, server
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.errors import (
    InputError,
    ProbeError,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.record import (
    evidence,
    ledger,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.repair import (
    guard,
    in_flight,
    interrupted,
)

WHO = """12:09:54 >   Application server
Connections ------------------------------------------------------
Last Access IP Instance Login
%s 10.0.0.7 default formation_fr|tracking
01/02/2020 10:00:00 10.0.0.8 default long_gone
Connection pool --------------------------------------------------
Datasource Server Provider Login
default xxxxx myserver myprovider test400
"""


def guarded(tmp_path, check_mode=False, **options):
    made = guard.GuardedChange(Context(tmp_path, **options), check_mode, sleep=lambda seconds: None)
    if not check_mode:
        made.store.prepare()
    return made


def lock_of(made):
    return json.loads(Path(made.store.join(guard.LOCK)).read_text())


# ------------------------------------------------------------------------------- options


def test_fragment_and_argument_specification_agree():
    documented = {
        **yaml.safe_load(server.ModuleDocFragment.DOCUMENTATION)["options"],
        **yaml.safe_load(guards.ModuleDocFragment.DOCUMENTATION)["options"],
    }
    spec = guard.argument_spec()
    assert set(documented) == set(spec)
    for name, option in documented.items():
        for key in ("type", "default", "choices", "aliases", "elements"):
            assert option.get(key) == spec[name].get(key), (name, key)
        assert name in OPTIONS or name in ("home", "user")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"home": "nl6"}, "absolute path"),
        ({"state_dir": "x"}, "absolute path"),
        ({"evidence_max_mb": 6}, "0.1 to 5"),
        ({"run": "a b"}, "run must be"),
        ({"command_timeout": 0}, "1 to 3600"),
    ],
)
def test_bad_options(tmp_path, options, words):
    with pytest.raises(InputError, match=words):
        guard.check_options(Context(tmp_path, **options).options)


@pytest.mark.parametrize(
    ("module", "instance", "words"),
    [
        ("web", "prod", "leave out instance"),
        ("wfserver", "default", "prod, prod2"),
        ("wfserver", "nowhere", "prod, prod2"),
        ("web", "default", None),
        ("export", "prod2", None),
    ],
)
def test_subject(tmp_path, module, instance, words):
    if words is None:
        guard.check_subject(Context(tmp_path), module, instance)
        return
    with pytest.raises(InputError, match=words):
        guard.check_subject(Context(tmp_path), module, instance)


@pytest.mark.parametrize(
    ("text", "seconds"), [("", None), ("30m", 1800), ("90s", 90), ("2h", 7200), ("1d", 86400)]
)
def test_duration(text, seconds):
    assert guard.duration(text) == seconds


@pytest.mark.parametrize("text", ["30", "0m", "m", "-1h", "1 week"])
def test_bad_duration(text):
    with pytest.raises(InputError, match="30m"):
        guard.duration(text)


# ---------------------------------------------------------------------------------- lock


def test_lock_of_a_run_is_shared_by_its_steps(tmp_path):
    first = guarded(tmp_path, run="r1")
    first.enter("run")
    first.leave(keep=True)
    assert lock_of(first)["pid"] is None
    second = guarded(tmp_path, run="r1")
    second.enter()
    second.leave()
    assert lock_of(second)["run"] == "r1"
    second.leave(close=True)
    assert not os.path.exists(second.store.join(guard.LOCK))


def test_lock_of_one_call_ends_with_it(tmp_path):
    made = guarded(tmp_path)
    made.enter()
    assert lock_of(made)["pid"] == os.getpid()
    made.leave()
    assert not os.path.exists(made.store.join(guard.LOCK))


def test_another_run_is_told_who_holds_it(tmp_path):
    guarded(tmp_path, run="r1").enter("run")
    other = guarded(tmp_path, run="r2", who="bert")
    with pytest.raises(guard.Refused) as caught:
        other.enter()
    assert caught.value.guard == "lock"
    words = r"run r1 of anna from ansible1, since 2.*Z, last sign of life \d s ago"
    assert re.search(words, str(caught.value))
    assert "campaign_accept_other_run=true" in caught.value.way_out
    assert "playbooks/unlock.yml" in caught.value.way_out
    assert caught.value.holder["run"] == "r1"
    other.leave()
    assert lock_of(other)["run"] == "r1"


def test_who_had_to_wait_is_told_how_long(tmp_path):
    assert guarded(tmp_path, run="r1").enter("run") == 0
    holder, other = guarded(tmp_path, run="r1"), guarded(tmp_path, run="r2", lock_timeout=60)
    other._sleep = lambda seconds: holder.leave(close=True)
    assert other.enter("run") > 0
    assert lock_of(other)["run"] == "r2"


def test_lock_can_be_taken_over_by_name(tmp_path):
    guarded(tmp_path, run="r1").enter("run")
    made = guarded(tmp_path, run="r2", accept_other_run=True)
    made.enter()
    assert lock_of(made)["run"] == "r2"


def test_check_mode_writes_nothing(tmp_path):
    made = guarded(tmp_path, check_mode=True)
    made.enter()
    made.write("begun")
    made.check("wfserver", "prod", restart=True, ends_work=False)
    made.leave()
    assert not os.path.exists(made.store.path)


def test_check_mode_refuses_as_the_run_would(tmp_path):
    guarded(tmp_path, run="r1").enter("run")
    with pytest.raises(guard.Refused):
        guarded(tmp_path, check_mode=True, run="r2").enter()


# -------------------------------------------------------------------------------- budget


def spend(made, count, **more):
    for number in range(count):
        line = {"run": "old%d" % number, "module": "wfserver", "instance": "prod",
                "remedy": "restart", **more}  # fmt: skip
        made.ledger.append("begun", restart=True, **line)
        made.ledger.append("ended", result="done", **line)


def test_budget_is_of_one_module_and_instance(tmp_path):
    made = guarded(tmp_path)
    spend(made, 2)
    made.check_budget("wfserver", "prod")
    spend(made, 1)
    with pytest.raises(guard.Refused) as caught:
        made.check_budget("wfserver", "prod")
    assert "3 of 3 restarts in 60 minutes; the next restart is allowed in 60 min" in caught.value.why
    assert "accept_restart_loop: true" in caught.value.way_out
    made.check_budget("wfserver", "prod2")
    made.check_budget("mta", "prod")


def test_budget_frees_itself_and_can_be_given_up(tmp_path):
    made = guarded(tmp_path, restart_budget=1)
    spend(made, 1, at=time.time() - 3601)
    made.check_budget("wfserver", "prod")
    spend(made, 1)
    made.options["accept_restart_loop"] = True
    made.check_budget("wfserver", "prod")


def test_budget_of_none(tmp_path):
    with pytest.raises(guard.Refused, match="0 of 0"):
        guarded(tmp_path, restart_budget=0).check_budget("wfserver", "prod")


# ----------------------------------------------------------------------------- in flight


def stamp(ago):
    return time.strftime("%d/%m/%Y %H:%M:%S", time.localtime(time.time() - ago))


@pytest.mark.parametrize(
    ("module", "instance", "kinds"),
    [
        ("wfserver", "prod", ["workflow"]),
        ("wfserver", "prod2", []),
        ("export", "prod", ["job"]),
        ("import", "prod", []),
        ("web", "default", ["session"]),
        ("mta", "prod", []),
        ("watchdog", "default", ["workflow", "job", "session"]),
    ],
)
def test_work_that_would_be_cancelled(tmp_path, module, instance, kinds):
    running = groups(
        process(pid=10), process("wfserver", "prod2", 11), process("web", "default", 12),
        process("export", "prod", 13, arguments=["-job:contacts", "-detach"]),
        process("mta", "prod", 14),
        children=[process("runwf", "prod", 20, ppid=10, arguments=["-wf:nightly"]),
                  process("mtachild", "prod", 21, ppid=14)],
    )  # fmt: skip
    context = Context(tmp_path, who=WHO % stamp(60))
    found = in_flight.in_flight(context, module, instance, running)
    assert [work["kind"] for work in found] == kinds
    ends = {"workflow": "wfserver", "job": "export", "session": "web"}
    assert all(work["module"] == ends[work["kind"]] for work in found)
    words = in_flight.describe_work(found)
    assert ("runwf -wf:nightly (pid 20)" in words) == ("workflow" in kinds)
    assert ("operator formation_fr|tracking (10.0.0.7)" in words) == ("session" in kinds)


def test_idle_sessions_are_no_work():
    assert in_flight.sessions(WHO % stamp(1000), time.time()) == []


def working(monkeypatch, answers):
    """in_flight answers so, one after the other; then always the last."""
    asked = []

    def answer(context, module, instance):
        asked.append(module)
        value = answers[min(len(asked), len(answers)) - 1]
        if isinstance(value, Exception):
            raise value
        return value

    monkeypatch.setattr(guard, "in_flight", answer)
    return asked


WORK = [{"kind": "workflow", "what": "runwf -wf:nightly", "pid": 20}]


def test_work_in_flight_refuses(tmp_path, monkeypatch):
    working(monkeypatch, [WORK])
    with pytest.raises(guard.Refused) as caught:
        guarded(tmp_path).check_in_flight("wfserver", "prod")
    assert "runwf -wf:nightly (pid 20)" in caught.value.why
    assert "in_flight: wait" in caught.value.way_out
    assert "accept_lost_work: true" in caught.value.way_out


def test_work_in_flight_is_waited_for(tmp_path, monkeypatch):
    asked = working(monkeypatch, [WORK, WORK, []])
    made = guarded(tmp_path, in_flight="wait")
    made.lock.take("call")
    made._sleep = lambda seconds: waiting.append(lock_of(made)["waiting"])
    waiting: list[bool] = []
    made.check_in_flight("wfserver", "prod")
    assert len(asked) == 3
    assert waiting == [True, True] and lock_of(made)["waiting"] is False


def test_a_wait_ends_where_another_run_took_the_host_over(tmp_path, monkeypatch):
    working(monkeypatch, [WORK, WORK, []])
    made = guarded(tmp_path, in_flight="wait")
    made.lock.take("call")
    other = guarded(tmp_path, run="r2", accept_other_run=True)
    made._sleep = lambda seconds: other.lock.take("call", force=True)
    with pytest.raises(guard.Refused, match="took over this host while"):
        made.check_in_flight("wfserver", "prod")


def test_wait_for_work_has_an_end(tmp_path, monkeypatch):
    working(monkeypatch, [WORK])
    made = guarded(tmp_path, in_flight="wait", in_flight_timeout=0.05)
    made.lock.take("call")
    with pytest.raises(guard.Refused, match=r"after 0\.05 s"):
        made.check_in_flight("web", "default")


@pytest.mark.parametrize("options", [{"in_flight": "ignore"}, {"accept_lost_work": True}])
def test_work_in_flight_given_up(tmp_path, monkeypatch, options):
    assert not working(monkeypatch, [WORK])
    guarded(tmp_path, **options).check_in_flight("wfserver", "prod")


def test_work_that_cannot_be_seen_refuses(tmp_path, monkeypatch):
    working(monkeypatch, [ProbeError("timeout", "nlserver pdump -who did not answer")])
    with pytest.raises(guard.Refused, match="has work in progress.*accept_lost_work"):
        guarded(tmp_path).check_in_flight("web", "default")


def test_check_mode_tells_that_it_would_wait(tmp_path, monkeypatch):
    working(monkeypatch, [WORK])
    made = guarded(tmp_path, check_mode=True, in_flight="wait")
    made.check_in_flight("wfserver", "prod")
    assert made.warnings == ["Would first wait for runwf -wf:nightly (pid 20)."]


# ----------------------------------------------------------------- record and evidence


def fail_with(error):
    def function(*dummy_args, **dummy_more):
        raise error

    return function


def test_no_evidence_refuses_unless_accepted(tmp_path, monkeypatch):
    error = evidence.EvidenceError("Cannot write evidence to /x: the disk is full.")
    monkeypatch.setattr(evidence, "collect", fail_with(error))
    with pytest.raises(guard.Refused) as caught:
        guarded(tmp_path).keep_evidence("wfserver", "prod")
    assert caught.value.guard == "evidence"
    assert "the disk is full" in caught.value.why
    assert "accept_no_evidence: true" in caught.value.way_out
    made = guarded(tmp_path, accept_no_evidence=True)
    made.keep_evidence("wfserver", "prod")
    assert made.evidence is None and "disk is full" in made.warnings[0]


def test_no_record_refuses_unless_accepted(tmp_path, monkeypatch):
    monkeypatch.setattr(ledger.Store, "replace", fail_with(ledger.StoreError("Full.")))
    with pytest.raises(guard.Refused) as caught:
        guarded(tmp_path).enter()
    assert (caught.value.guard, "accept_no_record" in caught.value.way_out) == ("record", True)
    made = guarded(tmp_path, accept_no_record=True)
    made.enter()
    assert made.warnings == ["Not recorded: Full."]


def test_result_that_cannot_be_recorded_is_a_warning(tmp_path, monkeypatch):
    made = guarded(tmp_path)
    monkeypatch.setattr(ledger.Ledger, "append", fail_with(ledger.StoreError("Full.")))
    made.note("ended", result="done")
    assert "could not be written to the ledger" in made.warnings[0]


# --------------------------------------------------------------------------- interrupted


def test_interrupted_repair_is_told_once_and_closed(tmp_path):
    dead = guarded(tmp_path, run="dead")
    dead.write("begun", module="wfserver", instance="prod", remedy="restart", before={"pid": 5})
    made = guarded(tmp_path, run="r2")
    made.enter()
    (told,) = made.interrupted
    assert (told["run"], told["remedy"], told["before"]) == ("dead", "restart", {"pid": 5})
    assert told["present"] == {"state": "stopped", "pid": None}
    assert "was never finished; it is now stopped" in interrupted.describe_interrupted(told)
    line = made.ledger.lines()[-1]
    assert (line["run"], line["result"]) == ("dead", "interrupted")
    again = guarded(tmp_path, run="r2")
    again.enter()
    assert not again.interrupted


def test_a_command_that_an_interrupted_repair_left_is_waited_for(tmp_path, monkeypatch):
    at_work = [[(7, "nlserver shutdown")], [(7, "nlserver shutdown")], []]
    monkeypatch.setattr(guard.proc, "control_commands", lambda home, begun: at_work.pop(0))
    made = guarded(tmp_path, run="r2")
    made.enter()
    assert len(at_work) == 3, "nothing was interrupted"
    guarded(tmp_path, run="dead").write("begun", module="wfserver", instance="prod", remedy="restart")
    again = guarded(tmp_path, run="r2")
    again.enter()
    assert at_work == [] and len(again.interrupted) == 1


def test_the_commands_of_all_open_repairs_are_looked_for(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(guard.proc, "control_commands", lambda home, begun: asked.extend(begun))
    dead = guarded(tmp_path, run="dead")
    dead.write("begun", module="watchdog", remedy="restart_service")
    dead.write("begun", module="watchdog", remedy="stop", inside="restart_service",
               command=[["systemctl", "stop", "nlserver6.service"]])  # fmt: skip
    guarded(tmp_path, run="r2").enter()
    assert asked == [["systemctl", "stop", "nlserver6.service"]]


def test_a_command_that_does_not_end_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(guard.proc, "control_commands", lambda home, begun: [(7, "nlserver shutdown")])
    guarded(tmp_path, run="dead").write("begun", module="wfserver", instance="prod", remedy="restart")
    made = guarded(tmp_path, run="r2", command_timeout=1)
    with pytest.raises(guard.Refused, match=r"`nlserver shutdown` \(pid 7\) is still at work") as refused:
        made.enter()
    assert refused.value.guard == "lock" and "run the playbook again" in refused.value.way_out
    assert [line["event"] for line in made.ledger.lines()] == ["begun"]
    assert not Path(made.store.join(guard.LOCK)).exists(), "the host is free"


RAN = {"state": "running", "pid": 5}


@pytest.mark.parametrize(("line", "running", "left"), [
    ({"module": "mta", "before": RAN, "state": "restarted"}, [], ["mta@prod"]),
    ({"module": "mta", "before": dict(RAN, state="hung"), "state": "restarted"}, [], ["mta@prod"]),
    ({"module": "mta", "before": RAN, "state": "restarted"}, [("mta", "prod")], []),
    ({"module": "mta", "before": RAN, "state": "restarted"}, [("mta", "prod2")], ["mta@prod"]),
    ({"module": "mta", "before": RAN, "state": "stopped"}, [], []),  # it was to stop
    ({"module": "mta", "before": {"state": "stopped"}, "state": "started"}, [], []),
    ({"module": "import", "before": RAN, "state": "launched"}, [], []),  # never by itself
    ({"module": "", "before": None}, [], []),
    ({"module": "mta", "before": "x", "state": "restarted"}, [], []),
    ({"module": "watchdog", "instance": "default", "whole_server": True}, [], ["watchdog@default"]),
    ({"module": "watchdog", "whole_server": True}, [("watchdog", "default")], []),
    ({"module": "trackinglogd", "whole_server": True, "remedy": "rebuild_shared_memory"}, [],
     ["watchdog@default", "front"]),
    ({"module": "trackinglogd", "whole_server": True, "remedy": "rebuild_shared_memory"},
     [("watchdog", "default")], ["front"]),
])  # fmt: skip
def test_what_a_cut_repair_has_left_undone(line, running, left):
    found = guard.unfinished({"instance": "prod", **line}, set(running))
    assert [
        "front" if each["front_end"] else "%s@%s" % (each["module"], each["instance"])
        for each in found
    ] == left


def test_a_repair_stays_open_until_what_it_stopped_is_started_again(tmp_path):
    dead = guarded(tmp_path, run="dead")
    dead.write("begun", module="mta", instance="prod", remedy="restart", before=RAN,
               state="restarted")  # fmt: skip
    for _ in range(2):  # also if the run that is to finish it is killed as well
        made = guarded(tmp_path, run="r2")
        made.enter()
        (told,) = made.interrupted
        assert [each["module"] for each in told["unfinished"]] == ["mta"]
        assert "remediate.yml finishes it first" in interrupted.describe_interrupted(told)
        assert len(ledger.open_repairs(made.ledger.lines())) == 1
    made.settle(finished=True)
    assert ledger.open_repairs(made.ledger.lines()) == []
    assert "run r2 finished it" in made.ledger.lines()[-1]["reason"]


@pytest.mark.parametrize("step", [
    {"module": "mta", "instance": "prod", "remedy": "move_tmp"},  # but for `inside` the repair's own
    {"module": "web", "instance": "default", "remedy": "move_tmp"},
])  # fmt: skip
@pytest.mark.parametrize("left", [True, False])
def test_a_repair_cut_within_a_step_is_told_once_and_both_are_closed(tmp_path, step, left):
    before = RAN if left else {"state": "stopped"}
    dead = guarded(tmp_path, run="dead")
    dead.write("begun", module="mta", instance="prod", remedy="move_tmp", before=before)
    dead.write("begun", inside="move_tmp", before=before, **step)
    made = guarded(tmp_path, run="r2")
    made.enter()
    assert [(told["module"], told["remedy"]) for told in made.interrupted] == [("mta", "move_tmp")]
    waiting = ledger.open_repairs(made.ledger.lines())
    assert [(line["module"], line["inside"]) for line in waiting] == [("mta", None)] * left
    made.settle(finished=True)
    lines = made.ledger.lines()
    assert ledger.open_repairs(lines) == []
    ends = [(line["result"], line["inside"]) for line in lines if line["event"] == "ended"]
    assert sorted(ends, key=str) == [("interrupted", "move_tmp"), ("interrupted", None)]
    again = guarded(tmp_path, run="r3")
    again.settle()
    assert again.interrupted == [] and again.ledger.lines() == lines


def test_what_finishes_a_repair_holds_every_step(tmp_path):
    made = guarded(tmp_path, run="r1")
    made.write("begun", module="", remedy=guard.FINISH)
    assert made.inside("watchdog", "default") == guard.FINISH


def test_looking_at_interrupted_repairs_writes_nothing(tmp_path):
    guarded(tmp_path, run="dead").write("begun", module="mta", instance="prod", remedy="start")
    made = guarded(tmp_path)
    made.settle(write=False)
    assert len(made.interrupted) == 1 and len(made.ledger.lines()) == 1


def test_repair_of_a_run_at_work_is_not_interrupted(tmp_path):
    busy = guarded(tmp_path, run="busy")
    busy.enter("run")
    busy.write("begun", module="mta", instance="prod", remedy="start")
    made = guarded(tmp_path)
    made.settle(write=False)
    assert not made.interrupted


def test_own_open_remedy_holds_its_steps(tmp_path):
    made = guarded(tmp_path, run="r1")
    made.write("begun", module="trackinglogd", remedy="rebuild_shared_memory", restart=True)
    assert made.inside("trackinglogd", "default") == "rebuild_shared_memory"
    assert made.inside("watchdog", "default") is None
    made.enter()
    assert not made.interrupted
    made.settle(own=True)
    assert len(made.interrupted) == 1


def test_the_line_with_which_a_remedy_began_is_found_until_it_ended(tmp_path):
    made = guarded(tmp_path, run="r1")
    about = {"module": "mta", "instance": "prod", "remedy": "move_tmp"}
    assert made.open_repair("mta", "prod", "move_tmp") is None
    made.write("begun", before={"state": "running"}, **about)
    assert made.open_repair("mta", "prod", "move_tmp")["before"] == {"state": "running"}
    assert made.open_repair("mta", "prod2", "move_tmp") is None
    assert guarded(tmp_path, run="r2").open_repair("mta", "prod", "move_tmp") is None
    made.write("ended", result="done", **about)
    assert made.open_repair("mta", "prod", "move_tmp") is None


def test_remedy_of_the_whole_server_holds_every_step(tmp_path):
    made = guarded(tmp_path, run="r1")
    made.write("begun", module="trackinglogd", remedy="rebuild", whole_server=True)
    assert made.inside("watchdog", "default") == "rebuild"
    assert guarded(tmp_path, run="r2").inside("watchdog", "default") is None
