"""The programs that read the files of contrib/. tools/monitoring fetches them; without one, its tests
are skipped, and the last lines of make test name them.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[3]
CONTRIB = CHECKOUT / "contrib"
FETCHED = CHECKOUT / "build" / "monitoring"
SECONDS = 60


def fetched(package: str, path: str, installed: str = "") -> Path:
    """A program or folder of a Debian package that tools/monitoring has unpacked, or an installed one."""
    found = FETCHED / package / path
    own = shutil.which(installed or Path(path).name)
    if not found.exists() and own:
        return Path(own)
    if not found.exists():
        pytest.skip(f"there is no {Path(path).name} on this machine (Debian: {package})")
    return found


def installed(name: str, package: str) -> str:
    """A program of the machine."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"there is no {name} on this machine (Debian: {package})")
    return path


def run(*command: str | Path, cwd: Path | None = None) -> tuple[int, str]:
    """The exit code and all that it said."""
    done = subprocess.run([str(word) for word in command], cwd=cwd, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=SECONDS, check=False)  # fmt: skip
    return done.returncode, done.stdout
