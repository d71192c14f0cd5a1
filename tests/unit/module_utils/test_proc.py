"""What the kernel's tables say."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.account import (
    redirection,
    storage,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.errors import (
    ProbeError,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.host import (
    ipc,
    memory,
    proc,
)

UDP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
  12: 0100007F:029A 00000000:0000 07 00000000:00000D00 00:00000000 00000000   998        0 4711 2 0
  13: 00000000:1E61 00000000:0000 07 00000000:00000000 00:00000000 00000000   998        0 4712 2 0
  14: 0100007F:029B 0100007F:029A 01 00000000:00000000 00:00000000 00000000   998        0 4713 2 0
"""
TCP6 = """\
  sl  local_address                         remote_address                        st
   0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A \
00000000:00000001 00:00000000 00000000   998        0 4714 1 0
   1: 0000000000000000FFFF00000100007F:1F45 00000000000000000000000000000000:0000 0A \
00000000:00000000 00:00000000 00000000   998        0 4715 1 0
   2: 00000000000000000000000001000000:0050 00000000000000000000000001000000:0051 01 \
00000000:00000000 00:00000000 00000000   998        0 4716 1 0
"""
SHM = """\
       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid \
     atime      dtime      ctime                   rss                  swap
-559038737         16   660               6400064     1   922      2   998   998   998   998 \
1795432946          0 1795432946               4096                     0
         1         17   660                   100 99999999   922      0     7     7     7     7 \
1795432946          0 1795432946               4096                     0
"""
needs_little_endian = pytest.mark.skipif(sys.byteorder != "little", reason="tables of x86")


@needs_little_endian
def test_bound_udp_sockets() -> None:
    found = proc.parse_sockets(UDP.splitlines(), "udp")
    assert [(s["address"], s["port"], s["queue_bytes"], s["inode"]) for s in found] == [
        ("127.0.0.1", 666, 3328, 4711),
        ("0.0.0.0", 7777, 0, 4712),
    ]


@needs_little_endian
def test_listening_tcp_sockets() -> None:
    found = proc.parse_sockets(TCP6.splitlines(), "tcp")
    assert [(s["address"], s["port"]) for s in found] == [("::", 8080), ("127.0.0.1", 8005)]


@pytest.mark.parametrize(
    ("where", "asked", "expected"),
    [
        ("0.0.0.0", "127.0.0.1", True),
        ("::", "127.0.0.1", True),
        ("10.0.0.5", "127.0.0.1", True),
        ("127.1.2.3", "127.0.0.1", False),
        ("127.1.2.3", "127.1.2.3", True),
    ],
)
def test_whose_address(where: str, asked: str, expected: bool) -> None:
    assert proc.concerns({"address": where}, asked) is expected


def test_only_the_ports_asked_for() -> None:
    assert [s["port"] for s in proc.parse_sockets(UDP.splitlines(), "udp", {666})] == [666]


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        (("127.0.0.1", 666), True),
        (("127.0.0.1", 7777), True),  # bound to every address
        (("127.0.0.2", 666), False),
        (("127.0.0.1", 667), False),
    ],
)
def test_an_endpoint_that_is_held(endpoint: tuple[str, int], expected: bool) -> None:
    entries = proc.parse_sockets(UDP.splitlines(), "udp")
    assert proc.held(entries, [endpoint]) is expected
    assert proc.held(entries, [("127.0.0.1", 666), endpoint]) is expected


def test_who_holds_a_socket() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mine:
        mine.bind(("127.0.0.1", 0))
        port = mine.getsockname()[1]
        everything = proc.listening("udp", {port})
        found = proc.sockets(everything, {port}, "127.0.0.1", {os.getpid()})
        foreign = proc.sockets(everything, {port}, "127.0.0.1", set())
    assert [(s["pid"], s["ours"], s["port"]) for s in found] == [(os.getpid(), True, port)]
    assert [(s["pid"], s["ours"]) for s in foreign] == [(os.getpid(), False)]


@pytest.mark.parametrize("shown_in", range(proc.READINGS + 1))
def test_a_socket_counts_that_any_reading_has(
    monkeypatch: pytest.MonkeyPatch, shown_in: int
) -> None:
    """The kernel leaves entries out of its table while others come and go."""
    gap = "\n".join(line for line in UDP.splitlines() if ":029A " not in line)
    tables = iter([UDP if each == shown_in else gap for each in range(proc.READINGS)])

    def opened(path: str) -> io.StringIO:
        return io.StringIO(next(tables) if path == "/proc/net/udp" else "")

    monkeypatch.setattr(proc, "open", opened, raising=False)
    found = proc.listening("udp", [666], proc.READINGS)
    assert [entry["port"] for entry in found] == [666] * (shown_in < proc.READINGS)


def test_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proc, "read", lambda *_path: SHM)
    own = ipc.shared_memory(998, set())["segments"]
    assert [(s["id"], s["key"], s["size_bytes"], s["attached"]) for s in own] == [
        (16, "0xdeadbeef", 6400064, 2)
    ]
    assert own[0]["creator_alive"] is True
    by_key = ipc.shared_memory(998, {1})["segments"]
    assert [(s["id"], s["creator_alive"]) for s in by_key] == [(17, False)]


def test_a_name_with_brackets() -> None:
    status = proc.parse_status(
        "12 (a) b (c) S 1 12 34 0 -1 4194560 1 0 0 0 5 6 0 0 20 0 4 0 777 1000 200 3"
    )
    assert status == proc.Status(12, "a) b (c", "S", 1, 34, 11, 4, 777, 200)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            "nlserver web -tracefile:web@default -instance:default -detach -tomcat -autorepair",
            ("web", "default", "standard", True),
        ),
        ("nlserver watchdog -svc -noconsole", ("watchdog", "default", "standard", True)),
        ("/x/bin/nlserver mta -instance:prod -verbose", ("mta", "prod", "verbose", True)),
        (
            "nlserver wfserver -instance:prod -verbose -tracefilter:wdbc -tracefile:w_debug@prod",
            ("wfserver", "prod", "trace", True),
        ),
        (
            "nlserver mta -tracefile:mta@prod -instance:prod -detach -tracefilter:nlmta",
            ("mta", "prod", "standard", True),
        ),
        ("nlserver runwf -tracefile:runwf@prod", ("runwf", "prod", "standard", True)),
        ("nlserver export@prod -x", ("export", "prod", "standard", True)),
        ("/usr/bin/java -jar x", ("java", "default", "standard", False)),
        ("nlserver", ("nlserver", "default", "standard", False)),
        ("grep nlserver mta", ("grep", "default", "standard", False)),
    ],
)
def test_command_lines(arguments: str, expected: tuple[str, str, str, bool]) -> None:
    name, instance, _rest, precision, product = proc.describe_arguments(arguments.split())
    assert (name, instance, precision, product) == expected


def test_passwords_in_command_lines() -> None:
    rest = proc.describe_arguments(["nlserver", "import", "-password:x1", "-login", "a/x1"])[2]
    assert rest == ["-password:***", "-login", "***"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "nl6" / "lib").mkdir(parents=True)
    return tmp_path / "nl6"


def test_processes_of_this_home_only(home: Path) -> None:
    """A process is told by where it runs, not by its name."""
    # The kernel counts memory roughly: a few pages may be none.
    program = "held = bytearray(2 ** 23); print(flush=True); import time; time.sleep(60)"
    command = ["nlserver", "-c", program, "-instance:prod"]
    one = subprocess.Popen(command, executable=sys.executable, cwd=home / "lib",
                           stdout=subprocess.PIPE, start_new_session=True)
    other = subprocess.Popen(["sleep", "60"], cwd="/")
    try:
        assert one.stdout is not None and one.stdout.readline() == b"\n"
        table = proc.scan(str(home))
        groups = proc.processes(table)
        hidden = proc.processes(table, os.getpid())
    finally:
        os.killpg(one.pid, signal.SIGKILL)
        other.kill()
        one.communicate()
        other.wait()
    pids = [entry["pid"] for group in groups.values() for entry in group]
    assert one.pid in pids
    assert other.pid not in pids
    assert table.total > 1
    assert one.pid not in [entry["pid"] for group in hidden.values() for entry in group]
    entry = next(entry for entry in groups["others"] if entry["pid"] == one.pid)
    assert entry["files_open"] >= 1
    assert entry["memory_mb"] > 8
    assert entry["started_at"] > 1_000_000_000


@pytest.mark.parametrize("child", [None, 500])
def test_only_commands_of_our_child_are_left_out(
    monkeypatch: pytest.MonkeyPatch, child: int | None
) -> None:
    """Not every process whose parent is gone, whatever stands before it in the table."""
    statuses = [
        proc.Status(pid, "nlserver", "S", ppid, session, 0, 1, 0, 0)
        for pid, ppid, session in ((10, 1, 10), (11, 10, 11), (12, 1, 12), (501, 500, 501))
    ]
    monkeypatch.setattr(
        proc, "_process",
        lambda status, *_more: ({"pid": status.pid, "name": "web", "started_at": 0.0}, True),
    )
    monkeypatch.setattr(proc.memory, "texts", lambda paths, _limit: [b""] * len(paths))
    found = proc.processes(proc.Table(statuses, [], 4, []), child)["modules"]
    pids = [entry["pid"] for entry in found]
    assert pids == ([10, 11, 12] if child else [10, 11, 12, 501])


def test_zombies(home: Path) -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    table = proc.scan(str(home))
    os.waitpid(child, 0)
    assert child in [status.pid for status in table.zombies]
    data = proc.machine(table)
    assert {"pid", "ppid", "command"} == set(data["zombies"][0])
    assert data["memory_total_mb"] > data["memory_available_mb"] > 0
    assert data["processes"] == table.total
    assert data["files_limit"] >= data["files_used"] >= 0


def test_pid_files(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    assert storage.pid_file(str(path)) is None
    path.write_text(f"{os.getpid()}\n")
    found = storage.pid_file(str(path))
    assert found == {"path": str(path), "pid": os.getpid()}
    assert proc.watchdog(os.getpid()) == {"alive": True, "matches": False}
    for text in ("", "x", "-1", "99999999"):
        path.write_text(text)
        assert proc.watchdog(storage.pid_file(str(path))["pid"])["alive"] is False


@pytest.fixture
def hanging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home; its only process, 4711, is an nlserver whose command line is never read."""
    home, one = tmp_path / "home", tmp_path / "proc" / "4711"
    home.mkdir()
    one.mkdir(parents=True)
    (one / "cwd").symlink_to(home)
    (one / "stat").write_text("4711 (nlserver) S 1 4711 4711 " + "0 " * 45)
    os.mkfifo(one / "cmdline")
    monkeypatch.setattr(proc, "PROC", str(tmp_path / "proc"))
    monkeypatch.setattr(memory, "_hanging", set())
    monkeypatch.setattr(memory, "PATIENCE", 0.2)
    (tmp_path / "proc" / "stat").write_text("btime 1700000000\n")
    return home


def test_an_nlserver_that_does_not_show_what_it_is_may_be_any_module(hanging: Path) -> None:
    with pytest.raises(ProbeError, match="command line of nlserver process 4711"):
        proc.processes(proc.scan(str(hanging)))


def test_another_that_does_not_show_it_is_none_of_the_modules(hanging: Path) -> None:
    status = Path(proc.PROC, "4711", "stat")
    status.write_text(status.read_text().replace("nlserver", "python3"))
    groups = proc.processes(proc.scan(str(hanging)))
    assert [(one["name"], one["arguments"]) for one in groups["others"]] == [("python3", [])]
    assert not groups["modules"]


@pytest.mark.usefixtures("hanging")
def test_whether_it_is_a_watchdog_is_not_known_then() -> None:
    assert proc.watchdog(4711) == {"alive": True, "matches": None}
    assert proc.watchdog(4712) == {"alive": False, "matches": False}


def test_core_files(tmp_path: Path) -> None:
    for name in ("core", "core.123", "core.nlserver.77", "core.txt", "corebook", "score.1"):
        (tmp_path / name).write_text("x")
    (tmp_path / "core.5").mkdir()
    found = storage.core_files([str(tmp_path), str(tmp_path / "no")])
    assert {Path(c["path"]).name for c in found} == {"core", "core.123", "core.nlserver.77"}


def test_file_systems_and_spool(tmp_path: Path) -> None:
    mount = storage.mount(str(tmp_path), "var")
    assert 0 <= mount["used_percent"] <= 100
    assert mount["read_only"] is False
    assert mount["device"] == tmp_path.stat().st_dev
    assert storage.mount(str(tmp_path / "no"), "var") is None
    (tmp_path / "mta" / "deep").mkdir(parents=True)
    (tmp_path / "mta" / "a").write_text("x")
    (tmp_path / "mta" / "deep" / "b").write_text("x")
    os.utime(tmp_path / "mta" / "a", (1000, 1000))
    found = storage.spool("prod", str(tmp_path / "mta"))
    assert (found["files"], found["oldest_at"]) == (2, 1000.0)
    assert storage.spool("prod", str(tmp_path / "no")) is None
    assert redirection.collect("prod", str(tmp_path / "no")) is None


def test_file_systems_inside_the_instances(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log directory on a disk of its own is seen, what is on a known disk is not told twice."""
    devices = {"prod": 1, "prod/log": 2, "prod/mta": 1}

    def mount(path: str, role: str) -> dict[str, object] | None:
        device = devices.get(path[len(str(tmp_path)) + 1 :])
        return {"path": path, "role": role, "device": device} if device else None

    monkeypatch.setattr(storage, "mount", mount)
    found = storage.mounts_below(str(tmp_path), ["default", "prod"], frozenset({1}))
    assert found == [{"path": str(tmp_path / "prod" / "log"), "role": "log", "device": 2}]


def test_a_large_spool_is_counted_to_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "ENTRY_LIMIT", 10)
    for number in range(30):
        (tmp_path / str(number)).write_text("")
    assert storage.files_below(str(tmp_path))[0] == 10


@pytest.mark.parametrize(
    ("cgroup", "unit"),
    [
        ("0::/system.slice/rsyslog.service\n", "rsyslog.service"),
        ("2:cpu:/\n1:name=systemd:/system.slice/rsyslog.service\n", "rsyslog.service"),
        ("0::/machine.slice/libpod-1.scope/system.slice/a.service\n", "a.service"),
        ("0::/user.slice/user-0.slice/session-1.scope\n", None),
        ("0::/user.slice/user-9.slice/user@9.service/app.slice/rsyslog.service\n", None),
    ],
)
def test_a_user_does_not_choose_which_unit_is_stopped(
    monkeypatch: pytest.MonkeyPatch, cgroup: str, unit: str | None
) -> None:
    monkeypatch.setattr(proc, "read", lambda *_names: cgroup)
    assert proc.unit_of(1) == unit


# ----------------------------------------------------------------------------- waits for a disk


def look_again(*states: str, first: str = "D") -> tuple[str, int]:
    """The state in the end, and how often it was looked at again."""
    left, pauses = list(states), []
    entry = {"pid": 7, "state": first}

    def state(pid: int) -> str | None:
        assert pid == 7
        return left.pop(0) if len(left) > 1 else left[0]

    proc.look_again([entry], 0.01, state, pauses.append)
    return str(entry["state"]), len(pauses)


def test_one_look_at_a_process_that_waits_for_a_disk_proves_nothing() -> None:
    assert look_again("D", "D", "S") == ("S", 3)
    state, looks = look_again("D")
    assert state == "D" and looks > 1


def test_who_does_not_wait_for_a_disk_costs_nothing() -> None:
    for state in "STRZ":
        assert look_again("D", first=state) == (state, 0)


# ----------------------------------------------------------------------------- its own commands


@contextmanager
def at_work(program: Path, *words: str) -> Iterator[int]:
    """A command that runs, as its command line shows; its pid."""
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text("#!/bin/sh\necho\nread line\n")
    program.chmod(0o755)
    with subprocess.Popen(
        [program, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/"
    ) as process:
        assert process.stdout and process.stdout.readline()
        yield process.pid
        process.communicate(b"\n", timeout=10)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["shutdown"], "nlserver shutdown"),
        (["restart", "wfserver@prod", "-noconsole"], "nlserver restart wfserver@prod"),
        (["pdump", "-who"], None),
        (["mta", "-instance:stop"], None),
    ],
)
def test_a_command_that_changes_what_runs_is_seen(
    tmp_path: Path, words: list[str], found: str | None
) -> None:
    with at_work(tmp_path / "home" / "bin" / "nlserver", *words) as pid:
        seen = proc.control_commands(str(tmp_path / "home"))
        others = proc.control_commands(str(tmp_path / "other"))
    assert seen == ([(pid, found)] if found else []) and others == []
    assert proc.control_commands(str(tmp_path / "home")) == []


@pytest.mark.parametrize(("verb", "seen"), [("stop", True), ("watchdog", False)])
def test_a_command_that_was_begun_is_seen_by_its_words(
    tmp_path: Path, verb: str, seen: bool
) -> None:
    """What becomes the module itself is no command that ends."""
    program = tmp_path / "nlserver6"
    with at_work(program, verb) as pid:
        found = proc.control_commands("/nowhere", [[str(program), verb]])
    assert found == ([(pid, f"nlserver6 {verb}")] if seen else [])
