# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a site allows: remedies, maintenance windows, freezes, modules left alone, findings muted.

Pure: the time is given. Whatever is written wrongly is an `InvalidPolicy` that names the
variable, for a policy that is silently not applied is worse than none.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import MODULES

from ..diagnosis.catalogue import BY_KEY
from ..diagnosis.model import HOST
from ..diagnosis.records import Finding, Severity
from .ladder import HIGHEST, REMEDIES
from .records import Why
from .saved import iso

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
OPTIONS = (
    "remedies_allowed", "remedies_denied", "modules_excluded", "windows", "windows_timezone",
    "freezes", "muted", "ask", "highest_rung", "approval",
    "recurrence",
)
APPROVALS = ("none", "required")
_RECURRENCE = {"times": 100, "days": 30}  # at most; the host tells of 30 days
# Days that are searched for the next change of a weekly window: one may be skipped when clocks change.
_AHEAD = 15

ModuleId = tuple[str, str]  # module, instance


class InvalidPolicy(ValueError):
    """A policy that says something impossible."""


@dataclass(frozen=True)
class Refusal:
    """Why policy keeps a finding or a remedy from the plan, and until when if that is known."""

    why: Why
    reason: str
    until: float | None = None


@dataclass(frozen=True)
class Window:
    """A maintenance window: from a time of day until a time of the same or the next day.

    Times are wall clock times, also when the clocks change.
    """

    days: frozenset[int]
    begin: time
    end: time
    remedies: frozenset[str]

    def concerns(self, remedy: str) -> bool:
        """Whether the window bounds a remedy; one that names none bounds all."""
        return not self.remedies or remedy in self.remedies

    def open(self, local: datetime) -> bool:
        """Whether it is open at a local time."""
        clock, today, yesterday = local.time(), local.weekday(), (local.weekday() - 1) % 7
        if self.begin < self.end:
            return today in self.days and self.begin <= clock < self.end
        return (today in self.days and clock >= self.begin) or (
            yesterday in self.days and clock < self.end
        )

    def edges(self, day: date, zone: tzinfo | None) -> Iterator[float]:
        """Moments of a day at which it may open or close, those of changing clocks among them."""
        for clock in (self.begin, self.end):
            local = datetime.combine(day, clock, tzinfo=zone)
            either = sorted({local.timestamp(), local.replace(fold=1).timestamp()})
            moment = either[0]
            while moment <= either[-1]:
                yield moment
                moment += 60


@dataclass(frozen=True)
class Freeze:
    """A time in which remedies are not applied, whatever the windows say."""

    begin: float
    end: float
    reason: str
    remedies: frozenset[str]

    def holds(self, remedy: str, now: float) -> bool:
        """Whether it forbids the remedy at a moment; one that names none forbids all."""
        return self.begin <= now < self.end and (not self.remedies or remedy in self.remedies)


@dataclass(frozen=True)
class Mute:
    """A finding that is known and left alone until a day, unless it gets worse."""

    key: str
    until: float
    reason: str
    instance: str | None = None
    host: str | None = None
    severity_at: Severity | None = None
    evidence_at: Mapping[str, float] = field(default_factory=dict)
    gone: tuple[float, float] | None = None  # from when to when the finding was gone, if for a day

    def names(self, host: str, finding: Finding) -> bool:
        """Whether the mute is about this finding."""
        return (
            self.key == finding.key
            and self.instance in (None, finding.instance)
            and self.host in (None, host)
        )

    def worse(self, finding: Finding, gravest: Severity) -> str | None:
        """In what the finding is worse than it was, in words."""
        accepted = self.severity_at or finding.severity
        if gravest.rank < accepted.rank:
            return f"it is {gravest.value}, or causes a finding that is"
        for name, limit in self.evidence_at.items():
            value = finding.evidence.get(name)
            if isinstance(value, (int, float)) and not isinstance(value, bool) and value > limit:
                return f"{name} is {value:g}, above {limit:g}"
        return None


@dataclass(frozen=True)
class Recurrence:
    """How often within how many days a finding may come back and be repaired again."""

    times: int = 3
    days: int = 7


@dataclass(frozen=True)
class Policy:
    """The policy of a host. The default allows every documented remedy, always."""

    allowed: frozenset[str] = frozenset()
    denied: frozenset[str] = frozenset()
    excluded: frozenset[tuple[str, str | None]] = frozenset()
    windows: tuple[Window, ...] = ()
    zone: tzinfo | None = None
    freezes: tuple[Freeze, ...] = ()
    mutes: tuple[Mute, ...] = ()
    ask: bool = False
    highest: str = HIGHEST[-1]
    approval: bool = False
    recurrence: Recurrence = Recurrence()
    declared: Mapping[str, Any] = field(default_factory=dict)  # for guards: see announce.py

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Policy:
        """From the options of campaign_plan; None or a missing option means its default."""
        given = {name: value for name, value in options.items() if value is not None}
        zone = _zone(given.get("windows_timezone", ""))
        highest = _choice("highest_rung", given.get("highest_rung", HIGHEST[-1]), HIGHEST)
        return cls(
            allowed=_remedies("remedies_allowed", given.get("remedies_allowed", ())),
            denied=_remedies("remedies_denied", given.get("remedies_denied", ())),
            excluded=frozenset(
                _module_id(entry)
                for entry in _list("modules_excluded", given.get("modules_excluded", ()))
            ),
            windows=tuple(_window(w) for w in _list("windows", given.get("windows", ()))),
            zone=zone,
            freezes=tuple(_freeze(f, zone) for f in _list("freezes", given.get("freezes", ()))),
            mutes=tuple(_mute(m, zone) for m in _list("muted", given.get("muted", ()))),
            ask=_flag("ask", given.get("ask", False)),
            highest=highest,
            approval=_choice("approval", given.get("approval", "none"), APPROVALS) == "required",
            recurrence=_recurrence(given.get("recurrence", {})),
        )

    def excludes(self, module: str, instance: str) -> bool:
        """Whether a module is excluded."""
        return (module, None) in self.excluded or (module, instance) in self.excluded

    def on_finding(
        self, host: str, finding: Finding, gravest: Severity, now: float
    ) -> tuple[Refusal | None, list[str]]:
        """Why a finding is left alone, and notes on expired mutes."""
        notes = []
        for mute in self.mutes:
            if not mute.names(host, finding):
                continue
            worse = mute.worse(finding, gravest)
            if now >= mute.until:
                notes.append(f"the mute of {finding.id} has expired ({mute.reason})")
            elif mute.gone:
                begin, end = map(iso, mute.gone)
                notes.append(
                    f"the mute of {finding.id} has ended: the finding was gone from {begin} to {end}"
                    f" ({mute.reason})"
                )
            elif worse:
                notes.append(f"the mute of {finding.id} ends early: {worse} ({mute.reason})")
            else:
                return Refusal("muted", mute.reason, mute.until), notes
        if self.excludes(finding.module, finding.instance):
            return Refusal("excluded", "campaign_modules_excluded names the module"), notes
        return None, notes

    def on_remedy(self, remedy: str, module_ids: Iterable[ModuleId], now: float) -> Refusal | None:
        """Why a remedy may not be applied now; `module_ids`: the modules on the host."""
        if remedy in self.denied:
            return Refusal("policy", f"campaign_remedies_denied names {remedy}")
        if REMEDIES[remedy].finishes:
            return None  # a started repair was allowed, and half of it is worse than all
        if self.allowed and remedy not in self.allowed:
            return Refusal("policy", f"campaign_remedies_allowed does not name {remedy}")
        if REMEDIES[remedy].level > REMEDIES[self.highest].level:
            return Refusal("policy", f"{remedy} is above campaign_highest_rung ({self.highest})")
        if REMEDIES[remedy].host_wide:
            touched = self._touched(module_ids)
            if touched:
                reason = f"{remedy} stops the whole service, and {touched[0]} is excluded"
                return Refusal("excluded", reason)
        for freeze in self.freezes:
            if freeze.holds(remedy, now):
                reason = f"campaign_freezes does not allow {remedy} now: {freeze.reason}"
                return Refusal("freeze", reason, self.next_change(remedy, now))
        if not self.is_open(remedy, now):
            reason = f"campaign_windows does not allow {remedy} at this time"
            return Refusal("window", reason, self.next_change(remedy, now))
        return None

    def _touched(self, module_ids: Iterable[ModuleId]) -> list[str]:
        """The excluded modules of the host; unchecked ones may be there, too."""
        seen: dict[str, set[str]] = {}
        for module, instance in module_ids:
            seen.setdefault(module, set()).add(instance)
        return sorted(
            module if instance is None else f"{module}@{instance}"
            for module, instance in self.excluded
            if module != HOST
            and (module not in seen or instance is None or instance in seen[module])
        )

    def is_open(self, remedy: str, now: float) -> bool:
        """Whether the time is right for the remedy: there is no freeze, and no window bounds it or
        one of those that do is open.
        """
        if REMEDIES[remedy].finishes:
            return True
        if any(freeze.holds(remedy, now) for freeze in self.freezes):
            return False
        bounding = [window for window in self.windows if window.concerns(remedy)]
        local = datetime.fromtimestamp(now, self.zone)
        return not bounding or any(window.open(local) for window in bounding)

    def next_change(self, remedy: str, now: float) -> float | None:
        """When the remedy is next allowed or, if it is allowed now, no longer; None if never."""
        state = self.is_open(remedy, now)
        ends = {moment for freeze in self.freezes for moment in (freeze.begin, freeze.end)}
        later = sorted(moment for moment in ends if moment > now)
        days = {
            datetime.fromtimestamp(moment, self.zone).date() + timedelta(days=ahead)
            for moment in (now, *later)  # the windows after a freeze count, too
            for ahead in range(_AHEAD + 1)
        }
        edges = (  # day after day, so that only the days until the change are gone through
            moment
            for day in sorted(days)
            for moment in sorted(
                edge for window in self.windows if window.concerns(remedy)
                for edge in window.edges(day, self.zone)
            )
        )
        changes = (
            moment for moment in heapq.merge(edges, later)
            if moment > now and self.is_open(remedy, moment) != state
        )
        return next(changes, None)

    def closes(self, remedies: Collection[str], now: float) -> float | None:
        """When the first of some remedies that are allowed now is no longer: a window closes, a
        freeze begins.
        """
        ends = [self.next_change(remedy, now) for remedy in remedies]
        return min((end for end in ends if end is not None), default=None)


# --- reading the inventory's values -----------------------------------------------------------


def _list(name: str, value: Any) -> list[Any]:
    if isinstance(value, str) or not isinstance(value, Iterable) or isinstance(value, Mapping):
        raise InvalidPolicy(f"campaign_{name} must be a list, not {value!r}")
    return list(value)


def _flag(name: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    words = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
    try:
        return words[str(value).lower()]
    except KeyError:
        raise InvalidPolicy(f"campaign_{name} must be true or false, not {value!r}") from None


def _choice(name: str, value: Any, choices: Collection[str]) -> str:
    if value not in choices:
        known = ", ".join(choices)
        raise InvalidPolicy(f"campaign_{name}: {value!r} is not one of {known}")
    return str(value)


def _remedies(name: str, value: Any) -> frozenset[str]:
    return frozenset(_choice(name, remedy, REMEDIES) for remedy in _list(name, value))


def _module_id(entry: Any) -> tuple[str, str | None]:
    module, _at, instance = str(entry).partition("@")
    known = {name.lower(): name for name in (HOST, *MODULES)}
    if module.lower() not in known:
        raise InvalidPolicy(
            f"campaign_modules_excluded: {entry!r} is not a Campaign module"
            f" ({', '.join(MODULES)}, with @instance if only one is meant)"
        )
    return known[module.lower()], instance or None


def _zone(name: Any) -> tzinfo | None:
    if not name:
        return None
    try:
        return ZoneInfo(str(name))
    except (KeyError, ValueError, OSError):  # KeyError: also ZoneInfoNotFoundError
        raise InvalidPolicy(
            f"campaign_windows_timezone: {name!r} is not a known time zone"
            " (such as Europe/Paris)"
        ) from None


def _fields(name: str, entry: Any, known: Collection[str]) -> Mapping[str, Any]:
    if not isinstance(entry, Mapping):
        raise InvalidPolicy(f"campaign_{name}: an entry must be a mapping, not {entry!r}")
    for word in entry:
        if word not in known:
            raise InvalidPolicy(f"campaign_{name}: {word!r} is not one of {', '.join(known)}")
    return entry


def _window(entry: Any) -> Window:
    entry = _fields("windows", entry, ("days", "from", "to", "remedies"))
    days = [str(day)[:3].lower() for day in _list("windows: days", entry.get("days") or ())]
    for day in days:
        _choice("windows: days", day, DAYS)
    return Window(
        days=frozenset(DAYS.index(day) for day in days or DAYS),
        begin=_clock(entry.get("from")),
        end=_clock(entry.get("to")),
        remedies=_remedies("windows: remedies", entry.get("remedies") or ()),
    )


def _clock(value: Any) -> time:
    # YAML 1.1 reads 22:00 without quotes as the number 1320.
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1440:
        return time(*divmod(value, 60))
    hours, colon, minutes = str(value).partition(":")
    try:
        if colon and len(minutes) == 2:
            return time(0) if (hours, minutes) == ("24", "00") else time(int(hours), int(minutes))
    except ValueError:
        pass
    raise InvalidPolicy(f"campaign_windows: {value!r} is not a time of day (such as '22:00')")


def _mute(entry: Any, zone: tzinfo | None) -> Mute:
    entry = _fields(
        "muted", entry,
        ("key", "instance", "host", "until", "reason", "severity_at", "evidence_at"),
    )
    key, reason = entry.get("key"), str(entry.get("reason") or "").strip()
    if key not in BY_KEY:
        raise InvalidPolicy(f"campaign_muted: {key!r} is not a finding key of the catalogue")
    if not reason:
        raise InvalidPolicy(f"campaign_muted: the mute of {key} has no reason")
    if entry.get("until") is None:
        raise InvalidPolicy(f"campaign_muted: the mute of {key} has no end (until)")
    severity = entry.get("severity_at")
    if severity is not None:
        _choice("muted: severity_at", severity, [each.value for each in Severity])
    evidence = entry.get("evidence_at") or {}
    numbers = isinstance(evidence, Mapping) and all(
        isinstance(value, (int, float)) and not isinstance(value, bool)
        for value in evidence.values()
    )
    if not numbers:
        raise InvalidPolicy(f"campaign_muted: evidence_at of {key} must map names to numbers")
    return Mute(
        key=str(key),
        until=_moment(f"muted: until of {key}", entry["until"], zone, end=True),
        reason=reason,
        instance=_maybe(entry.get("instance")),
        host=_maybe(entry.get("host")),
        severity_at=None if severity is None else Severity(severity),
        evidence_at={str(name): float(value) for name, value in evidence.items()},
    )


def _recurrence(value: Any) -> Recurrence:
    if not isinstance(value, Mapping):
        raise InvalidPolicy(f"campaign_recurrence must be a mapping of times and days, not {value!r}")
    given = dict(_fields("recurrence", value, tuple(_RECURRENCE)))
    for name, number in given.items():
        highest = _RECURRENCE[name]
        if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= highest:
            raise InvalidPolicy(
                f"campaign_recurrence: {name} must be a whole number from 1 to {highest}, not"
                f" {number!r}"
            )
    return Recurrence(**given)


def _maybe(value: Any) -> str | None:
    return None if value in (None, "") else str(value)


def _freeze(entry: Any, zone: tzinfo | None) -> Freeze:
    entry = _fields("freezes", entry, ("from", "to", "reason", "remedies"))
    for name in ("from", "to"):
        if entry.get(name) is None:
            raise InvalidPolicy(f"campaign_freezes: an entry has no {name!r}: {dict(entry)!r}")
    span = f"{entry['from']} to {entry['to']}"
    reason = str(entry.get("reason") or "").strip()
    if not reason:
        raise InvalidPolicy(f"campaign_freezes: the freeze from {span} has no reason")
    begin = _moment("freezes: from", entry["from"], zone)
    end = _moment("freezes: to", entry["to"], zone, end=True)
    if end <= begin:
        raise InvalidPolicy(f"campaign_freezes: the freeze from {span} ends before it begins")
    remedies = _remedies("freezes: remedies", entry.get("remedies") or ())
    return Freeze(begin, end, reason, remedies)


def _moment(name: str, value: Any, zone: tzinfo | None, *, end: bool = False) -> float:
    """A moment; of a date its beginning, or its end."""
    text = str(value).strip()
    try:
        if len(text) == len("2026-12-31"):
            day = date.fromisoformat(text) + timedelta(days=int(end))
            return datetime.combine(day, time(0), tzinfo=zone).timestamp()
        moment = datetime.fromisoformat(text.removesuffix("Z") + "+00:00" * text.endswith("Z"))
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        return moment.timestamp()
    except (ValueError, OverflowError, OSError):
        raise InvalidPolicy(
            f"campaign_{name} is {value!r}, which is not a date (such as 2026-12-31)"
        ) from None
