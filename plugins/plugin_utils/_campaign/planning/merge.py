# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Findings that one remedy answers: one step on a module, and under one that is host-wide on all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import DEFAULT

from ..diagnosis.catalogue import ORDER
from ..diagnosis.model import HOST
from ..diagnosis.records import Finding
from . import ladder
from .ladder import REMEDIES


@dataclass(frozen=True)
class Draft:
    """A remedy on a module, and the findings that ask for it or that it covers."""

    remedy: str
    module: str
    instance: str
    subject: str
    findings: tuple[Finding, ...]

    def sort_key(self) -> tuple[bool, bool, int, bool, str, int, str]:
        """What finishes a repair first, then host-wide, start order, mild before strong."""
        return (
            not REMEDIES[self.remedy].finishes,
            not REMEDIES[self.remedy].host_wide, ORDER[self.module], self.instance != DEFAULT,
            self.instance, ladder.RANK[self.remedy], self.subject,
        )

    def instances(self) -> list[str]:
        """The instances that the remedy affects: several if they share what it changes."""
        if not REMEDIES[self.remedy].shared:
            return [self.instance]
        return sorted({f.instance for f in self.findings if f.remedy == self.remedy})

    def with_also(self, others: Iterable[Finding]) -> Draft:
        return Draft(
            self.remedy, self.module, self.instance, self.subject, (*self.findings, *others)
        )


def merged(findings: Iterable[Finding]) -> list[Draft]:
    """One step where one remedy does: on a module, and under one that is host-wide on all."""
    drafts: dict[tuple[str, str, str, str], Draft] = {}
    first: dict[tuple[str, str], str] = {}  # the instance whose step is also that of the others
    for finding in findings:
        # The machine is one, and so is a job or a workflow; elsewhere a remedy is for the module.
        instance = DEFAULT if finding.module == HOST else finding.instance
        name = str(finding.remedy)
        remedy = REMEDIES[name]
        if remedy.shared:
            instance = first.setdefault((finding.module, name), instance)
        subject = str(finding.evidence.get(remedy.subject_fact) or "") if remedy.subject_fact else ""
        identity = (finding.module, instance, name, subject)
        blank = Draft(name, *identity[:2], subject, ())
        drafts[identity] = drafts.get(identity, blank).with_also([finding])
    kept: list[Draft] = []
    # The strongest first, so that whatever may cover a draft exists when it is reached.
    for draft in sorted(drafts.values(), key=lambda d: (-ladder.RANK[d.remedy], d.sort_key())):
        covering = [
            number for number, other in enumerate(kept) if _covers(other, draft)
        ]
        if covering:
            mildest = min(covering, key=lambda n: ladder.RANK[kept[n].remedy])
            kept[mildest] = kept[mildest].with_also(draft.findings)
        else:
            kept.append(draft)
    return kept


def _covers(other: Draft, draft: Draft) -> bool:
    stronger, milder = REMEDIES[other.remedy], REMEDIES[draft.remedy]
    if stronger.independent or milder.independent or not ladder.covers(other.remedy, draft.remedy):
        return False
    same = other.module == draft.module and {*draft.instances()} <= {*other.instances()}
    return stronger.host_wide or same
