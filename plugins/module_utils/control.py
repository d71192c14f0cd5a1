# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Looking at one Campaign module and bringing it to a state, with the documented commands.

`steps` is the plan: a pure function, so that check mode announces what a run then does.
"""

import os
import signal
import subprocess
import tempfile
import time
from collections import namedtuple

from ansible_collections.campaign.remediation.plugins.module_utils import (
    evidence,
    parsers,
    proc,
    snapshot,
)
from ansible_collections.campaign.remediation.plugins.module_utils.model import (
    DEFAULT,
    RELOADS,
    UTILITIES,
    InputError,
    ProbeError,
    clean,
)

FILTERS = (
    "ncm", "rdr", "nms", "jst", "timing", "wdbc", "ldap", "soap", "xtk", "xtkquery", "session",
    "xtkwriter", "network", "pop3", "inmail",
)  # fmt: skip
LEVELS = ("standard", "verbose", "trace")
STATES = ("started", "stopped", "restarted", "reloaded")
POLL_SECONDS = 0.1
KEPT = ("state", "precision", "filters")  # what a module is found in and left in
STOPPED_SETTLE_SECONDS = 3.0
TERM_SECONDS = 3.0
OUTPUT_LIMIT = 64 * 1024
HUNG = "TtDX"

# run: to its end. spawn: left running, in a session of its own. After each the process must be
# `gone`, `up`, or just be `as_is`.
Step = namedtuple("Step", "how command variables as_account then")
Wanted = namedtuple("Wanted", "state precision filters immediate")


class ControlError(Exception):
    """A change that did not come to its end: what was tried, and what came back."""


# --------------------------------------------------------------------------- observation


def filters_of(arguments):
    for argument in arguments:
        if argument.startswith("-tracefilter:"):
            return sorted(name for name in argument.partition(":")[2].split(",") if name)
    return []


def find(home, module, instance):
    """The processes of that module and instance, oldest first."""
    groups = proc.processes(proc.scan(home), ())
    return [p for p in groups["modules"] if evidence.matches(p, module, instance)]


def describe(processes):
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
        "filters": filters_of(process["arguments"]),
        "memory_mb": process["memory_mb"],
    }


def left(before, after):
    """How a change leaves a module: `as_before`, in the state and with the log precision that it
    was found in (a new process counts as that), or `changed`."""
    return "as_before" if all(before[k] == after[k] for k in KEPT) else "changed"


def others(home, module, instance):
    """{module@instance: pids} of all the rest: a change must leave them as they are."""
    found = {}
    for process in proc.processes(proc.scan(home), ())["modules"]:
        if process["name"] in UTILITIES or evidence.matches(process, module, instance):
            continue
        name = task_name(process["name"], process["instance"])
        found.setdefault(name, []).append(process["pid"])
    return found


def task_name(module, instance):
    """As nlserver wants it: without an instance it is `default`."""
    return module if instance == DEFAULT else "%s@%s" % (module, instance)


# ------------------------------------------------------------------------------ the plan


def check_wanted(module, options):
    """The Wanted of the options; InputError for what makes no sense."""
    state, level = options["state"], options["log_precision"]
    filters = sorted(set(options["trace_filters"]))
    if level == "trace" and not filters:
        raise InputError("log_precision: trace needs trace_filters, for example [wdbc, soap].")
    if filters and level != "trace":
        raise InputError("trace_filters only goes with log_precision: trace.")
    for name in filters:
        if name != "*" and name.lstrip("!") not in FILTERS:
            raise InputError(
                "Unknown trace filter '%s': known are %s, * for all, !x to leave x out."
                % (name, ", ".join(FILTERS))
            )
    if options["precision_for"] and level in (None, "standard"):
        raise InputError("precision_for only goes with log_precision: verbose or trace.")
    if level and state in ("stopped", "reloaded"):
        raise InputError("log_precision does not go with state: %s." % state)
    if level in ("verbose", "trace") and module in ("watchdog",) + UTILITIES:
        raise InputError(
            "The log precision of %s is not changed: %s."
            % (
                module,
                "its restart would restart the whole server"
                if module == "watchdog"
                else "it does not stay",
            )
        )
    if state == "reloaded" and module not in RELOADS:
        raise InputError(
            "%s reads its configuration when it starts: use state: restarted (reloaded goes"
            " with %s)." % (module, ", ".join(RELOADS))
        )
    if module in ("export", "import") and state != "stopped":
        raise InputError(
            "An %s is launched by campaign.remediation.campaign_job, with its arguments." % module
        )
    if module == "tracking" and state in ("restarted", "reloaded"):
        raise InputError("tracking does not stay: use state: started to launch a consolidation.")
    return Wanted(state or "started", level, filters, options["immediate"])


def steps(home, module, instance, before, wanted, service):
    """What has to be done, in order; nothing when all is as wanted.

    service: {"unit": name or None, "active": bool, "init_script": path or None}: how the
    watchdog is started on this host.
    """
    nlserver = os.path.join(home, "bin", "nlserver")
    name = task_name(module, instance)
    immediate = ["-immediate"] if wanted.immediate else []
    runs = before["pid"] is not None

    def run(*arguments, **more):
        return Step("run", [nlserver] + list(arguments), {}, True, more.get("then", "up"))

    def stop():
        return run("stop", name, *immediate, then="gone")

    if wanted.state == "reloaded":
        return [run(RELOADS[module], "-reload", then="as_is")]
    if module == "watchdog":
        return _watchdog_steps(nlserver, before, wanted, service)
    if wanted.state == "stopped":
        return [stop()] if runs else []
    if module in UTILITIES:
        return [] if runs else [run("start", name, then="as_is")]
    level, filters = wanted.precision, wanted.filters
    if level is None:
        level, filters = before["precision"] or "standard", before["filters"]
    same = runs and before["precision"] == level and before["filters"] == filters
    if wanted.state == "started" and same:
        return []
    if level == "trace":
        return ([stop()] if runs else []) + [_trace(nlserver, module, instance, filters)]
    words = ["-verbose"] if level == "verbose" else []
    if not runs:
        return [run("start", name, *words)]
    if level == "standard":
        words = (["-tomcat"] if module == "web" else []) + ["-noconsole"]
    if wanted.immediate or before["precision"] == "trace":  # outside the watchdog: two commands
        words = [word for word in words if word != "-noconsole"]
        return [stop(), run("start", name, *words)]
    return [run("restart", name, *words)]


def _trace(nlserver, module, instance, filters):
    command = [nlserver, module]
    variables = {}
    if module == "web":
        command.append("-tomcat")
        variables["LD_PRELOAD"] = "libjsig.so"
    command.extend(
        [
            "-instance:" + instance,
            "-verbose",
            "-tracefilter:" + ",".join(filters),
            "-tracefile:%s_debug@%s" % (module, instance),
        ]
    )
    return Step("spawn", command, variables, True, "up")


def _watchdog_steps(nlserver, before, wanted, service):
    """By the unit, the init script, or nlserver itself, whichever this host has."""
    runs = before["pid"] is not None
    if service["unit"]:

        def way(verb, then):
            return Step("run", ["systemctl", verb, service["unit"]], {}, False, then)
    elif service["init_script"]:

        def way(verb, then):
            return Step("run", [service["init_script"], verb], {}, False, then)
    else:

        def way(verb, then):
            if verb == "stop":
                return Step("run", [nlserver, "shutdown"], {}, True, then)
            return Step("spawn", [nlserver, "watchdog", "-svc", "-noconsole"], {}, True, then)

    if wanted.state == "stopped":
        return [way("stop", "gone")] if runs else []
    if wanted.state == "restarted" and runs:
        return [way("stop", "gone"), way("start", "up")]
    if runs:
        return []
    if service["unit"] and service["active"]:
        # The unit says active and its process is gone: a start would do nothing, and a restart
        # would first stop the modules that still run.
        return [Step("spawn", [nlserver, "watchdog", "-svc", "-noconsole"], {}, True, "up")]
    return [way("start", "up")]


def read_service(context):
    """How the watchdog is started here; a unit or script of another home is not this one's."""
    none = {"unit": None, "active": False, "init_script": None}
    if os.geteuid() != 0 or not context.options["service"]:
        return none
    try:
        data = snapshot.read_service(context)
    except ProbeError:
        return none
    unit, script = data["unit"], data["init_script"]
    if data["load_state"] == "loaded" and _unit_is_ours(context, unit):
        return {"unit": unit, "active": data["active_state"] == "active", "init_script": None}
    if script and _names_home(context, _text_of(script)):
        return {"unit": None, "active": False, "init_script": script}
    return none


def _unit_is_ours(context, unit):
    try:
        answer = context.runner.run(
            ["systemctl", "cat", "--no-pager", unit], context.limit, as_account=False
        )
    except ProbeError:
        return False
    return _names_home(context, parsers.decode(answer.out))


def _text_of(path):
    try:
        with open(path, "rb") as stream:
            return parsers.decode(stream.read(OUTPUT_LIMIT))
    except OSError:
        return ""


def _names_home(context, text):
    """The vendor's home needs no naming: the vendor's unit is made for it."""
    places = {context.options["home"].rstrip("/"), context.home}
    if "/usr/local/neolane/nl6" in places:
        return True
    return any(place in text for place in places)


# --------------------------------------------------------------------------------- doing


class Controller(object):
    """Takes the steps, waits for what they are to bring, and puts back what was."""

    def __init__(self, context, module, instance, scrub=clean, sleep=time.sleep, start=None):
        self.context = context
        self.module = module
        self.instance = instance
        self.name = "%s@%s" % (module, instance)
        self.scrub = scrub
        self.commands = []  # what was run
        self.answer = ""  # what the last command said
        self.limit = context.options["command_timeout"]
        self._sleep = sleep
        self._start = start or subprocess.Popen
        self._spawned = None

    def find(self):
        return find(self.context.home, self.module, self.instance)

    def observe(self):
        return describe(self.find())

    def take(self, step, not_pids=()):
        """One step, until its effect is there; ControlError if it does not come."""
        end = time.monotonic() + self.limit
        self.commands.append(step.command)
        if step.how == "spawn":
            self._spawn(step)
        else:
            self._run_or_be_there(step, not_pids)
        if step.then == "gone":
            self._until(lambda: not self.find(), end, "it still runs")
        elif step.then == "up":
            self._until(lambda: self._is_up(not_pids), end, "no process of it came")

    def _run_or_be_there(self, step, not_pids):
        """A start that fails because the watchdog was faster is none."""
        try:
            self._run(step)
        except ControlError:
            if step.then != "up" or not self._is_up(not_pids):
                raise

    def _is_up(self, not_pids):
        if any(p["pid"] not in not_pids and p["state"] not in HUNG for p in self.find()):
            return True
        if self._spawned is not None and self._spawned.poll() not in (None, 0):
            raise ControlError(
                "It ended at once with %d; see its log." % self._spawned.returncode
            )
        return False

    def _until(self, condition, end, otherwise):
        while not condition():
            if time.monotonic() >= end:
                said = " It said: %s" % self.answer if self.answer else ""
                raise ControlError("After %g s %s.%s" % (self.limit, otherwise, said))
            self._sleep(POLL_SECONDS)

    def _launch(self, step, output):
        environment = dict(self.context.runner.environment)
        if step.as_account:
            environment.update(self.context.variables)
        environment.update(step.variables)
        environment["LC_ALL"] = "C"
        command = self.context.runner.command(step.command, step.as_account)
        try:
            return self._start(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                env=environment,
                close_fds=True,
                start_new_session=True,
            )
        except OSError as error:
            raise ControlError("Cannot run %s: %s." % (command[0], error.strerror)) from None

    def _spawn(self, step):
        self.answer = ""
        self._spawned = self._launch(step, subprocess.DEVNULL)

    def _run(self, step):
        """Run a command to its end. Its output goes to a file: a pipe would keep us waiting
        for the module that it starts, or kill that module when we end."""
        self.answer = ""
        output = _output()
        try:
            process = self._launch(step, output)
            code = _wait(process, self.limit)
            if output != subprocess.DEVNULL:
                text = parsers.decode(os.pread(output, OUTPUT_LIMIT, 0)).strip()
                self.answer = self.scrub(text)[-600:]
        finally:
            if output != subprocess.DEVNULL:
                os.close(output)
        if code is None:
            raise ControlError("It did not end within %g s and was ended." % self.limit)
        if code:
            raise ControlError("It ended with %d: %s" % (code, self.answer or "no output"))

    def settle(self, seconds, precision=None):
        """The process must stay, as the same one, for the settling time."""
        found = self.find()
        if not found:
            raise ControlError("It started and ended at once; see its log.")
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
                    "another came (pid %d): it does not last" % again[0]["pid"]
                    if again
                    else "none came after it"
                )
                raise ControlError(
                    "Its process %d ended after %.1f s, and %s; see its log."
                    % (pid, time.monotonic() - began, came)
                )
            left = began + seconds - time.monotonic()
            if left <= 0:
                break
            self._sleep(min(POLL_SECONDS, left))
        if state in HUNG:
            text = "Its process %d is there and does not run (state %s)."
            raise ControlError(text % (pid, state))
        after = self.observe()
        if precision and after["precision"] != precision:
            raise ControlError(
                "Its process %d logs with precision %s, not %s."
                % (pid, after["precision"], precision)
            )
        return after

    def settle_stopped(self, seconds):
        """It must stay away for a moment: something might start it again."""
        end = time.monotonic() + min(seconds, STOPPED_SETTLE_SECONDS)
        while True:
            found = self.find()
            if found:
                raise ControlError("It was stopped and came back (pid %d)." % found[0]["pid"])
            left = end - time.monotonic()
            if left <= 0:
                return self.observe()
            self._sleep(min(POLL_SECONDS, left))

    def put_back(self, before, seconds, service):
        """After a failure: have it as it was found, where that can be done. One sentence."""
        now = self.observe()
        if now["pid"] == before["pid"] and now["state"] == before["state"]:
            return "It is as it was found (%s)." % words_for(now)
        if before["pid"] is None:
            return "It was found stopped; now it is %s." % words_for(now)
        same = ("precision", "filters")
        if now["pid"] and [now[key] for key in same] == [before[key] for key in same]:
            return "It is %s, with the log precision as it was found." % words_for(now)
        wanted = Wanted("started", before["precision"], before["filters"], False)
        plan = steps(self.context.home, self.module, self.instance, now, wanted, service)
        try:
            for step in plan:
                self.take(step)
            now = self.settle(min(seconds, 10.0), before["precision"])
        except ControlError as error:
            return (
                "It was found running, and could not be put back: %s It is now %s; start it with:"
                " nlserver start %s"
                % (error, words_for(self.observe()), task_name(self.module, self.instance))
            )
        return "It was put back as it was found: %s." % words_for(now)


def words_for(state):
    if state["pid"] is None:
        return "stopped"
    precision = "" if state["precision"] == "standard" else ", " + state["precision"]
    return "%s (pid %d%s)" % (state["state"], state["pid"], precision)


def _state_of(pid):
    try:
        return proc.parse_status(proc.read(str(pid), "stat")).state
    except (OSError, ValueError, IndexError):
        return None


def _output():
    """A file without a name; a full disk must not stop a repair, so it may be none."""
    try:
        descriptor, path = tempfile.mkstemp()
    except OSError:
        return subprocess.DEVNULL
    os.unlink(path)
    return descriptor


def _wait(process, seconds):
    """Its exit code; None if its time was over and it was ended. Only this process is: what
    it started may be the server."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        pass
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            process.send_signal(number)
            process.wait(TERM_SECONDS)
            return None
        except (OSError, subprocess.TimeoutExpired):
            continue
    return None
