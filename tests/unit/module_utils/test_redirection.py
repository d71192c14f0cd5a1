"""Tracking logs by the vendor's pattern, and addresses that the web server may not read."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from unit.growth import check_linear

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.account import (
    redirection,
)

GOOD = (
    "50x000000000FD7EC85\t2026-08-27T06:00:50.96\t1f506d71\t1aeab4b6\t1af77020\t0"
    "\te5155671-4ab7-4ce4-a763-3b82dda6d881\th\t\tMozilla/5.0 (Macintosh)\t192.0.2.64"
)


@pytest.fixture
def redir(tmp_path: Path) -> Path:
    (tmp_path / "log").mkdir()
    (tmp_path / "url" / "2026").mkdir(parents=True)
    return tmp_path


FIRST = "0x000000000FD7E000.log"


def logged(redir: Path, *lines: str, name: str = FIRST, age: float = 600) -> Path:
    path = redir / "log" / name
    path.write_text("\n".join(lines))
    os.utime(path, (time.time() - age,) * 2)
    return path


@pytest.mark.parametrize(
    ("line", "whole"),
    [
        (GOOD, True),
        (GOOD + "\tmore", True),
        (GOOD + ",10.0.0.1, 10.0.0.2", True),
        (GOOD.replace("192.0.2.64", "2001:db8::1"), True),
        (GOOD.replace("Mozilla", "Mözilla"), True),
        (GOOD.replace("192.0.2.64", ""), True),
        (GOOD.replace("\t\t", "\t"), False),  # the published one: a field is missing
        (GOOD.rpartition("\t")[0], False),
        (GOOD.replace("50x", "x"), False),
        (GOOD.replace("1f506d71", "1f506z71"), False),
        (GOOD.replace("Mozilla", "Mo\x01zilla"), False),
        (GOOD.replace("\t", " "), False),
        ("\0" * 80, False),
    ],
)
def test_lines(redir: Path, line: str, whole: bool) -> None:
    path = logged(redir, GOOD, line, GOOD, "")
    entry = redirection.collect("prod", str(redir))
    assert entry["corrupt_lines"] == (0 if whole else 1)
    assert [(one["path"], one["line"]) for one in entry["corrupt"]] == (
        [] if whole else [(str(path), 2)]
    )
    assert entry["unread_bytes"] == 0


def test_a_line_that_is_being_written(redir: Path) -> None:
    logged(redir, GOOD, GOOD[:30], age=1)
    assert redirection.collect("prod", str(redir))["corrupt_lines"] == 0
    logged(redir, GOOD, GOOD[:30])  # it has been like that for ten minutes
    assert redirection.collect("prod", str(redir))["corrupt_lines"] == 1


def test_lines_of_windows_and_empty_ones(redir: Path) -> None:
    logged(redir, GOOD + "\r", "", GOOD, "")
    assert redirection.collect("prod", str(redir))["corrupt_lines"] == 0


def test_other_files_are_no_tracking_logs(redir: Path) -> None:
    logged(redir, "anything", "", name="readme.txt")
    logged(redir, "anything", "", name="20261128-10.log")
    (redir / "log" / "0x1.log").mkdir()
    os.mkfifo(redir / "log" / "0x2.log")  # would be waited for
    entry = redirection.collect("prod", str(redir))
    assert (entry["corrupt_lines"], entry["log_files"]) == (0, 3)


def test_what_is_not_read_is_told(redir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redirection, "BYTES", 3 * len(GOOD))
    size = logged(redir, *[GOOD] * 10, "").stat().st_size
    old = logged(redir, "broken", "", name="0x1.log", age=7200).stat().st_size
    entry = redirection.collect("prod", str(redir))
    assert entry["corrupt_lines"] == 0  # the broken file is the older one
    assert entry["unread_bytes"] == size - 3 * (len(GOOD) + 1) + old


def test_many_corrupt_lines_are_counted_and_some_named(redir: Path) -> None:
    logged(redir, *["broken"] * 100, "")
    entry = redirection.collect("prod", str(redir))
    assert entry["corrupt_lines"] == 100
    assert [one["line"] for one in entry["corrupt"]] == list(range(1, redirection.SHOWN + 1))


def test_a_line_without_end(redir: Path) -> None:
    logged(redir, GOOD, "x" * (3 * redirection.LINE), GOOD, "")
    entry = redirection.collect("prod", str(redir))
    assert [one["line"] for one in entry["corrupt"]] == [2]


def test_a_long_line_costs_no_more_than_its_length() -> None:
    for head, more in (("50x0" + "\t" * 10, b"\t"), ("50x0" + "\t" * 10, b","), ("5", b"0"),
                       ("50x0" + "\t" * 7, b"a\t")):  # fmt: skip
        start = head.encode()
        check_linear(
            redirection._LINE.fullmatch, lambda n, s=start, m=more: s + m * n + b"\x01", 20_000
        )


@pytest.mark.parametrize(
    ("mode", "shown"), [(0o644, []), (0o755, []), (0o600, ["0600"]), (0o640, ["0640"])]
)
def test_modes_of_addresses(redir: Path, mode: int, shown: list[str]) -> None:
    path = redir / "url" / "2026" / "7896000.xml"
    path.write_text("<urls/>")
    path.chmod(mode)
    os.utime(path, (1000, 1000))
    entry = redirection.collect("prod", str(redir))
    assert [file["mode"] for file in entry["unreadable"]] == shown
    assert entry["unreadable_files"] == len(shown)
    assert entry["url_newest_at"] == 1000


def test_no_redirection_server(tmp_path: Path) -> None:
    assert redirection.collect("prod", str(tmp_path / "redir")) is None
    (tmp_path / "redir").mkdir()
    entry = redirection.collect("prod", str(tmp_path / "redir"))
    assert (entry["log_files"], entry["url_newest_at"], entry["corrupt"]) == (0, None, [])
