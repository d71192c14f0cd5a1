"""Events as ansible-runner passes them on."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

ROLES = "/c/ansible_collections/campaign/remediation/roles"
WHOLE = {"task": "Take a snapshot and diagnose it", "task_path": "/c/playbooks/tasks/diagnose.yml:6",
         "task_action": "campaign.remediation.campaign_diagnose"}
BEGINS = {"task": "Choose the first step", "task_path": f"{ROLES}/campaign/tasks/main.yml:5",
          "task_action": "campaign.remediation.campaign_step"}
DECIDED = {"task": "Determine the result", "task_path": f"{ROLES}/campaign/tasks/rung.yml:45",
           "task_action": "campaign.remediation.campaign_step"}
PLANNED = {"task": "Plan the steps", "task_path": f"{ROLES}/campaign/tasks/plan.yml:20",
           "task_action": "campaign.remediation.campaign_plan"}
START = {"task": "Start stat", "task_path": f"{ROLES}/stat/tasks/start.yml:2",
         "task_action": "campaign.remediation.campaign_module"}
PROOF = {"task": "Diagnose until the findings are gone",
         "task_path": f"{ROLES}/campaign/tasks/rung.yml:64",
         "task_action": "campaign.remediation.campaign_diagnose"}
BACK = {"task": "Release the host", "task_path": f"{ROLES}/campaign/tasks/main.yml:53",
        "task_action": "campaign.remediation.campaign_guard"}


def event(kind: str, host: str | None = None, task: Json | None = None, **more: Any) -> Json:
    data = {**(task or {}), **more}
    if host is not None:
        data["host"] = host
    return {"event": kind, "stdout": "", "event_data": data}


def play(name: str) -> Json:
    return event("playbook_on_play_start", name=name)


def started(host: str, task: Json) -> Json:
    return event("runner_on_start", host, task)


def ok(host: str, task: Json, **result: Any) -> Json:
    return event("runner_on_ok", host, task, res=result)


def diagnosis(verdicts: dict[str, str], *severities: str, error: str | None = None) -> Json:
    """`verdicts` by module@instance."""
    return {
        "error": error,
        "modules": [
            {"module": name.partition("@")[0], "instance": name.partition("@")[2],
             "verdict": verdict}
            for name, verdict in verdicts.items()
        ],
        "findings": [{"severity": severity} for severity in severities],
    }


def step(title: str, module: str = "stat", remedy: str = "start") -> Json:
    return {"title": title, "module": module, "instance": "prod", "remedy": remedy, "subject": None}


def at_step(number: int, *steps: Json) -> Json:
    """What campaign_step returns of the step in progress."""
    return {"steps": list(steps), "number": number}
