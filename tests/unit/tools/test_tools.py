"""Every tool says how it is used, and takes no option that it does not know."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[3] / "tools"
NAMES = sorted(path.name for path in TOOLS.iterdir() if path.is_file() and os.access(path, os.X_OK))


def run(name: str, *words: str) -> subprocess.CompletedProcess[str]:
    path = str(TOOLS / name)
    command = [sys.executable, path] if path.endswith(".py") else [path]
    return subprocess.run([*command, *words], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, check=False, timeout=120)  # fmt: skip


def test_what_is_no_tool_is_data() -> None:
    assert len(NAMES) > 15
    others = {path.suffix for path in TOOLS.iterdir() if path.is_file() and path.name not in NAMES}
    assert others == {".yml"}


@pytest.mark.parametrize("name", NAMES)
def test_help(name: str) -> None:
    done = run(name, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"usage: tools/{name}" in done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_option(name: str) -> None:
    done = run(name, "--no-such-option")
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1 and f"tools/{name}" in done.stderr
