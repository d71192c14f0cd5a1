"""campaign_plan: what it takes from the hosts' variables, its file, its refusals."""

from __future__ import annotations

import json
import stat
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail, AnsiblePromptInterrupt, AnsiblePromptNoninteractive
from unit.plan.builder import server

from ansible_collections.campaign.remediation.plugins.action import campaign_plan
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.ansible import (
    confirmations,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning.mute_memory import (
    Absence,
    HostMemory,
    Memory,
    name_of,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning.policy import (
    Policy,
)

Json = dict[str, Any]
ILL = "wfserver.memory_alert@prod"


class HostVars(dict[str, Json]):
    """Variables by host, as Ansible hands them to an action."""

    def raw_get(self, name: str) -> Json:
        return self[name]


def registered(name: str, *findings: str) -> Json:
    return {"campaign_diagnosis": {"diagnosis": server(*findings, name=name)}}


def run(
    hostvars: Json | None = None, *, check: bool = True, variables: Json | None = None,
    **arguments: Any,
) -> Json:
    given = HostVars(hostvars or {"app1": registered("app1", ILL), "app2": registered("app2")})
    action = campaign_plan.ActionModule.__new__(campaign_plan.ActionModule)
    action._task = SimpleNamespace(
        args=arguments, async_val=0, check_mode=check, action="campaign_plan"
    )
    action._connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir="/tmp"))
    action._templar = None
    result: Json = action.run(
        task_vars={"hostvars": given, "ansible_play_hosts_all": list(given), **(variables or {})}
    )
    return result


def test_all_hosts_of_the_play() -> None:
    result = run(run="r7")
    assert (result["changed"], result["file"]) == (False, "")
    assert result["summary"] == {"hosts": 2, "steps": 1, "left": 0, "refused": 0}
    assert [step["remedy"] for step in result["steps"]["app1"]] == ["restart"]
    assert result["steps"]["app2"] == []
    assert (result["plan"]["run"], result["plan"]["collection"]) == ("r7", "1.0.0")


def test_each_run_has_a_name_of_its_own() -> None:
    assert run()["plan"]["run"] != run()["plan"]["run"]


def test_hosts_without_a_diagnosis_are_there() -> None:
    hostvars = {"app1": {}, "app2": {"campaign_diagnosis": {"unreachable": True, "msg": "gone"}}}
    first, second = run(hostvars)["plan"]["hosts"]
    assert "did not run" in first["error"]
    assert (second["error"], second["steps"]) == ("gone", [])


def test_each_host_s_own_policy_unless_the_task_says_one() -> None:
    hostvars = {
        "app1": registered("app1", ILL) | {"campaign_modules_excluded": ["wfserver"]},
        "app2": registered("app2", ILL) | {"campaign_ask": True},
    }
    result = run(hostvars)
    assert result["steps"]["app1"] == []
    assert result["steps"]["app2"][0]["asks"] is True
    assert len(run(hostvars, modules_excluded=[])["steps"]["app1"]) == 1


@pytest.mark.parametrize(
    ("registered_work", "expected"),
    [
        ({"work": [{"kind": "workflow", "what": "nightly", "module": "wfserver",
                    "instance": "prod"}]}, ["nightly"]),
        ({"work": []}, []),
        ({"failed": True, "msg": "nlserver does not answer"}, None),
        ({"skipped": True}, None),
        ({"unreachable": True}, None),
    ],
)
def test_work_in_flight_is_what_the_host_told(registered_work: Json, expected: Any) -> None:
    result = run({"app1": registered("app1", ILL) | {"campaign_work": registered_work}})
    work = result["steps"]["app1"][0]["work"]
    assert (work if work is None else [each["what"] for each in work]) == expected


def test_what_was_done_in_vain_is_not_planned_again() -> None:
    done = {"campaign_actions": [{"result": "not_repaired", "because": [ILL]}, "noise"]}
    result = run({"app1": registered("app1", ILL) | done})
    assert result["steps"]["app1"] == []
    assert result["plan"]["hosts"][0]["left"][0]["why"] == "ladder_exhausted"


def test_a_plan_through_its_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "plan.json"
    made = run(plan_file=str(path))
    assert made["file"] == str(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text(encoding="utf-8")) == made["plan"]
    assert list(path.parent.iterdir()) == [path]
    assert run(read_file=str(path))["steps"] == made["steps"]


def test_a_plan_for_another_state_is_refused_host_by_host(tmp_path: Path) -> None:
    path = str(tmp_path / "plan.json")
    before = {"app1": registered("app1", ILL), "app2": registered("app2", ILL)}
    run(before, plan_file=path)
    result = run(before | {"app1": registered("app1")}, read_file=path)
    assert (result["summary"]["refused"], result["summary"]["steps"]) == (1, 1)


def test_a_policy_can_be_checked_before_anything_is_known_of_the_hosts() -> None:
    assert run({"app1": {"campaign_ask": True}, "app2": {}}, validate_only=True) == {"changed": False}
    wrong = {"app1": {}, "app2": {"campaign_freezes": [{"from": "2025-12-20", "to": "2025-12-31"}]}}
    with pytest.raises(AnsibleActionFail, match="^app2: campaign_freezes: .* has no reason$"):
        run(wrong, validate_only=True)


def test_a_mute_whose_finding_was_gone_for_a_day_has_ended(tmp_path: Path) -> None:
    hour, now = 3600.0, time.time()
    muted = {"key": "wfserver.memory_alert", "until": "2099-12-31", "reason": "CHG-1"}
    hostvars = {"app1": registered("app1", ILL) | {"campaign_muted": [muted]}}
    assert run(hostvars)["plan"]["hosts"][0]["left"][0]["why"] == "muted"
    (mute,) = Policy.of({"muted": [muted]}).mutes
    absence = Absence(mute=name_of(mute), since=now - 26 * hour, last=now - hour)
    memory = Memory(hosts=(HostMemory(name="app1", at=now, mutes=(absence,)),))
    path = tmp_path / "mutes.json"
    path.write_text(json.dumps(memory.as_dict()))
    for given in ({"campaign_mute_memory": str(path)}, {"campaign_report_dir": str(tmp_path)},
                  {"_campaign_mute_memory": str(path)}):  # fmt: skip
        result = run(hostvars, variables=given)
        assert len(result["steps"]["app1"]) == 1 and "warnings" not in result
        (note,) = result["plan"]["hosts"][0]["notes"]
        assert note.startswith(f"the mute of {ILL} has ended: the finding was gone from 20")
    path.write_text("no memory")
    result = run(hostvars, mute_memory=str(path))
    assert result["steps"]["app1"] == []
    assert "mutes.json is not a memory of mutes: remove it" in result["warnings"][0]


@pytest.mark.parametrize(
    ("hostvars", "arguments", "message"),
    [
        ({"app1": {"campaign_windows": ["x"]}}, {}, "app1: campaign_windows: an entry must be"),
        ({"app1": {}}, {"highest_rung": "reboot"}, "app1: campaign_highest_rung: 'reboot'"),
        ({"app1": {}}, {"read_file": "/no/such/plan"}, "cannot read the plan /no/such/plan: No"),
        ({"app1": {}}, {"read_file": __file__}, "is not valid JSON"),
        ({"app1": {"campaign_approval": "maybe"}}, {}, "app1: campaign_approval: 'maybe'"),
        ({"app1": {}}, {"plan_file": "/proc/no/plan.json"}, "cannot be written to /proc/no"),
        ({"app1": {}}, {"speed": 1}, "speed"),
    ],
)
def test_bad_input_gets_one_clear_line(hostvars: Json, arguments: Json, message: str) -> None:
    with pytest.raises(AnsibleActionFail, match=message) as caught:
        run(hostvars, **arguments)
    assert "\n" not in str(caught.value)


def test_an_expired_plan(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    run(plan_file=str(path), valid_minutes=0)
    with pytest.raises(AnsibleActionFail, match="expired"):
        run(read_file=str(path))


# ------------------------------------------------------------------------------- the plan as data


def test_the_statistics_hand_the_plan_on_to_the_next_job() -> None:
    made = run(variables={"campaign_who": "anna"})
    stats = made["ansible_stats"]
    assert (stats["per_host"], stats["aggregate"]) == (False, False)
    assert stats["data"]["campaign_plan_summary"] == made["summary"]
    assert (stats["data"]["campaign_plan_verdict"], made["plan"]["made_by"]) == ("planned", "anna")
    handed = stats["data"]["campaign_plan_data"]
    for data in (handed, json.dumps(handed)):
        applied = run(variables={"campaign_plan_data": data})
        assert [step["remedy"] for step in applied["steps"]["app1"]] == ["restart"]
        assert (applied["read"], made["read"]) == (True, False)
        assert "campaign_plan_data" not in applied["ansible_stats"]["data"]


@pytest.mark.parametrize("validate_only", [True, False])
@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("The plan has 9 bytes", "campaign_plan_data: this is not a plan as JSON: The plan has 9"),
        (["x"], "campaign_plan_data: this is not a plan that campaign_plan made"),
        ("[" * 100_000, "campaign_plan_data: this is not a plan as JSON"),
        ({"schema": 7, "hosts": []}, "campaign_plan_data: the plan has schema 7"),
    ],
)
def test_data_that_is_no_plan(data: Any, message: str, validate_only: bool) -> None:
    with pytest.raises(AnsibleActionFail, match=message) as caught:
        run(variables={"campaign_plan_data": data}, validate_only=validate_only)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_plan_is_a_file_or_data() -> None:
    data = run()["plan"]
    with pytest.raises(AnsibleActionFail, match="campaign_plan_data and campaign_plan_file"):
        run(variables={"campaign_plan_data": data}, read_file="plan.json", validate_only=True)


def test_a_plan_is_validated_before_there_is_a_diagnosis() -> None:
    required = {"app1": {"campaign_approval": "required"}, "app2": {}}
    plan = run()["plan"]
    assert run({"app1": {}}, validate_only=True) == {"changed": False}
    assert run({"app1": {}}, validate_only=True, variables={"campaign_plan_data": plan})
    with pytest.raises(AnsibleActionFail, match="app1: campaign_approval is required"):
        run(required, validate_only=True, variables={"campaign_plan_data": plan})
    old = plan | {"expires_at": "2020-01-01T00:00:00Z"}
    with pytest.raises(AnsibleActionFail, match="the plan has expired"):
        run({"app1": {}}, validate_only=True, variables={"campaign_plan_data": old})


def test_a_plan_that_is_only_read_needs_no_approval() -> None:
    required = {"app1": registered("app1", ILL) | {"campaign_approval": "required"}}
    assert len(run(required, plan_only=True)["steps"]["app1"]) == 1
    refused = run(required)
    assert (refused["steps"]["app1"], refused["summary"]["refused"]) == ([], 1)
    assert refused["ansible_stats"]["data"]["campaign_plan_verdict"] == "refused"


def test_a_run_that_must_not_make_a_plan() -> None:
    with pytest.raises(AnsibleActionFail, match="campaign_plan_required is true, and no plan is given"):
        run({"app1": {}}, required=True, validate_only=True)
    assert run(required=True, variables={"campaign_plan_data": run()["plan"]})["read"]


# ---------------------------------------------------------------------------------- the questions


@pytest.mark.parametrize(
    ("answers", "confirmed", "why"),
    [
        ([b" Yes\r"], {"app1": [1]}, ""),
        ([b"no", b"y"], {"app2": [1]}, ""),
        ([AnsiblePromptNoninteractive()], {}, "there is no terminal to ask at"),
        ([b"yes", AnsiblePromptInterrupt()], {"app1": [1]}, "interrupted"),
    ],
)
def test_what_the_operator_answered(
    answers: list[Any], confirmed: Json, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def prompt(question: str, *, seconds: int) -> bytes:
        asked.append(f"{question}{seconds}")
        answer = answers[len(asked) - 1] if len(asked) <= len(answers) else b""
        if isinstance(answer, Exception):
            raise answer
        return bytes(answer)

    monkeypatch.setattr(confirmations, "DISPLAY", SimpleNamespace(prompt_until=prompt))
    asking = {name: registered(name, ILL) | {"campaign_ask": True} for name in ("app1", "app2")}
    result = run(asking, check=False, ask_seconds=9)
    assert (result["confirmed"], why in result["unconfirmed"]) == (confirmed, True)
    assert asked[0].startswith("app1: Restart wfserver@prod, for wfserver.memory_alert@prod.")
    assert asked[0].endswith("Type yes to apply it: 9")
    for silent in (run(asking), run(asking, check=False, plan_only=True)):
        assert (silent["confirmed"], silent["unconfirmed"]) == ({}, "")


def test_nobody_answers_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was typed and not sent is no answer."""
    monkeypatch.setattr(
        confirmations, "DISPLAY", SimpleNamespace(prompt_until=lambda _text, seconds: b"yes")
    )
    clock = iter([0.0, 9.0])
    monkeypatch.setattr(confirmations, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    asking = {name: registered(name, ILL) | {"campaign_ask": True} for name in ("app1", "app2")}
    result = run(asking, check=False, ask_seconds=9)
    assert (result["confirmed"], result["unconfirmed"]) == (
        {}, "nobody answered within 9 s (campaign_ask_seconds)",
    )
