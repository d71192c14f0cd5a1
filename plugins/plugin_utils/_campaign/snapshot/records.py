# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the probes bring of a server and its machine: records, as docs/user/report.md's facts have them."""

from __future__ import annotations

import re
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import (
    DEFAULT,
    RELOADS,
)

from .reader import ABSENT, integer

State = Literal["running", "stopped", "hung", "idle", "unknown"]
Precision = Literal["standard", "verbose", "trace"]
ProbeKind = Literal["timeout", "denied", "missing", "invalid", "failed", "skipped"]

SERVER_FILE = "serverConf.xml"

TROUBLE = re.compile(
    r"error|cannot|unable|fail|not found|denied|no such|invalid|[A-Z]{3}-\d{6}", re.IGNORECASE
)


@dataclass(frozen=True)
class ProbeError:
    kind: ProbeKind
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
        """Whose it is: `prod` for config-prod.xml, the default for shared files."""
        name = self.name.removeprefix("config-")
        return DEFAULT if name == self.name else name.removesuffix(".xml")

    def concerns(self, module: ModuleInstance) -> bool:
        """A config file concerns the modules of its instance, serverConf.xml every module.

        What loads all of the configuration again serves all instances, so all files concern it.
        """
        return (
            RELOADS.get(module.name) == "config"
            or self.name in (SERVER_FILE, f"config-{module.instance}.xml")
        )


@dataclass(frozen=True)
class ModuleConfiguration:
    module: str
    instance: str
    auto_start: bool | None = None
    switched_off: bool = False  # by an underscore before autoStart: deliberately
    args: str | None = None
    restart_time: str | None = None
    restart_time_missing: bool = False
    unknown: tuple[str, ...] = ()  # what could not be read: its file is broken
    origins: Mapping[str, Any] = field(default_factory=dict)
    memory_warning_mb: float | None = None
    memory_alert_mb: float | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def number(self, name: str) -> int | None:
        """A setting that is a number."""
        number = integer(self.settings.get(name))
        return None if number is ABSENT else typing.cast(int, number)

    def text(self, name: str) -> str | None:
        """A setting that is a text."""
        value = self.settings.get(name)
        return value if isinstance(value, str) else None

    def flag(self, name: str) -> bool | None:
        """A setting that is on or off."""
        value = self.settings.get(name)
        return value if isinstance(value, bool) else None

    def texts(self, name: str) -> tuple[str, ...] | None:
        """A setting that is a list of texts."""
        value = self.settings.get(name)
        if not isinstance(value, (list, tuple)):
            return None
        return tuple(each for each in value if isinstance(each, str))

    def origin(self, name: str) -> str:
        """The file that says it."""
        return str(self.origins.get(name) or SERVER_FILE)


@dataclass(frozen=True)
class DataSource:
    server: str = ""
    provider: str = ""


@dataclass(frozen=True)
class Copy:
    """A configuration of an instance that never ran here."""

    name: str
    path: str = ""
    modules: tuple[ModuleConfiguration, ...] = ()
    databases: tuple[DataSource, ...] = ()

    @property
    def databases_named(self) -> tuple[str, ...]:
        """The database servers that it names."""
        return tuple(dict.fromkeys(each.server for each in self.databases if each.server))


@dataclass(frozen=True)
class Configuration:
    files: tuple[ConfigurationFile, ...] = ()
    instances: tuple[str, ...] = ()
    modules: tuple[ModuleConfiguration, ...] = ()
    copies: tuple[Copy, ...] = ()
    databases: tuple[DataSource, ...] = ()
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
    precision: Precision = "standard"
    arguments: tuple[str, ...] = ()

    @property
    def stopped(self) -> bool:
        """Suspended by a signal or a tracer: it exists but does nothing."""
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
    owner: str = ""


@dataclass(frozen=True)
class Semaphore:
    id: int
    key: str = ""
    owner: str = ""
    stale: bool = False  # the segment that it belongs to is unused


@dataclass(frozen=True)
class SharedMemory:
    segments: tuple[Segment, ...] = ()
    semaphores: tuple[Semaphore, ...] = ()


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
    event: str = ""  # the same for lines that one process wrote at once
    went_on: bool = False  # the process has written other lines since


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
    truncated: bool = False
    first_at: float | None = None  # of the first line that was read
    future_lines: int = 0
    future_at: float | None = None
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

    def log(self, name: str, instance: str = DEFAULT) -> Log | None:
        """The log of a module, or of its children, on an instance."""
        return next(
            (log for log in self.logs if (log.module, log.instance) == (name, instance)), None
        )


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
    more: bool = False  # it has more lines than were counted


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
class CorruptLine:
    """A line of a tracking log that is not whole."""

    path: str
    line: int
    mtime_at: float | None = None


@dataclass(frozen=True)
class UnreadableFile:
    """A file of addresses that not everybody may read."""

    path: str
    mode: str = ""


@dataclass(frozen=True)
class Redirection:
    instance: str
    log_files: int | None = None
    log_bytes: int | None = None
    newest_at: float | None = None
    corrupt_lines: int = 0
    corrupt: tuple[CorruptLine, ...] = ()
    unread_bytes: int = 0
    unreadable_files: int = 0
    unreadable: tuple[UnreadableFile, ...] = ()


@dataclass(frozen=True)
class Storage:
    mounts: tuple[Mount, ...] = ()
    core_files: tuple[DatedFile, ...] = ()
    pid_file: PidFile | None = None
    spool: tuple[Spool, ...] = ()
    redirection: tuple[Redirection, ...] = ()
    quota_files: tuple[DatedFile, ...] = ()
    front_files: tuple[str, ...] | None = None


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
class FrontProcess:
    """A process of the front-end web server that has Campaign's library loaded."""

    pid: int
    library: str = ""
    deleted: bool = False


@dataclass(frozen=True)
class Include:
    """A line of the web server's configuration that includes Campaign's file."""

    path: str
    line: int
    file: str


@dataclass(frozen=True)
class WebServer:
    processes: tuple[FrontProcess, ...] = ()
    includes: tuple[Include, ...] = ()


@dataclass(frozen=True)
class JournalLine:
    """What a program of the unit said."""

    text: str
    at: float | None = None
    source: str = ""


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
    journal: tuple[JournalLine, ...] = ()
    starts_by: Mapping[str, Any] | None = None  # unit, active, init_script: see host/services.py
    web_server: WebServer = field(default_factory=WebServer)

    def said(self) -> str | None:
        """The last line of its own programs with an error, or None."""
        return next(
            (line.text for line in reversed(self.journal) if TROUBLE.search(line.text)
             and line.source != "systemd"), None,
        )


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
class ModuleInstance:
    """One Campaign module on one instance, the way pdump calls it."""

    name: str
    instance: str
    configuration: ModuleConfiguration | None
    processes: tuple[Process, ...]
    listed: ListedTask | None
    expected: bool | None
    state: State

    @property
    def label(self) -> str:
        """`wfserver@prod`, `web`."""
        return self.name if self.instance == DEFAULT else f"{self.name}@{self.instance}"

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
