# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The rules that Campaign's modules share: each includes the groups at the end of this file."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import RELOADS

from ...snapshot.records import SERVER_FILE, ModuleInstance
from ...snapshot.server import Server
from ..model import CRITICAL, INFO, WARNING, Evidence, Facts, advice, as_account, moment
from ..rules import SharedRules
from .common import (
    INSTALLATION,
    KILL_AND_START,
    MACHINE,
    RESTART,
    RESTART_ALL,
    START,
    SUPERVISION,
    newer_files,
    other_holder,
)
from .configured import CONFIGURED, configured_precision
from .logged import LOGGED, telling
from .service import restart_service

STARTED = SharedRules()  # for a module that the watchdog starts


@STARTED.per_instance(
    title="MODULE does not run",
    severity=CRITICAL,
    summary="{target} should be running (autoStart is on) but is not.",
    source="usual_commands",
    needs=("tasks",),
    remedy="start",
    fix=START,
    causes=lambda own: (*SUPERVISION, *INSTALLATION, "MODULE.crash_loop", *own.causes_of_stop),
    down=True,
    by_module={"wfserver": {"source": "workflow"}},
)
def not_running(server: Server, module: ModuleInstance) -> Evidence | None:
    if module.state != "stopped" or not module.expected or starting(server, module):
        return None
    log = server.log(module.name, module.instance)
    last = log.written_at if log else None
    last_pid = log.pids[-1].pid if log and log.pids else None
    facts: Facts = {"auto_start": True, "last_log_at": last, "last_pid": last_pid}
    return Evidence(facts, began_at=last)


@STARTED.per_instance(
    title="MODULE is in a crash loop",
    severity=CRITICAL,
    summary="{target} restarted unexpectedly {restarts:# time} in the log window{says}.",
    source="modules",
    needs=("logs",),
    reason="starting it again would only crash again; the end of its log says why",
    fix=advice("read {tells}; then: nlserver restart {target} -verbose"),
    causes=lambda own: (*INSTALLATION, *MACHINE, *own.causes_of_stop),
    down=True,
)
def crash_loop(server: Server, module: ModuleInstance) -> Evidence | None:
    restarts = server.history.restarts(module)
    if len(restarts) < server.limits.crash_loop_restarts:
        return None
    log = server.log(module.name, module.instance)
    calm = server.older(restarts[-1], server.limits.crash_loop_calm_minutes)
    if calm and module.state == "running":
        return None
    facts: Facts = {
        "restarts": len(restarts),
        "first_at": restarts[0],
        "last_at": restarts[-1],
        "running": module.alive,
        "log": log.path if log else None,
        **telling(server, module, restarts[0]),
    }
    return Evidence(facts, began_at=restarts[0])


@STARTED.per_instance(
    title="MODULE is running although autoStart is off",
    severity=WARNING,
    summary="{target} is running, but autoStart is off: it will not come back after the next"
    " restart.",
    source="configuration_file",
    needs=("processes", "configuration"),
    reason="your site decides whether it should run",
    fix=as_account("nlserver stop {target}").then(
        advice('or set autoStart="true" for it, then: nlserver config -reload')
    ),
)
def not_expected(_server: Server, module: ModuleInstance) -> Facts | None:
    return {"pid": module.pid} if module.alive and module.expected is False else None


@STARTED.per_instance(
    title="MODULE ran until recently and is now disabled",
    severity=WARNING,
    summary="{target} logged until {last_log_at:time}; now autoStart is off and it is not running.",
    source="configuration_file",
    needs=("tasks", "configuration", "logs"),
    reason="your site decides whether it should run",
    fix=advice('set autoStart="true" for it').then(START),
)
def autostart_disabled(server: Server, module: ModuleInstance) -> Facts | None:
    log = server.log(module.name, module.instance)
    if module.state != "stopped" or module.expected is not False or not log or not log.pids:
        return None
    if module.configuration and module.configuration.switched_off:
        return None  # by an underscore: deliberately
    if module.name == "syslogd" and other_holder(server, "udp", server.syslogd_port):
        return None  # the site uses another log daemon
    return {"last_log_at": log.pids[-1].last_at, "last_pid": log.pids[-1].pid}


@STARTED.per_instance(
    title="MODULE missed its daily restart",
    severity=WARNING,
    summary="{target} has been running since {started_at:time}; processRestartTime is"
    " {restart_time}.",
    source="monitoring",
    needs=("processes", "configuration"),
    remedy="restart",
    fix=RESTART,
    causes=(*SUPERVISION, "MODULE.hung", "host.configuration_unreadable"),
)
def restart_missed(server: Server, module: ModuleInstance) -> Facts | None:
    daily = module.configuration.restart_time if module.configuration else None
    limit = 60 * server.limits.process_age_hours
    if not daily or not server.older(module.started_at, limit):
        return None
    return {"started_at": module.started_at, "restart_time": daily, "pid": module.pid}


def starting(server: Server, module: ModuleInstance) -> bool:
    """Whether the watchdog has just started and has not yet started this module."""
    watchdog = server.module("watchdog")
    began = watchdog.started_at if watchdog else None
    if began is None or server.now - began > server.limits.start_grace_seconds:
        return False
    log = server.log(module.name, module.instance)
    return not (log and any(writer.first_at >= began for writer in log.pids))


PROCESS = SharedRules()  # for a process that should run all the time

# With the watchdog all of Campaign is restarted.
WITH_ALL = {"watchdog": {"remedy": "restart_service", "fix": RESTART_ALL}}
STANDARD_PRECISION = as_account("nlserver restart {target} -noconsole")
TOMCAT_PRECISION = {"web": {"fix": as_account("nlserver restart {target} -tomcat -noconsole")}}
# The modules that `nlserver config -reload` reaches.
RELOADED = {
    module: {
        "remedy": "reload",
        "fix": as_account("nlserver config -reload"),
        "causes": ("host.configuration_unreadable", "host.configuration_changed"),
    }
    for module, command in RELOADS.items() if command == "config"
}


def _way(server: Server, module: ModuleInstance) -> Facts:
    return restart_service(server) if module.name in WITH_ALL else {}


@PROCESS.per_instance(
    title="MODULE is hung",
    severity=CRITICAL,
    summary="{target} is suspended (process {pid}, state {state}): it keeps its process but does"
    " nothing.",
    source="administration",
    needs=("processes",),
    remedy="kill_and_start",
    fix=KILL_AND_START,
    down=True,
    by_module=WITH_ALL,
)
def hung(server: Server, module: ModuleInstance) -> Facts | None:
    if module.state != "hung" or module.process is None:
        return None
    return {"pid": module.process.pid, "state": module.process.state, **_way(server, module)}


@PROCESS.per_instance(
    title="MODULE runs twice",
    severity=CRITICAL,
    summary="{count} processes run as {target}: {pids}. They do the same work twice.",
    source="operating_principle",
    needs=("processes",),
    reason="an operator must find out which process has the active work",
    fix=as_account("nlserver pdump -who", "nlserver stop {target}", "nlserver start {target}"),
)
def runs_twice(server: Server, module: ModuleInstance) -> Facts | None:
    pids = {process.pid for process in module.processes}
    first = [p for p in module.processes if p.ppid not in pids]  # not one that just forked
    if len(first) < 2 or server.now - (first[-1].started_at or 0.0) < 15:
        return None
    return {"count": len(first), "pids": " ".join(str(process.pid) for process in first)}


@PROCESS.per_instance(
    title="MODULE runs under the wrong account",
    severity=WARNING,
    summary="{target} runs as {runs_as}, not as {user}: its new files will belong to {runs_as}.",
    source="administration",
    needs=("processes",),
    reason="files that the wrong account created must be given back to {user} manually",
    fix=as_account("nlserver stop {target}").then(
        advice("chown the files of {runs_as} under {home}/var to {user}, then start it")
    ),
)
def wrong_account(server: Server, module: ModuleInstance) -> Facts | None:
    user = module.process.user if module.process else ""
    if not user or user == server.user:
        return None
    return {"runs_as": user, "pid": module.pid}


@PROCESS.per_instance(
    title="MODULE memory is above the alert limit",
    severity=CRITICAL,
    summary="{target} uses {memory_mb:g} MB; the alert limit is {alert_mb:g} MB.",
    source="configuration_file",
    needs=("tasks", "configuration"),
    remedy="restart",
    fix=RESTART,
    by_module=WITH_ALL,
)
def memory_alert(server: Server, module: ModuleInstance) -> Facts | None:
    alert = module.configuration.memory_alert_mb if module.configuration else None
    if not alert or module.memory_mb is None or module.memory_mb < alert:
        return None
    return {
        "memory_mb": round(module.memory_mb, 1), "alert_mb": alert, "pid": module.pid,
        **_way(server, module),
    }


@PROCESS.per_instance(
    title="MODULE memory is above the warning limit",
    severity=WARNING,
    summary="{target} uses {memory_mb:g} MB; the warning limit is {warning_mb:g} MB.",
    source="configuration_file",
    needs=("tasks", "configuration"),
    reason="below the alert limit no action is needed; the daily restart frees the memory",
    fix=advice("watch it: {memory_mb} MB now"),
)
def memory_warning(_server: Server, module: ModuleInstance) -> Facts | None:
    warning = module.configuration.memory_warning_mb if module.configuration else None
    alert = module.configuration.memory_alert_mb if module.configuration else None
    if not warning or module.memory_mb is None or module.memory_mb < warning:
        return None
    if alert and module.memory_mb >= alert:
        return None
    return {"memory_mb": round(module.memory_mb, 1), "warning_mb": warning, "pid": module.pid}


@PROCESS.per_instance(
    title="MODULE is running out of file handles",
    severity=WARNING,
    summary="{target} has {open} of {limit} files open; at the limit it fails.",
    source="monitoring",
    needs=("processes",),
    remedy="restart",
    fix=RESTART,
    by_module=WITH_ALL,
)
def file_handles(server: Server, module: ModuleInstance) -> Facts | None:
    process = module.process
    if not process or process.files_open is None or not process.files_limit:
        return None
    percent = 100 * process.files_open / process.files_limit
    if percent < server.limits.files_warning_percent:
        return None
    return {
        "open": process.files_open, "limit": process.files_limit, "percent": round(percent),
        **_way(server, module),
    }


@PROCESS.problem(
    title="MODULE log precision was left raised",
    severity=WARNING,
    summary="{target} logs with precision {precision} since {started_at:time}; {end}.",
    source="log_precision",
    needs=("processes", "ledger"),
    remedy="restore_log_precision",
    fix=STANDARD_PRECISION,
    by_module={
        **TOMCAT_PRECISION,
        "watchdog": {
            "remedy": None,
            "reason": "it takes a full restart of Campaign; schedule it",
        },
    },
)
def log_precision_raised(server: Server, name: str) -> Iterator[Evidence]:
    """By hand, which a restart ends, or in a file, which none does."""
    for module in server.instances_of(name):
        yield from configured_precision(module)
        raised = server.history.raised_precision(module)
        if raised and (raised.until is None or raised.until > server.now):
            continue
        until = raised.until if raised else None
        end = "no repair set an end time" if until is None else f"it should have ended at {moment(until)}"
        facts = _precision(server, module)
        if facts:
            yield Evidence({**facts, "until": until, "end": end}, module.instance)


@PROCESS.per_instance(
    title="MODULE log precision is raised for now",
    severity=INFO,
    summary="{target} logs with precision {precision}, raised by {who} at {raised_at:time}; {end}.",
    source="log_precision",
    needs=("processes", "ledger"),
    reason="it was raised on purpose; a repair restores it once its time is over",
    fix=STANDARD_PRECISION,
    by_module=TOMCAT_PRECISION,
)
def log_precision_wanted(server: Server, module: ModuleInstance) -> Facts | None:
    raised = server.history.raised_precision(module)
    if not raised or (raised.until is not None and raised.until <= server.now):
        return None
    end = "no end time was set" if raised.until is None else f"until {moment(raised.until)}"
    facts = _precision(server, module)
    return facts and {
        **facts, "until": raised.until, "end": end, "raised_at": raised.at,
        "who": raised.who or None,
    }


@PROCESS.per_instance(
    title="MODULE runs with an old configuration",
    severity=WARNING,
    summary="{target} started at {started_at:time}; {file} changed at {changed_at:time}.",
    source="administration",
    needs=("processes", "configuration"),
    remedy="restart",
    fix=RESTART,
    causes=("host.configuration_unreadable",),
    by_module=RELOADED,
)
def configuration_stale(server: Server, module: ModuleInstance) -> Facts | None:
    """What `config -reload` does not reach is behind only with the file of its instance."""
    for file in newer_files(server, module):
        if module.name in RELOADED or file.name != SERVER_FILE:
            return {
                "file": file.name, "changed_at": file.mtime_at, "started_at": module.started_at,
            }
    return None


def _precision(server: Server, module: ModuleInstance) -> Facts | None:
    """The facts of a log precision other than the standard one."""
    process = module.process
    if not process or process.precision == "standard":
        return None
    log = server.log(module.name, module.instance)
    return {
        "precision": process.precision,
        "started_at": process.started_at,
        "log_bytes": log.size_bytes if log else None,
    }


UTILITY = (LOGGED,)
PERMANENT = (PROCESS, *UTILITY)
SUPERVISED = (STARTED, CONFIGURED, *PERMANENT)
