"""Starts and stops the lab's outside world: one process of ``peers.py`` for a whole lab.

Everything is in ``<root>/outside``: ``mail/<address>/`` (what arrived), ``accounts.json``
(POP3 logins), ``closed/`` (services that are down), ``peers.pid`` and ``peers.log``.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

from campaign_lab.account import privileged

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent.parent
FINDS_TWISTED = "from importlib.util import find_spec; find_spec('twisted.mail.smtp').origin"
"""It is there; to load it takes as long as to start the mail servers."""
INSTALL = "python3 -m venv .venv && .venv/bin/pip install Twisted"


class OutsideError(Exception):
    """One line for the person at labctl."""


def interpreter() -> str:
    """A Python that has Twisted: this one, $CAMPAIGN_LAB_PEERS_PYTHON, .venv's or the system's."""
    candidates: List[Optional[str]] = [
        os.environ.get("CAMPAIGN_LAB_PEERS_PYTHON"),
        str(CHECKOUT / ".venv" / "bin" / "python"),
        sys.executable,
        shutil.which("python3"),
    ]
    for candidate in candidates:
        if candidate and os.access(candidate, os.X_OK):
            asked = [candidate, "-I", "-c", FINDS_TWISTED]
            if subprocess.run(asked, stderr=subprocess.DEVNULL, check=False).returncode == 0:
                return candidate
    raise OutsideError(
        "the lab's mail servers need Twisted, and no Python here has it; in %s run: %s"
        % (CHECKOUT, INSTALL)
    )


def _as_whoever_runs_labctl(method: Any) -> Any:
    """What is outside all servers is not their account's."""

    @functools.wraps(method)
    def wrapped(*arguments: Any, **more: Any) -> Any:
        with privileged():
            return method(*arguments, **more)

    return wrapped


class Outside:
    """The mail peers of the lab at ``root``."""

    def __init__(self, root: str, address: str, smtp_port: int, pop3_port: int) -> None:
        self.directory = Path(root) / "outside"
        self.address = address
        self.ports: Dict[str, int] = {"smtp": smtp_port, "pop3": pop3_port}

    @classmethod
    def of(cls, root: str, peers: Mapping[str, Any]) -> Outside:
        """From the ``outside`` entry of the lab's state."""
        return cls(root, peers["address"], peers["smtp_port"], peers["pop3_port"])

    @property
    def pid(self) -> Optional[int]:
        """The process, if it lives and is ours."""
        try:
            pid = int((self.directory / "peers.pid").read_text())
            arguments = Path("/proc/%d/cmdline" % pid).read_bytes().split(b"\0")
        except (OSError, ValueError):
            return None
        return pid if os.fsencode(self.directory) in arguments else None

    @_as_whoever_runs_labctl
    def start(self) -> int:
        """Start the process unless it runs; return when every open service answers."""
        running = self.pid
        if running is not None:
            return running
        self.directory.mkdir(parents=True, exist_ok=True)
        command = [
            interpreter(), "-I", str(HERE / "peers.py"), str(self.directory), self.address,
            str(self.ports["smtp"]), str(self.ports["pop3"]),
        ]  # fmt: skip
        with (self.directory / "peers.log").open("ab") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=str(self.directory), start_new_session=True,
            )  # fmt: skip
        (self.directory / "peers.pid").write_text("%d\n" % process.pid)
        try:
            self._settle(process)
        except OutsideError:
            process.kill()
            process.wait()
            raise
        return process.pid

    @_as_whoever_runs_labctl
    def stop(self) -> None:
        pid = self.pid
        if pid is not None:
            os.kill(pid, signal.SIGTERM)
            deadline = time.monotonic() + 5
            while self.pid is not None and time.monotonic() < deadline:
                _reap(pid)
                time.sleep(0.02)
            if self.pid is not None:
                os.kill(pid, signal.SIGKILL)
                _reap(pid)
        (self.directory / "peers.pid").unlink(missing_ok=True)

    @_as_whoever_runs_labctl
    def add_mailbox(self, login: str, password: str) -> None:
        """Make a POP3 login; mail to ``<login>@bounces.lab`` arrives there."""
        (self.mailbox(login)).mkdir(parents=True, exist_ok=True)
        file = self.directory / "accounts.json"
        accounts = json.loads(file.read_text()) if file.exists() else {}
        accounts[login] = password
        draft = file.with_suffix(".new")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(accounts, indent=1, sort_keys=True))
        draft.replace(file)

    def mailbox(self, address: str) -> Path:
        """The directory of the mails of an address, or of a POP3 login."""
        return self.directory / "mail" / address.lower()

    @_as_whoever_runs_labctl
    def put(self, login: str, content: bytes, copies: int = 1) -> None:
        """Lay mails into a mailbox as if they had arrived."""
        box = self.mailbox(login)
        box.mkdir(parents=True, exist_ok=True)
        now = time.time()
        for number in range(copies):
            (box / ("%.6f.put.%06d" % (now, number))).write_bytes(content)

    @_as_whoever_runs_labctl
    def close(self, service: str) -> None:
        """Take ``smtp`` or ``pop3`` down: its port refuses connections from now on."""
        (self.directory / "closed").mkdir(parents=True, exist_ok=True)
        (self.directory / "closed" / service).touch()
        self._follow()

    @_as_whoever_runs_labctl
    def open(self, service: str) -> None:
        """Undo ``close``."""
        (self.directory / "closed" / service).unlink(missing_ok=True)
        self._follow()

    def is_open(self, service: str) -> bool:
        """Whether the port accepts a connection now."""
        try:
            socket.create_connection((self.address, self.ports[service]), 1).close()
        except OSError:
            return False
        return True

    def _wanted(self, service: str) -> bool:
        return not (self.directory / "closed" / service).exists()

    def _follow(self) -> None:
        pid = self.pid
        if pid is not None:
            os.kill(pid, signal.SIGHUP)
            self._settle(None)

    def _settle(self, process: Optional[subprocess.Popen[bytes]]) -> None:
        deadline = time.monotonic() + 60
        while not all(self.is_open(name) == self._wanted(name) for name in self.ports):
            if process is not None and process.poll() is not None:
                raise OutsideError("the mail servers did not start: %s" % self._last_words())
            if time.monotonic() > deadline:
                raise OutsideError("the mail servers do not listen as they should")
            time.sleep(0.05)

    def _last_words(self) -> str:
        lines = (self.directory / "peers.log").read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "no message"


def _reap(pid: int) -> None:
    """Collect the process if it is our child."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass
