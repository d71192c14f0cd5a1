"""Looking at a server from outside, and acting on it: what every fault is made of.

Nothing here asks a module how it feels: it reads the process table, sockets, files, and
what the server answers, as an operator or a monitoring tool would.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from typing import Callable, Dict, List, Optional, Tuple

from campaign_lab import process, sockets
from campaign_lab.config import Config, ConfigError
from campaign_lab.layout import Home, Server
from campaign_lab.runtime import syslogd_address

COMMAND_SECONDS = 90.0
POLL_SECONDS = 0.05


class FaultError(RuntimeError):
    """One line for the person at labctl."""


# ----------------------------------------------------------------------------- waiting


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Return as soon as the condition holds; after that many seconds say what never came."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise FaultError("after %.0f s still not so: %s" % (seconds, what))
        time.sleep(POLL_SECONDS)


# --------------------------------------------------------------------------- processes


def pid_of(home: Home, module: str, instance: str) -> int:
    """The pid of a running module; 0 if it does not run."""
    task = process.find(home, module, instance)
    return task.pid if task else 0


def state_of(pid: int) -> str:
    """The state letter of /proc (``S``, ``T``, ``Z`` …); empty if there is no such process."""
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as stream:
            return stream.read().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return ""


def gone(pid: int) -> bool:
    """No such process, or nothing of it but its entry."""
    return state_of(pid) in ("", "Z", "X")


def start_ticks(pid: int) -> int:
    """When a process started (clock ticks since boot): with the pid, its identity. 0: none."""
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as stream:
            return int(stream.read().rpartition(")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return 0


def resident_mb(pid: int) -> float:
    """Resident memory."""
    try:
        with open("/proc/%d/statm" % pid, encoding="ascii") as stream:
            return int(stream.read().split()[1]) * process.PAGE_KB / 1024
    except (OSError, IndexError):
        return 0.0


def children_of(pid: int) -> List[Tuple[int, str, List[str]]]:
    """(pid, state, argv) of each child of a process."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/stat" % name, encoding="ascii", errors="replace") as stream:
                    fields = stream.read().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid:
                found.append((int(name), fields[0], process.command_line(int(name))))
    return found


def end(pid: int, ticks: int, number: int = signal.SIGKILL) -> None:
    """Kill exactly that process and wait until it is gone; another one of that pid is spared."""
    if pid and start_ticks(pid) == ticks:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        wait_until(lambda: gone(pid) or reaped(pid), 5, "process %d ends" % pid)


def reaped(pid: int) -> bool:
    """Collect the process if it is a child of ours that ended."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return False


def nlserver(home: Home, *arguments: str, check: bool = True) -> str:
    """Run ``bin/nlserver`` as an operator would; gives what it prints."""
    command = [home.join("bin", "nlserver"), *arguments]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=COMMAND_SECONDS, check=False, env=dict(os.environ, LC_ALL="C"),
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FaultError("nlserver %s: %s" % (" ".join(arguments), error)) from None
    output = done.stdout.decode("utf-8", "replace")
    if check and done.returncode != 0:
        last = (output.strip().splitlines() or ["no message"])[-1]
        raise FaultError(
            "nlserver %s: exit code %d, %s" % (" ".join(arguments), done.returncode, last)
        )
    return output


# ----------------------------------------------------------------------------- network


def udp_held(address: str, port: int) -> bool:
    """Does a process of this machine hold the UDP port at the address (or at all addresses)?"""
    return sockets.udp_bound(port, address, "0.0.0.0")


def tcp_accepts(address: str, port: int, seconds: float = 1.0) -> bool:
    """Is a connection accepted?"""
    try:
        socket.create_connection((address, port), seconds).close()
    except OSError:
        return False
    return True


def http(
    server: Server, port: str, path: str, seconds: float = 5.0, body: str = "",
    headers: Optional[Dict[str, str]] = None,
) -> Tuple[int, str]:  # fmt: skip
    """One request to the port named ``http`` or ``front``: (status, text); (0, reason) if none."""
    import http.client

    connection = http.client.HTTPConnection(server.address, server.ports[port], timeout=seconds)
    try:
        connection.request("POST" if body else "GET", path, body or None, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        return 0, error.__class__.__name__
    finally:
        connection.close()


def configured_port(server: Server, module: str, instance: str, attribute: str = "port") -> int:
    """The port that the configuration gives a module; the documented one if it is unreadable."""
    if module == "syslogd":
        return syslogd_address(server, process.environment(server.home))[1]
    names = {"web": "http", "stat": "stat"}
    default = server.ports[names[module]]
    try:
        return Config(server.home).settings(module, instance).number(attribute, default)
    except ConfigError:
        return default


def answers(server: Server, module: str, instance: str) -> bool:
    """Does the module run and, if it has a port, hold it?"""
    if not pid_of(server.home, module, instance):
        return False
    if module in ("syslogd", "stat"):
        return udp_held(server.address, configured_port(server, module, instance))
    if module == "web":
        port = configured_port(server, module, instance, "httpPort")
        return tcp_accepts(server.address, port)
    if module == "front":
        return tcp_accepts(server.address, server.ports["front"])
    return True


# ------------------------------------------------------------------------------- files


class LogFile:
    """A log file from a moment on: what has been written since."""

    def __init__(self, home: Home, instance: str, name: str) -> None:
        self.path = os.path.join(home.logs(instance), name + ".log")
        self.offset = self.size

    @property
    def size(self) -> int:
        """Bytes in the file; 0 if there is none."""
        try:
            return os.stat(self.path).st_size
        except OSError:
            return 0

    def new_text(self) -> str:
        """What came since this object was made."""
        try:
            with open(self.path, "rb") as stream:
                stream.seek(self.offset)
                return stream.read().decode("utf-8", "replace")
        except OSError:
            return ""

    def says(self, *words: str) -> bool:
        """Has one of these words come since?"""
        text = self.new_text()
        return any(word in text for word in words)


def last_line(path: str, size: int = 4000) -> str:
    """The last whole line of a file."""
    try:
        with open(path, "rb") as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - size))
            lines = stream.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return lines[-1] if lines else ""


def lock(path: str) -> None:
    """Make a file or directory unwritable for the account that it belongs to."""
    os.chmod(path, os.stat(path).st_mode & ~0o222)


def writable(path: str) -> bool:
    """May this account write there?"""
    return os.access(path, os.W_OK)
