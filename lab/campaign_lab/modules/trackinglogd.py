"""trackinglogd: writes the tracking logs of a redirection server.

As documented (additional-parameters): the web server's redirection module puts the clicks into a
System V shared memory segment, whose size follows ``maxSharedLogs`` and ``webTrackingParamSize``
and beside which there is a semaphore; trackinglogd writes them to ``var/<instance>/redir/log`` and
keeps these below ``maxLogsSizeOnDiskMb``. A segment of another version or size is refused with
SRV-810031. The documented remedy (``ipcrm`` after a stop) tells that a segment outlives its daemon:
so it does here; ``labctl down`` removes it.

The lab's own: the key (``layout.Server.shared_memory_key``), the block's layout.
"""

from __future__ import annotations

import os
import struct

from campaign_lab import vanished
from campaign_lab.modules import redir
from campaign_lab.runtime import Module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterable, Iterator, List, Optional, Tuple

    from campaign_lab.config import Settings

MAGIC = b"NLTR"
VERSION = 107
HEADER = struct.Struct("<4sIIIQQ")  # magic, version, record size, records, written, read
HEADER_SIZE = 64
INDEX = struct.Struct("<Q")
WRITTEN, READ = 16, 24  # offsets of the two counters
LENGTH = struct.Struct("<H")
FIXED_RECORD = 256  # besides the site's own parameters
PERIOD_SECONDS = 2.0
IPC_CREAT, IPC_EXCL, IPC_RMID = 0o1000, 0o2000, 0
SHARED_MODE = 0o666
"""Of the web server's account or of Campaign's: whoever begins first makes it for both."""


class SegmentError(Exception):
    """The segment cannot be used."""


def _libc() -> Any:
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    libc.shmat.restype = ctypes.c_void_p
    libc.shmat.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_int)
    libc.shmdt.argtypes = (ctypes.c_void_p,)
    libc.shmget.argtypes = (ctypes.c_int, ctypes.c_size_t, ctypes.c_int)
    libc.shmctl.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_void_p)
    return libc


def _failed(action: str) -> SegmentError:
    import ctypes

    return SegmentError("%s: %s" % (action, os.strerror(ctypes.get_errno())))


def find(key: int) -> Optional[Tuple[int, int]]:
    """Id and size of the segment with this key."""
    with open("/proc/sysvipc/shm", encoding="ascii") as stream:
        next(stream)
        for line in stream:
            fields = line.split()
            if int(fields[0]) & 0xFFFFFFFF == key:
                return int(fields[1]), int(fields[3])
    return None


def remove_segment(key: int) -> bool:
    """Remove the segment with this key; False if there is none."""
    found = find(key)
    return found is not None and _libc().shmctl(found[0], IPC_RMID, None) == 0


def find_semaphore(key: int) -> Optional[int]:
    """The id of the semaphore with this key."""
    with open("/proc/sysvipc/sem", encoding="ascii") as stream:
        next(stream)
        for line in stream:
            fields = line.split()
            if int(fields[0]) & 0xFFFFFFFF == key:
                return int(fields[1])
    return None


def make_semaphore(key: int) -> int:
    """Have a semaphore of this key; its id."""
    identifier = int(_libc().semget(key, 1, IPC_CREAT | SHARED_MODE))
    if identifier < 0:
        raise _failed("semget")
    return identifier


def remove_semaphore(key: int) -> bool:
    """Remove the semaphore of this key; False if there is none."""
    found = find_semaphore(key)
    return found is not None and _libc().semctl(found, 0, IPC_RMID) == 0


def clear(keys: Iterable[int]) -> None:
    """Remove the segments and semaphores of these keys."""
    for key in keys:
        remove_segment(key)
        remove_semaphore(key)


def make_segment(key: int, size: int, version: int = VERSION) -> int:
    """Make a segment with an empty block; its id. The faults make stale ones with it."""
    libc = _libc()
    identifier = int(libc.shmget(key, size, IPC_CREAT | IPC_EXCL | SHARED_MODE))
    if identifier < 0:
        raise _failed("shmget")
    block = Block(identifier, size)
    record = FIXED_RECORD
    block.memory[: HEADER.size] = HEADER.pack(
        MAGIC, version, record, (size - HEADER_SIZE) // record, 0, 0
    )
    block.close()
    return identifier


class Block:
    """The attached segment: a ring of records, one writer (web server), one reader (daemon)."""

    def __init__(self, identifier: int, size: int) -> None:
        import ctypes

        self.libc = _libc()
        self.identifier = identifier
        address = self.libc.shmat(identifier, None, 0)
        if address in (None, ctypes.c_void_p(-1).value):
            raise _failed("shmat")
        self.address: int = address
        self.memory = memoryview((ctypes.c_char * size).from_address(address)).cast("B")

    def close(self) -> None:
        """Detach."""
        self.memory.release()
        self.libc.shmdt(self.address)

    @property
    def header(self) -> Tuple[bytes, int, int, int, int, int]:
        """Magic, version, record size, number of records, written, read."""
        fields: Any = HEADER.unpack_from(self.memory)
        return fields  # type: ignore[no-any-return]

    def set_record_size(self, size: int) -> None:
        """Lay the ring out for records of this size."""
        records = (len(self.memory) - HEADER_SIZE) // size
        HEADER.pack_into(self.memory, 0, MAGIC, VERSION, size, records, 0, 0)

    def put(self, line: bytes) -> bool:
        """Add a record; False if the ring is full."""
        _magic, _version, size, records, written, read = self.header
        if written - read >= records:
            return False
        start = HEADER_SIZE + written % records * size
        line = line[: size - LENGTH.size]
        LENGTH.pack_into(self.memory, start, len(line))
        self.memory[start + LENGTH.size : start + LENGTH.size + len(line)] = line
        INDEX.pack_into(self.memory, WRITTEN, written + 1)
        return True

    def take(self) -> Iterator[bytes]:
        """The records not read yet."""
        _magic, _version, size, records, written, read = self.header
        while read < written:
            start = HEADER_SIZE + read % records * size
            (length,) = LENGTH.unpack_from(self.memory, start)
            yield bytes(self.memory[start + LENGTH.size : start + LENGTH.size + length])
            read += 1
            INDEX.pack_into(self.memory, READ, read)


def attach(key: int) -> Optional[Block]:
    """The block as the web server sees it: None if there is none of this version."""
    found = find(key)
    if found is None:
        return None
    block = Block(*found)
    magic, version = block.header[:2]
    if (magic, version) != (MAGIC, VERSION):
        block.close()
        return None
    return block


class Shape:
    """The size that the configuration asks for."""

    def __init__(self, settings: Settings) -> None:
        self.record = FIXED_RECORD + settings.number("webTrackingParamSize", 64)
        self.records = settings.number("maxSharedLogs", 25000)
        self.size = HEADER_SIZE + self.record * self.records


class TrackingLogd(Module):
    """The tracking log writer of a server."""

    title = "Tracking log writer"

    def prepare(self) -> None:
        """Attach to the segment, or make it."""
        try:
            self.block = self._open(Shape(self.settings))
            make_semaphore(self.server.semaphore_key)
        except SegmentError as error:
            self.error(str(error))
            raise SystemExit(1) from None
        self.written = 0

    def run(self) -> None:
        """Move clicks from the segment to the files."""
        while not self.stopping.is_set():
            self._drain()
            self.wait(PERIOD_SECONDS)
        self._drain()
        self.block.close()

    def _open(self, shape: Shape) -> Block:
        key = self.server.shared_memory_key
        found = find(key)
        if found is None:
            identifier = make_segment(key, shape.size)
            block = Block(identifier, shape.size)
            block.set_record_size(shape.record)
            self.info("Shared memory block created (id=%d, %d bytes)" % (identifier, shape.size))
            return block
        block = Block(*found)
        magic, version, record, records = block.header[:4]
        if (magic, version) != (MAGIC, VERSION) or (record, records, found[1]) != (
            shape.record, shape.records, shape.size,
        ):  # fmt: skip
            block.close()
            raise SegmentError(
                "SRV-810031 Bad version for the shared memory block 'NlServerContext6.0'. Current "
                "version is %d, expected version %d. Please restart all services (nlserver and web "
                "server)..." % (version, VERSION)
            )
        return block

    def _drain(self) -> None:
        lines: Dict[str, List[str]] = {}
        for record in self.block.take():
            instance, _, line = record.decode("utf-8", "replace").partition("\t")
            lines.setdefault(instance, []).append(line)
        for instance, added in lines.items():
            try:
                self._append(instance, added)
            except OSError as error:
                self.error("Unable to write the tracking log of %s: %s errno=%s (iRc=-52)" % (
                    instance, error.strerror, error.errno))  # fmt: skip

    def _append(self, instance: str, lines: List[str]) -> None:
        directory = os.path.join(self.home.var, instance, "redir", "log")
        vanished.make(directory)
        number = redir.next_id(directory)
        for at, text in enumerate(lines, number):
            path = os.path.join(directory, redir.file_name(at))
            with open(path, "a", encoding="utf-8") as stream:
                stream.write(redir.line(at, text))
        self.written += len(lines)
        self.verbose("%d tracking logs written for %s" % (len(lines), instance))
        self._purge(directory, self.settings.number("maxLogsSizeOnDiskMb", 500) * 1024 * 1024)

    def _purge(self, directory: str, limit: int) -> None:
        sizes = [
            (name, os.path.getsize(os.path.join(directory, name)))
            for name in sorted(os.listdir(directory))
        ]
        total = sum(size for _name, size in sizes)
        for name, size in sizes[:-1]:
            if total <= limit:
                return
            os.unlink(os.path.join(directory, name))
            total -= size
            self.warning("Tracking log %s removed: the limit of %d MB is reached" % (
                name, limit // 1024 // 1024))  # fmt: skip
