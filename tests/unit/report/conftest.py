"""A small fleet in which every kind of host occurs, and a fleet of any size."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from unit.report.browser import CHROMIUM, DESK, Open

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.records import (
    Diagnosis,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report import (
    build,
    html,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report.model import (
    Report,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report.shared import (
    changes,
)

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


def action(result: str, started: str, finished: str, **more: Any) -> Json:
    return {
        "module": "wfserver", "instance": "prod", "remedy": "restart", "rung": "restart",
        "subject": None, "because": ["wfserver.hung@prod"], "result": result, "reason": None,
        "command": [["nlserver", "restart", "wfserver@prod", "-noconsole"]], "guard": None,
        "left": "changed",
        "before": {"state": "hung", "pid": 100}, "after": {"state": "running", "pid": 200},
        "seconds": 2.5, "started": started, "finished": finished,
        "evidence": "/var/evidence/1", **more,
    }


@pytest.fixture
def full(report: Json) -> Json:
    """A report in which every part of the page has something to say."""
    report["hosts"][0]["actions"] = [
        action("not_repaired", "2025-11-23T10:39:57Z", "2025-11-23T10:40:01Z",
               reason="It still hangs."),
        action("repaired", "2025-11-23T10:40:06Z", "2025-11-23T10:40:10Z",
               remedy="kill_and_start", rung=None),
    ]
    report["hosts"][2]["left"] = [
        {"id": "a@b", "key": "a", "module": "mta", "instance": "b", "why": "policy",
         "reason": "not allowed", "until": None},
    ]
    old = report_of([diagnosis("app2"), diagnosis("gone1")])
    report["changes"] = changes.between(Report.of(old), Report.of(report), {}).as_dict()
    return report


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM)
        yield started
        started.close()


@pytest.fixture
def open_page(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """Opens a report; afterwards the page must have been silent and alone."""
    contexts = []
    said: list[str] = []
    asked: list[str] = []

    def open_(
        report: Json | Report, width: int = DESK, scheme: str = "light", scripts: bool = True,
        clock: bool = False,
    ) -> Page:
        path = tmp_path / "report.html"
        typed = report if isinstance(report, Report) else Report.of(report)
        path.write_text(html.render(typed), encoding="utf-8")
        context = browser.new_context(
            viewport={"width": width, "height": 800},
            color_scheme=scheme,  # type: ignore[arg-type]
            java_script_enabled=scripts,
            reduced_motion="reduce",  # it is where it scrolls to at once
            permissions=["clipboard-read", "clipboard-write"],
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        if clock:
            page.clock.install()
        page.goto(path.as_uri())
        return page

    yield open_
    for context in contexts:
        context.close()
    assert said == []
    assert set(asked) <= {(tmp_path / "report.html").as_uri()}


@pytest.fixture
def make_action() -> Any:
    return action
