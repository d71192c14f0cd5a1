# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""How long muted findings have been gone: a mute ends when its finding has been gone for a day.

Pure. Only complete diagnoses of a host count: what was not looked at is not gone. Whoever changes a
mute in the inventory, such as its end or its reason, begins anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..diagnosis.catalogue import BY_KEY
from ..diagnosis.model import HOST
from ..diagnosis.records import Diagnosis, Record
from .policy import Mute
from .saved import iso

SCHEMA = 1
WHAT = "memory of mutes"
DAY_SECONDS = 86_400.0
KEPT_SECONDS = 90 * DAY_SECONDS  # a host that no run has looked at for so long is forgotten


@dataclass(frozen=True, kw_only=True)
class Absence(Record):
    """From when to when the finding of a mute was not found; `ended`: it came back after a day."""

    mute: str
    since: float = field(metadata={"key": "from"})
    last: float = field(metadata={"key": "to"})
    ended: bool = False

    @property
    def ends(self) -> bool:
        """Whether that ends the mute."""
        return self.ended or self.last - self.since >= DAY_SECONDS


@dataclass(frozen=True, kw_only=True)
class HostMemory(Record):
    """A host. `targets`: the modules that were looked at in the last complete diagnosis."""

    name: str
    at: float
    targets: tuple[str, ...] = ()
    mutes: tuple[Absence, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Memory(Record):
    """What is kept from one run to the next."""

    schema: int = SCHEMA
    what: str = WHAT
    hosts: tuple[HostMemory, ...] = ()

    def of_host(self, name: str) -> HostMemory:
        """What is known of a host."""
        return next((host for host in self.hosts if host.name == name), HostMemory(name=name, at=0.0))


def marked(mutes: Iterable[Mute], known: HostMemory, now: float) -> tuple[Mute, ...]:
    """The mutes of a host, each with the absence that has ended it."""
    ended = {
        each.mute: (each.since, each.last)
        for each in known.mutes if each.ends and 0 <= each.since <= each.last <= now
    }
    return tuple(replace(mute, gone=ended.get(name_of(mute))) for mute in mutes)


def name_of(mute: Mute) -> str:
    """What identifies a mute."""
    where = f"{mute.key}@{mute.instance or '*'}"
    return f"{where} on {mute.host or '*'} until {iso(mute.until)}: {mute.reason}"


def remembered(
    memory: Memory,
    diagnoses: Iterable[Diagnosis],
    mutes: Mapping[str, Sequence[Mute]],
    now: float,
) -> Memory:
    """The memory after a run. `mutes` by host."""
    hosts = {host.name: host for host in memory.hosts if now - host.at < KEPT_SECONDS}
    for diagnosis in diagnoses:
        name, known = diagnosis.name, memory.of_host(diagnosis.name)
        hosts.pop(name, None)
        if mutes.get(name):
            complete = _complete(diagnosis, known)
            hosts[name] = HostMemory(
                name=name,
                at=now,
                targets=tuple(_targets(diagnosis)) if complete else known.targets,
                mutes=tuple(
                    absence for mute in mutes[name]
                    if (absence := _absence(mute, diagnosis, known, now, complete=complete))
                ),
            )
    return Memory(hosts=tuple(sorted(hosts.values(), key=lambda host: host.name)))


def _absence(
    mute: Mute, diagnosis: Diagnosis, known: HostMemory, now: float, *, complete: bool
) -> Absence | None:
    """The absence of a mute's finding, after a diagnosis; None if it is there."""
    name = name_of(mute)
    before = next((each for each in known.mutes if each.mute == name), None)
    if any(mute.names(diagnosis.name, finding) for finding in diagnosis.findings):
        return replace(before, ended=True) if before and before.ends else None
    if (before and before.ended) or not complete or not _judged(mute, diagnosis):
        return before
    if before is None or not before.since <= before.last <= now:  # else a clock went backwards
        return Absence(mute=name, since=now, last=now)
    return replace(before, last=now)


def _targets(diagnosis: Diagnosis) -> list[str]:
    return sorted(f"{module.module}@{module.instance}" for module in diagnosis.modules)


def _complete(diagnosis: Diagnosis, known: HostMemory) -> bool:
    """Whether a host was looked at as a whole, with every probe and what was there before."""
    return (
        diagnosis.error is None
        and diagnosis.reachable
        and not any(probe.kind != "skipped" for probe in diagnosis.unseen)
        and diagnosis.whole
        and set(known.targets).issubset(_targets(diagnosis))
    )


def _judged(mute: Mute, diagnosis: Diagnosis) -> bool:
    """Whether a complete diagnosis would have found the finding."""
    problem = BY_KEY[mute.key]
    if {probe.probe for probe in diagnosis.unseen}.intersection(problem.needs):
        return False  # skipped
    for id in diagnosis.untried:
        key, _at, instance = id.partition("@")
        if key == mute.key and mute.instance in (None, instance):
            return False
    return problem.module == HOST or not any(
        module.verdict == "unknown" and mute.instance in (None, module.instance)
        for module in diagnosis.modules if module.module == problem.module
    )
