# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What is known of a host itself that holds its repairs back: a pause.

Pure: the same diagnosis and policy give the same answer.
"""

from __future__ import annotations

from ..diagnosis.records import Diagnosis
from .policy import Policy, Refusal

_YES = frozenset({"true", "yes", "on", "1", "y", "t"})


def paused(diagnosis: Diagnosis, policy: Policy) -> Refusal | None:
    """Whether repairs are paused on the host; its guards refuse them as well."""
    pause = diagnosis.paused
    if pause is None or str(policy.declared.get("accept_pause", "")).lower() in _YES:
        return None
    if pause.unknown:
        return Refusal("paused", f"it is unknown whether repairs are paused here: {pause.unknown}")
    reason = f"repairs are paused on this host: {pause.reason} ({pause.who or '?'})"
    return Refusal("paused", reason, pause.until)
