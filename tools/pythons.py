#!/usr/bin/env python3
"""Finds the Python interpreters of this machine: real ones, no shims of a version manager."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from common.command_line import Parser

CHECKOUT = Path(__file__).resolve().parent.parent
ASK = "import sys; print('%d.%d' % sys.version_info[:2]); print(sys.executable)"


def candidates() -> Iterator[Path]:
    """Where interpreters lie: beside this one, the system's, on the PATH, of version managers."""
    yield Path(sys.base_prefix, "bin", "python3")
    yield from Path("/usr/bin").glob("python3.[0-9]*")
    for directory in os.environ.get("PATH", "").split(os.pathsep):
        yield from sorted(Path(directory).glob("python3.[0-9]*"))
        yield from sorted(Path(directory).parent.glob("versions/3.*/bin/python3.[0-9]*"))


def interpreters(needs: str = "") -> dict[Path, tuple[int, int]]:
    """Each interpreter and its version (3, 11), those that can import what is needed.

    Args:
        needs: names of Python's own modules, "ensurepip, venv"; Debian packs some apart.
    """
    imports = f"import {needs}; " if needs else ""
    found: dict[Path, tuple[int, int]] = {}
    for candidate in dict.fromkeys(candidates()):
        if not re.fullmatch(r"python3(\.\d+)?", candidate.name) or "shims" in candidate.parts:
            continue
        try:
            probe = subprocess.run(
                [candidate, "-c", imports + ASK], capture_output=True, text=True, check=False,
                timeout=30,
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        if probe.returncode == 0 and str(CHECKOUT) not in probe.stdout:
            major, minor = probe.stdout.split()[0].split(".")
            found[candidate] = (int(major), int(minor))
    return found


if __name__ == "__main__":
    Parser(__doc__).parse_args()
    for path, version in interpreters().items():
        print(f"{version[0]}.{version[1]}  {path}")
