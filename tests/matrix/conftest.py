"""Other Pythons and other ansible-cores than those of .venv, as far as this machine has them."""

from __future__ import annotations

from pathlib import Path

import pytest
from common.cores import CORES, Core, Version, environment
from matrix.controllers import Controller
from pythons import interpreters

from integration.harness import CHECKOUT


@pytest.fixture(scope="session")
def pythons() -> dict[Version, Path]:
    """One interpreter of each version."""
    return {version: path for path, version in reversed(interpreters().items())}


@pytest.fixture(scope="session")
def own() -> Controller:
    """What make test itself runs with."""
    return Controller(CHECKOUT / ".venv")


@pytest.fixture(scope="session")
def controllers(own: Controller, nightly: bool) -> dict[Version, Controller | str]:
    """A controller of each ansible-core, or why there is none; of one that may fail at night."""

    def made(core: Core) -> Controller | str:
        folder = environment(core)
        return folder if isinstance(folder, str) else Controller(folder)

    return {name: own if name == own.core else made(core) for name, core in CORES.items()
            if nightly or not core.may_fail}  # fmt: skip
