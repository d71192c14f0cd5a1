# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Finds the hosts of the inventory that an event of Event-Driven Ansible names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..modules.campaign_event import DOCUMENTATION
from ..plugin_utils._campaign.ansible import events
from ..plugin_utils._campaign.ansible.documentation import arguments, options_of
from ..plugin_utils._campaign.ansible.variables import plain

ARGUMENTS = arguments(options_of(DOCUMENTATION))
VARIABLE = "ansible_eda"  # in which ansible-rulebook hands the event on


class ActionModule(ActionBase):
    """Needs no connection: the event is a variable."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Compare the event with the inventory. It is read as it is: a text in it is no template."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        self.validate_argument_spec(argument_spec=ARGUMENTS)
        given = plain(variables.get(VARIABLE))
        event = given.get("event") if isinstance(given, Mapping) else None
        payload = event.get("payload") if isinstance(event, Mapping) else None
        inventory = {str(name) for name in (variables.get("groups") or {}).get("all") or ()}
        try:
            result.update(changed=False, hosts=events.hosts_of(payload, inventory))
        except events.InvalidEvent as error:
            raise AnsibleActionFail(f"Nothing is done: {error} (ansible_eda).") from None
        return result
