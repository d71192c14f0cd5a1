# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""campaign_file, with options from the host's variables."""

from __future__ import annotations

from typing import Any

from ..module_utils._campaign import options
from ..plugin_utils._campaign.ansible.changing import ChangingAction
from ..plugin_utils._campaign.ansible.variables import with_variables


class ActionModule(ChangingAction):
    """The module, with the site's values."""

    NAME = "campaign_file"
    OPTIONS = (*sorted(options.server()), "pid_file")

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Fill in the options and run it on the host. It writes no ledger, so no operator is needed."""
        variables = task_vars or {}
        result: dict[str, Any] = super(ChangingAction, self).run(tmp, variables)
        given = with_variables(self._task.args, self.OPTIONS, variables, self._templar)
        result.update(self.carry_out(given, variables))
        return result
