"""The generator of what the roles share, and names that several tests need."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

import roles

TOP = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def top() -> Path:
    return TOP


@pytest.fixture(scope="session")
def generator() -> ModuleType:
    return roles


@pytest.fixture(scope="session")
def known_variables(generator: ModuleType) -> set[str]:
    """Every variable that a site can set: of the roles, and of the playbook's report."""
    playbook = yaml.safe_load((TOP / "playbooks" / "diagnose.yml").read_text(encoding="utf-8"))
    report = playbook[1]["tasks"][0]["campaign.remediation.campaign_report"]
    of_report = {value.split()[1] for value in report.values()}
    shared: dict[str, Any] = generator.shared_options()
    return {*shared, *of_report, "campaign_hosts", "campaign_modules"}
