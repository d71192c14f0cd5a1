# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Decides how the repair of a host goes on, from what the tasks of roles/campaign registered."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

# Here and not in a function: so they are loaded once, before Ansible forks.
from ..modules.campaign_step import DOCUMENTATION
from ..plugin_utils._campaign.ansible.documentation import arguments, options_of
from ..plugin_utils._campaign.ansible.tally import Tally
from ..plugin_utils._campaign.ansible.variables import plain, with_variables
from ..plugin_utils._campaign.diagnosis.records import Json, Record
from ..plugin_utils._campaign.planning import outcome
from ..plugin_utils._campaign.planning.admission import (
    GO,
    LATER,
    Admission,
    Event,
    begun,
    step_ended,
)
from ..plugin_utils._campaign.planning.records import Action, FleetPlan, Step
from ..plugin_utils._campaign.planning.registered import Asked, Begun, Change, Ended, Opened, Proof
from ..plugin_utils._campaign.planning.saved import iso

R = TypeVar("R", bound=Record)

ARGUMENTS = arguments(options_of(DOCUMENTATION))
GONE_WITHIN = 60
IN_SHORT = ("title", "remedy", "module", "instance", "subject")
DEFERRED = "campaign_deferred"


class ActionModule(ActionBase):
    """Needs no connection: everything is in the variables of the host."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Decide, and return the new state."""
        result: Json = super().run(tmp, task_vars)
        _validated, options = self.validate_argument_spec(argument_spec=ARGUMENTS)
        host = Host(
            task_vars or {}, self._task.args, self._templar, bool(self._task.check_mode), options["last"]
        )
        try:
            state = getattr(host, options["state"])()
        except OSError as error:
            raise AnsibleActionFail(
                f"The brakes of the run cannot be kept on the controller: {error}. Nothing was begun."
            ) from None
        result.update(changed=False, **state.as_dict(), **host.for_tasks(state))
        if host.later:
            # As the module group_by does: the playbook repairs these hosts after all others.
            result.update(add_group=DEFERRED, parent_groups=["all"], deferred=host.later)
        return result


class Host:
    """The variables of a host. Each public method without arguments is a state of the module."""

    def __init__(
        self, variables: Mapping[str, Any], given: Mapping[str, Any], templar: Any, check: bool,
        last: bool,
    ) -> None:
        self.variables = variables
        self.name = str(variables.get("inventory_hostname"))
        self.later = ""  # why the host is repaired after all others
        self._given = given
        self._templar = templar
        self._check = check
        self._last = last
        self._time = time.time()
        self._now = iso(self._time)
        self._all: list[Step] | None = None

    def option(self, name: str) -> Any:
        """Of the task, else of the inventory; None if neither has it."""
        return with_variables(self._given, [name], self.variables, self._templar).get(name)

    def _found(self, name: str) -> Json:
        """A result or a fact; empty if there is none."""
        found = plain(self.variables.get(name))
        return found if isinstance(found, dict) else {}

    def registered(self, name: str, kind: type[R]) -> R:
        """A result as the record that it is."""
        return kind.of(self._found(name))

    @property
    def step(self) -> Step:
        """The step in progress; a blank one if none is."""
        at, steps = self.before.at, self.steps
        return steps[at] if 0 <= at < len(steps) else Step()

    @cached_property
    def before(self) -> outcome.State:
        """The state that was returned before."""
        return outcome.State.of(self._found("_campaign_repair"))

    @property
    def steps(self) -> list[Step]:
        """All steps of the host, with one that was only seen to be due when it was locked."""
        if self._all is None:
            self._all = self._planned()
            if "_campaign_on_demand" not in self.variables:
                opened = self.registered("_campaign_opened", Opened)
                self._all = outcome.with_unfinished(self._all, opened)
        return self._all

    def _planned(self) -> list[Step]:
        steps = [Step.of(each) for each in self.option("steps") or ()]
        if "_campaign_on_demand" in self.variables:
            return [replace(step, verify=(step.module,)) for step in steps]
        return steps

    def for_tasks(self, state: outcome.State) -> Json:
        """What the tasks, and those who watch, need to know besides."""
        if not 0 <= state.at < len(self.steps):
            return {"ended": outcome.ended(state), "next": ""}
        step, guard = self.steps[state.at], outcome.guard_of(state.rung)
        return {
            "step": step.as_dict(),
            "number": state.at + 1,
            "steps": [{name: getattr(each, name) for name in IN_SHORT} for each in self.steps],
            "role": outcome.role_of(step),
            "guard": asdict(guard) if guard else {},
            "ended": outcome.ended(state),
            "next": outcome.next_file(state, self.steps),
            "stale": self._time - (self._plan.get("at") or 0) > outcome.PLAN_FRESH,
        }

    @property
    def _plan(self) -> Mapping[str, Any]:
        """What campaign_plan registered; empty for an on-demand action."""
        plan = self.variables.get("campaign_plan")
        ordered = "_campaign_on_demand" in self.variables
        return plan if isinstance(plan, Mapping) and not ordered else {}

    # --- the brakes ------------------------------------------------------------------------

    @cached_property
    def _tally(self) -> Tally | None:
        """That of the run; an on-demand action has none, nor has check mode."""
        plan = self._plan
        if not plan.get("fleet") or self._check:
            return None
        return Tally(str(plan["plan"]["run"]), FleetPlan.of(plain(plan["fleet"])))

    def _admission(self) -> Admission:
        """Whether the host may begin now; if so it is noted that it has."""
        tally = self._tally
        if tally is None:
            return Admission(GO)
        with tally.held() as held:
            admission = held.run.admits(self.name, self.steps, last=self._last)
            if admission.when == GO:
                held.add(begun(self.name, self.steps))
        return admission

    def _holds(self, step: Step) -> str:
        tally = self._tally
        if tally is None:
            return ""
        with tally.held() as held:
            return held.run.holds(self.name, step)

    def _note(self, *events: Event) -> None:
        tally = self._tally
        if tally is not None:
            with tally.held() as held:
                held.add(*events)

    # --- the states of the module ----------------------------------------------------------

    def opened(self) -> outcome.State:
        """The repair of the host begins, unless the brakes of the run prevent it."""
        self._all = self._planned()
        state = outcome.State(actions=self._actions())
        if self._stopping():  # each step says so
            return self._go_on(state)
        admission = self._admission()
        if admission.when == LATER:
            self.later = admission.reason
            return replace(state, at=len(self.steps))
        if admission.when != GO:
            return outcome.not_begun(self.steps, state, admission.reason, self._now)
        found = self._go_on(state)
        return replace(found, admitted=bool(found.rung))

    def _actions(self) -> tuple[Action, ...]:
        """What was done on the host before this repair."""
        return tuple(Action.of(each) for each in plain(self.variables.get("campaign_actions")) or ())

    def begun(self) -> outcome.State:
        """The steps are chosen again, with what was seen when the host was locked."""
        state = outcome.State(
            actions=self._actions(), remaining=self._present(), admitted=True
        )
        return self._go_on(state)

    def looked(self) -> outcome.State:
        """A cut repair was finished, and what it has left of the plan was looked for."""
        return self._go_on(replace(self.before, remaining=self._present()))

    def _present(self) -> tuple[str, ...] | None:
        remaining = self.registered("_campaign_present", Proof).remaining
        return None if remaining is None else tuple(remaining)

    def _go_on(self, state: outcome.State) -> outcome.State:
        """The state of the next step that is due; when none is, the repair has ended."""
        opened = self.registered("_campaign_opened", Opened) if state.admitted else Opened()
        plan = self._plan
        asked = Asked.of(
            {name: plain(plan[name]) for name in ("confirmed", "unconfirmed") if name in plan}
        )
        found = outcome.go_on(self.steps, state, outcome.StepContext(
            now=self._now, stopping=self._stopping(), elsewhere=opened.done_elsewhere,
            agreed=lambda step: asked.agreed(self.name, step.order), unconfirmed=asked.unconfirmed,
            held=self._holds, check=self._check,
        ))
        if not found.rung:
            self._note(Event(kind="ended", host=self.name))
        return found

    def _stopping(self) -> bool:
        stop_file = self.option("stop_file")
        return bool(stop_file and Path(stop_file).exists())

    def failed(self) -> outcome.State:
        """A task has failed."""
        return outcome.failed(self.before, self._failure())

    def _failure(self) -> Change:
        return self.registered("ansible_failed_result", Change)

    def ended(self) -> outcome.State:
        """A rung was applied, and its proof looked for."""
        within = self.option("gone_within")
        guarded = outcome.guard_of(self.before.rung) is not None
        state = outcome.decide(
            self.step,
            self.before,
            outcome.RungResults(
                # Of another rung, if this one asks the guards by itself.
                begun=self.registered("_campaign_begun", Begun) if guarded else Begun(),
                change=self._change(),
                ended=self.registered("_campaign_ended", Ended) if guarded else Ended(),
                proof=self.registered("_campaign_proof", Proof),
            ),
            check=self._check,
            within=GONE_WITHIN if within is None else within,
            now=self._now,
        )
        if state.rung:
            return state
        self._note(step_ended(self.name, self.step, state.actions[-1].result))
        return state if outcome.next_file(state, self.steps) else self._go_on(state)

    def _change(self) -> Change:
        return self.registered(f"_{outcome.role_of(self.step)}_change", Change)

    def shown(self) -> outcome.State:
        """The ladder has ended, and the log shows more."""
        return self._go_on(outcome.shown(self.step, self.before, self._change(), now=self._now))

    def cut(self) -> outcome.State:
        """The repair of the host has failed."""
        self._all = self._planned()
        self._note(Event(kind="ended", host=self.name))
        state = outcome.cut(self.steps, self.before, self._failure())
        return replace(state, at=len(self.steps), rung="")

    def awaited(self) -> outcome.State:
        """A line was awaited in a log."""
        return outcome.awaited(
            "check_syslogd", str(self._given.get("path")), self.before,
            self.registered("_campaign_change", Change), check=self._check, now=self._now,
        )
