"""What the lab and the tests see of the machine's sockets."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from campaign_lab import sockets

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
ENTRY = (
    " 1: {where} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000     0        0 {inode} 2"
    " 0000000000000000 0\n"
)


@pytest.mark.parametrize(("protocol", "state"), [("udp", "07"), ("tcp", "0A")])
def test_what_any_reading_shows_is_there(
    protocol: str, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel leaves entries out now and then, other ones each time."""
    assert sockets.READINGS[protocol] > 1
    entry = ENTRY.format(where=f"{sockets.encoded('127.1.2.3')}:29AA", state=state, inode=17)
    for showing in range(sockets.READINGS[protocol]):
        readings = iter(
            HEAD + (entry if number == showing else "")
            for number in range(sockets.READINGS[protocol])
        )

        def opened(path: str, readings: Iterator[str] = readings, **_how: str) -> io.StringIO:
            assert path == f"/proc/net/{protocol}"
            return io.StringIO(next(readings))

        monkeypatch.setattr(sockets, "open", opened, raising=False)
        assert [(words[1], words[9]) for words in sockets.table(protocol)] == [("0302017F:29AA", "17")]


def test_an_entry_is_told_once() -> None:
    inodes = [(words[1], words[2], words[3], words[9]) for words in sockets.table("udp")]
    assert len(inodes) == len(set(inodes))
