"""Log lines of both formats, their groups, and files that are large or odd."""

from __future__ import annotations

import os
import pwd
import time
import tracemalloc
from datetime import date
from itertools import islice, product
from pathlib import Path
from string import ascii_letters
from typing import Any

import pytest

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.account import logs

NEW = "2026-11-23T10:00:00.500Z\t7832\t1224824320\t1\t%s\tlog\t%s\n"
AT = 1795428000.5  # of NEW
ACCOUNT = pwd.getpwuid(os.geteuid())


def collect(path: Path, since: float = 0.0) -> Any:
    return logs.collect_log(str(path), path.stem, "prod", since)


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
    for letters in islice(product(ascii_letters, repeat=3), 6000):
        logs.kind_of("".join(letters))
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
    assert peak < 32_000_000


def big(path: Path, megabytes: float) -> None:
    """A log whose lines are all of the window, with an error in the first of them."""
    with path.open("w") as stream:
        stream.write(NEW % ("error", "the first of all"))
        block = "".join(NEW % ("info", f"row {i} of a table") for i in range(2000))
        while stream.tell() < megabytes * 1024 * 1024:
            stream.write(block)


def test_five_megabytes_of_the_window_are_read(tmp_path: Path) -> None:
    big(tmp_path / "mta.log", 5)
    entry = collect(tmp_path / "mta.log")
    assert (entry["truncated"], entry["first_at"]) == (False, AT)
    assert [group["sample"] for group in entry["groups"]] == ["the first of all"]


def test_what_all_logs_cost_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last ones are read less far back, and say so."""
    monkeypatch.setattr(logs, "TAIL_LIMIT", 600_000)
    monkeypatch.setattr(logs, "TAIL_LEAST", 150_000)
    monkeypatch.setattr(logs, "ALL_TAILS", 700_000)
    (tmp_path / "prod" / "log").mkdir(parents=True)
    for name in ("inMail", "mta", "stat"):
        big(tmp_path / "prod" / "log" / f"{name}.log", 0.4)
    found = logs.collect(str(tmp_path), ["prod"], 0.0)["logs"]
    told = {entry["module"]: entry["truncated"] for entry in found if entry["exists"]}
    assert told == {"inMail": False, "mta": True, "stat": True}


def test_a_rotated_log_that_is_not_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "TAIL_LIMIT", 200_000)
    monkeypatch.setattr(logs, "TAIL_LEAST", 200_000)
    big(tmp_path / "mta_2.log", 1)
    (tmp_path / "mta.log").write_text(NEW % ("info", "new"))
    assert collect(tmp_path / "mta.log")["truncated"] is True


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
    names = ["mta.log", "mta_2.log", "logins.log", "wfserver_debug.log", "export.log", "x.txt"]
    names += [f"logins.26-{month:02}-{day:02}.log" for month in range(1, 13) for day in range(1, 9)]
    for name in names:
        (directory / name).write_text("")
    data = logs.collect(str(tmp_path), ["default", "prod"], 0.0)
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


def test_a_log_that_takes_too_long_is_read_in_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mta.log"
    path.write_text((NEW % ("error", "old")) * 600 + (NEW % ("error", "new")) * 1000)
    whole = logs.collect_log(str(path), "mta", "prod", 0.0, AT, logs.Budget(3600))
    assert ({g["signature"]: g["count"] for g in whole["groups"]}, whole["truncated"]) == (
        {"old": 600, "new": 1000}, False
    )
    ticks = iter(range(1000))
    monkeypatch.setattr(logs.time, "monotonic", lambda: float(next(ticks)))
    cut = logs.collect_log(str(path), "mta", "prod", 0.0, AT, logs.Budget(6))
    (group,) = cut["groups"]
    assert (group["signature"], cut["truncated"]) == ("new", True)
    assert 0 < group["count"] < 1000
    spent = logs.collect_log(str(path), "mta", "prod", 0.0, AT, logs.Budget(0))
    assert (spent["groups"], spent["truncated"]) == ([], True)


# --- the rarer shapes -------------------------------------------------------------------------

JAVA = ("2026-11-23 06:01:13 Nov 23, 2026 6:01:13 AM org.apache.catalina.startup.ContextConfig"
        r" processResourceJARs\nSEVERE: Failed to process JAR found at URL [jar:file:/x/%s.jar!/]")


@pytest.mark.parametrize(
    ("text", "at", "level", "category", "message"),
    [
        ("2026-11-23 15:30:00.500+05:30 00002572 00007D6C 1 info log Approval of content",
         AT, "info", "log", "Approval of content"),
        ("2026-11-23 10:00:00.500Z 00002E7A 1 warning log The document with identifier 'x'",
         AT, "warning", "log", "The document with identifier 'x'"),
        (r"00000000 00000000 1 error log PGS-220000 ERROR: x\nLINE 1: y (iRc=-2006)",
         None, "error", "log", "PGS-220000 ERROR: x\nLINE 1: y (iRc=-2006)"),
        ("00000000 00000000 2 info wdbc Param(0)=09/17/2020 8:55:00 PM",
         None, "info", "wdbc", "Param(0)=09/17/2020 8:55:00 PM"),
        (JAVA % "a", AT - 14327.5, "error", "java",
         "SEVERE: Failed to process JAR found at URL [jar:file:/x/a.jar!/]"),
        ("Nov 23, 2026 12:01:13 PM org.apache.catalina.x start", AT + 7272.5, "info", "java",
         "org.apache.catalina.x start"),
        ("SEVERE: Failed to process JAR", None, "error", "java", "SEVERE: Failed to process JAR"),
        ("11/23/2026 6:35:29 AM BAS-010015 Cannot open file", AT - 12271.5, "error", "log",
         "BAS-010015 Cannot open file"),
        ("11/23/2026 12:35:29 AM It is done", AT - 33871.5, "info", "log", "It is done"),
        (">>> The schema is not valid", None, "error", "stopped", "The schema is not valid"),
        (">> An option is missing", None, "warning", "log", "An option is missing"),
        ("2026-11-23T10:00:00.500Z\t1\t2\t1\tinfo\tlog\torg.apache.x#012SEVERE: broken",
         AT, "error", "log", "org.apache.x#012SEVERE: broken"),
    ],
)
def test_other_shapes(
    text: str, at: float | None, level: str, category: str, message: str
) -> None:
    line = logs.parse_line(text)
    assert (line.at, line.level, line.category, line.message) == (at, level, category, message)


@pytest.mark.parametrize(
    "text",
    ["Nix 23, 2026 6:01:13 AM org.x", "13/45/2026 6:35:29 AM x", "Nov 99, 2026 6:01:13 AM x",
     "2026-11-23 06:01:13 something else", "INFORMATION", ">", "00000000 0000 1 error log x"],
)
def test_what_is_of_no_shape(text: str) -> None:
    assert logs.parse_line(text) is None


def test_lines_without_a_time_are_as_old_as_what_stands_before_them_or_as_the_file(
    tmp_path: Path,
) -> None:
    path = tmp_path / "tracking.log"
    path.write_text("00000000 00000000 1 error log PGS-220000 x\n")
    os.utime(path, (AT, AT))
    assert collect(path, AT - 60)["groups"][0]["last_at"] == AT
    assert collect(path, AT + 60)["groups"] == []
    path.write_text(NEW % ("info", "x") + "00000000 00000000 1 error log PGS-220000 x\n")
    os.utime(path, (AT + 500, AT + 500))
    assert collect(path, AT - 60)["groups"][0]["last_at"] == AT


@pytest.fixture
def east(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A machine two hours east of Greenwich."""
    monkeypatch.setenv("TZ", "Etc/GMT-2")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("east")
@pytest.mark.parametrize("local", [True, False])
def test_times_without_a_zone_are_what_fits_the_files_own(tmp_path: Path, local: bool) -> None:
    path = tmp_path / "web.log"
    path.write_text("\n".join(JAVA % name for name in "ab") + "\n")
    at = AT - 14327.5 - (7200 if local else 0)
    os.utime(path, (at + 3, at + 3))
    group = collect(path)["groups"][0]
    assert (group["last_at"], group["count"]) == (at, 2)


def test_lines_of_the_future_are_counted_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "mta.log"
    path.write_text(
        NEW % ("error", "now") + NEW.replace("10:00:00", "11:00:00") % ("error", "in an hour")
    )
    os.utime(path, (AT + 3600, AT + 3600))
    entry = logs.collect_log(str(path), "mta", "prod", 0.0, AT)
    assert [group["signature"] for group in entry["groups"]] == ["now"]
    assert (entry["future_lines"], entry["future_at"]) == (1, AT + 3600)
    assert (entry["last_at"], entry["lines"]) == (AT, 1)
    assert entry["mtime_at"] == AT + logs.FUTURE_SECONDS


@pytest.mark.parametrize(
    "text",
    ["Starting workflow server (pid=77, tid=7700)...", "Web server start (pid=77, tid=-1224)...",
     "Starting Web server module (pid=77, tid=77)...", "Stop requested (pid=77)",
     "Web server stopped (pid=77)", "Stopping Web server (pid=77)"],
)
def test_the_words_of_all_builds_tell_the_process(text: str) -> None:
    assert logs.told_pid(text) == 77


@pytest.mark.parametrize(
    "text", ["4 workflows (pid=9) looked at", "Starting (pid=9", "To start (see pid=9)"]
)
def test_other_words_do_not(text: str) -> None:
    assert logs.told_pid(text) is None


@pytest.mark.parametrize(
    ("text", "stopped"),
    [("Stop requested (pid=7832)", True), ("Stopping Web server (pid=7832)", True),
     ("Web server stopped (pid=7832)", True), ("The topic stopped here", False)],
)
def test_a_process_that_was_stopped(tmp_path: Path, text: str, stopped: bool) -> None:
    path = tmp_path / "web.log"
    path.write_text(NEW % ("info", text))
    assert collect(path)["pids"][0]["stopped"] is stopped


def test_what_a_process_logs_at_once_is_one_event(tmp_path: Path) -> None:
    path = tmp_path / "runwf.log"
    other = NEW.replace("7832", "7833")
    path.write_text(
        NEW % ("error", "WKF one") + other % ("error", "another process") + NEW % ("warning", "two")
        + NEW.replace("10:00:00", "10:00:09") % ("error", "later")
        + NEW.replace("10:00:00", "10:00:10") % ("info", "it goes on")
    )
    groups = {group["signature"]: group for group in collect(path)["groups"]}
    assert groups["WKF one"]["event"] == groups["two"]["event"]
    assert len({group["event"] for group in groups.values()}) == 3
    assert {name: group["went_on"] for name, group in groups.items()} == {
        "WKF one": True, "two": True, "later": True, "another process": False,
    }


def test_the_last_upgrade(tmp_path: Path) -> None:
    folder = tmp_path / "prod" / "postupgrade"
    folder.mkdir(parents=True)
    for name, at in (("postupgrade_9383_1.log", AT - 900), ("postupgrade_9390_2.log", AT - 60)):
        (folder / name).write_text(NEW % ("warning", f"of {name[12:16]}"))
        os.utime(folder / name, (at, at))
    (entry,) = logs.upgrade(str(folder), "prod", AT)
    assert (entry["module"], entry["groups"][0]["sample"]) == ("postupgrade", "of 9390")
    assert logs.upgrade(str(folder), "prod", AT + 86400 * 4) == []
    assert logs.upgrade(str(tmp_path / "no"), "prod", AT) == []


@pytest.mark.parametrize("year", [1970, 1999, 2000, 2024, 2025, 2100, 2400, 9999])
def test_days_are_those_of_the_calendar(year: int) -> None:
    """Also those that there are not."""
    zero = date(1970, 1, 1).toordinal()
    for month in range(14):
        for day in range(33):
            try:
                expected: int | None = date(year, month, day).toordinal() - zero
            except ValueError:
                expected = None
            try:
                found: int | None = logs._day(year, month, day)
            except ValueError:
                found = None
            assert found == expected, (year, month, day)
