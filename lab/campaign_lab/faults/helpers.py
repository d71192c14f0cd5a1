"""Programs of the faults' own, run outside every home: ``python helpers.py ROOT NAME ARGUMENTS``.

Each says ``ready`` on its standard output when what it is there for is done, then stays as long as
the lab's folder ROOT.
"""

from __future__ import annotations

import os
import signal
import socket
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Dict

CHECK_SECONDS = 4.0


def hold_udp(address: str, port: str) -> None:
    """Hold a UDP port and throw away what arrives, as another log daemon would."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((address, int(port)))
    ready()
    while True:
        server.recv(65535)


def hold_tcp(address: str, port: str) -> None:
    """Hold a TCP port and hang up on everybody, as a program of another kind would."""
    server = socket.create_server((address, int(port)))
    ready()
    while True:
        server.accept()[0].close()


def zombies(number: str) -> None:
    """Children that ended and are never collected."""
    for _ in range(int(number)):
        if os.fork() == 0:
            os._exit(0)
    ready()
    while True:
        signal.pause()


def ready() -> None:
    """Tell the one who started it, and let go of its pipes."""
    os.write(1, b"ready\n")
    null = os.open(os.devnull, os.O_RDWR)
    for number in (1, 2):
        os.dup2(null, number)


def end_with(folder: str) -> None:
    """End when the lab in that folder is deleted, even if a new one takes its place."""
    held = os.open(folder, os.O_PATH | os.O_CLOEXEC)

    def look(_number: int, _frame: object) -> None:
        deleted = os.readlink("/proc/self/fd/%d" % held).endswith(" (deleted)")
        if deleted or not os.path.exists(os.path.join(folder, "lab.json")):
            os._exit(0)

    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, CHECK_SECONDS, CHECK_SECONDS)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    root, name, *values = sys.argv[1:]
    end_with(root)
    helpers: Dict[str, Callable[..., object]] = {
        "hold_udp": hold_udp, "hold_tcp": hold_tcp, "zombies": zombies,
    }
    helpers[name](*values)
