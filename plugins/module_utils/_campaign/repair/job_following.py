# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Following a job that was launched here, to its end."""

import os
import time

from ..account import jobs, programs
from ..account.answers import Maybe
from ..errors import ProbeError
from ..host import proc
from ..record import ledger
from ..snapshot import shapes
from ..snapshot.probes import complete_job
from .job_outcome import FAILED, RUNNING, SUCCEEDED, judge, newer_file, seconds
from .job_record import LIST_LIMIT, Ended, Record, Started
from .job_request import LAUNCHED
from .steps import title

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Callable, Dict, List, Optional

    from ..account.child import Child
    from ..snapshot.probes import Context
    from .guard import GuardedChange

    Entry = Dict[str, Any]

DEFAULT_WAIT = 3600
START_LIMIT = 10  # seconds until the supervising process must have started the job
NOT_RUNNING = {"state": "stopped", "pid": None}  # else it would not have been launched
QUIET = 0.15  # seconds without a new line after which a log is taken as complete
LOG_LIMIT = 1.5  # seconds for the last lines of a failure to arrive through syslogd
SUCCESS_LOG_LIMIT = 0.4
CLOCK_SECONDS = 60  # permitted difference between two ways to determine the start of a process
PREVIOUS = ("outcome", "exit_code", "pid", "started_at", "ended_at", "seconds", "rejects", "msg")
LOG_LINE = {"at": float, "pid": Maybe(int), "error": Maybe({"sample": str, "codes": [str]})}


def alive(home: str, started: Started) -> bool:
    """Does this process of the home still exist, and not another one with a reused process id?"""
    boot = proc.boot_time()
    tick = float(os.sysconf("SC_CLK_TCK"))
    return any(
        status.pid == started.pid
        and (boot is None or abs(boot + status.start / tick - started.at) < CLOCK_SECONDS)
        for status in proc.scan(home).own
    )


class Following:
    """A job and the outcome of its last launch. `result` is the answer of the module."""

    def __init__(
        self,
        context: "Context",
        guarded: "GuardedChange",
        result: "Entry",
        clock: "Callable[[], float]" = time.time,
        sleep: "Callable[[float], object]" = time.sleep,
    ) -> None:
        self.context = context
        self.guarded = guarded
        self.options = context.options
        self.job = self.options["job"]
        self.check_mode = guarded.check_mode
        self.record = Record(guarded.store, self.job)
        self.clock = clock
        self.sleep = sleep
        self.result = result
        self.result["record"] = self.record.path
        mine = (self.job["kind"], self.job["instance"])
        self.alone = not any(
            (job["kind"], job["instance"]) == mine and job["name"] != self.job["name"]
            for job in self.options["jobs"]
        )

    # ------------------------------------------------------------------------- the server

    def look(self) -> "Entry":
        """The job as campaign_info sees it: running, its files, its last error."""
        job, alone = self.job, self.alone
        seen: "Entry" = self.context.ask(
            lambda server: jobs.collect(job, server.var_dir, alone), shape=shapes.JOB
        )
        running = proc.processes(proc.scan(self.context.home))["modules"]
        complete_job(seen, proc.runs(job, running, alone))
        return seen

    def log_lines(self, pid: int, since: float) -> "List[Entry]":
        """The log lines of the process since a time.

        If no line has its id (builds differ), those of any process, unless other jobs write there.
        """
        job = self.job
        since = int(since * 1000) / 1000.0  # as exact as the log
        try:
            lines: "List[Entry]" = self.context.ask(
                lambda server: programs.log_lines(server, job, since), shape=[LOG_LINE]
            )
        except ProbeError:
            return []
        mine = [line for line in lines if line["pid"] == pid]
        return mine if mine or not self.alone else lines

    def settled_lines(self, pid: int, since: float, limit: float) -> "List[Entry]":
        """The same, after syslogd has written pending lines."""
        lines = self.log_lines(pid, since)
        end = time.monotonic() + limit
        while time.monotonic() < end:
            self.sleep(QUIET)
            count, lines = len(lines), self.log_lines(pid, since)
            if lines and len(lines) == count:
                break
        return lines

    def line(self, content: "Entry") -> "Entry":
        """What the lines of the ledger say of a launch."""
        people, duplicates = content.get("people") or {}, content.get("duplicates")
        return {
            "module": self.job["kind"], "instance": self.job["instance"], "remedy": "relaunch",
            "state": LAUNCHED, "because": content.get("because") or [],
            "command": [content["command"]],
            "job": self.job["name"], "mode": content.get("mode"), "inside": content.get("inside"),
            "operator": people.get("operator"), "scheduled_by": people.get("scheduled_by"),
            "taken_over_by": people.get("taken_over_by"), "duplicates": duplicates,
            "before": NOT_RUNNING,
        }  # fmt: skip

    # ------------------------------------------------------------------------- following

    def wait_limit(self) -> float:
        """How long the job is followed."""
        asked: "Optional[float]" = self.options["wait"]
        if asked is not None:
            return asked
        minutes: "Optional[float]" = self.job.get("max_minutes")
        return 60.0 * minutes if minutes else DEFAULT_WAIT

    def follow(self, content: "Entry", process: "Optional[Child]" = None) -> None:
        """To the end of the job, or of the time; the job goes on in any case."""
        limit = self.wait_limit()
        if self.guarded.lock.mine or self.options["run"]:
            try:
                self.guarded.lock.rest()  # the job goes on alone: a run that takes over need not wait
            except ledger.StoreError:
                pass  # the job matters more
        self.until(limit if limit > 0 else START_LIMIT, process, limit <= 0)
        started, ended = self.record.started(), self.record.end()
        if ended is None and not self.present(started):
            ended = self.record.end() or Ended(None, None)
        if started:
            self.result.update(pid=started.pid, started_at=started.at)
        if ended is None:
            self.still_running(content, limit)
        else:
            self.finish(content, started, ended)

    def present(self, started: "Optional[Started]") -> bool:
        """Is the job running, or is its supervisor about to record its end?"""
        if self.record.supervised():
            return True
        return bool(started and not self.record.end() and alive(self.context.home, started))

    def until(
        self, limit: float, process: "Optional[Child]" = None, only_start: bool = False
    ) -> None:
        """Wait for the end (or the start) of the job."""
        end = time.monotonic() + limit
        pause = 0.03
        while True:
            if process is not None:
                process.receive(time.monotonic())
            started = self.record.started()
            if self.record.end() or (only_start and started) or not self.present(started):
                return
            remaining = end - time.monotonic()
            if remaining <= 0:
                return
            self.beat()
            self.sleep(min(pause, remaining))
            pause = min(pause * 1.5, 2.0)

    def beat(self) -> None:
        """The lock of the host stays ours for as long as the job is followed."""
        if self.guarded.lock.mine or self.options["run"]:
            try:
                self.guarded.lock.beat()
            except ledger.StoreError:
                pass  # the job matters more

    def still_running(self, content: "Entry", limit: float) -> None:
        pid = self.result["pid"]
        text = "%s is running%s and was left running." % (
            title(self.job, content.get("mode")), " (pid %d)" % pid if pid else "",
        )  # fmt: skip
        if limit > 0:
            self.result["timed_out"] = True
            text = "%s is still running after %s%s and was left running." % (
                title(self.job, content.get("mode")), seconds(limit),
                " (pid %d)" % pid if pid else "",
            )  # fmt: skip
        text += " Its result will be recorded; state: followed waits for it."
        self.result.update(outcome=RUNNING, msg=text)
        self.result["seconds"] = round(self.clock() - content["launched_at"], 3)
        if self.options["state"] == LAUNCHED:
            self.guarded.note(
                "ended", result="done", reason=text, after={"outcome": RUNNING, "pid": pid},
                seconds=self.result["seconds"], **self.line(content)
            )  # fmt: skip

    def finish(self, content: "Entry", started: "Optional[Started]", ended: Ended) -> None:
        """The outcome, into the answer, the record and the ledger."""
        self.result.update(content["facts"] or self.record_outcome(content, started, ended))

    def record_outcome(self, content: "Entry", started: "Optional[Started]", ended: Ended) -> "Entry":
        """Record the outcome of a launch: once, by the first call that sees it."""
        facts = self.facts(content, started, ended)
        if self.check_mode:
            return facts
        try:
            self.record.save(dict(content, facts=facts))
            self.record.forget_output()
        except ledger.StoreError as error:
            self.guarded.warnings.append(str(error))
        names = ("outcome", "exit_code", "pid", "started_at", "ended_at")
        after = dict((name, facts[name]) for name in names)
        after["rejects"] = facts["rejects"] and facts["rejects"]["lines"]
        self.guarded.note(
            "ended", result="done" if facts["outcome"] == SUCCEEDED else "failed",
            reason=facts["msg"], after=after, seconds=facts["seconds"], run=content["run"],
            host=content.get("host") or "", who=content["who"], **self.line(content)
        )  # fmt: skip
        return facts

    def facts(self, content: "Entry", started: "Optional[Started]", ended: Ended) -> "Entry":
        """The outcome of a launch."""
        since = content["launched_at"]
        pid = started.pid if started else None
        limit = SUCCESS_LOG_LIMIT if ended.exit_code == 0 else LOG_LIMIT
        lines = self.settled_lines(pid, since, limit) if pid else []
        errors = [
            dict(line["error"], at=line["at"]) for line in lines if line["error"]
        ]
        seen, before = self.look(), content.get("before") or {}
        made = newer_file(before.get("result"), seen["result"], since)
        rejects = newer_file(before.get("rejects"), seen["rejects"], since)
        output = [self.guarded.scrub(line) for line in self.record.output()]
        if started:
            outcome, reason = judge(
                ended.exit_code, made, bool(self.job.get("result")), errors[-1] if errors else None
            )
        else:
            outcome, reason = FAILED, "could not be started"
        took = None
        if ended.at is not None:
            took = round(max(0.0, ended.at - (started.at if started else since)), 3)
        name = title(self.job, content.get("mode"))
        if outcome == SUCCEEDED:
            text = "%s succeeded" % name
            text += " in %s" % seconds(took) if took is not None else ""
            text += ": %s." % made["path"] if made else "."
        else:
            why = errors[-1]["sample"] if errors else output[-1] if output else ""
            text = "%s %s%s" % (name, reason, ": " + why if why else "")
            text = text.rstrip(".") + "."
        if rejects and rejects["lines"]:
            text += " %d lines were rejected: %s." % (rejects["lines"], rejects["path"])
        return {
            "pid": pid, "started_at": started.at if started else None, "ended_at": ended.at,
            "exit_code": ended.exit_code, "seconds": took, "outcome": outcome,
            "errors": errors[-LIST_LIMIT:], "result": made, "rejects": rejects,
            "output": output, "msg": text,
        }  # fmt: skip

    # ------------------------------------------------------------------ what was before

    def tell_previous(self) -> None:
        """The previous launch; if its end was not recorded, it is recorded now."""
        content = self.record.load()
        if not content:
            return
        told = dict(
            (name, content.get(name)) for name in ("launched_at", "run", "who", "from", "mode")
        )
        told["known"] = bool(content["facts"])
        facts = content["facts"]
        if not facts:
            ended = self.record.end()
            started = self.record.started()
            if not ended and not self.present(started):
                ended = self.record.end() or Ended(None, None)
            facts = self.record_outcome(content, started, ended) if ended else {"outcome": RUNNING}
        told.update((name, facts.get(name)) for name in PREVIOUS)
        self.result["previous"] = told

    def run_followed(self) -> None:
        """Only follow what was launched here before."""
        content = self.record.load()
        if not content:
            self.result["msg"] = "%s has not been launched here yet." % title(self.job)
            return
        self.result["mode"] = content.get("mode")
        if self.check_mode:
            self.options["wait"] = 0
        self.result["command"] = content["command"]
        self.follow(content)
