# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What can be wrong with watchdog, which starts and supervises all others."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.campaign.remediation.plugins.plugin_utils.errors import (
    reported_by,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils.model import (
    CRITICAL,
    INFO,
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
from ansible_collections.campaign.remediation.plugins.plugin_utils.snapshot import (
    PERMANENT,
    Server,
)

problems = Catalogue("watchdog")


def start_service(server: Server) -> Facts:
    """How this host starts everything: the facts that the fix needs."""
    service = server.service
    if service.manager == "systemd" and service.load_state == "loaded":
        return {"starts_with": f"systemctl start {service.unit.removesuffix('.service')}"}
    if service.init_script:
        return {"starts_with": f"{service.init_script} start"}
    account = as_account("nlserver watchdog -svc -noconsole").text(server, {})
    return {"starts_with": account}


@problems.problem(
    title="Nothing runs",
    severity=CRITICAL,
    summary="No Campaign module runs: {expected} are to start by themselves.",
    source="connect",
    needs=("tasks",),
    remedy="start_service",
    fix=as_root("{starts_with}"),
    causes=(
        "host.disk_full", "host.configuration_unreadable",
        "watchdog.wrong_library", "watchdog.shared_memory_version",
    ),
    down=True,
)
def nothing_runs(server: Server) -> Iterator[Evidence]:
    if any(task.alive for task in server.tasks):
        return
    expected = sum(task.expected is True for task in server.tasks)
    yield Evidence({
        "expected": expected,
        "service_state": server.service.active_state or None,
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
    causes=(
        "host.disk_full", "host.configuration_unreadable",
        "watchdog.wrong_library", "watchdog.shared_memory_version",
    ),
    down=True,
)
def stopped(server: Server) -> Iterator[Evidence]:
    running = sum(task.alive for task in server.tasks)
    watchdog = server.task("watchdog")
    if watchdog and watchdog.state == "stopped" and running:
        yield Evidence({
            "running": running,
            "service_state": server.service.active_state or None,
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
    reason="the build is not made for this operating system: install the one that is",
    fix=as_account("ldd $(command -v nlserver) | grep 'not found'"),
)
def wrong_library(server: Server) -> Iterator[Evidence]:
    for probe in ("pdump", "missing"):
        failure = server.failures.get(probe)
        if failure and "cannot open shared object file" in failure.message:
            yield Evidence({"sample": failure.message[:300], "count": 1})
            return
    groups = [
        group for task in server.tasks
        for group in reported_by("watchdog.wrong_library", server.errors(task))
    ]
    if groups:
        yield Evidence(lines(groups))


@problems.problem(
    title="Shared memory of another version",
    severity=CRITICAL,
    summary="The watchdog meets shared memory of another version: {sample}",
    source="tracking_parameters",
    needs=("logs",),
    remedy="rebuild_shared_memory",
    fix=as_root("systemctl stop nlserver").then(
        advice("stop the web server too, then remove the segments of {user} with ipcrm")
    ),
    causes=("trackinglogd.shared_memory_stale",),
)
def shared_memory_version(server: Server) -> Iterator[Evidence]:
    for task in server.tasks_of("watchdog"):
        groups = reported_by("trackinglogd.shared_memory_stale", server.errors(task))
        if groups:
            yield Evidence(lines(groups))


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
    fix=as_root("rm {path}"),
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
