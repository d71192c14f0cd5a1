"""What the kernel tells of a case's server: a folder in the form of /proc."""

from __future__ import annotations

import os
import re
import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path

from cases.form import CaseError
from cases.healthy import HOME, SEGMENT, SEMAPHORE, USER, Bound, Running, Server

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
UPTIME = 30 * 86400
STATES = {"tcp": "0A", "udp": "07"}

Accounts = Mapping[str, int]  # name: number


def write(folder: Path, server: Server, accounts: Accounts) -> None:
    """The whole tree."""
    folder.mkdir()
    boot = server.clock.now - UPTIME
    _text(folder / "stat", f"cpu 1 0 1 100 0 0 0 0 0 0\nbtime {int(boot)}\n")
    _text(folder / "uptime", f"{UPTIME}.00 {2 * UPTIME}.00\n")
    _text(folder / "loadavg", "0.20 0.20 0.20 1/200 4000\n")
    _text(folder / "meminfo", "MemTotal: 16000000 kB\nMemFree: 9000000 kB\n"
          "MemAvailable: 11000000 kB\nSwapTotal: 4000000 kB\nSwapFree: 4000000 kB\n")  # fmt: skip
    _text(folder / "sys/fs/file-nr", "3000\t0\t800000\n")
    _text(folder / "sys/kernel/pid_max", "65536\n")
    _text(folder / "sys/kernel/shmmax", "18446744073692774399\n")
    environment = _environment(server)
    for running in server.processes:
        _process(folder, running, boot, accounts, environment)
    for proto in STATES:
        bound = [one for one in server.bound if one.proto == proto]
        owners = {running.pid: accounts[running.user] for running in server.processes}
        rows = [_socket(number, one, owners[one.pid]) for number, one in enumerate(bound)]
        head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt uid\n"
        _text(folder / "net" / proto, head + "".join(rows))
        _text(folder / "net" / f"{proto}6", head)
    _ipc(folder / "sysvipc", server, accounts)


def _text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode("utf-8", "surrogateescape"))


def _process(
    folder: Path, running: Running, boot: float, accounts: Accounts, environment: str
) -> None:
    place = folder / str(running.pid)
    comm = running.words[0].rpartition("/")[2][:15]
    pages = int(running.memory_mb * 1048576 / PAGE)
    start = max(0, round((running.started - int(boot)) * TICK))
    values = ["S", running.parent, running.pid, running.pid, 0, -1, 4194304, 0, 0, 0, 0, 500, 200,
              0, 0, 20, 0, 8, 0, start, pages * PAGE * 4, pages]  # fmt: skip
    _text(place / "stat", f"{running.pid} ({comm}) " + " ".join(map(str, values)) + "\n")
    _text(place / "cmdline", "\0".join(running.words) + "\0")
    number = accounts[running.user]
    _text(place / "status", f"Name:\t{comm}\nState:\tS (sleeping)\nPid:\t{running.pid}\n"
          f"PPid:\t{running.parent}\nUid:\t{number}\t{number}\t{number}\t{number}\n"
          f"VmRSS:\t{int(running.memory_mb * 1024)} kB\n")  # fmt: skip
    _text(place / "limits", "Limit Soft Limit Hard Limit Units\n"
          "Max open files            65536                65536                files\n")
    unit = "nlserver" if running.ours else running.name
    _text(place / "cgroup", f"0::/system.slice/{unit}.service\n")
    _text(place / "environ", environment if running.ours else "")
    fds = place / "fd"
    fds.mkdir()
    for number, inode in enumerate(running.sockets, 10):
        (fds / str(number)).symlink_to(f"socket:[{inode}]")
    program = f"{HOME}/bin/nlserver" if running.ours else running.words[0]
    (place / "exe").symlink_to(program)
    (place / "cwd").symlink_to(HOME if running.ours else "/")
    if accounts[USER]:
        os.chown(place, accounts[running.user], -1)


def _environment(server: Server) -> str:
    """The variables that the server's processes have: as a shell has them after env.sh."""
    if "customer.sh" not in server.given.files and "env.sh" not in server.given.files:
        return f"LC_ALL=C\0XTK_INSTALL_DIR={HOME}\0"
    try:
        return subprocess.run(
            ["sh", "-c", '. "$1" >/dev/null 2>&1; exec env -0', "sh", f"{HOME}/env.sh"],
            env={"PATH": os.defpath, "USER": USER}, stdin=subprocess.DEVNULL, capture_output=True,
            timeout=5, check=False,
        ).stdout.decode("utf-8", "surrogateescape")  # fmt: skip
    except subprocess.TimeoutExpired:
        return ""


def _socket(number: int, bound: Bound, owner: int) -> str:
    words = [int(part) for part in bound.address.split(".")]
    address = "%08X" % struct.unpack("=I", bytes(words))[0]
    return (f"{number:4}: {address}:{bound.port:04X} 00000000:0000 {STATES[bound.proto]}"
            f" 00000000:00000000 00:00000000 00000000 {owner:5}        0 {bound.inode} 2\n")


# ---------------------------------------------------------------- shared memory, semaphores

_SHM = ("key", "shmid", "perms", "size", "cpid", "lpid", "nattch", "uid", "gid", "cuid", "cgid",
        "atime", "dtime", "ctime", "rss", "swap")  # fmt: skip
_SEM = ("key", "semid", "perms", "nsems", "uid", "gid", "cuid", "cgid", "otime", "ctime")
_IPCS = {"bytes": "size", "perms": "perms"}


def _ipc(folder: Path, server: Server, accounts: Accounts) -> None:
    answer = server.given.console.get("ipcs")
    rows = ipcs(answer.out) if answer else usual(server)
    for name, columns in (("shm", _SHM), ("sem", _SEM)):
        lines = [" ".join(columns)]
        for row in rows[name]:
            owner = accounts[row["owner"]]
            creator = next((r.pid for r in server.processes if r.user == row["owner"]), 1)
            known: dict[str, int | str] = {
                "uid": owner, "cuid": owner, "gid": owner, "cgid": owner, "cpid": creator,
                     "lpid": creator, "ctime": int(server.clock.now - 3600),
            }  # fmt: skip
            known.update({_IPCS.get(column, column): value for column, value in row.items()
                          if column != "owner"})  # fmt: skip
            lines.append(" ".join(_number(column, known.get(column, 0)) for column in columns))
        _text(folder / name, "\n".join(lines) + "\n")


def _number(column: str, value: int | str) -> str:
    """As the kernel writes it: keys are signed."""
    if column == "perms":
        return str(value)
    number = int(str(value), 0)
    return str(number - 2**32 if column == "key" and number >= 2**31 else number)


def usual(server: Server) -> dict[str, list[dict[str, str]]]:
    """What a running redirection server has."""
    if not any(running.ours for running in server.processes):
        return {"shm": [], "sem": []}
    return {
        "shm": [{"key": hex(SEGMENT), "shmid": "2097152", "owner": USER, "perms": "666",
                 "bytes": "93608", "nattch": "8"}],
        "sem": [{"key": hex(SEMAPHORE), "semid": "4227080", "owner": USER, "perms": "666",
                 "nsems": "1"}],
    }  # fmt: skip


def ipcs(text: str) -> dict[str, list[dict[str, str]]]:
    """The tables that `ipcs` prints."""
    found: dict[str, list[dict[str, str]]] = {"shm": [], "sem": []}
    columns: list[str] = []
    table = ""
    for line in text.splitlines():
        words = line.split()
        if line.startswith("---"):
            table = "shm" if "Shared" in line else "sem" if "Semaphore" in line else ""
        elif words[:1] == ["key"]:
            columns = words
        elif table and words:
            row = dict(zip(columns, words, strict=False))
            if not re.fullmatch(r"0x[0-9a-fA-F]+", words[0]) or "owner" not in row:
                raise CaseError(f"given.console: ipcs: {line!r} is no line of a table")
            row.pop("status", None)
            found[table].append(row)
    return found


def owners(server: Server) -> set[str]:
    """The accounts that own what `ipcs` shows."""
    answer = server.given.console.get("ipcs")
    tables = ipcs(answer.out) if answer else {}
    return {row["owner"] for rows in tables.values() for row in rows}
