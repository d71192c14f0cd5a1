"""An interrupted test run, benchmark, demo or stage leaves no process, memory or folder behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from campaign_lab import account
from campaign_lab.lab import Lab
from campaign_lab.modules.trackinglogd import find, find_semaphore
from integration.harness import BIN, CHECKOUT, wait_until

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
UP_SECONDS = 120
GONE_SECONDS = 60

TEST = """\
import time
from integration.harness import Lab

def test_with_a_lab(tmp_path):
    lab = Lab(tmp_path)
    try:
        lab.up()
        (tmp_path / "up").touch()
        time.sleep(600)
    finally:
        lab.down()
"""
STAGE = """\
dummy:
\t@{python} lab/labctl up --root $$TMPDIR/lab && touch $$TMPDIR/up && sleep 600
"""


class Victim:
    """Something that makes a lab below a temporary folder, to be killed while the lab is up."""

    def __init__(
        self, folder: Path, command: list[str | Path], cwd: Path = CHECKOUT, **env: str
    ) -> None:
        self.folder = folder
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self.output = folder / "output"
        environment = {
            **{key: value for key, value in os.environ.items() if key == "CAMPAIGN_TALLY"},
            "HOME": str(folder), "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1",
            "PATH": f"{BIN}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "TMPDIR": str(self.temporary), **env,
        }
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=output,
                stderr=output, start_new_session=True,
            )

    @property
    def said(self) -> str:
        return self.output.read_text(errors="replace")

    def roots(self) -> list[Path]:
        """Its labs."""
        return [Path(path) for path, _names, files in os.walk(self.folder) if "lab.json" in files]

    def up(self) -> bool:
        """Does it have a lab that works?"""
        assert self.process.poll() is None, self.said
        return self.wrote("up") or " is up: " in self.said

    def wrote(self, name: str) -> bool:
        """Is there such a file?"""
        return any(name in files for _path, _names, files in os.walk(self.temporary))

    def keys(self) -> list[int]:
        """Those of the shared memory of its servers."""
        return [key for root in self.roots() for server in Lab(str(root)).servers.values()
                for key in server.shared_memory_keys]

    def processes(self) -> list[str]:
        """All that has to do with its folder."""
        found = []
        for process in psutil.process_iter():
            try:
                words = process.cmdline()
                places = [process.cwd(), process.environ().get("TMPDIR", ""), *words]
            except psutil.Error:
                continue
            if any(str(self.folder) in place for place in places):
                found.append(f"{process.pid} {' '.join(words)}")
        return found

    def left(self, keys: list[int]) -> list[str]:
        """What it left behind."""
        return [
            *self.processes(),
            *(str(path) for path in self.temporary.iterdir()),
            *(str(path) for path in self.roots()),
            *(f"shared memory {key:#x}" for key in keys if find(key)),
            *(f"semaphore {key:#x}" for key in keys if find_semaphore(key) is not None),
            *(f"the account is kept for {root}" for root in self.registered()),
        ]

    def registered(self) -> list[str]:
        """Its labs for which the account of all labs is kept."""
        try:
            labs = json.loads(Path(account.REGISTER).read_text())["labs"]
        except FileNotFoundError:
            return []
        return [root for root in labs if root.startswith(str(self.folder))]

    def send(self, number: signal.Signals) -> None:
        """Ctrl-C reaches all of a terminal's group; the others the process alone."""
        if number == signal.SIGINT:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)


def run_of_tests(folder: Path) -> Victim:
    tests = folder / "tests"
    tests.mkdir()
    (tests / "test_lab.py").write_text(TEST)
    shutil.copy(CHECKOUT / "tests" / "conftest.py", tests)
    paths = " ".join(str(CHECKOUT / name) for name in ("lab", "tests", "tools"))
    (tests / "pytest.ini").write_text(f"[pytest]\nmarkers = nightly: x\npythonpath = {paths}\n")
    return Victim(folder, [sys.executable, "-m", "pytest", "-n", "1", "-p", "no:cacheprovider"],
                  tests)  # fmt: skip


def benchmark(folder: Path) -> Victim:
    script = CHECKOUT / "tests" / "benchmark" / "benchmark.py"
    victim = Victim(folder, [sys.executable, script, "--servers", "2", "--rounds", "1"])
    # It says nothing of a lab that is up; it has an inventory then.
    victim.up = lambda: victim.wrote("hosts.json")  # type: ignore[method-assign]
    return victim


def demo(folder: Path) -> Victim:
    return Victim(folder, [CHECKOUT / "tools" / "demo"], CAMPAIGN_LAB_ROOT=str(folder / "lab"))


def stages(folder: Path) -> Victim:
    checkout = folder / "checkout"
    (checkout / "tools").mkdir(parents=True)
    for name in ("caretaker.py", "stages.py"):
        shutil.copy(CHECKOUT / "tools" / name, checkout / "tools")
    (checkout / "tools" / "common").symlink_to(CHECKOUT / "tools" / "common")
    (checkout / "lab").symlink_to(CHECKOUT / "lab")
    (checkout / "Makefile").write_text(STAGE.format(python=sys.executable))
    return Victim(folder, [sys.executable, checkout / "tools" / "stages.py", "dummy"], checkout)


@pytest.fixture
def victims(tmp_path: Path) -> Iterator[list[Victim]]:
    """Those of a test; what is left of them when it has failed goes, too."""
    made: list[Victim] = []
    yield made
    for victim in made:
        victim.process.kill()
        victim.process.wait()
        for root in victim.roots():
            subprocess.run([sys.executable, CHECKOUT / "lab" / "labctl", "down", "--purge",
                            "--root", root], check=False, timeout=120)  # fmt: skip


@pytest.mark.parametrize("start", [run_of_tests, benchmark, demo, stages],
                         ids=lambda function: function.__name__)  # fmt: skip
def test_whatever_ends_it(start: object, victims: list[Victim], tmp_path: Path) -> None:
    assert callable(start)
    for number in SIGNALS:
        folder = tmp_path / number.name
        folder.mkdir()
        victims.append(start(folder))
    keys: list[list[int]] = []
    for number, victim in zip(SIGNALS, victims, strict=True):
        assert wait_until(victim.up, UP_SECONDS), victim.said
        keys.append(victim.keys())
        assert any(find(key) for key in keys[-1]), victim.said
        assert any(find_semaphore(key) is not None for key in keys[-1]), victim.said
        victim.send(number)
        assert victim.process.wait(GONE_SECONDS) != 0, victim.said
    for victim, own in zip(victims, keys, strict=True):
        assert wait_until(lambda: not victim.left(own), GONE_SECONDS), [  # noqa: B023
            *victim.left(own), victim.said]
