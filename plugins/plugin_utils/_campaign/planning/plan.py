# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""From diagnoses and policies to the plan: who gets which remedy, in which order, and who none.

Pure: the same diagnoses, policies and time give the same plan. `make` makes one; `admit` says what
of one that was saved (saved.py) still holds for the servers as they are now.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import DEFAULT

from ..diagnosis.catalogue import BY_KEY, ORDER
from ..diagnosis.causes import across_hosts
from ..diagnosis.model import HOST, INFO, Severity
from . import announce, ladder
from .blocked import blocked
from .ladder import REMEDIES
from .policy import Place, Policy, Refusal
from .saved import SCHEMA, InvalidPlan, epoch, iso, parts

WHYS = (
    "caused_by", "no_automatic_remedy", "policy", "window", "muted", "excluded",
    "ladder_exhausted", "state_changed",
)
CLOCK_GRACE = 300  # seconds that another controller's clock may be ahead

Json = dict[str, Any]
Work = Sequence[Mapping[str, Any]] | None  # None: nobody looked


# --- making -----------------------------------------------------------------------------------


def make(
    diagnoses: Sequence[Mapping[str, Any]],
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
    hosts = [
        with_work(host, at_work.get(name))
        for diagnosis in across_hosts(diagnoses)
        for name in [str(diagnosis["name"])]
        for host in [
            _host(diagnosis, policies.get(name, Policy()), frozenset(tried.get(name, ())), now)
        ]
    ]
    return {
        "schema": SCHEMA,
        "made_at": iso(now),
        "expires_at": iso(now + 60 * valid_minutes),
        "run": run,
        "collection": collection,
        "hosts": sorted(hosts, key=lambda host: str(host["name"])),
    }


def _host(
    diagnosis: Mapping[str, Any], policy: Policy, exhausted: frozenset[str], now: float
) -> Json:
    findings = list(diagnosis.get("findings") or ())
    places = [(module["module"], module["instance"]) for module in diagnosis.get("modules") or ()]
    gravest = _gravest(findings)
    wanted: list[Json] = []
    left: list[Json] = []
    notes: list[str] = []
    for finding in findings:
        if finding["severity"] == INFO.value and not finding.get("remedy"):
            continue
        refusal = _explained(finding)
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
            left.append(_left(finding, refusal))
    drafts = sorted(_merged(wanted), key=_Draft.place)
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


def _explained(finding: Mapping[str, Any]) -> Refusal | None:
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
        return Refusal("ladder_exhausted", f"done in this run, and did not help: {rungs}")
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


def _left(finding: Mapping[str, Any], refusal: Refusal) -> Json:
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


# --- merging ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Draft:
    """A remedy on a module, and the findings that ask for it or that it covers."""

    remedy: str
    module: str
    instance: str
    subject: str
    findings: tuple[Mapping[str, Any], ...]

    def place(self) -> tuple[bool, bool, int, bool, str, int, str]:
        """What finishes a repair first, then host-wide, start order, mild before strong."""
        return (
            not REMEDIES[self.remedy].finishes,
            not REMEDIES[self.remedy].host_wide, ORDER[self.module], self.instance != DEFAULT,
            self.instance, ladder.RANK[self.remedy], self.subject,
        )

    def instances(self) -> list[str]:
        """Those that the remedy is for: more than its own if they share what it changes."""
        if not REMEDIES[self.remedy].shared:
            return [self.instance]
        return sorted({f["instance"] for f in self.findings if f["remedy"] == self.remedy})

    def with_also(self, others: Iterable[Mapping[str, Any]]) -> _Draft:
        return _Draft(
            self.remedy, self.module, self.instance, self.subject, (*self.findings, *others)
        )


def _merged(findings: Iterable[Mapping[str, Any]]) -> list[_Draft]:
    """One step where one remedy does: on a module, and under one that is host-wide on all."""
    drafts: dict[tuple[str, str, str, str], _Draft] = {}
    first: dict[tuple[str, str], str] = {}  # the instance whose step is also that of the others
    for finding in findings:
        # The machine is one, and so is a job or a workflow; elsewhere a remedy is for the module.
        instance = DEFAULT if finding["module"] == HOST else finding["instance"]
        each = REMEDIES[finding["remedy"]].each
        if REMEDIES[finding["remedy"]].shared:
            instance = first.setdefault((finding["module"], finding["remedy"]), instance)
        subject = str((finding.get("evidence") or {}).get(each) or "") if each else ""
        identity = (finding["module"], instance, finding["remedy"], subject)
        blank = _Draft(finding["remedy"], *identity[:2], subject, ())
        drafts[identity] = drafts.get(identity, blank).with_also([finding])
    merged: list[_Draft] = []
    # The strongest first: then whatever may cover a draft is there when its turn comes.
    for draft in sorted(drafts.values(), key=lambda d: (-ladder.RANK[d.remedy], d.place())):
        covering = [
            number for number, other in enumerate(merged) if _covers(other, draft)
        ]
        if covering:
            mildest = min(covering, key=lambda n: ladder.RANK[merged[n].remedy])
            merged[mildest] = merged[mildest].with_also(draft.findings)
        else:
            merged.append(draft)
    return merged


def _covers(other: _Draft, draft: _Draft) -> bool:
    stronger, milder = REMEDIES[other.remedy], REMEDIES[draft.remedy]
    if stronger.apart or milder.apart or not ladder.covers(other.remedy, draft.remedy):
        return False
    same = other.module == draft.module and {*draft.instances()} <= {*other.instances()}
    return stronger.host_wide or same


# --- steps ------------------------------------------------------------------------------------


def _step(
    order: int, draft: _Draft, policy: Policy, places: Sequence[Place], now: float,
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
        place: _process(module)
        for module in diagnosis.get("modules") or ()
        for place in [f"{module['module']}@{module['instance']}"]
        if place in touched
    }
    return {
        "findings": sorted({id for step in steps for id in step["because"]}),
        "processes": dict(sorted(processes.items())),
    }


def _process(module: Mapping[str, Any]) -> str:
    state = str(module.get("state"))
    return state if module.get("pid") is None else f"{state} {module['pid']}"


def changed(
    planned: Mapping[str, Any], diagnosis: Mapping[str, Any]
) -> str | None:
    """In what a server is no longer the one that a fingerprint was taken of; None if it is."""
    present = {finding["id"] for finding in diagnosis.get("findings") or ()}
    gone = [id for id in planned["findings"] if id not in present]
    if gone:
        return f"{gone[0]} is no longer found"
    caused = {f["id"]: f for f in diagnosis.get("findings") or () if _explained(f)}
    explained = [id for id in planned["findings"] if id in caused]
    if explained:
        cause = ", ".join(caused[explained[0]]["caused_by_ids"])
        return f"{explained[0]} is explained by {cause} now"
    processes = {
        f"{module['module']}@{module['instance']}": _process(module)
        for module in diagnosis.get("modules") or ()
    }
    for place, before in planned["processes"].items():
        after = processes.get(place, "not there")
        if after != before:
            return f"{place} was {before} when the plan was made, and is {after} now"
    return None


def admit(
    plan: Mapping[str, Any],
    diagnoses: Sequence[Mapping[str, Any]],
    policies: Mapping[str, Policy],
    *,
    now: float,
    work: Mapping[str, Work] | None = None,
) -> Json:
    """A plan that was read, with what of it still holds for the servers as they are now.

    A host whose state has changed keeps no step. A step that today's policy does not allow is
    left out, and so is a rung. Hosts that the plan does not know get none.
    """
    expires, made = epoch(plan["expires_at"]), epoch(plan["made_at"])
    if now >= expires:
        raise InvalidPlan(
            f"the plan has expired at {plan['expires_at']}: make a new one"
            " (it was made for the state of that time)"
        )
    if made > now + CLOCK_GRACE:
        raise InvalidPlan(f"the plan is of {plan['made_at']}, which is in the future here")
    planned = {host["name"]: host for host in plan["hosts"]}
    hosts = [
        with_work(
            _admitted(planned.get(diagnosis["name"]), diagnosis, policies, now),
            (work or {}).get(str(diagnosis["name"])),
        )
        for diagnosis in across_hosts(diagnoses)
    ]
    return {**plan, "hosts": sorted(hosts, key=lambda host: str(host["name"]))}


def _admitted(
    planned: Mapping[str, Any] | None,
    diagnosis: Mapping[str, Any],
    policies: Mapping[str, Policy],
    now: float,
) -> Json:
    name = str(diagnosis["name"])
    policy = policies.get(name, Policy())
    fresh = _host(diagnosis, policy, frozenset(), now)
    if planned is None:
        return {**fresh, "steps": [], "left": [], "refused": None,
                "fingerprint": fingerprint(diagnosis, ()),
                "notes": ["the plan says nothing of this host"]}
    if not planned["steps"]:
        return {**planned, "error": diagnosis.get("error"), "refused": None}
    reason = diagnosis.get("error") or changed(planned["fingerprint"], diagnosis)
    left = [dict(entry) for entry in planned["left"]]
    findings = {finding["id"]: finding for finding in diagnosis.get("findings") or ()}
    blocked = {entry["id"]: entry for entry in fresh["left"]}
    places = [(module["module"], module["instance"]) for module in diagnosis.get("modules") or ()]
    steps: list[Json] = []
    for step in sorted(planned["steps"], key=lambda step: int(step["order"])):
        if reason:
            left += [
                _left(finding, Refusal("state_changed", reason))
                for finding in _findings_of(step, findings)
            ]
            continue
        alone = [blocked[id] for id in step["because"] if id in blocked]
        refusal = policy.on_remedy(step["remedy"], places, now)
        if alone and not refusal:
            with_it = f"was planned together with {alone[0]['id']}, which is left alone now"
            refusal = Refusal(alone[0]["why"], with_it)
        if refusal:
            left += alone
            left += [_left(findings[id], refusal) for id in step["because"] if id not in blocked]
        else:
            steps.append(_bounded(step, policy, places, now))
    return {
        **planned,
        "error": diagnosis.get("error"),
        "refused": reason,
        "steps": [{**step, "order": number} for number, step in enumerate(steps, 1)],
        "left": left,
        "notes": list(planned["notes"]),
    }


def _findings_of(
    step: Mapping[str, Any], findings: Mapping[str, Mapping[str, Any]]
) -> Iterator[Mapping[str, Any]]:
    """The findings of a step, as they are now or, if they are gone, as the plan has them."""
    for id in step["because"]:
        key, instance, _subject = parts(id)
        yield findings.get(id) or {
            "id": id, "key": key, "module": BY_KEY[key].module, "instance": instance,
            "severity": step["severity"],
        }


def _bounded(
    step: Mapping[str, Any], policy: Policy, places: Sequence[Place], now: float
) -> Json:
    """A step with the rungs that today's policy allows."""
    rungs: list[str] = []
    limit = step["limit"]
    for rung in step["rungs"]:
        refusal = policy.on_remedy(rung, places, now)
        if refusal:
            limit = refusal.reason
            break
        rungs.append(rung)
    closes = policy.closes(rungs, now)
    return {
        **step,
        "rungs": rungs,
        "rungs_for": {rung: step["rungs_for"][rung] for rung in rungs},
        "limit": limit,
        "asks": step["asks"] or policy.ask,
        "not_after": None if closes is None else iso(closes),
    }
