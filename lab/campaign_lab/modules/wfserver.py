"""wfserver and runwf: workflows.

Imitated: wfserver starts each due workflow of the database as a ``runwf`` process
(``nlserver runwf … -wf:<internal name>``); ``@processId`` says that it runs, an error leaves it
paused (13) with ``@failed=1``; the campaigns that run at once are bounded by
``NmsOperation_LimitConcurrency``; the Tracking workflow runs ``tracking``. The lab's own:
activities, periods, and that a technical workflow fails at its third error in a row.
"""

from __future__ import annotations

import os
import time

from campaign_lab import database
from campaign_lab.runtime import Module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List

PERIOD_SECONDS = 10.0
STEP_SECONDS = 60.0
TECHNICAL_ERRORS = 3
KEPT_ROWS = 500
KEPT_SECONDS = 86400.0


class WorkflowError(Exception):
    """An activity failed; the text is the log line."""


class Interrupted(Exception):
    """The workflow server ended in the middle of an activity: nothing failed."""


class WfServer(Module):
    """The workflow server of an instance."""

    title = "Workflow server"

    def run(self) -> None:
        """Start what is due."""
        self.database = database.configured(self.config, self.instance)
        self.names: Dict[int, str] = {}
        self.cleared = False
        while not self.stopping.is_set():
            pause = PERIOD_SECONDS
            try:
                pause = self._cycle()
            except database.DatabaseError as error:
                self.error(str(error))
            self.wait(pause)

    def _cycle(self) -> float:
        """One look at the database; how long to wait for the next."""
        ended = self.reap()
        now = time.time()
        with database.session(self.database) as connection:
            due = bool(self._due(connection, now))
            following = connection.execute(
                "SELECT min(labNext) FROM xtk_workflow WHERE state = ? AND processId = 0"
                " AND labPeriod > 0 AND labNext > ?",
                (database.STARTED, now),
            ).fetchone()[0]
        if ended or due or not self.cleared:
            with database.session(self.database, write=True) as connection:
                if not self.cleared:  # processes of a wfserver before this one
                    connection.execute("UPDATE xtk_workflow SET processId = 0")
                    self.cleared = True
                for pid, code in ended:
                    self._settle(connection, pid, code)
                for workflow in self._due(connection, now):  # as it is in this transaction
                    self._start(connection, workflow)
        return min(PERIOD_SECONDS, max(0.2, following - now)) if following else PERIOD_SECONDS

    def _due(self, connection: database.Connection, now: float) -> List[Any]:
        # A comma at the end of affinity, or none at all: those without affinity run here, too.
        mine = self.settings.get("affinity").split(",")
        rows = connection.execute(
            "SELECT * FROM xtk_workflow WHERE (state = ? OR (state = ? AND labPeriod > 0"
            " AND labNext <= ?)) AND labAffinity IN (%s) AND internalName NOT IN (%s) ORDER BY id"
            % (",".join("?" * len(mine)), ",".join("?" * (1 + len(self.names)))),
            (database.START_PENDING, database.STARTED, now, *mine, "", *self.names.values()),
        ).fetchall()
        limit = database.option(connection, "NmsOperation_LimitConcurrency", "10")
        room = int(limit) if limit.isdigit() else 10
        room -= connection.execute(
            "SELECT count(*) FROM xtk_workflow WHERE processId != 0 AND isTechnical = 0"
        ).fetchone()[0]
        due = []
        for row in rows:
            if not row["isTechnical"]:
                if room <= 0:
                    continue
                room -= 1
            due.append(row)
        return due

    def _start(self, connection: database.Connection, workflow: Any) -> None:
        name = workflow["internalName"]
        pid = self.spawn("runwf", "-wf:" + name)
        self.names[pid] = name
        now = time.time()
        connection.execute(
            "UPDATE xtk_workflow SET state = ?, processId = ?, lastStart = ?, labNext = ?"
            " WHERE id = ?",
            (database.STARTED, pid, now, now + workflow["labPeriod"], workflow["id"]),
        )
        self.verbose("Workflow '%s' started (pid=%d)" % (name, pid))

    def _settle(self, connection: database.Connection, pid: int, code: int) -> None:
        name = self.names.pop(pid, "")
        connection.execute(
            "UPDATE xtk_workflow SET processId = 0 WHERE internalName = ? AND processId = ?",
            (name, pid),
        )
        if code < 0:
            self.error("Workflow '%s': runwf (pid=%d) was ended by signal %d" % (name, pid, -code))
        elif code:
            self.warning("Workflow '%s' stopped on an error, see runwf.log" % name)


class RunWf(Module):
    """One run of a workflow."""

    title = "Workflow"

    def run(self) -> None:
        """Run the activity and record its end."""
        self.database = database.configured(self.config, self.instance)
        self.name = self.arguments.options.get("wf", "")
        try:
            with database.session(self.database) as connection:
                workflow = connection.execute(
                    "SELECT * FROM xtk_workflow WHERE internalName = ?", (self.name,)
                ).fetchone()
            if workflow is None:
                self.error("Workflow '%s' does not exist" % self.name)
                raise SystemExit(1)
            code = self._run(workflow)
            self._leave(workflow)
        except database.DatabaseError as error:
            self.error(str(error))
            code = 1
        raise SystemExit(code)

    def _run(self, workflow: Any) -> int:
        kind, _, argument = workflow["labActivity"].partition(":")
        self._begin(workflow, kind)
        activities: Dict[str, Callable[[str], str]] = {
            "tracking": self._tracking, "cleanup": self._cleanup, "delivery": self._delivery,
            "deliverability": self._deliverability, "operations": self._operations,
            "load": self._load, "job": self._job, "wait": self._wait,
        }  # fmt: skip
        try:
            self._check_owner(workflow)
            message = activities[kind](argument)
        except WorkflowError as error:
            self._failed(workflow, str(error))
            return 1
        except Interrupted:
            self._interrupted(workflow)
            return 0
        except KeyError:
            self._failed(workflow, "SCR-160012 Unknown activity '%s' (iRc=16384)" % kind)
            return 1
        self.info("%s: %s" % (self.name, message))
        with database.session(self.database, write=True) as connection:
            connection.execute("UPDATE xtk_workflow SET labErrors = 0, failed = 0, state ="
                               " CASE WHEN labPeriod > 0 THEN state ELSE ? END WHERE id = ?",
                               (database.STOPPED, workflow["id"]))  # fmt: skip
            _log(connection, workflow["id"], database.LOG_INFO, kind, message)
            _end_task(connection, workflow["id"], database.TASK_DONE)
        return 0

    def _begin(self, workflow: Any, activity: str) -> None:
        """The task of this run: the one that is left of a run before, or a new one."""
        now = time.time()
        with database.session(self.database, write=True) as connection:
            if not connection.execute(
                "UPDATE xtk_workflowTask SET status = ?, processingDate = ? WHERE workflowId = ?"
                " AND status != ?",
                (database.TASK_RUNNING, now, workflow["id"], database.TASK_DONE)).rowcount:
                connection.execute(
                    "INSERT INTO xtk_workflowTask (workflowId, activity, title, status,"
                    " processingDate) VALUES (?, ?, ?, ?, ?)",
                    (workflow["id"], activity, workflow["label"], database.TASK_RUNNING, now),
                )  # fmt: skip

    def _failed(self, workflow: Any, message: str) -> None:
        self.error("%s: %s" % (self.name, message))
        with database.session(self.database, write=True) as connection:
            # Counted in the database: another run of it may have ended meanwhile.
            connection.execute("UPDATE xtk_workflow SET labErrors = labErrors + 1 WHERE id = ?",
                               (workflow["id"],))
            connection.execute(
                "UPDATE xtk_workflow SET labErrors = 0, failed = 1, state = ?"
                " WHERE id = ? AND (isTechnical = 0 OR labErrors >= ?)",
                (database.PAUSED, workflow["id"], TECHNICAL_ERRORS),
            )
            _log(connection, workflow["id"], database.LOG_ERROR, workflow["labActivity"], message)
            _end_task(connection, workflow["id"], database.TASK_ERROR)

    def _interrupted(self, workflow: Any) -> None:
        """No error: the next workflow server runs it again at once."""
        self.info("%s: interrupted, it runs again with the workflow server" % self.name)
        with database.session(self.database, write=True) as connection:
            if connection.execute(
                "UPDATE xtk_workflow SET labNext = ?, state ="
                " CASE WHEN labPeriod > 0 THEN state ELSE ? END WHERE id = ? AND processId = ?",
                (time.time(), database.START_PENDING, workflow["id"], os.getpid())).rowcount:
                _end_task(connection, workflow["id"], database.TASK_PENDING)

    def _leave(self, workflow: Any) -> None:
        """Nobody notes the end of this process if the workflow server has ended before."""
        if self.stopping.is_set() or os.getppid() != self._parent:
            with database.session(self.database, write=True) as connection:
                connection.execute(
                    "UPDATE xtk_workflow SET processId = 0 WHERE id = ? AND processId = ?",
                    (workflow["id"], os.getpid()))

    # ------------------------------------------------------------------------ activities

    def _tracking(self, _argument: str) -> str:
        self._utility("tracking")
        return "tracking logs consolidated"

    def _job(self, argument: str) -> str:
        kind, name, operator = argument.split()
        self._utility(kind, "-job:" + name, "-operator:" + operator)
        return "job '%s' done" % name

    def _utility(self, name: str, *words: str) -> None:
        """Run a utility process to its end.

        It is left alone if the workflow server ends first: a job that is cut off is a failed job.
        """
        pid = self.spawn(name, *words)
        deadline = time.monotonic() + STEP_SECONDS
        while time.monotonic() < deadline and not self.stopping.is_set():
            self.wait(deadline - time.monotonic())
            for ended, code in self.reap():
                if ended == pid and code == 0:
                    return
                if ended == pid:
                    raise WorkflowError("%s ended with %d, see %s.log" % (name, code, name))
        if self.stopping.is_set():
            self.children.pop(pid, None)
            raise Interrupted
        raise WorkflowError("%s did not end" % name)

    def _wait(self, argument: str) -> str:
        """A campaign that takes its time."""
        deadline = time.monotonic() + float(argument)
        while time.monotonic() < deadline and not self.stopping.is_set():
            self.wait(min(5.0, max(0.1, deadline - time.monotonic())))
        return "waited"

    def _check_owner(self, workflow: Any) -> None:
        with database.session(self.database) as connection:
            owner = connection.execute(
                "SELECT name FROM xtk_operator WHERE id = ? AND accountDisabled = 1",
                (workflow["createdById"],)).fetchone()
        if owner is not None:
            raise WorkflowError("The account of the operator '%s' is disabled (iRc=16384)"
                                % owner["name"])

    def _cleanup(self, _argument: str) -> str:
        """Keep the database and the published addresses small."""
        with database.session(self.database, write=True) as connection:
            for table in ("nms_trackingLog", "nms_broadLogMsg", "nms_broadLog", "nms_delivery",
                          "xtk_workflowLog", "xtk_workflowTask", "xtk_jobLog",
                          "xtk_job"):  # fmt: skip
                connection.execute(
                    "DELETE FROM %s WHERE id < (SELECT min(id) FROM (SELECT id FROM %s"
                    " ORDER BY id DESC LIMIT ?) AS kept)" % (table, table), (KEPT_ROWS,))
        directory = os.path.join(self.var, "redir", "url")
        oldest = time.time() - KEPT_SECONDS
        removed = 0
        for folder, _names, files in os.walk(directory):
            for path in (os.path.join(folder, name) for name in files):
                if os.path.getmtime(path) < oldest:
                    os.unlink(path)
                    removed += 1
        return "database cleaned, %d expired files removed" % removed

    def _deliverability(self, _argument: str) -> str:
        with database.session(self.database, write=True) as connection:
            database.set_option(connection, "LabDeliverability_Last", "%.0f" % time.time())
        return "rules are up to date"

    def _operations(self, _argument: str) -> str:
        with database.session(self.database) as connection:
            waiting = connection.execute(
                "SELECT count(*) FROM xtk_workflow WHERE state = ?", (database.START_PENDING,)
            ).fetchone()[0]
        return "%d campaigns wait" % waiting

    def _delivery(self, _argument: str) -> str:
        """A delivery to the two recipients whose turn it is; the mta sends it."""
        with database.session(self.database, write=True) as connection:
            number = connection.execute("SELECT count(*) FROM nms_delivery").fetchone()[0]
            total = connection.execute("SELECT count(*) FROM nms_recipient").fetchone()[0]
            chosen = connection.execute(
                "SELECT id, email FROM nms_recipient ORDER BY id LIMIT 2 OFFSET ?",
                (2 * number % max(1, total),),
            ).fetchall()
            now = time.time()
            identifier = connection.execute(
                "INSERT INTO nms_delivery (internalName, label, state, contactDate, toSend,"
                " subject) VALUES (?, ?, ?, ?, ?, ?)",
                ("DM%d" % (now * 10), "Welcome", database.DELIVERY_READY, now, len(chosen),
                 "Welcome to the lab"),
            ).lastrowid  # fmt: skip
            connection.executemany(
                "INSERT INTO nms_broadLog (deliveryId, recipientId, address, lastModified)"
                " VALUES (?, ?, ?, ?)",
                [(identifier, row["id"], row["email"], now) for row in chosen],
            )
        return "delivery of %d messages prepared" % len(chosen)

    def _load(self, argument: str) -> str:
        path = os.path.join(self.var, argument)
        try:
            with open(path, encoding="utf-8") as stream:
                lines = sum(1 for _line in stream)
        except OSError as error:
            raise WorkflowError("Unable to open file '%s' errno=%s (iRc=-52)" % (
                path, error.errno)) from None  # fmt: skip
        return "%d lines of '%s' read" % (lines, os.path.basename(path))


def _log(
    connection: database.Connection, workflow: int, kind: int, activity: str, message: str
) -> None:
    connection.execute(
        "INSERT INTO xtk_workflowLog (workflowId, logDate, logType, activity, message)"
        " VALUES (?, ?, ?, ?, ?)", (workflow, time.time(), kind, activity, message))  # fmt: skip


def _end_task(connection: database.Connection, workflow: int, status: int) -> None:
    connection.execute(
        "UPDATE xtk_workflowTask SET status = ? WHERE workflowId = ? AND status = ?",
        (status, workflow, database.TASK_RUNNING))  # fmt: skip
