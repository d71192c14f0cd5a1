"""What watch tells systemd."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from campaign_doctor.service import Manager


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_systemd_hears_it(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = str(tmp_path / "notify") if kind == "path" else f"@campaign-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(name.replace("@", "\0", 1))
        heard.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        manager = Manager()
        assert "NOTIFY_SOCKET" not in os.environ, "what is started has nothing to tell"
        manager.tell("READY=1")
        manager.alive("1 host: 1 healthy\nSTOPPING=1")
        assert [heard.recv(1000) for _ in range(2)] == [
            b"READY=1", b"WATCHDOG=1\nSTATUS=1 host: 1 healthy STOPPING=1"]


def test_without_systemd_nothing_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("", str(tmp_path / "gone"), "x" * 200):
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        Manager().alive("well")
