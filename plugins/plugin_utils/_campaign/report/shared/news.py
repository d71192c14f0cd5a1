# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What leaves the machine of a report: its root causes, and what is new, worse, better or fixed.

Only what the catalogue says of a problem, and names of hosts, modules and instances. The facts of a
finding stay here, and so do the texts with facts in them: they may hold names of operators,
addresses and lines of logs.

Uses the standard library only: campaign_doctor has this very file, by a link, and reads its own
model.py with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from . import view, words

if TYPE_CHECKING:
    from ..model import Change, Changes, Finding, Report

SEVERITIES = ("critical", "warning", "info")
KINDS = ("new", "worse", "better", "fixed", "")  # the last: it has not changed
Node = tuple[str, str]  # a finding in the whole report: host, id


class Effect(NamedTuple):
    """Findings of one kind that a root cause explains."""

    key: str
    module: str
    instance: str
    severity: str
    title: str
    hosts: tuple[str, ...]


class Item(NamedTuple):
    """A root cause, on all hosts that have it. `changed`: the hosts where something is new in it."""

    kind: str
    key: str
    module: str
    instance: str
    severity: str
    title: str
    hosts: tuple[str, ...]
    changed: tuple[str, ...]
    worst: str  # severity of what has changed in it
    automatic: bool = False
    effects: tuple[Effect, ...] = ()

    @property
    def headline(self) -> str:
        """The title with the module that it is about."""
        return words.titled(self.module, self.instance, self.title)


class Silent(NamedTuple):
    """Hosts without a diagnosis, with what to do. `changed`: those that had one before."""

    status: str
    advice: str
    hosts: tuple[str, ...]
    changed: tuple[str, ...]


class News(NamedTuple):
    """All of it. `since`: when the run ended that it is compared with; None if there is none."""

    since: str | None
    causes: tuple[Item, ...]
    fixed: tuple[Item, ...]
    silent: tuple[Silent, ...]
    back: tuple[str, ...]

    def worth_telling(self, severity: str, *, fixed: bool = True) -> News:
        """Only what has changed, of this severity or above."""
        return self._replace(
            causes=tuple(each for each in self.causes if each.kind and each.kind != "better"
                         and _grave(each.worst, severity)),
            fixed=tuple(each for each in self.fixed if _grave(each.worst, severity)
                        and not (each.kind == "better" and _grave(each.severity, severity))
                        ) if fixed else (),
            silent=tuple(each for each in self.silent if each.changed),
            back=self.back if fixed else (),
        )

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(self.causes or self.fixed or self.silent or self.back)


def of(report: Report, changes: Changes | None, before: Report | None = None) -> News:
    """The news of a report; `changes` are those from the report `before`."""
    kinds: dict[Node, str] | None = None
    if changes is not None:
        kinds = {(change.host, change.id): kind for kind in ("better", "worse", "new")
                 for change in getattr(changes, kind)}  # fmt: skip
    causes = [_item(group, kinds) for group in _grouped(report)]
    causes.sort(key=lambda item: (SEVERITIES.index(item.severity), KINDS.index(item.kind),
                                  -len(item.hosts), item.key))  # fmt: skip
    return News(
        since=None if changes is None else changes.since.finished,
        causes=tuple(causes),
        fixed=() if changes is None else tuple(_fixed(changes, before)),
        silent=tuple(_silent(report, changes)),
        back=() if changes is None else tuple(changes.hosts.back),
    )


Found = tuple[str, "Finding"]


class _Group(NamedTuple):
    """Root causes that read the same, and what they explain, each with its host."""

    roots: list[Found]
    effects: list[Found]


def _grouped(report: Report) -> Iterable[_Group]:
    findings = {(host.name, each.id): each for host in report.hosts for each in host.findings}
    groups: dict[tuple[str, ...], _Group] = {}
    for root in report.roots:
        finding = findings[root.host, root.id]
        group = groups.setdefault(_alike(finding), _Group([], []))
        group.roots.append((root.host, finding))
        group.effects.extend((each.host, findings[each.host, each.id]) for each in root.explains)
    return groups.values()


def _alike(finding: Finding | Change) -> tuple[str, ...]:
    return finding.key, finding.module, finding.instance, finding.severity.value


def _item(group: _Group, kinds: Mapping[Node, str] | None) -> Item:
    finding = group.roots[0][1]
    changed: list[tuple[str, Finding, str]] = []
    for host, each in (*group.roots, *group.effects):
        kind = "new" if kinds is None else kinds.get((host, each.id), "")
        if kind:
            changed.append((host, each, kind))
    severities = [each.severity.value for _host, each, kind in changed if kind != "better"]
    return Item(
        kind=min((kind for _host, _each, kind in changed), key=KINDS.index, default=""),
        key=finding.key, module=finding.module, instance=finding.instance,
        severity=finding.severity.value, title=finding.title,
        hosts=_hosts(group.roots),
        changed=_unique(host for host, _each, _kind in changed),
        worst=min(severities, key=SEVERITIES.index, default="info"),
        automatic=all(each.automatic for _host, each in group.roots),
        effects=tuple(_effects(group.effects)),
    )


def _effects(found: Iterable[Found]) -> Iterator[Effect]:
    groups: dict[tuple[str, ...], list[Found]] = {}
    for host, finding in found:
        groups.setdefault(_alike(finding), []).append((host, finding))
    for (key, module, instance, severity), same in groups.items():
        yield Effect(key, module, instance, severity, same[0][1].title, _hosts(same))


def _fixed(changes: Changes, before: Report | None) -> Iterator[Item]:
    """What is gone and what got better; effects that went with their cause are not told."""
    gone = {change.id for change in changes.gone}
    followed = {
        (host.name, finding.id) for host in (before.hosts if before else ())
        for finding in host.findings if gone.intersection(finding.caused_by_ids)
    }
    groups: dict[tuple[str, ...], list[Change]] = {}
    for kind, those in (("fixed", changes.gone), ("better", changes.better)):
        for change in those:
            if kind == "better" or (change.host, change.id) not in followed:
                was = change.was.severity.value if change.was else change.severity.value
                groups.setdefault((kind, *_alike(change), was), []).append(change)
    for (kind, key, module, instance, severity, was), same in groups.items():
        hosts = _unique(change.host for change in same)
        yield Item(kind, key, module, instance, severity, same[0].title, hosts, hosts, was)


def _silent(report: Report, changes: Changes | None) -> Iterator[Silent]:
    """The hosts without a diagnosis; those that need the same are told together."""
    groups: dict[tuple[str, str], list[str]] = {}
    for host in report.hosts:
        if host.status != "diagnosed":
            groups.setdefault((host.status, view.advice(host)), []).append(host.name)
    for (status, advice), hosts in groups.items():
        new = hosts if changes is None else [
            name for name in hosts
            if name in changes.hosts.lost or name in changes.hosts.appeared
        ]
        yield Silent(status, advice, tuple(hosts), tuple(new))


def _grave(severity: str, least: str) -> bool:
    return SEVERITIES.index(severity) <= SEVERITIES.index(least)


def _hosts(found: Iterable[Found]) -> tuple[str, ...]:
    return _unique(host for host, _finding in found)


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
