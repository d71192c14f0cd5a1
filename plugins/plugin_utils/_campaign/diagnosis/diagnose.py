# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""From a snapshot to a diagnosis: the catalogue applied, the causes linked, a verdict given.

Pure: the same snapshot gives the same diagnosis, always.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import (
    DEFAULT,
    MODULES,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.precision import (
    added,
    filters,
)

from ..snapshot.records import ModuleInstance, ProbeError
from ..snapshot.server import LOOPBACK, Server
from ..snapshot.thresholds import Thresholds
from .brakes import ledger_begins, pause_of, repaired
from .budget import Budget, left
from .bugs import noted
from .catalogue import CATALOGUE, ORDER
from .causes import chain, depths, link
from .model import HOST, INFO, LinkedFinding, linked_finding, render
from .records import Diagnosis, Module, ModuleVerdict, Probe

DEPTHS = depths(CATALOGUE)


def diagnose(
    snapshot: Mapping[str, Any],
    name: str,
    *,
    thresholds: Thresholds | None = None,
    addresses: Iterable[str] = (),
    budget: Budget | None = None,
) -> Diagnosis:
    """The diagnosis of one server.

    `addresses`: further names under which other hosts may know this one.
    """
    server = Server(snapshot, thresholds)
    header = server.header
    findings = asked_for(server, findings_of(server)) if header.installed else []
    modules = [module for module in server.modules if _asked(server, module.name, module.instance)]
    known = {*addresses, server.machine.hostname, header.address} - LOOPBACK - {name}
    return Diagnosis(
        name=name,
        error=None if header.installed else f"no Campaign installation in {header.home}",
        started_at=header.controller.before_at if header.controller else None,
        taken_at=header.taken_at,
        seconds=header.seconds,
        home=header.home,
        user=header.user,
        addresses=tuple(sorted(known)),
        build=server.pdump.build,
        starts_by=dict(server.service.starts_by) if server.service.starts_by else None,
        installed=header.installed,
        instances=tuple(_instances(server)),
        modules=tuple(
            _module(server, module, findings, budget) for module in modules if header.installed
        ),
        findings=tuple(linked.finding for linked in findings),
        unseen=tuple(
            Probe(probe=probe, kind=failure.kind, message=failure.message)
            for probe, failure in (*server.failures.items(), *_not_asked(server))
        ),
        thresholds=dict(server.limits.values()),
        untried=inconclusive(server) if header.installed else {},
        whole=server.asked_all and _every(server),
        paused=pause_of(server),
        repaired=repaired(server, {linked.id for linked in findings}),
        ledger_begins_at=ledger_begins(server),
    )


def inconclusive(server: Server) -> dict[str, str]:
    """Id to reason for findings whose absence proves nothing yet."""
    found = {}
    for problem in CATALOGUE:
        for module in server.instances_of(problem.module) if problem.proof_condition else ():
            if problem.proof_condition and not problem.proof_condition.met(server, module):
                target = f"{module.name}@{module.instance}"
                reason = render(problem.proof_condition.missing, {"target": target})
                found[f"{problem.key}@{module.instance}"] = reason
    return found


def findings_of(server: Server) -> list[LinkedFinding]:
    """Every problem that holds, with its causes: roots first, then by severity and start order."""
    findings: dict[str, LinkedFinding] = {}
    for problem in CATALOGUE:
        if all(server.answered(probe) for probe in problem.needs):
            for evidence in problem.find(server):
                linked = linked_finding(problem, server, evidence)
                findings.setdefault(linked.id, linked)
    return sorted((noted(server, linked) for linked in link(findings.values(), DEPTHS)), key=_sort_key)


def _sort_key(linked: LinkedFinding) -> tuple[bool, int, int, str]:
    finding = linked.finding
    return bool(linked.causes), finding.severity.rank, ORDER[finding.module], finding.id


def asked_for(server: Server, findings: list[LinkedFinding]) -> list[LinkedFinding]:
    """The findings of the requested modules and instances, and their causes."""
    kept: set[str] = set()
    for linked in findings:
        if _asked(server, linked.finding.module, linked.finding.instance):
            kept |= {linked.id, *(cause.id for cause in chain(linked))}
    return [linked for linked in findings if linked.id in kept]


def _asked(server: Server, module: str, instance: str) -> bool:
    modules, instances = server.header.asked.modules, server.header.asked.instances
    every = _every(server)
    return (every if module == HOST else every or module in modules) and (
        not instances or instance == DEFAULT or instance in instances
    )


def _every(server: Server) -> bool:
    """Whether all modules were requested."""
    modules = server.header.asked.modules
    return not modules or set(modules) >= set(MODULES)


def _instances(server: Server) -> list[str]:
    asked = server.header.asked.instances
    return [
        instance for instance in server.configuration.instances or asked
        if instance != DEFAULT and (not asked or instance in asked)
    ]


def _not_asked(server: Server) -> Iterator[tuple[str, ProbeError]]:
    """What the database holds is not seen without credentials: said once for a host."""
    if "api" in server.left_out:
        yield "api", server.left_out["api"]
    asked = {answers.instance for answers in server.api_answers}
    others = [instance for instance in _instances(server) if asked and instance not in asked]
    if others:
        text = f"campaign_api has no credentials for {', '.join(others)}"
        yield "api", ProbeError("skipped", text)


def _module(
    server: Server, module: ModuleInstance, findings: list[LinkedFinding], budget: Budget | None
) -> Module:
    own = [
        linked for linked in findings
        if (linked.finding.module, linked.finding.instance) == (module.name, module.instance)
    ]
    process = module.process
    return Module(
        module=module.name,
        instance=module.instance,
        state=module.state,
        verdict=verdict(server, module, own),
        pid=module.pid,
        memory_mb=None if module.memory_mb is None else round(module.memory_mb, 1),
        started_at=module.started_at,
        precision=process.precision if process else None,
        filters=tuple(_filters(module)),
        findings=tuple(linked.id for linked in own),
        restart_budget_left=left(server, module, budget),
    )


def _filters(module: ModuleInstance) -> list[str]:
    """The trace filters that were added to the configured arguments."""
    if module.process is None:
        return []
    standard = (module.configuration.args if module.configuration else None) or ""
    return filters(added(module.process.arguments, standard))


def verdict(server: Server, module: ModuleInstance, findings: list[LinkedFinding]) -> ModuleVerdict:
    """healthy, degraded, down, unknown or not_expected."""
    if any(linked.problem.down for linked in findings):
        return "down"
    if module.state == "unknown":
        return "unknown"
    if module.state == "stopped" and not module.expected:
        return "unknown" if module.expected is None else "not_expected"
    if any(linked.finding.severity is not INFO for linked in findings):
        return "degraded"
    if module.state == "stopped" or _overlooked(server, module.name):
        return "unknown"
    return "healthy"


def _overlooked(server: Server, module: str) -> bool:
    """Whether a failed probe leaves it open that the module has a problem."""
    return any(
        server.failed(probe)
        for problem in CATALOGUE
        if problem.module == module and problem.severity is not INFO
        for probe in problem.needs
    )
