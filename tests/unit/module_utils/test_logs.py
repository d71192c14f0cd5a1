"""Log lines of both formats, their groups, and files that are large or odd."""

from __future__ import annotations

import os
import pwd
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.campaign.remediation.plugins.module_utils import logs

NEW = "2026-11-23T10:00:00.500Z\t7832\t1224824320\t1\t%s\tlog\t%s\n"
AT = 1795428000.5  # of NEW
ACCOUNT = pwd.getpwuid(os.geteuid())


def collect(path: Path, since: float = 0.0) -> Any:
    return logs.collect_log(str(path), path.stem, "prod", since, ACCOUNT)


def test_a_new_line() -> None:
    line = logs.parse_line((NEW % ("error", "one#012two")).rstrip("\n"))
    assert (line.at, line.pid, line.level, line.category, line.message) == (
        AT,
        7832,
        "error",
        "log",
        "one#012two",
    )


def test_an_old_line() -> None:
    line = logs.parse_line(
        "2011-10-04 11:57:51.804Z B67B28C0 1 error log PostgreSQL error: x (iRc=-2006)"
    )
    assert line.at == pytest.approx(1317729471.804)
    assert line.pid is None
    assert (line.level, line.category) == ("error", "log")
    assert line.message == "PostgreSQL error: x (iRc=-2006)"


def test_old_lines_tell_their_process_when_it_starts_and_stops(tmp_path: Path) -> None:
    """They have no field for it: then a crash loop shows in these lines."""
    path = tmp_path / "wfserver.log"
    path.write_text(
        "2026-11-23 10:00:00.500Z B67B28C0 1 info log Workflow server start (pid=7, tid=-12)...\n"
        "2026-11-23 10:00:01.500Z B67B28C0 1 info log Stop requested (pid=7)\n"
        "2026-11-23 10:00:02.500Z B67B28C0 1 info log Workflow server start (pid=8, tid=-13)...\n"
        "2026-11-23 10:00:03.500Z B67B28C0 1 info log 4 workflows (pid=9) looked at\n"
    )
    assert collect(path)["pids"] == [
        {"pid": 7, "first_at": AT, "last_at": AT + 1, "stopped": True},
        {"pid": 8, "first_at": AT + 2, "last_at": AT + 2, "stopped": False},
    ]


@pytest.mark.parametrize(
    ("stamp", "at"),
    [
        ("2026-11-23T10:00:00Z", 1795428000.0),
        ("2026-11-23 10:00:00,250Z", 1795428000.25),
        ("2026-11-23T11:00:00+01", 1795428000.0),
        ("2026-11-23T05:30:00-0430", 1795428000.0),
        ("2026-11-23T10:30:00+00:30", 1795428000.0),
        ("2026-11-23T10:00:00", 1795428000.0),
    ],
)
def test_times(stamp: str, at: float) -> None:
    assert logs.parse_line(stamp + "\t1\t2\t1\tinfo\tlog\tx").at == at


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  at something",
        "2026-13-45T99:00:00Z\t1\t2\t1\tinfo\tlog\tx",
        "2026-02-30T10:00:00Z\t1\t2\t1\tinfo\tlog\tx",
        "2026-11-23T10:00:00.5",
        "2026-11-23T10:00:00.500Z\t7832\t12",
    ],
)
def test_what_is_no_line(text: str) -> None:
    assert logs.parse_line(text) is None


@pytest.mark.parametrize(("text", "pid"), [("7832", 7832), ("00001E98", 7832), ("1e98", 7832)])
def test_process_ids(text: str, pid: int) -> None:
    assert logs.parse_line(f"2026-11-23T10:00:00Z\t{text}\t2\t1\tinfo\tlog\tx").pid == pid


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Timeout after 30 s for 10.0.0.1:25", "Timeout after 5 s for 10.0.0.2:25"),
        ("to anna@example.com at 10:00:01", "to paul.x@mail.example.org at 11:12:13"),
        ("block 0xb67b28c0 of DM1234", "block 0xffff0000 of DM99"),
        ("job 3f2504e0-4f89-11d3-9a0c-0305e82c3301", "job 11111111-4f89-11d3-9a0c-0305e82c3399"),
    ],
)
def test_equal_lines(one: str, other: str) -> None:
    assert logs.signature(one) == logs.signature(other)


@pytest.mark.parametrize(
    ("message", "reload", "known"),
    [
        ("Reloading the configuration of 12 modules", True, False),
        ("Reloading the configuration of 345 modules", True, False),
        ("Unable to reload the configuration", False, True),
        ("WDB-200001 on connection 7", False, True),
        ("WDB-20000 on connection 7", False, False),
        ("Process 9 ended by signal 11", False, True),
        ("12 messages sent", False, False),
    ],
)
def test_what_kind_a_message_is_of(message: str, reload: bool, known: bool) -> None:
    assert logs.kind_of(message) == logs.kind_of(message) == (reload, known)


def test_kinds_are_bounded() -> None:
    for number in range(6000):
        logs.kind_of("x" * number)
    assert len(logs._kinds) <= 5001


def test_codes_tell_lines_apart() -> None:
    one = logs.signature("WDB-200001 x (iRc=-2006)")
    other = logs.signature("WDB-200002 x (iRc=-53)")
    assert one == "WDB-200001 x (iRc=-2006)"
    assert one != other
    assert logs.codes("WDB-200001 WDB-200001 errno = 18 (iRc=-2006)") == [
        "WDB-200001",
        "errno=18",
        "iRc=-2006",
    ]


def test_groups(tmp_path: Path) -> None:
    path = tmp_path / "mta.log"
    path.write_text(
        NEW % ("info", "Sending 3 messages")
        + NEW % ("info", "Messages queued (connection quotas met)")
        + NEW % ("error", "IOB-090007 errno=111 on 10.0.0.1#012password=hunter2")
        + NEW % ("error", "IOB-090007 errno=111 on 10.0.0.2#012password=hunter3")
        + NEW % ("warning", "slow")
    )
    entry = collect(path)
    assert entry["exists"] is True
    assert entry["writable"] is True
    assert (entry["lines"], entry["bad_lines"], entry["truncated"]) == (5, 0, False)
    assert entry["pids"] == [{"pid": 7832, "first_at": AT, "last_at": AT, "stopped": False}]
    groups = {group["signature"]: group for group in entry["groups"]}
    assert set(groups) == {
        "Messages queued (connection quotas met)",
        "IOB-090007 errno=111 on # password=***",
        "slow",
    }
    errors = groups["IOB-090007 errno=111 on # password=***"]
    assert errors["count"] == 2
    assert errors["codes"] == ["IOB-090007", "errno=111"]
    assert errors["sample"] == "IOB-090007 errno=111 on 10.0.0.1\npassword=***"
    assert "hunter" not in str(entry)


def test_window(tmp_path: Path) -> None:
    path = tmp_path / "mta.log"
    old = NEW.replace("10:00:00", "08:00:00")
    path.write_text(old % ("error", "before") + NEW % ("error", "now"))
    entry = collect(path, AT - 60)
    assert [group["signature"] for group in entry["groups"]] == ["now"]
    assert entry["last_at"] == AT


def test_stopped_and_reloaded(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    path.write_text(
        NEW % ("info", "Configuration reloaded")
        + NEW.replace("10:00:00", "10:00:09") % ("error", "Configuration not reloaded: line 3")
        + NEW % ("info", "Stop requested (pid=7832)")
    )
    entry = collect(path)
    assert entry["last_reload_at"] == AT
    assert entry["pids"][0]["stopped"] is True


def test_encodings(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    path.write_bytes((NEW % ("error", "Connexion refus\xe9e \u20ac")).encode("iso-8859-15"))
    entry = collect(path)
    assert entry["encoding"] == "iso-8859-15"
    assert entry["groups"][0]["sample"] == "Connexion refus\xe9e \u20ac"
    path.write_text(NEW % ("error", "refus\xe9e"), encoding="utf-8")
    assert collect(path)["encoding"] == "utf-8"


def test_bytes_of_no_encoding_and_half_lines(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    path.write_bytes(
        b"\x00\xff\xfe garbage\n" + (NEW % ("error", "x")).encode() + b"2026-11-23T10:00:00.5"
    )
    entry = collect(path)
    assert (entry["lines"], entry["bad_lines"]) == (1, 1)


def test_line_rotated_away(tmp_path: Path) -> None:
    (tmp_path / "mta_2.log").write_text(NEW % ("error", "before rotation"))
    (tmp_path / "mta.log").write_text(NEW.replace("10:00:00", "10:00:05") % ("error", "after"))
    entry = collect(tmp_path / "mta.log", AT - 60)
    assert {g["signature"] for g in entry["groups"]} == {"before rotation", "after"}


def test_a_log_of_10_megabytes(tmp_path: Path) -> None:
    """Only its end is read, whatever the window, and memory stays bounded."""
    path = tmp_path / "wfserver.log"
    rows = (f"row {i} of table {'abcdefghij'[i % 10]}" for i in range(2000))
    block = "".join(NEW % ("error", row) for row in rows)
    with path.open("w") as stream:
        while stream.tell() < 10_000_000:
            stream.write(block)
    logs.parse_line("x")
    tracemalloc.start()
    entry = collect(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert entry["truncated"] is True
    assert entry["size_bytes"] >= 10_000_000
    assert 0 < entry["lines"] < logs.TAIL_LIMIT // 60
    assert len(entry["groups"]) == 10
    assert peak < 12_000_000


def test_many_different_lines_are_bounded(tmp_path: Path) -> None:
    path = tmp_path / "mta.log"
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join((a, b, c)) for a in letters for b in letters for c in letters][:6000]
    path.write_text("".join(NEW % ("error", word) for word in words))
    assert len(collect(path)["groups"]) == logs.GROUP_LIMIT


def test_one_endless_line(tmp_path: Path) -> None:
    path = tmp_path / "mta.log"
    path.write_bytes(b"x" * (3 * 1024 * 1024))
    assert collect(path)["lines"] == 0


def test_missing_and_strange_files(tmp_path: Path) -> None:
    assert collect(tmp_path / "no.log")["exists"] is False
    (tmp_path / "dir.log").mkdir()
    entry = collect(tmp_path / "dir.log")
    assert (entry["exists"], entry["writable"]) == (True, False)


def test_directories(tmp_path: Path) -> None:
    directory = tmp_path / "prod" / "log"
    directory.mkdir(parents=True)
    for name in ("mta.log", "mta_2.log", "logins.log", "wfserver_debug.log", "export.log", "x.txt"):
        (directory / name).write_text("")
    data = logs.collect(str(tmp_path), ["default", "prod"], 0.0, ACCOUNT)
    found = {(log["instance"], log["module"]): log["exists"] for log in data["logs"]}
    assert found == {
        ("default", "syslogd"): False,
        ("default", "trackinglogd"): False,
        ("default", "watchdog"): False,
        ("default", "web"): False,
        ("prod", "export"): True,
        ("prod", "inMail"): False,
        ("prod", "mta"): True,
        ("prod", "stat"): False,
        ("prod", "wfserver"): False,
        ("prod", "wfserver_debug"): True,
    }
    assert [d["exists"] for d in data["directories"]] == [False, True]
    assert data["directories"][1]["owner"] == ACCOUNT.pw_name
