"""The plan of a change as exact commands, and what is done when a step goes wrong."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest
from unit.module_utils.remediation import Context, process

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.errors import (
    InputError,
    ProbeError,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.host import services
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.repair import control

HOME = "/usr/local/neolane/nl6"
NL = HOME + "/bin/nlserver"
NO_SERVICE = {"unit": None, "active": False, "init_script": None}
STOPPED = control.describe([])
RUNNING = control.describe([process()])
VERBOSE = control.describe([process(precision="verbose")])
TRACE = control.describe(
    [process(precision="trace", arguments=["-tracefilter:soap,wdbc", "-verbose"])]
)
HUNG = control.describe([process(state="T")])
TRACE_COMMAND = [NL, "wfserver", "-instance:prod", "-verbose", "-tracefilter:soap,wdbc",
                 "-tracefile:wfserver_debug@prod"]  # fmt: skip


def plan(before, state="started", level=None, filters=(), immediate=False, module="wfserver",
         service=NO_SERVICE):  # fmt: skip
    instance = "default" if module in ("web", "syslogd", "watchdog", "trackinglogd") else "prod"
    requested = control.Requested(state, level, sorted(filters), immediate)
    return control.steps(HOME, module, instance, before, requested, service)


def commands(*arguments, **more):
    return [step.command for step in plan(*arguments, **more)]


@pytest.mark.parametrize(
    ("before", "arguments", "expected"),
    [
        # idempotent by the process
        (RUNNING, {}, []),
        (RUNNING, {"level": "standard"}, []),
        (VERBOSE, {}, []),
        (VERBOSE, {"level": "verbose"}, []),
        (TRACE, {"level": "trace", "filters": ["wdbc", "soap"]}, []),
        (STOPPED, {"state": "stopped"}, []),
        # start and stop
        (STOPPED, {}, [[NL, "start", "wfserver@prod"]]),
        (STOPPED, {"level": "verbose"}, [[NL, "start", "wfserver@prod", "-verbose"]]),
        (STOPPED, {"module": "web"}, [[NL, "start", "web"]]),
        (STOPPED, {"module": "tracking"}, [[NL, "start", "tracking@prod"]]),
        (RUNNING, {"state": "stopped"}, [[NL, "stop", "wfserver@prod"]]),
        (HUNG, {"state": "stopped", "immediate": True},
         [[NL, "stop", "wfserver@prod", "-immediate"]]),
        # restart: as the procedure for the precision says
        (STOPPED, {"state": "restarted"}, [[NL, "start", "wfserver@prod"]]),
        (RUNNING, {"state": "restarted"}, [[NL, "restart", "wfserver@prod", "-noconsole"]]),
        (VERBOSE, {"state": "restarted"}, [[NL, "restart", "wfserver@prod", "-verbose"]]),
        (VERBOSE, {"level": "standard"}, [[NL, "restart", "wfserver@prod", "-noconsole"]]),
        (RUNNING, {"level": "verbose"}, [[NL, "restart", "wfserver@prod", "-verbose"]]),
        (RUNNING, {"state": "restarted", "module": "web"},
         [[NL, "restart", "web", "-tomcat", "-noconsole"]]),
        (HUNG, {"state": "restarted", "immediate": True},
         [[NL, "stop", "wfserver@prod", "-immediate"], [NL, "start", "wfserver@prod"]]),
        # trace: outside the watchdog
        (RUNNING, {"level": "trace", "filters": ["wdbc", "soap"]},
         [[NL, "stop", "wfserver@prod"], TRACE_COMMAND]),
        (STOPPED, {"level": "trace", "filters": ["wdbc", "soap"]}, [TRACE_COMMAND]),
        (TRACE, {"state": "restarted"}, [[NL, "stop", "wfserver@prod"], TRACE_COMMAND]),
        (TRACE, {"level": "standard"},
         [[NL, "stop", "wfserver@prod"], [NL, "start", "wfserver@prod"]]),
        (RUNNING, {"level": "trace", "filters": ["*"], "module": "web"},
         [[NL, "stop", "web"],
          [NL, "web", "-tomcat", "-instance:default", "-verbose", "-tracefilter:*",
           "-tracefile:web_debug@default"]]),
        # reload
        (RUNNING, {"state": "reloaded", "module": "web"}, [[NL, "config", "-reload"]]),
        (RUNNING, {"state": "reloaded", "module": "stat"}, [[NL, "stat", "-reload"]]),
        # watchdog
        (STOPPED, {"module": "watchdog"}, [[NL, "watchdog", "-svc", "-noconsole"]]),
        (RUNNING, {"module": "watchdog", "state": "stopped"}, [[NL, "shutdown"]]),
        (RUNNING, {"module": "watchdog", "state": "restarted"},
         [[NL, "shutdown"], [NL, "watchdog", "-svc", "-noconsole"]]),
        (STOPPED, {"module": "watchdog", "service": {**NO_SERVICE, "unit": "nlserver"}},
         [["systemctl", "start", "nlserver"]]),
        (STOPPED, {"module": "watchdog",
                   "service": {**NO_SERVICE, "unit": "nlserver", "active": True}},
         [[NL, "watchdog", "-svc", "-noconsole"]]),
        (RUNNING, {"module": "watchdog", "state": "stopped",
                   "service": {**NO_SERVICE, "init_script": "/etc/init.d/nlserver6"}},
         [["/etc/init.d/nlserver6", "stop"]]),
    ],
)  # fmt: skip
def test_plan(before, arguments, expected):
    assert commands(before, **arguments) == expected


def test_trace_of_web_needs_its_library():
    step = plan(STOPPED, level="trace", filters=["*"], module="web")[0]
    assert (step.how, step.variables) == ("spawn", {"LD_PRELOAD": "libjsig.so"})


def test_services_are_started_as_root_and_nlserver_as_the_account():
    service = {**NO_SERVICE, "unit": "nlserver"}
    assert not plan(STOPPED, module="watchdog", service=service)[0].as_account
    assert plan(STOPPED, module="watchdog")[0].as_account


def requested(module="wfserver", **options):
    given = {"state": "started", "log_precision": None, "trace_filters": [], "precision_for": "",
             "immediate": False, **options}  # fmt: skip
    return control.check_requested(module, given)


@pytest.mark.parametrize(
    ("module", "options", "words"),
    [
        ("wfserver", {"log_precision": "trace"}, "needs trace_filters"),
        ("wfserver", {"trace_filters": ["soap"]}, "trace_filters needs"),
        ("wfserver", {"log_precision": "trace", "trace_filters": ["sql"]}, "Unknown trace filter"),
        ("wfserver", {"precision_for": "30m"}, "verbose or trace"),
        ("wfserver", {"state": "stopped", "log_precision": "verbose"}, "cannot be combined with"),
        ("watchdog", {"log_precision": "verbose"}, "whole server"),
        ("tracking", {"log_precision": "verbose"}, "ends after each run"),
        ("wfserver", {"state": "reloaded"}, "use state: restarted"),
        ("export", {}, "campaign_job"),
        ("tracking", {"state": "restarted"}, "state: started"),
    ],
)
def test_what_makes_no_sense(module, options, words):
    with pytest.raises(InputError, match=words):
        requested(module, **options)


def test_filters_in_any_order_are_the_same():
    asked = requested(log_precision="trace", trace_filters=["wdbc", "!ldap", "*", "wdbc"])
    assert asked.filters == ["!ldap", "*", "wdbc"]


def test_description():
    assert TRACE["filters"] == ["soap", "wdbc"]
    assert (HUNG["state"], RUNNING["state"], STOPPED["state"]) == ("hung", "running", "stopped")


@pytest.mark.parametrize(("later", "state"), [("S", "running"), ("D", "hung")])
def test_one_look_in_state_d_is_no_hang(monkeypatch, later, state):
    monkeypatch.setattr(control, "find", lambda *dummy: [process(pid=10, state="D")])
    real = control.proc.look_again
    monkeypatch.setattr(
        control.proc, "look_again", lambda found: real(found, 0.01, lambda pid: later)
    )
    assert control.observe("/home", "wfserver", "prod")["state"] == state


# --------------------------------------------------------------------------------- doing


class Server:
    """Commands that end as told, and processes that come and go with them."""

    def __init__(self, monkeypatch, *modules):
        self.modules = list(modules)
        self.ran = []
        self.said = ""
        self.effects = {}  # verb: (exit code, function)
        monkeypatch.setattr(
            control.proc, "processes",
            lambda table: {"modules": list(self.modules), "children": [], "others": []},
        )
        monkeypatch.setattr(control.proc, "scan", lambda home: None)
        monkeypatch.setattr(
            control, "_state_of",
            lambda pid: next((p["state"] for p in self.modules if p["pid"] == pid), None),
        )

    def run(self, step, limit):
        self.ran.append(step.command[1:3])
        code, effect = self.effects.get(step.command[1], (0, lambda: None))
        effect()
        why = None if code is not None else "It did not end."
        return {"code": code, "said": self.said, "why": why}

    def spawn(self, step):
        self.run(step, None)
        return Ended(self.effects.get(step.command[1], (None,))[0])


class Ended:
    def __init__(self, code):
        self.code = code

    def poll(self):
        return None if self.code is None else {"code": self.code, "why": None}


def step_runner(tmp_path, server, **options):
    context = Context(tmp_path, command_timeout=0.2, **options)
    return control.StepRunner(
        context, "wfserver", "prod", sleep=lambda seconds: None, programs=server
    )


def test_spawned_process_that_ends_at_once(tmp_path, monkeypatch):
    server = Server(monkeypatch)
    server.effects["web"] = (3, lambda: None)
    with pytest.raises(control.ControlError, match="exited immediately with code 3"):
        step_runner(tmp_path, server).take(
            plan(STOPPED, level="trace", filters=["*"], module="web")[0]
        )


def test_spawned_process_of_which_a_child_says_nonsense():
    child = SimpleNamespace(receive=lambda _end: ("ended", {"code": "none", "why": None}, None, 0.0))
    ended = control.Spawned(child).poll()
    assert ended["why"].startswith("It could not be started: code does not have the expected form")


def restart_step():
    return plan(RUNNING, "restarted")[0]


def test_restart_waits_for_another_process(tmp_path, monkeypatch):
    server = Server(monkeypatch, process())
    made = step_runner(tmp_path, server)
    with pytest.raises(control.ControlError, match=r"After 0\.2 s no process appeared"):
        made.take(restart_step(), [10])
    server.modules = [process(pid=11)]
    made.take(restart_step(), [10])


def test_a_module_that_the_server_does_not_know(tmp_path, monkeypatch):
    """It says so and ends with 0: nothing is waited for."""
    server = Server(monkeypatch)
    server.said = "12:09:54 >   No task corresponds to the mask wfserver@prod"
    made = step_runner(tmp_path, server)
    with pytest.raises(control.ControlError, match="does not know this module, so it cannot be started"):
        made.take(plan(STOPPED)[0])
    server.modules = [process()]  # to a stop it is no failure
    with pytest.raises(control.ControlError, match="it is still running"):
        made.take(plan(RUNNING, "stopped")[0])


def test_command_that_fails_is_quoted(tmp_path, monkeypatch):
    server = Server(monkeypatch, process())
    server.effects["restart"] = (1, lambda: None)
    with pytest.raises(control.ControlError, match="exited with code 1: no output"):
        step_runner(tmp_path, server).take(restart_step(), [10])


def test_start_that_the_watchdog_was_faster_with(tmp_path, monkeypatch):
    server = Server(monkeypatch)
    server.effects["start"] = (1, lambda: server.modules.append(process(pid=11)))
    step_runner(tmp_path, server).take(plan(STOPPED)[0])


def test_command_that_does_not_end_is_ended(tmp_path, monkeypatch):
    server = Server(monkeypatch, process())
    server.effects["restart"] = (None, lambda: None)
    with pytest.raises(control.ControlError, match="did not end"):
        step_runner(tmp_path, server).take(restart_step(), [10])


def test_a_child_that_does_not_answer_is_a_failure(tmp_path, monkeypatch):
    context = Context(tmp_path)

    def ask(*dummy, **more):
        raise ProbeError("timeout", "the process running as neolane did not answer within 5 s")

    context.ask = ask
    made = control.StepRunner(context, "wfserver", "prod")
    with pytest.raises(control.ControlError, match="did not answer within 5 s"):
        made.take(plan(STOPPED)[0])


def test_settling_is_the_same_process_all_the_time(tmp_path, monkeypatch):
    server = Server(monkeypatch, process(pid=11))
    made = step_runner(tmp_path, server)
    assert made.settle(0.01)["pid"] == 11
    made._sleep = lambda seconds: server.modules.clear()
    with pytest.raises(control.ControlError, match="11 ended after .* and was not replaced"):
        made.settle(0.5)
    server.modules = [process(pid=11)]
    made._sleep = lambda seconds: server.modules.__setitem__(0, process(pid=12))
    with pytest.raises(control.ControlError, match=r"was replaced by process 12: it keeps ending"):
        made.settle(0.5)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([], "ended immediately"),
        ([process(state="T")], "does not run"),
        ([process()], "logs with precision standard, not verbose"),
    ],
)
def test_what_does_not_settle(tmp_path, monkeypatch, found, words):
    with pytest.raises(control.ControlError, match=words):
        step_runner(tmp_path, Server(monkeypatch, *found)).settle(0, "verbose")


def test_what_comes_back_is_not_stopped(tmp_path, monkeypatch):
    server = Server(monkeypatch)
    made = step_runner(tmp_path, server)
    assert made.settle_stopped(0.01)["state"] == "stopped"
    made._sleep = lambda seconds: server.modules.append(process(pid=12))
    with pytest.raises(control.ControlError, match=r"something started it again \(pid 12\)"):
        made.settle_stopped(5)


def test_put_back_what_was_running(tmp_path, monkeypatch):
    server = Server(monkeypatch)
    server.effects["start"] = (0, lambda: server.modules.append(process(pid=12)))
    words = step_runner(tmp_path, server).put_back(RUNNING, 0, NO_SERVICE)
    assert words == "Its earlier state was restored: running (pid 12)."
    assert server.ran == [["start", "wfserver@prod"]]


def test_put_back_the_precision(tmp_path, monkeypatch):
    server = Server(monkeypatch, process(pid=12))
    verbose = process(pid=13, precision="verbose")
    server.effects["restart"] = (0, lambda: server.modules.__setitem__(0, verbose))
    words = step_runner(tmp_path, server).put_back(VERBOSE, 0, NO_SERVICE)
    assert words == "Its earlier state was restored: running (pid 13, verbose)."


@pytest.mark.parametrize(
    ("before", "now", "words"),
    [
        (RUNNING, [process()], "Its state has not changed: running (pid 10)."),
        (STOPPED, [], "Its state has not changed: stopped."),
        (STOPPED, [process(pid=12, state="T")], "It was stopped before; now it is hung (pid 12)."),
        (RUNNING, [process(pid=12)], "with the same log precision as before"),
    ],
)
def test_nothing_to_put_back(tmp_path, monkeypatch, before, now, words):
    server = Server(monkeypatch, *now)
    assert words in step_runner(tmp_path, server).put_back(before, 0, NO_SERVICE)
    assert not server.ran


def test_what_cannot_be_put_back_is_told_with_the_command(tmp_path, monkeypatch):
    server = Server(monkeypatch)
    server.effects["start"] = (1, lambda: None)
    words = step_runner(tmp_path, server).put_back(RUNNING, 0, NO_SERVICE)
    assert "could not be restored: The command exited with code 1" in words
    assert words.endswith("Start it with: nlserver start wfserver@prod")


def test_other_modules_by_their_pids(monkeypatch):
    Server(monkeypatch, process(), process("mta", pid=11), process("tracking", pid=12))
    assert control.others(HOME, "wfserver", "prod") == {"mta@prod": [11]}


@pytest.mark.parametrize(
    ("home", "text", "ours"),
    [
        ("/usr/local/neolane/nl6", "anything", True),
        ("/srv/lab/nl6", "ExecStart=/usr/local/neolane/nl6/bin/nlserver", False),
        ("/srv/lab/nl6", "ExecStart=/srv/lab/nl6/bin/nlserver watchdog", True),
    ],
)
def test_service_of_another_home_is_not_used(tmp_path, monkeypatch, home, text, ours):
    context = Context(tmp_path)
    context.home = context.options["home"] = home
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(services, "text_of_unit", lambda *_arguments: text)
    context.runner = None
    found = {"unit": "nlserver", "load_state": "loaded", "active_state": "active",
             "init_script": None}
    context.service = lambda: found
    way = {"unit": "nlserver", "active": True, "init_script": None}
    assert control.read_service(context) == (way if ours else services.NO_WAY)
    context.options["service"] = ""
    assert control.read_service(context) == services.NO_WAY


@pytest.mark.parametrize(
    ("before", "after", "left"),
    [
        (RUNNING, {**RUNNING, "pid": 4711, "memory_mb": 1.0}, "as_before"),  # a new process
        (STOPPED, STOPPED, "as_before"),
        (HUNG, RUNNING, "changed"),
        (STOPPED, RUNNING, "changed"),
        (RUNNING, STOPPED, "changed"),
        (RUNNING, VERBOSE, "changed"),
        (TRACE, {**TRACE, "filters": ["wdbc"]}, "changed"),
    ],
)
def test_what_a_change_leaves(before, after, left):
    assert control.state_after(before, after) == left
