# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A plan and its actions, as in JSON: steps, remaining findings, actions.

The keys are explained in docs/user/report.md, those of the plan itself in docs/user/plan.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import DEFAULT

from ..diagnosis.records import IF_KNOWN, LATER, Facts, Moment, Record, Severity

SCHEMA: Final = 1

Why = Literal[
    "caused_by", "no_automatic_remedy", "policy", "window", "freeze", "muted", "excluded",
    "ladder_exhausted", "state_changed", "paused", "recurring", "min_healthy",
]
Result = Literal["repaired", "done", "unproved", "not_repaired", "refused", "skipped"]
StateAfter = Literal["as_before", "changed", "unknown"]
Commands = str | tuple[object, ...]  # argument lists; text where a template made it


@dataclass(frozen=True, kw_only=True)
class Work(Record):
    """A piece of work in flight, as campaign_guard reports it."""

    kind: str
    what: str
    module: str
    instance: str
    pid: int | None = field(default=None, metadata=IF_KNOWN)
    origin: str | None = field(default=None, metadata={"key": "from", **IF_KNOWN})
    since: float | None = field(default=None, metadata=IF_KNOWN)


AtWork = tuple[Work, ...] | None  # what a host has in flight; None: not checked


@dataclass(frozen=True, kw_only=True)
class Step(Record):
    """A step of a plan."""

    order: int = 0
    module: str = "host"
    instance: str = DEFAULT
    remedy: str = ""
    rungs: tuple[str, ...] = ()
    because: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    title: str = ""
    command: str | None = None
    cancels: str | None = None
    limit: str | None = None
    subject: str | None = None
    not_after: str | None = None
    commands: tuple[tuple[str, ...], ...] | None = field(default=None, metadata=LATER)
    refused_unless: str | None = field(default=None, metadata=LATER)
    work: AtWork = None
    role: str = field(default="", metadata=LATER)
    rungs_for: Mapping[str, Sequence[str]] = field(default_factory=dict, metadata=LATER)
    severity: Severity = field(default=Severity.INFO, metadata=LATER)
    verify: tuple[str, ...] = field(default=(), metadata=LATER)
    afterwards: str | None = field(default=None, metadata=LATER)
    asks: bool = field(default=False, metadata=LATER)
    instances: tuple[str, ...] | None = field(default=None, metadata=IF_KNOWN)
    canary: bool | None = field(default=None, metadata=IF_KNOWN)
    held: str | None = field(default=None, metadata=IF_KNOWN)

    @property
    def all_instances(self) -> tuple[str, ...]:
        """Those that it is for."""
        return self.instances or (self.instance,)


@dataclass(frozen=True, kw_only=True)
class Unplanned(Record):
    """A finding that the plan does not repair."""

    id: str = ""
    key: str = ""
    module: str = "host"
    instance: str = DEFAULT
    severity: Severity = field(default=Severity.INFO, metadata=LATER)
    why: Why = "no_automatic_remedy"
    reason: str = ""
    until: str | None = None


@dataclass(frozen=True, kw_only=True)
class Action(Record):
    """What a remediation did."""

    module: str = "host"
    instance: str = DEFAULT
    remedy: str = ""
    rung: str | None = None
    subject: str | None = None
    because: tuple[str, ...] = ()
    command: Commands = ()
    result: Result = "skipped"
    reason: str | None = None
    guard: str | None = None
    before: Facts = field(default_factory=dict)
    after: Facts = field(default_factory=dict)
    left: StateAfter = "unknown"
    seconds: float | None = None
    started: Moment | None = None
    finished: Moment | None = None
    evidence: str | None = None


@dataclass(frozen=True, kw_only=True)
class Fingerprint(Record):
    """The state that the plan for a host was made for."""

    findings: tuple[str, ...] = ()
    processes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class HostPlan(Record):
    """What is planned for a host."""

    name: str
    error: str | None = None
    refused: str | None = None
    fingerprint: Fingerprint = field(default_factory=Fingerprint)
    steps: tuple[Step, ...] = ()
    left: tuple[Unplanned, ...] = ()
    notes: tuple[str, ...] = ()
    wave: int | None = field(default=None, metadata=IF_KNOWN)


@dataclass(frozen=True, kw_only=True)
class Wave(Record):
    """Hosts that are repaired at the same time."""

    hosts: tuple[str, ...] = ()
    canaries: tuple[str, ...] = ()  # those that try a remedy that other hosts wait for
    follow: tuple[str, ...] = ()  # those that have waited for a canary


@dataclass(frozen=True, kw_only=True)
class Storm(Record):
    """A root that is new on many hosts of a group at once."""

    key: str
    title: str = ""
    group: str
    hosts: tuple[str, ...] = ()
    diagnosed: int = 0  # how many hosts of the group were
    accepted: bool = False

    @property
    def reason(self) -> str:
        """Why its steps are held."""
        return (
            f"{len(self.hosts)} of {self.diagnosed} hosts of the group {self.group} have {self.key} at"
            " once: look for a cause outside the hosts; repair all the same with"
            f" campaign_accept_storm: [{self.key}]"
        )


@dataclass(frozen=True, kw_only=True)
class Guarded(Record):
    """A group of hosts of which so many must stay healthy (campaign_min_healthy)."""

    name: str
    minimum: int
    hosts: tuple[str, ...] = ()
    healthy: tuple[str, ...] = ()  # now
    mends: tuple[str, ...] = ()  # if their steps help


@dataclass(frozen=True, kw_only=True)
class Trial(Record):
    """A remedy for a finding that these hosts, the canaries, try before all others."""

    remedy: str
    key: str
    canaries: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FleetPlan(Record):
    """The brakes of the run: in which order hosts are repaired, and what ends it."""

    waves: tuple[Wave, ...] = ()
    storms: tuple[Storm, ...] = ()
    batch: int = 1  # how many hosts follow a canary first
    max_failures: int = 1  # so many failed repairs end the run
    groups: tuple[Guarded, ...] = ()
    trials: tuple[Trial, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Approval(Record):
    """Who approved a plan, when, and the hash of the plan that they saw (digest.py)."""

    by: str
    at: Moment
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Plan(Record):
    """The plan of a run."""

    schema: Literal[1] = SCHEMA
    made_at: Moment
    expires_at: Moment
    run: str
    collection: str = ""
    made_by: str | None = field(default=None, metadata=LATER)
    approval: Approval | None = field(default=None, metadata=LATER)
    hosts: tuple[HostPlan, ...]
    fleet: FleetPlan | None = field(default=None, metadata=IF_KNOWN)
