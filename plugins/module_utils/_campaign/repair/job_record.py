# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The files about the last launch of a job: its record, its lock, and those of its supervisor."""

import errno
import fcntl
import json
import os
import re
import time
from collections import namedtuple

from ..record import ledger
from ..text import clean, decode

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Dict, List, NamedTuple, Optional, Tuple

    Entry = Dict[str, Any]

    class Started(NamedTuple):
        pid: int
        at: float

    class Ended(NamedTuple):
        exit_code: Optional[int]
        at: Optional[float]
else:
    Started = namedtuple("Started", "pid at")
    Ended = namedtuple("Ended", "exit_code at")

LOCK_LIMIT = 1.5  # seconds; a call that only checks holds the lock for a moment
LIST_LIMIT = 20
OUTPUT_LIMIT = 8192
BLANK = b" " * 120 + b"\n"


class Record:
    """The files that are kept of the last launch of a job, in `jobs` of the state directory."""

    def __init__(self, store: ledger.Store, job: "Entry") -> None:
        self.store = ledger.Store(store.join("jobs"))
        name = re.sub(r"[^\w.-]", "_", job["name"], flags=re.ASCII)
        if name != job["name"]:  # two names must not become one
            name += "-%08x" % hash_of(job["name"])
        base = "%s-%s-%s" % (job["kind"], job["instance"], name)
        self.name = base + ".json"
        self.path = self.store.join(self.name)
        self._begun, self._ended, self._said = base + ".pid", base + ".exit", base + ".out"
        self._lock = base + ".lock"

    def prepare(self) -> None:
        """Blank files for the supervising process to write into."""
        self.store.replace(self._begun, BLANK)
        self.store.replace(self._ended, BLANK)
        self.store.replace(self._said, b"")

    def open_files(self) -> "List[int]":
        """Descriptors of these files, for the supervising process."""
        names = (self._begun, self._ended, self._said)
        return [self.store.open(name, os.O_WRONLY) for name in names]

    def save(self, content: "Entry") -> None:
        """Replace the record."""
        self.store.replace(self.name, json.dumps(content, sort_keys=True).encode("ascii") + b"\n")

    def forget(self) -> None:
        """Remove the record of a launch that did not happen."""
        self.store.remove(self.name)

    def forget_output(self) -> None:
        """Remove the raw output: the record has what matters, without passwords."""
        self.store.remove(self._said)

    def load(self) -> "Optional[Entry]":
        """The record of the last launch, None without one."""
        try:
            content = json.loads((self.store.read(self.name) or b"").decode("ascii"))
        except ValueError:
            return None
        if not isinstance(content, dict):
            return None
        needed = ("launched_at", "run", "who", "command", "facts")
        return content if all(name in content for name in needed) else None

    def _numbers(self, name: str) -> "Optional[Tuple[int, float]]":
        words = (self.store.read(name) or b"").split()
        try:
            return (int(words[0]), float(words[1])) if len(words) == 2 else None
        except ValueError:
            return None

    def started(self) -> "Optional[Started]":
        """The job's process, None before it runs."""
        found = self._numbers(self._begun)
        return Started(*found) if found else None

    def end(self) -> "Optional[Ended]":
        """Exit code and time, None while the job runs, or if its end was not recorded."""
        found = self._numbers(self._ended)
        return Ended(*found) if found else None

    def output(self) -> "List[str]":
        """The last lines that the command printed."""
        try:
            descriptor = self.store.open(self._said, os.O_RDONLY)
        except OSError:
            return []
        with os.fdopen(descriptor, "rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - OUTPUT_LIMIT))
            text = decode(stream.read(OUTPUT_LIMIT))
        return [clean(line, 300) for line in text.splitlines() if line.strip()][-LIST_LIMIT:]

    def lock(self, limit: float = LOCK_LIMIT) -> "Optional[int]":
        """A descriptor that holds the lock; None if a launch holds it."""
        try:
            descriptor = self.store.open(self._lock, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise self.store.error("open", error, self.store.join(self._lock)) from None
        if take(descriptor, limit):
            return descriptor
        os.close(descriptor)
        return None

    def supervised(self) -> bool:
        """Does a launch hold the lock at this moment?"""
        try:
            descriptor = self.store.open(self._lock, os.O_RDWR)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise self.store.error("open", error, self.store.join(self._lock)) from None
        free = take(descriptor, 0, fcntl.LOCK_SH)  # calls that only check do not block each other
        os.close(descriptor)
        return not free


def take(descriptor: int, limit: float, kind: int = fcntl.LOCK_EX) -> bool:
    """Get the lock within some seconds."""
    end = time.monotonic() + limit
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            return True
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
        if time.monotonic() >= end:
            return False
        time.sleep(0.05)


def hash_of(text: str) -> int:
    """A short number for a text, the same on every host."""
    import zlib

    return zlib.crc32(text.encode("utf-8", "surrogateescape")) & 0xFFFFFFFF
