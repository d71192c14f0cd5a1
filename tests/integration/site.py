"""Hosts seen from outside, and the playbooks at work on them: for the Molecule scenarios."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import testinfra

from integration.harness import CHECKOUT, Run, playbook, wait_until

PLAYBOOKS = CHECKOUT / "playbooks"
WAIT_SECONDS = 60.0
QUICK = {
    "campaign_wait": 3,  # seconds that a module must stay up before it counts as repaired
    "campaign_log_window": 10,
    "campaign_restart_budget": 30,  # more is broken here in an hour than in a year of production
}


class Site:
    """The hosts of a scenario and the collection at work on them."""

    def __init__(self, inventory: Path, reports: Path) -> None:
        self.inventory = inventory
        self._reports = reports
        self._number = count(1)
        self._hosts: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        """A host, by testinfra: as root, over SSH."""
        if name not in self._hosts:
            (host,) = testinfra.get_hosts(
                [f"ansible://{name}"], ansible_inventory=str(self.inventory))
            self._hosts[name] = host
        return self._hosts[name]

    def run(self, name: str, *arguments: str, **variables: Any) -> Run:
        """Run a playbook of the collection on this site."""
        return playbook(
            PLAYBOOKS / f"{name}.yml", *arguments, inventory=self.inventory,
            report_dir=self._reports / f"{next(self._number):02}-{name}", timeout=300,
            variables={**QUICK, **variables},
        )  # fmt: skip

    def diagnose(self, *arguments: str, **variables: Any) -> Run:
        """playbooks/diagnose.yml"""
        return self.run("diagnose", *arguments, **variables)

    def remediate(self, *arguments: str, **variables: Any) -> Run:
        """playbooks/remediate.yml"""
        return self.run("remediate", *arguments, **variables)


def eventually(true: Callable[[], bool], seconds: float = WAIT_SECONDS) -> bool:
    """Wait for a condition on a host; its last answer."""
    return wait_until(true, seconds, 0.5)
