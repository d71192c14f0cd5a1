# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What can be wrong with the machine under Campaign."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import (
    DEFAULT,
    RELOADS,
    SHARED,
    UTILITIES,
)

from ...snapshot.records import SERVER_FILE, ConfigurationFile, LogGroup, Mount
from ...snapshot.server import Server
from ..builds import CURRENT, CURRENT_VERSION, DEPRECATED
from ..knowledge import reported_by
from ..model import CRITICAL, INFO, WARNING, Evidence, Facts, advice, as_account, as_root
from ..rules import Catalogue
from .common import SUPERVISION, named, newer_files, operators_disabled, unreachable
from .logged import lines, logged

problems = Catalogue("host")


def _use(mount: Mount) -> list[tuple[str, float]]:
    """How full a file system is: its space and its inodes."""
    return [
        (what, used) for what, used in (
            ("space", mount.used_percent), ("inodes", mount.inodes_used_percent),
        ) if used is not None
    ]


def _disks(server: Server, low: float, high: float) -> Iterator[Evidence]:
    """One finding for a device whose use is in a range."""
    devices: dict[object, Evidence] = {}
    for mount in server.storage.mounts:
        for what, used in _use(mount):
            if low <= used < high:
                facts: Facts = {
                    "path": mount.path, "what": what, "used_percent": used,
                    "free_mb": mount.free_mb, "role": mount.role or None,
                }
                device = mount.path if mount.device is None else mount.device
                devices.setdefault(device, Evidence(facts, subject=mount.path))
    yield from devices.values()


CLEAN_UP = as_root("du -xk {path} | sort -n | tail -20")
WHAT_TO_DELETE = "you decide what can be deleted"


@problems.problem(
    title="A file system is full",
    severity=CRITICAL,
    summary="{path} is full ({what}: {used_percent:g} % used): nothing can be written there.",
    source="monitoring",
    needs=("storage",),
    reason=WHAT_TO_DELETE,
    fix=CLEAN_UP,
)
def disk_full(server: Server) -> Iterator[Evidence]:
    yield from _disks(server, server.limits.disk_full_percent, 1000)
    for mount in server.storage.mounts:
        if mount.read_only and mount.role in ("home", "var", "log", "tmp"):
            yield Evidence(
                {
                    "path": mount.path, "what": "read-only", "used_percent": mount.used_percent,
                    "free_mb": mount.free_mb, "role": mount.role,
                },
                subject=f"{mount.path}:ro",
            )


@problems.problem(
    title="A file system is almost full",
    severity=CRITICAL,
    summary="{path} is {used_percent:g} % full ({what}).",
    source="monitoring",
    needs=("storage",),
    reason=WHAT_TO_DELETE,
    fix=CLEAN_UP,
    causes=("host.core_file", "trackinglogd.size_limit"),
)
def disk_almost_full(server: Server) -> Iterator[Evidence]:
    limits = server.limits
    return _disks(server, limits.disk_alert_percent, limits.disk_full_percent)


@problems.problem(
    title="A file system is filling up",
    severity=WARNING,
    summary="{path} is {used_percent:g} % full ({what}).",
    source="monitoring",
    needs=("storage",),
    reason=WHAT_TO_DELETE,
    fix=CLEAN_UP,
)
def disk_filling(server: Server) -> Iterator[Evidence]:
    limits = server.limits
    return _disks(server, limits.disk_warning_percent, limits.disk_alert_percent)


def _percent(part: float | None, whole: float | None) -> float | None:
    return None if part is None or not whole else round(100 * part / whole, 1)


def _memory(server: Server) -> tuple[float | None, float | None]:
    """How much of memory and of swap is in use, in percent."""
    machine = server.machine
    free = _percent(machine.memory_available_mb, machine.memory_total_mb)
    swap_free = _percent(machine.swap_free_mb, machine.swap_total_mb)
    return (
        None if free is None else round(100 - free, 1),
        None if swap_free is None else round(100 - swap_free, 1),
    )


BIGGEST = as_root("ps -eo rss,pid,user,args --sort=-rss | head -15")


@problems.problem(
    title="The host is out of memory",
    severity=CRITICAL,
    summary="{memory_percent} % of memory and {swap_percent} % of swap are in use.",
    source="monitoring",
    needs=("machine",),
    reason="an operator decides which process to restart",
    fix=BIGGEST,
)
def memory_exhausted(server: Server) -> Iterator[Evidence]:
    memory, swap = _memory(server)
    limits = server.limits
    if (memory or 0) >= limits.memory_alert_percent or (swap or 0) >= limits.swap_alert_percent:
        yield Evidence({"memory_percent": memory, "swap_percent": swap})


@problems.problem(
    title="The host is low on memory",
    severity=WARNING,
    summary="{memory_percent} % of memory and {swap_percent} % of swap are in use.",
    source="monitoring",
    needs=("machine",),
    reason="an operator decides which process to restart",
    fix=BIGGEST,
)
def memory_high(server: Server) -> Iterator[Evidence]:
    memory, swap = _memory(server)
    limits = server.limits
    if any(memory_exhausted(server)):
        return
    if (memory or 0) >= limits.memory_warning_percent or (
        (swap or 0) >= limits.swap_warning_percent
    ):
        yield Evidence({"memory_percent": memory, "swap_percent": swap})


@problems.problem(
    title="The load is high",
    severity=WARNING,
    summary="The 15-minute load average is {load} on {cpus} processors ({percent:g} %).",
    source="monitoring",
    needs=("machine",),
    reason="find the cause of the load first",
    fix=as_root("top -b -n 1 | head -20"),
)
def load_high(server: Server) -> Iterator[Evidence]:
    percent = _load(server)
    if percent is not None and percent >= server.limits.load_alert_percent:
        yield Evidence(_load_facts(server, percent))


@problems.problem(
    title="The load is rising",
    severity=INFO,
    summary="The 15-minute load average is {load} on {cpus} processors ({percent:g} %).",
    source="monitoring",
    needs=("machine",),
    reason="below the alert limit no action is needed",
    fix=as_root("top -b -n 1 | head -20"),
)
def load_rising(server: Server) -> Iterator[Evidence]:
    percent = _load(server)
    limits = server.limits
    if percent is not None and limits.load_warning_percent <= percent < limits.load_alert_percent:
        yield Evidence(_load_facts(server, percent))


def _load(server: Server) -> float | None:
    machine = server.machine
    return _percent(machine.load[2], machine.cpus) if len(machine.load) > 2 else None


def _load_facts(server: Server, percent: float) -> Facts:
    return {"load": server.machine.load[2], "cpus": server.machine.cpus, "percent": percent}


def _used_up(what: str, used: int | None, limit: int | None, alert: float) -> Iterator[Evidence]:
    percent = _percent(used, limit)
    if percent is not None and percent >= alert:
        yield Evidence({"what": what, "used": used, "limit": limit, "percent": percent})


@problems.problem(
    title="The host is running out of file handles",
    severity=WARNING,
    summary="{used} of the machine's {limit} file handles are in use ({percent:g} %).",
    source="monitoring",
    needs=("machine",),
    reason="find the process that holds them first",
    fix=as_root("cat /proc/sys/fs/file-nr", "lsof -u {user} | wc -l"),
)
def file_handles(server: Server) -> Iterator[Evidence]:
    machine = server.machine
    return _used_up(
        "file handles", machine.files_used, machine.files_limit,
        server.limits.files_warning_percent,
    )


@problems.problem(
    title="The host is near its limit of processes",
    severity=WARNING,
    summary="{used} of the {limit} processes that the machine allows are running ({percent:g} %).",
    source="monitoring",
    needs=("machine",),
    reason="find the program that starts them first",
    fix=as_root("ps -eo user= | sort | uniq -c | sort -n | tail"),
)
def processes(server: Server) -> Iterator[Evidence]:
    machine = server.machine
    return _used_up(
        "processes", machine.processes, machine.processes_limit,
        server.limits.processes_warning_percent,
    )


@problems.problem(
    title="A crash left a core file",
    severity=WARNING,
    summary="{count:# core file}; the newest, {path}, is from {at:time}.",
    source="stack_trace",
    needs=("storage",),
    reason="keep it and take a backtrace for vendor support; the watchdog restarts the module by"
    " itself",
    fix=as_account("gdb {home}/bin/nlserver {path} -batch -ex 'thread apply all bt'"),
)
def core_file(server: Server) -> Iterator[Evidence]:
    files = server.storage.core_files
    if len(files) >= max(1, server.limits.core_files):
        newest = max(files, key=lambda file: (file.mtime_at or 0.0, file.path))
        yield Evidence({
            "count": len(files), "path": newest.path, "at": newest.mtime_at,
            "size_bytes": newest.size_bytes,
        })


@problems.problem(
    title="The build is deprecated",
    severity=INFO,
    summary="The vendor has deprecated build {build}; {current} is current.",
    source="release_notes",
    needs=("pdump",),
    reason="your site plans upgrades; a restart does not change the build",
    fix=advice("plan the upgrade to {current}; read its release notes first"),
)
def build_deprecated(server: Server) -> Iterator[Evidence]:
    if server.build_number in DEPRECATED:
        current = f"{CURRENT} ({CURRENT_VERSION})"
        yield Evidence({"build": server.build_number, "current": current})


@problems.problem(
    title="Campaign has defunct child processes",
    severity=WARNING,
    summary="{count:# child process|child processes} of Campaign {count:? is|are} defunct;"
    " parents: {parents}.",
    source="monitoring",
    needs=("machine", "processes"),
    reason="a zombie disappears with its parent; an operator decides which process to restart",
    fix=as_root("ps -o pid,ppid,stat,args --ppid {ppid}"),
    causes=("wfserver.children_dying",),
)
def zombies(server: Server) -> Iterator[Evidence]:
    seen = server.processes
    campaign = {p.pid: p for p in (*seen.modules, *seen.children, *seen.others)}
    held = [zombie for zombie in server.machine.zombies if zombie.ppid in campaign]
    if len(held) >= max(1, server.limits.zombies):
        parents = sorted({zombie.ppid for zombie in held if zombie.ppid is not None})
        names = ", ".join(f"{campaign[pid].name} ({pid})" for pid in parents)
        yield Evidence({"count": len(held), "parents": names, "ppid": parents[0]})


@problems.problem(
    title="The clock is wrong",
    severity=WARNING,
    summary="The server's clock differs from the controller's by {skew_seconds:g} s.",
    source="linux",
    needs=(),
    reason="the machine's time service is not part of Campaign",
    fix=as_root("timedatectl", "chronyc tracking"),
)
def clock_skew(server: Server) -> Iterator[Evidence]:
    controller = server.header.controller
    if controller is None:
        return
    early, late = controller.before_at - server.now, server.now - controller.after_at
    skew = max(early, late)
    if skew > server.limits.clock_skew_seconds:
        yield Evidence({
            "skew_seconds": round(-early if early > late else late, 1),
            "synchronised": server.machine.time_synchronised,
        })


@problems.problem(
    title="A configuration file cannot be read",
    severity=CRITICAL,
    summary="{path}, line {line}: {message}. Settings after this point are unknown: {unknown}",
    source="configuration",
    needs=(),
    reason="only the person who edited the file knows what it should contain; a module that starts"
    " now may fail, or run with other values",
    fix=as_account("xmllint --noout {path}"),
)
def configuration_unreadable(server: Server) -> Iterator[Evidence]:
    for file in server.configuration.files:
        if file.error:
            yield Evidence(
                {
                    "path": file.path or file.name, "line": file.error.line,
                    "message": file.error.message[:200], "unknown": _unknown(server, file),
                },
                file.instance, file.name,
            )


def _unknown(server: Server, file: ConfigurationFile) -> str:
    """The modules of which a broken file hides something."""
    labels = [
        module.label for module in server.modules
        if module.configuration and module.configuration.unknown and module.name not in UTILITIES
        and (file.name == SERVER_FILE or module.instance in (file.instance, DEFAULT))
    ]
    return named(labels, 8) if labels else "none that the diagnosis uses"


@problems.problem(
    title="An instance that never ran here is configured",
    severity=WARNING,
    summary="{name} never ran here: is {path} a copy? nlserver treats the file as an instance; its"
    " next start may run {modules} on {databases}.",
    source="configuration",
    needs=("configuration",),
    reason="nothing of it is started: it has no var directory and no process, and the inventory"
    " does not name it",
    fix=advice(
        "move {path} out of {home}/conf; if it is an instance, name it in campaign_instances"
    ),
)
def instance_copy(server: Server) -> Iterator[Evidence]:
    living = {module.instance for module in server.modules}  # by a process or pdump
    for copy in server.configuration.copies:
        if copy.name in living:
            continue
        modules = [each.module for each in copy.modules if each.auto_start]
        facts: Facts = {
            "path": copy.path, "name": copy.name,
            "modules": named(modules) if modules else "nothing",
            "databases": named(copy.databases_named) or "no database",
        }
        yield Evidence(facts, subject=copy.name)


def _behind(server: Server, reached: bool) -> Iterator[tuple[ConfigurationFile, str]]:
    """Files that changed, with the modules that have not read them since.

    `reached`: those that `config -reload` reaches, else those that read only at their start.
    """
    behind: dict[str, list[str]] = {}
    for module in server.modules:
        if (RELOADS.get(module.name) == "config") is reached:
            for file in newer_files(server, module):
                behind.setdefault(file.name, []).append(module.label)
    for file in server.configuration.files:
        if file.name in behind:
            yield file, " ".join(behind[file.name])


@problems.problem(
    title="The changed configuration is not loaded",
    severity=WARNING,
    summary="{path} changed at {changed_at:time}; still using the old version: {modules}.",
    source="administration",
    needs=("processes", "configuration"),
    remedy="reload",
    fix=as_account("nlserver config -reload"),
    causes=(*SUPERVISION, "host.configuration_unreadable"),
)
def configuration_changed(server: Server) -> Iterator[Evidence]:
    for file, modules in _behind(server, True):
        yield Evidence(
            {"path": file.path or file.name, "changed_at": file.mtime_at, "modules": modules},
            file.instance, file.name,
        )


@problems.problem(
    title="Some modules still use the configuration they started with",
    severity=INFO,
    summary="{path} changed at {changed_at:time} and was loaded; started before that: {modules}.",
    source="operating_principle",
    needs=("processes", "configuration"),
    reason="their daily restart loads it; if the change is urgent, restart them earlier",
    fix=as_account("nlserver restart MODULE@INSTANCE").then(advice(
        "for each module that needs the change now"
    )),
)
def configuration_read_at_start(server: Server) -> Iterator[Evidence]:
    waiting = {file.name for file, _modules in _behind(server, True)}
    for file, modules in _behind(server, False):
        if file.name == SERVER_FILE and file.name not in waiting:
            yield Evidence(
                {"path": file.path or file.name, "changed_at": file.mtime_at, "modules": modules},
                file.instance, file.name,
            )


@problems.problem(
    title="A repair was interrupted",
    severity=WARNING,
    summary="{remedy} of {what}, started by {who} at {at:time}, never finished; {what} is {state}"
    " now.",
    source="administration",
    needs=("ledger", "tasks"),
    remedy="finish_repair",
    fix=advice("start what it stopped and check {what}; the ledger has the details of run {run}"),
)
def repair_interrupted(server: Server) -> Iterator[Evidence]:
    for repair in server.ledger.interrupted:
        module = server.module(repair.module, repair.instance)
        state = "running" if any(each.alive for each in server.modules) else "stopped"
        if module and module.name in UTILITIES and module.alive:
            continue  # a job that was launched: its end will be written down
        yield Evidence(
            {
                "remedy": repair.remedy, "at": repair.at, "who": repair.who or None,
                "run": repair.run, "what": module.label if module else repair.module or "the server",
                "state": module.state if module else state, "pid": module.pid if module else None,
            },
            repair.instance, f"{repair.module or 'host'}:{repair.remedy}",
        )


@problems.problem(
    title="The database is unreachable",
    severity=CRITICAL,
    summary="The database of {instance} does not answer: {shown}",
    source="connect",
    needs=(),
    reason="the database is not part of Campaign: contact the database administrator",
    fix=as_account("nlserver pdump -who"),
)
def database_unreachable(server: Server) -> Iterator[Evidence]:
    silent = {found.instance: found.facts for found in unreachable(server, "database")}
    told: dict[str, list[LogGroup]] = {}
    for module in server.modules:
        if module.name in SHARED:
            continue  # web alone without its database is web's trouble: web.session_error
        for group in reported_by("host.database_unreachable", server.history.errors(module)):
            if not server.older(group.last_at, server.limits.database_error_minutes):
                told.setdefault(module.instance, []).append(group)
    for instance in sorted({*silent, *told}):
        facts: Facts = {"server": None, "error": None, "shown": None}
        evidence = Evidence(facts)
        if instance in told:
            facts.update(lines(told[instance]))
            facts["shown"] = facts["sample"]
            evidence = replace(logged(facts, told[instance]), began_at=min(
                (group.first_at for group in told[instance] if group.first_at), default=None
            ))
        if instance in silent:
            peer = silent[instance]
            facts.update(server=peer["database"], error=peer["error"])
            facts["shown"] = f"{peer['database']} ({peer['error']})"
        yield replace(evidence, instance=instance)


@problems.problem(
    title="A disabled operator owns workflows",
    severity=WARNING,
    summary="Operator {operator} of {instance} is disabled but owns {count:# workflow}:"
    " {workflows}",
    source="workflow",
    needs=("api",),
    reason="your site decides whether to enable the account or to give its workflows to another"
    " operator",
    fix=advice("enable {operator} in the console, or have another operator start these workflows"),
)
def operator_disabled(server: Server) -> Iterator[Evidence]:
    return operators_disabled(server)


LAST_ID = 2_147_483_647  # xtkNewId wraps here


def _ids(server: Server, low: float, high: float) -> Iterator[Evidence]:
    for answers in server.api_answers:
        ids = [workflow.id for workflow in answers.workflows or ()]
        last = max((*ids, *(row.id or 0 for row in answers.last_id or ())), default=0)
        percent = round(100 * last / LAST_ID, 1)
        if low <= percent < high:
            yield Evidence(
                {"last_id": last, "left": LAST_ID - last, "percent": percent}, answers.instance
            )


RENEW_IDS = advice("ask vendor support how to extend xtkNewId before it wraps around")
ID_REASON = "xtkNewId is a sequence of the database; extend it with the help of vendor support"


@problems.problem(
    title="Record IDs (xtkNewId) are nearly exhausted",
    severity=CRITICAL,
    summary="xtkNewId of {instance} has used {percent:g} % of its range; {left} IDs are left.",
    source="performance",
    needs=("api",),
    reason=ID_REASON,
    fix=RENEW_IDS,
)
def ids_nearly_used_up(server: Server) -> Iterator[Evidence]:
    return _ids(server, server.limits.last_id_alert_percent, 1000)


@problems.problem(
    title="Record IDs (xtkNewId) are running out",
    severity=WARNING,
    summary="xtkNewId of {instance} has used {percent:g} % of its range; {left} IDs are left.",
    source="performance",
    needs=("api",),
    reason=ID_REASON,
    fix=RENEW_IDS,
)
def ids_run_short(server: Server) -> Iterator[Evidence]:
    limits = server.limits
    return _ids(server, limits.last_id_percent, limits.last_id_alert_percent)


@problems.problem(
    title="The host does not answer",
    severity=CRITICAL,
    summary="{name} is unreachable, and other hosts depend on it: {error}",
    source="connect",
    needs=(),
    reason="nothing can be done on a host that does not answer",
    fix=advice("use the console of {name}; check power, network and sshd"),
)
def does_not_answer(_server: Server) -> Iterator[Evidence]:
    """No snapshot of such a host exists: the finding is made where hosts are looked at together."""
    return iter(())
