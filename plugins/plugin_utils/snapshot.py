# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A typed, read-only view over the snapshot that campaign_info took.

Whatever is missing, null or of another type becomes the field's default; an item without a
field that it cannot do without is left out. So a rule never meets a surprise: what it may
find absent has `None` in its type.
"""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from functools import cache, cached_property
from itertools import pairwise
from typing import Any, TypeVar

from ansible_collections.campaign.remediation.plugins.module_utils.model import (
    DEFAULT,
    DELIVERY_STATES,
    JOB_STATES,
    MODULES,
    RELOADS,
    TECHNICAL_FOLDER,
    TECHNICAL_WORKFLOWS,
    UTILITIES,
    WORKFLOW_STATES,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils.thresholds import Thresholds

SCHEMA = 1
STANDARD_HOME = "/usr/local/neolane/nl6"
SERVER_FILE = "serverConf.xml"
START_LINE_SECONDS = 5  # in which a module that starts writes its first line
RESTART_SECONDS = 120  # in which a module that we start again writes its first line
AFTERMATH_SECONDS = 30  # in which what met a stopped server has logged so

PERMANENT = tuple(module for module in MODULES if module not in UTILITIES)

# Logs that a module's children or helpers write, beside its own.
CHILD_LOGS = {"mta": ("mtachild",), "wfserver": ("runwf",), "web": ("webmdl",)}

LOOPBACK = frozenset({"", "localhost", "localhost.localdomain", "127.0.0.1", "::1"})


class InvalidSnapshot(ValueError):
    """What was given is no snapshot of this collection."""


# --- tolerant reading -------------------------------------------------------------------------

_Absent = object()
_T = TypeVar("_T")


def _text(value: Any) -> Any:
    return value if isinstance(value, str) else _Absent


def _flag(value: Any) -> Any:
    return value if isinstance(value, bool) else _Absent


def _number(value: Any) -> Any:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    return _Absent


def _integer(value: Any) -> Any:
    number = _number(value)
    return _Absent if number is _Absent else int(number)


def _mapping(value: Any) -> Any:
    return value if isinstance(value, Mapping) else _Absent


_SCALARS: dict[Any, Callable[[Any], Any]] = {
    str: _text, bool: _flag, float: _number, int: _integer,
}


def _reader(hint: Any) -> Callable[[Any], Any]:
    """The function that reads a value of an annotated type."""
    options = typing.get_args(hint)
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return _reader(next(option for option in options if option is not type(None)))
    if typing.get_origin(hint) is tuple:
        item = _reader(options[0])

        def read_list(value: Any) -> Any:
            if not isinstance(value, (list, tuple)):
                return _Absent
            return tuple(x for x in map(item, value) if x is not _Absent)

        return read_list
    if hint in _SCALARS:
        return _SCALARS[hint]
    if isinstance(hint, type) and hasattr(hint, "__dataclass_fields__"):
        _plan(hint)
        return lambda value: _read(hint, value)
    return _mapping


@cache
def _plan(kind: type) -> tuple[tuple[str, Callable[[Any], Any], bool], ...]:
    hints = typing.get_type_hints(kind)
    return tuple(
        (
            entry.name,
            _reader(hints[entry.name]),
            entry.default is MISSING and entry.default_factory is MISSING,
        )
        for entry in fields(kind)
    )


def _read(kind: type, value: Any) -> Any:
    if not isinstance(value, Mapping):
        return _Absent
    read: dict[str, Any] = {}
    for name, reader, required in _plan(kind):
        item = value.get(name)
        item = _Absent if item is None else reader(item)
        if item is not _Absent:
            read[name] = item
        elif required:
            return _Absent
    return kind(**read)


# --- what the probes bring --------------------------------------------------------------------


@dataclass(frozen=True)
class ProbeError:
    kind: str
    message: str = ""


@dataclass(frozen=True)
class Environment:
    var_dir: str = ""
    tmp_dir: str = ""
    jdk_home: str | None = None


@dataclass(frozen=True)
class FileError:
    message: str
    line: int | None = None


@dataclass(frozen=True)
class ConfigurationFile:
    name: str
    path: str = ""
    mtime_at: float | None = None
    error: FileError | None = None

    @property
    def instance(self) -> str:
        """Whose it is: `prod` for config-prod.xml, the default for what is everybody's."""
        name = self.name.removeprefix("config-")
        return DEFAULT if name == self.name else name.removesuffix(".xml")

    def concerns(self, task: Task) -> bool:
        """A config file concerns the modules of its instance, serverConf.xml every module.

        What loads all of the configuration again serves all instances, so all files concern it.
        """
        return (
            RELOADS.get(task.module) == "config"
            or self.name in (SERVER_FILE, f"config-{task.instance}.xml")
        )


@dataclass(frozen=True)
class ModuleConfiguration:
    module: str
    instance: str
    auto_start: bool | None = None
    restart_time: str | None = None
    memory_warning_mb: float | None = None
    memory_alert_mb: float | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def number(self, name: str) -> int | None:
        """A setting that is a number."""
        number = _integer(self.settings.get(name))
        return None if number is _Absent else typing.cast(int, number)

    def text(self, name: str) -> str | None:
        """A setting that is a text."""
        value = self.settings.get(name)
        return value if isinstance(value, str) else None


@dataclass(frozen=True)
class Configuration:
    files: tuple[ConfigurationFile, ...] = ()
    instances: tuple[str, ...] = ()
    modules: tuple[ModuleConfiguration, ...] = ()
    syslogd_port: int | None = None
    syslogd_port_from: str = ""


@dataclass(frozen=True)
class ListedTask:
    module: str
    pid: int
    instance: str = DEFAULT
    memory_mb: float | None = None


@dataclass(frozen=True)
class Pdump:
    build: str | None = None
    tasks: tuple[ListedTask, ...] = ()


@dataclass(frozen=True)
class MissingModule:
    module: str
    instance: str = DEFAULT


@dataclass(frozen=True)
class Missing:
    modules: tuple[MissingModule, ...] = ()


@dataclass(frozen=True)
class Process:
    pid: int
    name: str
    ppid: int | None = None
    instance: str = DEFAULT
    state: str = ""
    started_at: float | None = None
    memory_mb: float | None = None
    files_open: int | None = None
    files_limit: int | None = None
    user: str = ""
    precision: str = "standard"
    arguments: tuple[str, ...] = ()

    @property
    def stopped(self) -> bool:
        """Halted by a signal or a tracer: it is there and does nothing."""
        return self.state[:1] in ("T", "t")

    @property
    def dead(self) -> bool:
        return self.state[:1] in ("Z", "X")


@dataclass(frozen=True)
class Processes:
    modules: tuple[Process, ...] = ()
    children: tuple[Process, ...] = ()
    others: tuple[Process, ...] = ()


@dataclass(frozen=True)
class Socket:
    proto: str
    port: int
    address: str = ""
    pid: int | None = None
    command: str | None = None
    user: str | None = None
    unit: str | None = None
    ours: bool = False


@dataclass(frozen=True)
class Sockets:
    listening: tuple[Socket, ...] = ()


@dataclass(frozen=True)
class Segment:
    id: int
    key: str = ""
    size_bytes: int | None = None
    attached: int | None = None
    creator_pid: int | None = None
    creator_alive: bool | None = None


@dataclass(frozen=True)
class SharedMemory:
    segments: tuple[Segment, ...] = ()


@dataclass(frozen=True)
class Writer:
    pid: int
    first_at: float
    last_at: float
    stopped: bool = False  # it was asked to stop


@dataclass(frozen=True)
class LogGroup:
    signature: str
    level: str
    count: int = 1
    first_at: float | None = None
    last_at: float | None = None
    sample: str = ""
    codes: tuple[str, ...] = ()
    category: str = ""


@dataclass(frozen=True)
class Log:
    module: str
    instance: str
    path: str = ""
    exists: bool = True
    size_bytes: int | None = None
    mtime_at: float | None = None
    writable: bool | None = None
    last_at: float | None = None
    last_reload_at: float | None = None
    pids: tuple[Writer, ...] = ()
    groups: tuple[LogGroup, ...] = ()

    @property
    def written_at(self) -> float | None:
        """When it last grew."""
        times = [at for at in (self.mtime_at, self.last_at) if at is not None]
        return max(times, default=None)


@dataclass(frozen=True)
class Directory:
    path: str
    exists: bool = True
    writable: bool | None = None
    owner: str = ""
    mode: str = ""


@dataclass(frozen=True)
class Logs:
    logs: tuple[Log, ...] = ()
    directories: tuple[Directory, ...] = ()


@dataclass(frozen=True)
class Mount:
    path: str
    role: str = ""
    device: int | None = None
    used_percent: float | None = None
    free_mb: float | None = None
    inodes_used_percent: float | None = None
    read_only: bool = False


@dataclass(frozen=True)
class DatedFile:
    path: str
    mtime_at: float | None = None
    size_bytes: int | None = None
    lines: int | None = None


@dataclass(frozen=True)
class PidFile:
    path: str
    pid: int | None = None
    alive: bool | None = None
    matches: bool | None = None


@dataclass(frozen=True)
class Spool:
    instance: str
    path: str = ""
    files: int | None = None
    oldest_at: float | None = None
    newest_at: float | None = None


@dataclass(frozen=True)
class Redirection:
    instance: str
    log_files: int | None = None
    log_bytes: int | None = None
    newest_at: float | None = None


@dataclass(frozen=True)
class Storage:
    mounts: tuple[Mount, ...] = ()
    core_files: tuple[DatedFile, ...] = ()
    pid_file: PidFile | None = None
    spool: tuple[Spool, ...] = ()
    redirection: tuple[Redirection, ...] = ()
    quota_files: tuple[DatedFile, ...] = ()


@dataclass(frozen=True)
class Zombie:
    pid: int
    ppid: int | None = None
    command: str = ""


@dataclass(frozen=True)
class Machine:
    hostname: str = ""
    cpus: int | None = None
    load: tuple[float, ...] = ()
    memory_total_mb: float | None = None
    memory_available_mb: float | None = None
    swap_total_mb: float | None = None
    swap_free_mb: float | None = None
    files_used: int | None = None
    files_limit: int | None = None
    processes: int | None = None
    processes_limit: int | None = None
    zombies: tuple[Zombie, ...] = ()
    time_synchronised: bool | None = None


@dataclass(frozen=True)
class FrontUnit:
    unit: str
    active_state: str = ""


@dataclass(frozen=True)
class Service:
    manager: str = ""
    unit: str = "nlserver"
    load_state: str = ""
    active_state: str = ""
    sub_state: str = ""
    enabled: bool | None = None
    init_script: str | None = None
    front: FrontUnit | None = None


@dataclass(frozen=True)
class Hints:
    blank: bool = False
    java_trace: bool = False
    soap_fault: str | None = None
    redir: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Check:
    name: str
    url: str = ""
    status: int | None = None
    seconds: float | None = None
    error: str | None = None
    body: str = ""
    verdict_hints: Hints = field(default_factory=Hints)

    @property
    def fine(self) -> bool:
        return self.error is None and self.status is not None and self.status < 400


@dataclass(frozen=True)
class Http:
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True)
class Target:
    name: str
    host: str
    instance: str = DEFAULT
    port: int | None = None
    proto: str = ""
    resolved: tuple[str, ...] = ()
    reachable: bool | None = None
    error: str | None = None
    seconds: float | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return self.host if self.port is None else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Network:
    targets: tuple[Target, ...] = ()


@dataclass(frozen=True)
class RunningJob:
    pid: int
    started_at: float | None = None


@dataclass(frozen=True)
class JobError:
    sample: str = ""
    codes: tuple[str, ...] = ()
    at: float | None = None


@dataclass(frozen=True)
class Job:
    name: str
    kind: str
    instance: str = DEFAULT
    operator: str = ""
    running: RunningJob | None = None
    result: DatedFile | None = None
    rejects: DatedFile | None = None
    last_start_at: float | None = None
    last_end_at: float | None = None
    last_error: JobError | None = None
    max_age_hours: float | None = None
    max_minutes: float | None = None


@dataclass(frozen=True)
class Jobs:
    jobs: tuple[Job, ...] = ()


@dataclass(frozen=True)
class Repair:
    """A repair that was begun and not ended."""

    at: float
    remedy: str
    run: str = ""
    module: str = ""
    instance: str = DEFAULT
    who: str = ""


@dataclass(frozen=True)
class Precision:
    """A log precision that was raised on purpose; without an end if `until` is None."""

    module: str
    value: str
    at: float
    instance: str = DEFAULT
    until: float | None = None
    who: str = ""


@dataclass(frozen=True)
class Reload:
    module: str
    at: float
    instance: str = DEFAULT


@dataclass(frozen=True)
class Renewal:
    """A start of ours that went well: of the module, or of all modules."""

    module: str
    at: float
    instance: str = DEFAULT
    whole_server: bool = False
    ended_at: float | None = None

    def renews(self, task: Task) -> bool:
        whole = self.whole_server or self.module == "watchdog"
        return whole or (self.module, self.instance) == (task.module, task.instance)


@dataclass(frozen=True)
class Restarts:
    module: str
    instance: str = DEFAULT
    times: tuple[float, ...] = ()


@dataclass(frozen=True)
class Ledger:
    """What this collection itself has done to the server."""

    interrupted: tuple[Repair, ...] = ()
    precisions: tuple[Precision, ...] = ()
    reloads: tuple[Reload, ...] = ()
    restarts: tuple[Restarts, ...] = ()
    renewals: tuple[Renewal, ...] = ()


@dataclass(frozen=True)
class Workflow:
    """A workflow as the database has it."""

    id: int
    name: str
    label: str = ""
    state: int | None = None
    failed: bool = False
    process_id: int | None = None
    last_start_at: float | None = None
    folder: str = ""

    @property
    def technical(self) -> bool:
        """Whether the vendor wrote it, not the site."""
        return self.folder == TECHNICAL_FOLDER or self.name in TECHNICAL_WORKFLOWS

    def is_in(self, state: str) -> bool:
        """Whether it is started, paused, … by its record."""
        return self.state == WORKFLOW_STATES[state]

    @property
    def idle(self) -> bool:
        """Whether it is edited or at its end: nothing is expected of it."""
        return self.state in (None, 0, WORKFLOW_STATES["stopped"])

    @property
    def shown(self) -> str:
        """Its label and its internal name, as a person finds it in the console."""
        return f"{self.label} ({self.name})" if self.label else self.name


@dataclass(frozen=True)
class JournalEnd:
    workflow: str
    last_at: float | None = None


@dataclass(frozen=True)
class Owner:
    name: str
    operator: str = ""


@dataclass(frozen=True)
class Delivery:
    id: int
    name: str = ""
    label: str = ""
    state: int | None = None
    contact_at: float | None = None
    to_send: int | None = None

    def is_in(self, state: str) -> bool:
        """Whether it waits, or failed in its preparation."""
        return self.state == DELIVERY_STATES[state]


@dataclass(frozen=True)
class RecordedJob:
    """An export or import as the database has it."""

    id: int
    name: str = ""
    kind: str = ""
    operator: str = ""
    status: int | None = None
    started_at: float | None = None
    ended_at: float | None = None
    process_id: int | None = None
    processed: int | None = None
    rejected: int | None = None

    def is_in(self, status: str) -> bool:
        """Whether it runs, is in error, …"""
        return self.status == JOB_STATES[status]


@dataclass(frozen=True)
class Account:
    name: str
    label: str = ""
    server: str = ""
    active: bool = False


@dataclass(frozen=True)
class Moment:
    at: float | None = None


@dataclass(frozen=True)
class LastId:
    id: int | None = None


@dataclass(frozen=True)
class ApiError:
    kind: str
    message: str = ""
    code: str | None = None
    question: str = ""


@dataclass(frozen=True)
class Database:
    """What the API of the server tells of an instance; None is what was not answered."""

    instance: str
    url: str = ""
    login: str = ""
    error: ApiError | None = None
    concurrency: int | None = None
    unanswered: tuple[ApiError, ...] = ()
    workflows: tuple[Workflow, ...] | None = None
    journal: tuple[JournalEnd, ...] | None = None
    disabled_owners: tuple[Owner, ...] | None = None
    deliveries: tuple[Delivery, ...] | None = None
    jobs: tuple[RecordedJob, ...] | None = None
    accounts: tuple[Account, ...] | None = None
    last_bounce: tuple[Moment, ...] | None = None
    last_consolidation_at: float | None = None
    last_id: tuple[LastId, ...] | None = None

    def workflow(self, name: str) -> Workflow | None:
        """A workflow by its internal name."""
        return next((each for each in self.workflows or () if each.name == name), None)


@dataclass(frozen=True)
class Api:
    instances: tuple[Database, ...] = ()


@dataclass(frozen=True)
class Controller:
    before_at: float
    after_at: float


@dataclass(frozen=True)
class Asked:
    modules: tuple[str, ...] = ()
    instances: tuple[str, ...] = ()
    expected_ports: Mapping[str, Any] = field(default_factory=dict)
    restartable_workflows: tuple[str, ...] = ()


@dataclass(frozen=True)
class DeclaredJob:
    name: str
    kind: str = ""
    instance: str = DEFAULT
    rejects: str = ""
    max_age_hours: float | None = None
    max_minutes: float | None = None


@dataclass(frozen=True)
class Snapshot:
    """The head of a snapshot; its probes are read by the server's view below."""

    taken_at: float
    home: str = STANDARD_HOME
    user: str = "neolane"
    address: str = "127.0.0.1"
    seconds: float | None = None
    installed: bool = True
    utc_offset_seconds: float = 0.0
    asked: Asked = field(default_factory=Asked)
    controller: Controller | None = None
    jobs_declared: tuple[DeclaredJob, ...] = ()


_PROBES: dict[str, type] = {
    "environment": Environment, "configuration": Configuration, "pdump": Pdump,
    "missing": Missing, "processes": Processes, "sockets": Sockets,
    "shared_memory": SharedMemory, "logs": Logs, "storage": Storage, "machine": Machine,
    "service": Service, "http": Http, "network": Network, "jobs": Jobs,
    "ledger": Ledger, "api": Api,
}


# --- the view that rules use ------------------------------------------------------------------


@dataclass(frozen=True)
class Task:
    """One Campaign module on one instance, the way pdump calls it."""

    module: str
    instance: str
    configuration: ModuleConfiguration | None
    processes: tuple[Process, ...]
    listed: ListedTask | None
    expected: bool | None
    state: str  # running, stopped, hung, idle, unknown

    @property
    def label(self) -> str:
        """`wfserver@prod`, `web`."""
        return self.module if self.instance == DEFAULT else f"{self.module}@{self.instance}"

    @property
    def process(self) -> Process | None:
        return self.processes[0] if self.processes else None

    @property
    def alive(self) -> bool:
        return self.state in ("running", "hung")

    @property
    def pid(self) -> int | None:
        if self.process:
            return self.process.pid
        return self.listed.pid if self.listed else None

    @property
    def started_at(self) -> float | None:
        return self.process.started_at if self.process else None

    @property
    def memory_mb(self) -> float | None:
        memory = self.process.memory_mb if self.process else None
        return self.listed.memory_mb if memory is None and self.listed else memory

    def setting(self, name: str) -> str | None:
        return self.configuration.text(name) if self.configuration else None

    def number(self, name: str) -> int | None:
        return self.configuration.number(name) if self.configuration else None


# Here, before Ansible forks, and not when the first snapshot is read: in every worker that is.
for _kind in (Snapshot, ProbeError, *_PROBES.values()):
    _plan(_kind)


class Server:
    """A Campaign server as its snapshot shows it, and the thresholds it is judged by."""

    def __init__(self, snapshot: Any, limits: Thresholds | None = None) -> None:
        head = _valid(snapshot)
        self.head = head
        self.limits = limits or Thresholds()
        self.now, self.home, self.user = head.taken_at, head.home, head.user
        probes = snapshot.get("probes")
        self._data: dict[str, Any] = {}
        self.failures: dict[str, ProbeError] = {}
        self.left_out: dict[str, ProbeError] = {}  # probes that had no reason or no means to look
        for name, kind in _PROBES.items():
            probe = probes.get(name) if isinstance(probes, Mapping) else None
            if not isinstance(probe, Mapping):
                continue
            data, error = _read(kind, probe.get("data")), _read(ProbeError, probe.get("error"))
            if data is not _Absent:
                self._data[name] = data
            if error is not _Absent:
                (self.left_out if error.kind == "skipped" else self.failures)[name] = error
            elif data is _Absent:
                self.failures[name] = ProbeError("invalid", "the probe brought no data")

    def _probe(self, name: str, kind: type[_T]) -> _T:
        return typing.cast(_T, self._data[name]) if name in self._data else kind()

    def seen(self, name: str) -> bool:
        """Whether a probe saw what it was to see: what it does not show is not there.

        `tasks` is the sight of the running modules, from either of two probes.
        """
        if name == "tasks":
            return self.seen("processes") or self.seen("pdump")
        failure = self.failures.get(name)
        return name in self._data and (failure is None or failure.kind != "timeout")

    def failed(self, name: str) -> bool:
        """Whether a probe was to look and could not."""
        if name == "tasks":
            return not self.seen("tasks")
        return name in self.failures and not self.seen(name)

    @cached_property
    def environment(self) -> Environment:
        return self._probe("environment", Environment)

    @cached_property
    def configuration(self) -> Configuration:
        return self._probe("configuration", Configuration)

    @cached_property
    def pdump(self) -> Pdump:
        return self._probe("pdump", Pdump)

    @cached_property
    def processes(self) -> Processes:
        return self._probe("processes", Processes)

    @cached_property
    def sockets(self) -> tuple[Socket, ...]:
        return self._probe("sockets", Sockets).listening

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        return self._probe("shared_memory", SharedMemory).segments

    @cached_property
    def logs(self) -> Logs:
        return self._probe("logs", Logs)

    @cached_property
    def storage(self) -> Storage:
        return self._probe("storage", Storage)

    @cached_property
    def machine(self) -> Machine:
        return self._probe("machine", Machine)

    @cached_property
    def service(self) -> Service:
        return self._probe("service", Service)

    @cached_property
    def jobs(self) -> tuple[Job, ...]:
        """The declared jobs: what is known of them, with the limits that the inventory sets."""
        limits = {(d.kind, d.instance, d.name): d for d in self.head.jobs_declared}
        jobs = self._probe("jobs", Jobs).jobs
        return tuple(
            replace(job, max_age_hours=limit.max_age_hours, max_minutes=limit.max_minutes)
            if (limit := limits.get((job.kind, job.instance, job.name)))
            else job
            for job in jobs
        )

    @cached_property
    def ledger(self) -> Ledger:
        return self._probe("ledger", Ledger)

    @cached_property
    def databases(self) -> tuple[Database, ...]:
        """What the API tells, of each instance that was asked."""
        return self._probe("api", Api).instances

    def database(self, instance: str) -> Database | None:
        """What the API tells of an instance; None if it was not asked."""
        return next((each for each in self.databases if each.instance == instance), None)

    def restartable(self, workflow: Workflow) -> bool:
        """Whether a workflow may be started again: the vendor's, and those that the site lists."""
        return workflow.technical or workflow.name in self.head.asked.restartable_workflows

    def age(self, at: float | None) -> float | None:
        """Seconds between a time and the snapshot."""
        return None if at is None else max(0.0, self.now - at)

    def older(self, at: float | None, minutes: float) -> bool:
        """Whether a time is known and further back than that."""
        return at is not None and self.now - at > 60 * minutes

    # modules

    @cached_property
    def tasks(self) -> tuple[Task, ...]:
        """Every module of every instance, in the order of their start."""
        places = {(entry.module, entry.instance) for entry in self.configuration.modules}
        places |= {(process.name, process.instance) for process in self._module_processes}
        places |= {(entry.module, entry.instance) for entry in self.pdump.tasks}
        places |= {(entry.module, entry.instance) for entry in self._missing}
        places.add(("watchdog", DEFAULT))
        known = [place for place in places if place[0] in MODULES]
        known.sort(key=lambda place: (MODULES.index(place[0]), place[1]))
        return tuple(self._task(module, instance) for module, instance in known)

    @cached_property
    def _missing(self) -> tuple[MissingModule, ...]:
        return self._probe("missing", Missing).modules

    @cached_property
    def _module_processes(self) -> tuple[Process, ...]:
        return tuple(process for process in self.processes.modules if not process.dead)

    def _task(self, module: str, instance: str) -> Task:
        place = (module, instance)
        configuration = next(
            (c for c in self.configuration.modules if (c.module, c.instance) == place), None
        )
        own = [p for p in self._module_processes if (p.name, p.instance) == place]
        own.sort(key=lambda process: (process.started_at or 0.0, process.pid))
        listed = next((t for t in self.pdump.tasks if (t.module, t.instance) == place), None)
        expected: bool | None
        if module == "watchdog":
            expected = True
        elif module in UTILITIES:
            expected = False
        else:
            expected = configuration.auto_start if configuration else None
            if expected is False and self._damaged(instance):
                expected = None  # what the rest of the configuration says is not the whole of it
            if expected is None and any((m.module, m.instance) == place for m in self._missing):
                expected = True
        if own:
            state = "hung" if all(process.stopped for process in own) else "running"
        elif self.seen("processes"):
            state = "idle" if module in UTILITIES else "stopped"
        elif self.seen("pdump"):
            absent = "idle" if module in UTILITIES else "stopped"
            state = "running" if listed else absent
        else:
            state = "unknown"
        return Task(module, instance, configuration, tuple(own), listed, expected, state)

    def _damaged(self, instance: str) -> bool:
        names = (SERVER_FILE, f"config-{instance}.xml")
        return any(f.error and f.name in names for f in self.configuration.files)

    def tasks_of(self, module: str) -> Iterator[Task]:
        return (task for task in self.tasks if task.module == module)

    def task(self, module: str, instance: str = DEFAULT) -> Task | None:
        return next((t for t in self.tasks_of(module) if t.instance == instance), None)

    def runs(self, module: str, instance: str = DEFAULT) -> bool:
        task = self.task(module, instance)
        return task is not None and task.state == "running"

    def children_of(self, task: Task, name: str) -> tuple[Process, ...]:
        pids = {process.pid for process in task.processes}
        return tuple(
            child for child in self.processes.children
            if child.name == name
            and (child.ppid in pids or child.instance == task.instance)
            and not child.dead
        )

    # logs

    def log(self, name: str, instance: str = DEFAULT) -> Log | None:
        return next(
            (log for log in self.logs.logs if (log.module, log.instance) == (name, instance)), None
        )

    def logs_of(self, task: Task) -> tuple[Log, ...]:
        """The module's log and those of its children, without what was logged under debug."""
        names = (task.module, *CHILD_LOGS.get(task.module, ()))
        found = (self.log(name, task.instance) for name in names)
        return tuple(log for log in found if log is not None)

    def restarts(self, task: Task) -> list[float]:
        """When the module began anew after it died.

        Neither the daily restart counts, nor a stop, nor what a remedy started, nor what was
        before a remedy that went well.
        """
        log = self.log(task.module, task.instance)
        if log is None or task.module in UTILITIES:
            return []
        renewed = max((r.at for r in self.ledger.renewals if r.renews(task)), default=0.0)
        since = renewed - self.limits.clock_grain_seconds
        writers = sorted(
            (writer for writer in log.pids if writer.first_at >= since),
            key=lambda writer: writer.first_at,
        )
        ours = self._started_by_us(task, writers)
        return [
            writer.first_at
            for before, writer in pairwise(writers)
            if not before.stopped and writer not in ours
            and not self.daily_restart(task, writer.first_at)
        ]

    def _started_by_us(self, task: Task, writers: list[Writer]) -> list[Writer]:
        """For each start by a remedy the process that came of it: the next one, and no other."""
        place = (task.module, task.instance)
        found: list[Writer] = []
        for begun in sorted(
            at for r in self.ledger.restarts if (r.module, r.instance) == place for at in r.times
        ):
            since = begun - self.limits.clock_grain_seconds
            found += [
                writer for writer in writers
                if since <= writer.first_at <= begun + RESTART_SECONDS and writer not in found
            ][:1]
        return found

    def reloaded_at(self, task: Task) -> float | None:
        """When the module last read its files again without a new start: by its log, or ours."""
        log = self.log(task.module, task.instance)
        command = RELOADS.get(task.module)  # it reaches all modules that know it
        times = [r.at for r in self.ledger.reloads if command and RELOADS.get(r.module) == command]
        if log and log.last_reload_at is not None:
            times.append(log.last_reload_at)
        return max(times, default=None)

    def raised_precision(self, task: Task) -> Precision | None:
        """What the ledger says of the log precision that the module runs with."""
        process = task.process
        return next(
            (
                p for p in self.ledger.precisions
                if (p.module, p.instance) == (task.module, task.instance)
                and process and p.value == process.precision
            ),
            None,
        )

    def daily_restart(self, task: Task, at: float) -> bool:
        """Whether a time lies around the module's processRestartTime."""
        daily = _seconds_of_day(task.configuration.restart_time if task.configuration else None)
        if daily is None:
            return False
        distance = abs((at + self.head.utc_offset_seconds) % 86400 - daily)
        return min(distance, 86400 - distance) <= 60 * self.limits.daily_restart_minutes

    def loops(self, task: Task) -> bool:
        """Whether the module dies again and again."""
        return len(self.restarts(task)) >= self.limits.crash_loop_restarts

    def brought_about(self, group: LogGroup) -> bool:
        """Whether a remedy of ours that stopped the whole server has brought these lines about."""
        grain = self.limits.clock_grain_seconds
        return any(
            r.whole_server and r.ended_at is not None
            and group.first_at is not None and group.last_at is not None
            and r.at - grain <= group.first_at and group.last_at <= r.ended_at + AFTERMATH_SECONDS
            for r in self.ledger.renewals
        )

    def errors(self, task: Task, only: str = "") -> Iterator[LogGroup]:
        """What the module logged since it last began; all of the window if it keeps dying.

        `only`: the name of one of its logs.
        """
        began = None if self.loops(task) else task.started_at
        for log in self.logs_of(task):
            since = began
            for writer in log.pids:
                # The kernel's clock of starts is rough; the first line of the process is not,
                # and what the process before it wrote in the meantime is history.
                if began is not None and writer.pid == task.pid and writer.first_at is not None \
                        and 0 < writer.first_at - began < START_LINE_SECONDS:
                    since = writer.first_at
            for group in log.groups if only in ("", log.module) else ():
                if since is None or group.last_at is None or group.last_at >= since:
                    yield group

    # network

    def listening(self, proto: str, port: int | None) -> Iterator[Socket]:
        return (s for s in self.sockets if s.proto.startswith(proto) and s.port == port)

    def port(self, name: str) -> int | None:
        """A port that the caller expects: syslogd, web, front, stat@prod."""
        number = _integer(self.head.asked.expected_ports.get(name))
        return None if number is _Absent else typing.cast(int, number)

    @cached_property
    def syslogd_port(self) -> int | None:
        return self.configuration.syslogd_port or self.port("syslogd")

    def check(self, name: str) -> Check | None:
        return next((check for check in self.checks if check.name == name), None)

    @cached_property
    def checks(self) -> tuple[Check, ...]:
        return self._probe("http", Http).checks

    @cached_property
    def _targets(self) -> tuple[Target, ...]:
        return self._probe("network", Network).targets

    def targets(self, name: str) -> Iterator[Target]:
        return (target for target in self._targets if target.name == name)

    @cached_property
    def names(self) -> frozenset[str]:
        """The names and addresses that mean this machine, seen from itself."""
        return LOOPBACK | {self.head.address, self.machine.hostname}

    def local(self, target: Target) -> bool:
        """Whether a target is this machine."""
        return not self.names.isdisjoint((target.host, *target.resolved))


def _seconds_of_day(text: str | None) -> int | None:
    parts = (text or "").split(":")
    if len(parts) < 2 or not all(part.isdigit() for part in parts):
        return None
    hours, minutes, seconds = [*map(int, parts), 0][:3]
    return 3600 * hours + 60 * minutes + seconds


def _valid(snapshot: Any) -> Snapshot:
    if not isinstance(snapshot, Mapping) or "schema" not in snapshot:
        raise InvalidSnapshot("this is no snapshot of campaign_info: it names no schema")
    if snapshot["schema"] != SCHEMA:
        raise InvalidSnapshot(
            f"the snapshot has schema {snapshot['schema']}, this collection reads {SCHEMA}"
        )
    head = _read(Snapshot, snapshot)
    if head is _Absent:
        raise InvalidSnapshot("the snapshot does not say when it was taken (taken_at)")
    return typing.cast(Snapshot, head)
