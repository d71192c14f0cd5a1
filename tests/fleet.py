"""Reports of fleets of any size, made of the snapshots that were kept of the lab's faults."""

from __future__ import annotations

import json
from functools import cache
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.diagnose import (
    diagnose,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.records import (
    Diagnosis,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report import build
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report.model import (
    Report,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.snapshot.thresholds import (
    Thresholds,
)

Json = dict[str, Any]

SNAPSHOTS = Path(__file__).parent / "unit" / "plugin_utils" / "snapshots"
FINISHED = 1_763_467_205.0
SPARE = 10  # a few faults explain others that the same server has
WORSE = ("down", "degraded")  # verdicts that a fault gives to a module of a healthy server


@cache
def _kept() -> dict[str, Diagnosis]:
    """The diagnoses of all snapshots, by fault."""
    found = {}
    for path in sorted(SNAPSHOTS.glob("*.json")):
        kept = json.loads(path.read_text(encoding="utf-8"))
        thresholds = Thresholds.of(kept["thresholds"])
        found[path.stem] = diagnose(kept["snapshot"], path.stem, thresholds=thresholds)
    return found


def host(name: str, *faults: str) -> Json:
    """The diagnosis of a server that has all these faults; none: a healthy one."""
    healthy = _kept()["healthy"].as_dict()
    modules = {(each["module"], each["instance"]): each for each in healthy["modules"]}
    findings: dict[str, Json] = {}
    for fault in faults:
        diagnosis = _kept()[fault].as_dict()
        findings.update((each["id"], each) for each in diagnosis["findings"])
        for module in diagnosis["modules"]:
            place = module["module"], module["instance"]
            if module["verdict"] in WORSE and modules.get(place, {}).get("verdict") != WORSE[0]:
                modules[place] = module
    return {**healthy, "name": name, "addresses": [name], "modules": list(modules.values()),
            "findings": list(findings.values())}


def report(*hosts: Json, **more: Any) -> Report:
    """The report of a run over these hosts."""
    return build.build(map(Diagnosis.of, hosts), finished=FINISHED, collection="1.0.0",
                       run="20251118T120005Z-0badcafe", **more)


def broken(hosts: int, causes: int) -> Report:
    """So many servers with at least so many root causes, a cause counted on each of its hosts.

    The lab's faults follow one another, so that all servers have another few of them; numbers in
    the evidence differ from host to host, as they do in real life.
    """
    one_cause = [name for name in _kept() if report(host("", name)).summary.roots == 1]
    faults: list[list[str]] = [[] for _number in range(hosts)]
    for number, fault in enumerate(islice(cycle(one_cause), causes + SPARE)):
        faults[number % hosts].append(fault)
    return report(*(
        _told_apart(host(f"campaign{number:03}.example.com", *names), number)
        for number, names in enumerate(faults, 1)
    ))


def _told_apart(host: Json, number: int) -> Json:
    for finding in host["findings"]:
        finding["evidence"] = {
            key: value + number if type(value) is int else value
            for key, value in finding["evidence"].items()
        }
    return host
