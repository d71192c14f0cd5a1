# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A host's score and grade: one number to sort a fleet by. docs/user/report.md has the same table."""

from __future__ import annotations

from .model import Grade, Host

PERFECT = 100

# What a finding costs: as a root cause, and where another finding explains it.
COSTS = {"critical": (40, 10), "warning": (10, 5), "info": (0, 0)}
COST_OF_UNKNOWN = 10  # each module in an unknown state

# The least score that has the grade.
GRADES: tuple[tuple[Grade, int], ...] = (("A", 95), ("B", 80), ("C", 65), ("D", 40), ("F", 0))


def score(host: Host) -> int | None:
    """100 where nothing is wrong, down to 0; None without a diagnosis."""
    if host.status != "diagnosed":
        return None
    points = PERFECT
    for finding in host.findings:
        root, explained = COSTS[finding.severity.value]
        points -= explained if finding.caused_by_ids else root
    points -= COST_OF_UNKNOWN * sum(1 for module in host.modules if module.verdict == "unknown")
    points -= COST_OF_UNKNOWN * len(blind(host))
    return max(0, points)


def blind(host: Host) -> list[str]:
    """The probes that were to look and could not: a host is healthy only if all was seen."""
    return [probe.probe for probe in host.unseen if probe.kind != "skipped"]


def grade(points: int | None) -> Grade | None:
    """A to F for a score."""
    if points is None:
        return None
    return next(letter for letter, least in GRADES if points >= least)
