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


def run(variables: Json, *, check: bool = False, steps: tuple[Json, ...] = (STEP,), **arguments: Any) -> Json:
    action = campaign_step.ActionModule.__new__(campaign_step.ActionModule)
    action._task = SimpleNamespace(
        args=arguments, async_val=0, check_mode=check, action="campaign_step"
    )
    action._connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir="/tmp"))
    action._templar = Templar()
    given = {"inventory_hostname": "app1", "campaign_steps": list(steps), **variables}
    result: Json = action.run(task_vars=given)
    return result


def at_first(**state: Any) -> Json:
    """The variables while the first step is in progress."""
    return {"_campaign_repair": {"at": 0, "admitted": True, "rung": "restart", "open": [ILL], **state}}


def test_from_its_beginning_to_its_proof() -> None:
    opened = run({}, state="opened")
    assert (opened["rung"], opened["role"], opened["guard"], opened["changed"]) == (
        "restart", "wfserver", {}, False,
    )
    assert (opened["admitted"], opened["next"], opened["number"]) == (True, "rung", 1)
    assert opened["step"]["because"] == [ILL]
    ended = run(
        {
            "_campaign_repair": opened,
            "_campaign_begun": {"skipped": True},
            "_wfserver_change": {"commands": [["nlserver", "restart"]], "left": "changed"},
            "_campaign_proof": {"remaining": {}, "unproved": {ILL: "no workflow ran"}},
            "campaign_gone_within": 5,
        },
        state="ended",
    )
    (action,) = ended["actions"]
    assert (action["result"], action["left"], ended["rung"]) == ("unproved", "changed", "")
    assert (ended["next"], ended["admitted"]) == ("", True)
    assert "within 5 s" in action["reason"]
    assert action["started"] == opened["began"] <= action["finished"]


def test_the_end_of_a_step_is_the_beginning_of_the_next() -> None:
    second = STEP | {"order": 3, "because": ["mta.stopped@prod"], "module": "mta", "remedy": "start",
                     "rungs": ["start"], "rungs_for": {"start": ["mta.stopped@prod"]}, "role": "mta"}
    proof: Json = {"_campaign_proof": {"remaining": {}}}
    ended = run(at_first() | proof, state="ended", steps=(STEP, second))
    assert (ended["next"], ended["rung"], ended["role"], ended["number"]) == ("rung", "start", "mta", 2)
    assert (ended["open"], ended["step"]["module"]) == (["mta.stopped@prod"], "mta")
    assert len(ended["actions"]) == 1


def test_all_that_is_returned_is_documented() -> None:
    documented = module.RETURN
    for name in run({}, state="opened"):
        assert name == "changed" or f"\n{name}:\n" in documented, name


def test_a_remedy_of_ansible_s_own_modules_is_bracketed() -> None:
    step = STEP | {"remedy": "restart_service", "rungs": ["restart_service"],
                   "rungs_for": {"restart_service": [ILL]}}
    begun = run({}, state="opened", steps=(step,))
    assert begun["guard"] == {"restart": True, "whole_server": True, "lasting": False}


def test_the_guards_of_another_rung_are_not_asked_for_this_one() -> None:
    """What a rung before has registered is still there."""
    before = {"_campaign_begun": {"unreachable": True, "msg": "gone", "evidence": "/a"},
              "_campaign_ended": {"seconds": 7.0}, "_campaign_proof": {"remaining": {}}}
    for rung, lost in (("restart", False), ("restart_service", True)):
        step = STEP | {"remedy": rung, "rungs": [rung], "rungs_for": {rung: [ILL]}}
        ended = run({**before, **at_first(rung=rung)}, state="ended", steps=(step,))
        (action,) = ended["actions"]
        assert bool(action["evidence"]) is bool(action["seconds"]) is lost, rung
        assert ended["lost"] == ("gone" if lost else ""), rung


def test_what_comes_next_in_a_step() -> None:
    steps = (STEP | {"afterwards": "raise_log_precision"},)
    proof = {"_campaign_proof": {"remaining": {ILL: "still there"}}}
    assert run({}, state="opened", steps=steps)["next"] == "rung"
    vain = run({**at_first(), **proof}, state="ended", steps=steps)
    assert vain["next"] == "afterwards"
    assert run({"_campaign_repair": vain}, state="shown", steps=steps)["next"] == ""
    gone = {**at_first(), "_campaign_proof": {"remaining": {}}}
    assert run(gone, state="ended", steps=steps)["next"] == ""
    assert run({**at_first(), **proof}, state="ended", check=True, steps=steps)["next"] == ""


def test_the_default_time_of_a_proof_is_told() -> None:
    proof = {"remaining": {}, "unproved": {ILL: "x"}}
    before = {**at_first(), "_campaign_proof": proof}
    assert "within 60 s" in run(before, state="ended")["actions"][0]["reason"]


def test_a_task_that_failed() -> None:
    before = at_first(actions=[{"because": []}])
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
    asking = {"campaign_plan": {"confirmed": confirmed, "unconfirmed": "there is no terminal"}}
    steps = (STEP | {"asks": True},)
    opened = run(asking, state="opened", steps=steps)
    assert (opened["rung"] == "restart") == agreed
    assert opened["not_done"].endswith("" if agreed else "not given: there is no terminal")
    assert run(asking, state="opened", check=True, steps=steps)["rung"]


@pytest.mark.parametrize("how", ["file", "template"])
def test_a_run_that_is_asked_to_stop(how: str, tmp_path: Path) -> None:
    stop = tmp_path / "stop"
    asked: Json = {"campaign_stop_file": str(stop)}
    assert run(asked, state="opened")["not_done"] == ""
    if how == "template":
        asked["campaign_stop_file"] = "{{ at }}"
    else:
        stop.touch()
    stopped = run(asked, state="opened")
    assert stopped["not_done"].startswith("the run was asked to stop")
    assert (stopped["admitted"], stopped["next"]) == (False, "")


def test_what_another_name_of_the_server_has_had_done() -> None:
    done = {key: STEP[key] for key in ("module", "instance", "remedy")} | {"host": "app9"}
    opened = {"_campaign_opened": {"done_elsewhere": [done]}}
    order = STEP | {"because": []}
    assert run(opened, state="begun", steps=(order,))["not_done"].endswith("under the name app9")


def test_what_is_gone_since() -> None:
    looked: Json = {"_campaign_present": {"remaining": {}}}
    assert run(looked, state="begun")["not_done"] == "its findings are already gone"
    assert run({"_campaign_present": {"skipped": True}}, state="begun")["not_done"] == ""


def test_what_was_seen_before_the_host_was_locked_does_not_count() -> None:
    """A playbook may repair a host twice, and what was registered is still there."""
    interrupted = {"interrupted": [{"unfinished": [{"module": "mta"}]}]}
    stale = {"_campaign_opened": interrupted, "_campaign_present": {"remaining": {}}}
    opened = run(stale, state="opened")
    assert (opened["step"]["remedy"], opened["not_done"]) == ("restart", "")
    assert run(stale, state="begun")["step"]["remedy"] == "finish_repair"


def test_the_steps_are_looked_at_again_after_a_cut_repair_was_finished() -> None:
    finish = STEP | {"remedy": "finish_repair", "rungs": ["finish_repair"], "because": []}
    both = (finish, STEP)
    done = {**at_first(rung="finish_repair", open=[]), "_campaign_proof": {"remaining": {}}}
    assert run({}, state="opened", steps=both)["next"] == "rung"
    ended = run(done, state="ended", steps=both)
    assert ended["next"] == "remaining"
    assert run(done, state="ended", steps=(finish,))["next"] == ""
    gone = {"_campaign_repair": ended, "_campaign_present": {"remaining": {}}}
    assert run(gone, state="looked", steps=both)["actions"][-1]["reason"] == "its findings are already gone"
    there = gone | {"_campaign_present": {"remaining": {ILL: "x"}}}
    assert run(there, state="looked", steps=both)["next"] == "rung"


def test_the_repair_of_the_host_failed() -> None:
    variables = {
        "_campaign_repair": {"actions": [], "lost": ""},
        "ansible_failed_result": {"failed": True, "msg": "cannot be reached"},
    }
    (action,) = run(variables, state="cut")["actions"]
    assert (action["result"], action["reason"]) == ("not_repaired", "cannot be reached")


def test_a_line_that_was_awaited_needs_no_step() -> None:
    change = {"_campaign_change": {"commands": [["nlserver", "config", "-reload"]]}}
    result = run(change, state="awaited", path="/log", steps=())
    (action,) = result["actions"]
    assert (action["result"], action["remedy"]) == ("done", "check_syslogd")
    assert action["command"] == [["nlserver", "config", "-reload"]]


def test_what_is_no_state() -> None:
    with pytest.raises(AnsibleActionFail, match="state"):
        run({}, state="stopped")
