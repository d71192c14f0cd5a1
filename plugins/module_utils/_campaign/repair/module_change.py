# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A Campaign module brought to a state: guards, steps, proof, and the lines of the ledger."""

import time

from ..errors import InputError
from ..names import UTILITIES
from ..record import ledger
from . import answer, control, guard
from .steps import steps

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Dict, List, Optional

    Entry = Dict[str, Any]

NO_SERVICE = {"unit": None, "active": False, "init_script": None}
VERBS = {"started": "start", "stopped": "stop", "restarted": "restart", "reloaded": "reload"}


class Change:
    """One call: the state it found, its steps, and the result."""

    def __init__(self, options: "Entry", check_mode: bool, result: "Entry") -> None:
        self.options = options
        self.check_mode = check_mode
        self.result = result
        self.module = options["module"]
        self.instance = options["instance"]
        self.name = "%s@%s" % (self.module, self.instance)
        if not 0 <= options["wait"] <= 3600:
            raise InputError("wait must be 0 to 3600 seconds.")
        self.seconds = guard.duration(options["precision_for"])
        self.requested = control.check_requested(self.module, options)
        self.context = guard.open_context(options)
        guard.check_subject(self.context, self.module, self.instance)
        self.guarded = guard.GuardedChange(self.context, check_mode)
        self.step_runner = control.StepRunner(
            self.context, self.module, self.instance, self.guarded.scrub
        )
        self.service = NO_SERVICE
        if self.module == "watchdog":
            self.service = control.read_service(self.context)
        self.result.update(run=self.guarded.run, interrupted=self.guarded.interrupted)
        self.look()

    def look(self) -> None:
        """Read the state, and determine the steps."""
        self.before = self.step_runner.observe()
        if self.requested.state == "reloaded" and self.before["pid"] is None:
            raise InputError(
                "%s is not running, so it cannot be reloaded. Start it: it then reads its"
                " configuration."
                % self.name
            )
        self.steps = steps(
            self.context.home, self.module, self.instance, self.before, self.requested, self.service
        )
        self.result.update(before=self.before, after=self.before)

    # ------------------------------------------------------------------------------ doing

    def run(self) -> None:
        """Carry out the change."""
        if not self.steps:
            self.guarded.settle(write=False)
            self.unchanged()
            return
        try:
            self.guarded.enter()
            try:
                self.look()  # a run before us may have done it while we waited
                if self.steps:
                    self.change()
                else:
                    self.unchanged()
            finally:
                self.guarded.leave()
        except guard.Refused as refused:
            line = dict(self.line(), result="refused", reason=str(refused), before=self.before)
            self.guarded.note("refused", **line)
            raise

    def line(self) -> "Entry":
        """What every line of the ledger says of this change."""
        level = self.options["log_precision"]
        remedy = VERBS[self.requested.state] if level is None else "log_precision_" + level
        return {
            "module": self.module,
            "instance": self.instance,
            "remedy": self.options["remedy"] or remedy,
            "because": self.options["because"],
            "state": self.requested.state,
        }

    def participle(self) -> str:
        """The change as a participle, for sentences."""
        if self.requested.precision and self.requested.state == "started" and self.before["pid"]:
            return "set to log precision %s" % self.requested.precision
        return "%s" % self.requested.state

    def restarts(self) -> bool:
        """Does it count for the restart budget? The way back from a raised log precision does
        not: a spent budget must not leave it on."""
        if self.module in UTILITIES or self.requested.state not in ("started", "restarted"):
            return False
        raised = self.before["precision"] in ("verbose", "trace")
        return not (raised and self.participle() == "set to log precision standard")

    def unchanged(self) -> None:
        """Nothing to do; an end of the raised precision that is new is written down."""
        self.result["msg"] = "%s is already %s." % (self.name, control.words_for(self.before))
        raised = self.raised()
        level = self.requested.precision
        if level == "standard" and raised:
            wrong = True  # another run restored it
        else:
            ended = not raised or (raised.get("until") or 0) < time.time()
            wrong = bool(level and self.seconds and ended)
        if wrong and not self.check_mode:
            self.guarded.store.prepare()
            self.guarded.note(
                "ended", result="unchanged", precision=self.precision(self.before),
                before=self.before, after=self.before, **self.line()
            )  # fmt: skip

    def raised(self) -> "Optional[Entry]":
        """What the ledger says of a raised precision of this module."""
        for entry in ledger.precisions(self.guarded.lines()):
            if ledger.is_of(entry, self.module, self.instance):
                return entry
        return None

    def precision(self, after: "Entry") -> "Entry":
        """The precision that it has now, for the ledger."""
        if after["precision"] == "standard":
            return {"value": "standard", "until": None, "filters": []}
        until = time.time() + self.seconds if self.seconds else None
        return {"value": after["precision"], "until": until, "filters": after["filters"]}

    def change(self) -> None:
        """Ask the guards, take the steps, wait, and record it."""
        restart = self.restarts()
        runs = self.before["pid"] is not None
        inside = self.guarded.inside(self.module, self.instance)
        if not inside:
            ends_work = runs and self.requested.state != "reloaded"
            self.guarded.check(self.module, self.instance, restart, ends_work)
        self.result["evidence"] = self.guarded.evidence
        self.result["changed"] = True
        if self.check_mode:
            self.announce()
            return
        commands = [step.command for step in self.steps]
        self.guarded.write(
            "begun", command=commands, before=self.before, restart=restart, inside=inside,
            **self.line()
        )  # fmt: skip
        began = time.monotonic()
        others = control.others(self.context.home, self.module, self.instance)
        failure = back = None
        self.result["left"] = "unknown"  # until it is seen
        try:
            after = self.perform()
        except control.ControlError as error:
            failure = self.guarded.scrub(str(error))
            back = self.step_runner.put_back(self.before, self.options["wait"], self.service)
            after = self.step_runner.observe()
        self.result.update(
            after=after,
            left=control.state_after(self.before, after),
            commands=self.step_runner.commands,
            seconds=round(time.monotonic() - began, 3),
            changed=not failure or after["pid"] != self.before["pid"],
            touched=self.touched(others),
        )
        ended = dict(self.line(), before=self.before, after=after, seconds=self.result["seconds"])
        ended["inside"] = inside
        ended["command"] = self.step_runner.commands
        if failure:
            reason = "%s %s" % (failure, back)
            self.guarded.note("ended", result="failed", reason=reason, **ended)
            raise answer.Failed(self.explain(failure, back))
        if self.requested.precision or (after["precision"] == "standard" and self.raised()):
            ended["precision"] = self.precision(after)
        self.guarded.note("ended", result="done", **ended)
        self.result["msg"] = "%s was %s: %s." % (
            self.name, self.participle(), control.words_for(after)
        )  # fmt: skip

    def announce(self) -> None:
        """In check mode: what a run would do."""
        after = dict(self.before)
        if self.requested.state == "stopped":
            after = control.describe([])
        elif self.requested.state != "reloaded" and self.module not in UTILITIES:
            after.update(state="running", pid=None, started_at=None, memory_mb=None)
            if self.requested.precision:
                after.update(precision=self.requested.precision, filters=self.requested.filters)
            after["precision"] = after["precision"] or "standard"
        self.result.update(after=after, commands=[step.command for step in self.steps])
        self.result["msg"] = "%s would be %s." % (self.name, self.participle())

    def perform(self) -> "Entry":
        """The steps and their proof; the state after them."""
        pids = [p["pid"] for p in self.step_runner.find()]
        for step in self.steps:
            self.step_runner.take(step, pids)
        if self.requested.state == "stopped":
            return self.step_runner.settle_stopped(self.options["wait"])
        if self.module in UTILITIES:
            return self.step_runner.observe()
        after = self.step_runner.settle(
            1.0 if self.requested.state == "reloaded" else self.options["wait"],
            self.requested.precision,
        )
        if self.requested.state == "reloaded" and after["pid"] != self.before["pid"]:
            raise control.ControlError("Its process ended during the reload.")
        return after

    def touched(self, others: "Dict[str, List[int]]") -> "List[str]":
        """Other modules whose process has changed."""
        if self.module == "watchdog":
            return []
        now = control.others(self.context.home, self.module, self.instance)
        names = sorted(name for name in others if now.get(name) != others[name])
        if names:
            self.guarded.warnings.append(
                "The process of %s also changed in the meantime." % ", ".join(names)
            )
        return names

    def explain(self, failure: str, back: "Optional[str]") -> str:
        """The failure for an operator."""
        tried = ", then ".join(" ".join(command) for command in self.step_runner.commands)
        log = "%s/%s/log/%s.log" % (self.context.var_dir, self.instance, self.module)
        return "%s could not be %s. Tried: %s. %s %s See %s%s." % (
            self.name, self.participle(), tried, failure, back, log,
            " and " + self.result["evidence"] if self.result["evidence"] else "",
        )  # fmt: skip

    def diff(self) -> "Entry":
        """Before and after, as --diff shows it."""
        before, after = self.result["before"], self.result["after"]
        announced = after["pid"] is None
        return {
            "before": {self.name: _shown(before, False)},
            "after": {self.name: _shown(after, announced)},
        }


def _shown(state: "Entry", new: bool) -> "Entry":
    """What --diff shows of a state; new: of a process that there will be."""
    shown = dict((name, state[name]) for name in ("state", "pid", "precision", "filters"))
    if new and state["state"] != "stopped":
        shown["pid"] = "a new process"
    return shown


def blank_result() -> "Entry":
    """The result when nothing has been done yet."""
    return {
        "changed": False,
        "refused": False,
        "guard": None,
        "holder": None,
        "left": "as_before",
        "commands": [],
        "seconds": 0.0,
        "evidence": None,
        "touched": [],
    }
