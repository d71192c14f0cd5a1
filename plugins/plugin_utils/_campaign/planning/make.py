# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""From diagnoses and policies to the plan: who gets which remedy, in which order, and who none.

Pure: the same diagnoses, policies and time give the same plan.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import get_args

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import DEFAULT

from ..diagnosis.catalogue import ORDER
from ..diagnosis.causes import across_hosts
from ..diagnosis.model import HOST, INFO
from ..diagnosis.records import Diagnosis, Finding, Module, Severity
from . import announce, held, ladder
from .blocked import blocked
from .ladder import REMEDIES
from .merge import Draft, merged
from .policy import ModuleId, Policy, Refusal
from .records import AtWork, Fingerprint, HostPlan, Plan, Step, Unplanned, Why
from .saved import iso

WHYS: tuple[Why, ...] = get_args(Why)


def make(
    diagnoses: Sequence[Diagnosis],
    policies: Mapping[str, Policy],
    *,
    now: float,
    run: str,
    collection: str,
    valid_minutes: float = 60,
    exhausted: Mapping[str, Collection[str]] | None = None,
    work: Mapping[str, AtWork] | None = None,
) -> Plan:
    """The plan for a fleet.

    `policies` by host; a host without one has none. `exhausted` by host: ids of findings for which this run
    has already tried every documented remedy. `work` by host: what is in flight there.
    """
    tried, at_work = exhausted or {}, work or {}
    hosts: list[HostPlan] = []
    for diagnosis in across_hosts(diagnoses):
        name = diagnosis.name
        policy, exhausted_here = policies.get(name, Policy()), frozenset(tried.get(name, ()))
        host = plan_of_host(diagnosis, policy, exhausted_here, now)
        hosts.append(with_work(host, at_work.get(name)))
    return Plan(
        made_at=iso(now),
        expires_at=iso(now + 60 * valid_minutes),
        run=run,
        collection=collection,
        hosts=tuple(sorted(hosts, key=lambda host: host.name)),
    )


def plan_of_host(
    diagnosis: Diagnosis, policy: Policy, exhausted: frozenset[str], now: float
) -> HostPlan:
    """The plan of one host."""
    findings = diagnosis.findings
    module_ids = module_ids_of(diagnosis)
    gravest = _gravest(findings)
    wanted: list[Finding] = []
    unplanned: list[Unplanned] = []
    notes: list[str] = []
    for finding in findings:
        if finding.severity is INFO and not finding.remedy:
            continue
        refusal = explained(finding)
        if refusal is None:
            refusal, said = policy.on_finding(diagnosis.name, finding, gravest[finding.id], now)
            notes += said
        refusal = refusal or _unplannable(finding, exhausted)
        reason = None if refusal else blocked(finding, findings)
        refusal = Refusal("no_automatic_remedy", reason) if reason else refusal
        refusal = refusal or policy.on_remedy(str(finding.remedy), module_ids, now)
        refusal = refusal or held.recurring(finding, diagnosis, policy, now)
        refusal = refusal or held.paused(diagnosis, policy)
        if refusal is None:
            wanted.append(finding)
        else:
            unplanned.append(unplanned_for(finding, refusal))
    if wanted:
        notes += held.notes(diagnosis, policy, now)
    drafts = sorted(merged(wanted), key=Draft.sort_key)
    steps = tuple(
        _step(number, draft, policy, module_ids, now, diagnosis)
        for number, draft in enumerate(drafts, 1)
    )
    return HostPlan(
        name=diagnosis.name,
        error=diagnosis.error,
        fingerprint=fingerprint(diagnosis, steps),
        steps=steps,
        left=tuple(unplanned),
        notes=tuple(notes),
    )


def module_ids_of(diagnosis: Diagnosis) -> list[ModuleId]:
    """The modules on a host."""
    return [(module.module, module.instance) for module in diagnosis.modules]


def explained(finding: Finding) -> Refusal | None:
    """Whether another finding is the cause of this one."""
    causes = finding.caused_by_ids or finding.caused_by
    if not causes:
        return None
    return Refusal("caused_by", f"caused by {', '.join(causes)}; should clear when that is fixed")


def _unplannable(finding: Finding, exhausted: Collection[str]) -> Refusal | None:
    remedy = finding.remedy
    if not remedy or remedy not in REMEDIES:
        reason = finding.reason or "no automatic remedy is documented"
        return Refusal("no_automatic_remedy", reason)
    if finding.id in exhausted:
        rungs = ", ".join(ladder.rungs(finding.key, remedy))
        return Refusal("ladder_exhausted", f"already tried in this run without success: {rungs}")
    return None


def _gravest(findings: Sequence[Finding]) -> dict[str, Severity]:
    """For each finding the worst severity of it and of all that it explains."""
    effects: dict[str, list[str]] = {}
    own = {finding.id: finding.severity for finding in findings}
    for finding in findings:
        for cause in finding.caused_by_ids:
            effects.setdefault(cause, []).append(finding.id)
    gravest = {}
    for finding in findings:
        reached, waiting = {finding.id}, [finding.id]
        while waiting:
            further = [id for id in effects.get(waiting.pop(), ()) if id not in reached]
            reached.update(further)
            waiting += further
        gravest[finding.id] = min((own[id] for id in reached), key=lambda s: s.rank)
    return gravest


def unplanned_for(finding: Finding, refusal: Refusal) -> Unplanned:
    """A finding that nothing is planned for, and why."""
    return Unplanned(
        id=finding.id,
        key=finding.key,
        module=finding.module,
        instance=finding.instance,
        severity=finding.severity,
        why=refusal.why,
        reason=refusal.reason,
        until=None if refusal.until is None else iso(refusal.until),
    )


# --- steps ------------------------------------------------------------------------------------


def _step(
    order: int, draft: Draft, policy: Policy, module_ids: Sequence[ModuleId], now: float,
    diagnosis: Diagnosis,
) -> Step:
    findings = sorted(
        draft.findings,
        key=lambda f: (f.remedy != draft.remedy, f.severity.rank, ORDER[f.module], f.id),
    )
    rungs_for, limit = _climb(draft.remedy, findings, policy, module_ids, now)
    remedy, lead = REMEDIES[draft.remedy], findings[0]
    instances = tuple(draft.instances())
    label = " and ".join(
        draft.module if instance == DEFAULT else f"{draft.module}@{instance}"
        for instance in instances
    )
    if draft.module == HOST:
        label = "the server"
    closes = policy.closes(list(rungs_for), now)
    afterwards = ladder.AFTERWARDS.get(draft.module)
    if remedy.independent or (afterwards and policy.on_remedy(afterwards, module_ids, now)):
        afterwards = None
    everywhere = remedy.host_wide or draft.module == HOST
    commands = announce.commands(draft.remedy, announce.Case(
        draft.module, instances, lead, diagnosis, policy.declared
    ))
    return Step(
        order=order,
        module=draft.module,
        instance=instances[0],
        role=ladder.ROLES[draft.module],
        remedy=draft.remedy,
        rungs=tuple(rungs_for),
        rungs_for=rungs_for,
        limit=limit,
        because=tuple(finding.id for finding in findings),
        keys=tuple(dict.fromkeys(finding.key for finding in findings)),
        severity=min((finding.severity for finding in findings), key=lambda s: s.rank),
        title=remedy.title.format(
            target=label, module=draft.module, instance=draft.instance, subject=draft.subject
        ),
        command=announce.typed(commands) or lead.fix,
        commands=commands,
        refused_unless=announce.missing(draft.remedy, lead, policy.declared),
        subject=draft.subject or None,
        cancels=ladder.cancels(draft.remedy, draft.module),
        verify=() if everywhere else tuple(
            dict.fromkeys([draft.module, *(finding.module for finding in findings)])
        ),
        afterwards=afterwards,
        not_after=None if closes is None else iso(closes),
        asks=policy.ask,
        instances=instances if remedy.shared else None,
    )


def _climb(
    remedy: str,
    findings: Sequence[Finding],
    policy: Policy,
    module_ids: Sequence[ModuleId],
    now: float,
) -> tuple[dict[str, list[str]], str | None]:
    """The rungs of a step with the findings that each is documented for, and what ends them."""
    documented: dict[str, list[str]] = {remedy: [finding.id for finding in findings]}
    level = REMEDIES[remedy].level
    for finding in findings:
        for rung in ladder.rungs(finding.key, str(finding.remedy)):
            if REMEDIES[rung].level > level:
                documented.setdefault(rung, []).append(finding.id)
    rungs_for: dict[str, list[str]] = {}
    for rung in sorted(documented, key=lambda rung: (rung != remedy, ladder.RANK[rung])):
        refusal = policy.on_remedy(rung, module_ids, now)
        if refusal:
            return rungs_for, refusal.reason
        rungs_for[rung] = documented[rung]
    return rungs_for, None


def with_work(host: HostPlan, work: AtWork) -> HostPlan:
    """The host's plan, each step with the work in flight that its remedy would cut off."""
    return replace(
        host, steps=tuple(replace(step, work=_cut_off(step, work)) for step in host.steps)
    )


def _cut_off(step: Step, work: AtWork) -> AtWork:
    remedy = REMEDIES[step.remedy]
    if not remedy.cuts_off:
        return ()
    if work is None:
        return None
    return tuple(
        each for each in work
        if remedy.host_wide or step.module == "watchdog"
        or (
            each.module == step.module
            and not {DEFAULT, each.instance}.isdisjoint(step.all_instances)
        )
    )


# --- the state that a plan was made for -------------------------------------------------------


def fingerprint(diagnosis: Diagnosis, steps: Sequence[Step]) -> Fingerprint:
    """The findings that steps answer, and the processes of the modules that they touch."""
    touched = {f"{step.module}@{instance}" for step in steps for instance in step.all_instances}
    processes = {
        target: process_of(module)
        for module in diagnosis.modules
        for target in [f"{module.module}@{module.instance}"]
        if target in touched
    }
    return Fingerprint(
        findings=tuple(sorted({id for step in steps for id in step.because})),
        processes=dict(sorted(processes.items())),
    )


def process_of(module: Module) -> str:
    """The state of a module with its process, to see whether it has changed."""
    return module.state if module.pid is None else f"{module.state} {module.pid}"
