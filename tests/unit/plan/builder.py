"""Diagnoses in a few words, and the plan that they give."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import (
    MODULES,
    SHARED,
    UTILITIES,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.catalogue import (
    BY_KEY,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.records import (
    Diagnosis,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning import (
    saved as saved_plan,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning.admit import (
    admit as admit_plan,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning.make import (
    make as make_plan,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning.policy import (
    Policy,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning.records import (
    Plan,
    Work,
)

Json = dict[str, Any]

NOW = 1_763_467_200.0  # Tuesday, 2025-11-18 12:00:00 UTC
HOUR = 3600.0
ILL = ("wfserver.memory_alert@prod", "mta.not_running@prod", "host.disk_filling@default#/")


def finding(id: str, *, caused_by: Sequence[str] = (), **evidence: Any) -> Json:
    """A finding by its id, the rest as the catalogue has it."""
    key, _, rest = id.partition("@")
    instance, _, subject = rest.partition("#")
    problem = BY_KEY[key]
    if problem.remedy == "relaunch":
        evidence.setdefault("job", subject)
    return {
        "id": id, "key": key, "module": problem.module, "instance": instance,
        "severity": problem.severity.value, "title": problem.title, "summary": problem.summary,
        "evidence": evidence,
        "caused_by": [cause.rpartition(":")[2].partition("@")[0] for cause in caused_by],
        "caused_by_ids": list(caused_by), "remedy": problem.remedy,
        "automatic": problem.remedy is not None, "reason": problem.reason,
        "fix": f"what an operator types for {id}", "source": "https://example.org/page.html",
    }


def server(*findings: str | Json, name: str = "app1", instances: Sequence[str] = ("prod",)) -> Json:
    """The diagnosis of a server with some findings."""
    places = [
        (module, instance)
        for module in MODULES
        for instance in (("default",) if module in SHARED else instances)
    ]
    return {
        "name": name, "reachable": True, "error": None, "addresses": [],
        "modules": [
            {"module": module, "instance": instance, "verdict": "healthy",
             "state": "idle" if module in UTILITIES else "running",
             "pid": None if module in UTILITIES else 1000 + number}
            for number, (module, instance) in enumerate(places)
        ],
        "findings": [finding(each) if isinstance(each, str) else each for each in findings],
    }


def typed(*servers: Json) -> list[Diagnosis]:
    """Diagnoses as the planning takes them."""
    return [Diagnosis.of(each) for each in servers]


def make(
    *servers: Json, now: float = NOW, work: Mapping[str, list[Json] | None] | None = None,
    **policy: Any,
) -> Json:
    """The plan for servers that share a policy."""
    policies = {each["name"]: Policy.of(policy) for each in servers}
    in_flight = {
        name: None if found is None else tuple(map(Work.of, found))
        for name, found in (work or {}).items()
    }
    return make_plan(
        typed(*servers), policies, now=now, run="r1", collection="1.0.0", work=in_flight
    ).as_dict()


def plan_of(*findings: str | Json, now: float = NOW, **policy: Any) -> Json:
    """What is planned for one server."""
    (host,) = make(server(*findings), now=now, **policy)["hosts"]
    return dict(host)


def saved(*servers: Json, **policy: Any) -> Json:
    """A plan, through the file's text and back."""
    return saved_plan.parse(json.loads(json.dumps(make(*servers, **policy)))).as_dict()


def admit(plan: Json, *servers: Json, now: float = NOW + 60, **policy: Any) -> list[Json]:
    """The hosts of a plan that was read, with what of it still holds for servers."""
    policies = {each["name"]: Policy.of(policy) for each in servers}
    admitted = admit_plan(Plan.of(plan), typed(*servers), policies, now=now)
    return list(admitted.as_dict()["hosts"])


def steps(host: Mapping[str, Any]) -> list[str]:
    """Steps in short: `1 wfserver@prod restart`."""
    return [f"{s['order']} {s['module']}@{s['instance']} {s['remedy']}" for s in host["steps"]]


def left(host: Mapping[str, Any]) -> dict[str, str]:
    """Id to why."""
    return {entry["id"]: entry["why"] for entry in host["left"]}
