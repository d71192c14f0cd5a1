"""An ansible-core that the collection is tried with, as the tests use it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from common.cores import Version

from integration.harness import run

ASK = """
import ansible, json, sys
print(json.dumps([sys.version_info[:2], ansible.__version__.split(".")[:2]]))
"""


class Controller:
    """An ansible-core with the Python that it runs on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        done = run([self.program("python"), "-c", ASK])
        assert done.code == 0, str(done)
        python, core = json.loads(done.output)
        self.python: Version = (python[0], python[1])
        self.core: Version = (int(core[0]), int(core[1]))

    def program(self, name: str) -> Path:
        """One of its commands."""
        return self.folder / "bin" / name

    def __str__(self) -> str:
        return "ansible-core %d.%d on Python %d.%d" % (*self.core, *self.python)


def needed(controller: Controller | str) -> Controller:
    """The controller; the test is skipped if there is none."""
    if isinstance(controller, str):
        pytest.skip(controller)
    return controller
