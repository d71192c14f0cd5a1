# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Files that no other account can read, not even for a moment."""

from __future__ import annotations

import os
from pathlib import Path

PRIVATE = 0o600


def write_new(path: Path, content: bytes, mode: int = PRIVATE) -> None:
    """Write a new file; its directory is created for its owner."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(number, "wb") as file:
        file.write(content)
    path.chmod(mode)  # whatever the umask


def write_whole(path: Path, content: bytes, mode: int = PRIVATE) -> None:
    """Replace a file as a whole: a reader never sees half of it."""
    half = path.with_name(f".{path.name}.{os.getpid()}")
    half.unlink(missing_ok=True)
    try:
        write_new(half, content, mode)
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)
