# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A workflow started through the API, within the guards and the ledger of its host."""

import collections
import time

from ..errors import InputError
from ..names import WORKFLOW_STATES
from . import answer, guard, workflow

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Dict, List, NamedTuple, Optional, Union

    from ..snapshot.probes import Context

    Entry = Dict[str, Any]

    class Observed(NamedTuple):
        before: Optional[Entry]
        after: Optional[Entry]
        commands: Optional[List[List[str]]]
        seconds: Optional[float]
else:
    Observed = collections.namedtuple("Observed", "before after commands seconds")

MODULE = "wfserver"
REMEDY = "start_workflow"


class Change:
    """One call: the guards and the ledger of the host around the API calls."""

    def __init__(self, options: "Entry", check_mode: bool, result: "Entry") -> None:
        self.options = options
        self.result = result
        self.name = "%s of %s" % (options["workflow"], options["instance"])
        if not 0 <= options["wait"] <= 3600:
            raise InputError("wait must be 0 to 3600 seconds.")
        self.context = guard.open_context(options)
        guard.check_subject(self.context, MODULE, options["instance"])
        self.guarded = guard.GuardedChange(self.context, check_mode)
        self.result.update(run=self.guarded.run, interrupted=self.guarded.interrupted)

    def line(self, **values: "Any") -> "Entry":
        """What every line of the ledger says of it."""
        options = self.options
        return dict(
            {"module": MODULE, "instance": options["instance"], "state": options["state"],
             "remedy": options["remedy"] or REMEDY, "because": options["because"],
             "workflow": options["workflow"]}, **values
        )  # fmt: skip

    def run(self) -> None:
        """The whole call, or the current step of the controller."""
        if self.options["answer"]:
            self.record_step(self.options["answer"])
        else:
            self.call_from_host()

    def call_from_host(self) -> None:
        """All of it, with the calls made from this host."""
        options = self.options
        credentials = workflow.credentials_of(options, _tomcat(self.context))
        start = workflow.Start(credentials, options, self.guarded.check_mode)
        failure = None
        try:
            done = start.run(self.check_guards)
        except workflow.NotAllowed as error:
            raise self.refuse(str(error)) from None
        except workflow.StartError as error:
            failure, done = self.guarded.scrub(str(error)), bool(self.result["changed"])
        finally:
            self.add_to_result(start)
        self.end(done, failure)

    def record_step(self, answer: "Entry") -> None:
        """One step of it, with the calls made by the controller: begin, end, or refused."""
        if answer["step"] == "refused":
            raise self.refuse(answer["reason"])
        start = Observed(
            before=answer.get("before"), after=answer.get("after"),
            commands=answer.get("commands"), seconds=answer.get("seconds"),
        )  # fmt: skip
        self.add_to_result(start)
        if answer["step"] == "begin":
            self.check_guards(start)
            self.guarded.leave(keep=True)
            return
        self.result["changed"] = bool(answer["done"])
        self.end(answer["done"], answer["failure"] and self.guarded.scrub(answer["failure"]))
        if answer["close"]:
            self.guarded.leave(close=True)

    def add_to_result(self, start: "Union[workflow.Start, Observed]") -> None:
        """Put states and commands into the result."""
        self.result.update(
            before=start.before, after=start.after, commands=start.commands, seconds=start.seconds
        )

    def refuse(self, why: str) -> guard.Refused:
        """A workflow that must not be started; recorded like every refusal."""
        refused = guard.Refused(
            "workflow", why, "If it is safe to restart, list it in restartable_workflows"
                             " (campaign_restartable_workflows).",
        )  # fmt: skip
        self.guarded.note("refused", **self.line(result="refused", reason=str(refused)))
        return refused

    def check_guards(self, start: "Union[workflow.Start, Observed]") -> None:
        """The guards, and the line of the ledger that it begins."""
        guarded = self.guarded
        guarded.enter()
        try:
            inside = guarded.inside(MODULE, self.options["instance"])
            if not inside:
                self.check_budget()
                guarded.check(MODULE, self.options["instance"], False, False)
            self.result.update(changed=True, evidence=guarded.evidence)
            self.result["left"] = "as_before" if guarded.check_mode else "unknown"
            guarded.write(
                "begun", **self.line(command=start.commands, before=start.before, inside=inside)
            )
        except guard.Refused as refused:
            guarded.note("refused", **self.line(result="refused", reason=str(refused)))
            guarded.leave()
            raise

    def check_budget(self) -> None:
        """A workflow that fails repeatedly needs an operator, not another start."""
        minutes, budget = self.options["restart_budget_minutes"], self.options["restart_budget"]
        since = time.time() - 60.0 * minutes
        count = len([
            line for line in self.guarded.lines()
            if line["event"] == "begun" and line["at"] >= since
            and line["instance"] == self.options["instance"]
            and line.get("workflow") == self.options["workflow"]
        ])  # fmt: skip
        if count < budget or self.options["accept_restart_loop"]:
            return
        raise guard.Refused(
            "budget",
            "%s was started %d times in %g minutes; at most %d are allowed."
            % (self.name, count, minutes, budget),
            "Read its journal, raise restart_budget, or set accept_restart_loop: true.",
        )

    def end(self, done: bool, failure: "Optional[str]") -> None:
        """The line of the ledger that ends it, and the sentence."""
        before, after = self.result["before"], self.result["after"]
        if not done and not failure:
            self.result["msg"] = "%s is already %s." % (self.name, workflow.describe(before))
            return
        if self.guarded.check_mode and not failure:
            self.result["msg"] = "%s, which is %s, would be started." % (
                self.name, workflow.describe(before))  # fmt: skip
            self.guarded.leave()
            return
        if done:
            self.result["left"] = workflow.state_after(before, after)
            self.guarded.note("ended", **self.line(
                result="failed" if failure else "done", reason=failure or "", before=before,
                after=after, seconds=self.result["seconds"], command=self.result["commands"],
            ))  # fmt: skip
            self.guarded.leave()
        if failure:
            self.result["in_vain"] = True
            raise answer.Failed("%s could not be started through the API: %s"
                                % (self.name, failure))
        self.result["msg"] = "%s was started: %s." % (self.name, workflow.describe(after))

    def diff(self) -> "Optional[Entry]":
        """Before and after, as --diff shows it."""
        before, after = self.result["before"], self.result["after"] or {}
        if not before:
            return None
        if self.result["changed"] and after == before:  # check mode
            after = dict(before, state=WORKFLOW_STATES["started"], failed=False,
                         process_id="a new process")  # fmt: skip
        shown = ("state", "failed", "process_id")
        return {
            "before": {self.name: dict((key, before.get(key)) for key in shown)},
            "after": {self.name: dict((key, after.get(key)) for key in shown)},
        }


def _tomcat(context: "Context") -> str:
    """Where Tomcat of this host listens, if the credentials do not say where."""
    port = context.settings("web").get("http_port") or 8080
    return "http://%s:%d" % (context.options["address"], port)
