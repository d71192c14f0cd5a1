# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A finding that is the same on several hosts: what holds on all of them, and what differs."""

from __future__ import annotations

from typing import NamedTuple

from .model import Finding
from .shared import view, words

Facts = list[tuple[str, str]]


class Row(NamedTuple):
    """What differs on a host; None where the fix is that of all."""

    host: str
    summary: str
    values: list[str]
    fix: Finding | None


class Alike(NamedTuple):
    """The facts of all hosts; names of the others, and a row for each host if anything differs."""

    facts: Facts
    names: list[str]
    rows: list[Row]

    @property
    def summaries(self) -> bool:
        """Whether the summaries differ."""
        return any(row.summary for row in self.rows)

    @property
    def fixes(self) -> bool:
        """Whether the fixes differ."""
        return any(row.fix for row in self.rows)


def of(group: view.Cause) -> Alike:
    """The common part of a group of findings."""
    facts = [dict(words.facts(finding.evidence)) for _host, finding in group.places]
    every = list(dict.fromkeys(name for each in facts for name in each))
    differing = [name for name in every if len({each.get(name) for each in facts}) > 1]
    same = [(name, value) for name, value in facts[0].items() if name not in differing]
    several = len({finding.summary for _host, finding in group.places}) > 1
    if not differing and not several and group.one_fix:
        return Alike(same, [], [])
    rows = [
        Row(host, finding.summary if several else "", [each.get(name, "") for name in differing],
            None if group.one_fix else finding)
        for (host, finding), each in zip(group.places, facts, strict=True)
    ]
    return Alike(same, differing, rows)
