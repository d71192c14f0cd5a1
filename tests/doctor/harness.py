"""campaign-doctor as a person or a scheduler runs it: the real command, in a home of its own."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from campaign_doctor.history import History
from campaign_lab.layout import LAB_PASSWORD
from integration.harness import BIN, CHECKOUT, INVENTORY, Lab, environment, leaks

DOCTOR = BIN / "campaign-doctor"
SECONDS = 300  # whatever takes longer hangs, on a busy machine too

# What the tests' remediations use: nothing of the lab needs half a minute to stay up.
FAST = (
    "-e", "campaign_wait=1",
    "-e", '{"campaign_gone_within": 2, "campaign_accept_lost_work": true}',
)

UNREACHABLE = {
    "ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 9,
    "ansible_ssh_common_args": "-o ConnectTimeout=3 -o BatchMode=yes",
}


class Done(NamedTuple):
    """A finished command."""

    words: list[str]
    code: int
    out: str
    err: str

    def __str__(self) -> str:
        head = f"$ {' '.join(self.words)}\n(code {self.code})"
        return f"{head}\n--- out\n{self.out}\n--- err\n{self.err}"


class Said:
    """What a started command says, read as it comes."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._lines: list[str] = []
        self._ended = False
        self._more = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Said:
        self._reader.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        self.process.wait()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._more:
                self._lines.append(line)
                self._more.notify_all()
        with self._more:
            self._ended = True
            self._more.notify_all()

    def _wait(self, wanted: object, there: Callable[[str], bool]) -> str:
        end = time.monotonic() + SECONDS
        with self._more:
            while not there(text := "".join(self._lines)):
                assert not self._ended, f"it ended without {wanted}:\n{text}"
                self._more.wait(end - time.monotonic())
                assert time.monotonic() < end, f"{wanted} never came:\n{text}"
        return text

    def until(self, text: str) -> str:
        """Wait until it has said this; all that it has said."""
        return self._wait(text, lambda told: text in told)

    def lines(self, count: int) -> list[str]:
        """Wait until it has said so many lines; all that there are."""
        return self._wait(f"line {count}", lambda told: told.count("\n") >= count).splitlines()

    def end(self) -> str:
        """Wait until it has ended; all that it has said."""
        self.process.wait(SECONDS)
        self._reader.join(SECONDS)
        return "".join(self._lines)


class Person:
    """Somebody with a home, a temporary directory and a working directory, all empty."""

    def __init__(self, folder: Path, **env: str) -> None:
        self.command = [str(DOCTOR)]
        self.folder = folder
        self.home = folder / "home"
        self.tmp = folder / "tmp"
        self.work = folder / "work"
        self.history = self.home / ".local" / "state" / "campaign-doctor" / "history.db"
        for place in (self.home, self.tmp, self.work):
            place.mkdir(mode=0o700, exist_ok=True)
        self.env = {
            **environment(), "HOME": str(self.home), "TMPDIR": str(self.tmp),
            "ANSIBLE_HOME": str(self.home / ".ansible"), "COLUMNS": "120",
            # This checkout's package, whichever one the virtual environment points to.
            "PYTHONPATH": f"{environment()['PYTHONPATH']}{os.pathsep}{CHECKOUT}", **env,
        }
        # Of the tests' own making; the command has to do without.
        for name in ("ANSIBLE_NOCOLOR", "ANSIBLE_DEPRECATION_WARNINGS"):
            self.env.pop(name, None)

    def run(self, *words: str | Path, env: Mapping[str, str] | None = None) -> Done:
        """Run it without a terminal, to its end; nothing stays behind and no password is told."""
        called = [str(word) for word in words]
        code, out, err = self.execute(called, {**self.env, **(env or {})})
        result = Done([*self.command, *called], code, out.decode("utf-8", "replace"),
                      err.decode("utf-8", "replace"))
        assert "Traceback" not in result.err, str(result)
        self.nothing_left(str(result))
        return result

    def execute(self, words: list[str], env: Mapping[str, str]) -> tuple[int, bytes, bytes]:
        """Call the command: its code, and what came on stdout and stderr."""
        done = subprocess.run(
            [*self.command, *words], cwd=self.work, env=env, stdin=subprocess.DEVNULL,
            capture_output=True, timeout=SECONDS, check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def start(self, *words: str | Path, **options: Any) -> subprocess.Popen[str]:
        """Start it, in a process group of its own."""
        return subprocess.Popen(
            [*self.command, *map(str, words)], cwd=self.work, env=self.env,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True, **options,
        )

    def nothing_left(self, said: str = "") -> None:
        """No private directory, no process of Ansible, no password anywhere."""
        assert list(self.tmp.glob("campaign-doctor-*")) == [], said
        assert LAB_PASSWORD not in said, "a password was shown"
        # An inventory may hold it; nothing that the command makes does.
        assert [path for path in leaks(self.folder) if path.parent != self.work] == [], said

    def report(self) -> dict[str, Any]:
        """The last run, as it is kept."""
        history = History(self.history, print)
        return dict(history.get(history.find("last").number).as_json())

    def processes(self) -> list[psutil.Process]:
        """What runs with this person's temporary directory: the command and all of Ansible."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("TMPDIR") == str(self.tmp):
                    found.append(process)
            except psutil.Error:
                continue
        return found


class Site(Person):
    """A person with the lab's inventory."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        super().__init__(folder, **lab.env)
        self.lab = lab
        self.ill = False

    def breaks(self, fault: str) -> None:
        """Break something; the fixture heals it."""
        self.ill = True
        self.lab.ctl("break", fault)

    def doctor(self, command: str, *words: str | Path, **options: Any) -> Done:
        """Run a command on the lab."""
        return self.run(*command.split(), "-i", INVENTORY, *words, **options)

    def inventory(self, hosts: Mapping[str, Mapping[str, Any]]) -> Path:
        """An inventory file of these hosts."""
        path = self.work / "hosts.json"
        path.write_text(json.dumps({"campaign": {"hosts": hosts}}))
        return path

    def variables(self) -> dict[str, Any]:
        """What the lab says of app1."""
        return self.lab.variables()


def until(seconds: float, *conditions: Any, every: float = 0.2) -> None:
    """Wait until all of them hold."""
    end = time.monotonic() + seconds
    while not all(condition() for condition in conditions):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(every)


def is_root() -> bool:
    """Whether mounts can be made."""
    return os.geteuid() == 0
