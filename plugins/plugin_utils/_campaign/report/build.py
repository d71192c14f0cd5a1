# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""From the diagnoses of all hosts to the report, or from a saved file."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import MODULES
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.text import mask

from ..diagnosis.records import Diagnosis, NotLookedAt, Record, lacks
from ..planning.records import HostPlan, Plan
from . import score
from .model import (
    SCHEMA,
    Action,
    Finding,
    Host,
    Mode,
    Module,
    Node,
    Probe,
    Report,
    Root,
    Severity,
    Status,
    Summary,
    Verdict,
)
from .shared import repair, words

# What a run was for.
MODES: tuple[Mode, ...] = get_args(Mode)

Key = tuple[str, str]  # a finding in the whole report: host, id


class InvalidReport(ValueError):
    """A file that is not a report, or not one that this version reads; the text says why."""


def diagnosis_of(name: str, registered: object, addresses: Iterable[str] = ()) -> Diagnosis:
    """The diagnosis in a registered result; where there is none, one that says why.

    `addresses`: further names under which other hosts may know one that did not answer.
    """
    if not isinstance(registered, Mapping):
        return _no_diagnosis(name, "No diagnosis: the diagnosing task did not run on this host.")
    if registered.get("unreachable"):
        silent = _no_diagnosis(name, _message(registered, "unreachable"))
        return replace(silent, reachable=False, addresses=tuple(addresses))
    diagnosis = registered.get("diagnosis")
    if isinstance(diagnosis, Mapping):
        return Diagnosis.of({**diagnosis, "name": name})
    if registered.get("failed"):
        return _no_diagnosis(name, _message(registered, "the diagnosing task failed"))
    if registered.get("skipped"):
        return _no_diagnosis(name, "No diagnosis: the diagnosing task was skipped.")
    return _no_diagnosis(name, "The registered result holds no diagnosis.")


def actions_of(registered: object) -> tuple[Action, ...]:
    """What the repair of a host has registered."""
    done = registered if isinstance(registered, (list, tuple)) else ()
    return tuple(Action.of(_meant(each)) for each in done if isinstance(each, Mapping))


def _meant(action: Mapping[str, object]) -> dict[str, object]:
    """An action as it was meant: before ansible-core 2.19 a template gives text, whatever is in it.

    So nothing came as an empty text, and a number as its digits.
    """
    meant = {key: None if value == "" else value for key, value in action.items()}
    seconds = meant.get("seconds")
    if isinstance(seconds, str):
        meant["seconds"] = float(seconds)
    return meant


def build(
    diagnoses: Iterable[Diagnosis],
    *,
    finished: float,
    collection: str,
    plan: Plan | None = None,
    actions: Mapping[str, tuple[Action, ...]] | None = None,
    run: str = "",
    mode: Mode = "diagnose",
    check: bool = False,
    not_looked_at: tuple[NotLookedAt, ...] = (),
) -> Report:
    """The report of a run. Pure: the time, the collection's version and the run's id are given.

    After a remediation, `plan` is that of campaign_plan, and `actions` are the actions by host.
    """
    diagnoses = list(diagnoses)
    planned = {host.name: host for host in plan.hosts} if plan else {}
    hosts = tuple(
        _host(diagnosis, planned.get(diagnosis.name), (actions or {}).get(diagnosis.name, ()))
        for diagnosis in diagnoses
    )
    roots = tuple(_roots(hosts))
    return Report(
        run=run,
        mode=mode,
        check=check,
        started=words.iso(_started(diagnoses, hosts, finished)),
        finished=words.iso(finished),
        collection=collection,
        hosts=hosts,
        roots=roots,
        summary=_summary(hosts, roots),
        not_looked_at=not_looked_at,
        fleet=plan.fleet if plan else None,
    )


def run_id(moment: float) -> str:
    """A name for a run that no other has, and that sorts by time."""
    return f"{words.iso(moment).replace('-', '').replace(':', '')}-{secrets.token_hex(4)}"


def load(path: Path) -> Report:
    """A saved report, with what an earlier version did not write. Raises InvalidReport."""
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidReport(f"{path} cannot be read: {error.strerror or error}.") from None
    except ValueError as error:
        raise InvalidReport(f"{path} is not a report: not valid JSON ({error}).") from None
    if not isinstance(report, dict) or "schema" not in report:
        raise InvalidReport(f"{path} is not a report: it has no key 'schema'.")
    if report["schema"] != SCHEMA:
        raise InvalidReport(
            f"{path} has schema {report['schema']!r}; this collection reads schema {SCHEMA}."
        )
    try:
        return _completed(report)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InvalidReport(f"{path} is damaged: {error}.") from None


def _completed(data: dict[str, Any]) -> Report:
    data = {**data, "summary": {}}  # it is counted again
    _check(Report, data)
    for host in data["hosts"]:
        _check(Host, host)
        for kind, parts in ((Module, "modules"), (Finding, "findings"), (Probe, "unseen")):
            for part in host[parts]:
                _check(kind, part)
        for finding in host["findings"]:
            if finding["severity"] not in list(Severity):
                raise ValueError(f"a finding has the severity {finding['severity']!r}")
    report = Report.of(data)
    for action in (action for host in report.hosts for action in host.actions):
        repair.span(action)  # raises ValueError where a time is none
    known = {(host.name, finding.id) for host in report.hosts for finding in host.findings}
    for root in report.roots:
        for node in (root, *root.explains):
            if (node.host, node.id) not in known:
                raise ValueError(f"roots name {node.id} on {node.host}, which the report does not contain")
    hosts = tuple(host if "score" in written else _scored(host)
                  for host, written in zip(report.hosts, data["hosts"], strict=True))
    return replace(report, hosts=hosts, summary=_summary(hosts, report.roots))


def _check(kind: type[Record], part: object) -> None:
    missing = lacks(kind, part)
    if missing:
        raise ValueError(f"a {kind.__name__.lower()} has no {missing}")


def failing(report: Report, fail_on: str) -> str | None:
    """Why a run that should fail on this severity fails, in one line; None if it does not."""
    summary = report.summary
    if fail_on == "never":
        return None
    counts = []
    if fail_on != "not_repaired":
        counts.append((summary.critical, "critical finding", ""))
    if fail_on == "warning":
        counts.append((summary.warning, "warning", ""))
    counts.append((summary.not_repaired, "repair", " failed"))
    counts.append((summary.refused, "repair", " refused"))
    if fail_on != "not_repaired":
        counts.append((summary.unreachable, "unreachable host", ""))
        counts.append((summary.failed, "failed diagnosis", ""))
        counts.append((summary.unknown, "host", " in an unknown state"))
    told = [f"{count} {plural(noun, count)}{rest}" for count, noun, rest in counts if count]
    return f"campaign_fail_on={fail_on}: {', '.join(told)}" if told else None


def worst(report: Report) -> Verdict:
    """The verdict on all hosts: the worst that is known of one; without hosts nothing is known."""
    verdicts = {host.verdict for host in report.hosts}
    order: tuple[Verdict, ...] = ("down", "degraded", "unknown", "healthy")
    return next((each for each in order if each in verdicts), "unknown")


def plural(word: str, count: int) -> str:
    """A noun in the number that goes with a count."""
    if count == 1:
        return word
    return f"{word[:-2]}es" if word.endswith("is") else f"{word}s"


def _message(registered: Mapping[str, object], otherwise: str) -> str:
    text = " ".join(str(registered.get("msg") or "").split()).removeprefix("Task failed: ")
    # When the module could not even start, only the interpreter or sudo says why.
    stderr = str(registered.get("module_stderr") or "").strip().splitlines()
    if stderr:
        text = f"{text}: {stderr[0].strip()}" if text else stderr[0].strip()
    # Texts of Ansible or a shell, in which passwords are not masked yet.
    masked: str = mask(text)
    return masked or f"No diagnosis: {otherwise}."


def _no_diagnosis(name: str, error: str) -> Diagnosis:
    return Diagnosis(name=name, error=error)


def _started(diagnoses: list[Diagnosis], hosts: Iterable[Host], finished: float) -> float:
    moments = [diagnosis.started_at for diagnosis in diagnoses]
    moments += [repair.span(action)[0] for host in hosts for action in host.actions]
    # A target's clock may be ahead of the controller's.
    return min([finished, *(moment for moment in moments if moment)])


def _host(diagnosis: Diagnosis, planned: HostPlan | None, actions: tuple[Action, ...]) -> Host:
    modules = sorted(
        diagnosis.modules, key=lambda module: (module_rank(module.module), module.instance)
    )
    planned = planned or HostPlan(name=diagnosis.name)
    host = Host(
        name=diagnosis.name,
        reachable=diagnosis.reachable,
        status=_status(diagnosis),
        verdict="unknown",
        error=diagnosis.error,
        started_at=diagnosis.started_at,
        taken_at=diagnosis.taken_at,
        seconds=diagnosis.seconds,
        home=diagnosis.home,
        user=diagnosis.user,
        build=diagnosis.build,
        installed=diagnosis.installed,
        instances=diagnosis.instances,
        modules=tuple(modules),
        findings=diagnosis.findings,
        unseen=diagnosis.unseen,
        paused=diagnosis.paused,
        plan=planned.steps,
        left=planned.left,
        plan_refused=planned.refused,
        plan_notes=planned.notes,
        actions=actions,
    )
    return _scored(replace(host, verdict=_verdict(host)))


def _scored(host: Host) -> Host:
    points = score.score(host)
    return replace(host, score=points, grade=score.grade(points))


def _status(diagnosis: Diagnosis) -> Status:
    if not diagnosis.reachable:
        return "unreachable"
    if diagnosis.installed is False:
        return "not_installed"
    return "failed" if diagnosis.error else "diagnosed"


def _verdict(host: Host) -> Verdict:
    """The worst that is known of a host."""
    if host.status != "diagnosed":
        return "unknown"
    verdicts = {module.verdict for module in host.modules}
    if "down" in verdicts:
        return "down"
    if "degraded" in verdicts or any(
        finding.severity is not Severity.INFO for finding in host.findings
    ):
        return "degraded"
    return "unknown" if "unknown" in verdicts or score.blind(host) else "healthy"


def _roots(hosts: Iterable[Host]) -> list[Root]:
    """The findings that nothing else explains, the gravest first, with all that each explains."""
    findings = {(host.name, finding.id): finding for host in hosts for finding in host.findings}
    explained: dict[Key, list[Key]] = {}
    for (name, identity), finding in findings.items():
        for cause in finding.caused_by_ids:
            key = _key_of(name, cause, findings)
            if key is not None:
                explained.setdefault(key, []).append((name, identity))
    below = {effect for effects in explained.values() for effect in effects}
    roots = [(key, _closure(key, explained)) for key in findings if key not in below]
    # Findings that only explain each other still need one that is shown first.
    reached = {key for root, effects in roots for key in [root, *effects]}
    for key in findings:
        if key not in reached:
            effects = _closure(key, explained)
            roots.append((key, effects))
            reached.update([key, *effects])

    def rank(root: tuple[Key, list[Key]]) -> tuple[int, int, int]:
        key, effects = root
        finding = findings[key]
        return finding.severity.rank, -len(effects), module_rank(finding.module)

    return [
        Root(host=name, id=identity,
             explains=tuple(Node(host=host, id=effect) for host, effect in effects))
        for (name, identity), effects in sorted(roots, key=rank)
    ]


def _key_of(host: str, cause: str, findings: Mapping[Key, Finding]) -> Key | None:
    """A cause is named by its id, on another host by `host:id`."""
    if (host, cause) in findings:
        return host, cause
    # Neither part is free of colons (an IPv6 address as a name), so every place is tried.
    for position, letter in enumerate(cause):
        key = (cause[:position], cause[position + 1 :])
        if letter == ":" and key in findings:
            return key
    return None


def _closure(root: Key, explained: Mapping[Key, list[Key]]) -> list[Key]:
    found: dict[Key, None] = {}
    waiting = list(explained.get(root, []))
    while waiting:
        key = waiting.pop(0)
        if key != root and key not in found:
            found[key] = None
            waiting.extend(explained.get(key, []))
    return list(found)


def _summary(hosts: tuple[Host, ...], roots: Iterable[Root]) -> Summary:
    statuses = [host.status for host in hosts]
    verdicts = [host.verdict for host in hosts if host.status == "diagnosed"]
    findings = {(host.name, each.id): each for host in hosts for each in host.findings}
    severities = [finding.severity for finding in findings.values()]
    grave = [root for root in roots if findings[root.host, root.id].severity is not Severity.INFO]
    ends = repair.counts(hosts)
    return Summary(
        hosts=len(hosts),
        healthy=verdicts.count("healthy"),
        degraded=verdicts.count("degraded"),
        down=verdicts.count("down"),
        unknown=verdicts.count("unknown"),
        unreachable=statuses.count("unreachable"),
        failed=statuses.count("failed"),
        not_installed=statuses.count("not_installed"),
        critical=severities.count(Severity.CRITICAL),
        warning=severities.count(Severity.WARNING),
        info=severities.count(Severity.INFO),
        roots=len(grave),
        repaired=ends["repaired"],
        done=ends["done"],
        unproved=ends["unproved"],
        not_repaired=ends["not_repaired"],
        refused=ends["refused"],
    )


def module_rank(module: str) -> int:
    """Position of a module in the start order; the machine comes first."""
    return MODULES.index(module) if module in MODULES else -1
