"""Reports to work on, as the collection writes them."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def module(name: str, instance: str = "prod", verdict: str = "healthy") -> Json:
    runs = verdict in ("healthy", "degraded")
    return {
        "module": name, "instance": instance, "state": "running" if runs else "stopped",
        "verdict": verdict, "pid": 100 if runs else None, "memory_mb": 12.5 if runs else None,
        "started_at": 1763874000.0 if runs else None, "precision": "standard" if runs else None,
        "findings": [],
    }


def finding(key: str, instance: str = "prod", severity: str = "critical", **more: Any) -> Json:
    return {
        "id": f"{key}@{instance}", "key": key, "module": key.split(".")[0], "instance": instance,
        "severity": severity, "title": f"Title of {key}", "summary": f"Summary of {key}.",
        "evidence": {"pid": 612}, "caused_by": [], "caused_by_ids": [], "remedy": None,
        "automatic": False, "reason": None, "fix": None,
        "source": "https://experienceleague.adobe.com/docs/page.html", **more,
    }


def host(name: str = "app1", **more: Any) -> Json:
    return {
        "name": name, "reachable": True, "status": "diagnosed", "verdict": "healthy",
        "score": 100, "grade": "A", "error": None, "taken_at": 1763894400.0, "seconds": 0.41,
        "home": "/usr/local/neolane/nl6", "user": "neolane", "build": "7.0 build 9356",
        "installed": True, "instances": ["prod"],
        "modules": [module("watchdog", "default"), module("mta"), module("wfserver")],
        "findings": [], "unseen": [], "plan": [], "left": [], "plan_refused": None,
        "plan_notes": [], "actions": [], **more,
    }


def unreachable(name: str) -> Json:
    return host(
        name, reachable=False, status="unreachable", verdict="unknown", score=None, grade=None,
        error="timed out", taken_at=None, seconds=None, home=None, user=None, build=None,
        installed=None, instances=[], modules=[],
    )


def report(*hosts: Json, **more: Any) -> Json:
    """A report of these hosts; each finding without a cause is a root."""
    findings = [(each, found) for each in hosts for found in each["findings"]]
    severities = [found["severity"] for _, found in findings]
    verdicts = [each["verdict"] for each in hosts if each["status"] == "diagnosed"]
    statuses = [each["status"] for each in hosts]
    roots = [
        {
            "host": each["name"], "id": found["id"],
            "explains": [
                {"host": each["name"], "id": other["id"]}
                for other in each["findings"] if found["id"] in other["caused_by_ids"]
            ],
        }
        for each, found in findings if not found["caused_by_ids"]
    ]
    return {
        "schema": 1, "run": "20251123T104005Z-0badcafe", "mode": "diagnose", "check": False,
        "started": "2025-11-23T10:40:00Z", "finished": "2025-11-23T10:40:05Z",
        "collection": "1.0.0", "hosts": list(hosts), "roots": roots,
        "summary": {
            "hosts": len(hosts),
            **{word: verdicts.count(word) for word in ("healthy", "degraded", "down", "unknown")},
            **{word: statuses.count(word) for word in ("unreachable", "failed", "not_installed")},
            **{word: severities.count(word) for word in ("critical", "warning", "info")},
            "roots": sum(1 for _, found in findings
                         if not found["caused_by_ids"] and found["severity"] != "info"),
            "repaired": 0, "not_repaired": 0, "refused": 0,
        },
        "changes": None, **more,
    }


def ill() -> Json:
    """A healthy host, one with a chain of findings, one that does not answer."""
    chain = [
        finding("stat.not_running", fix="nlserver start stat@prod"),
        finding("mta.stat_unreachable", caused_by=["stat.not_running"],
                caused_by_ids=["stat.not_running@prod"]),
        finding("host.disk_filling", "default", "warning", id="host.disk_filling@default#/var"),
    ]
    modules = [module("watchdog", "default"), module("stat", verdict="down"),
               module("mta", verdict="degraded")]
    broken = host("app2", verdict="down", score=30, grade="F", findings=chain, modules=modules)
    return report(host(), broken, unreachable("app3"))
