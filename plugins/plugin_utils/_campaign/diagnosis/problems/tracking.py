# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What can be wrong with tracking, which fetches and consolidates the tracking logs."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import replace

from ...snapshot.records import LogGroup, ModuleInstance
from ...snapshot.server import Server
from ...snapshot.work import Workflow
from ..aftermath import repaired
from ..knowledge import reported_by
from ..model import CRITICAL, INFO, WARNING, Evidence, Facts, advice, as_account, as_root
from ..rules import Catalogue
from . import every_module
from .common import named
from .logged import lines, logged
from .wfserver import DOWN, TROUBLE, last_sign, late, workflow_facts

problems = Catalogue("tracking")

CONSOLIDATE = as_account("nlserver tracking -instance:{instance}")


@problems.problem(
    title="A redirection server is unreachable",
    severity=CRITICAL,
    summary="tracking of {instance} cannot reach the redirection server {shown}: deliveries with"
    " tracking wait for it.",
    source="tracking_logs",
    needs=(),
    reason="fix the web server on {redirection_host}",
    fix=as_root("curl -sS {url}"),
    causes=("web.front_down", "web.redirection_missing", "web.relay_broken", "web.tomcat_down"),
)
def redirection_unreachable(server: Server) -> Iterator[Evidence]:
    told: dict[str, list[LogGroup]] = {}
    for module in _who_tells(server):
        told.setdefault(module.instance, []).extend(
            group for group in reported_by("tracking.redirection_unreachable", server.history.errors(module))
            if not server.older(group.last_at, 30) and not _repaired_since(server, module, group)
        )
    asked: set[str] = set()  # servers that were checked now: older log lines about them do not count
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
                        group.count for group in told.get(target.instance, ())
                        if _host_of(group) == target.host.lower()
                    ),
                },
                target.instance, target.address,
            )
    for instance, groups in sorted(told.items()):
        recent = [group for group in groups if _host_of(group) not in asked]
        if recent:
            host = _host_of(recent[0])
            facts: Facts = {
                "redirection_host": host or "the redirection server",
                "redirection_local": host in server.names if host else None,
                "url": f"http://{host or 'REDIRECTION_SERVER'}/r/test",
                "shown": f"({recent[0].sample[:200]})", **lines(recent),
            }
            yield replace(logged(facts, recent), instance=instance)


def _repaired_since(server: Server, module: ModuleInstance, group: LogGroup) -> bool:
    """Whether the front-end web server was repaired after these lines."""
    return repaired(server, module, group, ("web", "trackinglogd")) is not None


def _who_tells(server: Server) -> Iterator[ModuleInstance]:
    """Modules whose logs mention redirection servers."""
    return (module for module in server.modules if module.name in ("tracking", "wfserver", "mta", "web"))


def _host_of(group: LogGroup) -> str:
    """The server that a line names, in lower case; empty if it names none."""
    found = URL.search(group.sample)
    return found.group(1).lower() if found else ""


URL = re.compile(r"https?://([^\s/:'\"]+)")


@problems.problem(
    title="A redirection server is misconfigured",
    severity=WARNING,
    summary="tracking of {instance} reports a misconfigured redirection server: {sample}",
    source="tracking_logs",
    needs=("logs",),
    reason="correct the redirection module or the tracking alias there",
    fix=advice("open http://<redirection server>/r/test; compare the tracking instance's name"),
    causes=("tracking.redirection_unreachable", "web.redirection_missing"),
)
def redirection_misconfigured(server: Server) -> Iterator[Evidence]:
    told: dict[str, list[LogGroup]] = {}
    for module in _who_tells(server):
        told.setdefault(module.instance, []).extend(
            group for group in
            reported_by("tracking.redirection_misconfigured", server.history.errors(module))
            if not _repaired_since(server, module, group)
        )
    for instance, groups in sorted(told.items()):
        if groups:
            yield replace(logged(lines(groups), groups), instance=instance)


@problems.problem(
    title="A tracking log has a corrupt line",
    severity=WARNING,
    summary="The tracking logs of {instance} have {count:# corrupt line}, the first at line {line}"
    " of {path}: a corrupt line stops the Tracking workflow.",
    source="tracking_troubleshooting",
    needs=("storage",),
    reason="restarting a module does not help, as it reads the same line again: stop the Tracking"
    " workflow, delete the line, then start the workflow",
    fix=as_account("sed -n {line}p {path}").then(
        advice("stop the Tracking workflow, delete this line, start the workflow")
    ),
)
def corrupt_line(server: Server) -> Iterator[Evidence]:
    """By the vendor's pattern. A workflow that has begun since is past it, unless it failed or
    tracking has logged an error: a technical workflow tries again before it fails.
    """
    for entry in server.storage.redirection:
        if entry.corrupt:
            workflow = _workflow(server, entry.instance)
            changed = max(one.mtime_at or server.now for one in entry.corrupt)
            past = (
                workflow and not workflow.failed and (workflow.last_start_at or 0.0) > changed
                and not _errors_since(server, entry.instance, changed)
            )
            first, count = entry.corrupt[0], entry.corrupt_lines
            yield Evidence(
                {
                    "path": first.path, "line": first.line, "count": count,
                    "lines": "1 line is" if count == 1 else f"{count} lines are",
                    "others": named(
                        f"{posixpath.basename(one.path)}:{one.line}" for one in entry.corrupt[1:]
                    ) or None,
                    "unread_bytes": entry.unread_bytes or None,
                },
                entry.instance, severity=INFO if past else None,
            )


def _errors_since(server: Server, instance: str, since: float) -> bool:
    module = server.module("tracking", instance)
    groups = server.history.errors(module) if module else ()
    return any((group.last_at or server.now) >= since for group in groups)


@problems.problem(
    title="The Tracking workflow is failing",
    severity=WARNING,
    summary="The Tracking workflow of {instance} failed {count:# time}: {sample}",
    source="tracking_logs",
    needs=("logs",),
    reason="correct the error, then restart the workflow in the console",
    fix=CONSOLIDATE,
    causes=(
        "tracking.corrupt_line",
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
            and not server.history.brought_about(group)
        ]
        if groups:
            yield replace(
                logged(lines(groups), groups), instance=log.instance, subject=log.module
            )


def _workflow(server: Server, instance: str) -> Workflow | None:
    """The Tracking workflow by its record in the database."""
    answers = server.api_answers_of(instance)
    return answers.workflow("tracking") if answers else None


@problems.per_instance(
    title="The Tracking workflow is paused on an error",
    severity=WARNING,
    summary="The Tracking workflow of {instance} is paused on an error: opens and clicks are not"
    " collected. {sample}",
    source="tracking_logs",
    needs=("api",),
    remedy="start_workflow",
    fix=advice("correct the error that its journal reports, then start it in the console"),
    causes=(
        "tracking.corrupt_line",
        "tracking.redirection_unreachable", "tracking.redirection_misconfigured", *TROUBLE,
    ),
)
def workflow_in_error(server: Server, module: ModuleInstance) -> Facts | None:
    workflow = _workflow(server, module.instance)
    if workflow is None or not workflow.failed:
        return None
    groups = [
        group for log in server.logs.logs
        if log.instance == module.instance and log.module in ("runwf", "wfserver")
        for group in log.groups if group.level == "error" and WORKFLOW.search(group.sample)
    ]
    told: Facts = lines(groups) if groups else {"count": None, "last_at": None, "sample": None}
    sample = told["sample"] or "Its journal says why."
    return {**workflow_facts(workflow), **told, "sample": sample}


@problems.per_instance(
    title="The Tracking workflow does not run",
    severity=WARNING,
    summary="The Tracking workflow of {instance} is started but last ran at {last_at:time}; it"
    " should run every {period_hours:g} hours.",
    source="tracking_logs",
    needs=("api",),
    remedy="start_workflow",
    fix=advice("start it in the console"),
    causes=(*DOWN, *TROUBLE, "wfserver.concurrency_reached"),
)
def workflow_late(server: Server, module: ModuleInstance) -> Facts | None:
    answers, workflow = server.api_answers_of(module.instance), _workflow(server, module.instance)
    if answers is None or workflow is None or workflow.failed:
        return None
    return late(server, answers, workflow)


@problems.per_instance(
    title="The Tracking workflow is paused or stopped",
    severity=WARNING,
    summary="The Tracking workflow of {instance} is {how}; it last ran at {last_at:time}.",
    source="tracking_logs",
    needs=("api",),
    reason="an operator paused or stopped it and decides whether it should run",
    fix=advice(
        "start it in the console, or ask whoever stopped it (its journal names the operator)"
    ),
)
def workflow_stopped(server: Server, module: ModuleInstance) -> Facts | None:
    answers, workflow = server.api_answers_of(module.instance), _workflow(server, module.instance)
    if answers is None or workflow is None or workflow.failed:
        return None
    how = next((state for state in ("paused", "stopped") if workflow.is_in(state)), None)
    if how is None:
        return None
    return {**workflow_facts(workflow), "how": how, "last_at": last_sign(answers, workflow)}


@problems.per_instance(
    title="Tracking logs were not consolidated recently",
    severity=WARNING,
    summary="The tracking logs of {instance} were last consolidated at {last_at:time}, according"
    " to the database.",
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
def consolidated_logs_old(server: Server, module: ModuleInstance) -> Facts | None:
    answers = server.api_answers_of(module.instance)
    last = answers.last_consolidation_at if answers else None
    if module.alive or not server.older(last, server.limits.consolidation_minutes):
        return None
    return {"last_at": last} if consolidation_late(server, module) is None else None


WORKFLOW = re.compile(
    r"^\W*tracking\W*[:(]|workflow\s+\W?tracking\b|\btracking\b.{0,40}workflow", re.IGNORECASE
)


@problems.per_instance(
    title="Consolidation of tracking logs is late",
    severity=WARNING,
    summary="{target} last ran at {last_at:time}; {files:# tracking log} {files:? is|are} waiting.",
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
def consolidation_late(server: Server, module: ModuleInstance) -> Facts | None:
    log = server.log("tracking", module.instance)
    last = log.written_at if log and log.exists else None
    if module.alive or not server.older(last, server.limits.consolidation_minutes):
        return None
    waiting = [
        entry for entry in server.storage.redirection
        if entry.instance == module.instance and entry.log_files
    ]
    return {"last_at": last, "files": sum(entry.log_files or 0 for entry in waiting)}


problems.include(*every_module.UTILITY, causes_of_errors=(
    "tracking.redirection_unreachable", "tracking.redirection_misconfigured",
    "tracking.corrupt_line", "web.front_down", "web.tomcat_down",
))
