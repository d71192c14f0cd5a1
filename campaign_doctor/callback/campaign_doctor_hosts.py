# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Tells campaign-doctor which hosts a play is for. Loaded by Ansible, not by the command.

No event of ansible-runner says how many hosts there are until each has begun.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: campaign_doctor_hosts
type: notification
short_description: Tells campaign-doctor which hosts a play is for
version_added: 1.0.0
description: Writes the names of each play's hosts into a file, as JSON.
"""


class CallbackModule(CallbackBase):
    """Enabled where campaign-doctor names a file; without one it does nothing."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "campaign_doctor_hosts"

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """One file, replaced as a whole: whoever reads it never sees half of one."""
        path = os.environ.get("CAMPAIGN_DOCTOR_HOSTS_FILE")
        if not path:
            return
        names = play.get_variable_manager().get_vars(play=play).get("ansible_play_hosts_all") or []
        half = Path(f"{path}.new")
        half.write_text(json.dumps([str(name) for name in names]), encoding="utf-8")
        half.replace(path)
