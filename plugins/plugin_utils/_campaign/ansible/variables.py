# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Options from variables: what a site writes once in its inventory, no task repeats."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import NoneType
from typing import Any, Protocol

PREFIX = "campaign_"
# Options that the engine passes to the modules of a remedy in its own variables.
HANDED_ON = frozenset({"because", "remedy", "run"})
DIAGNOSIS = "campaign_diagnosis"  # where the playbooks register what campaign_diagnose found


def raw_variables(variables: Mapping[str, Any], host: str) -> Mapping[str, Any]:
    """The variables of another host, none if it is unknown. Raw: the text of a log that was
    registered is nothing to look for templates in.

    Ansible puts them together at each call, which takes milliseconds: one call per host.
    """
    hostvars: Any = variables.get("hostvars") or {}
    found: Mapping[str, Any] = hostvars.raw_get(host) if host in hostvars else {}
    return found


def address_of(variables: Mapping[str, Any]) -> str:
    """The host as the controller reaches it."""
    return str(variables.get("ansible_host") or variables.get("inventory_hostname") or "")


class Templar(Protocol):
    """The part of Ansible's templar that is used."""

    def template(self, variable: Any) -> Any:
        """The value with its templates filled in."""


def variable_of(option: str) -> str:
    """The variable that an option is taken from where a task leaves it out."""
    return f"_{PREFIX}{option}" if option in HANDED_ON else PREFIX + option


def with_variables(
    given: Mapping[str, Any],
    options: Iterable[str],
    variables: Mapping[str, Any],
    templar: Templar,
) -> dict[str, Any]:
    """The given options, and for each one left out the host's variable (`variable_of`). Plain: to
    check, copy and send a value with Ansible's marks on each part takes ten times as long.
    """
    found = {
        name: variables[variable]
        for name in options
        if name not in given and (variable := variable_of(name)) in variables
    }
    open_ = {name: value for name, value in found.items() if not complete(value)}
    filled = templar.template(open_) if open_ else {}
    return {name: plain(value) for name, value in {**found, **filled, **given}.items()}


def complete(value: Any) -> bool:
    """Whether it has neither a template nor anything encrypted: most values are plain, and
    checking here is faster than asking Ansible.
    """
    if isinstance(value, Mapping):
        return all(complete(key) and complete(item) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return all(map(complete, value))
    return "{" not in value if isinstance(value, str) else isinstance(value, (int, float, NoneType))


def plain(value: Any) -> Any:
    """The same without the marks that Ansible puts on values: where each was read, and the like."""
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value) if isinstance(value, float) else int(value)
    return value
