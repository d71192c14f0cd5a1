"""campaign_event: an event names hosts of the inventory, and nothing else."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.campaign.remediation.plugins.action import campaign_event

Json = dict[str, Any]
INVENTORY = ["app1", "app2", "db.example.com"]


def run(payload: Any) -> list[str]:
    action = campaign_event.ActionModule.__new__(campaign_event.ActionModule)
    action._task = SimpleNamespace(args={}, async_val=0, check_mode=False, action="campaign_event")
    action._connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir="/tmp"))
    variables = {"groups": {"all": INVENTORY}, "ansible_eda": {"event": {"payload": payload}}}
    found: list[str] = action.run(task_vars=variables)["hosts"]
    return found


def report(*hosts: Any, automatic: Any = True) -> Json:
    causes = [{"key": "mta.not_running", "automatic": automatic, "hosts": list(hosts)}]
    return {"type": "campaign.remediation.report", "data": {"causes": causes}}


def alerts(*hosts: Any, status: str = "firing") -> Json:
    return {"alerts": [{"status": status, "labels": {"host": host}} for host in hosts]}


def test_a_report_names_the_hosts_of_what_can_be_repaired() -> None:
    event = report("app2", "app1")
    event["data"]["causes"] += [{"automatic": False, "hosts": ["db.example.com"]}, "noise", {}]
    assert run(event) == ["app1", "app2"]


def test_alerts_name_their_host_while_they_fire() -> None:
    event = alerts("db.example.com", "db.example.com")
    event["alerts"] += alerts("app1", status="resolved")["alerts"]
    assert run(event) == ["db.example.com"]


@pytest.mark.parametrize("event", [report, alerts])
@pytest.mark.parametrize(
    "name",
    ["all", "app*", "~app.*", "app1:app2", "app1,app2", "!app1", "@/etc/passwd", "app1\n", "localhost",
     "{{ lookup('ansible.builtin.pipe', 'id') }}", "", None, 7, ["app1"], "x" * 10_000, "\x1b[2J"],
)  # fmt: skip
def test_a_name_is_no_pattern_and_no_template(event: Any, name: Any) -> None:
    with pytest.raises(AnsibleActionFail, match="not in the inventory") as caught:
        run(event("app1", name))
    said = str(caught.value)
    assert "\n" not in said
    assert "\x1b" not in said
    assert len(said) < 300


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (None, "the event has no payload"), ("text", "the event has no payload"),
        ({"type": "other"}, "neither of the type campaign.remediation.report nor of Alertmanager"),
        (report(), "names no host"), (report("app1", automatic="yes"), "names no host"),
        (alerts("app1", status="resolved"), "names no host"), ({"alerts": "x"}, "names no host"),
        ({"type": "campaign.remediation.report", "data": []}, "names no host"),
    ],
)
def test_an_event_that_nothing_is_done_for(event: Any, message: str) -> None:
    with pytest.raises(AnsibleActionFail, match=message):
        run(event)


def test_an_event_with_many_unknown_hosts_shows_some() -> None:
    with pytest.raises(AnsibleActionFail, match="'x0', 'x1', 'x2' and 97 more"):
        run(report(*(f"x{number}" for number in range(100))))


def test_without_ansible_rulebook_there_is_no_event() -> None:
    action = campaign_event.ActionModule.__new__(campaign_event.ActionModule)
    action._task = SimpleNamespace(args={}, async_val=0, check_mode=False, action="campaign_event")
    action._connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir="/tmp"))
    with pytest.raises(AnsibleActionFail, match="the event has no payload .ansible_eda"):
        action.run(task_vars={})
