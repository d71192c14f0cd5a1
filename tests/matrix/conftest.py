"""Other Pythons and other ansible-cores than those of .venv, as far as this machine has them."""

from __future__ import annotations

from pathlib import Path

import pytest
from matrix.controllers import CORES, Controller, Core, Version
from pythons import interpreters

from integration.harness import CHECKOUT, run


@pytest.fixture(scope="session")
def pythons() -> dict[Version, Path]:
    """One interpreter of each version."""
    return {version: path for path, version in reversed(interpreters().items())}


@pytest.fixture(scope="session")
def own() -> Controller:
    """What make test itself runs with."""
    return Controller(CHECKOUT / ".venv")


@pytest.fixture(scope="session")
def controllers(own: Controller) -> dict[Version, Controller | str]:
    """A controller of each ansible-core, or why there is none."""
    complete = {version: path for path, version in
                reversed(interpreters("ctypes, ensurepip, ssl, venv").items())}

    def made(core: Core) -> Controller | str:
        usable = next((version for version in core.pythons if version in complete), None)
        if usable is None:
            wanted = " or ".join("%d.%d" % version for version in core.pythons)
            return f"no Python {wanted} with its venv module is here"
        name = "%s-python%d.%d" % (core.requirements, *usable)
        folder = CHECKOUT / "build" / "controllers" / name
        done = run([CHECKOUT / "tools" / "venv", core.requirements, folder],
                   env={"PYTHON": str(complete[usable])}, timeout=300)
        if done.code:
            return f"{folder} could not be made: {done.output.strip()[-300:]}"
        return Controller(folder)

    return {name: own if name == own.core else made(core) for name, core in CORES.items()}
