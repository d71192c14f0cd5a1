# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""From the diagnoses of all hosts to the report: one dictionary, the one in report.json."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import MODULES
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.text import mask

from . import repair, score, words
from .changes import SEVERITIES

SCHEMA = 1

# What a run was for.
MODES = ("diagnose", "plan", "remediate", "targeted", "replay")

Json = dict[str, Any]
Node = tuple[str, str]  # a finding in the whole report: host, id


class InvalidReport(ValueError):
    """A file that is not a report, or not one that this version reads; the text says why."""


def diagnosis_of(name: str, registered: object, addresses: Iterable[str] = ()) -> Json:
    """The diagnosis in a registered result; where there is none, one that says why.

    `addresses`: further names under which other hosts may know one that did not answer.
    """
    if not isinstance(registered, Mapping):
        return _no_diagnosis(name, "No diagnosis: the diagnosing task did not run on this host.")
    if registered.get("unreachable"):
        silent = _no_diagnosis(name, _message(registered, "unreachable"), reachable=False)
        return {**silent, "addresses": list(addresses)}
    diagnosis = registered.get("diagnosis")
    if isinstance(diagnosis, Mapping):
        return {**diagnosis, "name": name}
    if registered.get("failed"):
        return _no_diagnosis(name, _message(registered, "the diagnosing task failed"))
    if registered.get("skipped"):
        return _no_diagnosis(name, "No diagnosis: the diagnosing task was skipped.")
    return _no_diagnosis(name, "The registered result holds no diagnosis.")


def build(
    diagnoses: Iterable[Mapping[str, Any]],
    *,
    finished: float,
    collection: str,
    plan: Mapping[str, Any] | None = None,
    actions: Mapping[str, object] | None = None,
    run: str = "",
    mode: str = "diagnose",
    check: bool = False,
) -> Json:
    """The report of a run. Pure: the time, the collection's version and the run's id are given.

    After a remediation `plan` is that of campaign_plan, and `actions` what was done, by host.
    """
    diagnoses = list(diagnoses)
    planned = {host["name"]: host for host in (plan or {}).get("hosts") or ()}
    hosts = [
        _host(diagnosis)
        | repair.host_part(planned.get(name), (actions or {}).get(name))
        for diagnosis in diagnoses
        for name in [diagnosis["name"]]
    ]
    roots = _roots(hosts)
    return {
        "schema": SCHEMA,
        "run": run,
        "mode": mode,
        "check": check,
        "started": words.iso(_started(diagnoses, hosts, finished)),
        "finished": words.iso(finished),
        "collection": collection,
        "hosts": hosts,
        "roots": roots,
        "summary": _summary(hosts, roots),
        "changes": None,
    }


def run_id(moment: float) -> str:
    """A name for a run that no other has, and that sorts by time."""
    return f"{words.iso(moment).replace('-', '').replace(':', '')}-{secrets.token_hex(4)}"


def load(path: Path) -> Json:
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


# Without these a saved report could be neither shown nor compared.
_NEEDED = {
    "report": ("started", "finished", "collection", "hosts", "roots"),
    "host": ("name", "reachable", "status", "verdict", "error", "seconds", "home", "instances",
             "modules", "findings", "unseen"),
    "module": ("module", "instance", "state", "verdict"),
    "finding": ("id", "key", "module", "instance", "severity", "title"),
    "probe": ("probe", "kind", "message"),
}


def _completed(report: Json) -> Json:
    _check("report", report)
    for host in report["hosts"]:
        _check("host", host)
        for name, parts in (("module", "modules"), ("finding", "findings"), ("probe", "unseen")):
            for part in host[parts]:
                _check(name, part)
        for finding in host["findings"]:
            if finding["severity"] not in SEVERITIES:
                raise ValueError(f"a finding has the severity {finding['severity']!r}")
    blank: Json = {"run": None, "mode": MODES[0], "check": False, "changes": None}
    hosts: list[Json] = []
    for host in report["hosts"]:
        findings = [_finding(finding) for finding in host["findings"]]
        part = repair.host_part(
            {
                "steps": host.get("plan"), "left": host.get("left"),
                "refused": host.get("plan_refused"), "notes": host.get("plan_notes"),
            },
            host.get("actions"),
        )
        for action in part["actions"]:
            repair.span(action)  # raises ValueError where a time is none
        full: Json = {"started_at": None, **host, "findings": findings, **part}
        hosts.append(full if "score" in full else full | _scored(full))
    known = {(host["name"], finding["id"]) for host in hosts for finding in host["findings"]}
    for root in report["roots"]:
        for node in (root, *root["explains"]):
            if (node["host"], node["id"]) not in known:
                raise ValueError(f"roots name {node['id']} on {node['host']}, which is not there")
    return {**blank, **report, "hosts": hosts, "summary": _summary(hosts, report["roots"])}


def _check(name: str, part: Mapping[str, Any]) -> None:
    missing = [key for key in _NEEDED[name] if key not in part]
    if missing:
        raise ValueError(f"a {name} has no {missing[0]}")


def failing(report: Mapping[str, Any], fail_on: str) -> str | None:
    """Why a run asked to fail on this severity fails, in one line; None when it does not."""
    summary = report["summary"]
    if fail_on == "never":
        return None
    counts = []
    if fail_on != "not_repaired":
        counts.append((summary["critical"], "critical finding", ""))
    if fail_on == "warning":
        counts.append((summary["warning"], "warning", ""))
    counts.append((summary["not_repaired"], "repair", " in vain"))
    counts.append((summary["refused"], "repair", " refused"))
    if fail_on != "not_repaired":
        counts.append((summary["unreachable"], "unreachable host", ""))
        counts.append((summary["failed"], "failed diagnosis", ""))
        counts.append((summary["unknown"], "host", " in an unknown state"))
    told = [f"{count} {plural(noun, count)}{rest}" for count, noun, rest in counts if count]
    return f"campaign_fail_on={fail_on}: {', '.join(told)}" if told else None


def plural(word: str, count: int) -> str:
    """A noun in the number that goes with a count."""
    if count == 1:
        return word
    return f"{word[:-2]}es" if word.endswith("is") else f"{word}s"


def _message(registered: Mapping[str, Any], otherwise: str) -> str:
    text = " ".join(str(registered.get("msg") or "").split()).removeprefix("Task failed: ")
    # When the module could not even start, only the interpreter or sudo says why.
    stderr = str(registered.get("module_stderr") or "").strip().splitlines()
    if stderr:
        text = f"{text}: {stderr[0].strip()}" if text else stderr[0].strip()
    # Ansible's words, or a shell's: nobody has looked for passwords in them yet.
    masked: str = mask(text)
    return masked or f"No diagnosis: {otherwise}."


def _no_diagnosis(name: str, error: str, *, reachable: bool = True) -> Json:
    return {"name": name, "reachable": reachable, "error": error, "modules": [], "findings": []}


def _started(
    diagnoses: list[Mapping[str, Any]], hosts: list[Json], finished: float
) -> float:
    moments = [diagnosis.get("started_at", diagnosis.get("taken_at")) for diagnosis in diagnoses]
    begins = (repair.span(action)[0] for host in hosts for action in host["actions"])
    moments += [begin for begin in begins if begin]
    # A target's clock may be ahead of the controller's.
    return min([finished, *(float(moment) for moment in moments if moment)])


def _host(diagnosis: Mapping[str, Any]) -> Json:
    modules = [dict(module) for module in diagnosis.get("modules") or []]
    modules.sort(key=lambda module: (module_rank(module["module"]), module["instance"]))
    findings = [_finding(finding) for finding in diagnosis.get("findings") or []]
    host: Json = {
        "name": diagnosis["name"],
        "reachable": bool(diagnosis.get("reachable", True)),
        "status": "",
        "verdict": "",
        "error": diagnosis.get("error"),
        "started_at": diagnosis.get("started_at"),
        "taken_at": diagnosis.get("taken_at"),
        "seconds": diagnosis.get("seconds"),
        "home": diagnosis.get("home"),
        "user": diagnosis.get("user"),
        "build": diagnosis.get("build"),
        "installed": diagnosis.get("installed"),
        "instances": list(diagnosis.get("instances") or []),
        "modules": modules,
        "findings": findings,
        "unseen": [dict(probe) for probe in diagnosis.get("unseen") or []],
    }
    host["status"] = _status(host)
    host["verdict"] = _verdict(host)
    return host | _scored(host)


def _scored(host: Mapping[str, Any]) -> Json:
    points = score.score(host)
    return {"score": points, "grade": score.grade(points)}


def _finding(finding: Mapping[str, Any]) -> Json:
    """A finding with every key that the report promises, and whatever else it brings."""
    optional = {"summary": "", "evidence": {}, "caused_by": [], "caused_by_ids": []}
    blank = {"remedy": None, "automatic": False, "reason": None, "fix": None, "source": None}
    return {**optional, **blank, **finding}


def _status(host: Mapping[str, Any]) -> str:
    if not host["reachable"]:
        return "unreachable"
    if host["installed"] is False:
        return "not_installed"
    return "failed" if host["error"] else "diagnosed"


def _verdict(host: Mapping[str, Any]) -> str:
    """The worst that is known of a host."""
    if host["status"] != "diagnosed":
        return "unknown"
    verdicts = {module["verdict"] for module in host["modules"]}
    severities = {finding["severity"] for finding in host["findings"]}
    if "down" in verdicts:
        return "down"
    if "degraded" in verdicts or severities & {"critical", "warning"}:
        return "degraded"
    return "unknown" if "unknown" in verdicts or score.blind(host) else "healthy"


def _roots(hosts: list[Json]) -> list[Json]:
    """The findings that nothing else explains, the gravest first, with all that each explains."""
    findings: dict[Node, Json] = {}
    for host in hosts:
        for finding in host["findings"]:
            findings[(host["name"], finding["id"])] = finding
    explained: dict[Node, list[Node]] = {}
    for (name, identity), finding in findings.items():
        for cause in finding["caused_by_ids"]:
            node = _node(name, cause, findings)
            if node is not None:
                explained.setdefault(node, []).append((name, identity))
    below = {effect for effects in explained.values() for effect in effects}
    roots = [(node, _closure(node, explained)) for node in findings if node not in below]
    # Findings that only explain each other still need one that is shown first.
    reached = {node for root, effects in roots for node in [root, *effects]}
    for node in findings:
        if node not in reached:
            effects = _closure(node, explained)
            roots.append((node, effects))
            reached.update([node, *effects])

    def rank(root: tuple[Node, list[Node]]) -> tuple[int, int, int]:
        node, effects = root
        finding = findings[node]
        return severity_rank(finding["severity"]), -len(effects), module_rank(finding["module"])

    return [
        {
            "host": node[0],
            "id": node[1],
            "explains": [{"host": effect[0], "id": effect[1]} for effect in effects],
        }
        for node, effects in sorted(roots, key=rank)
    ]


def _node(host: str, cause: str, findings: Mapping[Node, Json]) -> Node | None:
    """A cause is named by its id, on another host by `host:id`."""
    if (host, cause) in findings:
        return host, cause
    # Neither part is free of colons (an IPv6 address as a name), so every place is tried.
    for position, letter in enumerate(cause):
        node = (cause[:position], cause[position + 1 :])
        if letter == ":" and node in findings:
            return node
    return None


def _closure(root: Node, explained: Mapping[Node, list[Node]]) -> list[Node]:
    found: dict[Node, None] = {}
    waiting = list(explained.get(root, []))
    while waiting:
        node = waiting.pop(0)
        if node != root and node not in found:
            found[node] = None
            waiting.extend(explained.get(node, []))
    return list(found)


def _summary(hosts: list[Json], roots: list[Json]) -> Json:
    statuses = [host["status"] for host in hosts]
    verdicts = [host["verdict"] for host in hosts if host["status"] == "diagnosed"]
    findings = {(host["name"], each["id"]): each for host in hosts for each in host["findings"]}
    severities = [finding["severity"] for finding in findings.values()]
    grave = [root for root in roots if findings[(root["host"], root["id"])]["severity"] != "info"]
    return {
        "hosts": len(hosts),
        "healthy": verdicts.count("healthy"),
        "degraded": verdicts.count("degraded"),
        "down": verdicts.count("down"),
        "unknown": verdicts.count("unknown"),
        "unreachable": statuses.count("unreachable"),
        "failed": statuses.count("failed"),
        "not_installed": statuses.count("not_installed"),
        "critical": severities.count("critical"),
        "warning": severities.count("warning"),
        "info": severities.count("info"),
        "roots": len(grave),
        **repair.counts(hosts),
    }


def module_rank(module: str) -> int:
    """Place of a module in the start order; what is not one (the machine) comes first."""
    return MODULES.index(module) if module in MODULES else -1


def severity_rank(severity: str) -> int:
    """Place of a severity, the gravest first."""
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)
