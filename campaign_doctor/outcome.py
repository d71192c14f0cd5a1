# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""How a run ended: the exit code, decided from the report, never from Ansible's code alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from enum import IntEnum

from .model import Action, Finding, Host, Report, Severity
from .runner import Ended


class ExitCode(IntEnum):
    """What the command returns."""

    HEALTHY = 0
    FINDINGS = 1
    NOT_REPAIRED = 2
    STATE_UNKNOWN = 3
    UNREACHABLE = 4
    NOT_RUN = 5
    REFUSED = 6
    INTERRUPTED = 130

    @property
    def meaning(self) -> str:
        """One line for a person."""
        return MEANINGS[self]

    @property
    def answer(self) -> str:
        """What an operator does about it."""
        return ANSWERS[self]


MEANINGS = {
    ExitCode.HEALTHY: "healthy, or everything was repaired; an on-demand action was carried out",
    ExitCode.FINDINGS: "findings remain: critical ones or warnings",
    ExitCode.NOT_REPAIRED: "a repair failed, and the former state was kept or restored",
    ExitCode.STATE_UNKNOWN: "a repair failed, and the state changed or is unknown",
    ExitCode.UNREACHABLE: "some hosts could not be reached, diagnosed or checked completely",
    ExitCode.NOT_RUN: "it did not run: bad input, no host, no inventory, a refused action",
    ExitCode.REFUSED: "every repair was refused by a guard or by its plan: nothing was changed",
    ExitCode.INTERRUPTED: "interrupted: the run is incomplete",
}

ANSWERS = {
    ExitCode.HEALTHY: "Nothing.",
    ExitCode.FINDINGS: "Read the root causes, the gravest first; campaign-doctor plan shows what can"
    " be repaired automatically.",
    ExitCode.NOT_REPAIRED: "Read why under Repairs. An operator must look now.",
    ExitCode.STATE_UNKNOWN: "Look at the server at once: campaign-doctor ledger HOST shows what was"
    " begun, and the next remediate finishes it.",
    ExitCode.UNREACHABLE: "Read the errors of the hosts; campaign-doctor check says what is missing.",
    ExitCode.NOT_RUN: "Read the message: it names what was wrong and what is right.",
    ExitCode.REFUSED: "Each refusal says what would let it pass.",
    ExitCode.INTERRUPTED: "Run the command again. An interrupted repair is finished first.",
}

# How a host rejects input: an unknown instance, a wrong value of a variable.
INPUT = re.compile(r"^Unknown instance |\(campaign_\w+\) must ")

# The worst wins: first an interrupted run, which proves nothing, then by urgency for the operator.
WORST_FIRST = (
    ExitCode.INTERRUPTED,
    ExitCode.STATE_UNKNOWN,
    ExitCode.NOT_REPAIRED,
    ExitCode.NOT_RUN,
    ExitCode.UNREACHABLE,
    ExitCode.REFUSED,
    ExitCode.FINDINGS,
    ExitCode.HEALTHY,
)


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """The one that wins; healthy where there is none."""
    return min(codes, key=WORST_FIRST.index, default=ExitCode.HEALTHY)


def of_run(
    ended: Ended,
    report: Report | None,
    decide: Callable[[Report], ExitCode],
    *,
    changed: Collection[str],
) -> ExitCode:
    """After any run: how Ansible ended, and what the report says if there is one.

    `changed` are the hosts on which a change has begun. If Ansible stopped after that, their state
    is unknown.
    """
    broken = ExitCode.STATE_UNKNOWN if changed else ExitCode.NOT_RUN
    if ended.stopped:
        return ExitCode.INTERRUPTED
    if report is None:
        return broken
    codes = [decide(report)]
    if ended.stats is None:
        codes.append(broken)  # it wrote its report but did not finish
    else:
        known = {host.name: host for host in report.hosts}
        if set(ended.stats.get("processed") or ()) - set(known) - {"localhost"}:
            codes.append(ExitCode.UNREACHABLE)
        for name in ended.stats.get("failures") or ():
            host = known.get(name)
            told = host is None or host.status != "diagnosed" or any(
                action.result in ("refused", "not_repaired") for action in host.actions
            )
            if not told:
                codes.append(ExitCode.STATE_UNKNOWN if name in changed else ExitCode.NOT_RUN)
    return worst(codes)


def of_diagnosis(report: Report) -> ExitCode:
    """After a diagnosis, a plan or a remediation: what was found and how the repairs ended."""
    return worst([
        *_of_hosts(report), *_of_findings(report), *_of_repairs(report), *_of_refusals(report),
    ])


def of_on_demand(report: Report) -> ExitCode:
    """After an on-demand action for a module: whether it was done, not what else is wrong."""
    results = {action.result for host in report.hosts for action in host.actions}
    codes = [*_of_hosts(report), *_of_repairs(report)]
    if not results or results & {"refused"} or (results == {"skipped"} and not report.check):
        codes.append(ExitCode.NOT_RUN)
    return worst(codes)


def _of_hosts(report: Report) -> list[ExitCode]:
    if report.hosts and all(_refuses_input(report, host) for host in report.hosts):
        return [ExitCode.NOT_RUN]
    bad = any(host.status != "diagnosed" for host in report.hosts)
    blind = any(host.status == "diagnosed" and host.verdict == "unknown" for host in report.hosts)
    return [ExitCode.UNREACHABLE] if bad or blind else []


def _refuses_input(report: Report, host: Host) -> bool:
    """Whether a host rejected the input; a saved snapshot is all input."""
    rejected = report.mode == "replay" or bool(INPUT.search(host.error or ""))
    return host.status == "failed" and rejected


def _of_refusals(report: Report) -> list[ExitCode]:
    """Where something was to be repaired, and nothing of it was allowed."""
    results = {actions[-1].result for actions in steps(report)}
    # A plan whose findings have gone meanwhile has nothing left to do.
    results |= {"refused" for host in report.hosts if host.plan_refused and _remain(host.findings)}
    return [ExitCode.REFUSED] if "refused" in results <= {"refused", "skipped"} else []


def _of_findings(report: Report) -> list[ExitCode]:
    return [ExitCode.FINDINGS] if _remain(finding for _host, finding in report.findings()) else []


def _remain(findings: Iterable[Finding]) -> bool:
    """Whether there are some that need an answer."""
    return any(finding.severity is not Severity.INFO for finding in findings)


def _of_repairs(report: Report) -> list[ExitCode]:
    codes = []
    for actions in steps(report):
        # The last rung of the ladder decides; the state is as known as after the worst of them.
        if actions[-1].result == "not_repaired":
            kept = all(a.left == "as_before" for a in actions if a.result == "not_repaired")
            codes.append(ExitCode.NOT_REPAIRED if kept else ExitCode.STATE_UNKNOWN)
    return codes


def steps(report: Report) -> list[list[Action]]:
    """The actions by step of the plan: one for each rung that was tried."""
    found: dict[tuple[str, ...], list[Action]] = {}
    for host in report.hosts:
        for action in host.actions:
            because = sorted(action.because) or [action.remedy]
            step = (host.name, action.module, action.instance, action.subject or "", *because)
            found.setdefault(step, []).append(action)
    return list(found.values())
