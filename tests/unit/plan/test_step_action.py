"""campaign_step: what it takes from the host's variables, and the state that it returns."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.campaign.remediation.plugins.action import campaign_step
from ansible_collections.campaign.remediation.plugins.modules import campaign_step as module

Json = dict[str, Any]

ILL = "wfserver.hung@prod"
STEP: Json = {
    "order": 2, "module": "wfserver", "instance": "prod", "subject": None, "role": "wfserver",
    "remedy": "restart", "rungs": ["restart"], "rungs_for": {"restart": [ILL]}, "because": [ILL],
    "keys": ["wfserver.hung"], "afterwards": None, "asks": False, "not_after": None,
}


class Templar:
    """Fills in what the inventory has as a template."""

    def template(self, variables: Json) -> Json:
        return {name: variables[name].replace("{{ at }}", "/tmp") for name in variables}


def run(variables: Json, *, check: bool = False, **arguments: Any) -> Json:
    action = campaign_step.ActionModule.__new__(campaign_step.ActionModule)
    action._task = SimpleNamespace(
        args=arguments, async_val=0, check_mode=check, action="campaign_step"
    )
    action._connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir="/tmp"))
    action._templar = Templar()
    given = {"inventory_hostname": "app1", "_campaign_step": STEP, **variables}
    result: Json = action.run(task_vars=given)
    return result


def test_from_its_beginning_to_its_proof() -> None:
    begun = run({}, state="begun")
    assert (begun["rung"], begun["role"], begun["guard"], begun["changed"]) == (
        "restart", "wfserver", {}, False,
    )
    ended = run(
        {
            "_campaign_repair": begun,
            "_campaign_begun": {"skipped": True},
            "_wfserver_change": {"commands": [["nlserver", "restart"]], "left": "changed"},
            "_campaign_proof": {"remaining": {}, "unproved": {ILL: "no workflow ran"}},
            "campaign_gone_within": 5,
        },
        state="ended",
    )
    (action,) = ended["actions"]
    assert (action["result"], action["left"], ended["rung"]) == ("unproved", "changed", "")
    assert "within 5 s" in action["reason"]
    assert action["started"] == begun["began"] <= action["finished"]


def test_all_that_is_returned_is_documented() -> None:
    documented = module.RETURN
    for name in run({}, state="begun"):
        assert name == "changed" or f"\n{name}:\n" in documented, name


def test_a_remedy_of_ansible_s_own_modules_is_bracketed() -> None:
    step = STEP | {"remedy": "restart_service", "rungs": ["restart_service"],
                   "rungs_for": {"restart_service": [ILL]}}
    begun = run({"_campaign_step": step}, state="begun")
    assert begun["guard"] == {"restart": True, "whole_server": True, "lasting": False}


def test_the_guards_of_another_rung_are_not_asked_for_this_one() -> None:
    """What a rung before has registered is still there."""
    before = {"_campaign_begun": {"unreachable": True, "msg": "gone", "evidence": "/a"},
              "_campaign_ended": {"seconds": 7.0}, "_campaign_proof": {"remaining": {}}}
    for rung, lost in (("restart", False), ("restart_service", True)):
        step = STEP | {"remedy": rung, "rungs": [rung], "rungs_for": {rung: [ILL]}}
        repair = {"rung": rung, "open": [ILL]}
        ended = run({**before, "_campaign_step": step, "_campaign_repair": repair}, state="ended")
        (action,) = ended["actions"]
        assert bool(action["evidence"]) is bool(action["seconds"]) is lost, rung
        assert ended["lost"] == ("gone" if lost else ""), rung


def test_what_comes_next_in_a_step() -> None:
    step = STEP | {"afterwards": "raise_log_precision"}
    proof = {"_campaign_proof": {"remaining": {ILL: "still there"}}}
    vain = {"_campaign_step": step, "_campaign_repair": {"rung": step["rungs"][-1], "open": [ILL]}}
    assert run({"_campaign_step": step}, state="begun")["next"] == "rung"
    assert run({**vain, **proof}, state="ended")["next"] == "afterwards"
    assert run({**vain, "_campaign_proof": {"remaining": {}}}, state="ended")["next"] == ""
    assert run({**vain, **proof}, state="ended", check=True)["next"] == ""


def test_the_default_time_of_a_proof_is_told() -> None:
    proof = {"remaining": {}, "unproved": {ILL: "x"}}
    before = {"_campaign_repair": {"rung": "restart", "open": [ILL]}, "_campaign_proof": proof}
    assert "within 60 s" in run(before, state="ended")["actions"][0]["reason"]


def test_a_task_that_failed() -> None:
    before = {"_campaign_repair": {"rung": "restart", "actions": [{"because": []}]}}
    failure = {"failed": True, "refused": True, "msg": "held", "invocation": {"password": "x"}}
    failed = run({**before, "ansible_failed_result": failure}, state="failed")
    assert failed["failure"] == {"failed": True, "msg": "held"}
    assert (failed["not_done"], failed["ended"], failed["rung"]) == (
        "refused", "unchanged", "restart",
    )
    assert [action["because"] for action in failed["actions"]] == [[]]


@pytest.mark.parametrize(
    ("confirmed", "agreed"),
    [({"app1": [1, 2]}, True), ({"app2": [2]}, False), ({"app1": [1]}, False), ({"app1": 2}, False)],
)
def test_a_person_s_word_is_for_one_step_of_one_host(confirmed: Json, agreed: bool) -> None:
    plan = {"confirmed": confirmed, "unconfirmed": "there is no terminal"}
    asking = {"_campaign_step": STEP | {"asks": True}, "campaign_plan": plan}
    begun = run(asking, state="begun")
    assert (begun["rung"] == "restart") == agreed
    assert begun["not_done"].endswith("" if agreed else "not given: there is no terminal")
    assert run(asking, state="begun", check=True)["rung"]


@pytest.mark.parametrize("how", ["variable", "file", "template"])
def test_a_run_that_is_asked_to_stop(how: str, tmp_path: Path) -> None:
    stop = tmp_path / "stop"
    asked: Json = {"campaign_stop_file": str(stop)}
    assert run(asked, state="begun")["not_done"] == ""
    if how == "variable":
        asked["_campaign_stopping"] = "True"
    elif how == "template":
        asked["campaign_stop_file"] = "{{ at }}"
    else:
        stop.touch()
    assert run(asked, state="begun")["not_done"].startswith("the run was asked to stop")


def test_what_another_name_of_the_server_has_had_done() -> None:
    done = {key: STEP[key] for key in ("module", "instance", "remedy")} | {"host": "app9"}
    order = STEP | {"because": []}
    opened = {"_campaign_step": order, "_campaign_opened": {"done_elsewhere": [done]}}
    assert run(opened, state="begun")["not_done"].endswith("under the name app9")


def test_what_is_gone_since() -> None:
    looked: Json = {"_campaign_present": {"remaining": {}}}
    assert run(looked, state="begun")["not_done"] == "its findings are already gone"
    assert run({"_campaign_present": {"skipped": True}}, state="begun")["not_done"] == ""


def test_the_steps_are_looked_at_where_they_are_needed() -> None:
    finish = STEP | {"remedy": "finish_repair", "rungs": ["finish_repair"], "because": []}
    both = {"_campaign_step": finish, "campaign_steps": [finish, STEP]}
    done = {"_campaign_repair": {"rung": "finish_repair"}, "_campaign_proof": {"remaining": {}}}
    assert run(both, state="begun")["next"] == "rung"
    assert run(both | done, state="ended")["next"] == "remaining"
    assert run(both | done | {"campaign_steps": [finish]}, state="ended")["next"] == ""


def test_the_repair_of_the_host_failed() -> None:
    variables = {
        "campaign_steps": [STEP], "_campaign_repair": {"actions": [], "lost": ""},
        "ansible_failed_result": {"failed": True, "msg": "cannot be reached"},
    }
    (action,) = run(variables, state="cut")["actions"]
    assert (action["result"], action["reason"]) == ("not_repaired", "cannot be reached")


def test_a_line_that_was_awaited_needs_no_step() -> None:
    change = {"_campaign_change": {"commands": [["nlserver", "config", "-reload"]]}}
    result = run({**change, "_campaign_step": None}, state="awaited", path="/log")
    (action,) = result["actions"]
    assert (action["result"], action["remedy"]) == ("done", "check_syslogd")
    assert action["command"] == [["nlserver", "config", "-reload"]]


def test_what_is_no_state() -> None:
    with pytest.raises(AnsibleActionFail, match="state"):
        run({}, state="stopped")
