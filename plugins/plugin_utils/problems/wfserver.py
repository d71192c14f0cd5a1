# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What can be wrong with wfserver, which runs the workflows as runwf children."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ansible_collections.campaign.remediation.plugins.module_utils.model import (
    TECHNICAL_WORKFLOWS,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils.model import (
    CRITICAL,
    INFO,
    WARNING,
    Catalogue,
    Chance,
    Evidence,
    Facts,
    advice,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils.problems.common import (
    DEATH,
    RESTART,
    add_to,
    lines,
    named,
    operators_disabled,
    recovered,
    unknown_errors,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils.snapshot import (
    Database,
    Server,
    Task,
    Workflow,
)

problems = Catalogue("wfserver")

LIVES_SECONDS = 2  # a workflow process that dies at its start does so sooner


def _workflow_ran(server: Server, task: Task) -> bool:
    """Since this wfserver began a workflow wrote a line, or one has lived for a moment."""
    log = server.log("runwf", task.instance)
    began = task.started_at
    if began is None:
        return False
    return any(writer.first_at > began for writer in (log.pids if log else ())) or any(
        child.started_at is not None and server.now - child.started_at > LIVES_SECONDS
        for child in server.children_of(task, "runwf")
    )


TRACKING = "tracking"  # the workflow of that name belongs to another file
# Technical workflows without which the platform does not work: stopped, they are missed.
MISSED = ("cleanup", "deliverabilityUpdate", "operationMgt", "defaultMidSourcingDlv",
          "defaultMidSourcingLog")
DOWN = ("wfserver.not_running", "wfserver.hung", "wfserver.crash_loop", "watchdog.nothing_runs")
TROUBLE = (
    "wfserver.children_dying", "host.database_unreachable", "host.disk_full",
    "host.memory_exhausted", "host.configuration_unreadable", "host.operator_disabled",
)


def workflow_facts(workflow: Workflow) -> Facts:
    """What a finding says of one workflow."""
    return {
        "workflow": workflow.name, "label": workflow.label or None, "id": workflow.id,
        "state": workflow.state, "last_start_at": workflow.last_start_at,
    }


def several(workflows: list[Workflow]) -> Facts:
    """What a finding says of several."""
    return {
        "count": len(workflows), "workflows": named(workflow.shown for workflow in workflows),
    }


def last_sign(database: Database, workflow: Workflow) -> float | None:
    """When a workflow last began or wrote a line in its journal."""
    lines = [end.last_at for end in database.journal or () if end.workflow == workflow.name]
    return max((at for at in (workflow.last_start_at, *lines) if at is not None), default=None)


def late(server: Server, database: Database, workflow: Workflow) -> Facts | None:
    """A workflow that is to run by itself and has not for some of its periods."""
    hours = TECHNICAL_WORKFLOWS.get(workflow.name)
    if not hours or workflow.failed or not workflow.is_in("started") or workflow.process_id:
        return None
    last = last_sign(database, workflow)
    if last is None or not server.older(last, 60 * hours * server.limits.workflow_periods):
        return None
    return {**workflow_facts(workflow), "last_at": last, "period_hours": hours}


def _of(database: Database, wanted: Callable[[Workflow], object]) -> list[Workflow]:
    return [w for w in database.workflows or () if w.name != TRACKING and wanted(w)]


START_IT = advice("start {workflow} in the console")


@problems.problem(
    title="A workflow that may be restarted is in error",
    severity=WARNING,
    summary="The workflow {workflow} of {instance} is paused on an error.",
    source="workflow",
    needs=("api",),
    remedy="start_workflow",
    fix=START_IT,
    causes=TROUBLE,
)
def technical_workflow_failed(server: Server) -> Iterator[Evidence]:
    for database in server.databases:
        for workflow in _of(database, lambda w: w.failed and server.restartable(w)):
            yield Evidence(workflow_facts(workflow), database.instance, workflow.name)


@problems.problem(
    title="A technical workflow is late",
    severity=WARNING,
    summary="The workflow {workflow} of {instance} last ran at {last_at:time}; it is to run every"
    " {period_hours:g} hours.",
    source="workflow",
    needs=("api",),
    remedy="start_workflow",
    fix=START_IT,
    causes=(*DOWN, *TROUBLE, "wfserver.concurrency_reached"),
)
def technical_workflow_late(server: Server) -> Iterator[Evidence]:
    for database in server.databases:
        for workflow in _of(database, lambda w: w.technical):
            facts = late(server, database, workflow)
            if facts:
                yield Evidence(facts, database.instance, workflow.name)


@problems.problem(
    title="A technical workflow is not started",
    severity=WARNING,
    summary="Technical workflows of {instance} are paused or stopped without an error: {workflows}",
    source="workflow",
    needs=("api",),
    reason="a person paused or stopped it: whether it is to run is that person's decision",
    fix=advice("start it in the console, or ask who stopped it: its journal names the operator"),
)
def technical_workflow_stopped(server: Server) -> Iterator[Evidence]:
    return _listed(server, lambda w: w.name in MISSED and not w.failed and (
        w.is_in("paused") or w.is_in("stopped")
    ))


@problems.problem(
    title="Workflows of the site are in error",
    severity=WARNING,
    summary="Workflows of {instance} are paused on an error ({count}): {workflows}",
    source="workflow",
    needs=("api",),
    reason="the site wrote it: whether it may simply begin again only its author knows, or the"
    " inventory says so (campaign_restartable_workflows)",
    fix=advice("open the journal in the console, correct what it says, then start the workflow"),
    causes=TROUBLE,
)
def workflow_failed(server: Server) -> Iterator[Evidence]:
    return _listed(server, lambda w: w.failed and not server.restartable(w))


@problems.problem(
    title="Workflows are paused",
    severity=WARNING,
    summary="Workflows of {instance} are paused without an error ({count}): {workflows}",
    source="workflow_life_cycle",
    needs=("api",),
    reason="somebody paused them, and alone knows for how long",
    fix=advice("resume them in the console when their reason is over"),
)
def workflow_paused(server: Server) -> Iterator[Evidence]:
    return _listed(
        server, lambda w: w.is_in("paused") and not w.failed and w.name not in MISSED
    )


def _listed(server: Server, wanted: Callable[[Workflow], object]) -> Iterator[Evidence]:
    for database in server.databases:
        workflows = _of(database, wanted)
        if workflows:
            yield Evidence(several(workflows), database.instance)


@problems.problem(
    title="The limit of concurrent campaigns is reached",
    severity=WARNING,
    summary="{running} workflows of {instance} run, and NmsOperation_LimitConcurrency allows"
    " {limit}: {count} wait ({workflows}).",
    source="workflow",
    needs=("api",),
    reason="the limit is policy: whoever set it raises it, or the campaigns are spread in time",
    fix=advice("see what runs: nlserver pdump -who; the limit is an option of the platform"),
)
def concurrency_reached(server: Server) -> Iterator[Evidence]:
    for database in server.databases:
        running = _of(database, lambda w: w.process_id and not w.technical)
        waiting = _of(database, lambda w: w.is_in("start_pending") and not w.technical)
        limit = database.concurrency
        if limit is not None and waiting and len(running) >= limit:
            facts: Facts = {"running": len(running), "limit": limit, **several(waiting)}
            yield Evidence(facts, database.instance)


@problems.problem(
    title="Workflows wait for their start",
    severity=WARNING,
    summary="Workflows of {instance} are to start, and no process runs them ({count}): {workflows}",
    source="workflow",
    needs=("api",),
    reason="wfserver runs and does not take them: their affinity may name a server that is not"
    " there, or whoever is to run them has no rights",
    fix=advice("look at the affinity in the workflow's properties, and into wfserver.log"),
    causes=(*DOWN, "wfserver.concurrency_reached", *TROUBLE),
)
def workflow_pending(server: Server) -> Iterator[Evidence]:
    for database in server.databases:
        waiting = _of(database, lambda w: w.is_in("start_pending") and not w.process_id and (
            w.last_start_at is None
            or server.older(w.last_start_at, server.limits.workflow_pending_minutes)
        ))
        if waiting:
            yield Evidence(several(waiting), database.instance)


@problems.problem(
    title="Workflows run by their record, and no process does",
    severity=WARNING,
    summary="Workflows of {instance} run by their record, and none of the processes here is"
    " theirs ({count}): {workflows}",
    source="workflow",
    needs=("api", "processes"),
    reason="they may run on another host of the instance; where there is none, restart wfserver",
    fix=RESTART,
    causes=(*DOWN, "wfserver.children_dying", "host.memory_exhausted"),
)
def workflow_process_gone(server: Server) -> Iterator[Evidence]:
    seen = server.processes
    alive = {p.pid for p in (*seen.modules, *seen.children, *seen.others) if not p.dead}
    for database in server.databases:
        task = server.task("wfserver", database.instance)
        if task is None or not (task.expected or task.alive):
            continue  # the workflows run elsewhere
        gone = [
            w for w in database.workflows or ()
            if w.is_in("started") and w.process_id and w.process_id not in alive
            and server.older(w.last_start_at, 1)  # younger, one probe saw it and the other not
        ]
        if gone:
            yield Evidence(several(gone), database.instance)


@problems.problem(
    title="Workflows belong to a disabled operator",
    severity=WARNING,
    summary="Workflows of {instance} belong to {operator}, who is disabled ({count}): {workflows}",
    source="workflow",
    needs=("api",),
    reason="the account comes back, or another operator takes the workflows over",
    fix=advice("enable {operator} in the console, or have another operator start these workflows"),
    causes=("host.operator_disabled",),
)
def owner_disabled(server: Server) -> Iterator[Evidence]:
    return operators_disabled(server)


@problems.each(
    title="Workflow processes die",
    severity=CRITICAL,
    summary="{deaths} workflow processes of {target} ended unexpectedly: {sample}",
    source="workflow",
    needs=("processes", "logs"),
    remedy="restart",
    fix=RESTART,
    causes=("host.memory_exhausted", "host.disk_full", "host.database_unreachable"),
    chance=Chance("no workflow has run since {target} began", _workflow_ran),
)
def children_dying(server: Server, task: Task) -> Facts | None:
    pids = {process.pid for process in task.processes}
    defunct = [zombie for zombie in server.machine.zombies if zombie.ppid in pids]
    groups = [group for group in server.errors(task) if DEATH.search(group.sample)]
    if not groups:
        return None
    facts = lines(groups)
    return {**facts, "deaths": facts.pop("count"), "defunct": len(defunct)}


@problems.each(
    title="Workflows stop on errors",
    severity=WARNING,
    summary="Workflows of {target} logged {count} errors of {signatures} kinds. The last: {sample}",
    source="workflow",
    needs=("logs",),
    reason="what the workflow meets must be corrected; a restart of wfserver does not help",
    fix=advice("open the workflow's journal in the console; read runwf.log"),
    causes=(
        "wfserver.children_dying", "tracking.workflow_failed", "tracking.workflow_in_error",
        "tracking.redirection_unreachable", "wfserver.technical_workflow_failed",
        "wfserver.workflow_failed", "host.database_unreachable", "host.disk_full",
        "host.memory_exhausted", "host.configuration_unreadable",
    ),
)
def workflow_errors(server: Server, task: Task) -> Facts | None:
    groups = [
        group for group in unknown_errors(server.errors(task, "runwf"))
        if not DEATH.search(group.sample) and not recovered(server, task, group)
    ]
    return {**lines(groups), "signatures": len(groups)} if groups else None


@problems.each(
    title="Errors at the daily restart",
    severity=INFO,
    summary="{target} began anew at {restarted_at:time}, its daily restart, and workflows"
    " logged {count} errors then.",
    source="workflow",
    needs=("logs", "configuration"),
    reason="the restart cuts what runs: choose a quieter processRestartTime",
    fix=advice("set processRestartTime of wfserver to a time without workflows"),
    causes=("wfserver.crash_loop",),
)
def daily_restart_errors(server: Server, task: Task) -> Facts | None:
    own = server.log("wfserver", task.instance)
    begun = [
        writer.first_at for writer in (own.pids[1:] if own else ())
        if server.daily_restart(task, writer.first_at)
    ]
    groups = [
        group for log in server.logs_of(task) for group in log.groups
        if group.level == "error" and group.last_at is not None
        and any(abs(group.last_at - at) < 120 for at in begun)
    ]
    return {"restarted_at": begun[-1], **lines(groups)} if begun and groups else None


add_to(problems, works_by=(
    "wfserver.children_dying", "wfserver.technical_workflow_failed", "wfserver.workflow_failed",
    "tracking.workflow_failed", "tracking.workflow_in_error",
    "tracking.redirection_unreachable", "tracking.redirection_misconfigured",
), apart=True)
