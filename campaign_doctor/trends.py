# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the history says of a longer time: which finding came how often, what helped, what came back,
and for which part of the time each module worked.

A diagnosis is a look at one moment. What it saw is taken to last until the next look at that host,
but for no longer than `valid`: a time without a diagnosis is unknown, and never healthy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import Any, NamedTuple

from .history import INTERRUPTED, History, Run
from .model import InvalidReport
from .shared.openmetrics import covers

Json = dict[str, Any]

HELPED = ("repaired", "done")
NO_REPAIR = "no repair of ours"
STATES = ("healthy", "degraded", "down", "unknown")
OFF = "not_expected"


class Look(NamedTuple):
    """What a run saw of one host."""

    began: float
    ended: float
    host: Json

    @property
    def diagnosed(self) -> bool:
        """Whether it saw anything."""
        return bool(self.host["status"] == "diagnosed")


@dataclass
class Trend:
    """A finding on a host: each time from when it was first seen to when it was seen to be gone."""

    host: str
    id: str
    key: str
    title: str
    times: int = 0
    since: float | None = None  # it holds since then, as far as is known
    last: float = 0.0
    seconds: list[float] = field(default_factory=list)
    helped: dict[str, int] = field(default_factory=dict)  # remedy: how often it was gone after it
    did_not_help: dict[str, int] = field(default_factory=dict)
    remedy: str | None = None  # the last one that helped in this time

    @property
    def came_back(self) -> int:
        """How often it was there again after it had gone."""
        return max(0, self.times - 1)

    def as_json(self) -> Json:
        """For other programs."""
        return {
            "host": self.host, "id": self.id, "key": self.key, "title": self.title,
            "times": self.times, "came_back": self.came_back, "open": self.since is not None,
            "last_seen": self.last, "seconds_to_repair": self.seconds,
            "helped": self.helped, "did_not_help": self.did_not_help,
        }


@dataclass
class Trends:
    """All of it, of a time."""

    since: float
    until: float
    runs: int
    findings: list[Trend]
    modules: dict[tuple[str, str, str], dict[str, float]]  # host, module, instance: seconds by state

    def as_json(self) -> Json:
        """For other programs; times are seconds since the epoch."""
        return {
            "since": self.since, "until": self.until, "runs": self.runs,
            "findings": [trend.as_json() for trend in self.findings],
            "modules": [
                {"host": host, "module": module, "instance": instance,
                 **{f"{state}_seconds": seconds[state] for state in STATES},
                 "availability": availability(seconds)}
                for (host, module, instance), seconds in sorted(self.modules.items())
            ],
        }


def availability(seconds: Mapping[str, float]) -> float | None:
    """The part of the known time in which a module was up; None if no time is known."""
    known = sum(seconds[state] for state in STATES if state != "unknown")
    return (seconds["healthy"] + seconds["degraded"]) / known if known else None


def of_history(history: History, since: float, until: float, valid: float) -> Trends:
    """What the runs of the history say together, those since then. One run at a time is in memory."""
    runs, hosts = set[int](), dict[str, _Host]()
    for run, look in _looks(history, since):
        runs.add(run.number)
        name = look.host["name"]
        hosts.setdefault(name, _Host(name)).see(look, since, valid)
    findings, modules = list[Trend](), dict[tuple[str, str, str], dict[str, float]]()
    for name, host in hosts.items():
        findings += host.trends.values()
        modules |= {(name, *module): seconds for module, seconds in host.times(since, until, valid)}
    findings.sort(key=lambda each: (-each.times, each.host, each.id))
    return Trends(since, until, len(runs), findings, modules)


def looks_of(history: History, since: float, host: str) -> list[tuple[Run, Look]]:
    """The looks at one host, with their runs, the first one first."""
    return [(run, look) for run, look in _looks(history, since) if look.host["name"] == host]


def _looks(history: History, since: float) -> Iterator[tuple[Run, Look]]:
    """Every look at a host by a complete run that can be read."""
    for run in history.since(since):
        if run.exit_code == INTERRUPTED:
            continue
        try:
            data = history.data(run.number)
        except (InvalidReport, LookupError):
            continue
        began, ended = epoch(data["started"]), epoch(data["finished"])
        for host in data["hosts"]:
            yield run, Look(began, ended, host)


class _Host:
    """What the looks at one host have said so far."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.trends: dict[str, Trend] = {}
        self._seconds: dict[tuple[str, str], dict[str, float]] = {}
        self._states: dict[tuple[str, str], tuple[float, str]] = {}  # since when each is as it is

    def see(self, look: Look, since: float, valid: float) -> None:
        """Go on with a look: its repairs come before what it saw."""
        for action in look.host.get("actions", ()):
            self._repair(look, action)
        if look.diagnosed:
            self._findings(look)
            states = {(each["module"], each["instance"]): each["verdict"]
                      for each in look.host["modules"]}
        else:
            states = dict.fromkeys(self._states, "unknown")
        for module, state in states.items():
            self._add(module, since, look.ended, valid)
            self._states[module] = look.ended, state

    def times(
        self, since: float, until: float, valid: float
    ) -> Iterator[tuple[tuple[str, str], dict[str, float]]]:
        """Seconds by state, for each module that any look expected to run."""
        for module in self._states:
            self._add(module, since, until, valid)
            seconds = self._seconds[module]
            if any(seconds[state] for state in STATES) or self._states[module][1] != OFF:
                seconds["unknown"] = 0.0
                seconds["unknown"] = max(0.0, until - since - sum(seconds.values()))
                del seconds[OFF]  # nobody misses it
                yield module, seconds

    def _add(self, module: tuple[str, str], since: float, until: float, valid: float) -> None:
        """A module was as it was last seen until then, but for no longer than that is valid."""
        seconds = self._seconds.setdefault(module, dict.fromkeys((*STATES, OFF), 0.0))
        if module in self._states:
            at, state = self._states[module]
            seconds[state] += max(0.0, min(until, at + valid) - max(at, since))

    def _repair(self, look: Look, action: Json) -> None:
        for identity in action.get("because", ()):
            trend = self.trends.setdefault(identity, Trend(self.name, identity, key_of(identity), ""))
            _open(trend, look.began)
            remedy = str(action["remedy"])
            if action["result"] in HELPED:
                trend.remedy = remedy
            elif action["result"] in ("not_repaired", "unproved"):
                trend.did_not_help[remedy] = trend.did_not_help.get(remedy, 0) + 1

    def _findings(self, look: Look) -> None:
        there = {each["id"]: each for each in look.host["findings"] if each["severity"] != "info"}
        for identity, finding in there.items():
            trend = self.trends.setdefault(identity, Trend(self.name, identity, finding["key"], ""))
            trend.title = finding["title"]
            _open(trend, look.ended)
            trend.last = look.ended
        checked = {module["module"] for module in look.host["modules"]}
        for identity, trend in self.trends.items():
            if identity not in there and trend.since is not None and covers(checked, identity):
                trend.seconds.append(max(0.0, look.ended - trend.since))
                helped = trend.remedy or NO_REPAIR
                trend.helped[helped] = trend.helped.get(helped, 0) + 1
                trend.since = trend.remedy = None


def _open(trend: Trend, at: float) -> None:
    if trend.since is None:
        trend.since, trend.last = at, at
        trend.times += 1


def of_modules(found: Trends) -> dict[tuple[str, str], dict[str, float]]:
    """The seconds of each module and instance on all hosts together."""
    together: dict[tuple[str, str], dict[str, float]] = {}
    for (_host, module, instance), seconds in found.modules.items():
        sums = together.setdefault((module, instance), dict.fromkeys(STATES, 0.0))
        for state in STATES:
            sums[state] += seconds[state]
    return together


def middle(seconds: Iterable[float]) -> float | None:
    """The median; None of nothing."""
    known = list(seconds)
    return median(known) if known else None


def key_of(identity: str) -> str:
    """The key in an id such as `mta.hung@prod#x`."""
    return identity.partition("@")[0]


def epoch(moment: str) -> float:
    """A time of a report."""
    return datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp()
