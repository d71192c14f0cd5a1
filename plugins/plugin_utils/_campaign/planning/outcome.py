# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The verdict of a repair: which rung is due, its result, and what remains to do.

Pure: the tasks of roles/campaign ask guards, apply the remedy and diagnose; action/campaign_step.py
hands over what they registered (registered.py), and returns the state that is decided here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Final

from ..diagnosis.records import Json
from ..snapshot.reader import read
from .ladder import REMEDIES, ROLES, Guard
from .records import Action, Result, StateAfter, Step
from .registered import Begun, Change, DoneElsewhere, Ended, Opened, Proof

REFUSED: Final = "refused"
CHECK_MODE = "check mode"
PLAN_FRESH: Final = 60  # seconds after which a plan is compared with the host before it is applied
FINISH = "finish_repair"
_NOTHING_HELPED = "No documented remedy helped."
# For a repair that turned out to be unfinished only when this run locked the host.
UNFINISHED: Final = Step(
    order=0, module="host", role="watchdog", remedy=FINISH, rungs=(FINISH,),
    title="Finish the interrupted repair of the server",
)


@dataclass(frozen=True)
class State:
    """How far the repair of a host has come.

    `actions`: all that was done, for the report. `lost`: why the host cannot be reached any more.
    `open`: what the step was planned for and is not gone. `not_done`: why no further rung is
    applied. `failure`: of the task that failed. `began`: when the rung did. `rung`: the one that
    is due; empty if none is. `at`: which of the host's steps is in progress. `remaining`: the findings
    that remained when they were last looked for between steps; None if they were not. `admitted`: the
    host's repair was begun.
    """

    actions: tuple[Action, ...] = ()
    lost: str = ""
    open: tuple[str, ...] = ()
    not_done: str = ""
    failure: Change | None = None
    began: str | None = None
    rung: str = ""
    at: int = -1
    remaining: tuple[str, ...] | None = None
    admitted: bool = False

    @classmethod
    def of(cls, data: Json) -> State:
        """From `as_dict`; a missing value is that of a repair that has not started."""
        state: State = read(cls, data)
        return state if data.get("failure") else replace(state, failure=None)

    def as_dict(self) -> Json:
        """For the tasks."""
        own = {each.name: getattr(self, each.name) for each in fields(self)}
        return {
            **own,
            "actions": [action.as_dict() for action in self.actions],
            "open": list(self.open),
            "remaining": None if self.remaining is None else list(self.remaining),
            "failure": self.failure.as_dict() if self.failure else {},
        }


@dataclass(frozen=True)
class StepContext:
    """What is known when a step begins.

    `elsewhere`: what this run has done to the same server under another name. `agreed`: whether a
    person said yes to a step; `unconfirmed`: why nobody did, if that is known. `held`: why the brakes
    keep a step from beginning; empty if they do not.
    """

    now: str
    stopping: bool = False
    elsewhere: Sequence[DoneElsewhere] = ()
    agreed: Callable[[Step], bool] = lambda _step: False
    unconfirmed: str = ""
    held: Callable[[Step], str] = lambda _step: ""
    check: bool = False


@dataclass(frozen=True)
class RungResults:
    """What the tasks of a rung registered: the guards, the remedy, the end of both, the proof."""

    begun: Begun = field(default_factory=Begun)
    change: Change = field(default_factory=Change)
    ended: Ended = field(default_factory=Ended)
    proof: Proof = field(default_factory=Proof)


# --- what is due --------------------------------------------------------------------------------


def go_on(steps: Sequence[Step], state: State, context: StepContext) -> State:
    """The state in which the next step begins that is due; without a rung if none is."""
    for at in range(state.at + 1, len(steps)):
        state = begin(steps[at], replace(state, at=at), context)
        if state.rung:
            return state
    return replace(state, at=len(steps), rung="")


def begin(step: Step, state: State, context: StepContext) -> State:
    """The state in which a step begins; with an action if it is not done at all."""
    remaining = state.remaining
    fresh = replace(
        state,
        open=tuple(id for id in step.because if remaining is None or id in remaining),
        not_done=_not_done(step, state, context),
        failure=None,
        began=context.now,
        rung="",
    )
    if not fresh.not_done:
        return replace(fresh, rung=next_rung(step, fresh))
    return _skipped(step, fresh, context.now)


def not_begun(steps: Sequence[Step], state: State, reason: str, now: str) -> State:
    """The state of a host whose repair is not begun at all, with an action for each step."""
    for step in steps:
        state = _skipped(step, replace(state, not_done=reason), now)
    return replace(state, at=len(steps), rung="")


def _skipped(step: Step, state: State, now: str) -> State:
    action = _action(
        step, None, Change(), RungResults(), result="skipped", left="as_before",
        reason=state.not_done, began=None, now=now,
    )
    return replace(state, actions=(*state.actions, action))


def _not_done(step: Step, state: State, context: StepContext) -> str:
    """Why a step is not done; empty if it is."""
    # An order has no findings that could be gone.
    elsewhere = [] if step.because else [
        done for done in context.elsewhere
        if (done.module, done.instance, done.remedy) == (step.module, step.instance, step.remedy)
    ]
    if context.stopping:
        return "the run was asked to stop"
    if state.lost:
        return "the host is no longer reachable"
    if step.held:
        return step.held
    if step.not_after and step.not_after < context.now:
        return f"it may not begin after {step.not_after} (campaign_windows, campaign_freezes)"
    if step.asks and not context.check and not context.agreed(step):
        why = f": {context.unconfirmed}" if context.unconfirmed else ""
        return f"it needs a confirmation that was not given{why}"
    if elsewhere:
        name = elsewhere[0].host
        return f"this run already did it on this server, under the name {name}"
    remaining = state.remaining
    if step.because and remaining is not None and not set(step.because) & set(remaining):
        return "its findings are already gone"
    return "" if context.check else context.held(step)


def next_rung(step: Step, state: State, after: str = "") -> str:
    """The next rung that is documented for the open findings; an operator's order has no findings."""
    if state.not_done or state.lost:
        return ""
    rungs = step.rungs
    for rung in rungs[rungs.index(after) + 1:] if after else rungs:
        if not step.because or set(step.rungs_for[rung]) & set(state.open):
            return rung
    return ""


def role_of(step: Step) -> str:
    """The role whose task file is the remedy; an operator's order names none."""
    given = step.role or ("campaign" if step.remedy == "stop" else "")
    return given or ROLES[step.module]


def guard_of(rung: str) -> Guard | None:
    """How campaign_guard brackets a remedy; None for one that calls the guards itself."""
    return REMEDIES[rung].guard if rung in REMEDIES else None


def afterwards(step: Step, state: State) -> str:
    """The remedy that gives the operator more information after a ladder without success; else empty."""
    vain = state.open and not (state.not_done or state.lost)
    return step.afterwards or "" if vain else ""


def looks_again(step: Step, state: State, steps: Sequence[Step]) -> bool:
    """Whether other steps may have become needless, because a cut repair was finished."""
    others = any(each.remedy != FINISH for each in steps)
    return step.remedy == FINISH and others and not (state.not_done or state.lost)


def next_file(state: State, steps: Sequence[Step]) -> str:
    """The file of roles/campaign that comes next on this host; empty if its repair has ended."""
    if not 0 <= state.at < len(steps):
        return ""
    if state.rung:
        return "rung"
    step = steps[state.at]
    if afterwards(step, state):
        return "afterwards"
    return "remaining" if looks_again(step, state, steps) else ""


def with_unfinished(steps: Sequence[Step], opened: Opened) -> list[Step]:
    """The steps, after that which finishes a repair that was only found when the host was locked."""
    found = any(each.unfinished for each in opened.interrupted)
    planned = any(step.remedy == FINISH for step in steps)
    return [UNFINISHED, *steps] if found and not planned else list(steps)


# --- the result ---------------------------------------------------------------------------------


def failed(state: State, result: Change) -> State:
    """The state after a task failed. A condition that is not met refuses like a guard: nothing
    was done.
    """
    refused = result.assertion is not None if result.refused is None else result.refused
    # The other keys of a task's result do not matter.
    failure = replace(
        result, failed=True, unreachable=None, refused=None, assertion=None, more={}
    )
    return replace(state, failure=failure, not_done=REFUSED if refused else "")


def ended(state: State) -> str:
    """How a change ended, in the ledger's words."""
    if state.not_done:
        return "unchanged"
    return "failed" if state.failure else "done"


def decide(
    step: Step, state: State, seen: RungResults, *, check: bool, within: object, now: str
) -> State:
    """The state after a rung, with its action. `within`: how long its proof was looked for."""
    if seen.begun.unreachable:  # without the guards' consent nothing was done
        state = failed(state, Change(msg=seen.begun.msg))
    change = state.failure or seen.change
    verdict = replace(
        state, lost=_lost(seen.begun, change, seen.proof), open=_open(step, state, seen.proof)
    )
    result = _result(step, verdict, seen.proof, check)
    action = _action(
        step, state.rung, change, seen, result=result,
        left=_left(verdict, change, seen.ended, check),
        reason=_reason(verdict, change, seen.proof, check, within), began=state.began, now=now,
    )
    after = replace(
        verdict,
        actions=(*state.actions, action),
        not_done=CHECK_MODE if check else state.not_done,
        failure=None,
        began=now,
    )
    following = next_rung(step, after, state.rung)
    return replace(after, rung=following, began=now if following else state.began)


def _lost(*results: Begun | Change | Proof) -> str:
    return next((each.msg or "" for each in results if each.unreachable), "")


def _open(step: Step, state: State, proof: Proof) -> tuple[str, ...]:
    """The findings that remain."""
    if proof.remaining is None:
        # A failed diagnosis proves nothing.
        return (step.because or (state.rung,)) if proof.failed else state.open
    if state.failure and not step.because:
        return (state.rung,)
    # What failed as its task saw it has not helped, whatever the diagnosis does not show yet.
    in_vain = state.failure and state.failure.in_vain
    return step.because if in_vain else tuple(proof.remaining)


def _result(step: Step, state: State, proof: Proof, check: bool) -> Result:
    if state.not_done:
        return REFUSED
    if check:
        return "skipped"
    if state.open or state.lost:
        return "not_repaired"
    if proof.unproved:
        return "unproved"
    return "repaired" if step.because else "done"


def _left(state: State, change: Change, end: Ended, check: bool) -> StateAfter:
    """The state of the server."""
    guard = guard_of(state.rung)
    if state.not_done or check:
        return "as_before"
    if state.lost:
        return "unknown"
    if guard is None:
        return change.left or "unknown"
    if not guard.lasting:
        return end.left or "unknown"
    # A remedy that Ansible's own modules do may leave more than a process behind.
    return "unknown" if state.failure else "changed"


def _reason(state: State, change: Change, proof: Proof, check: bool, within: object) -> str:
    if state.lost:
        why = re.sub(r"^Task failed: |[.]$", "", state.lost)
        return (
            f"The host was lost during the repair: {why}. How far the repair got is unknown;"
            " the next run finds out."
        )
    if state.failure:
        return _said(state.failure, "it failed without giving a reason")
    if check:
        return f"check mode: {_said(change, 'it would be done')}"
    if state.open:
        remaining = " ".join(map(str, (proof.remaining or {}).values()))
        return remaining or _said(proof, "the diagnosis failed")
    if proof.unproved:
        return (
            f"The finding did not come back within {within} s, but that proves nothing:"
            f" {', '.join(map(str, proof.unproved.values()))}. The next diagnosis shows it."
        )
    return ""


def _said(result: Change | Proof, otherwise: str) -> str:
    return otherwise if result.msg is None else result.msg


def shown(step: Step, state: State, change: Change, *, now: str) -> State:
    """The state after that last remedy, with its action."""
    said = _said(state.failure, "") if state.failure else (
        "Log precision is raised temporarily for analysis."
    )
    done = state.failure or change
    action = _action(
        step, step.afterwards, done, RungResults(), result="not_repaired",
        left=done.left or "unknown", reason=f"{_NOTHING_HELPED} {said}",
        began=state.began, now=now,
    )
    return replace(state, actions=(*state.actions, action), failure=None)


def cut(steps: Sequence[Step], state: State, failure: Change) -> State:
    """The state after a failure ended the repair, with an action for each step not begun."""
    actions = list(state.actions)
    for step in steps:
        if step.because in [action.because for action in actions]:
            continue
        actions.append(Action(
            module=step.module,
            instance=step.instance,
            remedy=step.remedy,
            subject=step.subject,
            because=step.because,
            result=REFUSED if failure.refused else "not_repaired",
            reason=_said(failure, "The run ended before this step."),
            guard=failure.guard,
            left="as_before",
        ))
    return replace(state, actions=tuple(actions))


def awaited(
    remedy: str, path: str, state: State, change: Change, *, check: bool, now: str
) -> State:
    """The state after waiting for a log line, as an operator ordered."""
    step = Step(module="syslogd", remedy=remedy)
    result: Result = "done"
    reason = f"A new line appeared in {path}."
    if state.failure:
        result = "not_repaired"
        reason = (
            f"No new line appeared in {path} after nlserver config -reload."
            if state.failure.attempts is not None else _said(state.failure, "")
        )
    elif check:
        result, reason = "skipped", f"check mode: it would wait for a new line in {path}"
    done = state.failure or change
    action = _action(
        step, remedy, done, RungResults(), result=result, left=done.left or "unknown",
        reason=reason, began=None, now=now,
    )
    return replace(state, actions=(action,), failure=None)


def _action(
    step: Step, rung: str | None, change: Change, seen: RungResults, *,
    result: Result, left: StateAfter, reason: str, began: str | None, now: str,
) -> Action:
    """One action of the report."""
    end = seen.ended
    return Action(
        module=step.module,
        instance=step.instance,
        remedy=step.remedy,
        rung=rung,
        subject=step.subject,
        because=step.because,
        command=() if change.commands is None else change.commands,
        result=result,
        reason=reason.strip() or None,
        guard=change.guard,
        before=change.before or end.before or {},
        after=change.after or end.after or {},
        left=left,
        seconds=end.seconds if change.seconds is None else change.seconds,
        # With the proof that it helped, which `seconds` is without.
        started=None if result == "skipped" else began,
        finished=now,
        evidence=change.evidence or seen.begun.evidence,
    )
