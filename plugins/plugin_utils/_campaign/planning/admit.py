# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What of a plan that was saved (saved.py) still holds for the servers as they are now.

Pure: the same plan, diagnoses, policies and time give the same answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from ..diagnosis.catalogue import BY_KEY
from ..diagnosis.causes import across_hosts
from ..diagnosis.records import Diagnosis, Finding
from .make import explained, module_ids_of, plan_of_host, process_of, unplanned_for, with_work
from .policy import ModuleId, Policy, Refusal
from .records import AtWork, Fingerprint, HostPlan, Plan, Step
from .saved import InvalidPlan, epoch, iso, parts

CLOCK_GRACE = 300  # seconds that another controller's clock may be ahead


def changed(
    planned: Fingerprint, diagnosis: Diagnosis
) -> str | None:
    """How a server differs from its fingerprint; None if it does not."""
    present = {finding.id: finding for finding in diagnosis.findings}
    gone = [id for id in planned.findings if id not in present]
    if gone:
        return f"{gone[0]} is no longer found"
    now_explained = [id for id in planned.findings if explained(present[id])]
    if now_explained:
        cause = ", ".join(present[now_explained[0]].caused_by_ids)
        return f"{now_explained[0]} is now explained by {cause}"
    processes = {
        f"{module.module}@{module.instance}": process_of(module) for module in diagnosis.modules
    }
    for target, before in planned.processes.items():
        after = processes.get(target, "not present")
        if after != before:
            return f"{target} was {before} when the plan was made and is now {after}"
    return None


def admit(
    plan: Plan,
    diagnoses: Sequence[Diagnosis],
    policies: Mapping[str, Policy],
    *,
    now: float,
    work: Mapping[str, AtWork] | None = None,
) -> Plan:
    """A plan that was read, with what of it still holds for the servers as they are now.

    A host whose state has changed keeps no step. A step that today's policy does not allow is
    left out, and so is a rung. Hosts that the plan does not know get none.
    """
    check_time(plan, now)
    planned = {host.name: host for host in plan.hosts}
    hosts = [
        with_work(
            _admitted(planned.get(diagnosis.name), diagnosis, policies, now),
            (work or {}).get(diagnosis.name),
        )
        for diagnosis in across_hosts(diagnoses)
    ]
    return replace(plan, hosts=tuple(sorted(hosts, key=lambda host: host.name)))


def check_time(plan: Plan, now: float) -> None:
    """Raises InvalidPlan for a plan that is not of now."""
    expires, made = epoch(plan.expires_at), epoch(plan.made_at)
    if now >= expires:
        raise InvalidPlan(
            f"the plan has expired at {plan.expires_at}: make a new one"
            " (it describes the state at that time)"
        )
    if made > now + CLOCK_GRACE:
        raise InvalidPlan(
            f"the plan was made at {plan.made_at}, which is in the future by the clock of this"
            " machine"
        )


def _admitted(
    planned: HostPlan | None, diagnosis: Diagnosis, policies: Mapping[str, Policy], now: float
) -> HostPlan:
    policy = policies.get(diagnosis.name, Policy())
    if planned is None:
        return HostPlan(
            name=diagnosis.name, error=diagnosis.error,
            notes=("the plan does not cover this host",),
        )
    if not planned.steps:
        return replace(planned, error=diagnosis.error, refused=None)
    reason = diagnosis.error or changed(planned.fingerprint, diagnosis)
    unplanned = list(planned.left)
    findings = {finding.id: finding for finding in diagnosis.findings}
    fresh = plan_of_host(diagnosis, policy, frozenset(), now)
    blocked = {entry.id: entry for entry in fresh.left}
    module_ids = module_ids_of(diagnosis)
    steps: list[Step] = []
    for step in sorted(planned.steps, key=lambda step: step.order):
        if reason:
            unplanned += [
                unplanned_for(finding, Refusal("state_changed", reason))
                for finding in _findings_of(step, findings)
            ]
            continue
        alone = [blocked[id] for id in step.because if id in blocked]
        refusal = policy.on_remedy(step.remedy, module_ids, now)
        if alone and not refusal:
            with_it = f"was planned together with {alone[0].id}, which is no longer planned"
            refusal = Refusal(alone[0].why, with_it)
        if refusal:
            unplanned += alone
            unplanned += [unplanned_for(findings[id], refusal) for id in step.because if id not in blocked]
        else:
            steps.append(_bounded(step, policy, module_ids, now))
    return replace(
        planned,
        error=diagnosis.error,
        refused=reason,
        steps=tuple(replace(step, order=number) for number, step in enumerate(steps, 1)),
        left=tuple(unplanned),
    )


def _findings_of(step: Step, findings: Mapping[str, Finding]) -> Iterator[Finding]:
    """The findings of a step, as they are now or, if they have cleared, as in the plan."""
    for id in step.because:
        key, instance, _subject = parts(id)
        yield findings.get(id) or Finding(
            id=id, key=key, module=BY_KEY[key].module, instance=instance, severity=step.severity,
            title="",
        )


def _bounded(step: Step, policy: Policy, module_ids: Sequence[ModuleId], now: float) -> Step:
    """A step with the rungs that today's policy allows."""
    rungs: list[str] = []
    limit = step.limit
    for rung in step.rungs:
        refusal = policy.on_remedy(rung, module_ids, now)
        if refusal:
            limit = refusal.reason
            break
        rungs.append(rung)
    closes = policy.closes(rungs, now)
    return replace(
        step,
        rungs=tuple(rungs),
        rungs_for={rung: step.rungs_for[rung] for rung in rungs},
        limit=limit,
        asks=step.asks or policy.ask,
        not_after=None if closes is None else iso(closes),
    )
