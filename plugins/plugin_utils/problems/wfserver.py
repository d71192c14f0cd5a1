# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What can be wrong with wfserver, which runs the workflows as runwf children."""

from __future__ import annotations

from ansible_collections.campaign.remediation.plugins.plugin_utils.model import (
    CRITICAL,
    INFO,
    WARNING,
    Catalogue,
    Chance,
    Facts,
    advice,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils.problems.common import (
    DEATH,
    RESTART,
    add_to,
    lines,
    unknown_errors,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils.snapshot import (
    Server,
    Task,
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
        "wfserver.children_dying", "tracking.workflow_failed", "tracking.redirection_unreachable",
        "host.database_unreachable", "host.disk_full", "host.memory_exhausted",
        "host.configuration_unreadable",
    ),
)
def workflow_errors(server: Server, task: Task) -> Facts | None:
    groups = [
        group for group in unknown_errors(server.errors(task, "runwf"))
        if not DEATH.search(group.sample)
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
    "wfserver.children_dying", "tracking.workflow_failed", "tracking.redirection_unreachable",
    "tracking.redirection_misconfigured",
), apart=True)
