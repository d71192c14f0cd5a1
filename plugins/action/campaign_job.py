"""campaign_job, with options from the host's variables; queries the API from here if configured."""

from __future__ import annotations

from typing import Any

from ..module_utils._campaign.api import api
from ..modules.campaign_job import DOCUMENTATION
from ..plugin_utils._campaign.ansible.changing import API, GUARDS, ChangingAction
from ..plugin_utils._campaign.ansible.documentation import arguments, options_of
from ..plugin_utils._campaign.ansible.variables import address_of

ARGUMENTS = arguments(options_of(DOCUMENTATION))


class ActionModule(ChangingAction):
    """The module, with the site's values."""

    NAME = "campaign_job"
    OPTIONS = (
        *GUARDS,
        *API,
        "accept_cut_import",
        "accept_duplicates",
        "duplicates_found",
        "jobs",
        "mode",
        "no_duplicates_confirmed_by",
        "operator",
        "taken_over_by",
    )

    def carry_out(self, given: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """On the host, which learns what the API answered here; the credentials stay here."""
        if given.get("api_from") != "controller" or not given.get("api"):
            return super().carry_out(given, variables)
        self._task.args = given
        _validated, options = self.validate_argument_spec(argument_spec=ARGUMENTS)
        given = {name: value for name, value in given.items() if not name.startswith("api")}
        job = options["job"]
        if job["kind"] == "import" and job["keys"]:
            url = f"http://{address_of(variables)}:8080"
            seen = api.look_for_duplicates(options, url)
            given["duplicates_seen"] = seen
        return super().carry_out(given, variables)
