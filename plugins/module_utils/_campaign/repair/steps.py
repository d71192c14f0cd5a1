# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The documented commands that bring a module to a state, launch a job or start a workflow: pure
functions.

So check mode, and the plan on the controller, announce what a run then does.
"""

import os
from collections import namedtuple

from ..errors import InputError
from ..names import DEFAULT, RELOADS, UTILITIES, WORKFLOW_STATES
from ..text import mask_arguments

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Dict, List, NamedTuple, Optional

    Entry = Dict[str, Any]

    class Step(NamedTuple):
        how: str  # run: to its end; spawn: left running, in its own session
        command: List[str]
        variables: Dict[str, str]
        as_account: bool
        then: str  # what the process must be after it: gone, up, or as_is

    class Requested(NamedTuple):
        state: str
        precision: Optional[str]
        filters: List[str]
        immediate: bool
else:
    Step = namedtuple("Step", "how command variables as_account then")
    Requested = namedtuple("Requested", "state precision filters immediate")

MODES = ("full", "delta")


def task_name(module: str, instance: str) -> str:
    """As nlserver wants it: without an instance it is `default`."""
    return module if instance == DEFAULT else "%s@%s" % (module, instance)


def steps(
    home: str, module: str, instance: str, before: "Entry", requested: Requested, service: "Entry"
) -> "List[Step]":
    """What has to be done, in order; nothing when all is as requested.

    service: {"unit": name or None, "active": bool, "init_script": path or None}: how the
    watchdog is started on this host.
    """
    nlserver = os.path.join(home, "bin", "nlserver")
    name = task_name(module, instance)
    immediate = ["-immediate"] if requested.immediate else []
    runs = before["pid"] is not None

    def run(*arguments: str, then: str = "up") -> Step:
        return Step("run", [nlserver] + list(arguments), {}, True, then)

    def stop() -> Step:
        return run("stop", name, *immediate, then="gone")

    if requested.state == "reloaded":
        return [run(RELOADS[module], "-reload", then="as_is")]
    if module == "watchdog":
        return _watchdog_steps(nlserver, before, requested, service)
    if requested.state == "stopped":
        return [stop()] if runs else []
    if module in UTILITIES:
        return [] if runs else [run("start", name, then="as_is")]
    level, filters = requested.precision, requested.filters
    if level is None:
        level, filters = before["precision"] or "standard", before["filters"]
    same = runs and before["precision"] == level and before["filters"] == filters
    if requested.state == "started" and same:
        return []
    if level == "trace":
        return ([stop()] if runs else []) + [_trace(nlserver, module, instance, filters)]
    words = ["-verbose"] if level == "verbose" else []
    if not runs:
        return [run("start", name, *words)]
    if level == "standard":
        words = (["-tomcat"] if module == "web" else []) + ["-noconsole"]
    if requested.immediate or before["precision"] == "trace":  # outside the watchdog: two commands
        words = [word for word in words if word != "-noconsole"]
        return [stop(), run("start", name, *words)]
    return [run("restart", name, *words)]


def _trace(nlserver: str, module: str, instance: str, filters: "List[str]") -> Step:
    command = [nlserver, module]
    variables: "Dict[str, str]" = {}
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


def _watchdog_steps(
    nlserver: str, before: "Entry", requested: Requested, service: "Entry"
) -> "List[Step]":
    """By the unit, the init script, or nlserver itself, whichever this host has."""
    runs = before["pid"] is not None
    if service["unit"]:

        def way(verb: str, then: str) -> Step:
            return Step("run", ["systemctl", verb, service["unit"]], {}, False, then)
    elif service["init_script"]:

        def way(verb: str, then: str) -> Step:
            return Step("run", [service["init_script"], verb], {}, False, then)
    else:

        def way(verb: str, then: str) -> Step:
            if verb == "stop":
                return Step("run", [nlserver, "shutdown"], {}, True, then)
            return Step("spawn", [nlserver, "watchdog", "-svc", "-noconsole"], {}, True, then)

    if requested.state == "stopped":
        return [way("stop", "gone")] if runs else []
    if requested.state == "restarted" and runs:
        return [way("stop", "gone"), way("start", "up")]
    if runs:
        return []
    if service["unit"] and service["active"]:
        # The unit says active and its process no longer exists: a start would do nothing, and a restart
        # would first stop the modules that still run.
        return [Step("spawn", [nlserver, "watchdog", "-svc", "-noconsole"], {}, True, "up")]
    return [way("start", "up")]


# ------------------------------------------------------------------------------- jobs


def title(job: "Entry", mode: "Optional[str]" = None) -> str:
    """How messages name a job."""
    text = "%s %s@%s" % (job["kind"].capitalize(), job["name"], job["instance"])
    return "%s (%s)" % (text, mode) if mode else text


def choose_mode(job: "Entry", asked: "Optional[str]") -> str:
    """The mode; it is never guessed if there is a choice."""
    given = job.get("arguments") or {}
    declared = [mode for mode in MODES if given.get(mode)]
    if not declared:
        raise InputError(
            "%s: its declaration (campaign_jobs) has no arguments for full or delta." % title(job)
        )
    if asked and asked not in declared:
        raise InputError(
            "%s: its declaration has no arguments for %s, only for %s."
            % (title(job), asked, " and ".join(declared))
        )
    if not asked and (job["kind"] == "export" or len(declared) > 1):
        text = "delta or full" if len(declared) > 1 else "%s, the only one declared" % declared[0]
        raise InputError("%s: set mode to %s." % (title(job), text))
    return asked or declared[0]


def arguments(job: "Entry", mode: str) -> "List[str]":
    """The command line after `nlserver <kind>`: the instance, and what the site wrote."""
    words = list(job["arguments"][mode])
    named = [word for word in words if word.startswith("-instance:")]
    if any(word != "-instance:" + job["instance"] for word in named):
        raise InputError(
            "%s: its arguments name another instance (%s)." % (title(job), " ".join(named))
        )
    return words if named else ["-instance:" + job["instance"]] + words


def job_command(home: str, job: "Entry", mode: str) -> "List[str]":
    """What launches a declared job, as it is told: without passwords."""
    words = [os.path.join(home, "bin", "nlserver"), job["kind"]] + arguments(job, mode)
    shown: "List[str]" = mask_arguments(words)
    return shown


# -------------------------------------------------------------------------- workflows


def workflow_methods(state: "Optional[int]", failed: bool, wake: bool) -> "List[str]":
    """The methods to call: none for a started one, unless its tasks should run."""
    runs = state == WORKFLOW_STATES["started"] and not failed
    start = [] if runs else ["Start"]
    return start + ["Wakeup"] if start or wake else []


def workflow_commands(name: str, methods: "List[str]") -> "List[List[str]]":
    """The calls as they are told."""
    return [["xtk:workflow#" + method, name] for method in methods]
