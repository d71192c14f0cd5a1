"""Faults of workflows and of the database."""

from __future__ import annotations

import os
import signal
import time

from campaign_lab import database
from campaign_lab.faults import undo
from campaign_lab.faults.base import Fault, Work
from campaign_lab.faults.system import FaultError, pid_of, wait_until
from campaign_lab.modules.wfserver import TECHNICAL_ERRORS

LIMIT = "NmsOperation_LimitConcurrency"
FAILED, PENDING = "nightlyLoad", "autumnCampaign"
TECHNICAL = "deliverabilityUpdate"
DAY = 86400.0


def no_pid() -> int:
    """The id of a process that cannot exist."""
    with open("/proc/sys/kernel/pid_max", encoding="ascii") as stream:
        return int(stream.read()) + 1


def fail_now(work: Work, workflow: str) -> None:
    """Let a technical workflow fail for good, as an error of its activity does it.

    Its row is as it was afterwards, but for its state.
    """
    before = work.row("xtk_workflow", "internalName", workflow)
    work.undo_sql("UPDATE xtk_workflowTask SET status = ? WHERE status = ? AND workflowId = ?",
                  database.TASK_DONE, database.TASK_ERROR, before["id"])
    work.change("xtk_workflow", "internalName", workflow, state=before["state"], failed=0,
                labErrors=0, labNext=time.time() + DAY, labActivity="unreachable")
    wait_until(lambda: not work.row("xtk_workflow", "internalName", workflow)["processId"],
               60, "the present run ends")
    log = work.log("runwf")
    for _ in range(TECHNICAL_ERRORS):
        work.nlserver("runwf", "-instance:" + work.instance, "-wf:" + workflow, check=False)
    work.expect(log, "%s: SCR-160012" % workflow)
    work.sql("UPDATE xtk_workflow SET labActivity = ? WHERE internalName = ?",
             before["labActivity"], workflow)


class DatabaseDown(Fault):
    """The database of an instance cannot be opened."""

    scope = "instance"
    seen = ("wfserver.log, mta.log, inMail.log: `… (iRc=-2006)`; Logon: SOP-330011; logon.jsp is "
            "fine; the processes run")

    def strike(self, work: Work) -> None:
        target = work.database
        logs = [work.log(name) for name in ("wfserver", "mta", "inMail")]
        if target.provider == database.SQLITE:
            work.move(target.server, target.server + ".away")
        else:
            work.undo_with("accept_connections", instance=work.instance, accept=True)
            undo.STEPS["accept_connections"](work.lab, work.server, work.instance, False)
        work.expect_any(logs, "(iRc=-2006)")

    def present(self, work: Work) -> bool:
        try:
            with database.session(work.database):
                return False
        except database.DatabaseError:
            return True


class WorkflowFailed(Fault):
    """A workflow stopped on an error (the file that it loads is not there)."""

    scope = "instance"
    seen = "runwf.log: `nightlyLoad: Unable to open file '…' errno=2 (iRc=-52)`; database: failed 1"

    def strike(self, work: Work) -> None:
        chosen = "(SELECT id FROM xtk_workflow WHERE internalName = '%s')" % FAILED
        work.undo_sql("DELETE FROM xtk_workflow WHERE internalName = ?", FAILED)
        work.undo_sql("DELETE FROM xtk_workflowLog WHERE workflowId = " + chosen)
        work.sql("INSERT INTO xtk_workflow (internalName, label, state, labActivity, labPeriod)"
                 " VALUES (?, 'Nightly load', ?, 'load:upload/nightly.csv', 0)",
                 FAILED, database.STARTED)
        log = work.log("runwf")
        work.nlserver("runwf", "-instance:" + work.instance, "-wf:" + FAILED, check=False)
        work.expect(log, FAILED)

    def present(self, work: Work) -> bool:
        rows = work.sql("SELECT failed FROM xtk_workflow WHERE internalName = ?", FAILED)
        return bool(rows) and bool(rows[0]["failed"])


class WorkflowStartPending(Fault):
    """A campaign waits for its start: NmsOperation_LimitConcurrency lets none run."""

    scope = "instance"
    seen = "in the database only: a workflow in `start as soon as possible`, the option is 0"

    def strike(self, work: Work) -> None:
        rows = work.sql("SELECT value FROM xtk_option WHERE name = ?", LIMIT)
        change = "UPDATE xtk_option SET value = ? WHERE name = '%s'" % LIMIT
        work.undo_sql("DELETE FROM xtk_workflow WHERE internalName = ?", PENDING)
        work.undo_sql(change, rows[0]["value"])
        work.sql(change, "0")
        work.sql("INSERT INTO xtk_workflow (internalName, label, state, labActivity, labPeriod)"
                 " VALUES (?, 'Autumn campaign', ?, 'operations', 0)",
                 PENDING, database.START_PENDING)

    def present(self, work: Work) -> bool:
        rows = work.sql("SELECT state FROM xtk_workflow WHERE internalName = ?", PENDING)
        return bool(rows) and rows[0]["state"] == database.START_PENDING


class WorkflowChildrenDying(Fault):
    """Each runwf process crashes at its start: no workflow gets anywhere."""

    scope = "instance"
    seen = "wfserver.log: `Workflow '…': runwf (pid=…) was ended by signal 11`, each time another"

    def strike(self, work: Work) -> None:
        log = work.log("wfserver")
        work.damage("runwf", "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)")
        work.sql("UPDATE xtk_workflow SET labNext = 0 WHERE state = ?", database.STARTED)
        work.expect(log, "was ended by signal 11")

    def present(self, work: Work) -> bool:
        with open(os.path.join(work.home.lib, "runwf"), encoding="utf-8") as stream:
            return "'-instance:%s'" % work.instance in stream.read()


class WorkflowPaused(Fault):
    """An operator paused a campaign's workflow and forgot it."""

    scope = "instance"
    seen = "in the database: welcomeMail in state 13, failed 0; no new deliveries"

    def strike(self, work: Work) -> None:
        work.change("xtk_workflow", "internalName", "welcomeMail", state=database.PAUSED)

    def present(self, work: Work) -> bool:
        row = work.row("xtk_workflow", "internalName", "welcomeMail")
        return bool(row["state"] == database.PAUSED)


class WorkflowAffinityUnknown(Fault):
    """A workflow was started, and its affinity names a server that is not there."""

    scope = "instance"
    seen = ("in the database only: a workflow in state 1 since two hours, processId 0, though the "
            "limit is not reached")
    NAME = "winterCampaign"

    def strike(self, work: Work) -> None:
        then = time.time() - 7200
        work.insert("xtk_workflow", "internalName", internalName=self.NAME,
                    label="Winter campaign", state=database.START_PENDING, created=then,
                    lastModified=then, labActivity="operations", labAffinity="server7")

    def present(self, work: Work) -> bool:
        row = work.row("xtk_workflow", "internalName", self.NAME)
        return row is not None and row["state"] == database.START_PENDING


class WorkflowProcessDead(Fault):
    """A workflow runs by its state, and its process no longer exists."""

    scope = "instance"
    seen = "in the database: state 11, processId of a process that does not exist; no such runwf"
    NAME = "springCampaign"

    def strike(self, work: Work) -> None:
        then = time.time() - 7200
        work.insert("xtk_workflow", "internalName", internalName=self.NAME,
                    label="Spring campaign", state=database.STARTED, processId=no_pid(),
                    lastStart=then, created=then, lastModified=then, labActivity="operations")

    def present(self, work: Work) -> bool:
        row = work.row("xtk_workflow", "internalName", self.NAME)
        return row is not None and row["state"] == database.STARTED


class WorkflowOwnerDisabled(Fault):
    """The account of an operator was disabled, and a workflow of his stopped on that error."""

    scope = "instance"
    seen = ("runwf.log: `catalogueLoad: The account of the operator 'paul.roux' is disabled`; in "
            "the database accountDisabled 1, the workflow in state 13, failed 1")
    WORKFLOW, OWNER = "catalogueLoad", "paul.roux"

    def strike(self, work: Work) -> None:
        row = work.row("xtk_workflow", "internalName", self.WORKFLOW)
        work.undo_sql("UPDATE xtk_workflowTask SET status = ? WHERE status = ? AND workflowId = ?",
                      database.TASK_DONE, database.TASK_ERROR, row["id"])
        wait_until(lambda: not work.row("xtk_workflow", "internalName", self.WORKFLOW)["processId"],
                   60, "the present run ends")
        work.change("xtk_workflow", "internalName", self.WORKFLOW, state=row["state"], failed=0,
                    labErrors=0)
        work.change("xtk_operator", "name", self.OWNER, accountDisabled=1)
        log = work.log("runwf")
        work.nlserver("runwf", "-instance:" + work.instance, "-wf:" + self.WORKFLOW, check=False)
        work.expect(log, "'%s' is disabled" % self.OWNER)

    def present(self, work: Work) -> bool:
        row = work.row("xtk_operator", "name", self.OWNER)
        return bool(row["accountDisabled"])


class TechnicalWorkflowFailed(Fault):
    """A technical workflow stopped on an error whose cause has gone: a start would cure it."""

    scope = "instance"
    seen = ("runwf.log: `deliverabilityUpdate: SCR-160012 …` three times; in the database state "
            "13, failed 1, a task in error")

    def strike(self, work: Work) -> None:
        fail_now(work, TECHNICAL)

    def present(self, work: Work) -> bool:
        row = work.row("xtk_workflow", "internalName", TECHNICAL)
        return bool(row["failed"]) and row["state"] == database.PAUSED


class TechnicalWorkflowLate(Fault):
    """A technical workflow has not run for three days; it is started and nothing failed."""

    scope = "instance"
    seen = "in the database only: deliverabilityUpdate in state 11, lastStart three days ago"

    def strike(self, work: Work) -> None:
        now = time.time()
        wait_until(lambda: not work.row("xtk_workflow", "internalName", TECHNICAL)["processId"],
                   60, "the present run ends")
        work.change("xtk_workflow", "internalName", TECHNICAL, lastStart=now - 3 * DAY,
                    labNext=now + DAY)
        work.age_journal(TECHNICAL, 3 * DAY)

    def present(self, work: Work) -> bool:
        row = work.row("xtk_workflow", "internalName", TECHNICAL)
        return bool(row["lastStart"] < time.time() - 2 * DAY)


class ConcurrencyLimitReached(Fault):
    """As many campaigns run as NmsOperation_LimitConcurrency allows, and another one waits."""

    scope = "instance"
    seen = ("two processes `nlserver runwf … -wf:longCampaign…`; in the database the option is 2, "
            "two campaigns with a process, one in state 1 without")
    RUNNING, WAITING = ("longCampaign1", "longCampaign2"), "summerCampaign"

    def strike(self, work: Work) -> None:
        now = time.time()
        for name in self.RUNNING:
            work.undo_with("end_all", words=["runwf", "-instance:" + work.instance, "-wf:" + name])
        work.change("xtk_option", "name", LIMIT, value="2")
        for name in (*self.RUNNING, self.WAITING):
            work.insert("xtk_workflow", "internalName", internalName=name, label=name,
                        state=database.START_PENDING, created=now, lastModified=now,
                        labActivity="wait:7200")
        os.kill(pid_of(work.home, "wfserver", work.instance), signal.SIGHUP)
        wait_until(lambda: sum(bool(work.row("xtk_workflow", "internalName", name)["processId"])
                               for name in self.RUNNING) == len(self.RUNNING),
                   40, "two campaigns run")

    def present(self, work: Work) -> bool:
        row = work.row("xtk_workflow", "internalName", self.WAITING)
        return row is not None and row["state"] == database.START_PENDING


class XtkNewIdNearEnd(Fault):
    """The sequence xtkNewId is close to its end: the last object that was made shows it."""

    scope = "instance"
    seen = "in the database only: a workflow with an id of 2,140,000,000"
    NAME, NUMBER = "lastCampaign", 2140000000

    def strike(self, work: Work) -> None:
        work.insert("xtk_workflow", "internalName", internalName=self.NAME, label="Last campaign",
                    id=self.NUMBER, created=time.time(), lastModified=time.time())

    def present(self, work: Work) -> bool:
        return work.row("xtk_workflow", "internalName", self.NAME) is not None


class DatabaseRelationMissing(Fault):
    """A table of the database is gone (renamed): whatever asks for it fails."""

    scope = "instance"
    seen = "mta.log: `… nms_delivery … (iRc=-2006)`; a query of nms:delivery is a SOAP fault"

    def strike(self, work: Work) -> None:
        log = work.log("mta")
        work.undo_sql("ALTER TABLE nms_delivery_old RENAME TO nms_delivery")
        work.sql("ALTER TABLE nms_delivery RENAME TO nms_delivery_old")
        if pid_of(work.home, "mta", work.instance):
            work.expect(log, "nms_delivery", seconds=40)

    def present(self, work: Work) -> bool:
        try:
            work.sql("SELECT 1 FROM nms_delivery WHERE id = 0")
        except FaultError:
            return True
        return False
