# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What is known of a host itself that holds its repairs back: a pause, and findings that keep coming
back.

Pure: the same diagnosis and policy give the same answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone

from ..diagnosis.records import Diagnosis, Finding
from .policy import Policy, Refusal

DAY = 86400.0
DATES = 5  # of earlier repairs that are told
# What ends something that we or an operator have begun must not stay undone.
_ALWAYS = frozenset({"finish_repair", "restore_log_precision"})
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


def recurring(finding: Finding, diagnosis: Diagnosis, policy: Policy, now: float) -> Refusal | None:
    """Whether the finding has come back so often after a repair that an operator must find the cause.

    The times are those of the host's clock, so is the present.
    """
    limit = policy.recurrence
    present = now if diagnosis.taken_at is None else diagnosis.taken_at
    known = sorted(
        (each.at, each.remedy) for each in diagnosis.repaired or ()
        if each.id == finding.id and present - limit.days * DAY < each.at <= present
    )
    if len(known) <= limit.times or finding.remedy in _ALWAYS:
        return None
    dates = [_date(at) for at, _remedy in known]
    listed = ", ".join(dates[-DATES:])
    if len(dates) > DATES:
        listed = f"the last on {listed}"
    remedies = " or ".join(dict.fromkeys(remedy or "a remedy" for _at, remedy in known))
    days = f"{limit.days} days" if limit.days > 1 else "1 day"
    reason = (
        f"came back {len(known)} times in {days}, each time repaired by {remedies} ({listed} UTC):"
        " the repair does not last; find the cause"
    )
    return Refusal("recurring", reason, known[-limit.times - 1][0] + limit.days * DAY)


def notes(diagnosis: Diagnosis, policy: Policy, now: float) -> Iterator[str]:
    """What is not known of earlier repairs; the plan goes on, and its reader is told."""
    failed = next((each for each in diagnosis.unseen if each.probe == "ledger"), None)
    if failed is not None:
        yield (
            f"the ledger of this host could not be read ({failed.message or failed.kind}), so it is"
            " unknown whether findings keep coming back, or repairs are paused"
        )
    begins, present = diagnosis.ledger_begins_at, diagnosis.taken_at or now
    if begins is not None and begins > present - policy.recurrence.days * DAY:
        yield (
            f"the ledger of this host was read back to {_date(begins)} UTC only: earlier repairs do"
            " not count for campaign_recurrence"
        )


def _date(at: float) -> str:
    return datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%d %H:%M")
