# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Modules that change a server: their options from the inventory, and who asks for it."""

from __future__ import annotations

import getpass
import platform
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.campaign.remediation.plugins.module_utils import guard, options
from ansible_collections.campaign.remediation.plugins.plugin_utils.variables import (
    with_variables,
)

# What every such module takes from variables: not the subject of a change, that is the task's.
GUARDS: tuple[str, ...] = tuple(sorted(guard.argument_spec()))  # type: ignore[no-untyped-call]
# And what those take that call the server's API.
API: tuple[str, ...] = tuple(sorted(options.api()))  # type: ignore[no-untyped-call]
# Under these names automation controllers say which person started the job.
PERSON = ("awx_user_name", "tower_user_name")


class ChangingAction(ActionBase):
    """Runs the module of the same name; options left out come from `campaign_<option>`."""

    TRANSFERS_FILES = False
    NAME = ""
    OPTIONS: tuple[str, ...] = GUARDS

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Fill in the options and run it on the host."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        arguments = with_variables(self._task.args, self.OPTIONS, variables, self._templar)
        result.update(self.carry_out({**arguments, **record(arguments, variables)}, variables))
        return result

    def carry_out(self, given: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Run it with these options."""
        done: dict[str, Any] = self._execute_module(
            module_name=f"campaign.remediation.{self.NAME}",
            module_args=given,
            task_vars=variables,
        )
        return done


def record(given: dict[str, Any], variables: dict[str, Any]) -> dict[str, str]:
    """Who asks, and from where, for the ledger: the host itself sees only its own login."""
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
