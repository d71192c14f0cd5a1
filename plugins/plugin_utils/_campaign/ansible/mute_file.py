# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The file on the controller in which the memory of mutes is kept from one run to the next.

It is a convenience: without it a mute ends at its date, and no run fails because of it.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..planning.mute_memory import SCHEMA, WHAT, Memory
from ..report.files import write_whole
from .variables import Templar, with_variables

NAME = "mutes.json"
LARGEST_BYTES = 32 * 1024 * 1024
LOCK_SECONDS = 10.0  # how long another run may hold the file: it does so for an instant


class Unusable(Exception):
    """The file cannot be read or written; says why, in a line."""


def path_of(
    given: str | None, directory: str | None, variables: Mapping[str, Any], templar: Templar
) -> Path:
    """The file: what the task or the site names, else what campaign-doctor does, else the one
    beside the reports.
    """
    found = with_variables({}, ["mute_memory", "report_dir"], variables, templar)
    named = given or found.get("mute_memory") or variables.get("_campaign_mute_memory")
    if named:
        return Path(str(named)).expanduser().absolute()
    return Path(directory or str(found.get("report_dir") or "campaign-report")).absolute() / NAME


def load(path: Path) -> Memory:
    """The memory; an empty one if there is none yet. Raises Unusable."""
    try:
        # Not blocked by whatever stands there in place of a file.
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return Memory()
    except OSError as error:
        raise Unusable(f"{path} cannot be read: {error.strerror or error}") from None
    status = os.fstat(number)
    if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST_BYTES:
        os.close(number)
        raise Unusable(f"{path} is not a {WHAT}: remove it")
    with os.fdopen(number, "rb") as file:
        try:
            data = json.loads(file.read())
        except (OSError, ValueError, RecursionError):
            data = None
    if not isinstance(data, dict) or (data.get("schema"), data.get("what")) != (SCHEMA, WHAT):
        raise Unusable(f"{path} is not a {WHAT}: remove it")
    return Memory.of(data)


def update(path: Path, change: Callable[[Memory], Memory]) -> None:
    """Change the memory, one run after another. Raises Unusable."""
    try:
        if not path.exists() and not change(Memory()).hosts:
            return
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(path.with_name(f".{path.name}.lock")):
            before = load(path)
            after = change(before)
            if after != before:
                write_whole(path, json.dumps(after.as_dict(), indent=1) + "\n")
    except OSError as error:
        raise Unusable(f"{path} cannot be written: {error.strerror or error}") from None


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        end = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)
        yield
    finally:
        os.close(number)
