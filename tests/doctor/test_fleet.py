"""500 hosts: events as fast as a machine can make them, through the real ansible-runner."""

from __future__ import annotations

import io
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from campaign_doctor import runner
from campaign_doctor.interrupts import Interrupts
from campaign_doctor.live import LiveTable
from campaign_doctor.runner import Access, PlaybookRun, private_directory

HOSTS = 500


class Measured(LiveTable):
    """The real table, and how late it heard of each event."""

    lags: list[float]

    def event(self, event: dict[str, Any]) -> None:
        created = event.get("created")
        if created:
            age = datetime.now(UTC) - datetime.fromisoformat(created)
            self.lags.append(age.total_seconds())
        super().event(event)


def test_the_table_does_not_fall_behind(fake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")  # a dumb one shows lines
    screen = io.StringIO()
    watcher = Measured(Console(file=screen, width=120, height=40, force_terminal=True))
    watcher.lags = []
    used = time.process_time()
    playbook_run, access = PlaybookRun("diagnose", {"hosts": HOSTS}), Access(inventory=("none,",))
    with Interrupts() as interrupts, private_directory() as private, watcher:
        ended = runner.run(playbook_run, access, private, watcher, interrupts)
        left = sorted(path.name for path in private.rglob("*.json"))
    used = time.process_time() - used
    assert ended.rc == 0 and ended.stats is not None, ended
    progress = watcher.progress
    assert len(progress.hosts) == HOSTS and progress.count("diagnosed") == HOSTS
    assert progress.hosts["app500"].verdict("mta") == "healthy"
    assert f"of {HOSTS} hosts" in screen.getvalue()
    assert len(watcher.lags) >= 2 * HOSTS
    # They come many times as fast as from Ansible; on a busy machine the last is seconds late, not
    # minutes, and each cost a few milliseconds.
    assert max(watcher.lags) < 60, max(watcher.lags)
    assert used < 15, used
    assert left == [], "events hold results, and are in no file when the run is over"
