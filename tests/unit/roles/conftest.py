"""The generator of what the roles share, and names that several tests need."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
from common import site_variables

import roles

TOP = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def top() -> Path:
    return TOP


@pytest.fixture(scope="session")
def generator() -> ModuleType:
    return roles


@pytest.fixture(scope="session")
def known_variables() -> set[str]:
    """Every variable that a site can set, and that a person gives to a playbook."""
    return site_variables.known_names()
