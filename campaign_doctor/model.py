# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""report.json, typed. What the keys mean is written in docs/user/report.md, and nowhere else.

Keys are only ever added: those that are not known here are kept, and those that an older collection
did not write have a value that says "not known".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .shared.words import (
    label as label,  # noqa: PLC0414  for those who read reports, too
    titled,
)

SCHEMA = 1


class InvalidReport(ValueError):
    """A file that is not a report, or not one that this version reads; the text says why."""


class Severity(str, Enum):
    """How bad a finding is; the worst first."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 is the worst."""
        return list(Severity).index(self)


class _Part(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)


class Module(_Part):
    """A Campaign module on an instance."""

    module: str
    instance: str
    state: str
    verdict: str
    pid: int | None = None
    memory_mb: float | None = None
    started_at: float | None = None
    precision: str | None = None
    filters: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    restart_budget_left: int | None = None

    @property
    def label(self) -> str:
        """Such as `mta@prod`."""
        return label(self.module, self.instance)


class Finding(_Part):
    """A problem that holds."""

    id: str
    key: str
    module: str
    instance: str
    severity: Severity
    title: str
    summary: str = ""
    evidence: dict[str, Any] = {}
    caused_by: tuple[str, ...] = ()
    caused_by_ids: tuple[str, ...] = ()
    remedy: str | None = None
    automatic: bool = False
    reason: str | None = None
    fix: str | None = None
    source: str | None = None

    @property
    def label(self) -> str:
        """The module that it is about, such as `mta@prod`."""
        return label(self.module, self.instance)

    @property
    def headline(self) -> str:
        """The title with the module that it is about."""
        return titled(self.module, self.instance, self.title)


class Probe(_Part):
    """A probe that failed."""

    probe: str
    kind: str
    message: str


class Work(_Part):
    """A piece of work in flight."""

    kind: str
    what: str
    module: str
    instance: str
    pid: int | None = None
    origin: str | None = Field(default=None, alias="from")
    since: float | None = None


class Step(_Part):
    """A step of a plan."""

    order: int
    module: str
    instance: str
    remedy: str
    rungs: tuple[str, ...] = ()
    because: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    title: str = ""
    command: str | None = None
    cancels: str | None = None
    limit: str | None = None
    subject: str | None = None
    not_after: str | None = None
    commands: tuple[tuple[str, ...], ...] | None = None
    refused_unless: str | None = None
    work: tuple[Work, ...] | None = None
    role: str = ""
    rungs_for: dict[str, tuple[str, ...]] = {}
    severity: Severity = Severity.INFO
    verify: tuple[str, ...] = ()
    afterwards: str | None = None
    asks: bool = False
    instances: tuple[str, ...] | None = None
    canary: bool | None = None
    held: str | None = None

    @property
    def label(self) -> str:
        """The module that it is for."""
        return label(self.module, self.instance)


class Unplanned(_Part):
    """A finding that the plan does not repair."""

    id: str
    key: str
    module: str
    instance: str
    severity: Severity = Severity.INFO
    why: str
    reason: str
    until: str | None = None


class Action(_Part):
    """What a remediation did."""

    module: str
    instance: str
    remedy: str
    rung: str | None = None
    subject: str | None = None
    because: tuple[str, ...] = ()
    command: str | tuple[Any, ...] = ()
    result: str
    reason: str | None = None
    guard: str | None = None
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    seconds: float | None = None
    started: str | None = None
    finished: str | None = None
    evidence: str | None = None
    left: str = "unknown"

    @property
    def label(self) -> str:
        """The module that it was for."""
        return label(self.module, self.instance)


class Pause(_Part):
    """Until when repairs are paused on a host, or why it is unknown whether they are."""

    until: float | None = None
    since: float | None = None
    who: str = ""
    reason: str = ""
    unknown: str | None = None


class Host(_Part):
    """A host of the run."""

    name: str
    reachable: bool
    status: str
    verdict: str
    score: int | None = None
    grade: str | None = None
    error: str | None = None
    started_at: float | None = None
    taken_at: float | None = None
    seconds: float | None = None
    home: str | None = None
    user: str | None = None
    build: str | None = None
    installed: bool | None = None
    instances: tuple[str, ...] = ()
    modules: tuple[Module, ...] = ()
    findings: tuple[Finding, ...] = ()
    unseen: tuple[Probe, ...] = ()
    paused: Pause | None = None
    plan: tuple[Step, ...] = ()
    left: tuple[Unplanned, ...] = ()
    plan_refused: str | None = None
    plan_notes: tuple[str, ...] = ()
    actions: tuple[Action, ...] = ()


class Wave(_Part):
    """Hosts that are repaired at the same time."""

    hosts: tuple[str, ...] = ()
    canaries: tuple[str, ...] = ()
    follow: tuple[str, ...] = ()


class Storm(_Part):
    """A finding that many hosts of a group have at once."""

    key: str
    title: str = ""
    group: str
    hosts: tuple[str, ...] = ()
    diagnosed: int = 0
    accepted: bool = False


class Guarded(_Part):
    """A group of hosts of which so many must stay healthy."""

    name: str
    minimum: int
    hosts: tuple[str, ...] = ()
    healthy: tuple[str, ...] = ()
    mends: tuple[str, ...] = ()


class Trial(_Part):
    """A remedy for a finding that these hosts try before all others."""

    remedy: str
    key: str
    canaries: tuple[str, ...] = ()


class FleetPlan(_Part):
    """The brakes of the run."""

    waves: tuple[Wave, ...] = ()
    storms: tuple[Storm, ...] = ()
    batch: int = 1
    max_failures: int = 1
    groups: tuple[Guarded, ...] = ()
    trials: tuple[Trial, ...] = ()


class Node(_Part):
    """A finding in the whole report."""

    host: str
    id: str


class Root(Node):
    """A finding that no other explains."""

    explains: tuple[Node, ...] = ()


class Summary(_Part):
    """The numbers."""

    hosts: int
    healthy: int
    degraded: int
    down: int
    unknown: int
    unreachable: int
    failed: int
    not_installed: int
    critical: int
    warning: int
    info: int
    roots: int
    repaired: int = 0
    done: int = 0
    unproved: int = 0
    not_repaired: int = 0
    refused: int = 0


class Was(_Part):
    """A finding before it got worse or better."""

    id: str
    severity: Severity


class Change(_Part):
    """A finding that is new, gone, worse, better or no longer to be seen."""

    host: str
    id: str
    key: str
    module: str
    instance: str
    severity: Severity
    title: str
    summary: str = ""
    was: Was | None = None

    @property
    def label(self) -> str:
        """The module that it is about."""
        return label(self.module, self.instance)


class Since(_Part):
    """The run that another is compared with."""

    run: str | None = None
    finished: str


class HostChanges(_Part):
    """Names of hosts that came, went, lost their diagnosis or have one again."""

    appeared: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    back: tuple[str, ...] = ()


class ScoreChange(_Part):
    """A host whose score is another."""

    host: str
    score: int
    was: int


class Changes(_Part):
    """What changed from one report to the next."""

    since: Since
    new: tuple[Change, ...] = ()
    gone: tuple[Change, ...] = ()
    worse: tuple[Change, ...] = ()
    better: tuple[Change, ...] = ()
    unseen: tuple[Change, ...] = ()
    hosts: HostChanges = Field(default_factory=HostChanges)
    scores: tuple[ScoreChange, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything changed."""
        hosts = self.hosts
        return any((
            self.new, self.gone, self.worse, self.better, self.unseen,
            hosts.appeared, hosts.vanished, hosts.lost, hosts.back,
        ))


class NotLookedAt(_Part):
    """A host of the inventory that may have the cause of a finding, and has no diagnosis."""

    host: str
    why: str
    serves: str
    needed_by: str
    finding: str


class Report(_Part):
    """A run's report."""

    schema_: Literal[1] = Field(alias="schema")
    run: str | None = None
    mode: str = "diagnose"
    check: bool = False
    started: str
    finished: str
    collection: str
    hosts: tuple[Host, ...]
    roots: tuple[Root, ...]
    summary: Summary
    changes: Changes | None = None
    not_looked_at: tuple[NotLookedAt, ...] = ()
    fleet: FleetPlan | None = None

    @cached_property
    def index(self) -> dict[tuple[str, str], Finding]:
        """Every finding, by host and id."""
        return {(host.name, each.id): each for host in self.hosts for each in host.findings}

    def finding(self, node: Node) -> Finding:
        """The finding of a root cause or of an effect."""
        return self.index[(node.host, node.id)]

    def findings(self) -> Iterator[tuple[Host, Finding]]:
        """Every finding with its host."""
        for host in self.hosts:
            for finding in host.findings:
                yield host, finding

    def as_json(self) -> dict[str, Any]:
        """The mapping that it was read from, including unknown keys."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)

    @classmethod
    def of(cls, data: object, name: str = "the report") -> Report:
        """A report from parsed JSON; `name` is how errors call it. Raises InvalidReport."""
        if not isinstance(data, Mapping):
            raise InvalidReport(f"{name} is not a report: it does not hold a JSON object.")
        schema = data.get("schema")
        if schema is None:
            raise InvalidReport(f"{name} is not a report: it has no key 'schema'.")
        if schema != SCHEMA:
            raise InvalidReport(
                f"{name} has schema {schema!r}; this campaign-doctor reads schema {SCHEMA}."
                " Read it with the version that wrote it."
            )
        try:
            report = cls.model_validate(dict(data))
        except ValidationError as error:
            raise InvalidReport(f"{name} is damaged: {_first(error)}") from None
        for root in report.roots:
            for node in (root, *root.explains):
                if (node.host, node.id) not in report.index:
                    raise InvalidReport(
                        f"{name} is damaged: roots name {node.id} on {node.host}, which it does"
                        " not contain."
                    )
        return report

    @classmethod
    def load(cls, path: Path) -> Report:
        """A report from a file. Raises InvalidReport."""
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InvalidReport(f"{path} cannot be read: {error.strerror or error}.") from None
        except ValueError as error:
            raise InvalidReport(f"{path} is not a report: not valid JSON ({error}).") from None
        return cls.of(data, str(path))


def _first(error: ValidationError) -> str:
    """The first fault in one line; never the value, which may be anything."""
    faults = error.errors(include_url=False, include_input=False)
    where = ".".join(str(part) for part in faults[0]["loc"])
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return f"{where}: {faults[0]['msg']}{more}."
