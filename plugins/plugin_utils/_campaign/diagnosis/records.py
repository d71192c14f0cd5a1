# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a diagnosis says of a host, as JSON has it: its modules, its findings, its failed probes.

What the keys mean is in docs/user/report.md. The fields of a record are its keys, in this order; one
without a default is a key that no reader can do without. Keys are only ever added: those that are
not known here are kept as they are.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import Enum
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from ..snapshot.reader import ABSENT, fields_of, read
from ..snapshot.records import Precision, ProbeKind, State

Json = dict[str, Any]
Facts = Mapping[str, object]  # by name, any value
R = TypeVar("R", bound="Record")

# Of a key that earlier versions did not write, and of one that is written only if it is known.
LATER = {"later": True}
IF_KNOWN = {"later": True, "if_known": True}


class Schema(NamedTuple):
    """What the schema says of a type beside what Python does; the keys are those of JSON schema."""

    pattern: str | None = None
    minimum: int | None = None
    maximum: int | None = None


Moment = Annotated[str, Schema(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
Key = Annotated[str, Schema(pattern=r"^[A-Za-z]+\.[a-z0-9_]+$")]

ModuleVerdict = Literal["healthy", "degraded", "down", "unknown", "not_expected"]


class Severity(str, Enum):
    """How bad it is. Critical: a service does not work. Info: good to know."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"

    def __str__(self) -> str:
        return self.value

    @property
    def rank(self) -> int:
        """0 is the worst."""
        return _RANKS[self]


_RANKS = {severity: rank for rank, severity in enumerate(Severity)}


@dataclass(frozen=True, kw_only=True)
class Record:
    """An object of the report's JSON."""

    more: Facts = field(default_factory=dict)  # keys that are not known here

    @classmethod
    def of(cls: type[R], data: object) -> R:
        """From a mapping. Raises ValueError if that lacks what the record cannot do without."""
        found = read(cls, data)
        if found is ABSENT:
            raise ValueError(f"not a {cls.__name__.lower()}: {lacks(cls, data) or 'it is not an object'}")
        return typed(cls, found)

    def as_dict(self) -> Json:
        """For JSON."""
        data: Json = {}
        for name, key, if_known, plain in _written(type(self)):
            value = getattr(self, name)
            if value is not None:
                data[key] = value if plain is None else plain(value)
            elif not if_known:
                data[key] = None
        return {**data, **self.more} if self.more else data


def lacks(kind: type[Record], data: object) -> str | None:
    """The first key that is missing and that the record cannot do without."""
    known = data if isinstance(data, Mapping) else {}
    return next((f.key for f in fields_of(kind) if f.required and f.key not in known), None)


def typed(kind: type[R], record: Any) -> R:
    """The record, with its type checked."""
    if not isinstance(record, kind):
        raise TypeError(f"{type(record).__name__} was read, not {kind.__name__}")
    return record


Written = tuple[str, str, bool, Callable[[Any], Any] | None]


def _written_of(kind: type) -> tuple[Written, ...]:
    """Field, key, whether it is left out if unknown, and its conversion to JSON; None if it
    needs none.
    """
    hidden = {entry.name for entry in fields(kind) if entry.metadata.get("if_known")}
    hints = typing.get_type_hints(kind)
    return tuple(
        (entry.name, entry.key, entry.name in hidden, _writer(hints[entry.name]))
        for entry in fields_of(kind)
    )


_written: Callable[[type], tuple[Written, ...]] = cache(_written_of)


def _writer(hint: Any) -> Callable[[Any], Any] | None:
    options = typing.get_args(hint)
    if typing.get_origin(hint) is tuple:
        return list if _writer(options[0]) is None else _plain
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return _plain if any(map(_writer, options)) else None
    return _plain if isinstance(hint, type) and issubclass(hint, (Record, Enum)) else None


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        return value.as_dict()
    if isinstance(value, Enum):
        return value.value
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


@dataclass(frozen=True, kw_only=True)
class Module(Record):
    """A Campaign module on an instance."""

    module: str
    instance: str
    state: State
    verdict: ModuleVerdict
    pid: int | None = None
    memory_mb: float | None = None
    started_at: float | None = None
    precision: Precision | None = None
    filters: tuple[str, ...] = field(default=(), metadata=LATER)
    findings: tuple[str, ...] = ()
    restart_budget_left: int | None = field(default=None, metadata=IF_KNOWN)


@dataclass(frozen=True, kw_only=True)
class Finding(Record):
    """A problem that holds."""

    id: str
    key: Key
    module: str
    instance: str
    severity: Severity
    title: str
    summary: str = ""
    evidence: Facts = field(default_factory=dict)
    caused_by: tuple[str, ...] = ()
    caused_by_ids: tuple[str, ...] = ()
    remedy: str | None = None
    automatic: bool = False
    reason: str | None = None
    fix: str | None = None
    source: str | None = None


@dataclass(frozen=True, kw_only=True)
class Probe(Record):
    """A probe that failed."""

    probe: str
    kind: ProbeKind
    message: str


@dataclass(frozen=True, kw_only=True)
class Pause(Record):
    """Until when repairs are paused on a host, or why it is unknown whether they are."""

    until: float | None = None
    since: float | None = None
    who: str = ""
    reason: str = ""
    unknown: str | None = None


@dataclass(frozen=True, kw_only=True)
class PastRepair(Record):
    """An earlier repair of a finding that holds again, by the ledger of the host."""

    id: str
    at: float
    remedy: str = ""


@dataclass(frozen=True, kw_only=True)
class Diagnosis(Record):
    """The findings of a host, or why there is no diagnosis."""

    name: str
    reachable: bool = True
    error: str | None = None
    started_at: float | None = None
    taken_at: float | None = None
    seconds: float | None = None
    home: str | None = None
    user: str | None = None
    addresses: tuple[str, ...] = ()
    build: str | None = None
    starts_by: Facts | None = None
    installed: bool | None = None
    instances: tuple[str, ...] = ()
    modules: tuple[Module, ...] = ()
    findings: tuple[Finding, ...] = ()
    unseen: tuple[Probe, ...] = ()
    thresholds: Facts = field(default_factory=dict)
    untried: Mapping[str, str] = field(default_factory=dict)
    whole: bool = False  # whether every module was to be judged, with every probe
    paused: Pause | None = field(default=None, metadata=IF_KNOWN)
    repaired: tuple[PastRepair, ...] | None = field(default=None, metadata=IF_KNOWN)
    ledger_begins_at: float | None = field(default=None, metadata=IF_KNOWN)


@dataclass(frozen=True, kw_only=True)
class NotLookedAt(Record):
    """A host of the inventory that may have the cause of a finding, and has no diagnosis."""

    host: str
    why: Literal["not_in_run", "not_diagnosed"]
    serves: str
    needed_by: str
    finding: str
