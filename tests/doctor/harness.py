"""campaign-doctor as a person or a scheduler runs it: the real command, in a home of its own."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from campaign_lab.layout import LAB_PASSWORD
from integration.harness import BIN, INVENTORY, Lab, environment, leaks

DOCTOR = BIN / "campaign-doctor"
SECONDS = 180  # whatever takes longer hangs, on a busy machine too

# What the tests' remediations use: nothing of the lab needs half a minute to stay up.
FAST = (
    "-e", "campaign_wait=1",
    "-e", '{"campaign_gone_within": 2, "campaign_accept_lost_work": true}',
)


class Done(NamedTuple):
    """A finished command."""

    words: list[str]
    code: int
    out: str
    err: str

    def __str__(self) -> str:
        head = f"$ {' '.join(self.words)}\n(code {self.code})"
        return f"{head}\n--- out\n{self.out}\n--- err\n{self.err}"


class Person:
    """Somebody with a home, a temporary directory and a working directory, all empty."""

    def __init__(self, folder: Path, **env: str) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.tmp = folder / "tmp"
        self.work = folder / "work"
        for place in (self.home, self.tmp, self.work):
            place.mkdir(mode=0o700, exist_ok=True)
        self.env = {
            **environment(), "HOME": str(self.home), "TMPDIR": str(self.tmp),
            "ANSIBLE_HOME": str(self.home / ".ansible"), "COLUMNS": "120", **env,
        }
        # Of the tests' own making; the command has to do without.
        for name in ("ANSIBLE_NOCOLOR", "ANSIBLE_DEPRECATION_WARNINGS"):
            self.env.pop(name, None)

    def run(self, *words: str | Path, env: Mapping[str, str] | None = None) -> Done:
        """Run it without a terminal, to its end; nothing stays behind and no password is told."""
        command = [str(DOCTOR), *map(str, words)]
        done = subprocess.run(
            command, cwd=self.work, env={**self.env, **(env or {})}, stdin=subprocess.DEVNULL,
            capture_output=True, timeout=SECONDS, check=False,
        )
        result = Done(command, done.returncode, done.stdout.decode("utf-8", "replace"),
                      done.stderr.decode("utf-8", "replace"))
        assert "Traceback" not in result.err, str(result)
        self.nothing_left(str(result))
        return result

    def start(self, *words: str | Path, **options: Any) -> subprocess.Popen[str]:
        """Start it, in a process group of its own."""
        return subprocess.Popen(
            [str(DOCTOR), *map(str, words)], cwd=self.work, env=self.env,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True, **options,
        )

    def nothing_left(self, said: str = "") -> None:
        """No private directory, no process of Ansible, no password anywhere."""
        assert list(self.tmp.glob("campaign-doctor-*")) == [], said
        assert LAB_PASSWORD not in said, "a password was shown"
        # An inventory may hold it; nothing that the command makes does.
        assert [path for path in leaks(self.folder) if path.parent != self.work] == [], said

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

    def report(self, *words: str | Path) -> dict[str, Any]:
        """The last run, as it is kept."""
        shown = self.run("show", "last", "--format", "json", *words)
        loaded: dict[str, Any] = json.loads(shown.out)
        return loaded

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
