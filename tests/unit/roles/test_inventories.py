"""The example inventories load, and set variables that exist to values that are possible."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.inventory.manager import InventoryManager
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.parsing.dataloader import DataLoader
from ansible.vars.manager import VariableManager
from common import site_variables

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.snapshot import (
    thresholds,
)

TOPOLOGIES = {"standalone": 1, "standard": 4, "enterprise": 15, "midsourcing": 3}

Json = dict[str, Any]


@pytest.fixture(params=TOPOLOGIES)
def topology(request: pytest.FixtureRequest, top: Path) -> Path:
    return top / "inventories" / str(request.param)


@pytest.fixture
def hosts(topology: Path) -> dict[str, Json]:
    """The variables of each host, as Ansible puts them together."""
    loader = DataLoader()
    inventory = InventoryManager(loader=loader, sources=[str(topology)])
    variables = VariableManager(loader=loader, inventory=inventory)
    members = inventory.get_groups_dict()["campaign"]
    return {name: variables.get_vars(host=inventory.get_host(name)) for name in members}


def test_hosts(topology: Path, hosts: dict[str, Json]) -> None:
    assert len(hosts) == TOPOLOGIES[topology.name]


def test_variables_exist(hosts: dict[str, Json], known_variables: set[str]) -> None:
    used = {key for each in hosts.values() for key in each if key.startswith("campaign_")}
    assert used
    assert used <= known_variables


def test_values_are_possible(hosts: dict[str, Json]) -> None:
    shared = site_variables.shared_options()
    for variables in hosts.values():
        # Values that are templates are only known in a run.
        given = {
            name: value
            for name, value in variables.items()
            if name in shared and not (isinstance(value, str) and "{{" in value)
        }
        assert ArgumentSpecValidator(shared).validate(given).error_messages == []
        names = {field.name for field in dataclasses.fields(thresholds.Thresholds)}
        assert set(variables.get("campaign_thresholds", {})) <= names


def test_passwords_come_from_a_vault(topology: Path) -> None:
    for path in topology.rglob("*.yml"):
        for value in re.findall(r"password: (.*)", path.read_text(encoding="utf-8")):
            assert re.fullmatch(r'"\{\{ vault_\w+ \}\}"', value), path


def test_standalone_shows_every_variable_of_a_diagnosis(top: Path) -> None:
    path = top / "inventories" / "standalone" / "group_vars" / "campaign" / "main.yml"
    shown = set(yaml.safe_load(path.read_text(encoding="utf-8")))
    assert set(site_variables.diagnosing_options()) <= shown
