# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Modules that change a server: their options from the inventory, and who runs them."""

from __future__ import annotations

import getpass
import platform
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

from ansible_collections.campaign.remediation.plugins.module_utils._campaign import options
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.record import lock
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.repair import guard

from . import controller, payload, sent
from .spelling import warn
from .variables import with_variables

# What every such module takes from variables: not the subject of a change, that is the task's, nor
# what is seen here.
GUARDS: tuple[str, ...] = tuple(
    sorted(set(guard.argument_spec()) - {"controller"})
)
# And what those take that call the server's API.
API: tuple[str, ...] = tuple(sorted(options.api()))
MOULD = "campaign.remediation.campaign_info"
LOCKING = ("campaign_guard", "campaign_job", "campaign_module", "campaign_workflow")
# Variables in which automation controllers name the user who started the job.
PERSON = ("awx_user_name", "tower_user_name")


class ChangingAction(ActionBase):
    """Runs the module of the same name; options left out come from `campaign_<option>`."""

    TRANSFERS_FILES = False
    NAME = ""
    OPTIONS: tuple[str, ...] = GUARDS
    # Of a module that is sent as our own program; None for one that Ansible sends.
    SPECIFICATION: Mapping[str, Any] | None = None
    _plain_module = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Fill in the options and run it on the host."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        arguments = with_variables(self._task.args, self.OPTIONS, variables, self._templar)
        plain = with_variables({}, ["plain_module"], variables, self._templar)
        self._plain_module = boolean(plain.get("plain_module", False), strict=False)
        result.update(self.carry_out({**arguments, **record(arguments, variables)}, variables))
        warn(result, variables)
        return result

    def _configure_module(
        self, module_name: str, module_args: Mapping[str, Any], *more: Any, **named: Any
    ) -> Any:
        """What Ansible builds to send a module: our own program in place of this one.

        It is put into what Ansible has built for the diagnosis before, and so has at hand.
        """
        own = f"campaign.remediation.{self.NAME}"
        if module_name == own and self.SPECIFICATION and not self._plain_module:
            text = sent.program(self.NAME, self.SPECIFICATION, module_args)
            if text:
                built = super()._configure_module(MOULD, module_args, *more, **named)
                replaced = payload.replaced(built, text)
                if replaced is not built:
                    return replaced
        return super()._configure_module(module_name, module_args, *more, **named)

    def carry_out(self, given: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Run it with these options.

        If another run of this machine has the host, the host cannot know whether that run still
        exists: it gets the answer from here, and is called again.
        """
        me = controller.identity()
        gone: set[str] = set()
        living: set[str] = set()
        while True:
            done: dict[str, Any] = self._execute_module(
                module_name=f"campaign.remediation.{self.NAME}",
                module_args={**given, **self.caller(me, gone, living, variables)},
                task_vars=variables,
            )
            seen = controller.judged(me, done.get("holder")) if done.get("refused") else None
            if seen is None:
                return done
            token, alive = seen
            known = token in gone or (alive and token in living)
            if known or (done.get("holder") or {}).get("state") == lock.SIBLING:
                return done
            (living if alive else gone).add(token)
            living -= gone

    def caller(
        self,
        me: dict[str, Any] | None,
        gone: set[str],
        living: set[str],
        variables: dict[str, Any],
    ) -> dict[str, Any]:
        """The option that says which ansible-playbook this is, and how it calls the host."""
        if me is None or self.NAME not in LOCKING:
            return {}
        told = {"called": str(variables.get("inventory_hostname") or ""),
                "gone": sorted(gone), "living": sorted(living)}  # fmt: skip
        return {"controller": {**me, **told}}


def record(given: dict[str, Any], variables: dict[str, Any]) -> dict[str, str]:
    """Who runs it, and from where, for the ledger: the host itself knows only its own login."""
    found: dict[str, str] = {}
    if not given.get("who"):
        found["who"] = next((str(variables[n]) for n in PERSON if variables.get(n)), account())
    if not given.get("from") and not given.get("origin"):
        found["from"] = platform.node()
    return found


def account() -> str:
    """The account on the controller; empty if it has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
