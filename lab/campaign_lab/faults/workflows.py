"""Faults of workflows and of the database."""

from __future__ import annotations

import os

from campaign_lab import database
from campaign_lab.faults import undo
from campaign_lab.faults.base import Fault, Work

LIMIT = "NmsOperation_LimitConcurrency"
FAILED, PENDING = "nightlyLoad", "autumnCampaign"


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
