"""A lab of its own for each test module: brought up by labctl, looked at from outside."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from campaign_lab.lab import Lab
from campaign_lab.layout import Server
from integration.harness import owner_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHECKOUT = Path(__file__).resolve().parents[3]
LABCTL = CHECKOUT / "lab" / "labctl"


class Process(NamedTuple):
    """One line of the process table."""

    pid: int
    parent: int
    state: str
    arguments: list[str]

    @property
    def module(self) -> str:
        """``wfserver``, for ``nlserver wfserver …``."""
        return self.arguments[1] if len(self.arguments) > 1 else ""


class LabUnderTest:
    """A running lab and the ways to look at it."""

    def __init__(self, root: Path, python: str = sys.executable) -> None:
        self.root = root
        self.python = python

    def labctl(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run labctl on this lab."""
        done = subprocess.run(
            [self.python, str(LABCTL), *words],
            env={**os.environ, "CAMPAIGN_LAB_ROOT": str(self.root),
                 "CAMPAIGN_LAB_PEERS_PYTHON": sys.executable},
            capture_output=True, text=True, timeout=120, check=False,
        )
        if check and done.returncode:
            pytest.fail(f"labctl {' '.join(words)}: {done.stdout}{done.stderr}")
        return done

    @property
    def servers(self) -> dict[str, Server]:
        """What lab.json says."""
        return Lab(str(self.root)).servers

    @property
    def server(self) -> Server:
        """The first server."""
        return next(iter(self.servers.values()))

    @property
    def home(self) -> Path:
        """The first server's home."""
        return Path(self.server.home.path)

    def nlserver(
        self, *words: str, server: str = "", check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run nlserver on a server (the first), as its account."""
        home = Path(self.servers[server].home.path) if server else self.home
        done = subprocess.run([home / "bin" / "nlserver", *words], capture_output=True, text=True,
                              timeout=60, check=False, cwd="/", **owner_of(home))
        if check and done.returncode:
            pytest.fail(f"nlserver {' '.join(words)}: {done.stdout}{done.stderr}")
        return done

    def processes(self, server: str = "") -> list[Process]:
        """The server's processes, from the process table alone."""
        home = Path(self.servers[server].home.path) if server else self.home
        return [process for process in process_table() if working_in(process.pid, home / "lib")]

    def pid(self, module: str, instance: str = "", server: str = "") -> int:
        """The pid of a module by its command line; 0 if it does not run."""
        for process in self.processes(server):
            of_instance = f"-instance:{instance}" in process.arguments or not instance
            if process.module == module and of_instance:
                return process.pid
        return 0

    def running(self, module: str, instance: str = "") -> int:
        """The pid of a module, once it runs: what is to get a signal is never 0."""
        pid: int = eventually(lambda: self.pid(module, instance), what=f"{module} does not run")
        return pid

    def log(self, instance: str, name: str) -> str:
        """The text of a log file; empty if there is none."""
        path = self.home / "var" / instance / "log" / f"{name}.log"
        return path.read_text(encoding="utf-8") if path.exists() else ""


LONGEST_COMMAND = 4 << 20  # more than the kernel lets anybody start


def process_table() -> list[Process]:
    """Every process with a command line (zombies have none)."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                words = _read(f"/proc/{name}/cmdline").decode("utf-8", "replace")
                fields = _read(f"/proc/{name}/stat").rpartition(b")")[2].split()
            except OSError:
                continue
            found.append(
                Process(int(name), int(fields[1]), fields[0].decode(), words.split("\0")[:-1])
            )
    return found


def _read(path: str) -> bytes:
    """Without a buffer: tests that wait read hundreds of these files many times a second."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, LONGEST_COMMAND)
    finally:
        os.close(descriptor)


def working_in(pid: int, directory: Path) -> bool:
    """Is this the working directory of that process?"""
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == directory
    except OSError:
        return False


def eventually(condition: Callable[[], Any], seconds: float = 30, what: str = "") -> Any:
    """Wait for a condition; its value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            pytest.fail(what or "did not happen in time")
        time.sleep(0.03)


@pytest.fixture(name="eventually", scope="session")
def eventually_fixture() -> Callable[..., Any]:
    """The function, for the test modules."""
    return eventually


@pytest.fixture(scope="session")
def empty_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., LabUnderTest]]:
    """Makes labs that are not up yet; takes all of them down at the end."""
    made: list[LabUnderTest] = []

    def make(python: str = sys.executable) -> LabUnderTest:
        made.append(LabUnderTest(tmp_path_factory.mktemp("lab"), python))
        return made[-1]

    yield make
    for lab in made:
        lab.labctl("down", "--purge", check=False)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabUnderTest]:
    """A lab with server ``app1`` and instance ``prod``."""
    under_test = LabUnderTest(tmp_path_factory.mktemp("lab"))
    try:
        under_test.labctl("up")
        yield under_test
    finally:
        under_test.labctl("down", "--purge", check=False)
