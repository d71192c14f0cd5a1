# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Passes on to campaign-doctor what no event of ansible-runner contains. Loaded by Ansible."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: campaign_doctor_tells
type: notification
short_description: Tells campaign-doctor the hosts of a play, and the settling time of a module
version_added: 1.0.0
description: Writes both into the file that campaign-doctor names in the environment, as JSON.
"""

CHANGING = ("campaign_module", "campaign.remediation.campaign_module")


class CallbackModule(CallbackBase):
    """Enabled where campaign-doctor names a file; without one it does nothing."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "campaign_doctor_tells"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._path = os.environ.get("CAMPAIGN_DOCTOR_TELLS")
        self._play: Any = None
        self._told: dict[str, Any] = {"hosts": [], "wait": {}}

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """The names of the play's hosts, those that have not begun included."""
        self._play = play
        names = play.get_variable_manager().get_vars(play=play).get("ansible_play_hosts_all")
        self._told["hosts"] = [str(name) for name in names or ()]
        self._tell()

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        """What the inventory says of the settling time, where a module is being changed."""
        if self._play is None or task.action not in CHANGING:
            return
        manager = self._play.get_variable_manager()
        wait = manager.get_vars(play=self._play, host=host, task=task).get("campaign_wait")
        with contextlib.suppress(TypeError, ValueError):  # the playbook refuses a value that is not a number
            self._told["wait"][host.get_name()] = None if wait is None else float(wait)
            self._tell()

    def _tell(self) -> None:
        """Replaced as a whole, so that a reader never sees half of it."""
        if self._path:
            half = Path(f"{self._path}.new")
            half.write_text(json.dumps(self._told), encoding="utf-8")
            half.replace(self._path)
