# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What explains what: between the findings of one server, and across a fleet.

The catalogue says which problem can explain which; this applies it to findings. A
finding keeps its nearest causes only: with watchdog → stat → mta, mta names stat, and whoever
follows the chain arrives at the watchdog.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from graphlib import TopologicalSorter
from typing import Literal

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import DEFAULT

from ..snapshot.server import LOOPBACK
from .catalogue import BY_KEY
from .model import Evidence, LinkedFinding, Problem, finding_of
from .records import Diagnosis, Finding, NotLookedAt


def depths(problems: Iterable[Problem]) -> dict[str, int]:
    """A number for each key, greater than those of all its causes; fails if there is a cycle."""
    order = TopologicalSorter({problem.key: problem.causes for problem in problems})
    return {key: number for number, key in enumerate(order.static_order())}


EARLIER_SECONDS = 60.0
"""So much later than its effect a cause may show: the two are seen in different ways."""

_DATABASE = re.compile(
    r"database|dbms|postgres|oracle|\bsql|\b(?:PGS|ORA|ODB|WDB)-\d|iRc=-2006|connection|session",
    re.I,
)
# By what words a cause is known in the lines of a log. Others are known by their kind alone.
_TRACES: dict[str, re.Pattern[str]] = {
    "host.disk_full": re.compile(
        r"no space|errno ?= ?(?:28|30)\b|read-only|(?:unable|could not|cannot) .{0,40}?"
        r"(?:write|extend)|lines lost|disk", re.I,
    ),
    "host.memory_exhausted": re.compile(r"memory|alloc|killed|signal 9|errno ?= ?12\b|fork", re.I),
    "host.database_unreachable": _DATABASE,
    "web.api_database": _DATABASE,
    "host.configuration_unreadable": re.compile(r"config|xml|pars|serverconf|syntax", re.I),
    # What our own questions leave in the log of web.
    "web.logon_password": re.compile("XSV-350012"),
    "web.logon_zone": re.compile("XSV-350013"),
    "web.session_expired": re.compile("XSV-350008"),
    "watchdog.wrong_library": re.compile(r"librar|\.so\b", re.I),
    "watchdog.shared_memory_version": re.compile(r"shared memory", re.I),
}


def explains(cause: LinkedFinding, effect: LinkedFinding) -> bool:
    """Whether a finding of a right kind concerns the same instance, or one shares with all.

    It must not have begun after its effect. Where the effect shows in log lines, these must speak
    of the cause. An effect can name the instance whose module it depends on: `stat_instance`.
    """
    key, shown = cause.problem.key, effect.evidence
    if key not in effect.problem.causes:
        return False
    began, effects = cause.evidence.began_at, shown.began_at
    if began is not None and effects is not None and began > effects + EARLIER_SECONDS:
        return False
    trace = _TRACES.get(key)
    if shown.words and trace and not trace.search(shown.words):
        return False
    instance = cause.evidence.instance
    dependence = f"{cause.problem.module}_instance"
    if dependence in shown.facts:
        return instance in (shown.facts[dependence], DEFAULT) and (
            shown.facts[dependence] is not None
        )
    return DEFAULT in (instance, shown.instance) or instance == shown.instance


def link(findings: Iterable[LinkedFinding], depth: Mapping[str, int]) -> list[LinkedFinding]:
    """The findings with their nearest causes."""
    linked: list[LinkedFinding] = []
    above: dict[str, set[str]] = {}  # id of a finding: ids of all that explain it
    for effect in sorted(findings, key=lambda each: (depth[each.problem.key], each.id)):
        causes = [cause for cause in linked if explains(cause, effect)]
        further = {id for cause in causes for id in above[cause.id]}
        nearest = tuple(cause for cause in causes if cause.id not in further)
        above[effect.id] = further | {cause.id for cause in causes}
        linked.append(effect.explained(nearest) if nearest else effect)
    return linked


def chain(linked: LinkedFinding) -> Iterator[LinkedFinding]:
    """All that explains a finding, near and far."""
    for cause in linked.causes:
        yield cause
        yield from chain(cause)


# Findings about another host: the evidence that names it, and what explains them there.
_ELSEWHERE: dict[str, tuple[str, tuple[str, ...]]] = {
    "mta.stat_unreachable": (
        "stat",
        (
            "stat.not_running", "stat.hung", "stat.crash_loop", "stat.port_taken",
            "stat.port_not_held", "watchdog.nothing_runs",
        ),
    ),
    "tracking.redirection_unreachable": (
        "redirection",
        ("web.front_down", "web.redirection_missing", "watchdog.nothing_runs"),
    ),
}


def across_hosts(diagnoses: Sequence[Diagnosis]) -> list[Diagnosis]:
    """The diagnoses of a fleet, findings about another of its hosts explained by that one's.

    Such a cause has the id "<host>:<id of the finding there>". A host that cannot be reached has no
    findings; where another one needs it, it gets the one that says so.
    """
    known = _known(diagnoses)
    fleet: dict[str, Diagnosis] = {diagnosis.name: diagnosis for diagnosis in diagnoses}
    for diagnosis in diagnoses:
        for number, finding in enumerate(diagnosis.findings):
            other, keys = _asked(finding, known)
            if other is None or other is diagnosis:
                continue
            causes = _nearest(other, keys)
            if not other.reachable:
                causes = [_silence(other)]
                fleet[other.name] = replace(other, findings=tuple(causes))
            findings = list(fleet[diagnosis.name].findings)
            findings[number] = _explained(finding, other.name, causes)
            fleet[diagnosis.name] = replace(fleet[diagnosis.name], findings=tuple(findings))
    return [fleet[diagnosis.name] for diagnosis in diagnoses]


# Findings about a service that another host may have: which, and the evidence that names the host.
_SERVED: dict[str, tuple[str, str]] = {
    "mta.stat_unreachable": ("stat", "stat_host"),
    "tracking.redirection_unreachable": ("redirection server", "redirection_host"),
    "mta.relay_unreachable": ("mail relay", "host"),
    "mta.relay_error": ("mail relay", "host"),
    "mta.relay_missing": ("mail relay", "host"),
    "host.database_unreachable": ("database", "server"),
}


def not_looked_at(
    diagnoses: Sequence[Diagnosis], others: Callable[[], Mapping[str, Iterable[str]]]
) -> tuple[NotLookedAt, ...]:
    """Where the cause of findings may be that no cause was found for: the hosts of the inventory
    that they name and that have no diagnosis.

    `diagnoses`: with the causes between them. `others`: the hosts that are not in the run, with their
    addresses; only asked for if a finding names a host that is not.
    """
    known = _known(diagnoses)
    beyond: dict[str, str] | None = None
    found = []
    for diagnosis in diagnoses:
        for finding in diagnosis.findings:
            serves, _evidence = _SERVED.get(finding.key, ("", ""))
            names = [] if finding.caused_by else _serving(finding)
            there = next((known[name] for name in names if name in known), None)
            if there is not None:
                if there is not diagnosis and there.error:
                    found.append(_unknown(there.name, "not_diagnosed", serves, diagnosis, finding))
                continue
            if names and beyond is None:
                beyond = {
                    name.lower(): host
                    for host, addresses in others().items() for name in (host, *addresses)
                }
            host = next((beyond[name] for name in names if beyond and name in beyond), None)
            if host is not None:
                found.append(_unknown(host, "not_in_run", serves, diagnosis, finding))
    return tuple(found)


def _unknown(
    host: str, why: Literal["not_in_run", "not_diagnosed"], serves: str, needs: Diagnosis,
    finding: Finding,
) -> NotLookedAt:
    return NotLookedAt(host=host, why=why, serves=serves, needed_by=needs.name, finding=finding.id)


def _serving(finding: Finding) -> list[str]:
    """The names and addresses of the other host that a finding is about, in lower case."""
    service, name = _SERVED.get(finding.key, ("", ""))
    evidence = finding.evidence
    if not service or any(evidence.get(key) for key in ("stat_local", "redirection_local")):
        return []
    host = re.sub(r":\d+$", "", str(evidence.get(name) or ""))
    names = [host, *str(evidence.get("stat_addresses") or "").split()]
    return [each.lower() for each in names if each and each.lower() not in LOOPBACK]


def _known(diagnoses: Iterable[Diagnosis]) -> dict[str, Diagnosis]:
    """The hosts of a run by their names and addresses."""
    known: dict[str, Diagnosis] = {}
    for diagnosis in diagnoses:
        for name in _names(diagnosis):
            known.setdefault(name, diagnosis)
    return known


def _asked(
    finding: Finding, known: Mapping[str, Diagnosis]
) -> tuple[Diagnosis | None, tuple[str, ...]]:
    """The other host that a finding is about, and the keys of what explains it there."""
    role, keys = _ELSEWHERE.get(finding.key, ("", ()))
    evidence = finding.evidence
    if not keys or evidence.get(f"{role}_local") is not False:
        return None, ()
    names = [str(evidence.get(f"{role}_host") or "")]
    names += str(evidence.get(f"{role}_addresses") or "").split()
    return next((known[name.lower()] for name in names if name.lower() in known), None), keys


def _explained(finding: Finding, host: str, causes: Iterable[Finding]) -> Finding:
    """A finding with causes on another host beside its own."""
    return replace(
        finding,
        caused_by=tuple(dict.fromkeys([*finding.caused_by, *(cause.key for cause in causes)])),
        caused_by_ids=tuple(dict.fromkeys(
            [*finding.caused_by_ids, *(f"{host}:{cause.id}" for cause in causes)]
        )),
    )


def addresses_of(variables: Mapping[str, object]) -> list[str]:
    """The addresses of a host in its variables, by which other hosts may know it."""
    address = variables.get("ansible_host")
    return [str(address)] if address else []


def _names(diagnosis: Diagnosis) -> Iterator[str]:
    """The names and addresses under which other hosts know this one."""
    for name in (diagnosis.name, *diagnosis.addresses):
        text = name.lower()
        if text and text not in LOOPBACK:
            yield text


def _silence(diagnosis: Diagnosis) -> Finding:
    """The finding that a host does not answer."""
    evidence = Evidence({"error": diagnosis.error})
    words = {**evidence.facts, "name": diagnosis.name}
    return finding_of(BY_KEY["host.does_not_answer"], evidence, words)


def _nearest(diagnosis: Diagnosis, keys: tuple[str, ...]) -> list[Finding]:
    """The findings of some keys that are not themselves explained by others of them."""
    linked = [finding for finding in diagnosis.findings if finding.key in keys]
    causes = {id for finding in linked for id in finding.caused_by_ids}
    return [finding for finding in linked if finding.id not in causes]
