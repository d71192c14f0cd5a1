"""What is left of a lab whose folder was deleted while it ran, and does not end by itself.

The mail servers, which run from the checkout, end processes that are halted or blocked, and remove
what the lab has outside its folder.
"""

from __future__ import annotations

import os
import shutil
import signal

from campaign_lab.modules import trackinglogd
from campaign_lab.server import unmount_below

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable, Iterator, List

    from campaign_lab.layout import Server

DELETED = " (deleted)"
"""The kernel writes it behind the working directory of a process."""


def end_all(root: str, servers: Iterable[Server]) -> None:
    """End what is left of a deleted lab; what a new one there has started is spared."""
    for pid in left_behind(root):
        try:
            os.kill(pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
    for server in servers:
        if not os.path.exists(server.home.lib):
            clear(server)


def left_behind(root: str) -> Iterator[int]:
    """Processes of a deleted lab, but for this one: modules, mail servers, hanging commands."""
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            where = os.readlink("/proc/%s/cwd" % name)
            with open("/proc/%s/cmdline" % name, "rb") as stream:
                words = os.fsdecode(stream.read()).split("\0")
        except OSError:
            continue
        if (where.startswith(root + "/") and where.endswith(DELETED)) or _hangs(words, root):
            yield int(name)


def _hangs(words: List[str], root: str) -> bool:
    """Is it a call of ``nlserver`` that has outlived that program?"""
    return any(word.startswith(root + "/") and word.endswith("/bin/nlserver")
               and not os.path.exists(word) for word in words[:3])


def clear(server: Server) -> None:
    """Remove what a server has outside its folder: shared memory, semaphores, mounts, folders."""
    trackinglogd.clear(server.shared_memory_keys)
    unmount_below(server.home.path)
    shutil.rmtree(server.other_device, ignore_errors=True)
