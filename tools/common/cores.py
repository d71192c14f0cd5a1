# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The releases of ansible-core that the collection is tried with, and their environments."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pythons import CHECKOUT, interpreters

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
SECONDS = 300


def environment(core: Core) -> Path | str:
    """The virtual environment with this ansible-core, made if need be; or why there is none."""
    complete = {version: path for path, version in
                reversed(interpreters("ctypes, ensurepip, ssl, venv").items())}  # fmt: skip
    usable = next((version for version in core.pythons if version in complete), None)
    if usable is None:
        wanted = " or ".join("{}.{}".format(*version) for version in core.pythons)
        return f"no Python {wanted} with its venv module is here"
    folder = CHECKOUT / "build" / "controllers" / "{}-python{}.{}".format(core.requirements, *usable)
    try:
        done = subprocess.run(
            [CHECKOUT / "tools" / "venv", core.requirements, folder],
            # Tests import little of it, and keep the bytecode of what they import.
            env={**os.environ, "PYTHON": str(complete[usable]), "PIP_NO_COMPILE": "1"}, timeout=SECONDS,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"{folder} could not be made within {SECONDS} seconds"
    if done.returncode:
        return f"{folder} could not be made: {done.stdout.strip()[-300:]}"
    return folder
