"""Files of /proc that may never be read to their end."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.host import memory


@pytest.fixture(params=["child", "thread"])
def beside(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether another thread is at work."""
    monkeypatch.setattr(memory, "_hanging", set())
    threads = 1 if request.param == "child" else 2
    monkeypatch.setattr(threading, "active_count", lambda: threads)


@pytest.mark.usefixtures("beside")
def test_one_that_hangs_costs_only_itself(tmp_path: Path) -> None:
    paths = [str(tmp_path / name) for name in ("first", "hangs", "gone", "last")]
    Path(paths[0]).write_bytes(b"a" * 100)
    os.mkfifo(paths[1])
    Path(paths[3]).write_bytes(b"b")
    began = time.monotonic()
    assert memory.texts(paths, 10) == [b"a" * 10, b"", None, b"b"]
    with pytest.raises(TimeoutError):
        memory.text(paths[1], 10)
    assert time.monotonic() - began < 2 * memory.PATIENCE + 1
    with pytest.raises(ProcessLookupError):
        memory.text(paths[2], 10)


@pytest.mark.usefixtures("beside")
def test_not_every_one_is_waited_for(tmp_path: Path) -> None:
    paths = [str(tmp_path / str(number)) for number in range(20)]
    for path in paths:
        os.mkfifo(path)
    began = time.monotonic()
    assert memory.texts(paths, 10) == [b""] * 20
    assert time.monotonic() - began < (memory.HANGING + 1) * memory.PATIENCE + 1
