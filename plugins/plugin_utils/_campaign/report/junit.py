# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The report for continuous integration: a test suite per host, a test case per Campaign module.

Written with xml.etree. A library for this format would be one more Python package on the
controller, and a collection cannot bring packages along; the elements used here are few, and a
test holds them against the format's usual schema.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

from .model import Action, Finding, Host, Module, Report, Severity
from .shared import repair, view, words

# What XML 1.0 cannot hold, not even escaped.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(report: Report) -> str:
    """The file's text."""
    root = ElementTree.Element("testsuites", {"name": "campaign.remediation"})
    for host in report.hosts:
        root.append(_suite(host, report.finished))
    for count in ("tests", "failures", "errors", "skipped"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in root)))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, "unicode") + "\n"


def _suite(host: Host, finished: str) -> ElementTree.Element:
    name = _xml(host.name)
    suite = ElementTree.Element("testsuite", {"name": name, "hostname": name})
    suite.set("timestamp", finished.removesuffix("Z"))
    suite.set("time", f"{host.seconds or 0:.3f}")
    if host.status != "diagnosed":
        case = _case(suite, name, "diagnosis")
        word = view.status_word(host)
        _add(case, "error", host.error or word.lower(), host.status, "")
    told: set[str] = set()
    for module in host.modules:
        case = _case(suite, name, words.label(module.module, module.instance))
        findings = [finding for finding in host.findings if _belongs(finding, module)]
        told.update(finding.id for finding in findings)
        _result(case, findings)
        if case.find("failure") is not None:
            continue
        if module.verdict in ("down", "degraded"):
            _add(case, "failure", f"{module.verdict}: {module.state}", module.verdict, "")
        elif module.verdict in ("unknown", "not_expected"):
            case.insert(0, ElementTree.Element("skipped", {"message": module.verdict}))
    # The machine, and unexpected modules with findings.
    others: dict[str, list[Finding]] = {}
    for finding in host.findings:
        if finding.id not in told:
            label = words.label(finding.module, finding.instance)
            others.setdefault(label, []).append(finding)
    for label, findings in others.items():
        _result(_case(suite, name, label), findings)
    for probe in host.unseen:
        case = _case(suite, name, f"probe {probe.probe}")
        if probe.kind == "skipped":
            case.append(ElementTree.Element("skipped", {"message": _xml(probe.message)}))
        else:
            _add(case, "error", probe.message or probe.kind, probe.kind, "")
    for action in repair.outcomes(host):
        label = words.label(action.module, action.instance)
        case = _case(suite, name, f"repair {label} {repair.title(action)}")
        case.set("time", f"{action.seconds or 0:.3f}")
        reason = action.reason or repair.word(action)
        if action.result == "not_repaired":
            _add(case, "failure", reason, "not_repaired", _repair(action))
        elif action.result not in ("repaired", "done"):
            case.append(ElementTree.Element("skipped", {"message": _xml(words.clean(reason))}))
    suite.set("tests", str(len(suite)))
    for count, element in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(count, str(sum(1 for case in suite if case.find(element) is not None)))
    return suite


def _repair(action: Action) -> str:
    lines = [*words.commands(action.command), *action.because]
    for moment, facts in (("before", action.before), ("after", action.after)):
        lines.extend(f"{moment} {key}: {value}" for key, value in words.facts(facts))
    return "\n".join(lines)


def _belongs(finding: Finding, module: Module) -> bool:
    return (finding.module, finding.instance) == (module.module, module.instance)


def _case(suite: ElementTree.Element, host: str, name: str) -> ElementTree.Element:
    attributes = {"classname": host, "name": _xml(name), "time": "0"}
    return ElementTree.SubElement(suite, "testcase", attributes)


def _result(case: ElementTree.Element, findings: list[Finding]) -> None:
    """One failure with all problems; remarks are separate."""
    failures = [finding for finding in findings if finding.severity is not Severity.INFO]
    if failures:
        first = failures[0]
        body = "\n\n".join(_told(finding) for finding in failures)
        _add(case, "failure", first.title, first.key, body)
    remarks = [_told(finding) for finding in findings if finding.severity is Severity.INFO]
    if remarks:
        ElementTree.SubElement(case, "system-out").text = _xml("\n\n".join(remarks))


def _told(finding: Finding) -> str:
    lines = [f"{finding.severity.value}: {finding.title} [{finding.key}]"]
    if finding.summary:
        lines.append(finding.summary)
    lines.extend(f"{key}: {value}" for key, value in words.facts(finding.evidence))
    if finding.caused_by_ids:
        lines.append(f"explained by: {', '.join(finding.caused_by_ids)}")
    if finding.fix:
        lines.append(f"fix: {finding.fix}")
    if finding.reason:
        lines.append(f"by hand: {finding.reason}")
    if finding.source:
        lines.append(f"source: {finding.source}")
    return "\n".join(lines)


def _add(case: ElementTree.Element, name: str, message: str, kind: str, text: str) -> None:
    attributes = {"message": _xml(words.clean(message)), "type": _xml(kind)}
    ElementTree.SubElement(case, name, attributes).text = _xml(text) or None


def _xml(text: str) -> str:
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
