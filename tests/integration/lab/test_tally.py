"""The lab counts the processes that it starts, where somebody wants to know."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from integration.lab.conftest import LabUnderTest


def test_every_process_of_a_server_is_counted(
    empty_lab: Callable[..., LabUnderTest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    eventually: Callable[..., object],
) -> None:
    monkeypatch.setenv("CAMPAIGN_TALLY", str(tmp_path))
    tally = tmp_path / "lab"
    tally.touch()
    tally.chmod(0o666)
    lab = empty_lab()
    lab.labctl("up")
    seen = {process.pid for process in lab.processes()}
    assert 0 < len(seen) <= tally.stat().st_size
    before = tally.stat().st_size
    monkeypatch.delenv("CAMPAIGN_TALLY")  # so it is with what the collection starts
    lab.nlserver("restart", "stat@prod")
    assert tally.stat().st_size > before
    eventually(lambda: lab.pid("stat", "prod"))
