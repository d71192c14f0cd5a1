"""The methods of the API that need a session."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Callable, Dict, Tuple

from campaign_lab import database
from campaign_lab.api.expression import value_text
from campaign_lab.api.query import Query, QueryError
from campaign_lab.api.schemas import schema
from campaign_lab.modules import soap
from campaign_lab.modules.httpd import escape
from campaign_lab.modules.soap import Call, Fault, document, string
from campaign_lab.modules.wfserver import TECHNICAL_ERRORS

if TYPE_CHECKING:
    from campaign_lab.modules.web import Web

DELIVERY_STATES = {"Prepare": database.DELIVERY_PREPARED}


# ----------------------------------------------------------------------------- session


def logoff(web: Web, call: Call) -> str:
    """``xtk:session#Logoff``."""
    assert call.session is not None
    web.sessions.close(call.session.token)
    return ""


def test_cnx(web: Web, call: Call) -> str:
    """``xtk:session#TestCnx``: does the database answer?"""
    with database.session(web.database(call.instance)) as connection:
        connection.execute("SELECT 1").fetchone()
    return ""


def get_option(web: Web, call: Call) -> str:
    """``xtk:session#GetOption``: value and type; an unknown one is empty, of type 0."""
    with database.session(web.database(call.instance)) as connection:
        row = connection.execute("SELECT value, dataType FROM xtk_option WHERE name = ?",
                                 (call.text("name"),)).fetchone()
    value, kind = ("", 0) if row is None else (row["value"] or "", row["dataType"])
    if kind == database.DATETIME and value:
        value = value_text(float(value), "datetime")
    return string("pstrValue", str(value)) + string("pbtType", str(kind), "byte")


def get_user_info(web: Web, call: Call) -> str:
    """``xtk:session#GetUserInfo``."""
    assert call.session is not None
    with database.session(web.database(call.instance)) as connection:
        operator = connection.execute("SELECT * FROM xtk_operator WHERE name = ?",
                                      (call.session.login,)).fetchone()
    return document("pUserInfo", soap.user(operator))


def get_server_time(_web: Web, _call: Call) -> str:
    """``xtk:session#GetServerTime``."""
    return string("ptsTime", soap.server_date(), "dateTime")


# ----------------------------------------------------------------------- entities, queries


def get_entity(_web: Web, call: Call) -> str:
    """``xtk:persist#GetEntityIfMoreRecent``: a schema's document, nothing if there is none."""
    kind, _, name = call.text("pk").partition("|")
    found = schema(name)
    if kind != "xtk:schema" or found is None:
        if call.text("mustexist").lower() in ("true", "1"):
            raise Fault.of(call, "XFR-180000 There is no document with identifier '%s' of type "
                                 "'%s'." % (name, kind))  # fmt: skip
        return document("pdomDoc", "")
    return document("pdomDoc", found.xml())


def execute_query(web: Web, call: Call) -> str:
    """``xtk:queryDef#ExecuteQuery``."""
    definition = call.document()
    if definition is None or soap.local(definition.tag) != "queryDef":
        raise Fault.of(call, "XTK-170036 There is no queryDef in the call.")
    try:
        query = Query(definition)
        with database.session(web.database(call.instance)) as connection:
            return document("pdomOutput", query.run(connection))
    except QueryError as error:
        raise Fault.of(call, str(error)) from None


# --------------------------------------------------------------------------- workflows


def start(web: Web, call: Call) -> str:
    """``xtk:workflow#Start`` and ``#StartWithParameters``: accepted; wfserver starts it."""
    name = _workflow(web, call)
    with database.session(web.database(call.instance), write=True) as connection:
        connection.execute(
            "UPDATE xtk_workflow SET state = CASE WHEN labPeriod > 0 THEN ? ELSE ? END,"
            # One that failed for good has no tries left: it fails for good at its next error.
            " labErrors = CASE WHEN failed = 1 THEN ? ELSE 0 END, failed = 0, labNext = 0,"
            " lastModified = ? WHERE internalName = ?",
            (database.STARTED, database.START_PENDING, TECHNICAL_ERRORS - 1, time.time(), name),
        )
        connection.execute(
            "UPDATE xtk_workflowTask SET status = ?, nextProcessingDate = ? WHERE status = ? AND"
            " workflowId = (SELECT id FROM xtk_workflow WHERE internalName = ?)",
            (database.TASK_PENDING, time.time(), database.TASK_ERROR, name))
        _log(connection, name, "Start of the workflow asked for by %s" % _login(call))
    return ""


def stop(web: Web, call: Call) -> str:
    """``xtk:workflow#Stop``: accepted; a run that is under way comes to its end."""
    name = _workflow(web, call)
    with database.session(web.database(call.instance), write=True) as connection:
        connection.execute("UPDATE xtk_workflow SET state = ?, lastModified = ?"
                           " WHERE internalName = ?", (database.STOPPED, time.time(), name))
        _log(connection, name, "Stop of the workflow asked for by %s" % _login(call))
    return ""


def post_event(web: Web, call: Call) -> str:
    """``xtk:workflow#PostEvent``: a workflow that is started does its work now."""
    name = _workflow(web, call)
    with database.session(web.database(call.instance), write=True) as connection:
        connection.execute("UPDATE xtk_workflow SET labNext = 0 WHERE internalName = ?"
                           " AND state = ?", (name, database.STARTED))
        _log(connection, name, "Event for activity '%s'" % call.text("activity"))
    return ""


def wakeup(web: Web, call: Call) -> str:
    """``xtk:workflow#Wakeup``: what a started workflow has pending is done now."""
    name = _workflow(web, call)
    with database.session(web.database(call.instance), write=True) as connection:
        connection.execute("UPDATE xtk_workflow SET labNext = 0 WHERE internalName = ?"
                           " AND state = ?", (name, database.STARTED))
        _log(connection, name, "Pending tasks woken by %s" % _login(call))
    return ""


def _workflow(web: Web, call: Call) -> str:
    """The internal name of the workflow that is meant. Raises Fault."""
    wanted = call.text("workflowId")
    with database.session(web.database(call.instance)) as connection:
        row = connection.execute(
            "SELECT internalName FROM xtk_workflow WHERE internalName = ? OR id = ?",
            (wanted, int(wanted) if wanted.isdigit() else -1)).fetchone()
    if row is None:
        raise Fault.of(call, "The workflow '%s' does not exist (iRc=16384)" % wanted)
    return str(row["internalName"])


def _login(call: Call) -> str:
    return call.session.login if call.session else ""


def _log(connection: database.Connection, name: str, message: str) -> None:
    connection.execute(
        "INSERT INTO xtk_workflowLog (workflowId, logDate, logType, activity, message)"
        " SELECT id, ?, ?, '', ? FROM xtk_workflow WHERE internalName = ?",
        (time.time(), database.LOG_INFO, message, name))  # fmt: skip


# -------------------------------------------------------------------------------- jobs


def submit(web: Web, call: Call) -> str:
    """``xtk:jobInterface#Submit``: the method of an entity, run by itself; the job's id."""
    job = _new_job(web, call)
    threading.Thread(target=_run_job, args=(web, call.instance, job), daemon=True).start()
    return string("pstrId", str(job))


def execute(web: Web, call: Call) -> str:
    """``xtk:jobInterface#Execute``: the same, and wait for its end."""
    job = _new_job(web, call)
    _run_job(web, call.instance, job)
    return string("pstrId", str(job))


def get_status(web: Web, call: Call) -> str:
    """``xtk:jobInterface#GetStatus``: state, log lines after an id, progress."""
    job, last = call.text("id"), call.text("lastLogId") or "0"
    with database.session(web.database(call.instance)) as connection:
        row = connection.execute("SELECT * FROM xtk_job WHERE id = ?", (_id(call, job),)).fetchone()
        logs = connection.execute(
            "SELECT * FROM xtk_jobLog WHERE jobId = ? AND id > ? ORDER BY id LIMIT ?",
            (_id(call, job), _id(call, last), _id(call, call.text("maxLogCount") or "100"))
        ).fetchall()
    if row is None:
        raise Fault.of(call, "The job '%s' does not exist (iRc=16384)" % job)
    lines = "".join("<log id='%d' iRc='%d' logDate='%s' logType='%d' object='' message='%s'/>" % (
        log["id"], log["iRc"], value_text(log["logDate"], "datetime"), log["logType"],
        escape(log["message"] or "")) for log in logs)  # fmt: skip
    done = row["status"] == database.JOB_FINISHED
    progress = "<progress current='%d' max='1'/>" % done
    return (
        string("psStatus", str(row["status"]), "short")
        + document("pelemReturnLogs", "<elemReturnLogs>%s</elemReturnLogs>" % lines)
        + document("pelemProperties", "<elemProperties warning='%d'>%s</elemProperties>" % (
            row["rejected"] > 0, progress))
    )  # fmt: skip


def cancel(web: Web, call: Call) -> str:
    """``xtk:jobInterface#Cancel``: a job that has not ended is cancelled."""
    with database.session(web.database(call.instance), write=True) as connection:
        connection.execute(
            "UPDATE xtk_job SET status = ? WHERE id = ? AND status IN (?, ?, ?, ?)",
            (database.JOB_CANCELLED, _id(call, call.text("id")), database.JOB_EDITED,
             database.JOB_RUNNING, database.JOB_PAUSING, database.JOB_PAUSED))  # fmt: skip
    return ""


def _id(call: Call, text: str) -> int:
    if not text.isdigit():
        raise Fault.of(call, "'%s' is no id (iRc=16384)" % text)
    return int(text)


def _new_job(web: Web, call: Call) -> int:
    entity, method = call.document(), call.text("methodName")
    found = schema(call.entity)
    if entity is None or found is None or not found.stored:
        raise Fault.of(call, "XFR-180000 There is no document with identifier '%s' of type "
                             "'xtk:schema'." % call.entity)  # fmt: skip
    with database.session(web.database(call.instance), write=True) as connection:
        number = connection.execute(
            "INSERT INTO xtk_job (name, label, kind, operator, createdById, status, startDate,"
            " labSchema, labMethod, labEntity) SELECT ?, ?, 'api', name, id, ?, ?, ?, ?, ?"
            " FROM xtk_operator WHERE name = ?",
            (method, "%s#%s" % (call.entity, method), database.JOB_RUNNING, time.time(),
             call.entity, method, _id(call, entity.get("id") or "0"), _login(call)),
        ).lastrowid  # fmt: skip
    return int(number)


def _run_job(web: Web, instance: str, number: int) -> None:
    """The lab knows one method of one entity: ``nms:delivery#Prepare``."""
    try:
        with database.session(web.database(instance), write=True) as connection:
            job = connection.execute("SELECT * FROM xtk_job WHERE id = ?", (number,)).fetchone()
            if job["status"] != database.JOB_RUNNING:
                return
            status, kind, rc, message = database.JOB_FINISHED, database.LOG_INFO, 0, "Done"
            if job["labSchema"] == "nms:delivery" and job["labMethod"] in DELIVERY_STATES:
                done = connection.execute(
                    "UPDATE nms_delivery SET state = ? WHERE id = ?",
                    (DELIVERY_STATES[job["labMethod"]], job["labEntity"])).rowcount
                message = "Delivery %d: %s" % (job["labEntity"], job["labMethod"])
            else:
                done = 0
            if not done:
                status, kind, rc = database.JOB_ERROR, database.LOG_ERROR, 16384
                message = "The method '%s' of '%s' %s cannot be run" % (
                    job["labMethod"], job["labSchema"], job["labEntity"])
            connection.execute("UPDATE xtk_job SET status = ?, endDate = ? WHERE id = ?",
                               (status, time.time(), number))
            connection.execute(
                "INSERT INTO xtk_jobLog (jobId, logDate, logType, iRc, message)"
                " VALUES (?, ?, ?, ?, ?)", (number, time.time(), kind, rc, message))
    except database.DatabaseError as error:
        web.error(str(error))


METHODS: Dict[Tuple[str, str], Callable[[Web, Call], str]] = {
    ("xtk:session", "Logoff"): logoff,
    ("xtk:session", "TestCnx"): test_cnx,
    ("xtk:session", "GetOption"): get_option,
    ("xtk:session", "GetUserInfo"): get_user_info,
    ("xtk:session", "GetServerTime"): get_server_time,
    ("xtk:persist", "GetEntityIfMoreRecent"): get_entity,
    ("xtk:queryDef", "ExecuteQuery"): execute_query,
    ("xtk:workflow", "Start"): start,
    ("xtk:workflow", "StartWithParameters"): start,
    ("xtk:workflow", "Stop"): stop,
    ("xtk:workflow", "PostEvent"): post_event,
    ("xtk:workflow", "Wakeup"): wakeup,
    ("xtk:jobInterface", "Submit"): submit,
    ("xtk:jobInterface", "Execute"): execute,
    ("xtk:jobInterface", "GetStatus"): get_status,
    ("xtk:jobInterface", "Cancel"): cancel,
    ("xtk:job", "GetStatus"): get_status,
    ("xtk:job", "Cancel"): cancel,
}
SERVICES = {service for service, _ in METHODS} | {"xtk:session"}
