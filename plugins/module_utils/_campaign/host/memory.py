# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files of /proc whose text is in the memory of the process that they describe.

The owner of the process decides how long such a read takes, even forever: the page may belong to
the owner's own file system or fault handler. So another process reads, which can be left behind.
"""

import gc
import os
import select
import struct
import threading
import time

from ..command import end_child

PATIENCE = 1.5  # seconds for one file: a busy machine is late, too
HANGING = 3  # files of one call that are waited for
MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Callable, List, Optional, Set, Tuple, Union

_HEAD = struct.Struct("=i")
_GONE = -1

_hanging: "Set[str]" = set()  # paths that did not answer


def texts(paths: "List[str]", limit: int) -> "List[Optional[bytes]]":
    """The first bytes of each file, in order: None for one that cannot be read or no longer
    exists, empty for one that does not answer.
    """
    found: "List[Optional[bytes]]" = []
    remaining = HANGING
    while len(found) < len(paths) and remaining:
        asked = paths[len(found) :]
        if asked[0] in _hanging:
            found.append(b"")
            continue
        answers, leave = _begin(asked, limit)
        try:
            for path in asked:
                text = None if path in _hanging else _next(answers, time.monotonic() + PATIENCE)
                if text is None:
                    _hanging.add(path)
                    found.append(b"")
                    remaining -= 1
                    break
                found.append(None if isinstance(text, int) else text)
        finally:
            os.close(answers)
            leave()
    return found + [b""] * (len(paths) - len(found))


def hangs(path: str) -> bool:
    """Whether a file was read and did not answer."""
    return path in _hanging


def text(path: str, limit: int) -> bytes:
    """The same for one file. Raises OSError if it no longer exists or does not answer in time."""
    found = texts([path], limit)[0]
    if hangs(path):
        raise TimeoutError("%s could not be read in time" % path)
    if found is None:
        raise ProcessLookupError("%s cannot be read" % path)
    return found


def _begin(paths: "List[str]", limit: int) -> "Tuple[int, Callable[[], object]]":
    """Where the answers arrive, and a function that ends the reading.

    A thread that hangs in the kernel keeps its process from ending. It is enough where there are
    threads: that process is one that may be left behind (command.in_child).
    """
    answers, writer = os.pipe()
    if threading.active_count() > 1:
        thread = threading.Thread(target=_tell, args=(paths, limit, writer))
        thread.daemon = True
        thread.start()
        return answers, lambda: None
    pid = os.fork()
    if pid == 0:
        try:
            gc.disable()
            os.setsid()
            null = os.open(os.devnull, os.O_RDWR)
            for descriptor in (0, 1, 2):
                os.dup2(null, descriptor)
            # Who may be left behind must hold no lock.
            for name in os.listdir("/proc/self/fd"):
                if int(name) > 2 and int(name) != writer:
                    _close(int(name))
            _tell(paths, limit, writer)
        finally:
            os._exit(0)
    os.close(writer)
    return answers, lambda: end_child(pid)


def _close(descriptor: int) -> None:
    try:
        os.close(descriptor)
    except OSError:
        pass  # the one that listed them


def _tell(paths: "List[str]", limit: int, writer: int) -> None:
    try:
        for path in paths:
            try:
                data = _read(path, limit)
                message = _HEAD.pack(len(data)) + data
            except OSError:
                message = _HEAD.pack(_GONE)
            while message:
                message = message[os.write(writer, message) :]
    except OSError:
        pass  # the reader has ended
    finally:
        os.close(writer)


def _read(path: str, limit: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = block = os.read(descriptor, limit)
        while block and len(data) < limit:
            block = os.read(descriptor, limit - len(data))
            data += block
    finally:
        os.close(descriptor)
    return data


def _next(answers: int, end: float) -> "Optional[Union[bytes, int]]":
    """The answer for one file: its bytes, or _GONE; None if it does not arrive in time."""
    head = _exactly(answers, _HEAD.size, end)
    if head is None:
        return None
    size = _HEAD.unpack(head)[0]
    return _GONE if size == _GONE else _exactly(answers, size, end)


def _exactly(answers: int, size: int, end: float) -> "Optional[bytes]":
    poll = select.poll()
    poll.register(answers, select.POLLIN | select.POLLHUP)
    data = b""
    while len(data) < size:
        remaining = end - time.monotonic()
        ready = remaining > 0 and poll.poll(remaining * 1000)
        block = os.read(answers, size - len(data)) if ready else b""
        if not block:
            return None
        data += block
    return data
