# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The options that an Ansible module of this collection documents, with those of its fragments."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from ansible.module_utils.common.yaml import yaml_load

# What Ansible must not show of a task's options.
SECRETS = ("password", "notify_url", "notify_token")
PLACE = "ansible_collections.campaign.remediation.plugins.doc_fragments."


def options_of(documentation: str) -> dict[str, Any]:
    """Name to option, of a DOCUMENTATION; its own come last, and win."""
    read = yaml_load(documentation)
    options: dict[str, Any] = {}
    for name in read.get("extends_documentation_fragment") or ():
        module, _dot, part = name.removeprefix("campaign.remediation.").partition(".")
        fragment = import_module(PLACE + module).ModuleDocFragment
        text = getattr(fragment, part.upper() or "DOCUMENTATION")
        options.update(yaml_load(text)["options"])
    return {**options, **(read.get("options") or {})}


def arguments(documented: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The specification of options that are documented."""
    kept = ("type", "elements", "default", "choices", "required", "aliases")
    return {
        name: {key: option[key] for key in kept if key in option}
        | ({"no_log": True} if name in SECRETS else {})
        | ({"options": arguments(option["suboptions"])} if "suboptions" in option else {})
        for name, option in documented.items()
    }
