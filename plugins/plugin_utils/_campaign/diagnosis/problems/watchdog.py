# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What can be wrong with watchdog, which starts and supervises all others."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.console import (
    unknown_task,
)

from ...snapshot.server import PERMANENT, Server
from ..knowledge import rows
from ..model import (
    CRITICAL,
    INFO,
    WARNING,
    Catalogue,
    Evidence,
    Facts,
    advice,
    as_account,
    as_owner,
    as_root,
)
from .common import INSTALLATION, add_to
from .logged import lines, logged, reported
from .nlserver import LIBRARY, add_nlserver, environment_failure
from .service import start_service

problems = Catalogue("watchdog")
add_nlserver(problems)


@problems.problem(
    title="Nothing runs",
    severity=CRITICAL,
    summary="No Campaign module runs: {expected} are to start by themselves.",
    source="connect",
    needs=("tasks",),
    remedy="start_service",
    fix=as_root("{starts_with}"),
    causes=INSTALLATION,
    down=True,
)
def nothing_runs(server: Server) -> Iterator[Evidence]:
    if any(task.alive for task in server.tasks):
        return
    expected = sum(task.expected is True for task in server.tasks)
    yield Evidence({
        "expected": expected,
        "service_state": server.service.active_state or None,
        "journal": server.service.said(),
        **start_service(server),
    })


@problems.problem(
    title="The watchdog does not run",
    severity=CRITICAL,
    summary="The watchdog does not run; {running} modules run unsupervised: what dies stays dead.",
    source="modules",
    needs=("tasks",),
    remedy="start_service",
    fix=as_root("{starts_with}"),
    causes=INSTALLATION,
    down=True,
)
def stopped(server: Server) -> Iterator[Evidence]:
    running = sum(task.alive for task in server.tasks)
    watchdog = server.task("watchdog")
    if watchdog and watchdog.state == "stopped" and running:
        yield Evidence({
            "running": running,
            "service_state": server.service.active_state or None,
            "journal": server.service.said(),
            **start_service(server),
        })


@problems.problem(
    title="The command nlserver does not return",
    severity=CRITICAL,
    summary="nlserver {commands} did not answer in time: modules cannot be started or stopped.",
    source="usual_commands",
    needs=(),
    reason="every remedy needs nlserver itself",
    fix=as_root("ps -o pid,stat,wchan:32,args -C nlserver").then(
        advice("state D means a disk, F a lock: see what it waits for")
    ),
    causes=("host.disk_full", "host.memory_exhausted"),
)
def nlserver_hangs(server: Server) -> Iterator[Evidence]:
    hanging = [
        command for probe, command in (("pdump", "pdump"), ("missing", "monitor -missing"))
        if (failure := server.failures.get(probe)) and failure.kind == "timeout"
    ]
    if hanging:
        yield Evidence({
            "commands": " and ".join(hanging),
            "modules_running": sum(task.alive for task in server.tasks),
        })


@problems.problem(
    title="A library of the operating system is missing",
    severity=CRITICAL,
    summary="nlserver cannot load a library: {sample}",
    source="linux_packages",
    needs=(),
    reason="the build is not made for this operating system: install the one that is; no restart"
    " helps before that",
    fix=as_account("ldd {home}/bin/nlserver | grep 'not found'"),
)
def wrong_library(server: Server) -> Iterator[Evidence]:
    for probe in ("pdump", "missing"):
        failure = server.failures.get(probe)
        if failure and LIBRARY in failure.message and not environment_failure(server):
            yield Evidence({"sample": failure.message[:300], "count": 1})
            return
    for line in reversed(server.service.journal):
        found = rows(frozenset(), line.text)
        if found and found[0].problem == "watchdog.wrong_library":
            yield Evidence({"sample": line.text, "count": 1, "last_at": line.at})
            return
    groups = reported("watchdog.wrong_library", server, server.tasks)
    if groups:
        yield logged(lines(groups), groups)


@problems.problem(
    title="A module is not known to the server",
    severity=INFO,
    summary="The server knows no {module}: it answered {command} with 'No task corresponds to the"
    " mask'.",
    source="usual_commands",
    needs=(),
    reason="no start or restart helps: the build is too old for the module, the configuration has"
    " no element of it, or its name or instance is misspelt",
    fix=advice(
        "check spelling and instance, and the module's element in serverConf.xml (pipelined needs"
        " build 20.3 or later)"
    ),
)
def module_unknown(server: Server) -> Iterator[Evidence]:
    """From a command that an operator gave, and from starts of ours (campaign_module)."""
    given = server.head.given_command
    name = unknown_task(given.said) if given else None
    told: dict[str, Facts] = {}
    if given and name:
        told[name] = {"module": name, "command": given.command}
    for entry in server.ledger.unknown:
        told.setdefault(entry.name, {
            "module": entry.name, "command": f"nlserver start {entry.name}", "last_at": entry.at,
        })
    for subject, facts in sorted(told.items()):
        yield Evidence(facts, subject=subject)


@problems.problem(
    title="Shared memory of another version",
    severity=CRITICAL,
    summary="The watchdog meets shared memory of another version: {sample}",
    source="tracking_parameters",
    needs=("logs",),
    remedy="rebuild_shared_memory",
    fix=as_root("systemctl stop nlserver").then(advice(
        "stop the web server too, then remove the segments (ipcrm -m) and semaphores (ipcrm -s) of"
        " {user} and of the web server's account"
    )),
    causes=("trackinglogd.shared_memory_stale",),
)
def shared_memory_version(server: Server) -> Iterator[Evidence]:
    for task in server.tasks_of("watchdog"):
        groups = reported("trackinglogd.shared_memory_stale", server, [task])
        if groups:
            yield logged(lines(groups), groups)


@problems.problem(
    title="The service does not start at boot",
    severity=WARNING,
    summary="The service {unit} is not enabled: after a reboot nothing runs.",
    source="administration",
    needs=("service",),
    remedy="enable_service",
    fix=as_root("systemctl enable {unit}"),
)
def service_not_enabled(server: Server) -> Iterator[Evidence]:
    service = server.service
    if service.manager in ("systemd", "init") and service.enabled is False:
        yield Evidence({"unit": service.unit, "manager": service.manager})


@problems.problem(
    title="Runs outside its service",
    severity=INFO,
    summary="The watchdog runs, but the service {unit} is {active_state}:"
    " a reboot will not stop it in order.",
    source="administration",
    needs=("service", "processes"),
    reason="taking it over means a stop of everything: at a time that suits",
    fix=as_account("nlserver shutdown").then(as_root("systemctl start {unit}")),
)
def outside_service(server: Server) -> Iterator[Evidence]:
    service = server.service
    known = service.manager == "systemd" and service.load_state == "loaded"
    if known and server.runs("watchdog") and service.active_state in ("inactive", "failed"):
        yield Evidence({"unit": service.unit, "active_state": service.active_state})


@problems.problem(
    title="The pid file is stale",
    severity=WARNING,
    summary="{path} names process {pid}, which is no watchdog.",
    source="administration",
    needs=("storage",),
    remedy="clear_pid_file",
    fix=as_owner("rm {path}"),
    causes=("watchdog.nothing_runs", "watchdog.stopped"),
)
def pid_file_stale(server: Server) -> Iterator[Evidence]:
    file = server.storage.pid_file
    if file and file.pid is not None and (file.alive is False or file.matches is False):
        yield Evidence({"path": file.path, "pid": file.pid, "alive": file.alive})


add_to(problems, works_by=tuple(  # it logs what it has to start again
    f"{module}.{state}" for module in PERMANENT if module != "watchdog"
    for state in ("crash_loop", "not_running")
))
