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
from ..model import CRITICAL, INFO, WARNING, Evidence, Facts, advice, as_account, as_owner, as_root
from ..rules import Catalogue
from . import every_module
from .common import INSTALLATION
from .logged import lines, logged, reported
from .nlserver import LIBRARY, environment_failure
from .service import start_service

problems = Catalogue("watchdog")


@problems.problem(
    title="Campaign is down",
    severity=CRITICAL,
    summary="Campaign is down: {expected:# module} should be running (autoStart is on), but none"
    " is.",
    source="connect",
    needs=("tasks",),
    remedy="start_service",
    fix=as_root("{starts_with}"),
    causes=INSTALLATION,
    down=True,
)
def nothing_runs(server: Server) -> Iterator[Evidence]:
    if any(module.alive for module in server.modules):
        return
    expected = sum(module.expected is True for module in server.modules)
    yield Evidence({
        "expected": expected,
        "service_state": server.service.active_state or None,
        "journal": server.service.said(),
        **start_service(server),
    })


@problems.problem(
    title="watchdog does not run",
    severity=CRITICAL,
    summary="The watchdog is not running: {running:# module} {running:? runs|run} unsupervised,"
    " and none is restarted if it dies.",
    source="modules",
    needs=("tasks",),
    remedy="start_service",
    fix=as_root("{starts_with}"),
    causes=INSTALLATION,
    down=True,
)
def stopped(server: Server) -> Iterator[Evidence]:
    running = sum(module.alive for module in server.modules)
    watchdog = server.module("watchdog")
    if watchdog and watchdog.state == "stopped" and running:
        yield Evidence({
            "running": running,
            "service_state": server.service.active_state or None,
            "journal": server.service.said(),
            **start_service(server),
        })


@problems.problem(
    title="The nlserver command hangs",
    severity=CRITICAL,
    summary="nlserver {commands} did not answer in time: modules cannot be started or stopped.",
    source="usual_commands",
    needs=(),
    reason="every remedy needs nlserver itself",
    fix=as_root("ps -o pid,stat,wchan:32,args -C nlserver").then(
        advice("find what it is waiting for: state D points to a disk, F to a lock")
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
            "modules_running": sum(module.alive for module in server.modules),
        })


@problems.problem(
    title="A library of the operating system is missing",
    severity=CRITICAL,
    summary="nlserver cannot load a library: {sample}",
    source="linux_packages",
    needs=(),
    reason="this build is for another operating system: install the right one; a restart does not"
    " help before that",
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
    groups = reported("watchdog.wrong_library", server, server.modules)
    if groups:
        yield logged(lines(groups), groups)


@problems.problem(
    title="The server does not know a module",
    severity=INFO,
    summary="The server does not know {module}: it answered {command} with 'No task corresponds to"
    " the mask'.",
    source="usual_commands",
    needs=(),
    reason="a start or restart does not help: the build is too old for the module, the"
    " configuration has no element for it, or its name or instance is misspelt",
    fix=advice(
        "check spelling and instance, and the module's element in serverConf.xml (pipelined needs"
        " build 20.3 or later)"
    ),
)
def module_unknown(server: Server) -> Iterator[Evidence]:
    """From a command that an operator gave, and from starts of ours (campaign_module)."""
    given = server.header.given_command
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
    title="Shared memory is from another version",
    severity=CRITICAL,
    summary="The watchdog finds shared memory of another version: {sample}",
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
    for module in server.instances_of("watchdog"):
        groups = reported("trackinglogd.shared_memory_stale", server, [module])
        if groups:
            yield logged(lines(groups), groups)


@problems.problem(
    title="The Campaign service does not start at boot",
    severity=WARNING,
    summary="The service {unit} is not enabled: after a reboot, Campaign stays down.",
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
    title="watchdog runs outside its service",
    severity=INFO,
    summary="The watchdog is running, but the service {unit} is {active_state}: a reboot will not"
    " stop it cleanly.",
    source="administration",
    needs=("service", "processes"),
    reason="moving it under the service stops everything; schedule it",
    fix=as_account("nlserver shutdown").then(as_root("systemctl start {unit}")),
)
def outside_service(server: Server) -> Iterator[Evidence]:
    service = server.service
    known = service.manager == "systemd" and service.load_state == "loaded"
    if known and server.runs("watchdog") and service.active_state in ("inactive", "failed"):
        yield Evidence({"unit": service.unit, "active_state": service.active_state})


@problems.problem(
    title="The watchdog pid file is stale",
    severity=WARNING,
    summary="{path} names process {pid}, which is not a watchdog.",
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


problems.include(*every_module.PERMANENT, causes_of_errors=tuple(  # it logs what it must start again
    f"{module}.{state}" for module in PERMANENT if module != "watchdog"
    for state in ("crash_loop", "not_running")
))
