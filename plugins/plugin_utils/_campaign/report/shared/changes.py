# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What changed from one report to the next.

Uses the standard library and model.py beside it only: campaign_doctor has this very file, by a
link, and compares the reports of its history with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..model import (
    Change,
    Changes,
    Finding,
    Host,
    HostChanges,
    Report,
    ScoreChange,
    Severity,
    Since,
    Was,
)

SEVERITIES = tuple(severity.value for severity in Severity)

# The same trouble in several degrees, the mildest first: from one to the next it got worse.
DEGREES = (
    ("disk_filling", "disk_almost_full", "disk_full"),
    ("memory_high", "memory_exhausted"),
    ("load_rising", "load_high"),
    ("memory_warning", "memory_alert"),
    ("errors_few", "errors_many"),
)
_DEGREE = {name: (row[0], degree) for row in DEGREES for degree, name in enumerate(row)}

Trouble = tuple[str, str]  # problem and subject, in any degree


@dataclass
class _Found:
    """The result so far: the changes by kind, the names of hosts by kind, the scores."""

    changes: dict[str, list[Change]] = field(default_factory=dict)
    hosts: dict[str, list[str]] = field(default_factory=dict)
    scores: list[ScoreChange] = field(default_factory=list)

    def enter(self, kind: str, host: str, finding: Finding, earlier: Finding | None = None) -> None:
        """A finding that changed."""
        was = None if earlier is None else Was(id=earlier.id, severity=earlier.severity)
        self.changes.setdefault(kind, []).append(
            Change(
                host=host, id=finding.id, key=finding.key, module=finding.module,
                instance=finding.instance, severity=finding.severity, title=finding.title,
                summary=finding.summary, was=was,
            )
        )

    def graded(self, kind: str) -> tuple[Change, ...]:
        """The changes of a kind, the gravest first."""
        return tuple(sorted(self.changes.get(kind, ()), key=lambda change: change.severity.rank))


def between(old: Report, new: Report, needs: Mapping[str, Sequence[str]]) -> Changes:
    """What is new, gone, worse, better or not checked; `changes` of report.json.

    `needs` are, by key, the probes without which a problem is not judged: a finding that is not
    there because its probe failed is not gone.
    """
    before = {host.name: host for host in old.hosts}
    after = {host.name: host for host in new.hosts}
    found = _Found()
    for name, host in after.items():
        _host(before.get(name), host, needs, found)
    return Changes(
        since=Since(run=old.run, finished=old.finished),
        new=found.graded("new"), gone=found.graded("gone"), worse=found.graded("worse"),
        better=found.graded("better"), unseen=found.graded("unseen"),
        hosts=HostChanges(
            appeared=tuple(name for name in after if name not in before),
            vanished=tuple(name for name in before if name not in after),
            lost=tuple(found.hosts.get("lost", ())), back=tuple(found.hosts.get("back", ())),
        ),
        scores=tuple(found.scores),
    )


def _host(
    old: Host | None, new: Host, needs: Mapping[str, Sequence[str]], found: _Found
) -> None:
    name = new.name
    had = old is not None and old.status == "diagnosed"
    has = new.status == "diagnosed"
    if old is not None and had != has:
        found.hosts.setdefault("back" if has else "lost", []).append(name)
    was = None if old is None else old.score
    if new.score is not None and was is not None and new.score != was:
        found.scores.append(ScoreChange(host=name, score=new.score, was=was))
    former = dict(_findings(old)) if old is not None else {}
    present = dict(_findings(new))
    for trouble, finding in present.items():
        earlier = former.get(trouble)
        if earlier is None:
            found.enter("new", name, finding)
        elif _rank(finding) != _rank(earlier):
            kind = "worse" if _rank(finding) < _rank(earlier) else "better"
            found.enter(kind, name, finding, earlier)
    for trouble, finding in former.items():
        if trouble not in present and old is not None:
            seen = has and _looked_at(finding, old, new, needs)
            found.enter("gone" if seen else "unseen", name, finding)


def _findings(host: Host) -> Iterator[tuple[Trouble, Finding]]:
    """A host's findings by what they are about, the gravest degree of each."""
    for finding in sorted(host.findings, key=_rank, reverse=True):
        name = finding.key.partition(".")[2]
        about = finding.id.removeprefix(finding.key)
        yield (f"{finding.module}.{_DEGREE.get(name, (name, 0))[0]}", about), finding


def _rank(finding: Finding) -> tuple[int, int]:
    """The less, the graver."""
    degree = _DEGREE.get(finding.key.partition(".")[2], ("", 0))[1]
    return finding.severity.rank, -degree


def _looked_at(
    finding: Finding, old: Host, new: Host, needs: Mapping[str, Sequence[str]]
) -> bool:
    """Whether a finding of the old run would have been found again in the new one."""
    failed = {probe.probe for probe in new.unseen}
    if failed.intersection(needs.get(finding.key, ())):
        return False
    modules = {(module.module, module.instance) for module in new.modules}
    if finding.module == "host":
        # The machine is judged only where all modules were requested.
        return modules >= {(module.module, module.instance) for module in old.modules}
    return (finding.module, finding.instance) in modules
