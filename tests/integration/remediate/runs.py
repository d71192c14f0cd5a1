"""Runs of a playbook that a test looks at while they go on, or kills."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from integration.harness import BIN, CHECKOUT, INVENTORY, REMEDIATE, Run, environment
from integration.lab.conftest import process_table
from integration.remediate.remedies import Site
from integration.remediate.test_remediate_playbook import QUICK


def variables(site: Site, more: dict[str, Any]) -> dict[str, Any]:
    """All these tests break the same module: that is no crash loop."""
    known = site.variables()["campaign_thresholds"]
    return {**QUICK, "campaign_thresholds": {**known, "crash_loop_restarts": 1000}, **more}


def remediate(site: Site, report: Path, **more: Any) -> Run:
    return site.remediate(report, variables=variables(site, more))


def begin(
    site: Site, report: Path, *arguments: str, book: Path = REMEDIATE, **more: Any
) -> subprocess.Popen[bytes]:
    """Start a playbook in a process group of its own."""
    extra = {"campaign_report_dir": str(report), **variables(site, more)}
    return subprocess.Popen(
        [BIN / "ansible-playbook", book, "-i", INVENTORY, "-e", json.dumps(extra), *arguments],
        cwd=CHECKOUT, env=environment(**site.env),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip


def read_until(
    process: subprocess.Popen[bytes], true: Callable[[bytes], bool], seconds: float = 90
) -> bytes:
    """The output of a run up to the moment when the condition holds."""
    assert process.stdout
    output, end = b"", time.monotonic() + seconds
    while not true(output):
        assert time.monotonic() < end, output.decode()
        if select.select([process.stdout], [], [], 0.01)[0]:
            data = os.read(process.stdout.fileno(), 65536)
            assert data, output.decode()
            output += data
    return output


def actions(report: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((report / "report.json").read_text())["hosts"][0][
        "actions"
    ]
    return found


def kill(process: subprocess.Popen[bytes], spared: int = 0) -> None:
    """SIGKILL for the run and all that it started, on the host, too; not for the server."""
    ended = {spared}
    while True:
        table = [p for p in process_table() if p.arguments and p.pid not in ended]
        family, grown = {process.pid}, True
        while grown:
            more = {p.pid for p in table if p.parent in family} - family
            grown = bool(more)
            family |= more
        doomed = [p.pid for p in table if p.pid in family and "nlserver" not in p.arguments[0]]
        if not doomed:
            break
        for pid in doomed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            ended.add(pid)
    process.communicate(timeout=30)
