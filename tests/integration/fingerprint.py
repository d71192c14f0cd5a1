"""What a server looks like from outside: files, processes, sockets, shared memory.

Two fingerprints taken around a diagnosis show what it changed. A server that runs changes by
itself: it writes its logs, its database, its spool. Those files are listed in MOVING; of them
only existence of their folder, owner and mode are compared, everything else to the byte.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from campaign_lab import sockets

MOVING = re.compile(
    r"""
      var/[^/]+/log(/.*)?            # written by syslogd
    | var/[^/]+/redir(/.*)?          # written by trackinglogd
    | var/[^/]+/mta(/.*)?            # the spool
    | var/[^/]+/(export|import)(/.*)?
    | var/\.lab(/.*)?                # run records and the lab's database
    | .*\.db(-journal|-wal|-shm)?
    """,
    re.VERBOSE,
)

# Modules that live until they are stopped; their children and the jobs come and go.
PERMANENT = {"watchdog", "syslogd", "stat", "mta", "web", "trackinglogd", "inMail", "wfserver"}


class Fingerprint(NamedTuple):
    """Everything compared, as plain data."""

    files: dict[str, tuple[object, ...]]
    processes: dict[int, tuple[str, ...]]
    sockets: frozenset[str]
    shared_memory: frozenset[tuple[str, ...]]

    def changes(self, after: Fingerprint, restless: frozenset[str] = frozenset()) -> list[str]:
        """What differs, one line each; `restless` names modules that restart by themselves."""
        lines = []
        for path in sorted({*self.files, *after.files}):
            before, now = self.files.get(path), after.files.get(path)
            if before != now:
                lines.append(f"file {path}: {before} -> {now}")
        for pid in sorted({*self.processes, *after.processes}):
            gone, new = self.processes.get(pid), after.processes.get(pid)
            words = gone or new or ()
            module = words[1] if len(words) > 1 else ""
            if gone == new or module in restless:
                continue
            if new and not gone and module not in PERMANENT | {"pdump", "monitor", "config"}:
                continue  # a workflow, a delivery or a job of the server's own began
            if gone and not new and module not in PERMANENT:
                continue  # … or ended
            lines.append(f"process {pid}: {gone} -> {new}")
        if not restless:
            lines += [f"socket: {name}" for name in sorted(self.sockets ^ after.sockets)]
            lines += [
                f"shared memory: {segment}"
                for segment in sorted(self.shared_memory ^ after.shared_memory)
            ]
        return lines


def files_of(home: Path) -> dict[str, tuple[object, ...]]:
    """Path to type, mode, owner, and for what only people change: size, time and content."""
    found: dict[str, tuple[object, ...]] = {}
    for folder, _folders, names in os.walk(home):
        for path in (Path(folder), *(Path(folder, name) for name in names)):
            relative = str(path.relative_to(home))
            try:
                status = path.lstat()
                moving = MOVING.fullmatch(relative) is not None
                if moving and not stat.S_ISDIR(status.st_mode):
                    continue
                facts: tuple[object, ...] = (oct(status.st_mode), status.st_uid, status.st_gid)
                if not moving and relative != "var":
                    facts += (status.st_mtime_ns,)
                if not moving and stat.S_ISREG(status.st_mode):
                    digest = hashlib.sha256(path.read_bytes()).hexdigest()
                    facts += (status.st_size, digest)
                found[relative] = facts
            except FileNotFoundError:
                continue
    return found


def processes_of(home: Path) -> dict[int, tuple[str, ...]]:
    """Pid to start time and command line, of every process that stands in the home; without a child
    that is about to become something else, and still has its parent's command line.
    """
    commands: dict[int, list[str]] = {}
    facts: dict[int, list[str]] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            where = (entry / "cwd").readlink()
            if home not in (where, *where.parents):
                continue
            words = (entry / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
            facts[int(entry.name)] = (entry / "stat").read_text().rpartition(") ")[2].split()
        except OSError:
            continue
        if any(words):
            commands[int(entry.name)] = words[:-1]
    return {
        pid: (*words, f"started:{facts[pid][19]}")
        for pid, words in commands.items()
        if commands.get(int(facts[pid][1])) != words
    }


def sockets_on(address: str) -> frozenset[str]:
    """Listening TCP and bound UDP sockets of an address, by protocol, port and inode."""
    wanted = sockets.encoded(address)
    found = set()
    for protocol, state in (("tcp", "0A"), ("udp", "07")):
        for words in sockets.table(protocol):
            host, _colon, port = words[1].partition(":")
            if host == wanted and words[3] == state and words[2].endswith(":0000"):
                found.add(f"{protocol}/{int(port, 16)} inode {words[9]}")
    return frozenset(found)


def shared_memory(keys: Collection[str]) -> frozenset[tuple[str, ...]]:
    """System V segments and semaphores of these keys: key, id, mode, size or number, and of a
    segment its creator; not who last attached.
    """
    wanted = {int(key, 16) for key in keys}
    found: set[tuple[str, ...]] = set()
    for kind, columns in (("shm", 5), ("sem", 4)):
        try:
            lines = Path("/proc/sysvipc", kind).read_text().splitlines()[1:]
        except OSError:
            continue
        rows = (line.split()[:columns] for line in lines)
        found |= {(kind, *row) for row in rows if int(row[0]) & 0xFFFFFFFF in wanted}
    return frozenset(found)


def take(home: Path, address: str, keys: Collection[str]) -> Fingerprint:
    """The fingerprint of a server now."""
    return Fingerprint(
        files_of(home), processes_of(home), sockets_on(address), shared_memory(keys)
    )
