# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""SARIF 2.1.0: findings as the results of an analysis, for the viewers and gates that read it.

There is no source code here: a result's place is a logical location, a module on a host.
"""

from __future__ import annotations

import json
from typing import Any

from ..explain import catalogue
from ..model import Action, Change, Finding, Host, Report, Severity
from ..shared.words import titled

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS = {Severity.CRITICAL: "error", Severity.WARNING: "warning", Severity.INFO: "note"}

Json = dict[str, Any]


def render(report: Report) -> str:
    """The file's text."""
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [_run(report)]}
    text = json.dumps(log, indent=1, ensure_ascii=False)
    return text.encode("utf-8", "replace").decode("utf-8") + "\n"


def _run(report: Report) -> Json:
    gone = report.changes.gone if report.changes else []
    rules = {finding.key: _rule(finding) for _, finding in report.findings()}
    for change in gone:
        rules.setdefault(change.key, _rule(change))
    places = {key: number for number, key in enumerate(rules)}
    notifications = [note for host in report.hosts for note in _notifications(host)]
    run: Json = {
        "tool": {
            "driver": {
                "name": "campaign-doctor",
                "version": report.collection,
                "rules": list(rules.values()),
            },
        },
        "invocations": [
            {
                "startTimeUtc": report.started,
                "endTimeUtc": report.finished,
                "executionSuccessful": all(host.status == "diagnosed" for host in report.hosts),
                "toolExecutionNotifications": notifications,
            },
        ],
        "results": [
            *(_result(report, host, finding, places) for host, finding in report.findings()),
            *(_absent(change, places) for change in gone),
        ],
    }
    if report.run:
        run["automationDetails"] = {"id": f"campaign-doctor/{report.run}"}
    return run


def _rule(finding: Finding | Change) -> Json:
    """The problem in the catalogue; one that only a later collection knows, from the finding."""
    problem = catalogue().problem(finding.key)
    title = problem.title if problem else finding.title
    severity = problem.severity if problem else finding.severity
    rule: Json = {
        "id": finding.key,
        "shortDescription": {"text": titled(finding.module, "", title)},
        "defaultConfiguration": {"level": LEVELS[severity]},
    }
    source = problem.source if problem else getattr(finding, "source", None)
    if problem:
        rule["fullDescription"] = {"text": problem.means}
    if source:
        rule["helpUri"] = source
    return rule


def _result(report: Report, host: Host, finding: Finding, places: dict[str, int]) -> Json:
    result = _placed(host.name, finding, places)
    text = finding.summary or finding.title
    if finding.fix:
        text = f"{text}\nFix: {finding.fix}"
    if finding.reason:
        text = f"{text}\nBy hand: {finding.reason}"
    result["message"] = {"text": text}
    result["properties"] = {
        "host": host.name, "evidence": finding.evidence, "causedBy": finding.caused_by_ids,
        "remedy": finding.remedy, "automatic": finding.automatic,
        "actions": [_action(each) for each in host.actions if finding.id in each.because],
    }
    if report.changes is not None:
        result["baselineState"] = _baseline(report, host.name, finding.id)
    return result


def _absent(change: Change, places: dict[str, int]) -> Json:
    return {
        **_placed(change.host, change, places),
        "message": {"text": change.summary or change.title},
        "baselineState": "absent",
    }


def _placed(host: str, finding: Finding | Change, places: dict[str, int]) -> Json:
    return {
        "ruleId": finding.key,
        "ruleIndex": places[finding.key],
        "level": LEVELS[finding.severity],
        "locations": [
            {
                "logicalLocations": [
                    {
                        "name": finding.label,
                        "fullyQualifiedName": f"{host}/{finding.label}",
                        "kind": "module",
                    },
                ],
            },
        ],
        "partialFingerprints": {"campaignFinding/v1": f"{host}/{finding.id}"},
    }


def _baseline(report: Report, host: str, identity: str) -> str:
    changes = report.changes
    assert changes is not None
    if any((each.host, each.id) == (host, identity) for each in changes.new):
        return "new"
    changed = (*changes.worse, *changes.better)
    return "updated" if any((e.host, e.id) == (host, identity) for e in changed) else "unchanged"


def _action(action: Action) -> Json:
    return {"remedy": action.rung or action.remedy, "result": action.result,
            "reason": action.reason}


def _notifications(host: Host) -> list[Json]:
    notes = []
    if host.status != "diagnosed":
        word = host.status.replace("_", " ")
        notes.append(("error", f"{host.name}: {word}: {host.error or 'no reason was given'}"))
    notes += [
        ("warning", f"{host.name}: probe {probe.probe}: {probe.message or probe.kind}")
        for probe in host.unseen
    ]
    return [{"level": level, "message": {"text": text}} for level, text in notes]
