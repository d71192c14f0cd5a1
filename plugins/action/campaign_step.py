# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Decides how the repair of a host goes on, from what the tasks of roles/campaign registered."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

# Here and not in a function: so they are loaded once, before Ansible forks.
from ..modules.campaign_step import DOCUMENTATION
from ..plugin_utils._campaign.ansible.documentation import arguments, options_of
from ..plugin_utils._campaign.ansible.variables import plain, with_variables
from ..plugin_utils._campaign.diagnosis.records import Json, Record
from ..plugin_utils._campaign.planning import outcome
from ..plugin_utils._campaign.planning.records import Step
from ..plugin_utils._campaign.planning.registered import Asked, Begun, Change, Ended, Opened, Proof
from ..plugin_utils._campaign.planning.saved import iso

R = TypeVar("R", bound=Record)

ARGUMENTS = arguments(options_of(DOCUMENTATION))
GONE_WITHIN = 60


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
        host = Host(task_vars or {}, self._task.args, self._templar, bool(self._task.check_mode))
        state = getattr(host, options["state"])()
        result.update(changed=False, **state.as_dict())
        if host.in_progress:
            result.update(host.for_tasks(state))
        return result


class Host:
    """The variables of a host. Each public method without arguments is a state of the module."""

    def __init__(
        self, variables: Mapping[str, Any], given: Mapping[str, Any], templar: Any, check: bool
    ) -> None:
        self.variables = variables
        self._given = given
        self._templar = templar
        self._check = check
        self._now = iso(time.time())

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
    def in_progress(self) -> bool:
        """Is a step?"""
        return bool(self._found("_campaign_step"))

    @property
    def step(self) -> Step:
        """The step in progress."""
        return self.registered("_campaign_step", Step)

    @property
    def before(self) -> outcome.State:
        """The state that was returned before."""
        return outcome.State.of(self._found("_campaign_repair"))

    def _steps(self) -> list[Step]:
        """All steps of the host."""
        return [Step.of(each) for each in self.option("steps") or ()]

    def for_tasks(self, state: outcome.State) -> Json:
        """What the tasks need to know besides."""
        step = self.step
        guard = outcome.guard_of(state.rung)
        steps = self._steps() if step.remedy == outcome.FINISH else []
        return {
            "role": outcome.role_of(step),
            "guard": asdict(guard) if guard else {},
            "ended": outcome.ended(state),
            "next": outcome.next_file(step, state, steps),
        }

    def begun(self) -> outcome.State:
        """A step begins."""
        stop_file = self.option("stop_file")
        asked = self.registered("campaign_plan", Asked)
        context = outcome.StepContext(
            now=self._now,
            stopping=boolean(self.variables.get("_campaign_stopping") or False)
            or bool(stop_file and Path(stop_file).exists()),
            remaining=self.registered("_campaign_present", Proof).remaining,
            elsewhere=self.registered("_campaign_opened", Opened).done_elsewhere,
            agreed=self._agreed(asked),
            unconfirmed=asked.unconfirmed,
            check=self._check,
        )
        return outcome.begin(self.step, self.before, context)

    def _agreed(self, asked: Asked) -> bool:
        """Did the operator confirm this step?"""
        orders = asked.confirmed.get(str(self.variables.get("inventory_hostname")))
        return isinstance(orders, (list, tuple)) and self.step.order in orders

    def failed(self) -> outcome.State:
        """A task has failed."""
        return outcome.failed(self.before, self._failure())

    def _failure(self) -> Change:
        return self.registered("ansible_failed_result", Change)

    def ended(self) -> outcome.State:
        """A rung was applied, and its proof looked for."""
        within = self.option("gone_within")
        guarded = outcome.guard_of(self.before.rung) is not None
        return outcome.decide(
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

    def _change(self) -> Change:
        return self.registered(f"_{outcome.role_of(self.step)}_change", Change)

    def shown(self) -> outcome.State:
        """The ladder has ended, and the log shows more."""
        return outcome.shown(self.step, self.before, self._change(), now=self._now)

    def cut(self) -> outcome.State:
        """The repair of the host has failed."""
        return outcome.cut(self._steps(), self.before, self._failure())

    def awaited(self) -> outcome.State:
        """A line was awaited in a log."""
        return outcome.awaited(
            "check_syslogd", str(self._given.get("path")), self.before,
            self.registered("_campaign_change", Change), check=self._check, now=self._now,
        )
