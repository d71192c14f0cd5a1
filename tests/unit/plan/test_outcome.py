"""The verdict of a repair: each combination of what guards, remedy and proof can say."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning import outcome
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning.outcome import (
    RungResults,
    State,
    StepContext,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning.records import (
    Action,
    Step,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning.registered import (
    Begun,
    Change,
    DoneElsewhere,
    Ended,
    Interrupted,
    Opened,
    Proof,
)

Json = dict[str, Any]

HUNG, MEMORY = "wfserver.hung@prod", "wfserver.memory_alert@prod"
LOST = {"unreachable": True, "msg": "Task failed: the connection was cut."}
SKIPPED = {"skipped": True, "changed": False}
OWN, LASTING, PASSING = "restart", "clear_pid_file", "restart_service"

CHANGES: dict[str, Json] = {
    "ok": {"commands": [["nlserver", "restart"]], "left": "changed", "msg": "restarted.",
           "before": {"pid": 1}, "after": {"pid": 2}, "seconds": 3.5, "evidence": "/ev/1"},
    "refused": {"failed": True, "refused": True, "guard": "budget", "msg": "restarted too often."},
    "unmet": {"failed": True, "assertion": "x", "evaluated_to": False, "msg": "set it."},
    "failed": {"failed": True, "msg": "did not start.", "left": "unknown",
               "commands": [["nlserver", "restart"]], "before": {"pid": 1}},
    "in vain": {"failed": True, "in_vain": True, "msg": "ended with 1.", "left": "changed"},
    "lost": LOST,
}
PROOFS: dict[str, Json] = {
    "gone": {"remaining": {}, "unproved": {}},
    "unproved": {"remaining": {}, "unproved": {HUNG: "no mail came"}},
    "remaining": {"remaining": {MEMORY: "It uses 9 GB."}, "unproved": {HUNG: "no mail came"}},
    "failed": {"failed": True, "msg": "the diagnosis timed out"},
    "lost": LOST,
}
GUARDS = {"ok": {"run": "r1", "evidence": "/ev/guard"}, "refused": CHANGES["refused"], "lost": LOST}
ENDED = {"left": "as_before", "before": {"pid": 7}, "after": {"pid": 8}, "seconds": 9.0}


def a_step(
    rung: str = OWN, *further: str, because: tuple[str, ...] = (HUNG, MEMORY), **changes: Any
) -> Step:
    step = Step(
        order=1, module="wfserver", instance="prod", remedy=rung, rungs=(rung, *further),
        because=because, role="wfserver", afterwards="raise_log_precision",
        rungs_for={each: because for each in (rung, *further)},
    )
    return replace(step, **changes)


def climb(
    step: Step, guard: str, change: str, proof: str, *, check: bool = False
) -> State:
    """One rung as the role's tasks climb it."""
    state = State(open=step.because, began="10:00", rung=step.rungs[0])
    bracketed = outcome.guard_of(state.rung) is not None
    begun = GUARDS[guard] if bracketed else SKIPPED
    done = begun if begun.get("failed") else CHANGES[change]
    if done.get("failed"):
        state = outcome.failed(state, Change.of(done))
    proved = not check and not state.not_done
    seen = RungResults(
        begun=Begun.of(begun), change=Change.of({} if done.get("failed") else done),
        ended=Ended.of(ENDED if bracketed and begun.get("run") else SKIPPED),
        proof=Proof.of(PROOFS[proof] if proved else SKIPPED),
    )
    return outcome.decide(step, state, seen, check=check, within=7, now="10:05")


# --- the verdict --------------------------------------------------------------------------------


def expected(order: bool, guard: str, change: str, proof: str, check: bool) -> str:
    """The result in a few words, from the first thing that decides it."""
    if guard == "refused" or (guard != "lost" and change in ("refused", "unmet")):
        return "refused"
    if check:
        return "skipped"
    if "lost" in (guard, change, proof) or proof == "failed":
        return "not_repaired"
    failed = change in ("failed", "in vain")
    if proof == "remaining" or (failed and (order or change == "in vain")):
        return "not_repaired"
    return "unproved" if proof == "unproved" else "done" if order else "repaired"


@pytest.mark.parametrize("rung", [OWN, LASTING, PASSING])
@pytest.mark.parametrize("order", [False, True], ids=["findings", "order"])
@pytest.mark.parametrize("check", [False, True], ids=["run", "check"])
def test_each_combination_has_its_result(rung: str, order: bool, check: bool) -> None:
    guards = ["ok"] if rung == OWN else list(GUARDS)
    for guard, change, proof in product(guards, CHANGES, PROOFS):
        if order and proof == "remaining":
            continue  # nothing can remain
        # Behind guards that refused or were lost no remedy has been applied.
        after = climb(
            a_step(rung, because=() if order else (HUNG, MEMORY)), guard, change, proof,
            check=check,
        )
        action = after.actions[-1]
        said = (guard, change, proof, action)
        lost_at_guard = guard == "lost" and change in ("refused", "unmet", "failed", "in vain")
        if lost_at_guard:
            continue
        assert action.result == expected(order, guard, change, proof, check), said
        assert (action.started is None) == (action.result == "skipped"), said
        assert (action.reason is None) == (
            action.result in ("repaired", "done") and change not in ("failed", "in vain")
        ), said
        if action.result == "refused" or check:
            assert (action.left, after.rung) == ("as_before", ""), said
        if after.lost:
            assert check or action.result == "refused" or action.left == "unknown", said
        if action.result in ("repaired", "done", "unproved"):
            assert after.open == (), said


@pytest.mark.parametrize(
    ("rung", "change", "left"),
    [
        (OWN, "ok", "changed"), (OWN, "failed", "unknown"), (OWN, "in vain", "changed"),
        (OWN, "lost", "unknown"),
        (LASTING, "ok", "changed"), (LASTING, "failed", "unknown"), (LASTING, "lost", "unknown"),
        (PASSING, "ok", "as_before"), (PASSING, "failed", "as_before"),
        (PASSING, "lost", "unknown"),
    ],
)
def test_what_is_left_of_the_server(rung: str, change: str, left: str) -> None:
    assert climb(a_step(rung), "ok", change, "gone").actions[-1].left == left


@pytest.mark.parametrize(
    ("change", "proof", "check", "reason"),
    [
        ("ok", "gone", False, None),
        ("ok", "unproved", False, "The finding did not come back within 7 s, but that proves nothing:"
         " no mail came. The next diagnosis shows it."),
        ("ok", "remaining", False, "It uses 9 GB."),
        ("ok", "failed", False, "the diagnosis timed out"),
        ("ok", "lost", False, "The host was lost during the repair: the connection was cut. How far"
         " the repair got is unknown; the next run finds out."),
        ("ok", "gone", True, "check mode: restarted."),
        ("failed", "remaining", False, "did not start."),
        ("refused", "gone", False, "restarted too often."),
        ("unmet", "gone", True, "set it."),
    ],
)
def test_the_reason(change: str, proof: str, check: bool, reason: str | None) -> None:
    assert climb(a_step(), "ok", change, proof, check=check).actions[-1].reason == reason


def test_words_for_what_says_nothing() -> None:
    state = State(open=(HUNG,), rung=OWN)
    silent = outcome.failed(state, Change(failed=True))
    for before, proof, check, reason in (
        (silent, {"remaining": {HUNG: "x"}}, False, "it failed without giving a reason"),
        (state, SKIPPED, True, "check mode: it would be done"),
        (state, {"failed": True}, False, "the diagnosis failed"),
    ):
        after = outcome.decide(
            a_step(), before, RungResults(proof=Proof.of(proof)), check=check, within=60, now="10:05"
        )
        assert after.actions[-1].reason == reason


def test_the_whole_action() -> None:
    (action,) = climb(a_step(), "ok", "ok", "gone").actions
    assert action.as_dict() == {
        "module": "wfserver", "instance": "prod", "subject": None, "remedy": OWN, "rung": OWN,
        "because": [HUNG, MEMORY], "command": [["nlserver", "restart"]], "result": "repaired",
        "reason": None, "guard": None, "before": {"pid": 1}, "after": {"pid": 2},
        "left": "changed", "seconds": 3.5, "started": "10:00", "finished": "10:05",
        "evidence": "/ev/1",
    }


def test_what_the_remedy_does_not_tell_the_guards_do() -> None:
    state = State(open=(HUNG,), rung=LASTING)
    seen = RungResults(begun=Begun.of(GUARDS["ok"]), change=Change(commands=(["rm"],)),
                ended=Ended.of(ENDED), proof=Proof.of(PROOFS["gone"]))
    (action,) = outcome.decide(
        a_step(LASTING), state, seen, check=False, within=60, now="10:05"
    ).actions
    told = [action.before, action.after, action.seconds, action.evidence]
    assert told == [{"pid": 7}, {"pid": 8}, 9.0, "/ev/guard"]


def test_a_remedy_is_not_believed_where_the_guards_could_not_be_asked() -> None:
    """What is registered is of an earlier rung."""
    state = State(open=(HUNG,), rung=LASTING)
    seen = RungResults(begun=Begun.of(LOST), change=Change.of(CHANGES["ok"]), proof=Proof.of(LOST))
    (action,) = outcome.decide(
        a_step(LASTING), state, seen, check=False, within=60, now="10:05"
    ).actions
    assert (action.command, action.evidence) == ((), None)


@pytest.mark.parametrize(
    ("change", "word"),
    [("ok", "done"), ("refused", "unchanged"), ("unmet", "unchanged"), ("failed", "failed")],
)
def test_the_word_for_the_ledger(change: str, word: str) -> None:
    done = Change.of(CHANGES[change])
    state = outcome.failed(State(), done) if done.failed else State()
    assert outcome.ended(state) == word


# --- what is due --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "proof", "check", "further"),
    [
        ("ok", "gone", False, ""), ("ok", "unproved", False, ""),
        ("ok", "remaining", False, "kill_and_start"), ("ok", "failed", False, "kill_and_start"),
        ("failed", "gone", False, ""), ("failed", "remaining", False, "kill_and_start"),
        ("in vain", "gone", False, "kill_and_start"),
        ("refused", "remaining", False, ""), ("unmet", "remaining", False, ""),
        ("lost", "remaining", False, ""), ("ok", "lost", False, ""),
        ("ok", "remaining", True, ""),
    ],
)
def test_the_next_rung_is_for_what_is_not_gone(
    change: str, proof: str, check: bool, further: str
) -> None:
    after = climb(a_step(OWN, "kill_and_start"), "ok", change, proof, check=check)
    assert after.rung == further
    assert after.began == ("10:05" if further else "10:00")


def test_a_rung_that_is_documented_for_another_finding_is_passed_over() -> None:
    step = a_step("reload", "restart", "kill_and_start")
    step = replace(step, rungs_for={**step.rungs_for, "restart": [HUNG]})
    after = climb(step, "ok", "ok", "remaining")
    assert (after.open, after.rung) == ((MEMORY,), "kill_and_start")


def elsewhere(instance: str) -> DoneElsewhere:
    return DoneElsewhere(module="wfserver", instance=instance, remedy=OWN, host="b")


@pytest.mark.parametrize(
    ("known", "changes", "reason"),
    [
        ({"stopping": True}, {}, "the run was asked to stop"),
        ({}, {"not_after": "11:59"}, "it may not begin after 11:59 (campaign_windows, campaign_freezes)"),
        ({}, {"not_after": "12:00"}, ""),
        ({}, {"asks": True}, "it needs a confirmation that was not given"),
        ({"agreed": lambda step: step.asks}, {"asks": True}, ""),
        ({"check": True}, {"asks": True}, ""),
        ({"remaining": ()}, {}, "its findings are already gone"),
        ({"remaining": (MEMORY,)}, {}, ""),
        ({"remaining": ()}, {"because": ()}, ""),
        ({"held": lambda step: f"held: {step.remedy}"}, {}, f"held: {OWN}"),
        ({"held": lambda step: "held", "check": True}, {}, ""),
        ({}, {"held": "4 of 5 hosts have it"}, "4 of 5 hosts have it"),
        ({"check": True}, {"held": "4 of 5 hosts have it"}, "4 of 5 hosts have it"),
        ({"elsewhere": [elsewhere("prod")]}, {"because": ()},
         "this run already did it on this server, under the name b"),
        ({"elsewhere": [elsewhere("prod")]}, {}, ""),
        ({"elsewhere": [elsewhere("dev")]}, {"because": ()}, ""),
    ],
)
def test_whether_a_step_is_done_at_all(known: Json, changes: Json, reason: str) -> None:
    known = dict(known)
    before = State(
        actions=(Action(because=("x",)),), open=("x",), failure=Change(failed=True), rung="x",
        remaining=known.pop("remaining", None),
    )
    state = outcome.begin(a_step(**changes), before, StepContext(now="12:00", **known))
    assert (state.not_done, state.failure, state.began) == (reason, None, "12:00")
    assert state.rung == ("" if reason else OWN)
    assert len(state.actions) == (2 if reason else 1)
    if reason:
        action = state.actions[-1]
        said = (action.result, action.left, action.rung, action.started, action.finished)
        assert said == ("skipped", "as_before", None, None, "12:00")
        assert action.reason == reason


def test_a_step_begins_with_what_is_still_there() -> None:
    state = outcome.begin(a_step(), State(remaining=(MEMORY,)), StepContext(now="12:00"))
    assert state.open == (MEMORY,)


def test_the_next_step_is_the_first_that_is_due() -> None:
    steps = [a_step(not_after="11:59"), a_step(), a_step(held="storm")]
    context = StepContext(now="12:00")
    first = outcome.go_on(steps, State(), context)
    assert (first.at, first.rung, len(first.actions)) == (1, OWN, 1)
    assert outcome.next_file(first, steps) == "rung"
    end = outcome.go_on(steps, first, context)
    assert (end.at, end.rung, [a.reason for a in end.actions[1:]]) == (3, "", ["storm"])
    assert outcome.next_file(end, steps) == ""


def test_a_host_that_is_not_begun_has_an_action_for_each_step() -> None:
    steps = [a_step(), a_step(because=(MEMORY,))]
    state = outcome.not_begun(steps, State(), "the run has stopped", "12:00")
    assert [(a.result, a.reason, a.because) for a in state.actions] == [
        ("skipped", "the run has stopped", step.because) for step in steps
    ]
    assert outcome.next_file(state, steps) == ""


@pytest.mark.parametrize("unfinished", [(), ({"module": "mta"},)])
def test_a_repair_that_was_cut_off_is_finished_first(unfinished: tuple[object, ...]) -> None:
    opened = Opened(interrupted=(Interrupted(unfinished=unfinished),))
    assert opened.unusual is bool(unfinished)
    steps = outcome.with_unfinished([a_step()], opened)
    assert [step.remedy for step in steps] == (["finish_repair"] if unfinished else []) + [OWN]
    assert outcome.with_unfinished(steps[:1], opened) == steps[:1] or not unfinished


def test_on_a_lost_host_no_further_step_begins() -> None:
    state = outcome.begin(a_step(), State(lost="cut off"), StepContext(now="12:00"))
    assert (state.not_done, state.lost) == ("the host is no longer reachable", "cut off")


@pytest.mark.parametrize(
    ("step", "role"),
    [
        (Step(role="watchdog", module="host", remedy="reload"), "watchdog"),
        (Step(module="inMail", remedy="restart"), "inmail"),
        (Step(module="inMail", remedy="stop"), "campaign"),
        (Step(module="host", remedy="reload"), "watchdog"),
    ],
)
def test_the_role_that_has_the_remedy(step: Step, role: str) -> None:
    assert outcome.role_of(step) == role
    assert outcome.guard_of("stop") is None


# --- the end of the ladder, and of the repair ---------------------------------------------------


@pytest.mark.parametrize(
    ("change", "proof", "shows"),
    [
        ("ok", "remaining", "raise_log_precision"), ("ok", "gone", ""), ("ok", "unproved", ""),
        ("refused", "remaining", ""), ("lost", "remaining", ""),
        ("in vain", "gone", "raise_log_precision"),
    ],
)
def test_when_an_operator_is_shown_more(change: str, proof: str, shows: str) -> None:
    step = a_step()
    assert outcome.afterwards(step, climb(step, "ok", change, proof)) == shows
    assert outcome.afterwards(replace(step, afterwards=None), climb(step, "ok", change, proof)) == ""


@pytest.mark.parametrize(
    ("change", "left", "reason"),
    [
        ("ok", "changed", "No documented remedy helped. Log precision is raised temporarily for"
         " analysis."),
        ("failed", "unknown", "No documented remedy helped. did not start."),
    ],
)
def test_what_shows_more_is_an_action(change: str, left: str, reason: str) -> None:
    state, done = State(began="10:00", open=(HUNG,)), Change.of(CHANGES[change])
    if done.failed:
        state, done = outcome.failed(state, done), Change.of(CHANGES["ok"])  # of an earlier rung
    after = outcome.shown(a_step(), state, done, now="10:05")
    (action,) = after.actions
    said = (action.rung, action.result, action.left, action.started)
    assert said == ("raise_log_precision", "not_repaired", left, "10:00")
    assert action.reason == reason


def test_steps_that_were_not_begun_when_the_repair_failed() -> None:
    done = Action(because=(HUNG,), result="repaired")
    steps = [a_step(because=(HUNG,)), a_step(because=(MEMORY,))]
    failure = Change(failed=True, refused=True, guard="lock", msg="held by r2")
    for told, result, reason, guard in (
        (failure, "refused", "held by r2", "lock"),
        (Change(failed=True), "not_repaired", "The run ended before this step.", None),
    ):
        first, second = outcome.cut(steps, State(actions=(done,)), told).actions
        assert first == done
        assert (second.result, second.reason, second.guard) == (result, reason, guard)
        assert (second.because, second.left, second.rung) == ((MEMORY,), "as_before", None)


@pytest.mark.parametrize(
    ("remedy", "others", "state", "looks"),
    [
        ("finish_repair", [OWN], State(), True),
        ("finish_repair", ["finish_repair"], State(), False),
        ("finish_repair", [OWN], State(lost="gone"), False),
        ("finish_repair", [OWN], State(not_done="refused"), False),
        (OWN, [OWN], State(), False),
    ],
)
def test_after_a_cut_repair_is_finished_the_other_findings_are_looked_for(
    remedy: str, others: list[str], state: State, looks: bool
) -> None:
    assert outcome.looks_again(a_step(remedy), state, [a_step(each) for each in others]) == looks


@pytest.mark.parametrize(
    ("failure", "check", "result", "reason"),
    [
        (None, False, "done", "A new line appeared in /log."),
        (None, True, "skipped", "check mode: it would wait for a new line in /log"),
        (Change(failed=True, attempts=15), False, "not_repaired",
         "No new line appeared in /log after nlserver config -reload."),
        (Change(failed=True, msg="no pid"), False, "not_repaired", "no pid"),
    ],
)
def test_a_line_that_was_awaited(
    failure: Change | None, check: bool, result: str, reason: str
) -> None:
    state = outcome.failed(State(), failure) if failure else State()
    (action,) = outcome.awaited(
        "check_syslogd", "/log", state, Change(left="as_before"), check=check, now="10:05"
    ).actions
    assert (action.result, action.reason) == (result, reason)
    assert action.left == ("unknown" if failure else "as_before")


def test_a_state_through_a_registered_result() -> None:
    for state in (
        climb(a_step(OWN, "kill_and_start"), "ok", "failed", "remaining"),
        outcome.failed(State(rung=OWN), Change.of(CHANGES["failed"])),
    ):
        assert State.of({**state.as_dict(), "changed": False}) == state
    assert State.of({}) == State()
