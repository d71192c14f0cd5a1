# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""campaign_guard, with options from the host's variables; brings evidence to the controller."""

from __future__ import annotations

import base64
import json
import os
import re
import zlib
from pathlib import Path
from typing import Any

from ansible import constants as C, context
from ansible.errors import AnsibleActionFail

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.errors import (
    InputError,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.record import pause

from ..modules.campaign_guard import argument_spec
from ..plugin_utils._campaign.ansible import controller, keeper
from ..plugin_utils._campaign.ansible.changing import ChangingAction
from ..plugin_utils._campaign.planning.registered import Opened

LIMIT_BYTES = 32 * 1024 * 1024  # of one directory: it has at most 5 MB, before JSON
SIBLING_SECONDS = 3600  # that this same run may take under another name of the host
NAME = re.compile(r"[\w@+-][\w.@+-]*")  # of a directory or a file: no path, not hidden


class ActionModule(ChangingAction):
    """The module, with the site's values."""

    NAME = "campaign_guard"
    SPECIFICATION = argument_spec()

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Run it, and unpack the evidence that it sent."""
        directory = str(self._task.args.get("fetch_to") or "")
        result = super().run(tmp, task_vars)
        self.keep(result, str((task_vars or {}).get("inventory_hostname")))
        if self._task.args.get("state") == "opened":
            result["unusual"] = Opened.of(result).unusual
        packed = result.pop("packed", None)
        if not isinstance(packed, dict):
            return result
        try:
            result["fetched"] = [
                str(unpack(Path(directory).absolute(), name, text))
                for name, text in packed.items()
            ] if directory else []
        except (OSError, ValueError, zlib.error) as error:
            result.setdefault("warnings", []).append(
                f"The evidence could not be copied to {directory}: {error}"
            )
        return result

    def carry_out(self, given: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Name the run after this ansible-playbook if it has none, the same on every host.

        And wait for another name of the same host only where the run can go on meanwhile.
        """
        if given.get("state") == "paused":
            try:  # here, so that no host is asked
                pause.seconds(str(given.get("pause_for") or ""))
                pause.reason(str(given.get("reason") or ""))
            except InputError as error:
                raise AnsibleActionFail(str(error)) from None
        if given.get("state") == "opened":
            me = controller.identity()
            if me and not given.get("run"):
                given = {**given, "run": controller.run_name(me)}
            if given.get("other_names") == "wait":
                waits = self.goes_on()
                given = {
                    **given,
                    "other_names": "wait" if waits else "refuse",
                    **({"lock_timeout": SIBLING_SECONDS} if waits else {}),
                }
        return super().carry_out(given, variables)

    def goes_on(self) -> bool:
        """Whether other hosts go on while this one waits."""
        forks = context.CLIARGS.get("forks") or C.DEFAULT_FORKS
        parent = self._task
        while not hasattr(parent, "_play"):  # a block
            parent = getattr(parent, "_parent", None)
            if parent is None:
                return False
        strategy = str(getattr(parent._play, "strategy", ""))
        return forks > 1 and strategy.rpartition(".")[2] in ("free", "host_pinned")

    def keep(self, result: dict[str, Any], host: str) -> None:
        """Give signs of life to a host for as long as the run has it."""
        if result.get("failed") or result.get("unreachable") or self._task.check_mode:
            return
        state = self._task.args.get("state")
        if state == "closed":
            keeper.end(host)
        elif state == "opened":
            text = keeper.command(str(result.get("sign") or ""))
            if text:
                keeper.begin(host, lambda: self.beat(text))

    def beat(self, text: str) -> bool:
        """One sign of life."""
        done = self._low_level_execute_command(text, sudoable=True)
        return bool(done.get("rc") == 0)


def unpack(directory: Path, name: str, text: str) -> Path:
    """Write one evidence directory; what a host sends decides no path."""
    reader = zlib.decompressobj()
    data = reader.decompress(base64.b64decode(text), LIMIT_BYTES)
    files = json.loads(data)
    target = directory / name
    if not NAME.fullmatch(name) or not all(NAME.fullmatch(file) for file in files):
        raise ValueError(f"{name} is not the name of an evidence file")
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    for file, content in files.items():
        descriptor = os.open(target / file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(str(content))
    return target
