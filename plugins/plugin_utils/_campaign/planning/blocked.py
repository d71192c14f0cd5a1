# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What keeps remedies from being tried: a stop would succeed, and the start after it would not."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import (
    DEFAULT,
    SHARED,
)

from ..diagnosis.records import Finding
from .ladder import REMEDIES

# No module starts while one of these holds.
NOTHING_STARTS = (
    "watchdog.environment_broken", "watchdog.nlserver_fails", "watchdog.wrong_library",
)
BROKEN_FILE = "host.configuration_unreadable"


def blocked(finding: Finding, findings: Sequence[Finding]) -> str | None:
    """Why the remedy of a finding is not tried as long as others hold; None if it may be."""
    remedy = finding.remedy or ""
    if remedy not in REMEDIES or REMEDIES[remedy].harmless:
        return None
    for other in findings:
        if other.key in NOTHING_STARTS:
            return f"no module could be started: {other.summary}"
        if other.key == BROKEN_FILE and _concerns(other, finding, remedy):
            return (
                "a stopped or reloaded module may not come back, as a file cannot be read:"
                f" {other.summary}"
            )
    return None


def _concerns(broken: Finding, finding: Finding, remedy: str) -> bool:
    """A file of one instance concerns its modules, and whatever all instances share."""
    shared = finding.module in (*SHARED, "host") or REMEDIES[remedy].host_wide
    return broken.instance == DEFAULT or shared or broken.instance == finding.instance
