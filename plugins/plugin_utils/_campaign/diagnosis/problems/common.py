# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The problems that Campaign's modules share: `add_to(catalogue)` enters them for one module."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import (
    RELOADS,
    UTILITIES,
)

from ...snapshot.records import SERVER_FILE, ConfigurationFile, Target, Task
from ...snapshot.server import Server
from ..model import (
    CRITICAL,
    INFO,
    WARNING,
    Catalogue,
    Evidence,
    Facts,
    advice,
    as_account,
    as_root,
    moment,
)
from ..shell import Shell
from .configured import add_configured, configured_precision
from .logged import add_logged, telling
from .service import restart_service

START = as_account("nlserver start {target}")
RESTART = as_account("nlserver restart {target}")
KILL_AND_START = as_account("nlserver stop {target} -immediate", "nlserver start {target}")

RESTART_ALL = as_root("{restarts_with}")

SUPERVISION = ("watchdog.nothing_runs", "watchdog.stopped", "watchdog.hung")
INSTALLATION = (
    "host.disk_full", "host.configuration_unreadable", "watchdog.environment_broken",
    "watchdog.wrong_library", "watchdog.shared_memory_version", "watchdog.nlserver_fails",
)
# With its sockets, which would start it again.
STOP_UNIT = "systemctl stop $(systemctl show --value -p TriggeredBy {unit}) {unit}"
KILL = "kill {pid}"
UNIT = re.compile(r"[\w:.\\@-]+", re.ASCII)  # with a * in it, systemctl would stop others, too
MACHINE = ("host.disk_full", "host.memory_exhausted", "host.database_unreachable")


def other_holder(server: Server, proto: str, port: int | None) -> Facts | None:
    """Who else holds a port that is this server's, and the command that stops it."""
    held = list(server.listening(proto, port))
    if not held or any(socket.ours for socket in held):
        return None
    socket = held[0]
    unit = socket.unit if socket.unit and UNIT.fullmatch(socket.unit) else None
    return {
        "port": port,
        "holder": socket.command or "an unknown process",
        "pid": socket.pid,
        "holder_user": socket.user,
        "unit": socket.unit,
        "stop": Shell.of(STOP_UNIT if unit else KILL, {"unit": unit, "pid": socket.pid or "PID"}),
    }


def unreachable(
    server: Server, name: str, wanted: Callable[[Target], bool] = lambda _target: True
) -> Iterator[Evidence]:
    """Peers of a kind that do not answer: the fact `name` is the address."""
    for target in server.targets(name):
        if target.reachable is False and wanted(target):
            facts: Facts = {
                name: target.address, "host": target.host, "port": target.port,
                "error": target.error or "unreachable",
            }
            yield Evidence(facts, target.instance, target.address)


def turning_away(server: Server, name: str) -> Iterator[Evidence]:
    """Peers of a kind that answer, but with an error: the fact `name` is the address."""
    for target in server.targets(name):
        if target.error == "protocol":
            said = target.detail.get("answer")
            answer = said if isinstance(said, str) and said else "nothing"
            facts: Facts = {
                name: target.address, "host": target.host, "port": target.port, "answer": answer,
            }
            yield Evidence(facts, target.instance, target.address)


def named(names: Iterable[str], most: int = 5) -> str:
    """The first names of some, and how many more there are."""
    known = list(names)
    more = f" and {len(known) - most} more" if len(known) > most else ""
    return ", ".join(known[:most]) + more


def operators_disabled(server: Server) -> Iterator[Evidence]:
    """Operators who may no longer log on and whose workflows are to run."""
    for database in server.databases:
        held: dict[str, list[str]] = {}
        for owner in database.disabled_owners or ():
            workflow = database.workflow(owner.name)
            if workflow and not workflow.idle:
                held.setdefault(owner.operator, []).append(workflow.shown)
        for operator, workflows in sorted(held.items()):
            facts: Facts = {
                "operator": operator, "count": len(workflows), "workflows": named(workflows),
            }
            yield Evidence(facts, database.instance, operator)


def add_to(
    problems: Catalogue,
    *,
    stopped_by: tuple[str, ...] = (),
    works_by: tuple[str, ...] = (),
    apart: bool = False,
) -> None:
    """Enter the shared problems for a module.

    `stopped_by`: what, beside the shared reasons, keeps the module from running.
    `works_by`: what, beside those, makes it log errors or answer late.
    `apart`: what its children log and nobody knows has an entry of its own.
    """
    module = problems.module
    own_state = (f"{module}.not_running", f"{module}.hung", f"{module}.crash_loop")
    if module == "watchdog":
        own_state = ("watchdog.nothing_runs", "watchdog.stopped", "watchdog.hung")
    troubles = tuple(dict.fromkeys((
        *own_state, *stopped_by, *works_by, *INSTALLATION, *MACHINE, "web.api_database",
    )))  # fmt: skip
    if module not in UTILITIES:
        if module != "watchdog":
            _supervised(problems, stopped_by)
            add_configured(problems)
        _process(problems)
    add_logged(problems, troubles, apart, RESTART)


def _supervised(problems: Catalogue, stopped_by: tuple[str, ...]) -> None:
    """What holds for a module that the watchdog starts."""
    module = problems.module

    @problems.each(
        title="Does not run",
        severity=CRITICAL,
        summary="{target} is to start by itself (autoStart) and does not run.",
        source="workflow" if module == "wfserver" else "usual_commands",
        needs=("tasks",),
        remedy="start",
        fix=START,
        causes=(*SUPERVISION, *INSTALLATION, f"{module}.crash_loop", *stopped_by),
        down=True,
    )
    def not_running(server: Server, task: Task) -> Evidence | None:
        if task.state != "stopped" or not task.expected or starting(server, task):
            return None
        log = server.log(task.module, task.instance)
        last = log.written_at if log else None
        last_pid = log.pids[-1].pid if log and log.pids else None
        facts: Facts = {"auto_start": True, "last_log_at": last, "last_pid": last_pid}
        return Evidence(facts, began_at=last)

    @problems.each(
        title="Dies again and again",
        severity=CRITICAL,
        summary="{target} began anew {restarts} times in the log window{says}.",
        source="modules",
        needs=("logs",),
        reason="another start would die as well: the last lines of its log say why",
        fix=advice("read {tells}; then: nlserver restart {target} -verbose"),
        causes=(*INSTALLATION, *MACHINE, *stopped_by),
        down=True,
    )
    def crash_loop(server: Server, task: Task) -> Evidence | None:
        restarts = server.restarts(task)
        if len(restarts) < server.limits.crash_loop_restarts:
            return None
        log = server.log(task.module, task.instance)
        calm = server.older(restarts[-1], server.limits.crash_loop_calm_minutes)
        if calm and task.state == "running":
            return None
        facts: Facts = {
            "restarts": len(restarts),
            "first_at": restarts[0],
            "last_at": restarts[-1],
            "running": task.alive,
            "log": log.path if log else None,
            **telling(server, task, restarts[0]),
        }
        return Evidence(facts, began_at=restarts[0])

    @problems.each(
        title="Runs although it is not to start",
        severity=WARNING,
        summary="{target} runs, but autoStart is off: after the next restart it is gone.",
        source="configuration_file",
        needs=("processes", "configuration"),
        reason="whether it is to run is the site's decision",
        fix=as_account("nlserver stop {target}").then(
            advice('or set autoStart="true" for it, then: nlserver config -reload')
        ),
    )
    def not_expected(server: Server, task: Task) -> Facts | None:
        del server
        return {"pid": task.pid} if task.alive and task.expected is False else None

    @problems.each(
        title="Ran until recently and is now disabled",
        severity=WARNING,
        summary="{target} wrote its log until {last_log_at:time}; now autoStart is off"
        " and it does not run.",
        source="configuration_file",
        needs=("tasks", "configuration", "logs"),
        reason="whether it is to run is the site's decision",
        fix=advice('set autoStart="true" for it').then(START),
    )
    def autostart_disabled(server: Server, task: Task) -> Facts | None:
        log = server.log(task.module, task.instance)
        if task.state != "stopped" or task.expected is not False or not log or not log.pids:
            return None
        if task.configuration and task.configuration.switched_off:
            return None  # by an underscore: whoever did that knows
        if module == "syslogd" and other_holder(server, "udp", server.syslogd_port):
            return None  # the site uses another log daemon
        return {"last_log_at": log.pids[-1].last_at, "last_pid": log.pids[-1].pid}

    @problems.each(
        title="Was not restarted for more than a day",
        severity=WARNING,
        summary="{target} runs since {started_at:time}; processRestartTime is {restart_time}.",
        source="monitoring",
        needs=("processes", "configuration"),
        remedy="restart",
        fix=RESTART,
        causes=(*SUPERVISION, f"{module}.hung", "host.configuration_unreadable"),
    )
    def restart_missed(server: Server, task: Task) -> Facts | None:
        daily = task.configuration.restart_time if task.configuration else None
        limit = 60 * server.limits.process_age_hours
        if not daily or not server.older(task.started_at, limit):
            return None
        return {"started_at": task.started_at, "restart_time": daily, "pid": task.pid}


def starting(server: Server, task: Task) -> bool:
    """Whether the watchdog has just begun and has not yet come to this module."""
    watchdog = server.task("watchdog")
    began = watchdog.started_at if watchdog else None
    if began is None or server.now - began > server.limits.start_grace_seconds:
        return False
    log = server.log(task.module, task.instance)
    return not (log and any(writer.first_at >= began for writer in log.pids))


def _process(problems: Catalogue) -> None:
    """What holds for a process that is to run all the time."""
    module = problems.module
    tomcat = " -tomcat" if module == "web" else ""
    standard = as_account(f"nlserver restart {{target}}{tomcat} -noconsole")
    reloads = RELOADS.get(module) == "config"
    whole = module == "watchdog"  # with it all of Campaign is restarted
    restart = "restart_service" if whole else "restart"
    restarts = RESTART_ALL if whole else RESTART

    def way(server: Server) -> Facts:
        return restart_service(server) if whole else {}

    @problems.each(
        title="Hangs",
        severity=CRITICAL,
        summary="{target} is halted (process {pid}, state {state}): it is there and does nothing.",
        source="administration",
        needs=("processes",),
        remedy="restart_service" if whole else "kill_and_start",
        fix=RESTART_ALL if whole else KILL_AND_START,
        down=True,
    )
    def hung(server: Server, task: Task) -> Facts | None:
        if task.state != "hung" or task.process is None:
            return None
        return {"pid": task.process.pid, "state": task.process.state, **way(server)}

    @problems.each(
        title="Runs twice",
        severity=CRITICAL,
        summary="{count} processes run as {target}: {pids}. They do the same work twice.",
        source="operating_principle",
        needs=("processes",),
        reason="which of them holds the work in hand is for a person to see",
        fix=as_account("nlserver pdump -who", "nlserver stop {target}", "nlserver start {target}"),
    )
    def runs_twice(server: Server, task: Task) -> Facts | None:
        pids = {process.pid for process in task.processes}
        first = [p for p in task.processes if p.ppid not in pids]  # not one that just forked
        if len(first) < 2 or server.now - (first[-1].started_at or 0.0) < 15:
            return None
        return {"count": len(first), "pids": " ".join(str(process.pid) for process in first)}

    @problems.each(
        title="Runs under another account",
        severity=WARNING,
        summary="{target} runs as {runs_as}, not as {user}: its files will belong to {runs_as}.",
        source="administration",
        needs=("processes",),
        reason="files that the wrong account made must be given back by hand",
        fix=as_account("nlserver stop {target}").then(
            advice("give files of {runs_as} under {home}/var back to {user}, then start it")
        ),
    )
    def wrong_account(server: Server, task: Task) -> Facts | None:
        user = task.process.user if task.process else ""
        if not user or user == server.user:
            return None
        return {"runs_as": user, "pid": task.pid}

    @problems.each(
        title="Uses more memory than it may",
        severity=CRITICAL,
        summary="{target} uses {memory_mb:g} MB; the alert value is {alert_mb:g} MB.",
        source="configuration_file",
        needs=("tasks", "configuration"),
        remedy=restart,
        fix=restarts,
    )
    def memory_alert(server: Server, task: Task) -> Facts | None:
        alert = task.configuration.memory_alert_mb if task.configuration else None
        if not alert or task.memory_mb is None or task.memory_mb < alert:
            return None
        return {
            "memory_mb": round(task.memory_mb, 1), "alert_mb": alert, "pid": task.pid,
            **way(server),
        }

    @problems.each(
        title="Uses much memory",
        severity=WARNING,
        summary="{target} uses {memory_mb:g} MB; the warning value is {warning_mb:g} MB.",
        source="configuration_file",
        needs=("tasks", "configuration"),
        reason="below the alert value it may go on; its daily restart gives the memory back",
        fix=advice("watch it: {memory_mb} MB now"),
    )
    def memory_warning(server: Server, task: Task) -> Facts | None:
        del server
        warning = task.configuration.memory_warning_mb if task.configuration else None
        alert = task.configuration.memory_alert_mb if task.configuration else None
        if not warning or task.memory_mb is None or task.memory_mb < warning:
            return None
        if alert and task.memory_mb >= alert:
            return None
        return {"memory_mb": round(task.memory_mb, 1), "warning_mb": warning, "pid": task.pid}

    @problems.each(
        title="Is about to run out of file handles",
        severity=WARNING,
        summary="{target} has {open} of {limit} files open.",
        source="monitoring",
        needs=("processes",),
        remedy=restart,
        fix=restarts,
    )
    def file_handles(server: Server, task: Task) -> Facts | None:
        process = task.process
        if not process or process.files_open is None or not process.files_limit:
            return None
        percent = 100 * process.files_open / process.files_limit
        if percent < server.limits.files_warning_percent:
            return None
        return {
            "open": process.files_open, "limit": process.files_limit, "percent": round(percent),
            **way(server),
        }

    @problems.problem(
        title="Log precision left raised",
        severity=WARNING,
        summary="{target} logs with precision {precision} since {started_at:time}; {end}.",
        source="log_precision",
        needs=("processes", "ledger"),
        remedy=None if problems.module == "watchdog" else "restore_log_precision",
        reason="it takes a restart of the whole of Campaign, for which a person chooses the time"
        if problems.module == "watchdog"
        else None,
        fix=standard,
    )
    def log_precision_raised(server: Server) -> Iterator[Evidence]:
        """By hand, which a restart ends, or in a file, which none does."""
        for task in server.tasks_of(module):
            yield from configured_precision(task)
            raised = server.raised_precision(task)
            if raised and (raised.until is None or raised.until > server.now):
                continue
            until = raised.until if raised else None
            end = "no repair set an end to it" if until is None else f"its end was {moment(until)}"
            facts = _precision(server, task)
            if facts:
                yield Evidence({**facts, "until": until, "end": end}, task.instance)

    @problems.each(
        title="Log precision raised for a while",
        severity=INFO,
        summary="{target} logs with precision {precision}, as {who} wanted at {raised_at:time};"
        " {end}.",
        source="log_precision",
        needs=("processes", "ledger"),
        reason="it was raised on purpose; after its end it counts as left on and is restored",
        fix=standard,
    )
    def log_precision_wanted(server: Server, task: Task) -> Facts | None:
        raised = server.raised_precision(task)
        if not raised or (raised.until is not None and raised.until <= server.now):
            return None
        end = "no end was set" if raised.until is None else f"until {moment(raised.until)}"
        facts = _precision(server, task)
        return facts and {
            **facts, "until": raised.until, "end": end, "raised_at": raised.at,
            "who": raised.who or None,
        }

    @problems.each(
        title="Runs with an older configuration",
        severity=WARNING,
        summary="{target} began at {started_at:time}; {file} changed at {changed_at:time}.",
        source="administration",
        needs=("processes", "configuration"),
        remedy="reload" if reloads else "restart",
        fix=as_account("nlserver config -reload") if reloads else RESTART,
        causes=("host.configuration_unreadable",)
        + (("host.configuration_changed",) if reloads else ()),
    )
    def configuration_stale(server: Server, task: Task) -> Facts | None:
        """What `config -reload` does not reach is behind only with the file of its instance."""
        for file in newer_files(server, task):
            if reloads or file.name != SERVER_FILE:
                return {
                    "file": file.name, "changed_at": file.mtime_at, "started_at": task.started_at,
                }
        return None


def _precision(server: Server, task: Task) -> Facts | None:
    """The facts of a log precision other than the standard one."""
    process = task.process
    if not process or process.precision == "standard":
        return None
    log = server.log(task.module, task.instance)
    return {
        "precision": process.precision,
        "started_at": process.started_at,
        "log_bytes": log.size_bytes if log else None,
    }


def newer_files(server: Server, task: Task) -> Iterator[ConfigurationFile]:
    """The files that changed after the module last read them."""
    if task.started_at is None or not task.alive:
        return
    read_at = max(task.started_at, server.reloaded_at(task) or 0.0)
    grace = server.limits.configuration_grace_seconds
    for file in server.configuration.files:
        changed = file.mtime_at
        if file.error or changed is None or not file.concerns(task):
            continue
        if changed > task.started_at + grace and changed > read_at:
            yield file
