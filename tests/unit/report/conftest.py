"""A small fleet in which every kind of host occurs, and a fleet of any size."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.records import (
    Diagnosis,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report import build

FINISHED = 1763894405.0
SHARED = ("watchdog", "syslogd", "web", "trackinglogd")
PERMANENT = ("watchdog", "syslogd", "stat", "mta", "web", "trackinglogd", "inMail", "wfserver")

Json = dict[str, Any]


def module(name: str, instance: str = "prod", verdict: str = "healthy", pid: int = 100) -> Json:
    running = verdict in ("healthy", "degraded")
    return {
        "module": name,
        "instance": "default" if name in SHARED else instance,
        "state": "running" if running else "stopped",
        "verdict": verdict,
        "pid": pid if running else None,
        "memory_mb": 12.5 if running else None,
        "started_at": 1763874000.0 if running else None,
        "precision": "standard" if running else None,
        "filters": [],
        "findings": [],
    }


def finding(key: str, instance: str = "prod", severity: str = "critical", **more: Any) -> Json:
    return {
        "id": f"{key}@{instance}",
        "key": key,
        "module": key.split(".")[0],
        "instance": instance,
        "severity": severity,
        "title": "The module does not run",
        "summary": "",
        "evidence": {},
        "caused_by": [],
        "caused_by_ids": [],
        "remedy": None,
        "automatic": False,
        "reason": None,
        "fix": None,
        "source": "https://experienceleague.adobe.com/docs/page",
        **more,
    }


def diagnosis(name: str, **more: Any) -> Json:
    return {
        "name": name,
        "reachable": True,
        "error": None,
        "started_at": 1763894400.0,
        "taken_at": 1763894400.0,
        "seconds": 0.41,
        "home": "/usr/local/neolane/nl6",
        "user": "neolane",
        "build": "7.0 build 9356",
        "installed": True,
        "instances": ["default", "prod"],
        "addresses": [name],
        "modules": [module(each) for each in PERMANENT],
        "findings": [],
        "unseen": [],
        "thresholds": {},
        **more,
    }


def fleet() -> list[Json]:
    """Two hosts that work, one that does not, and three without a diagnosis."""
    ill = diagnosis(
        "app2",
        modules=[
            module("watchdog"),
            module("syslogd", verdict="down"),
            module("stat", verdict="down"),
            module("mta", verdict="degraded"),
            module("web"),
            module("export", verdict="not_expected"),
        ],
        findings=[
            finding(
                "stat.not_running",
                caused_by=["syslogd.port_taken"],
                caused_by_ids=["syslogd.port_taken@default"],
            ),
            finding(
                "mta.stat_unreachable",
                severity="warning",
                title="Statistics server does not answer",
                caused_by=["stat.not_running"],
                caused_by_ids=["stat.not_running@prod"],
            ),
            finding(
                "syslogd.port_taken",
                "default",
                title="Another process holds the UDP port",
                summary="rsyslogd (pid 612, rsyslog.service) holds UDP port 666.",
                evidence={
                    "port": 666,
                    "pid": 612,
                    "unit": "rsyslog.service",
                    "seen_at": 1763894400,
                },
                reason="What holds the port is not part of Campaign.",
                fix="systemctl stop rsyslog\nsu - neolane -c 'nlserver start syslogd@default'",
            ),
            finding(
                "web.log_precision_raised",
                "default",
                "info",
                title="Log precision is still raised",
                fix="su - neolane -c 'nlserver restart web@default -tomcat -noconsole'",
            ),
        ],
        unseen=[{"probe": "http", "kind": "timeout", "message": "no answer within 8 s"}],
    )
    other = diagnosis(
        "mid1",
        instances=["default", "mid", "mid2"],
        modules=[
            module("watchdog"),
            module("mta", "mid", verdict="degraded"),
            module("mta", "mid2"),
        ],
        findings=[
            finding(
                "mta.stat_unreachable",
                "mid",
                severity="warning",
                title="Statistics server does not answer",
                caused_by=["stat.not_running"],
                caused_by_ids=["app2:stat.not_running@prod"],
            )
        ],
    )
    unreachable = {"unreachable": True, "msg": "Failed to connect to the host via ssh:\n timed out"}
    failed = {"failed": True, "msg": "Unknown module 'foo'."}
    return [
        diagnosis("app1"),
        ill,
        other,
        build.diagnosis_of("app3", unreachable).as_dict(),
        build.diagnosis_of("app4", failed).as_dict(),
        diagnosis("app5", installed=False, instances=[], modules=[], build=None),
    ]


def many(count: int, broken: int) -> list[Json]:
    """So many hosts, of which the first ones have a workflow server that is down."""
    hosts = [diagnosis(f"app{number:03}") for number in range(count)]
    for number, host in enumerate(hosts[:broken]):
        host["modules"][-1] = module("wfserver", verdict="down")
        host["findings"] = [
            finding("wfserver.not_running", evidence={"pid": number}, fix="nlserver start x")
        ]
    return hosts


def report_of(diagnoses: list[Json]) -> Json:
    typed = map(Diagnosis.of, diagnoses)
    return build.build(typed, finished=FINISHED, collection="1.0.0").as_dict()


@pytest.fixture
def report() -> Json:
    return report_of(fleet())


@pytest.fixture
def make_finding() -> Any:
    return finding


@pytest.fixture
def make_diagnosis() -> Any:
    return diagnosis


@pytest.fixture
def make_report() -> Any:
    return report_of


@pytest.fixture
def make_fleet() -> Any:
    return many
