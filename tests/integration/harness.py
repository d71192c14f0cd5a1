"""A lab and the playbooks, as a person would run them: real commands, with time limits."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from campaign_lab.layout import LAB_PASSWORD

CHECKOUT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
LABCTL = CHECKOUT / "lab" / "labctl"
INVENTORY = CHECKOUT / "inventories" / "lab"
DIAGNOSE = CHECKOUT / "playbooks" / "diagnose.yml"
REMEDIATE = CHECKOUT / "playbooks" / "remediate.yml"

# What a terminal shows of an internal error, and never of an expected one.
TRACES = ("Traceback (most recent call last)", "MODULE FAILURE", "Unexpected failure")

START = re.compile(r"start \(pid=(\d+)")
GZIP = b"\x1f\x8b"


class Run(NamedTuple):
    """A finished command."""

    command: list[str]
    code: int
    output: str
    seconds: float
    report_dir: Path

    @property
    def report(self) -> dict[str, Any]:
        """The run's report.json."""
        path = self.report_dir / "report.json"
        assert path.exists(), f"no report was written:\n{self}"
        loaded: dict[str, Any] = json.loads(path.read_text())
        return loaded

    def host(self, name: str) -> dict[str, Any]:
        """The report's entry of one host."""
        hosts = {host["name"]: host for host in self.report["hosts"]}
        assert name in hosts, f"{name} is not in the report: {sorted(hosts)}\n{self}"
        entry: dict[str, Any] = hosts[name]
        return entry

    def findings(self, name: str) -> list[dict[str, Any]]:
        """All findings of a host."""
        found: list[dict[str, Any]] = self.host(name)["findings"]
        return found

    def __str__(self) -> str:
        return f"$ {' '.join(self.command)}\n(exit code {self.code})\n{self.output}"


def environment(**more: str) -> dict[str, str]:
    """A bare environment, with the tools of the virtual environment first."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in {"HOME", "USER", "TMPDIR", "LANG", "CAMPAIGN_TALLY"} or name.startswith("LC_")
    }
    return {
        **kept,
        "LANG": kept.get("LANG", "C.UTF-8"),
        "PATH": os.pathsep.join([str(BIN), "/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
                                 "/usr/bin", "/sbin", "/bin"]),
        # Compiled once for all, and nothing beside the sources.
        "PYTHONPYCACHEPREFIX": str(CHECKOUT / "build" / "pycache"),
        "PYTHONPATH": str(CHECKOUT / "tests" / "compiled"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_DEPRECATION_WARNINGS": "0",
        **more,
    }


def owner_of(home: Path) -> dict[str, Any]:
    """For subprocess: to run as the account that this belongs to, if it is not one's own."""
    status = home.stat()
    if os.geteuid() != 0 or status.st_uid == 0:
        return {}
    return {"user": status.st_uid, "group": status.st_gid, "extra_groups": []}


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path = CHECKOUT,
    env: Mapping[str, str] | None = None,
    timeout: float = 180,
    report_dir: Path = Path("/nonexistent"),
    **account: Any,
) -> Run:
    """Run a command without a terminal; its output is what a person would have seen."""
    words = [str(word) for word in command]
    started = time.monotonic()
    done = subprocess.run(
        words, cwd=cwd, env=environment(**(env or {})), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout, check=False, **account,
    )
    output = done.stdout.decode("utf-8", "replace")
    return Run(words, done.returncode, output, time.monotonic() - started, report_dir)


def playbook(
    name: str | Path = DIAGNOSE,
    *arguments: str | Path,
    report_dir: Path,
    inventory: str | Path = INVENTORY,
    variables: Mapping[str, Any] | None = None,
    cwd: Path = CHECKOUT,
    env: Mapping[str, str] | None = None,
    timeout: float = 180,
    program: Path = BIN / "ansible-playbook",
) -> Run:
    """Run ansible-playbook; the report goes to report_dir."""
    extra = {"campaign_report_dir": str(report_dir), **(variables or {})}
    command = [program, name, "-i", inventory, "-e", json.dumps(extra), *arguments]
    done = run(command, cwd=cwd, env=env, timeout=timeout, report_dir=report_dir)
    for trace in TRACES:
        assert trace not in done.output, str(done)
    assert LAB_PASSWORD not in done.output, "a password was shown"
    for path in leaks(report_dir):
        raise AssertionError(f"a password is in {path}")
    return done


def leaks(folder: Path) -> list[Path]:
    """Files that hold the lab's password, also packed ones."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            if data.startswith(GZIP):
                data = gzip.decompress(data)
            if LAB_PASSWORD.encode() in data:
                found.append(path)
    return found


PATIENT = {"campaign_api_timeout": 60}
"""A machine that is busy with other tests answers late."""


class Lab:
    """A lab under its own root, driven through lab/labctl."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.env = {"CAMPAIGN_LAB_ROOT": str(root)}

    def ctl(self, *arguments: str, check: bool = True, timeout: float = 120) -> Run:
        """Run lab/labctl."""
        done = run([sys.executable, LABCTL, *arguments], env=self.env, timeout=timeout)
        assert not check or done.code == 0, str(done)
        return done

    def up(self, *servers: str, instances: Sequence[str] = ()) -> None:
        """Start it."""
        self.ctl(
            "up",
            *(word for name in servers for word in ("--server", name)),
            *(word for name in instances for word in ("--instance", name)),
            timeout=120 + 15 * len(servers),
        )

    def down(self) -> None:
        """Stop it, whatever its state, and remove it."""
        self.ctl("down", "--purge", check=False)

    def variables(self, server: str = "app1") -> dict[str, Any]:
        """What the lab's inventory says of a server."""
        hosts: dict[str, Any] = json.loads(self.ctl("inventory").output)["_meta"]["hostvars"]
        known: dict[str, Any] = hosts[server]
        return known

    def home(self, server: str = "app1") -> Path:
        """A server's nl6."""
        return self.root / server / "nl6"

    def state_dir(self, server: str = "app1") -> Path:
        """Where remedies leave their ledger, lock and evidence on a server."""
        return self.home(server).parent / "remediation"

    def ledger(self, server: str = "app1") -> list[dict[str, Any]]:
        """What has been done on a server."""
        path = self.state_dir(server) / "ledger.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def forget(self) -> None:
        """Remove what remedies left, and of the logs all but where what runs has begun: no test has
        to do with the budget, the lock of a run that was killed, the errors and the deaths of the
        one before it.
        """
        for path in self.root.glob("*/remediation"):
            shutil.rmtree(path)
        for log in self.root.glob("*/nl6/var/*/log/*.log"):
            lines = log.read_text().splitlines(keepends=True)
            starts = ((START.search(line), line) for line in lines)
            kept = [line for start, line in starts if start and psutil.pid_exists(int(start[1]))]
            log.write_text("".join(kept))

    def nlserver(self, *arguments: str, server: str = "app1") -> Run:
        """Run the server's own command, as the account that it belongs to."""
        home = self.home(server)
        return run([home / "bin" / "nlserver", *arguments], cwd=Path("/"), timeout=30,
                   **owner_of(home))

    def diagnose(self, report_dir: Path, *arguments: str | Path, **options: Any) -> Run:
        """Run playbooks/diagnose.yml on this lab."""
        return self._play(DIAGNOSE, report_dir, arguments, options)

    def remediate(self, report_dir: Path, *arguments: str | Path, **options: Any) -> Run:
        """Run playbooks/remediate.yml on this lab."""
        return self._play(REMEDIATE, report_dir, arguments, options)

    def _play(
        self, name: Path, report_dir: Path, arguments: Sequence[str | Path], options: dict[str, Any]
    ) -> Run:
        options["env"] = {**self.env, **options.get("env", {})}
        if "-i" not in arguments:  # an inventory of the test's own says what it needs
            options["variables"] = {**PATIENT, **(options.get("variables") or {})}
        return playbook(name, *arguments, report_dir=report_dir, **options)


def wait_until(true: Callable[[], bool], seconds: float, every: float = 0.3) -> bool:
    """Wait for a condition; its last answer."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(every)
    return True
