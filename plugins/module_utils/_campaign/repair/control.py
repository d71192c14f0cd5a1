# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Looking at one Campaign module and bringing it to a state, with the documented commands."""

import time

from ..account import programs
from ..account.answers import WrongAnswer, fitted
from ..console import unknown_task
from ..errors import InputError, ProbeError
from ..finish import finish
from ..host import proc, services
from ..names import RELOADS, UTILITIES
from ..precision import added, filters, precision
from ..record import evidence
from ..text import clean, decode, printable
from .steps import Requested, steps, task_name

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Callable, Container, Dict, List, Optional, Sequence

    from ..account.child import Child
    from ..command import Runner
    from ..snapshot.probes import Context
    from .steps import Step

    Entry = Dict[str, Any]
    Scrub = Callable[[str], str]

FILTERS = (
    "ncm", "rdr", "nms", "jst", "timing", "wdbc", "ldap", "soap", "xtk", "xtkquery", "session",
    "xtkwriter", "network", "pop3", "inmail",
)  # fmt: skip
LEVELS = ("standard", "verbose", "trace")
STATES = ("started", "stopped", "restarted", "reloaded")
POLL_SECONDS = 0.1
KEPT = ("state", "precision", "filters")  # what a module is found in and left in
STOPPED_SETTLE_SECONDS = 3.0
ENDING_SECONDS = 8.0  # to have a command end that does not
HUNG = "TtDX"


class ControlError(Exception):
    """A change that failed: what was tried, and what happened."""


# --------------------------------------------------------------------------- observation


def find(context: "Context", module: str, instance: str) -> "List[Entry]":
    """The processes of that module and instance, oldest first.

    Their log precision is what was added to the configured arguments.
    """
    groups = proc.processes(proc.scan(context.home))
    found = [p for p in groups["modules"] if evidence.matches(p, module, instance)]
    standard = context.arguments(module, instance) or ""
    for process in found:
        process["precision"] = precision(process["arguments"], standard)
        process["filters"] = filters(added(process["arguments"], standard))
    return found


def observe(context: "Context", module: str, instance: str) -> "Entry":
    """`describe` of a module as it is; one that waits for a disk is looked at again."""
    return describe(proc.look_again(find(context, module, instance)[:1]))


def describe(processes: "Sequence[Entry]") -> "Entry":
    """`before` and `after` of the result, of the processes that were found."""
    if not processes:
        return {
            "state": "stopped",
            "pid": None,
            "started_at": None,
            "precision": None,
            "filters": [],
            "memory_mb": None,
        }
    process = processes[0]
    return {
        "state": "hung" if process["state"] in HUNG else "running",
        "pid": process["pid"],
        "started_at": process["started_at"],
        "precision": process["precision"],
        "filters": process.get("filters", filters(process["arguments"])),
        "memory_mb": process["memory_mb"],
    }


def state_after(before: "Entry", after: "Entry") -> str:
    """How a change leaves a module: `as_before`, in the state and with the log precision that it
    was found in (a new process counts as that), or `changed`."""
    return "as_before" if all(before[k] == after[k] for k in KEPT) else "changed"


def others(home: str, module: str, instance: str) -> "Dict[str, List[int]]":
    """{module@instance: pids} of all the rest: a change must leave them as they are."""
    found: "Dict[str, List[int]]" = {}
    for process in proc.processes(proc.scan(home))["modules"]:
        if process["name"] in UTILITIES or evidence.matches(process, module, instance):
            continue
        name = task_name(process["name"], process["instance"])
        found.setdefault(name, []).append(process["pid"])
    return found


# ------------------------------------------------------------------------------ the plan


def check_requested(module: str, options: "Entry") -> Requested:
    """The Requested of the options; InputError for what makes no sense."""
    state, level = options["state"], options["log_precision"]
    filters = sorted(set(options["trace_filters"]))
    if level == "trace" and not filters:
        raise InputError("log_precision: trace needs trace_filters, for example [wdbc, soap].")
    if filters and level != "trace":
        raise InputError("trace_filters needs log_precision: trace.")
    for name in filters:
        if name != "*" and name.lstrip("!") not in FILTERS:
            raise InputError(
                "Unknown trace filter '%s'. Valid filters: %s, * for all, !x to exclude x."
                % (name, ", ".join(FILTERS))
            )
    if options["precision_for"] and level in (None, "standard"):
        raise InputError("precision_for needs log_precision: verbose or trace.")
    if level and state in ("stopped", "reloaded"):
        raise InputError("log_precision cannot be combined with state: %s." % state)
    if level in ("verbose", "trace") and module in ("watchdog",) + UTILITIES:
        raise InputError(
            "The log precision of %s cannot be changed: %s."
            % (
                module,
                "a restart of it would restart the whole server"
                if module == "watchdog"
                else "it ends after each run",
            )
        )
    if state == "reloaded" and module not in RELOADS:
        raise InputError(
            "%s reads its configuration only when it starts: use state: restarted (only %s can be"
            " reloaded)." % (module, ", ".join(RELOADS))
        )
    if module in ("export", "import") and state != "stopped":
        raise InputError(
            "Use campaign.remediation.campaign_job to launch an %s with its arguments." % module
        )
    if module == "tracking" and state in ("restarted", "reloaded"):
        raise InputError("tracking ends after each consolidation: use state: started to launch"
                         " one.")
    return Requested(state or "started", level, filters, options["immediate"])


def read_service(context: "Context") -> "Entry":
    """How the watchdog is started here; a unit or script of another home is not this one's."""
    try:
        data = context.service()
    except ProbeError:
        return dict(services.NO_WAY)
    try:
        return services.way(context.options, context.home, context.runner, context.limit, data)
    except services.NotRoots as error:
        raise InputError(str(error)) from None


# --------------------------------------------------------------------------------- doing


def run_service(runner: "Runner", arguments: "Sequence[str]", limit: float) -> "Entry":
    """Run a command that starts or stops a service, with a clean environment: exit code, output,
    and why there is no code.
    """
    try:
        code, said, why = finish(arguments, runner.environment, limit)
    except OSError as error:
        why = "Cannot run %s: %s." % (arguments[0], error.strerror or error)
        return {"code": None, "said": "", "why": why}
    return {"code": code, "said": printable(decode(said).strip())[-600:], "why": why}


class Programs:
    """Runs the steps: the server's program by a child that is the account, a service as we are."""

    def __init__(self, context: "Context") -> None:
        self._context = context

    def run(self, step: "Step", limit: float) -> "Entry":
        """Run a command to its end."""
        if not step.as_account:
            return run_service(self._context.runner, step.command, limit)
        command, variables = step.command, step.variables
        try:
            done: "Entry" = self._context.ask(
                lambda server: programs.run(server, command, variables, limit),
                limit + ENDING_SECONDS,
                programs.DONE,
            )
        except ProbeError as error:
            raise ControlError("%s." % error.message) from None
        return done

    def spawn(self, step: "Step") -> "Spawned":
        """Start a process that stays."""
        return Spawned(
            self._context.begin(
                lambda channel, server: programs.spawn(
                    channel, server, step.command, step.variables
                )
            )
        )


class Spawned:
    """What a child has started, which outlives the child."""

    def __init__(self, child: "Child") -> None:
        self._child = child
        self._ended: "Optional[Entry]" = None

    def poll(self) -> "Optional[Entry]":
        """How it has ended: code, and why it could not be started; None if it has not."""
        while self._ended is None:
            try:
                said = self._child.receive(time.monotonic())
                if said is None:
                    return None
                name, data, defect, dummy = said
                if name == "ended":
                    self._ended = fitted(data, programs.ENDED)
                elif name == "defect":
                    self._ended = _not_started(defect)
            except WrongAnswer as error:
                self._ended = _not_started(error)
        return self._ended


def _not_started(error: "Optional[Exception]") -> "Entry":
    return {"code": None, "why": "It could not be started: %s." % error}


class StepRunner:
    """Takes the steps, waits for their effect, and restores the earlier state after a failure."""

    def __init__(
        self,
        context: "Context",
        module: str,
        instance: str,
        scrub: "Scrub" = clean,
        sleep: "Callable[[float], object]" = time.sleep,
        programs: "Optional[Programs]" = None,
    ) -> None:
        self.context = context
        self.module = module
        self.instance = instance
        self.name = "%s@%s" % (module, instance)
        self.scrub = scrub
        self.commands: "List[List[str]]" = []  # what was run
        self.answer = ""  # what the last command said
        self.limit = context.options["command_timeout"]
        self._sleep = sleep
        self._programs = programs or Programs(context)
        self._spawned: "Optional[Spawned]" = None

    def find(self) -> "List[Entry]":
        return find(self.context, self.module, self.instance)

    def observe(self) -> "Entry":
        return observe(self.context, self.module, self.instance)

    def take(self, step: "Step", not_pids: "Container[int]" = ()) -> None:
        """Take one step and wait for its effect; ControlError if there is none."""
        end = time.monotonic() + self.limit
        self.commands.append(step.command)
        if step.how == "spawn":
            self._spawn(step)
        else:
            self._run_or_be_there(step, not_pids)
        if step.then == "gone":
            self._until(lambda: not self.find(), end, "it is still running")
        elif step.then == "up":
            self._until(lambda: self._is_up(not_pids), end, "no process appeared")

    def _run_or_be_there(self, step: "Step", not_pids: "Container[int]") -> None:
        """A start that fails because the watchdog was faster is not a failure."""
        try:
            self._run(step)
        except ControlError:
            if step.then != "up" or not self._is_up(not_pids):
                raise

    def _is_up(self, not_pids: "Container[int]") -> bool:
        if any(p["pid"] not in not_pids and p["state"] not in HUNG for p in self.find()):
            return True
        ended = self._spawned.poll() if self._spawned else None
        if ended and ended["why"]:
            raise ControlError(ended["why"])
        if ended and ended["code"]:
            raise ControlError("It exited immediately with code %d; see its log." % ended["code"])
        return False

    def _until(self, condition: "Callable[[], bool]", end: float, otherwise: str) -> None:
        while not condition():
            if time.monotonic() >= end:
                said = " Output: %s" % self.answer if self.answer else ""
                raise ControlError("After %g s %s.%s" % (self.limit, otherwise, said))
            self._sleep(POLL_SECONDS)

    def _spawn(self, step: "Step") -> None:
        self.answer = ""
        self._spawned = self._programs.spawn(step)

    def _run(self, step: "Step") -> None:
        """Run a command to its end."""
        self.answer = ""
        done = self._programs.run(step, self.limit)
        self.answer = self.scrub(done["said"])[-600:]
        if done["why"]:
            raise ControlError(done["why"])
        if step.then == "up" and unknown_task(self.answer):  # it ends with 0 all the same
            raise ControlError(
                "nlserver does not know this module, so it cannot be started: the build is too old"
                " for it, or the configuration has no element for it. Output: %s" % self.answer
            )
        if done["code"]:
            said = self.answer or "no output"
            raise ControlError("The command exited with code %d: %s" % (done["code"], said))

    def settle(self, seconds: float, precision: "Optional[str]" = None) -> "Entry":
        """The same process must stay up for the settling time."""
        found = self.find()
        if not found:
            raise ControlError("It started but ended immediately; see its log.")
        pid = found[0]["pid"]
        began = time.monotonic()
        while True:
            state = _state_of(pid)
            if state is None or state in "ZX":
                again = self.find()
                if self.module == "watchdog" and again and time.monotonic() - began < 2:
                    pid = again[0]["pid"]  # the launcher went into the background
                    continue
                came = (
                    "was replaced by process %d: it keeps ending" % again[0]["pid"]
                    if again
                    else "was not replaced"
                )
                raise ControlError(
                    "Its process %d ended after %.1f s and %s; see its log."
                    % (pid, time.monotonic() - began, came)
                )
            remaining = began + seconds - time.monotonic()
            if remaining <= 0:
                break
            self._sleep(min(POLL_SECONDS, remaining))
        if state == "D":
            state = proc.look_again([{"pid": pid, "state": state}], state=_state_of)[0]["state"]
        if state in HUNG:
            text = "Its process %d exists but does not run (state %s)."
            raise ControlError(text % (pid, state))
        after = self.observe()
        if precision and after["precision"] != precision:
            raise ControlError(
                "Its process %d logs with precision %s, not %s."
                % (pid, after["precision"], precision)
            )
        return after

    def settle_stopped(self, seconds: float) -> "Entry":
        """It must stay stopped for a moment: something might start it again."""
        end = time.monotonic() + min(seconds, STOPPED_SETTLE_SECONDS)
        while True:
            found = self.find()
            if found:
                raise ControlError("It was stopped, but something started it again (pid %d)."
                                   % found[0]["pid"])
            remaining = end - time.monotonic()
            if remaining <= 0:
                return self.observe()
            self._sleep(min(POLL_SECONDS, remaining))

    def put_back(self, before: "Entry", seconds: float, service: "Entry") -> str:
        """After a failure: restore the earlier state where possible. One sentence."""
        now = self.observe()
        if now["pid"] == before["pid"] and now["state"] == before["state"]:
            return "Its state has not changed: %s." % words_for(now)
        if before["pid"] is None:
            return "It was stopped before; now it is %s." % words_for(now)
        same = ("precision", "filters")
        if now["pid"] and [now[key] for key in same] == [before[key] for key in same]:
            return "It is %s, with the same log precision as before." % words_for(now)
        requested = Requested("started", before["precision"], before["filters"], False)
        plan = steps(self.context.home, self.module, self.instance, now, requested, service)
        try:
            for step in plan:
                self.take(step)
            now = self.settle(min(seconds, 10.0), before["precision"])
        except ControlError as error:
            return (
                "It was running before and could not be restored: %s It is now %s. Start it with:"
                " nlserver start %s"
                % (error, words_for(self.observe()), task_name(self.module, self.instance))
            )
        return "Its earlier state was restored: %s." % words_for(now)


def words_for(state: "Entry") -> str:
    if state["pid"] is None:
        return "stopped"
    precision = "" if state["precision"] == "standard" else ", " + state["precision"]
    return "%s (pid %d%s)" % (state["state"], state["pid"], precision)


def _state_of(pid: int) -> "Optional[str]":
    return proc.state_of(pid)
