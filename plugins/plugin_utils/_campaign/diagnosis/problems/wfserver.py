# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What can be wrong with wfserver, which runs the workflows as runwf children."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import (
    TECHNICAL_WORKFLOWS,
)

from ...snapshot.records import ModuleInstance
from ...snapshot.server import Server
from ...snapshot.work import ApiAnswers, Workflow
from ..aftermath import sorted_out
from ..knowledge import Meaning, distinct_events, permanent_error
from ..model import CRITICAL, WARNING, ByHand, Evidence, Facts, ProofCondition, advice
from ..rules import Catalogue
from . import every_module
from .common import RESTART, named, operators_disabled
from .logged import DEATH, add_line, as_documented, lines, logged, recovered, unknown_errors

problems = Catalogue("wfserver")

LIVES_SECONDS = 2  # a workflow process that dies at its start does so sooner


def _workflow_ran(server: Server, module: ModuleInstance) -> bool:
    """Since this wfserver began a workflow wrote a line, or one has lived for a moment."""
    log = server.log("runwf", module.instance)
    began = module.started_at
    if began is None:
        return False
    return any(writer.first_at > began for writer in (log.pids if log else ())) or any(
        child.started_at is not None and server.now - child.started_at > LIVES_SECONDS
        for child in server.children_of(module, "runwf")
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
        "state": workflow.state, "failed": workflow.failed,
        "last_start_at": workflow.last_start_at,
    }


def several(workflows: list[Workflow]) -> Facts:
    """What a finding says of several."""
    return {
        "count": len(workflows), "workflows": named(workflow.shown for workflow in workflows),
    }


def last_sign(answers: ApiAnswers, workflow: Workflow) -> float | None:
    """When a workflow last began or wrote a line in its journal."""
    lines = [end.last_at for end in answers.journal or () if end.workflow == workflow.name]
    return max((at for at in (workflow.last_start_at, *lines) if at is not None), default=None)


def late(server: Server, answers: ApiAnswers, workflow: Workflow) -> Facts | None:
    """A scheduled workflow that has not run for several of its periods."""
    hours = TECHNICAL_WORKFLOWS.get(workflow.name)
    if not hours or workflow.failed or not workflow.is_in("started") or workflow.process_id:
        return None
    last = last_sign(answers, workflow)
    if last is None or not server.older(last, 60 * hours * server.limits.workflow_periods):
        return None
    return {**workflow_facts(workflow), "last_at": last, "period_hours": hours}


def _of(answers: ApiAnswers, wanted: Callable[[Workflow], object]) -> list[Workflow]:
    return [w for w in answers.workflows or () if w.name != TRACKING and wanted(w)]


START_IT = advice("start {workflow} in the console")


@problems.problem(
    title="A workflow failed and can be restarted",
    severity=WARNING,
    summary="Workflow {workflow} of {instance} is paused on an error{because}.",
    source="workflow",
    needs=("api",),
    remedy="start_workflow",
    fix=START_IT,
    causes=("wfserver.journal_sequence_behind", *TROUBLE),
)
def technical_workflow_failed(server: Server) -> Iterator[Evidence]:
    for answers in server.api_answers:
        for workflow in _of(answers, lambda w: w.failed and server.restartable(w)):
            row = permanent_cause(server, answers.instance, workflow)
            because = f": {row.text}" if row else ""
            yield Evidence(
                {**workflow_facts(workflow), "because": because},
                answers.instance, workflow.name,
                by_hand=ByHand(f"it would stop on the same error: {row.action}") if row else None,
            )


def permanent_cause(server: Server, instance: str, workflow: Workflow) -> Meaning | None:
    """What the log says a workflow stopped on, if that is nothing that a new start can change."""
    groups = [
        group for name in ("runwf", "wfserver") if (log := server.log(name, instance))
        for group in log.groups
        if group.level == "error" and (group.last_at or 0.0) >= (workflow.last_start_at or 0.0)
    ]
    named = re.compile(rf"(?<![\w-]){re.escape(workflow.name)}(?![\w-])")
    own = [group for group in groups if named.search(group.sample)]
    at_once = {group.event for group in own if group.event}
    for group in distinct_events([group for group in groups if group in own or group.event in at_once]):
        row = permanent_error(group.sample)
        if row:
            return row
    return None


@problems.problem(
    title="A technical workflow is late",
    severity=WARNING,
    summary="Workflow {workflow} of {instance} last ran at {last_at:time}; it should run every"
    " {period_hours:g} hours.",
    source="workflow",
    needs=("api",),
    remedy="start_workflow",
    fix=START_IT,
    causes=(*DOWN, *TROUBLE, "wfserver.concurrency_reached"),
)
def technical_workflow_late(server: Server) -> Iterator[Evidence]:
    for answers in server.api_answers:
        for workflow in _of(answers, lambda w: w.technical):
            facts = late(server, answers, workflow)
            if facts:
                yield Evidence(facts, answers.instance, workflow.name)


@problems.problem(
    title="A technical workflow is paused or stopped",
    severity=WARNING,
    summary="Technical workflows of {instance} are paused or stopped without an error: {workflows}",
    source="workflow",
    needs=("api",),
    reason="an operator paused or stopped it and decides whether it should run",
    fix=advice(
        "start it in the console, or ask whoever stopped it (its journal names the operator)"
    ),
)
def technical_workflow_stopped(server: Server) -> Iterator[Evidence]:
    return _listed(server, lambda w: w.name in MISSED and not w.failed and (
        w.is_in("paused") or w.is_in("stopped")
    ))


add_line(
    problems,
    "journal_sequence_behind",
    title="The workflow journal cannot be written",
    severity=WARNING,
    summary="{target} cannot write the workflow journal ({count:# time}): {sample}",
    source="workflow",
    **as_documented("PGS-220000/xtkworkflowlog_id"),
)


@problems.problem(
    title="Custom workflows failed",
    severity=WARNING,
    summary="{count:# custom workflow} of {instance} {count:? is|are} paused on an error:"
    " {workflows}",
    source="workflow",
    needs=("api",),
    reason="only its author knows whether a custom workflow is safe to restart, unless the"
    " inventory says so (campaign_restartable_workflows)",
    fix=advice(
        "open the journal in the console, correct the error that it reports, then start the"
        " workflow"
    ),
    causes=("wfserver.journal_sequence_behind", *TROUBLE),
)
def workflow_failed(server: Server) -> Iterator[Evidence]:
    return _listed(server, lambda w: w.failed and not server.restartable(w))


@problems.problem(
    title="Workflows are paused",
    severity=WARNING,
    summary="{count:# workflow} of {instance} {count:? is|are} paused without an error:"
    " {workflows}",
    source="workflow_life_cycle",
    needs=("api",),
    reason="an operator paused them: ask for how long",
    fix=advice("resume them in the console when there is no reason left to pause them"),
)
def workflow_paused(server: Server) -> Iterator[Evidence]:
    return _listed(
        server, lambda w: w.is_in("paused") and not w.failed and w.name not in MISSED
    )


def _listed(server: Server, wanted: Callable[[Workflow], object]) -> Iterator[Evidence]:
    for answers in server.api_answers:
        workflows = _of(answers, wanted)
        if workflows:
            yield Evidence(several(workflows), answers.instance)


@problems.problem(
    title="The limit on concurrent campaigns is reached",
    severity=WARNING,
    summary="{running:# workflow} of {instance} {running:? is|are} running,"
    " NmsOperation_LimitConcurrency allows {limit}, and {count} {count:? is|are} waiting:"
    " {workflows}",
    source="workflow",
    needs=("api",),
    reason="the limit is policy: whoever set it can raise it, or spread the campaigns over time",
    fix=advice("check what is running (nlserver pdump -who); the limit is a platform option"),
)
def concurrency_reached(server: Server) -> Iterator[Evidence]:
    for answers in server.api_answers:
        running = _of(answers, lambda w: w.process_id and not w.technical)
        waiting = _of(answers, lambda w: w.is_in("start_pending") and not w.technical)
        limit = answers.concurrency
        if limit is not None and waiting and len(running) >= limit:
            facts: Facts = {"running": len(running), "limit": limit, **several(waiting)}
            yield Evidence(facts, answers.instance)


@problems.problem(
    title="Workflows are waiting to start",
    severity=WARNING,
    summary="{count:# workflow} of {instance} {count:? is|are} waiting to start, and no process"
    " runs {count:? it|them}: {workflows}",
    source="workflow",
    needs=("api",),
    reason="{why}",
    fix=advice(
        "compare the affinity in the workflow's properties with that of wfserver in"
        " {home}/conf/config-{instance}.xml; read wfserver.log"
    ),
    causes=(*DOWN, "wfserver.concurrency_reached", *TROUBLE),
)
def workflow_pending(server: Server) -> Iterator[Evidence]:
    for answers in server.api_answers:
        waiting = _of(answers, lambda w: w.is_in("start_pending") and not w.process_id and (
            w.last_start_at is None
            or server.older(w.last_start_at, server.limits.workflow_pending_minutes)
        ))
        if waiting:
            module = server.module("wfserver", answers.instance)
            facts = {**several(waiting), **_affinity(module)}
            yield Evidence(facts, answers.instance)


def _affinity(module: ModuleInstance | None) -> Facts:
    """Whose workflows the configuration lets wfserver run, and so why it leaves others alone."""
    known = module.configuration if module else None
    value = (known.text("affinity") if known else None) or ""
    if known and value and not value.rstrip().endswith(","):
        return {
            "affinity": value,
            "why": f'affinity="{value}" in {known.origin("affinity")} has no comma at its end: only'
            " workflows with one of these affinities run here, and those without affinity wait;"
            " add the comma, then restart wfserver",
        }
    if known and " " in value.strip():
        why = f'affinity="{value}" contains blanks, which count as part of the names: remove them'
        return {"affinity": value, "why": why}
    return {
        "affinity": value or None,
        "why": "wfserver is running but does not pick them up: their affinity may name a server"
        " that does not exist, or their operator may lack rights",
    }


@problems.problem(
    title="Workflows are marked as running but have no process",
    severity=WARNING,
    summary="{count:# workflow} of {instance} {count:? is|are} marked as running but"
    " {count:? has|have} no process on this host: {workflows}",
    source="workflow",
    needs=("api", "processes"),
    reason="they may be running on another host of the instance; if there is none, restart"
    " wfserver",
    fix=RESTART,
    causes=(*DOWN, "wfserver.children_dying", "host.memory_exhausted"),
)
def workflow_process_gone(server: Server) -> Iterator[Evidence]:
    seen = server.processes
    alive = {p.pid for p in (*seen.modules, *seen.children, *seen.others) if not p.dead}
    for answers in server.api_answers:
        module = server.module("wfserver", answers.instance)
        if module is None or not (module.expected or module.alive):
            continue  # the workflows run elsewhere
        gone = [
            w for w in answers.workflows or ()
            if w.is_in("started") and w.process_id and w.process_id not in alive
            and server.older(w.last_start_at, 1)  # younger, one probe saw it and the other not
        ]
        if gone:
            yield Evidence(several(gone), answers.instance)


@problems.problem(
    title="Workflows belong to a disabled operator",
    severity=WARNING,
    summary="{count:# workflow} of {instance} {count:? belongs|belong} to {operator}, who is"
    " disabled: {workflows}",
    source="workflow",
    needs=("api",),
    reason="enable the account again, or give the workflows to another operator",
    fix=advice("enable {operator} in the console, or have another operator start these workflows"),
    causes=("host.operator_disabled",),
)
def owner_disabled(server: Server) -> Iterator[Evidence]:
    return operators_disabled(server)


@problems.per_instance(
    title="Workflow processes are dying",
    severity=CRITICAL,
    summary="{deaths:# workflow process|workflow processes} of {target} ended unexpectedly:"
    " {sample}",
    source="workflow",
    needs=("processes", "logs"),
    remedy="restart",
    fix=RESTART,
    causes=("host.memory_exhausted", "host.disk_full", "host.database_unreachable"),
    proof_condition=ProofCondition("no workflow has run since {target} started", _workflow_ran),
)
def children_dying(server: Server, module: ModuleInstance) -> Evidence | None:
    pids = {process.pid for process in module.processes}
    defunct = [zombie for zombie in server.machine.zombies if zombie.ppid in pids]
    groups = [group for group in server.history.errors(module) if DEATH.search(group.sample)]
    if not groups:
        return None
    facts = lines(groups)
    return logged({**facts, "deaths": facts.pop("count"), "defunct": len(defunct)}, groups)


@problems.per_instance(
    title="Workflows are stopping on errors",
    severity=WARNING,
    summary="Workflows of {target} logged {count:# error} ({signatures:# kind}). The last:"
    " {sample}",
    source="workflow",
    needs=("logs",),
    reason="fix the error that the workflow reports; a restart of wfserver does not help",
    fix=advice("open the workflow's journal in the console; read runwf.log"),
    causes=(
        "wfserver.children_dying", "tracking.workflow_failed", "tracking.workflow_in_error",
        "tracking.corrupt_line", "tracking.redirection_unreachable",
        "tracking.redirection_misconfigured", "web.front_down", "web.redirection_missing",
        "web.api_database",
        "wfserver.technical_workflow_failed", "wfserver.workflow_failed",
        "host.database_unreachable", "host.disk_full", "host.memory_exhausted",
        "host.configuration_unreadable",
    ),
)
def workflow_errors(server: Server, module: ModuleInstance) -> Evidence | None:
    groups = [
        group for group in unknown_errors(distinct_events(server.history.errors(module, "runwf")))
        if not DEATH.search(group.sample) and not recovered(server, module, group)
    ]
    groups, _over = sorted_out(server, module, groups)
    return logged({**lines(groups), "signatures": len(groups)}, groups) if groups else None


problems.include(*every_module.SUPERVISED, causes_of_errors=(
    "wfserver.children_dying", "wfserver.technical_workflow_failed", "wfserver.workflow_failed",
    "tracking.workflow_failed", "tracking.workflow_in_error", "tracking.corrupt_line",
    "tracking.redirection_unreachable", "tracking.redirection_misconfigured",
))
