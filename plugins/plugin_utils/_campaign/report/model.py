# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The report, typed: what a run found, planned and did on all its hosts.

docs/report.schema.json is written from these records by tools/report_schema.py; docs/user/report.md says
what the keys mean. campaign_doctor/model.py has the same names and fields: the files that both
share work on either.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Final, Literal

from ..diagnosis.records import (
    IF_KNOWN,
    LATER,
    Finding,
    Key,
    Module,
    Moment,
    NotLookedAt,
    Pause,
    Probe,
    Record,
    Schema,
    Severity,
)
from ..planning.records import Action, FleetPlan, Step, Storm, Unplanned

# The parts of a report can be imported from here, too.
__all__ = (
    "Action", "Finding", "Module", "NotLookedAt", "Pause", "Probe", "Severity", "Step", "Storm",
    "Unplanned",
)

SCHEMA: Final = 1

Mode = Literal["diagnose", "plan", "remediate", "targeted", "replay"]
Status = Literal["diagnosed", "unreachable", "failed", "not_installed"]
Verdict = Literal["healthy", "degraded", "down", "unknown"]
Grade = Literal["A", "B", "C", "D", "F"]
Points = Annotated[int, Schema(minimum=0, maximum=100)]
Count = Annotated[int, Schema(minimum=0)]


@dataclass(frozen=True, kw_only=True)
class Host(Record):
    """A host of the run."""

    name: str
    reachable: bool
    status: Status
    verdict: Verdict
    score: Points | None = None
    grade: Grade | None = None
    error: str | None = None
    started_at: float | None = None
    taken_at: float | None = None
    seconds: float | None = None
    home: str | None = None
    user: str | None = None
    build: str | None = None
    installed: bool | None = None
    instances: tuple[str, ...] = ()
    modules: tuple[Module, ...]
    findings: tuple[Finding, ...]
    unseen: tuple[Probe, ...]
    paused: Pause | None = field(default=None, metadata=IF_KNOWN)
    plan: tuple[Step, ...] = ()
    left: tuple[Unplanned, ...] = ()
    plan_refused: str | None = None
    plan_notes: tuple[str, ...] = ()
    actions: tuple[Action, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Node(Record):
    """A finding in the whole report."""

    host: str
    id: str


@dataclass(frozen=True, kw_only=True)
class Root(Node):
    """A finding that no other explains, and those that follow from it."""

    explains: tuple[Node, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Summary(Record):
    """The numbers."""

    hosts: Count = 0
    healthy: Count = 0
    degraded: Count = 0
    down: Count = 0
    unknown: Count = 0
    unreachable: Count = 0
    failed: Count = 0
    not_installed: Count = 0
    critical: Count = 0
    warning: Count = 0
    info: Count = 0
    roots: Count = 0
    repaired: Count = 0
    done: Count = 0
    unproved: Count = 0
    not_repaired: Count = 0
    refused: Count = 0


@dataclass(frozen=True, kw_only=True)
class Was(Record):
    """A finding before it got worse or better."""

    id: str
    severity: Severity


@dataclass(frozen=True, kw_only=True)
class Change(Record):
    """A finding that is new, gone, worse, better or not checked."""

    host: str
    id: str
    key: Key
    module: str
    instance: str
    severity: Severity
    title: str
    summary: str = ""
    was: Was | None = None


@dataclass(frozen=True, kw_only=True)
class Since(Record):
    """The run that another is compared with."""

    run: str | None = None
    finished: Moment


@dataclass(frozen=True, kw_only=True)
class HostChanges(Record):
    """Names of hosts that came, went, lost their diagnosis or have one again."""

    appeared: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    back: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ScoreChange(Record):
    """A host whose score is another than it was."""

    host: str
    score: int
    was: int


@dataclass(frozen=True, kw_only=True)
class Changes(Record):
    """What changed from one report to the next."""

    since: Since
    new: tuple[Change, ...] = ()
    gone: tuple[Change, ...] = ()
    worse: tuple[Change, ...] = ()
    better: tuple[Change, ...] = ()
    unseen: tuple[Change, ...] = ()
    hosts: HostChanges = field(default_factory=HostChanges)
    scores: tuple[ScoreChange, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Report(Record):
    """The report of a run."""

    schema: Literal[1] = SCHEMA
    run: str | None = None
    mode: Mode = "diagnose"
    check: bool = False
    started: Moment
    finished: Moment
    collection: str
    hosts: tuple[Host, ...]
    roots: tuple[Root, ...]
    summary: Summary
    changes: Changes | None = None
    not_looked_at: tuple[NotLookedAt, ...] = field(default=(), metadata=LATER)
    fleet: FleetPlan | None = field(default=None, metadata=IF_KNOWN)
