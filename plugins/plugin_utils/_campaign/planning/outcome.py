# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The verdict of a repair: which rung is due, what it came to, and what is left to do.

Pure: the tasks of roles/campaign ask guards, apply the remedy and diagnose; action/campaign_step.py
hands over what they registered, and returns the state that is decided here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from .ladder import REMEDIES, ROLES, Guard

Json = dict[str, Any]
Facts = Mapping[str, Any]

REFUSED = "refused"
CHECK_MODE = "check mode"
FINISH = "finish_repair"
# What an action tells of a task that failed.
_KEPT = (
    "msg", "commands", "guard", "before", "after", "left", "seconds", "evidence", "in_vain",
    "attempts",
)
_NOTHING_HELPED = "No documented remedy helped."


@dataclass(frozen=True)
class State:
    """How far the repair of a host has come.

    `actions`: all that was done, for the report. `lost`: why the host cannot be reached any more.
    `open`: what the step was planned for and is not gone. `not_done`: why no further rung is
    applied. `failure`: of the task that failed. `began`: when the rung did. `rung`: the one that
    is due; empty if none is.
    """

    actions: tuple[Json, ...] = ()
    lost: str = ""
    open: tuple[str, ...] = ()
    not_done: str = ""
    failure: Json = field(default_factory=dict)
    began: str | None = None
    rung: str = ""

    @classmethod
    def of(cls, data: Facts) -> State:
        """As `as_dict` gave it; what is missing is as in a repair that has not begun."""
        known: Json = {each.name: data[each.name] for each in fields(cls) if each.name in data}
        known.update({name: tuple(known[name]) for name in ("actions", "open") if name in known})
        return cls(**known)

    def as_dict(self) -> Json:
        """For the tasks."""
        own = {each.name: getattr(self, each.name) for each in fields(self)}
        return {**own, "actions": list(self.actions), "open": list(self.open)}


@dataclass(frozen=True)
class Known:
    """What is known when a step begins.

    `remaining`: the findings that are still there, None if nobody looked again. `elsewhere`: what
    this run has done to the same server under another name. `agreed`: a person said yes.
    """

    now: str
    stopping: bool = False
    remaining: Facts | None = None
    elsewhere: Sequence[Facts] = ()
    agreed: bool = False
    check: bool = False


@dataclass(frozen=True)
class Seen:
    """What the tasks of a rung registered: the guards, the remedy, the end of both, the proof."""

    begun: Facts = field(default_factory=dict)
    change: Facts = field(default_factory=dict)
    ended: Facts = field(default_factory=dict)
    proof: Facts = field(default_factory=dict)


# --- what is due --------------------------------------------------------------------------------


def begin(step: Facts, state: State, known: Known) -> State:
    """The state in which a step begins; with an action if it is not done at all."""
    because, remaining = step["because"], known.remaining
    fresh = State(
        actions=state.actions,
        lost=state.lost,
        open=tuple(id for id in because if remaining is None or id in remaining),
        not_done=_not_done(step, state.lost, known),
        began=known.now,
    )
    if not fresh.not_done:
        return replace(fresh, rung=due(step, fresh))
    action = _action(
        step, None, {}, Seen(), result="skipped", left="as_before", reason=fresh.not_done,
        began=None, now=known.now,
    )
    return replace(fresh, actions=(*fresh.actions, action))


def _not_done(step: Facts, lost: str, known: Known) -> str:
    """Why a step is not done; empty if it is."""
    same = ("module", "instance", "remedy")
    # An order has no findings that could be gone.
    elsewhere = [] if step["because"] else [
        done for done in known.elsewhere if all(done.get(key) == step[key] for key in same)
    ]
    if known.stopping:
        return "the run was asked to stop (campaign_stop_file)"
    if lost:
        return "the host is no longer reachable"
    if step["not_after"] and step["not_after"] < known.now:
        return f"its maintenance window closed at {step['not_after']}"
    if step["asks"] and not known.agreed and not known.check:
        return "it needs a confirmation, and nobody gave it"
    if elsewhere:
        name = elsewhere[0].get("host")
        return f"this run already did it on this server, under the name {name}"
    remaining = known.remaining
    if step["because"] and remaining is not None and not set(step["because"]) & set(remaining):
        return "its findings are already gone"
    return ""


def due(step: Facts, state: State, after: str = "") -> str:
    """The next rung that is documented for what is still open; a person's order has no findings."""
    if state.not_done or state.lost:
        return ""
    rungs = list(step["rungs"])
    for rung in rungs[rungs.index(after) + 1:] if after else rungs:
        if not step["because"] or set(step["rungs_for"][rung]) & set(state.open):
            return str(rung)
    return ""


def role_of(step: Facts) -> str:
    """The role whose task file is the remedy; a person's order names none."""
    given = step.get("role") or ("campaign" if step["remedy"] == "stop" else None)
    return str(given or ROLES[step["module"]])


def guard_of(rung: str) -> Guard | None:
    """How campaign_guard brackets a remedy; None for one that asks the guards by itself."""
    return REMEDIES[rung].guard if rung in REMEDIES else None


def afterwards(step: Facts, state: State) -> str:
    """What shows a person more, where the ladder has ended and did not help; else empty."""
    vain = state.open and not (state.not_done or state.lost)
    return str(step.get("afterwards") or "") if vain else ""


def looks_again(step: Facts, state: State, steps: Sequence[Facts]) -> bool:
    """Whether other steps may have become needless, because a cut repair was finished."""
    others = any(each["remedy"] != FINISH for each in steps)
    return step["remedy"] == FINISH and others and not (state.not_done or state.lost)


# --- what it came to ----------------------------------------------------------------------------


def failed(state: State, result: Facts) -> State:
    """The state after a task failed. A condition that is not met refuses like a guard: nothing
    was done.
    """
    refused = result.get("refused", "assertion" in result)
    failure = {"failed": True, **{key: result[key] for key in _KEPT if key in result}}
    return replace(state, failure=failure, not_done=REFUSED if refused else "")


def ended(state: State) -> str:
    """How a change ended, in the ledger's words."""
    if state.not_done:
        return "unchanged"
    return "failed" if state.failure else "done"


def decide(
    step: Facts, state: State, seen: Seen, *, check: bool, within: object, now: str
) -> State:
    """The state after a rung, with its action. `within`: how long its proof was looked for."""
    if seen.begun.get("unreachable"):  # without the guards' word nothing was done
        state = failed(state, {"msg": seen.begun.get("msg")})
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
        failure={},
        began=now,
    )
    following = due(step, after, state.rung)
    return replace(after, rung=following, began=now if following else state.began)


def _lost(*results: Facts) -> str:
    return next((str(each.get("msg") or "") for each in results if each.get("unreachable")), "")


def _open(step: Facts, state: State, proof: Facts) -> tuple[str, ...]:
    """What is not gone."""
    because = tuple(step["because"])
    if "remaining" not in proof:
        # A failed diagnosis proves nothing.
        return (because or (state.rung,)) if proof.get("failed") else state.open
    if state.failure and not because:
        return (state.rung,)
    # What failed as its task saw it has not helped, whatever the diagnosis does not show yet.
    return because if state.failure.get("in_vain") else tuple(proof["remaining"])


def _result(step: Facts, state: State, proof: Facts, check: bool) -> str:
    if state.not_done:
        return REFUSED
    if check:
        return "skipped"
    if state.open or state.lost:
        return "not_repaired"
    if proof.get("unproved"):
        return "unproved"
    return "repaired" if step["because"] else "done"


def _left(state: State, change: Facts, end: Facts, check: bool) -> str:
    """The state of the server."""
    guard = guard_of(state.rung)
    if state.not_done or check:
        return "as_before"
    if state.lost:
        return "unknown"
    if guard is None:
        return str(change.get("left", "unknown"))
    if not guard.lasting:
        return str(end.get("left", "unknown"))
    # A remedy that Ansible's own modules do may leave more than a process behind.
    return "unknown" if state.failure else "changed"


def _reason(state: State, change: Facts, proof: Facts, check: bool, within: object) -> str:
    unproved = proof.get("unproved")
    if state.lost:
        why = re.sub(r"^Task failed: |[.]$", "", state.lost)
        return (
            f"The host was lost during the repair: {why}. How far the repair got is unknown;"
            " the next run finds out."
        )
    if state.failure:
        return str(state.failure.get("msg", "it failed without giving a reason"))
    if check:
        return f"check mode: {change.get('msg', 'it would be done')}"
    if state.open:
        remaining = " ".join(map(str, (proof.get("remaining") or {}).values()))
        return remaining or str(proof.get("msg", "the diagnosis failed"))
    if unproved:
        return (
            f"The finding did not come back within {within} s, but that proves nothing:"
            f" {', '.join(map(str, unproved.values()))}. The next diagnosis shows it."
        )
    return ""


def shown(step: Facts, state: State, change: Facts, *, now: str) -> State:
    """The state after what shows a person more, with its action."""
    said = state.failure.get("msg", "") if state.failure else (
        "Log precision is raised temporarily for analysis."
    )
    done = state.failure or change
    action = _action(
        step, step["afterwards"], done, Seen(), result="not_repaired",
        left=str(done.get("left", "unknown")), reason=f"{_NOTHING_HELPED} {said}",
        began=state.began, now=now,
    )
    return replace(state, actions=(*state.actions, action), failure={})


def cut(steps: Sequence[Facts], state: State, failure: Facts) -> State:
    """The state after a failure ended the repair, with an action for each step not begun."""
    actions = list(state.actions)
    for step in steps:
        if step["because"] in [action["because"] for action in actions]:
            continue
        actions.append({
            **_subject(step),
            "rung": None,
            "command": [],
            "result": REFUSED if failure.get("refused") else "not_repaired",
            "left": "as_before",
            "reason": failure.get("msg", "The run ended before this step."),
            "guard": failure.get("guard"),
        })
    return replace(state, actions=tuple(actions))


def awaited(
    remedy: str, path: str, state: State, change: Facts, *, check: bool, now: str
) -> State:
    """The state after a line was awaited in a log, which a person has ordered."""
    step: Json = {
        "module": "syslogd", "instance": "default", "subject": None, "remedy": remedy,
        "because": [],
    }
    result, reason = "done", f"A new line appeared in {path}."
    if state.failure:
        result = "not_repaired"
        reason = (
            f"No new line appeared in {path} after nlserver config -reload."
            if "attempts" in state.failure else str(state.failure.get("msg", ""))
        )
    elif check:
        result, reason = "skipped", f"check mode: it would wait for a new line in {path}"
    done = state.failure or change
    action = _action(
        step, remedy, done, Seen(), result=result, left=str(done.get("left", "unknown")),
        reason=reason, began=None, now=now,
    )
    return replace(state, actions=(action,), failure={})


# --- the action ---------------------------------------------------------------------------------


def _subject(step: Facts) -> Json:
    return {
        "module": step["module"],
        "instance": step["instance"],
        "subject": step["subject"],
        "remedy": step["remedy"],
        "because": list(step["because"]),
    }


def _action(
    step: Facts, rung: str | None, change: Facts, seen: Seen, *,
    result: str, left: str, reason: str, began: str | None, now: str,
) -> Json:
    """One action of the report."""
    return {
        **_subject(step),
        "rung": rung,
        "command": change.get("commands", []),
        "result": result,
        "reason": reason.strip() or None,
        "guard": change.get("guard"),
        "before": change.get("before") or seen.ended.get("before") or {},
        "after": change.get("after") or seen.ended.get("after") or {},
        "left": left,
        "seconds": change.get("seconds", seen.ended.get("seconds")),
        # With the proof that it helped, which `seconds` is without.
        "started": None if result == "skipped" else began,
        "finished": now,
        "evidence": change.get("evidence") or seen.begun.get("evidence"),
    }
