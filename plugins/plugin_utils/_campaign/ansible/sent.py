# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The program that is sent in place of campaign_guard or campaign_module (payload)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from . import payload

Json = dict[str, Any]

# Here and not in a function: once, before Ansible forks.
TEXT = (payload.SNAPSHOT | payload.Packed.of(payload.CHANGING)).program("repair.sent")


def program(module: str, specification: Mapping[str, Any], given: Mapping[str, Any]) -> bytes | None:
    """Its text for the arguments that Ansible would send.

    None where they are not valid, or a path is to be completed on the host: the module itself
    is then sent, and answers.
    """
    asked = {name: value for name, value in given.items() if not name.startswith("_ansible_")}
    checked = ArgumentSpecValidator(dict(specification)).validate(asked)
    options = checked.validated_parameters
    if checked.error_messages or any(
        specification[name]["type"] == "path" and options[name] != asked[name] for name in asked
    ):
        return None
    return payload.with_options(TEXT, {
        "module": module,
        "options": options,
        "check_mode": bool(given.get("_ansible_check_mode")),
        "diff": bool(given.get("_ansible_diff")),
    })
