# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A typed, read-only view over the snapshot that campaign_info took: one server, as rules see it."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import (
    DEFAULT,
    MODULES,
    UTILITIES,
)

from .history import History
from .reader import ABSENT, fields_of, integer, number, read
from .records import (
    Check,
    Configuration,
    Environment,
    Http,
    Log,
    Logs,
    Machine,
    Missing,
    MissingModule,
    ModuleInstance,
    Network,
    Pdump,
    ProbeError,
    Process,
    Processes,
    Segment,
    Semaphore,
    Service,
    SharedMemory,
    Socket,
    Sockets,
    State,
    Storage,
    Target,
)
from .thresholds import Thresholds
from .work import (
    Api,
    ApiAnswers,
    Asked,
    Controller,
    DeclaredJob,
    GivenCommand,
    Job,
    Jobs,
    Ledger,
    Workflow,
)

SCHEMA = 1
STANDARD_HOME = "/usr/local/neolane/nl6"

OF_NLSERVER = ("pdump", "missing")  # probes that show what the command says
OF_ENVIRONMENT = ("logs", "jobs")  # probes that look where the environment says that var is

PERMANENT = tuple(module for module in MODULES if module not in UTILITIES)

LOOPBACK = frozenset({"", "localhost", "localhost.localdomain", "127.0.0.1", "::1"})

_T = TypeVar("_T")
LAST_MOMENT = 253402300799.0  # the end of the year 9999


class InvalidSnapshot(ValueError):
    """The data is not a snapshot of this collection."""


@dataclass(frozen=True)
class SnapshotHeader:
    """What a snapshot says beside its probes; those are read by the view below."""

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
    given_command: GivenCommand | None = None


_PROBES: dict[str, type] = {
    "environment": Environment, "configuration": Configuration, "pdump": Pdump,
    "missing": Missing, "processes": Processes, "sockets": Sockets,
    "shared_memory": SharedMemory, "logs": Logs, "storage": Storage, "machine": Machine,
    "service": Service, "http": Http, "network": Network, "jobs": Jobs,
    "ledger": Ledger, "api": Api,
}


# --- the view that rules use ------------------------------------------------------------------


# Here, before Ansible forks, and not when the first snapshot is read: in every worker that is.
for _kind in (SnapshotHeader, ProbeError, *_PROBES.values()):
    fields_of(_kind)


class Server:
    """A Campaign server as its snapshot shows it, and the thresholds it is judged by."""

    def __init__(self, snapshot: Any, limits: Thresholds | None = None) -> None:
        header = _valid(snapshot)
        self.header = header
        self.limits = limits or Thresholds()
        self.now, self.home, self.user = header.taken_at, header.home, header.user
        probes = snapshot.get("probes")
        self._data: dict[str, Any] = {}
        self._seconds: dict[str, float] = {}
        self.failures: dict[str, ProbeError] = {}
        self.left_out: dict[str, ProbeError] = {}  # probes that were skipped
        for name, kind in _PROBES.items():
            probe = probes.get(name) if isinstance(probes, Mapping) else None
            if not isinstance(probe, Mapping):
                continue
            data, error = read(kind, probe.get("data")), read(ProbeError, probe.get("error"))
            took = number(probe.get("seconds"))
            if took is not ABSENT:
                self._seconds[name] = took
            if data is not ABSENT:
                self._data[name] = data
            if error is not ABSENT:
                (self.left_out if error.kind == "skipped" else self.failures)[name] = error
            elif data is ABSENT:
                self.failures[name] = ProbeError("invalid", "the probe brought no data")

    def _probe(self, name: str, kind: type[_T]) -> _T:
        return typing.cast(_T, self._data[name]) if name in self._data else kind()

    def answered(self, name: str) -> bool:
        """Whether a probe saw everything, so that what it does not show does not exist.

        `tasks`: the running modules, from either of two probes.
        """
        if name == "tasks":
            return self.answered("processes") or self.answered("pdump")
        failure = self.failures.get(name)
        if name in OF_NLSERVER and failure is not None:
            return False  # an answer of a command that failed is none
        if name in OF_ENVIRONMENT and "environment" in self.failures:
            return False  # the place of var is unknown: the contents of the default one prove nothing
        return name in self._data and (failure is None or failure.kind != "timeout")

    def probe_seconds(self, name: str) -> float | None:
        """How long a probe took."""
        return self._seconds.get(name)

    @property
    def asked_all(self) -> bool:
        """Whether every probe was to look."""
        return {*self._data, *self.failures, *self.left_out}.issuperset(_PROBES)

    def failed(self, name: str) -> bool:
        """Whether a probe was to look and could not."""
        if name == "tasks":
            return not self.answered("tasks")
        asked = name in self.failures or (name in OF_ENVIRONMENT and name in self._data)
        return asked and not self.answered(name)

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
    def semaphores(self) -> tuple[Semaphore, ...]:
        return self._probe("shared_memory", SharedMemory).semaphores

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
        """The declared jobs, with the limits that the inventory sets."""
        limits = {(d.kind, d.instance, d.name): d for d in self.header.jobs_declared}
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
    def api_answers(self) -> tuple[ApiAnswers, ...]:
        """What the API reports of each queried instance."""
        return self._probe("api", Api).instances

    def api_answers_of(self, instance: str) -> ApiAnswers | None:
        """What the API reports of an instance; None if it was not queried."""
        return next((each for each in self.api_answers if each.instance == instance), None)

    def restartable(self, workflow: Workflow) -> bool:
        """Whether a workflow may be started again: the vendor's, and those that the site lists."""
        return workflow.technical or workflow.name in self.header.asked.restartable_workflows

    def age(self, at: float | None) -> float | None:
        """Seconds between a time and the snapshot."""
        return None if at is None else max(0.0, self.now - at)

    def older(self, at: float | None, minutes: float) -> bool:
        """Whether a time is known and further back than that."""
        return at is not None and self.now - at > 60 * minutes

    # modules

    @cached_property
    def modules(self) -> tuple[ModuleInstance, ...]:
        """Every module of every instance, in the order of their start."""
        keys = {(entry.module, entry.instance) for entry in self.configuration.modules}
        keys |= {(process.name, process.instance) for process in self._module_processes}
        keys |= {(entry.module, entry.instance) for entry in self.pdump.tasks}
        never_ran = {copy.name for copy in self.configuration.copies}
        keys |= {
            (entry.module, entry.instance) for entry in self._missing
            if entry.instance not in never_ran
        }
        keys.add(("watchdog", DEFAULT))
        known = [key for key in keys if key[0] in MODULES]
        known.sort(key=lambda key: (MODULES.index(key[0]), key[1]))
        return tuple(self._module(name, instance) for name, instance in known)

    @cached_property
    def _missing(self) -> tuple[MissingModule, ...]:
        return self._probe("missing", Missing).modules

    @cached_property
    def _module_processes(self) -> tuple[Process, ...]:
        return tuple(process for process in self.processes.modules if not process.dead)

    def _module(self, name: str, instance: str) -> ModuleInstance:
        key = (name, instance)
        configuration = next(
            (c for c in self.configuration.modules if (c.module, c.instance) == key), None
        )
        own = [p for p in self._module_processes if (p.name, p.instance) == key]
        own.sort(key=lambda process: (process.started_at or 0.0, process.pid))
        listed = next((t for t in self.pdump.tasks if (t.module, t.instance) == key), None)
        expected: bool | None
        if name == "watchdog":
            expected = True
        elif name in UTILITIES:
            expected = False
        else:
            expected = configuration.auto_start if configuration else None
            if expected is None and any((m.module, m.instance) == key for m in self._missing):
                expected = True
        if own:
            state: State = "hung" if all(process.stopped for process in own) else "running"
        elif self.answered("processes"):
            state = "idle" if name in UTILITIES else "stopped"
        elif self.answered("pdump"):
            absent: State = "idle" if name in UTILITIES else "stopped"
            state = "running" if listed else absent
        else:
            state = "unknown"
        return ModuleInstance(name, instance, configuration, tuple(own), listed, expected, state)

    def instances_of(self, name: str) -> Iterator[ModuleInstance]:
        return (module for module in self.modules if module.name == name)

    def module(self, name: str, instance: str = DEFAULT) -> ModuleInstance | None:
        return next((t for t in self.instances_of(name) if t.instance == instance), None)

    def runs(self, name: str, instance: str = DEFAULT) -> bool:
        module = self.module(name, instance)
        return module is not None and module.state == "running"

    def children_of(self, module: ModuleInstance, name: str) -> tuple[Process, ...]:
        pids = {process.pid for process in module.processes}
        return tuple(
            child for child in self.processes.children
            if child.name == name
            and (child.ppid in pids or child.instance == module.instance)
            and not child.dead
        )

    # logs

    def log(self, name: str, instance: str = DEFAULT) -> Log | None:
        return self.logs.log(name, instance)

    @cached_property
    def history(self) -> History:
        """What the logs and the ledger say of starts and errors."""
        return History(self.logs, self.ledger, self.limits, self.header.utc_offset_seconds)

    # network

    def listening(self, proto: str, port: int | None) -> Iterator[Socket]:
        return (s for s in self.sockets if s.proto.startswith(proto) and s.port == port)

    def port(self, name: str) -> int | None:
        """A port that the caller expects: syslogd, web, front, stat@prod."""
        number = integer(self.header.asked.expected_ports.get(name))
        return None if number is ABSENT else typing.cast(int, number)

    @cached_property
    def syslogd_port(self) -> int | None:
        return self.configuration.syslogd_port or self.port("syslogd")

    @cached_property
    def has_syslogd(self) -> bool:
        """Whether syslogd writes the logs here: a site may use another daemon."""
        module = self.module("syslogd")
        return module is None or module.alive or module.expected is not False

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
    def build_number(self) -> int | None:
        """The build that pdump names, as a number."""
        found = re.search(r"\bbuild (\d{3,6})\b", self.pdump.build or "")
        return int(found.group(1)) if found else None

    @cached_property
    def names(self) -> frozenset[str]:
        """The names and addresses that mean this machine, seen from itself."""
        return LOOPBACK | {self.header.address, self.machine.hostname}

    def local(self, target: Target) -> bool:
        """Whether a target is this machine."""
        return not self.names.isdisjoint((target.host, *target.resolved))


def _valid(snapshot: Any) -> SnapshotHeader:
    if not isinstance(snapshot, Mapping) or "schema" not in snapshot:
        raise InvalidSnapshot("this is not a snapshot of campaign_info: it names no schema")
    if snapshot["schema"] != SCHEMA:
        told = repr(snapshot["schema"])[:40]
        raise InvalidSnapshot(f"the snapshot has schema {told}, this collection reads {SCHEMA}")
    header = read(SnapshotHeader, snapshot)
    if header is ABSENT or not 0 <= header.taken_at <= LAST_MOMENT:
        raise InvalidSnapshot("the snapshot does not say when it was taken (taken_at)")
    return typing.cast(SnapshotHeader, header)
