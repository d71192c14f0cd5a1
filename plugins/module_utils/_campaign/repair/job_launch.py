# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Launching a declared export or import again, and following it to its end.

A job is guarded by a lock of its own, ``jobs/<kind>-<instance>-<name>.lock``, which the process
that supervises the job holds for as long as the job runs: whatever becomes of the controller or of
this module, nobody launches the job a second time through here, and its exit code is kept.
"""

import os
import time

from ..account import programs
from ..account.answers import WrongAnswer, fitted
from ..errors import InputError, ProbeError
from ..record import ledger
from . import guard
from .answer import carry_out
from .job_following import NOT_RUNNING, START_LIMIT, Following
from .job_outcome import FAILED, RUNNING, UNKNOWN, moment
from .job_request import FOLLOWED, check_cut, check_duplicates, check_operator, find_duplicates
from .steps import arguments, choose_mode, job_command, title

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Dict, List, Optional

    from ..account.child import Child
    from ..snapshot.probes import Context
    from .job_record import Record

    Entry = Dict[str, Any]


class LaunchError(ProbeError):
    """The job could not be started."""

    def __init__(self, message: str) -> None:
        super().__init__("failed", message)


def spawn(context: "Context", words: "List[str]", record: "Record", descriptor: int) -> "Child":
    """Start the supervising process, in a session of its own; it takes the lock with it."""
    command = [os.path.join(context.home, "bin", "nlserver")] + words
    files = record.open_files()
    try:
        descriptors = [descriptor] + files
        child = context.begin(
            lambda channel, server: programs.supervise(channel, server, command, descriptors),
            keep=descriptors,
        )
    finally:
        for file in files:
            os.close(file)
    try:
        said = child.receive(time.monotonic() + context.limit + START_LIMIT)
        if said is None:
            raise LaunchError("its supervising process did not answer")
        name, data, error, dummy = said
        if error:
            raise LaunchError(str(error))
        if name == "ended":
            raise LaunchError(fitted(data, programs.ENDED)["why"] or "it ended immediately")
    except WrongAnswer as error:
        raise LaunchError(str(error)) from None
    return child


class Launch(Following):
    """One call: gates, launch, following, outcome."""

    def run(self) -> None:
        """Launch or follow. Raises InputError, Refused, LaunchError, StoreError, ProbeError."""
        if self.options["state"] == FOLLOWED:
            self.run_followed()
            return
        mode = choose_mode(self.job, self.options["mode"])
        words = [self.job["kind"]] + arguments(self.job, mode)
        self.result["mode"] = mode
        content = {
            "run": self.guarded.run, "host": self.guarded.me["host"],
            "who": self.guarded.who, "from": self.guarded.origin,
            "job": self.job["name"], "kind": self.job["kind"], "instance": self.job["instance"],
            "mode": mode, "because": self.options["because"], "facts": None, "inside": None,
            "command": job_command(self.context.home, self.job, mode),
        }  # fmt: skip
        try:
            content["people"] = check_operator(self.options)
            content["duplicates"] = self.duplicates()
            self.begin_guarded(words, content)
        except guard.Refused as refused:
            self.note_refusal(content, refused)
            raise

    def duplicates(self) -> "Optional[Entry]":
        """Looked for in the database, where there are credentials for it."""
        port = self.context.settings("web").get("http_port") or 8080
        url = "http://%s:%d" % (self.context.options["address"], port)
        self.result["duplicates"] = find_duplicates(self.options, url)
        return check_duplicates(self.options, self.result["duplicates"])

    def note_refusal(self, content: "Entry", refused: guard.Refused) -> None:
        """Record the refusal, too."""
        if self.check_mode:
            return
        try:
            self.guarded.store.prepare()
        except ledger.StoreError as error:
            self.guarded.warnings.append(str(error))
            return
        line = self.line(content)
        self.guarded.note("refused", result="refused", reason=str(refused), **line)

    def begin_guarded(self, words: "List[str]", content: "Entry") -> None:
        """The guards of every change, and the launch within them."""
        asked_at = self.clock()
        self.refuse_running(self.look())
        self.guarded.enter()
        try:
            self.tell_previous()
            self.refuse_running(self.look())
            check_cut(self.job, self.result["previous"], self.options.get("accept_cut_import"))
            content["inside"] = self.guarded.inside(self.job["kind"], self.job["instance"])
            if not content["inside"]:
                self.check_budget()
                self.guarded.check(self.job["kind"], self.job["instance"], False, False)
            self.result.update(
                changed=True, command=content["command"], evidence=self.guarded.evidence
            )
            self.result["diff"] = self.diff(content["mode"])
            if self.check_mode:
                self.result["commands"] = [content["command"]]
                self.result["msg"] = "%s would be launched." % title(self.job, content["mode"])
                return
            self.launch(words, content, asked_at)
        finally:
            self.guarded.leave()

    def refuse_running(self, seen: "Entry", locked: bool = False) -> None:
        """A running job is never launched a second time.

        Args:
            locked: the lock of the job is ours, so it proves nothing.
        """
        running = seen["running"]
        record = self.record.load() or {}
        if running:
            self.result["pid"], self.result["started_at"] = running["pid"], running["started_at"]
            text = "pid %d, since %s" % (running["pid"], moment(running["started_at"]))
        elif not locked and self.record.supervised():
            text = "since %s" % moment(record.get("launched_at"))
        else:
            return
        if record and not record["facts"]:
            text += ", launched by %s from %s" % (record.get("who"), record.get("from"))
        self.result["outcome"] = RUNNING
        raise guard.Refused(
            "running",
            "%s is already running (%s) and is not launched a second time."
            % (title(self.job), text),
            "Wait until it ends (state: followed).",
        )

    def check_budget(self) -> None:
        """A job that is launched repeatedly needs an operator, not another launch."""
        minutes, budget = self.options["restart_budget_minutes"], self.options["restart_budget"]
        since = self.clock() - 60.0 * minutes
        count = len([
            line for line in self.guarded.lines()
            if line["event"] == "begun" and line["at"] >= since and not line.get("restart")
            and ledger.is_of(line, self.job["kind"], self.job["instance"])
            and line.get("job") == self.job["name"]
        ])  # fmt: skip
        if count < budget or self.options["accept_restart_loop"]:
            return
        raise guard.Refused(
            "budget",
            "%s was launched %d times in %g minutes; at most %d are allowed."
            % (title(self.job), count, minutes, budget),
            "Find out why those launches did not help, raise restart_budget, or set"
            " accept_restart_loop: true.",
        )

    def diff(self, mode: str) -> "Dict[str, str]":
        """The change, the same before it is made and after."""
        name = "%s %s@%s" % (self.job["kind"], self.job["name"], self.job["instance"])
        text = "launched (%s): %s\n" % (mode, " ".join(self.result["command"]))
        return {
            "before_header": name, "after_header": name, "before": "not running\n", "after": text,
        }  # fmt: skip

    def launch(self, words: "List[str]", content: "Entry", asked_at: float) -> None:
        """From the lock of the job to its outcome."""
        self.record.store.prepare()
        descriptor = self.record.lock()
        if descriptor is None:
            self.refuse_running(self.look())
            raise guard.Refused(
                "running", "Another call is launching %s at this moment."
                           % title(self.job), "Try again."
            )
        try:
            other = self.record.load() or {}
            if other.get("launched_at", 0) >= asked_at:
                raise guard.Refused(
                    "running",
                    "%s was launched by %s from %s while this call was waiting."
                    % (title(self.job), other.get("who"), other.get("from")),
                    "Check how it ended, and launch it again if necessary.",
                )
            before = self.look()
            self.refuse_running(before, locked=True)
            content["before"] = dict((name, before[name]) for name in ("result", "rejects"))
            content["launched_at"] = self.clock()
            self.guarded.write("begun", **self.line(content))
            try:
                self.record.prepare()
                self.record.save(content)
                process = spawn(self.context, words, self.record, descriptor)
            except (LaunchError, ledger.StoreError) as error:
                self.result.update(changed=False, outcome=FAILED)
                self.guarded.note(
                    "ended", result="failed", reason=str(error), **self.line(content)
                )
                self.record.forget()
                raise
        finally:
            os.close(descriptor)
        self.result.update(launched=True, commands=[self.result["command"]])
        self.follow(content, process)


def blank() -> "Entry":
    """The answer when nothing has been done yet."""
    answer: "Entry" = dict.fromkeys(
        ("mode", "pid", "exit_code", "started_at", "ended_at", "outcome", "result", "rejects",
         "previous", "evidence", "guard", "holder", "record", "duplicates")
    )  # fmt: skip
    answer.update(
        changed=False, launched=False, refused=False, timed_out=False, seconds=0.0,
        command=[], commands=[], errors=[], output=[], msg="", warnings=[], failed=False,
        before={}, after={}, left="as_before",
    )  # fmt: skip
    return answer


def check_options(options: "Entry") -> None:
    """What an argument specification cannot say."""
    wait = options["wait"]
    if wait is not None and not 0 <= wait <= 7 * 86400:
        raise InputError("wait must be 0 to 604800 seconds.")
    job = options["job"]
    for name in ("name", "instance"):
        if not job[name].strip() or any(ord(letter) < 32 for letter in job[name]):
            raise InputError("job: %s must be a single line that is not empty." % name)


def begin(options: "Entry", check_mode: bool, result: "Entry") -> Launch:
    """The call, once the options are good and the server was looked at."""
    check_options(options)
    context = guard.open_context(options)
    guard.check_subject(context, options["job"]["kind"], options["job"]["instance"])
    return Launch(context, guard.GuardedChange(context, check_mode), result)


def answer(options: "Entry", check_mode: bool) -> "Entry":
    """The whole call; the module's result, with `failed`."""
    result = blank()
    launch, failure = carry_out(begin, options, check_mode, result, title(options["job"]))
    result["failed"] = bool(failure) or result["outcome"] in (FAILED, UNKNOWN)
    if failure:
        result["msg"] = failure
    if result["launched"]:
        # A job leaves data behind, whatever its end.
        names = ("outcome", "exit_code", "pid")
        result.update(before=NOT_RUNNING, after=dict((name, result[name]) for name in names))
        result["left"] = "unknown" if result["outcome"] in (None, UNKNOWN) else "changed"
    if launch:
        result["warnings"] = launch.guarded.warnings + (
            [result["msg"]] if result["timed_out"] else []
        )
        result.update(run=launch.guarded.run, interrupted=launch.guarded.interrupted)
    return result
