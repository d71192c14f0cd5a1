# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What can be wrong with tracking, which fetches and consolidates the tracking logs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ansible_collections.campaign.remediation.plugins.plugin_utils.errors import (
    reported_by,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils.model import (
    CRITICAL,
    WARNING,
    Catalogue,
    Evidence,
    Facts,
    advice,
    as_account,
    as_root,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils.problems.common import (
    add_to,
    lines,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils.problems.wfserver import (
    DOWN,
    TROUBLE,
    last_sign,
    late,
    workflow_facts,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils.snapshot import (
    LogGroup,
    Server,
    Task,
    Workflow,
)

problems = Catalogue("tracking")

CONSOLIDATE = as_account("nlserver tracking -instance:{instance}")


@problems.problem(
    title="A redirection server is unreachable",
    severity=CRITICAL,
    summary="tracking of {instance} cannot reach the redirection server {shown}.",
    source="tracking_logs",
    needs=(),
    reason="the remedy is that of the web server on {redirection_host}",
    fix=as_root("curl -sS {url}"),
    causes=("web.front_down", "web.redirection_missing", "web.relay_broken", "web.tomcat_down"),
)
def redirection_unreachable(server: Server) -> Iterator[Evidence]:
    logged = {
        task.instance: [
            group for group in reported_by(
                "tracking.redirection_unreachable", server.errors(task))
            if not server.older(group.last_at, 30)
        ]
        for task in server.tasks_of("tracking")
    }
    asked: set[str] = set()  # the servers that were asked now: what a log says of them is history
    for target in server.targets("redirection"):
        if target.reachable is not None:
            asked.add(target.host.lower())
        if target.reachable is False:
            yield Evidence(
                {
                    "redirection_host": target.host,
                    "redirection_local": server.local(target),
                    "url": f"http://{target.address}/r/test",
                    "shown": f"{target.address} ({target.error or 'unreachable'})",
                    "log_lines": sum(
                        group.count for group in logged.get(target.instance, ())
                        if _host_of(group) == target.host.lower()
                    ),
                },
                target.instance, target.address,
            )
    for instance, groups in sorted(logged.items()):
        recent = [group for group in groups if _host_of(group) not in asked]
        if recent:
            host = _host_of(recent[0])
            yield Evidence(
                {
                    "redirection_host": host or "the redirection server",
                    "redirection_local": host in server.names if host else None,
                    "url": f"http://{host or 'REDIRECTION_SERVER'}/r/test",
                    "shown": f"({recent[0].sample[:200]})", **lines(recent),
                },
                instance,
            )


def _host_of(group: LogGroup) -> str:
    """The server that a line names, in lower case; empty if it names none."""
    found = URL.search(group.sample)
    return found.group(1).lower() if found else ""


URL = re.compile(r"https?://([^\s/:'\"]+)")


@problems.each(
    title="A redirection server is misconfigured",
    severity=WARNING,
    summary="{target} meets a misconfigured redirection server: {sample}",
    source="tracking_logs",
    needs=("logs",),
    reason="the redirection module or the tracking alias must be corrected there",
    fix=advice("open http://<redirection server>/r/test; compare the tracking instance's name"),
    causes=("tracking.redirection_unreachable", "web.redirection_missing"),
)
def redirection_misconfigured(server: Server, task: Task) -> Facts | None:
    groups = reported_by("tracking.redirection_misconfigured", server.errors(task))
    return lines(groups) if groups else None


@problems.problem(
    title="The Tracking workflow is in error",
    severity=WARNING,
    summary="The Tracking workflow of {instance} failed {count} times: {sample}",
    source="tracking_logs",
    needs=("logs",),
    reason="what failed in it must be corrected, then the workflow is restarted in the console",
    fix=CONSOLIDATE,
    causes=(
        "tracking.redirection_unreachable", "tracking.redirection_misconfigured",
        "wfserver.children_dying", "host.database_unreachable", "host.disk_full",
        "host.configuration_unreadable",
    ),
)
def workflow_failed(server: Server) -> Iterator[Evidence]:
    """By the logs; where the database answers, it knows better how the workflow is now."""
    for log in server.logs.logs:
        if log.module not in ("runwf", "wfserver") or _workflow(server, log.instance):
            continue
        groups = [
            group for group in log.groups
            if group.level == "error" and WORKFLOW.search(group.sample)
            and not server.brought_about(group)
        ]
        if groups:
            yield Evidence(lines(groups), log.instance, log.module)


def _workflow(server: Server, instance: str) -> Workflow | None:
    """The Tracking workflow by its record in the database."""
    database = server.database(instance)
    return database.workflow("tracking") if database else None


@problems.each(
    title="The Tracking workflow is paused on an error",
    severity=WARNING,
    summary="The Tracking workflow of {instance} is paused on an error. {sample}",
    source="tracking_logs",
    needs=("api",),
    remedy="start_workflow",
    fix=advice("correct what its journal says, then start it in the console"),
    causes=(
        "tracking.redirection_unreachable", "tracking.redirection_misconfigured", *TROUBLE,
    ),
)
def workflow_in_error(server: Server, task: Task) -> Facts | None:
    workflow = _workflow(server, task.instance)
    if workflow is None or not workflow.failed:
        return None
    groups = [
        group for log in server.logs.logs
        if log.instance == task.instance and log.module in ("runwf", "wfserver")
        for group in log.groups if group.level == "error" and WORKFLOW.search(group.sample)
    ]
    told = lines(groups) if groups else {"count": None, "last_at": None, "sample": None}
    sample = told["sample"] or "Its journal says why."
    return {**workflow_facts(workflow), **told, "sample": sample}


@problems.each(
    title="The Tracking workflow does not run",
    severity=WARNING,
    summary="The Tracking workflow of {instance} is started and last ran at"
    " {last_at:time}; it is to run every {period_hours:g} hours.",
    source="tracking_logs",
    needs=("api",),
    remedy="start_workflow",
    fix=advice("start it in the console"),
    causes=(*DOWN, *TROUBLE, "wfserver.concurrency_reached"),
)
def workflow_late(server: Server, task: Task) -> Facts | None:
    database, workflow = server.database(task.instance), _workflow(server, task.instance)
    if database is None or workflow is None or workflow.failed:
        return None
    return late(server, database, workflow)


@problems.each(
    title="The Tracking workflow is paused or stopped",
    severity=WARNING,
    summary="The Tracking workflow of {instance} is {how}; it last ran at {last_at:time}.",
    source="tracking_logs",
    needs=("api",),
    reason="a person paused or stopped it: whether it is to run is that person's decision",
    fix=advice("start it in the console, or ask who stopped it: its journal names the operator"),
)
def workflow_stopped(server: Server, task: Task) -> Facts | None:
    database, workflow = server.database(task.instance), _workflow(server, task.instance)
    if database is None or workflow is None or workflow.failed:
        return None
    how = next((state for state in ("paused", "stopped") if workflow.is_in(state)), None)
    if how is None:
        return None
    return {**workflow_facts(workflow), "how": how, "last_at": last_sign(database, workflow)}


@problems.each(
    title="The last consolidation is old",
    severity=WARNING,
    summary="The tracking logs of {instance} were last consolidated at {last_at:time}, by its"
    " database.",
    source="tracking_logs",
    needs=("api", "logs"),
    remedy="consolidate",
    fix=CONSOLIDATE,
    causes=(
        "tracking.workflow_failed", "tracking.workflow_in_error", "tracking.workflow_late",
        "tracking.workflow_stopped",
        "tracking.redirection_unreachable", "tracking.redirection_misconfigured",
        "trackinglogd.not_running", *DOWN, "host.database_unreachable",
    ),
)
def consolidated_logs_old(server: Server, task: Task) -> Facts | None:
    database = server.database(task.instance)
    last = database.last_consolidation_at if database else None
    if task.alive or not server.older(last, server.limits.consolidation_minutes):
        return None
    return {"last_at": last} if consolidation_late(server, task) is None else None


WORKFLOW = re.compile(
    r"^\W*tracking\W*[:(]|workflow\s+\W?tracking\b|\btracking\b.{0,40}workflow", re.IGNORECASE
)


@problems.each(
    title="Consolidation is late",
    severity=WARNING,
    summary="{target} last ran at {last_at:time}; {files} tracking logs wait.",
    source="tracking_logs",
    needs=("logs", "storage"),
    remedy="consolidate",
    fix=CONSOLIDATE,
    causes=(
        "tracking.redirection_unreachable", "tracking.workflow_failed",
        "tracking.workflow_in_error", "tracking.workflow_late", "tracking.workflow_stopped",
        "wfserver.not_running", "wfserver.hung", "wfserver.crash_loop",
        "watchdog.nothing_runs", "host.database_unreachable", "syslogd.logs_not_growing",
    ),
)
def consolidation_late(server: Server, task: Task) -> Facts | None:
    log = server.log("tracking", task.instance)
    last = log.written_at if log and log.exists else None
    if task.alive or not server.older(last, server.limits.consolidation_minutes):
        return None
    waiting = [
        entry for entry in server.storage.redirection
        if entry.instance == task.instance and entry.log_files
    ]
    return {"last_at": last, "files": sum(entry.log_files or 0 for entry in waiting)}


add_to(problems, works_by=(
    "tracking.redirection_unreachable", "tracking.redirection_misconfigured",
    "web.front_down", "web.tomcat_down",
))
