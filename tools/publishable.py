#!/usr/bin/env python3
"""Check that the collection, as it is built, can be published: its documentation and its parts.

antsibull-docs reads the documentation of every plugin and role as a documentation site would;
galaxy-importer reads the archive as Galaxy does (.config/galaxy-importer.cfg). What either warns of
is a failure, too. Both run at once, on this machine alone.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from common.command_line import Parser
from sanity import BIN, CHECKOUT, unpack

COMPLAINT = re.compile(r"^(?:WARNING|ERROR|CRITICAL):", re.MULTILINE)
SETTINGS = CHECKOUT / ".config" / "galaxy-importer.cfg"


def start(*command: str | Path, cwd: Path) -> subprocess.Popen[str]:
    """Begin a command whose output is kept."""
    environment = {
        **os.environ, "GALAXY_IMPORTER_CONFIG": str(SETTINGS),
        "ANSIBLE_COLLECTIONS_PATH": str(cwd), "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
    }  # fmt: skip
    return subprocess.Popen(
        [str(word) for word in command], cwd=cwd, env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def refused(process: subprocess.Popen[str]) -> str:
    """What a command has against the collection; empty if it has nothing."""
    output, _none = process.communicate()
    return output or "failed" if process.returncode or COMPLAINT.search(output) else ""


def check(trees: Path) -> dict[str, str]:
    """What each has against the collection, which is built in this folder."""
    target = unpack(trees)
    (archive,) = trees.glob("*.tar.gz")
    running = {
        "antsibull-docs": start(
            BIN / "antsibull-docs", "lint-collection-docs", "--plugin-docs", target, cwd=trees
        ),
        "galaxy-importer": start(
            sys.executable, "-m", "galaxy_importer.main", archive.name, cwd=trees
        ),
    }
    return {name: refused(process) for name, process in running.items()}


def main() -> int:
    Parser(__doc__).parse_args()
    with tempfile.TemporaryDirectory(prefix="campaign-publishable-") as trees:
        found = {name: said for name, said in check(Path(trees)).items() if said}
    for name, said in found.items():
        print(f"{name}:\n{said}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
