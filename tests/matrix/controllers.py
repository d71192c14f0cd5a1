"""The releases of ansible-core that the collection is tried with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from integration.harness import run

Version = tuple[int, int]


class Core(NamedTuple):
    """A release of ansible-core."""

    requirements: str
    """The file in requirements that has it."""
    pythons: Sequence[Version]
    """What it is tried on: the first of these that is here."""
    oldest_target: Version
    """The oldest Python that its modules run on (ansible-core's support matrix)."""
    may_fail: str = ""
    """Why it is not held against us that it fails."""


CORES: dict[Version, Core] = {
    (2, 16): Core("controller-2.16", [(3, 10), (3, 11), (3, 12)], (3, 6)),
    (2, 19): Core("controller", [(3, 11)], (3, 8)),
    (2, 21): Core("controller", [(3, 13), (3, 12), (3, 14)], (3, 9)),
    # And anything newer.
    (2, 22): Core(
        "controller-next", [(3, 13), (3, 14)], (3, 9), "not supported yet: it shows what is to come"
    ),
}
OLDEST = min(CORES)

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
