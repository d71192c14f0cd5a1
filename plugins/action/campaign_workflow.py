# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""campaign_workflow, with options from the host's variables; can call the API from here."""

from __future__ import annotations

from typing import Any

from ..module_utils._campaign.errors import InputError
from ..module_utils._campaign.repair import workflow
from ..modules.campaign_workflow import DOCUMENTATION
from ..plugin_utils._campaign.ansible.changing import API, GUARDS, ChangingAction
from ..plugin_utils._campaign.ansible.documentation import arguments, options_of
from ..plugin_utils._campaign.ansible.variables import address_of

ARGUMENTS = arguments(options_of(DOCUMENTATION))
Json = dict[str, Any]


class Stopped(Exception):
    """The host's guards refused; its answer is the result."""


class ActionModule(ChangingAction):
    """The module, with the site's values."""

    NAME = "campaign_workflow"
    OPTIONS = (*GUARDS, *API, "restartable_workflows")

    def carry_out(self, given: Json, variables: Json) -> Json:
        """On the host; or with its guards around the calls that are made from here."""
        if given.get("api_from") != "controller":
            return super().carry_out(given, variables)
        self._task.args = given
        _validated, options = self.validate_argument_spec(argument_spec=ARGUMENTS)
        hidden = {name: value for name, value in given.items() if not name.startswith("api")}
        answer: Json = {}

        def on_host(**step: Any) -> Json:
            told = super(ActionModule, self).carry_out({**hidden, "answer": step}, variables)
            answer.update(told)
            return answer

        def ask(start: Any) -> None:
            told = on_host(step="begin", before=start.before, commands=start.commands)
            if told.get("failed"):
                raise Stopped
            hidden["run"] = told["run"]

        failure, done = None, False
        try:
            url = f"http://{address_of(variables)}:8080"
            credentials = workflow.credentials_of(options, url)
            check = bool(self._task.check_mode)
            start = workflow.Start(credentials, options, check)
            try:
                done = start.run(ask)
            except workflow.StartError as error:
                failure, done = str(error), "run" in answer
        except Stopped:
            return answer
        except InputError as error:
            return {"failed": True, "msg": str(error)}
        except workflow.NotAllowed as error:
            return on_host(step="refused", reason=str(error))
        evidence = answer.get("evidence")
        told = on_host(
            step="end", done=done, failure=failure, before=start.before, after=start.after,
            commands=start.commands, seconds=start.seconds, close=not given.get("run"),
        )
        return {**told, "evidence": evidence or told.get("evidence")}
