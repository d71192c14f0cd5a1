# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Names within the page: each host and each root cause has one, and the same one in each run."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from .model import Report
from .shared import view

LENGTH = 100
_OTHER = re.compile(r"[^A-Za-z0-9._@-]+")


class Anchors(NamedTuple):
    """The name of each host, of each root cause, and of the root cause of each finding."""

    hosts: dict[str, str]
    causes: dict[str, str]  # by the finding's id
    findings: dict[tuple[str, str], str]  # by host and the finding's id


def of(report: Report, causes: Iterable[view.Cause]) -> Anchors:
    """The names for this report. `causes` are its root causes."""
    causes = list(causes)
    taken: set[str] = set()
    by_host = {host.name: _name("host", host.name, taken) for host in report.hosts}
    by_cause = {cause.finding.id: _name("cause", cause.finding.id, taken) for cause in causes}
    by_finding: dict[tuple[str, str], str] = {}
    for cause in causes:
        for host, finding in (*cause.places, *cause.explains):
            by_finding.setdefault((host, finding.id), by_cause[cause.finding.id])
    return Anchors(by_host, by_cause, by_finding)


def _name(kind: str, text: str, taken: set[str]) -> str:
    """Letters that need no quoting anywhere; a number where two texts would have the same name."""
    first = name = f"{kind}-{_OTHER.sub('-', text)[:LENGTH]}"
    number = 1
    while name in taken:
        number += 1
        name = f"{first}-{number}"
    taken.add(name)
    return name
