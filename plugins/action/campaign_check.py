# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Checks one after the other what a diagnosis needs of a host, and says what to do."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleConnectionFailure, AnsibleError

from ..plugin_utils._campaign.ansible import access
from ..plugin_utils._campaign.ansible.access import Check
from ..plugin_utils._campaign.ansible.variables import address_of
from ..plugin_utils._campaign.diagnosis.causes import addresses_of
from ..plugin_utils._campaign.diagnosis.diagnose import diagnose
from .campaign_diagnose import ActionModule as Diagnosing

VERSION = "import sys; print('%d.%d' % sys.version_info[:2])"
MESSAGE_CHARACTERS = 500
FOUND_BY_ANSIBLE = ("", "auto", "auto_silent", "auto_legacy", "auto_legacy_silent")


class ActionModule(Diagnosing):
    """Changes nothing. A failed check fails the task, after all have been made that can be."""

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Make the checks."""
        variables = task_vars or {}
        options = self._options(variables)
        checks = []
        for check in self._checks(options, variables):
            checks.append(check)
            if check.state == "failed":
                break
        every = access.complete(checks)
        failed = [check for check in checks if check.state == "failed"]
        return {
            "changed": False,
            "failed": bool(failed),
            "msg": access.sentence(failed[0]) if failed else "All checks passed.",
            "checks": [check.as_dict() for check in every],
            "text": [access.line(check) for check in every],
        }

    def _checks(self, options: dict[str, Any], variables: dict[str, Any]) -> Iterator[Check]:
        yield self._reachable(variables)
        yield self._python(variables)
        yield self._become(self._output("id -un")[0].strip())
        yield from self._server(options, variables)

    def _reachable(self, variables: dict[str, Any]) -> Check:
        error = None
        try:
            self._output("true")
        except AnsibleConnectionFailure as failure:
            error = _one_line(failure)
        return access.reachable(error, self._connection.transport, address_of(variables))

    def _python(self, variables: dict[str, Any]) -> Check:
        named = str(self._templar.template(variables.get("ansible_python_interpreter") or ""))
        if named in FOUND_BY_ANSIBLE:
            tried = C.config.get_config_value("INTERPRETER_PYTHON_FALLBACK", variables=variables)
            looks = " || ".join(f"command -v {shlex.quote(str(each))}" for each in tried)
            named = self._output(looks)[0].strip().partition("\n")[0]
        version, error = self._output(f"{shlex.quote(named)} -c {shlex.quote(VERSION)}") if named \
            else ("", "")
        return access.python(named, version, error)

    def _become(self, login: str) -> Check:
        plugin = self._connection.become
        wanted = plugin.get_option("become_user") if plugin else None
        account, error = "", None
        try:
            account, reason = self._output("id -un", become=True)
            account = account.strip()
            error = reason or None
        except AnsibleError as failure:
            error = _one_line(failure)
        return access.become(account, wanted, login, error)

    def _server(self, options: dict[str, Any], variables: dict[str, Any]) -> Iterator[Check]:
        taken = self._take(options, variables)
        if taken.get("failed") or "snapshot" not in taken:
            yield Check("home", "failed", str(taken.get("msg") or "The host gave no answer"),
                        "Set campaign_home and campaign_user")  # fmt: skip
            return
        diagnosis = diagnose(
            taken["snapshot"], str(variables.get("inventory_hostname", "")),
            addresses=addresses_of(variables),
        )
        declared = [str(entry.get("instance")) for entry in options["api"] or ()]
        yield from access.server(diagnosis, declared)

    def _output(self, command: str, *, become: bool = False) -> tuple[str, str]:
        """Standard output of a command of the login's shell, and its error in one line."""
        done = self._low_level_execute_command(command, sudoable=become)
        failed = done.get("rc") != 0
        return str(done.get("stdout") or ""), _one_line(done.get("stderr") or "") if failed else ""


def _one_line(error: object) -> str:
    return " ".join(str(error).split())[:MESSAGE_CHARACTERS]
