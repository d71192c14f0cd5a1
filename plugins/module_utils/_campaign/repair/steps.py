# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The documented commands that bring a module to a state: pure functions.

So check mode, and the plan on the controller, announce what a run then does.
"""

import os
from collections import namedtuple

from ..names import DEFAULT, RELOADS, UTILITIES

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Dict, List, NamedTuple, Optional

    Entry = Dict[str, Any]

    class Step(NamedTuple):
        how: str  # run: to its end; spawn: left running, in a session of its own
        command: List[str]
        variables: Dict[str, str]
        as_account: bool
        then: str  # what the process must be after it: gone, up, or as_is

    class Wanted(NamedTuple):
        state: str
        precision: Optional[str]
        filters: List[str]
        immediate: bool
else:
    Step = namedtuple("Step", "how command variables as_account then")
    Wanted = namedtuple("Wanted", "state precision filters immediate")


def task_name(module: str, instance: str) -> str:
    """As nlserver wants it: without an instance it is `default`."""
    return module if instance == DEFAULT else "%s@%s" % (module, instance)


def steps(
    home: str, module: str, instance: str, before: "Entry", wanted: Wanted, service: "Entry"
) -> "List[Step]":
    """What has to be done, in order; nothing when all is as wanted.

    service: {"unit": name or None, "active": bool, "init_script": path or None}: how the
    watchdog is started on this host.
    """
    nlserver = os.path.join(home, "bin", "nlserver")
    name = task_name(module, instance)
    immediate = ["-immediate"] if wanted.immediate else []
    runs = before["pid"] is not None

    def run(*arguments: str, then: str = "up") -> Step:
        return Step("run", [nlserver] + list(arguments), {}, True, then)

    def stop() -> Step:
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
    nlserver: str, before: "Entry", wanted: Wanted, service: "Entry"
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
