# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The approval of a plan by a second person, where the site requires one.

Pure. That the plan is still the one that was approved, saved.py checks when it reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from .policy import Policy
from .records import HostPlan, Plan, Step, Unplanned
from .saved import parts


def missing(plan: Plan, policy: Policy) -> str | None:
    """Why the plan is not approved as the policy of a host requires; None if it is."""
    if not policy.approval:
        return None
    required = "campaign_approval is required, and"
    approval = plan.approval
    if approval is None:
        return f"{required} nobody has approved this plan (campaign-doctor approve)"
    if not plan.made_by:
        return f"{required} the plan does not say who made it, so a second person is not certain"
    if approval.by == plan.made_by:
        return f"{required} {approval.by} both made the plan and approved it: a second person must"
    return None


def in_words(plan: Plan) -> str:
    """The approval in a sentence, for the plan's notes and the ledger; empty if there is none."""
    if plan.approval is None:
        return ""
    made = f", made by {plan.made_by}" if plan.made_by else ""
    return f"plan {plan.run}{made}, approved by {plan.approval.by} at {plan.approval.at}"


def enforced(plan: Plan, policies: Mapping[str, Policy]) -> Plan:
    """The plan with the approval in the notes, and without the steps that lack one."""
    return replace(plan, hosts=tuple(
        _enforced(host, plan, policies.get(host.name, Policy())) for host in plan.hosts
    ))


def _enforced(host: HostPlan, plan: Plan, policy: Policy) -> HostPlan:
    if not host.steps:
        return host
    reason = missing(plan, policy)
    if reason:
        left = [each for step in host.steps for each in _left(step, reason)]
        return replace(host, refused=reason, steps=(), left=(*host.left, *left))
    said = in_words(plan)
    return replace(host, notes=(*host.notes, said)) if said else host


def _left(step: Step, reason: str) -> list[Unplanned]:
    """The findings that the step would have answered."""
    found = []
    for id in step.because:
        key, instance, _subject = parts(id)
        found.append(Unplanned(
            id=id, key=key, module=step.module, instance=instance, severity=step.severity,
            why="policy", reason=reason,
        ))
    return found
