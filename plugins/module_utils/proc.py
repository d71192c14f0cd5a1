# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the kernel tells: processes, sockets, shared memory, the machine."""

import os
import pwd
import re
import socket
import struct
from collections import namedtuple

from ansible_collections.campaign.remediation.plugins.module_utils.configuration import is_product
from ansible_collections.campaign.remediation.plugins.module_utils.model import (
    CHILDREN,
    DEFAULT,
    below,
    clean,
    from_os_error,
    mask_arguments,
)
from ansible_collections.campaign.remediation.plugins.module_utils.parsers import fields

PROC = "/proc"
LISTEN = {"tcp": "0A", "udp": "07"}
LIST_LIMIT = 50

Status = namedtuple("Status", "pid comm state ppid session ticks threads start rss")
Table = namedtuple("Table", "own zombies count")


def read(*path):
    """The text of a file of /proc."""
    with open(os.path.join(PROC, *path), "rb") as stream:
        return stream.read().decode("utf-8", "replace")


def user_name(uid):
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def parse_status(text):
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


def start_of(pid):
    """When a process began, in ticks since the boot; None if it is not there."""
    try:
        return parse_status(read(str(pid), "stat")).start
    except (OSError, ValueError, IndexError):
        return None


def scan(home):
    """The processes of this home, all zombies, and how many processes there are."""
    own, zombies, count = [], [], 0
    for pid in os.listdir(PROC):
        if not pid.isdigit():
            continue
        count += 1
        belongs = _belongs(pid, home)
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
    return Table(own, zombies, count)


def _belongs(pid, home):
    """Does the process work in, or come from, this home? None: that is not to be seen.

    It is not for a zombie, nor for a process of somebody else who is not root.
    """
    answer = False
    for link in ("/cwd", "/exe"):
        try:
            path = os.readlink(PROC + "/" + pid + link)
            if path.startswith(home) and below(path, home):
                return True
        except OSError:
            answer = None
    return answer


def boot_time():
    found = re.search(r"^btime (\d+)", read("stat"), re.M)
    return int(found.group(1)) if found else None


def describe_arguments(arguments):
    """(name, instance, rest, precision, is nlserver) of a command line."""
    if not arguments:
        return "", DEFAULT, [], "standard", False
    base = os.path.basename(arguments[0])
    if base != "nlserver" or len(arguments) < 2 or arguments[1].startswith("-"):
        return clean(base, 80), DEFAULT, mask_arguments(arguments[1:]), "standard", False
    instance = traced = None
    verbose = trace = False
    for argument in arguments[2:]:
        if argument.startswith("-instance:"):
            instance = argument[len("-instance:") :]
        elif argument.startswith("-tracefile:") and "@" in argument:
            traced = argument.rpartition("@")[2]
        elif argument.startswith("-tracefilter"):
            trace = True
        elif argument == "-verbose":
            verbose = True
    precision = "trace" if trace else "verbose" if verbose else "standard"
    return (
        clean(arguments[1].partition("@")[0], 80),
        clean(instance or traced or arguments[1].partition("@")[2] or DEFAULT, 80),
        mask_arguments(arguments[2:]),
        precision,
        True,
    )


def command_line(pid):
    return read(str(pid), "cmdline").rstrip("\0").split("\0")


def _process(status, boot, tick, page):
    pid = str(status.pid)
    name, instance, arguments, precision, ours = describe_arguments(command_line(pid))
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
        "precision": precision,
    }
    try:
        entry["files_open"] = len(os.listdir(os.path.join(PROC, pid, "fd")))
        found = re.search(r"^Max open files\s+(\d+)", read(pid, "limits"), re.M)
        entry["files_limit"] = int(found.group(1)) if found else None
    except OSError:
        pass  # another account's: the rest is worth having
    return entry, ours


def processes(table, not_sessions):
    """The home's processes, sorted by what they are; our own commands left out."""
    groups = {"modules": [], "children": [], "others": []}
    boot = boot_time()
    tick = float(os.sysconf("SC_CLK_TCK"))
    page = os.sysconf("SC_PAGE_SIZE")
    for status in table.own:
        if status.session in not_sessions or status.pid == os.getpid():
            continue
        try:
            entry, ours = _process(status, boot, tick, page)
        except OSError:
            continue
        if ours and is_product(entry["name"]):
            group = "modules"
        elif ours and entry["name"] in CHILDREN:
            group = "children"
        else:
            group = "others"
        groups[group].append(entry)
    for group in groups.values():
        group.sort(key=lambda entry: (entry["started_at"] or 0, entry["pid"]))
        del group[500:]
    return groups


# --------------------------------------------------------------------------- sockets


def address(text):
    """The address in /proc/net/*: 32-bit words in the machine's byte order."""
    words = [int(text[i : i + 8], 16) for i in range(0, len(text), 8)]
    packed = struct.pack("=%dI" % len(words), *words)
    if len(words) == 1:
        return socket.inet_ntop(socket.AF_INET, packed)
    if packed[:12] == b"\0" * 10 + b"\xff\xff":
        return socket.inet_ntop(socket.AF_INET, packed[12:])
    return socket.inet_ntop(socket.AF_INET6, packed)


def parse_sockets(lines, proto, ports=None):
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


def listening(proto, ports):
    """Every socket of the machine that listens on one of these ports, of one protocol: udp or tcp.

    The kernel walks through its whole table of connections for tcp, however few there are. It may
    leave an entry out when others come and go meanwhile: see held.
    """
    found = []
    for name in (proto, proto + "6"):
        try:
            with open(os.path.join(PROC, "net", name)) as stream:
                found.extend(parse_sockets(stream, proto, ports))
        except OSError as error:
            if name == proto:  # a machine without IPv6 is no fault
                raise from_os_error(error) from None
    return found


def held(entries, places):
    """Is there a socket at each (address, port)?"""
    return all(
        any(entry["port"] == port and concerns(entry, address) for entry in entries)
        for address, port in places
    )


def is_loopback(where):
    return where.startswith("127.") or where == "::1"


def concerns(entry, asked):
    """Is the socket one of the asked address (others of the loopback net are not)?"""
    where = entry["address"]
    return where in ("0.0.0.0", "::", asked) or not is_loopback(where)


def holders(inodes, pids):
    """{inode: pid} of the sockets that these processes hold; no further than needed."""
    wanted = dict(("socket:[%d]" % inode, inode) for inode in inodes)
    found = {}
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


def unit_of(pid):
    """The systemd service a process belongs to."""
    try:
        text = read(str(pid), "cgroup")
    except OSError:
        return None
    found = re.findall(r"([^/\n]+\.service)(?=/|$)", text, re.M)
    return found[-1] if found else None


def sockets(everything, ports, asked, own):
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
        command = None
        if pid is not None:
            try:
                name, instance, dummy, dummy, product = describe_arguments(command_line(pid))
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


# --------------------------------------------------------------------- shared memory


def parse_segments(text):
    """/proc/sysvipc/shm as mappings, by the names of its first line."""
    lines = [line.split() for line in text.splitlines() if line.strip()]
    if not lines:
        return []
    return [
        dict(zip(lines[0], (int(word) for word in words)))
        for words in lines[1:]
        if len(words) == len(lines[0]) and all(w.lstrip("-").isdigit() for w in words)
    ]


def shared_memory(uid, keys):
    """The account's segments, or those with the keys."""
    segments = []
    for entry in parse_segments(read("sysvipc", "shm")):
        key = entry.get("key", 0) & 0xFFFFFFFF
        if keys:
            if key not in keys:
                continue
        elif uid not in (entry.get("uid"), entry.get("cuid")):
            continue
        creator = entry.get("cpid", 0)
        segments.append(
            {
                "id": entry.get("shmid"),
                "key": "0x%08x" % key,
                "size_bytes": entry.get("size"),
                "attached": entry.get("nattch"),
                "creator_pid": creator,
                "creator_alive": os.path.exists(os.path.join(PROC, str(creator))),
                "changed_at": float(entry.get("ctime", 0)),
            }
        )
    return {"segments": segments[:200], "denied": False}


# --------------------------------------------------------------------------- machine


def clock_synchronised():
    """What the kernel thinks of its clock (a read-only adjtimex), None if it does not tell."""
    try:
        import ctypes

        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(512))
    except (ImportError, OSError, AttributeError):
        return None
    return None if state < 0 else state != 5  # TIME_ERROR


def _first(*path):
    """The first fields of a one-line file, as numbers; its absence is no fault."""
    try:
        return [float(word) for word in read(*path).split() if re.match(r"^[\d.]+$", word)]
    except OSError:
        return []


def machine(table):
    """Memory, load, handles, zombies, clock."""
    memory = {}
    try:
        memory = fields(read("meminfo"))
    except OSError:
        pass
    files = _first("sys", "fs", "file-nr")
    uptime = _first("uptime")
    limit = _first("sys", "kernel", "pid_max")

    def megabytes(name):
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
        "processes": table.count,
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
