# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the kernel knows: processes, sockets, the machine."""

import os
import re
import socket
import struct
import time
from collections import namedtuple

from ..errors import ProbeError, from_os_error
from ..names import CHILDREN, DEFAULT, is_product
from ..precision import precision
from ..text import below, clean, fields, mask_arguments, user_name
from . import memory

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import (
        Any,
        Callable,
        Collection,
        Dict,
        Iterable,
        List,
        NamedTuple,
        Optional,
        Tuple,
        Union,
    )

    Entry = Dict[str, Any]

    class Status(NamedTuple):
        pid: int
        comm: str
        state: str
        ppid: int
        session: int
        ticks: int
        threads: int
        start: int
        rss: int

    class Table(NamedTuple):
        own: List[Status]
        zombies: List[Status]
        total: int  # of all processes on the machine
        fronts: List[int]
else:
    Status = namedtuple("Status", "pid comm state ppid session ticks threads start rss")
    Table = namedtuple("Table", "own zombies total fronts")

PROC = "/proc"
PRODUCT = "nlserver"
CONTROL = ("start", "stop", "restart", "shutdown")  # its commands that change what runs
CALLED_WITHIN = 6  # words: `runuser -u ACCOUNT -- nlserver stop`
LISTEN = {"tcp": "0A", "udp": "07"}
READINGS = 6  # of a table of sockets before one counts as missing
LIST_LIMIT = 50
LINE_LIMIT = 65536
WORD_LIMIT = 200
COMPARED = 30  # arguments
DISK_SECONDS = 2.0
DISK_POLL_SECONDS = 0.1

FRONTS = ("/apache2", "/httpd", "/apache2 (deleted)", "/httpd (deleted)")


def read(*path: str) -> str:
    """The text of a file of /proc. A stream would ask four times as much of the kernel."""
    descriptor = os.open("/".join((PROC,) + path), os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = block = os.read(descriptor, 65536)
        while block:
            block = os.read(descriptor, 65536)
            data += block
    finally:
        os.close(descriptor)
    return data.decode("utf-8", "replace")


def parse_status(text: str) -> Status:
    """/proc/<pid>/stat. The name in brackets may hold brackets and blanks."""
    left, dummy, right = text.rpartition(")")
    pid, dummy, comm = left.partition("(")
    rest = right.split()
    return Status(
        pid=int(pid),
        comm=comm,
        state=rest[0],
        ppid=int(rest[1]),
        session=int(rest[3]),
        ticks=int(rest[11]) + int(rest[12]),
        threads=int(rest[17]),
        start=int(rest[19]),
        rss=int(rest[21]),
    )


def start_of(pid: int) -> "Optional[int]":
    """When a process started, in ticks since the boot; None if it does not exist."""
    try:
        start: int = parse_status(read(str(pid), "stat")).start
        return start
    except (OSError, ValueError, IndexError):
        return None


def scan(home: str) -> Table:
    """The processes of this home, all zombies, how many processes there are, and which of them are
    a web server's.
    """
    own: "List[Status]" = []
    zombies: "List[Status]" = []
    fronts: "List[int]" = []
    count = 0
    for pid in os.listdir(PROC):
        if not pid.isdigit():
            continue
        count += 1
        belongs = _belongs(pid, home, fronts)
        if belongs is False:
            continue
        try:
            status = parse_status(read(pid, "stat"))
        except (OSError, ValueError, IndexError):
            continue  # it ended while we looked
        if status.state in "ZX":
            zombies.append(status)
        elif belongs:
            own.append(status)
    return Table(own, zombies, count, fronts)


def _belongs(pid: str, home: str, fronts: "List[int]") -> "Optional[bool]":
    """Is this home the working directory or the source of the process? None: unknown.

    It is unknown for a zombie, and without root for a process of another account.
    """
    answer: "Optional[bool]" = False
    for link in ("/cwd", "/exe"):
        try:
            path = os.readlink(PROC + "/" + pid + link)
            if path.startswith(home) and below(path, home):
                return True
            if path.endswith(FRONTS):
                fronts.append(int(pid))
        except OSError:
            answer = None
    return answer


def boot_time() -> "Optional[int]":
    found = re.search(r"^btime (\d+)", read("stat"), re.M)
    return int(found.group(1)) if found else None


def describe_arguments(arguments: "List[str]") -> "Tuple[str, str, List[str], str, bool]":
    """(name, instance, rest, precision, is nlserver) of a command line."""
    if not arguments:
        return "", DEFAULT, [], "standard", False
    base = os.path.basename(arguments[0])
    if base != PRODUCT or len(arguments) < 2 or arguments[1].startswith("-"):
        return clean(base, 80), DEFAULT, mask_arguments(arguments[1:]), "standard", False
    instance = traced = None
    for argument in arguments[2:]:
        if argument.startswith("-instance:"):
            instance = argument[len("-instance:") :]
        elif argument.startswith("-tracefile:") and "@" in argument:
            traced = argument.rpartition("@")[2]
    return (
        clean(arguments[1].partition("@")[0], 80),
        clean(instance or traced or arguments[1].partition("@")[2] or DEFAULT, 80),
        mask_arguments(arguments[2:]),
        precision(arguments[2:]),
        True,
    )


def command_line(pid: "Union[int, str]") -> "List[str]":
    """The arguments of a process; of a long line enough to distinguish it from another."""
    return _arguments(memory.text(os.path.join(PROC, str(pid), "cmdline"), LINE_LIMIT))


def _arguments(data: bytes) -> "List[str]":
    return data.decode("utf-8", "replace").rstrip("\0").split("\0")[:WORD_LIMIT]


def variable_of(pid: int, name: str) -> "Optional[str]":
    """What a variable was when a process began: its text, "" without it; None if that is not to
    be seen.
    """
    try:
        entries = memory.text(os.path.join(PROC, str(pid), "environ"), LINE_LIMIT).split(b"\0")
    except OSError:
        return None
    start = name.encode("ascii") + b"="
    for entry in entries:
        if entry.startswith(start):
            return clean(entry[len(start) :].decode("utf-8", "replace"), 300)
    return ""


def _process(
    status: Status, line: bytes, boot: "Optional[int]", tick: float, page: int
) -> "Tuple[Entry, bool]":
    pid = str(status.pid)
    name, instance, arguments, logs_with, ours = describe_arguments(_arguments(line))
    entry = {
        "pid": status.pid,
        "ppid": status.ppid,
        "name": name or clean(status.comm, 80),
        "instance": instance,
        "arguments": arguments[:40],
        "state": status.state,
        "started_at": round(boot + status.start / tick, 2) if boot else None,
        "memory_mb": round(status.rss * page / 1048576.0, 2),
        "threads": status.threads,
        "files_open": None,
        "files_limit": None,
        "cpu_seconds": round(status.ticks / tick, 2),
        "user": user_name(os.stat(os.path.join(PROC, pid)).st_uid),
        "precision": logs_with,
    }
    try:
        entry["files_open"] = len(os.listdir(os.path.join(PROC, pid, "fd")))
        found = re.search(r"^Max open files\s+(\d+)", read(pid, "limits"), re.M)
        entry["files_limit"] = int(found.group(1)) if found else None
    except OSError:
        pass  # another account's: the rest is worth having
    return entry, ours


def state_of(pid: int) -> "Optional[str]":
    """The letter of its state, None if it does not exist."""
    try:
        state: str = parse_status(read(str(pid), "stat")).state
        return state
    except (OSError, ValueError, IndexError):
        return None


def look_again(
    entries: "List[Entry]",
    seconds: float = DISK_SECONDS,
    state: "Callable[[int], Optional[str]]" = state_of,
    sleep: "Callable[[float], object]" = time.sleep,
) -> "List[Entry]":
    """One look at a process that waits for a disk (D) proves no hang: look until it does not, for
    at most some seconds. A server where none does is not waited for.
    """
    waiting = [entry for entry in entries if entry["state"] == "D"]
    end = time.monotonic() + seconds
    while waiting and time.monotonic() < end:
        sleep(DISK_POLL_SECONDS)
        for entry in waiting:
            entry["state"] = state(entry["pid"]) or entry["state"]
        waiting = [entry for entry in waiting if entry["state"] == "D"]
    return entries


def is_command_of(pid: int, status: Status) -> bool:
    """Does a process belong to a command that this process of ours runs?"""
    if pid in (status.pid, status.ppid, status.session):
        return True
    try:
        parent: int = parse_status(read(str(status.session), "stat")).ppid
        return parent == pid
    except (OSError, ValueError, IndexError):
        return False


def processes(table: Table, child: "Optional[int]" = None) -> "Dict[str, List[Entry]]":
    """The home's processes, sorted by what they are; commands of our child (its pid) left out.

    Raises ProbeError if the command line of an nlserver cannot be read: then it is unknown which
    modules do not run.
    """
    groups: "Dict[str, List[Entry]]" = {"modules": [], "children": [], "others": []}
    boot = boot_time()
    tick = float(os.sysconf("SC_CLK_TCK"))
    page = os.sysconf("SC_PAGE_SIZE")
    looked_at = [
        status
        for status in table.own
        if status.pid != os.getpid() and not (child and is_command_of(child, status))
    ]
    paths = [os.path.join(PROC, str(status.pid), "cmdline") for status in looked_at]
    for status, path, line in zip(looked_at, paths, memory.texts(paths, LINE_LIMIT)):
        if line is None:
            continue
        if status.comm == PRODUCT and memory.hangs(path):
            raise ProbeError(
                "timeout",
                "the command line of nlserver process %d cannot be read, so its module is unknown"
                % status.pid,
            )
        try:
            entry, ours = _process(status, line, boot, tick, page)
        except OSError:
            continue
        if ours and is_product(entry["name"]):
            group = "modules"
        elif ours and entry["name"] in CHILDREN:
            group = "children"
        else:
            group = "others"
        groups[group].append(entry)
    for entries in groups.values():
        entries.sort(key=lambda entry: (entry["started_at"] or 0, entry["pid"]))
        del entries[500:]
    return groups


def control_commands(
    home: str, begun: "Iterable[List[str]]" = ()
) -> "List[Tuple[int, str]]":
    """The commands at work that start or stop modules of this home: pid, and what was called.

    begun: commands that may be among them and do not show the home, such as `systemctl stop UNIT`.
    """
    program = os.path.join(home, "bin", PRODUCT)
    wanted = [list(command) for command in begun if command[1:2] and command[1] in CONTROL]
    pids = [pid for pid in os.listdir(PROC) if pid.isdigit()]
    lines = memory.texts([os.path.join(PROC, pid, "cmdline") for pid in pids], LINE_LIMIT)
    found = []
    for pid, line in zip(pids, lines):
        words = _arguments(line or b"")
        called = next((command for command in wanted if words[-len(command) :] == command), None)
        for at, (word, verb) in enumerate(zip(words[:CALLED_WITHIN], words[1:])):
            if (
                os.path.basename(word) == PRODUCT
                and verb in CONTROL
                and (word == program or _belongs(pid, home, []))
            ):
                called = [PRODUCT] + words[at + 1 : at + 3]
                break
        if called:
            said = " ".join([os.path.basename(called[0])] + called[1:])
            found.append((int(pid), clean(said, 80)))
    return found


def runs(job: "Entry", processes: "List[Entry]", alone: bool) -> "Optional[Entry]":
    """The process that runs this job, according to its arguments."""
    # Arguments of processes are masked and may be truncated, so the declared ones are treated alike.
    variants = [
        mask_arguments(arguments)[:COMPARED]
        for arguments in (job.get("arguments") or {}).values()
        if arguments
    ]
    for process in processes:
        if process["name"] != job["kind"] or process["instance"] != job["instance"]:
            continue
        given = process["arguments"]
        if alone or any(all(word in given for word in words) for words in variants):
            return {"pid": process["pid"], "started_at": process["started_at"]}
    return None


def watchdog(pid: "Optional[int]") -> "Dict[str, Optional[bool]]":
    """Is there a process with that number, and is it a watchdog? None: unknown."""
    if pid is None or pid <= 0:
        return {"alive": False, "matches": False}
    try:
        name, _instance, _rest, _precision, product = describe_arguments(command_line(pid))
    except TimeoutError:
        return {"alive": True, "matches": None}
    except OSError:
        return {"alive": False, "matches": False}
    return {"alive": True, "matches": product and name == "watchdog"}


# --------------------------------------------------------------------------- sockets


def address(text: str) -> str:
    """The address in /proc/net/*: 32-bit words in the machine's byte order."""
    words = [int(text[i : i + 8], 16) for i in range(0, len(text), 8)]
    packed = struct.pack("=%dI" % len(words), *words)
    if len(words) == 1:
        return socket.inet_ntop(socket.AF_INET, packed)
    if packed[:12] == b"\0" * 10 + b"\xff\xff":
        return socket.inet_ntop(socket.AF_INET, packed[12:])
    return socket.inet_ntop(socket.AF_INET6, packed)


def parse_sockets(
    lines: "Iterable[str]", proto: str, ports: "Optional[Iterable[int]]" = None
) -> "List[Entry]":
    """The listening ones (udp: the bound ones) of a table of /proc/net; of these ports, or all."""
    found = []
    state = LISTEN[proto]
    marker = " %s " % state
    wanted = None if ports is None else set("%04X" % port for port in ports)
    for line in lines:
        if marker not in line:
            continue
        words = line.split()
        try:
            if words[3] != state or (wanted is not None and words[1][-4:] not in wanted):
                continue
            where, dummy, port = words[1].partition(":")
            found.append(
                {
                    "proto": proto,
                    "address": address(where),
                    "port": int(port, 16),
                    "queue_bytes": int(words[4].partition(":")[2], 16),
                    "uid": int(words[7]),
                    "inode": int(words[9]),
                }
            )
        except (IndexError, ValueError, struct.error):
            continue
    return found


def listening(
    proto: str, ports: "Optional[Collection[int]]", readings: int = 1
) -> "List[Entry]":
    """Every socket of the machine that listens on one of these ports, of one protocol: udp or tcp.

    The kernel gives its table page by page, and counts where it was: an entry is left out when
    another one before it goes away in between. On a busy machine that happens to the same entry
    several times in a row. What matters if it is missing is therefore read READINGS times, and
    what any reading had counts. For tcp the kernel walks through its whole table of connections,
    however few sockets listen.
    """
    found: "Dict[Tuple[str, int, int], Entry]" = {}
    for _reading in range(readings):
        for name in (proto, proto + "6"):
            try:
                with open(os.path.join(PROC, "net", name)) as stream:
                    for entry in parse_sockets(stream, proto, ports):
                        key = (entry["address"], entry["port"], entry["inode"])
                        found.setdefault(key, entry)
            except OSError as error:
                if name == proto:  # a machine without IPv6 is not an error
                    raise from_os_error(error) from None
    return list(found.values())


def held(entries: "Collection[Entry]", endpoints: "Iterable[Tuple[str, int]]") -> bool:
    """Is there a socket at each (address, port)?"""
    return all(
        any(entry["port"] == port and concerns(entry, address) for entry in entries)
        for address, port in endpoints
    )


def is_loopback(where: str) -> bool:
    return where.startswith("127.") or where == "::1"


def concerns(entry: "Entry", asked: str) -> bool:
    """Does the socket belong to the given address (other loopback addresses do not count)?"""
    where = entry["address"]
    return where in ("0.0.0.0", "::", asked) or not is_loopback(where)


def holders(inodes: "Iterable[int]", pids: "Iterable[Union[int, str]]") -> "Dict[int, int]":
    """{inode: pid} of the sockets that these processes hold; no further than needed."""
    wanted = dict(("socket:[%d]" % inode, inode) for inode in inodes)
    found: "Dict[int, int]" = {}
    for pid in pids:
        if len(found) == len(wanted):
            break
        directory = "%s/%s/fd" % (PROC, pid)
        try:
            for descriptor in os.listdir(directory):
                inode = wanted.get(os.readlink(directory + "/" + descriptor))
                if inode is not None:
                    found.setdefault(inode, int(pid))
        except OSError:
            continue
    return found


def unit_of(pid: int) -> "Optional[str]":
    """The service of the system that a process belongs to; None for one of a user's own services,
    which that user names at will.
    """
    try:
        text = read(str(pid), "cgroup")
    except OSError:
        return None
    found = re.findall(r"([^/\n]+\.service)(?=/|$)", text, re.M)
    if any(name.startswith("user@") for name in found):
        return None
    return found[-1] if found else None


def sockets(
    everything: "List[Entry]", ports: "Collection[int]", asked: str, own: "Collection[int]"
) -> "List[Entry]":
    """The sockets on ports of interest, with who holds them."""
    chosen = [entry for entry in everything if entry["port"] in ports]
    found = holders([entry["inode"] for entry in chosen if entry["inode"]], sorted(own))
    chosen = [e for e in chosen if e["inode"] in found or concerns(e, asked)]
    foreign = [e["inode"] for e in chosen if e["inode"] and e["inode"] not in found]
    if foreign:
        found.update(holders(foreign, (pid for pid in os.listdir(PROC) if pid.isdigit())))
    result = []
    for entry in chosen:
        pid = found.get(entry["inode"])
        ours = pid in own
        line = dict((key, entry[key]) for key in ("proto", "address", "port", "queue_bytes"))
        command: "Optional[str]" = None
        if pid is not None:
            try:
                name, instance, _rest, _precision, product = describe_arguments(command_line(pid))
                command = "nlserver %s@%s" % (name, instance) if product else name
            except OSError:
                pass
        line.update(
            pid=pid,
            command=command or None,
            user=user_name(entry["uid"]),
            unit=unit_of(pid) if pid is not None else None,
            ours=ours,
        )
        result.append(line)
    return result


# --------------------------------------------------------------------------- machine


def clock_synchronised() -> "Optional[bool]":
    """The state of the kernel's clock (a read-only adjtimex), None if unknown."""
    try:
        import ctypes

        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(512))
    except (ImportError, OSError, AttributeError):
        return None
    return None if state < 0 else state != 5  # TIME_ERROR


def _first(*path: str) -> "List[float]":
    """The first fields of a one-line file, as numbers; a missing file is not an error."""
    try:
        return [float(word) for word in read(*path).split() if re.match(r"^[\d.]+$", word)]
    except OSError:
        return []


def machine(table: Table) -> "Entry":
    """Memory, load, handles, zombies, clock."""
    memory: "Dict[str, int]" = {}
    try:
        memory = fields(read("meminfo"))
    except OSError:
        pass
    files = _first("sys", "fs", "file-nr")
    uptime = _first("uptime")
    limit = _first("sys", "kernel", "pid_max")

    def megabytes(name: str) -> "Optional[float]":
        return round(memory[name] / 1024.0, 1) if name in memory else None

    available = megabytes("MemAvailable")
    if available is None:
        available = megabytes("MemFree")
    system = os.uname()
    return {
        "hostname": system[1],
        "system": "%s %s" % (system[0], system[2]),
        "uptime_seconds": uptime[0] if uptime else None,
        "cpus": os.cpu_count(),
        "load": [round(value, 2) for value in os.getloadavg()],
        "memory_total_mb": megabytes("MemTotal"),
        "memory_available_mb": available,
        "swap_total_mb": megabytes("SwapTotal"),
        "swap_free_mb": megabytes("SwapFree"),
        "files_used": int(files[0] - files[1]) if len(files) > 2 else None,
        "files_limit": int(files[2]) if len(files) > 2 else None,
        "processes": table.total,
        "processes_limit": int(limit[0]) if limit else None,
        "zombies_total": len(table.zombies),
        "zombies": [
            {"pid": status.pid, "ppid": status.ppid, "command": clean(status.comm, 80)}
            for status in table.zombies[:LIST_LIMIT]
        ],
        "time_synchronised": clock_synchronised(),
        "reads": [
            os.path.join(PROC, name)
            for name in ("meminfo", "loadavg", "uptime", "sys/fs/file-nr", "<pid>/stat")
        ],
    }
