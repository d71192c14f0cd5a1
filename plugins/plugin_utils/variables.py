# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Options from variables: what a site writes once in its inventory, no task repeats."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

PREFIX = "campaign_"


def raw_variables(variables: Mapping[str, Any], host: str) -> Mapping[str, Any]:
    """The variables of another host, none if it is unknown. Raw: the text of a log that was
    registered is nothing to look for templates in.

    Ansible puts them together at each call, which takes milliseconds: one call per host.
    """
    hostvars: Any = variables.get("hostvars") or {}
    found: Mapping[str, Any] = hostvars.raw_get(host) if host in hostvars else {}
    return found


class Templar(Protocol):
    """What is needed of Ansible's templar."""

    def template(self, variable: Any) -> Any:
        """The value with its templates filled in."""


def with_variables(
    given: Mapping[str, Any],
    options: Iterable[str],
    variables: Mapping[str, Any],
    templar: Templar,
) -> dict[str, Any]:
    """The given options, and for each one left out the host's variable `campaign_<option>`."""
    found = {
        name: variables[PREFIX + name]
        for name in options
        if name not in given and PREFIX + name in variables
    }
    return {**(templar.template(found) if found else {}), **given}
