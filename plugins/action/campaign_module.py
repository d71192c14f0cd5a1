# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""campaign_module, with options from the host's variables."""

from __future__ import annotations

from ..modules.campaign_module import argument_spec
from ..plugin_utils._campaign.ansible.changing import GUARDS, ChangingAction


class ActionModule(ChangingAction):
    """The module, with the site's values."""

    NAME = "campaign_module"
    OPTIONS = (*GUARDS, "wait")
    SPECIFICATION = argument_spec()
