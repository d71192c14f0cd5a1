# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is known of an installation once its configuration was read, by both sides."""

from .names import DEFAULT

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Dict, List, Sequence, Tuple

NOTHING: "Dict[str, Any]" = {"instances": [DEFAULT], "modules": [], "databases": []}


class Installation:
    """The configuration as data of the snapshot, and the instances that are looked at."""

    def __init__(self) -> None:
        self.configuration = NOTHING
        self.instances = [DEFAULT]
        self._settings: "Tuple[Dict[str, Any], Dict[Tuple[str, str], Any]]" = (NOTHING, {})
        # of which configuration, and by module and instance

    def settings(self, module: str, instance: str = DEFAULT) -> "Any":
        if self._settings[0] is not self.configuration:
            found = dict(
                ((entry["module"], entry["instance"]), entry["settings"])
                for entry in reversed(self.configuration["modules"])
            )
            self._settings = (self.configuration, found)
        return self._settings[1].get((module, instance), {})

    def arguments(self, module: str, instance: str = DEFAULT) -> "Any":
        """The arguments that the configuration says; None if that is unknown."""
        for entry in self.configuration["modules"]:
            if (entry["module"], entry["instance"]) == (module, instance):
                return entry["args"]
        return ""

    def per_instance(self, module: str) -> "List[Tuple[str, Any]]":
        """(instance, settings) of each requested instance."""
        return [
            (instance, self.settings(module, instance))
            for instance in self.instances
            if instance != DEFAULT
        ]

    def choose(self, asked: "Sequence[str]") -> "List[str]":
        """Look at these instances, or at all; those of them that there are not."""
        known = self.configuration["instances"]
        self.instances = [DEFAULT] + [name for name in (asked or known) if name != DEFAULT]
        return [name for name in asked if name not in known]
