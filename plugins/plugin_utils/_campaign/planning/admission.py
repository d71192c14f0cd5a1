# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The brakes while a run repairs: whether a host may begin now, and a step on it.

Pure: decided from the fleet's plan and from what has happened so far (`Event`), which
ansible/tally.py keeps for all hosts of the run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from ..diagnosis.records import Record
from .records import FleetPlan, Guarded, Result, Step, Trial
from .waves import Answer, answers_of, finishes, stops

FAILED: Final = ("not_repaired", "unproved")
GO: Final = "go"
LATER: Final = "later"
NEVER: Final = "never"


@dataclass(frozen=True, kw_only=True)
class Event(Record):
    """What happened on a host: its repair began or ended, or a step of it ended with a result.

    `answers`: remedy and finding key, for the host or for the step. `stops`: a module is stopped for it.
    """

    kind: Literal["begun", "step", "ended"]
    host: str
    answers: tuple[tuple[str, ...], ...] = ()
    stops: bool = False
    result: Result | None = None


@dataclass(frozen=True)
class Admission:
    """Whether a host may begin; why not now or not at all."""

    when: Literal["go", "later", "never"]
    reason: str = ""


def begun(host: str, steps: Iterable[Step]) -> Event:
    """The event that a repair begins."""
    steps = list(steps)
    return Event(
        kind="begun", host=host, answers=tuple(sorted(set().union(*map(answers_of, steps)))),
        stops=any(map(stops, steps)),
    )


def step_ended(host: str, step: Step, result: Result) -> Event:
    """The event that a step has ended."""
    return Event(kind="step", host=host, answers=tuple(sorted(answers_of(step))), result=result)


class Run:
    """A run, as far as it has come."""

    def __init__(self, fleet: FleetPlan, events: Sequence[Event]) -> None:
        self._fleet = fleet
        self._events = events
        self._begun = {event.host: event for event in events if event.kind == "begun"}
        self._ended = {event.host for event in events if event.kind == "ended"}
        self._results = [event for event in events if event.kind == "step"]
        self._failed = [event for event in self._results if event.result in FAILED]

    def stopped(self) -> str:
        """Why no further repair is started; empty if nothing prevents it."""
        limit = self._fleet.max_failures
        if len(self._failed) < limit:
            return ""
        names = ", ".join(sorted({event.host for event in self._failed}))
        count = len(self._failed)
        repairs = "1 repair that was" if count == 1 else f"{count} repairs that were"
        return f"the run has stopped after {repairs} not proved to help, on {names} (campaign_max_failures)"

    def admits(self, host: str, steps: Sequence[Step], *, last: bool) -> Admission:
        """Whether the repair of a host may begin now. `last`: it is not asked again in this run."""
        stopped = self.stopped()
        if stopped and not any(map(finishes, steps)):  # half a repair is worse than all of it
            return Admission(NEVER, stopped)
        reasons = [self.holds(host, step) for step in steps]
        if reasons and all(reasons) and not self._waits(host, steps):
            return Admission(NEVER, reasons[0])
        reason = (
            (not last and self._full(host)) or self._waits(host, steps) or self._short(host, steps)
        )
        if not reason:
            return Admission(GO)
        return Admission(NEVER if last else LATER, reason)

    def holds(self, host: str, step: Step) -> str:
        """Why a step is not begun on a host that was admitted; empty if nothing prevents it."""
        if not answers_of(step):
            return ""
        stopped = self.stopped()
        if stopped and host not in self._in_time():
            return stopped
        for trial in self._trials([step]):
            state = self._state(trial, host)
            if state in ("failed", "waiting"):
                return _untried(trial, state)
        return ""

    def _in_time(self) -> set[str]:
        """The hosts that had begun when the run stopped: they go on to their end."""
        failed, hosts = 0, set[str]()
        for event in self._events:
            failed += event.result in FAILED
            if failed >= self._fleet.max_failures:
                break
            if event.kind == "begun":
                hosts.add(event.host)
        return hosts

    # --- the size of a wave --------------------------------------------------------------

    def _full(self, host: str) -> str:
        """After a failure a wave is no larger than the first."""
        wave = next((wave for wave in self._fleet.waves if host in wave.follow), None)
        if wave is None or not self._failed:
            return ""
        started = sum(name in self._begun for name in wave.follow)
        if started < self._fleet.batch:
            return ""
        return f"a repair has failed, so only {self._fleet.batch} hosts are repaired at once (campaign_batch)"

    # --- canaries ------------------------------------------------------------------------

    def _trials(self, steps: Iterable[Step]) -> list[Trial]:
        answers: set[Answer] = set().union(*map(answers_of, steps))
        return [trial for trial in self._fleet.trials if (trial.remedy, trial.key) in answers]

    def _waits(self, host: str, steps: Sequence[Step]) -> str:
        for trial in self._trials(steps):
            if self._state(trial, host) == "waiting":
                return _untried(trial, "waiting")
        return ""

    def _state(self, trial: Trial, host: str) -> Literal["failed", "waiting", "open", "proved"]:
        """How a trial stands, as seen from a host; open: nobody has tried it, so this host may."""
        answer = (trial.remedy, trial.key)
        tried = [
            event for event in self._results
            if answer in event.answers and event.result in ("repaired", *FAILED)
        ][: len(trial.canaries)]
        if any(event.result in FAILED for event in tried):
            return "failed"
        if host in trial.canaries:
            return "open"
        if len(tried) < len(trial.canaries):
            at_work = [
                name for name, event in self._begun.items()
                if answer in event.answers and name not in self._ended and name != host
            ]
            if at_work or (not tried and not self._ended.issuperset(trial.canaries)):
                return "waiting"
        return "proved" if tried else "open"

    # --- healthy hosts -------------------------------------------------------------------

    def _short(self, host: str, steps: Iterable[Step]) -> str:
        if not any(map(stops, steps)):
            return ""
        for group in self._fleet.groups:
            healthy = self.healthy(group)
            if host in healthy and len(healthy) <= group.minimum:
                return (
                    f"{group.name} must keep {group.minimum} healthy hosts and has {len(healthy)}"
                    " now (campaign_min_healthy)"
                )
        return ""

    def healthy(self, group: Guarded) -> set[str]:
        """The hosts of a group that are known to do their work now."""
        healthy = set(group.healthy)
        for name in self._begun:
            if name not in group.hosts:
                continue
            failed = any(event.host == name for event in self._failed)
            helped = [event for event in self._results if event.host == name and event.result == "repaired"]
            if name not in self._ended:
                if self._begun[name].stops:
                    healthy.discard(name)
            elif failed:
                healthy.discard(name)
            elif helped and name in group.mends:
                healthy.add(name)
        return healthy


def _untried(trial: Trial, state: str) -> str:
    names = ", ".join(trial.canaries)
    if state == "waiting":
        return f"{names} must first prove that {trial.remedy} helps against {trial.key} (campaign_canary)"
    return (
        f"{trial.remedy} was not proved to help against {trial.key} on the host that tried it first"
        f" ({names}; campaign_canary)"
    )
