# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What can be wrong with syslogd, which writes the log files of all modules."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import (
    SYSLOGD_PORTS,
)

from ...snapshot.history import UPGRADE_LOG
from ...snapshot.records import ModuleInstance
from ...snapshot.server import Server
from ..model import CRITICAL, INFO, WARNING, Evidence, Facts, advice, as_account, as_root
from ..rules import Catalogue
from . import every_module
from .common import RESTART, other_holder

problems = Catalogue("syslogd")

NOT_WRITING = (
    "syslogd.not_running", "syslogd.hung", "syslogd.crash_loop", "syslogd.port_taken",
    "syslogd.port_not_held", "syslogd.wrong_port", "syslogd.directory_not_writable",
    "syslogd.log_not_writable", "syslogd.no_space", "host.disk_full",
    "watchdog.nothing_runs",
)


@problems.problem(
    title="Another process holds the syslog port",
    severity=CRITICAL,
    summary="{port}/udp is held by {holder} (process {pid}): no module can log.",
    source="modules",
    needs=("sockets",),
    remedy="free_port",
    fix=as_root("{stop}").then(RESTART),
)
def port_taken(server: Server) -> Iterator[Evidence]:
    module = server.module("syslogd")
    if module and not (module.alive or module.expected):
        return  # if switched off, another daemon may hold it; if unknown, it cannot be judged
    default = server.configuration.syslogd_port_from == "default"
    if module and default and _listens_elsewhere(server, module) in SYSLOGD_PORTS:
        return  # on the other port of the two that are defaults
    facts = other_holder(server, "udp", server.syslogd_port)
    if facts:
        yield Evidence(facts)


@problems.per_instance(
    title="syslogd is not listening on its port",
    severity=CRITICAL,
    summary="{target} is running, but nothing is listening on {port}/udp: no module can log.",
    source="modules",
    needs=("sockets", "tasks"),
    remedy="restart",
    fix=RESTART,
    causes=("syslogd.hung", "syslogd.crash_loop"),
)
def port_not_held(server: Server, module: ModuleInstance) -> Facts | None:
    port = server.syslogd_port
    if not module.alive or port is None or any(server.listening("udp", port)):
        return None
    if _listens_elsewhere(server, module):
        return None
    return {"port": port, "pid": module.pid}


def _listens_elsewhere(server: Server, module: ModuleInstance) -> int | None:
    pids = {process.pid for process in module.processes}
    return next(
        (
            socket.port for socket in server.sockets
            if socket.proto.startswith("udp") and socket.port != server.syslogd_port
            and socket.ours and (socket.pid in pids or socket.port in SYSLOGD_PORTS)
        ),
        None,
    )


@problems.per_instance(
    title="syslogd listens on the wrong port",
    severity=CRITICAL,
    summary="{target} listens on {actual}/udp, but the modules send to {port}/udp: log lines are"
    " lost.",
    source="modules",
    needs=("sockets", "tasks"),
    remedy="restart",
    fix=RESTART,
)
def wrong_port(server: Server, module: ModuleInstance) -> Facts | None:
    actual = _listens_elsewhere(server, module)
    default = server.configuration.syslogd_port_from == "default"
    if actual is None or (default and actual in SYSLOGD_PORTS):
        return None
    if any(socket.ours for socket in server.listening("udp", server.syslogd_port)):
        return None
    return {
        "port": server.syslogd_port,
        "actual": actual,
        "port_from": server.configuration.syslogd_port_from or None,
    }


@problems.problem(
    title="Modules have no log file",
    severity=WARNING,
    summary="{count:# running module} {count:? has|have} no log file: {modules}.",
    source="log_files",
    needs=("logs", "processes"),
    remedy="restart",
    fix=as_account("nlserver restart syslogd"),
    causes=NOT_WRITING,
)
def logs_missing(server: Server) -> Iterator[Evidence]:
    without = []
    for module in server.modules if server.has_syslogd else ():
        log = server.log(module.name, module.instance)
        begun = (server.age(module.started_at) or 0.0) > server.limits.log_start_seconds
        if module.alive and begun and log and not log.exists:
            without.append(module.label)
    if without:
        yield Evidence({"count": len(without), "modules": " ".join(without)})


@problems.problem(
    title="Logs have stopped growing",
    severity=CRITICAL,
    summary="{why}; the last line of any log is from {last_at:time}.",
    source="log_files",
    needs=("logs", "processes"),
    remedy="restart",
    fix=as_account("nlserver restart syslogd"),
    causes=NOT_WRITING,
)
def logs_not_growing(server: Server) -> Iterator[Evidence]:
    written = [
        log.written_at for log in server.logs.logs
        if log.exists and log.written_at and log.module != UPGRADE_LOG
    ]
    if not written or not server.has_syslogd:
        return
    last = max(written)
    syslogd = server.module("syslogd")
    listening_since = (syslogd.started_at if syslogd else None) or 0.0
    unheard = []
    for module in server.modules:
        log = server.log(module.name, module.instance)
        at = log.written_at if log and log.exists else None
        begun = module.started_at
        if module.state != "running" or at is None or begun is None:
            continue
        grace = server.limits.log_start_seconds
        if begun < listening_since:
            continue  # syslogd was not running to write its first lines
        if begun > at + server.limits.clock_grain_seconds and server.now - begun > grace:
            unheard.append(module.label)
    if unheard:
        why = f"the start of {', '.join(unheard)} left no line"
    elif any(module.state == "running" for module in server.modules) and server.older(
        last, server.limits.log_silence_minutes
    ):
        why = "modules are running but log nothing"
    else:
        return
    yield Evidence({"why": why, "last_at": last, "modules": " ".join(unheard) or None})


@problems.problem(
    title="A log directory is not writable",
    severity=CRITICAL,
    summary="{user} cannot write to {path} (owner {owner}, mode {mode}).",
    source="log_files",
    needs=("logs",),
    reason="you decide who should own the directory",
    fix=as_account("chmod u+rwx {path}").then(
        advice(
            "if another account owns it: as the Campaign account, move it aside and create it"
            " again"
        )
    ),
    causes=("host.disk_full",),
)
def directory_not_writable(server: Server) -> Iterator[Evidence]:
    for directory in server.logs.directories:
        if directory.exists and directory.writable is False:
            yield Evidence(
                {
                    "path": directory.path, "owner": directory.owner or None,
                    "mode": directory.mode or None,
                },
                subject=directory.path,
            )


@problems.problem(
    title="A log file is not writable",
    severity=CRITICAL,
    summary="{user} cannot write to {path}: log lines of {module} are lost.",
    source="log_files",
    needs=("logs",),
    reason="find the cause first: owner, mode or a file attribute",
    fix=as_account("ls -l {path}", "lsattr {path}"),
    causes=("syslogd.directory_not_writable", "host.disk_full"),
)
def log_not_writable(server: Server) -> Iterator[Evidence]:
    for log in server.logs.logs:
        if log.exists and log.writable is False:
            yield Evidence(
                {"path": log.path, "module": log.module, "last_at": log.written_at},
                subject=log.path,
            )


@problems.problem(
    title="There is no space for logs",
    severity=CRITICAL,
    summary="{path}, which holds the logs, is {used_percent:g} % full: log lines are lost.",
    source="monitoring",
    needs=("storage",),
    reason="you decide what can be deleted",
    fix=as_root("du -xk {path} | sort -n | tail -20"),
    causes=("host.disk_full",),
)
def no_space(server: Server) -> Iterator[Evidence]:
    for mount in server.storage.mounts:
        used = mount.used_percent
        if mount.role == "log" and used is not None and used >= server.limits.disk_full_percent:
            yield Evidence(
                {"path": mount.path, "used_percent": used, "free_mb": mount.free_mb},
                subject=mount.path,
            )


@problems.problem(
    title="A log was read only in part",
    severity=INFO,
    summary="{path} is {size_mb:g} MB: of the log window, only lines since {from_at:time} were"
    " read.",
    source="log_files",
    needs=("logs",),
    reason="the log itself is fine; older lines were not checked",
    fix=advice("find the module that logs so much (log precision), or use a shorter log window"),
)
def log_read_in_part(server: Server) -> Iterator[Evidence]:
    for log in server.logs.logs:
        if log.truncated:
            yield Evidence(
                {
                    "path": log.path, "size_mb": round((log.size_bytes or 0) / 1048576, 1),
                    "from_at": log.first_at, "log": log.module,
                },
                log.instance, log.module,
            )


problems.include(*every_module.SUPERVISED, causes_of_stop=("syslogd.port_taken",))
