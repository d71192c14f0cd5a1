# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""From diagnoses and policies to the plan: who gets which remedy, in which order, and who none.

Pure: the same diagnoses, policies and time give the same plan.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import DEFAULT

from ..diagnosis.catalogue import ORDER
from ..diagnosis.causes import across_hosts
from ..diagnosis.model import HOST, INFO, Severity
from ..diagnosis.records import Diagnosis
from . import announce, ladder
from .blocked import blocked
from .ladder import REMEDIES
from .merge import Draft, merged
from .policy import Place, Policy, Refusal
from .saved import SCHEMA, iso

WHYS = (
    "caused_by", "no_automatic_remedy", "policy", "window", "muted", "excluded",
    "ladder_exhausted", "state_changed",
)

Json = dict[str, Any]
Work = Sequence[Mapping[str, Any]] | None  # None: nobody looked


def make(
    diagnoses: Sequence[Diagnosis],
    policies: Mapping[str, Policy],
    *,
    now: float,
    run: str,
    collection: str,
    valid_minutes: float = 60,
    exhausted: Mapping[str, Collection[str]] | None = None,
    work: Mapping[str, Work] | None = None,
) -> Json:
    """The plan for a fleet.

    `policies` by host; a host without one has none. `exhausted` by host: ids of findings for
    which this run has already tried all that is documented. `work` by host: what is in flight
    there, as campaign_guard tells it.
    """
    tried, at_work = exhausted or {}, work or {}
    hosts: list[Json] = []
    for diagnosis in map(Diagnosis.as_dict, across_hosts(diagnoses)):
        name = str(diagnosis["name"])
        policy, exhausted_here = policies.get(name, Policy()), frozenset(tried.get(name, ()))
        host = plan_of_host(diagnosis, policy, exhausted_here, now)
        hosts.append(with_work(host, at_work.get(name)))
    return {
        "schema": SCHEMA,
        "made_at": iso(now),
        "expires_at": iso(now + 60 * valid_minutes),
        "run": run,
        "collection": collection,
        "hosts": sorted(hosts, key=lambda host: str(host["name"])),
    }


def plan_of_host(
    diagnosis: Mapping[str, Any], policy: Policy, exhausted: frozenset[str], now: float
) -> Json:
    """What is planned for one host."""
    findings = list(diagnosis.get("findings") or ())
    places = [(module["module"], module["instance"]) for module in diagnosis.get("modules") or ()]
    gravest = _gravest(findings)
    wanted: list[Json] = []
    left: list[Json] = []
    notes: list[str] = []
    for finding in findings:
        if finding["severity"] == INFO.value and not finding.get("remedy"):
            continue
        refusal = explained(finding)
        if refusal is None:
            severity = gravest[finding["id"]]
            refusal, said = policy.on_finding(str(diagnosis["name"]), finding, severity, now)
            notes += said
        refusal = refusal or _unplannable(finding, exhausted)
        reason = None if refusal else blocked(finding, findings)
        refusal = Refusal("no_automatic_remedy", reason) if reason else refusal
        refusal = refusal or policy.on_remedy(finding["remedy"], places, now)
        if refusal is None:
            wanted.append(finding)
        else:
            left.append(left_alone(finding, refusal))
    drafts = sorted(merged(wanted), key=Draft.sort_key)
    steps = [
        _step(number, draft, policy, places, now, diagnosis)
        for number, draft in enumerate(drafts, 1)
    ]
    return {
        "name": diagnosis["name"],
        "error": diagnosis.get("error"),
        "refused": None,
        "fingerprint": fingerprint(diagnosis, steps),
        "steps": steps,
        "left": left,
        "notes": notes,
    }


def explained(finding: Mapping[str, Any]) -> Refusal | None:
    """That another finding is the cause of this one."""
    causes = finding.get("caused_by_ids") or finding.get("caused_by")
    if not causes:
        return None
    return Refusal("caused_by", f"explained by {', '.join(causes)}: to go away with it")


def _unplannable(finding: Mapping[str, Any], exhausted: Collection[str]) -> Refusal | None:
    remedy = finding.get("remedy")
    if not remedy or remedy not in REMEDIES:
        reason = finding.get("reason") or "no automatic remedy is documented"
        return Refusal("no_automatic_remedy", reason)
    if finding["id"] in exhausted:
        rungs = ", ".join(ladder.rungs(finding["key"], remedy))
        return Refusal("ladder_exhausted", f"already tried in this run without success: {rungs}")
    return None


def _gravest(findings: Sequence[Mapping[str, Any]]) -> dict[str, Severity]:
    """For each finding the worst severity of it and of all that it explains."""
    effects: dict[str, list[str]] = {}
    own = {finding["id"]: Severity(finding["severity"]) for finding in findings}
    for finding in findings:
        for cause in finding.get("caused_by_ids") or ():
            effects.setdefault(cause, []).append(finding["id"])
    gravest = {}
    for finding in findings:
        reached, waiting = {finding["id"]}, [finding["id"]]
        while waiting:
            further = [id for id in effects.get(waiting.pop(), ()) if id not in reached]
            reached.update(further)
            waiting += further
        gravest[finding["id"]] = min((own[id] for id in reached), key=lambda s: s.rank)
    return gravest


def left_alone(finding: Mapping[str, Any], refusal: Refusal) -> Json:
    """A finding that nothing is planned for, and why."""
    return {
        "id": finding["id"],
        "key": finding["key"],
        "module": finding["module"],
        "instance": finding["instance"],
        "severity": finding["severity"],
        "why": refusal.why,
        "reason": refusal.reason,
        "until": None if refusal.until is None else iso(refusal.until),
    }


# --- steps ------------------------------------------------------------------------------------


def _step(
    order: int, draft: Draft, policy: Policy, places: Sequence[Place], now: float,
    diagnosis: Mapping[str, Any],
) -> Json:
    findings = sorted(
        draft.findings,
        key=lambda f: (
            f["remedy"] != draft.remedy, Severity(f["severity"]).rank, ORDER[f["module"]], f["id"]
        ),
    )
    rungs_for, limit = _climb(draft.remedy, findings, policy, places, now)
    remedy, lead = REMEDIES[draft.remedy], findings[0]
    instances = draft.instances()
    label = " and ".join(
        draft.module if instance == DEFAULT else f"{draft.module}@{instance}"
        for instance in instances
    )
    if draft.module == HOST:
        label = "the server"
    closes = policy.closes(list(rungs_for), now)
    afterwards = ladder.AFTERWARDS.get(draft.module)
    if remedy.apart or (afterwards and policy.on_remedy(afterwards, places, now)):
        afterwards = None
    everywhere = remedy.host_wide or draft.module == HOST
    commands = announce.commands(draft.remedy, draft.module, draft.instance, diagnosis)
    return {
        "order": order,
        "module": draft.module,
        "instance": instances[0],
        "role": ladder.ROLES[draft.module],
        "remedy": draft.remedy,
        "rungs": list(rungs_for),
        "rungs_for": rungs_for,
        "limit": limit,
        "because": [finding["id"] for finding in findings],
        "keys": list(dict.fromkeys(finding["key"] for finding in findings)),
        "severity": min((f["severity"] for f in findings), key=lambda s: Severity(s).rank),
        "title": remedy.title.format(
            target=label, module=draft.module, instance=draft.instance, subject=draft.subject
        ),
        "command": announce.typed(commands) or lead.get("fix"),
        "commands": commands,
        "refused_unless": announce.missing(draft.remedy, lead, policy.declared),
        "subject": draft.subject or None,
        "cancels": ladder.cancels(draft.remedy, draft.module),
        "verify": [] if everywhere else list(
            dict.fromkeys([draft.module, *(finding["module"] for finding in findings)])
        ),
        "afterwards": afterwards,
        "not_after": None if closes is None else iso(closes),
        "asks": policy.ask,
        **({"instances": instances} if remedy.shared else {}),
    }


def _climb(
    remedy: str,
    findings: Sequence[Mapping[str, Any]],
    policy: Policy,
    places: Sequence[Place],
    now: float,
) -> tuple[dict[str, list[str]], str | None]:
    """The rungs of a step with the findings that each is documented for, and what ends them."""
    documented: dict[str, list[str]] = {remedy: [finding["id"] for finding in findings]}
    level = REMEDIES[remedy].level
    for finding in findings:
        for rung in ladder.rungs(finding["key"], finding["remedy"]):
            if REMEDIES[rung].level > level:
                documented.setdefault(rung, []).append(finding["id"])
    rungs_for: dict[str, list[str]] = {}
    for rung in sorted(documented, key=lambda rung: (rung != remedy, ladder.RANK[rung])):
        refusal = policy.on_remedy(rung, places, now)
        if refusal:
            return rungs_for, refusal.reason
        rungs_for[rung] = documented[rung]
    return rungs_for, None


def with_work(host: Mapping[str, Any], work: Work) -> Json:
    """The host's plan, each step with the work in flight that its remedy would cut off."""
    return {**host, "steps": [{**step, "work": _cut_off(step, work)} for step in host["steps"]]}


def _cut_off(step: Mapping[str, Any], work: Work) -> list[Json] | None:
    remedy = REMEDIES[step["remedy"]]
    if not remedy.cuts_off:
        return []
    if work is None:
        return None
    return [
        dict(each) for each in work
        if remedy.host_wide or step["module"] == "watchdog"
        or (
            each["module"] == step["module"]
            and not {DEFAULT, each["instance"]}.isdisjoint(_instances(step))
        )
    ]


def _instances(step: Mapping[str, Any]) -> list[str]:
    return list(step.get("instances") or [step["instance"]])


# --- the state that a plan was made for -------------------------------------------------------


def fingerprint(diagnosis: Mapping[str, Any], steps: Iterable[Mapping[str, Any]]) -> Json:
    """The findings that steps answer, and the processes of the modules that they touch."""
    steps = list(steps)
    touched = {
        f"{step['module']}@{instance}" for step in steps for instance in _instances(step)
    }
    processes = {
        place: process_of(module)
        for module in diagnosis.get("modules") or ()
        for place in [f"{module['module']}@{module['instance']}"]
        if place in touched
    }
    return {
        "findings": sorted({id for step in steps for id in step["because"]}),
        "processes": dict(sorted(processes.items())),
    }


def process_of(module: Mapping[str, Any]) -> str:
    """The state of a module with its process, to tell whether it is still the same."""
    state = str(module.get("state"))
    return state if module.get("pid") is None else f"{state} {module['pid']}"
