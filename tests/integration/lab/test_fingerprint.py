"""What tests see of a server's processes (fingerprint.py)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from integration.fingerprint import processes_of

FORKS = """\
import os, sys

if not os.fork():
    print("forked", flush=True)
    sys.stdin.readline()
    os.execvp("cat", ["cat"])
os.wait()
"""


def test_a_fork_is_seen_when_it_has_become_something_else(tmp_path: Path, eventually: Any) -> None:
    """Between fork and exec a child of a module looks like a second one."""
    command = [sys.executable, "-c", FORKS]
    with subprocess.Popen(
        command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin and process.stdout
        assert process.stdout.readline() == "forked\n"
        seen = processes_of(tmp_path)
        assert list(seen) == [process.pid] and seen[process.pid][:-1] == tuple(command)
        process.stdin.write("\n")
        process.stdin.flush()
        eventually(lambda: {words[0] for words in processes_of(tmp_path).values()}
                   == {sys.executable, "cat"})  # fmt: skip
        process.stdin.close()
    assert processes_of(tmp_path) == {}
