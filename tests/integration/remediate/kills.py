"""Four servers under repair, and what is killed of it at random moments.

A moment is found by what happens, not by the clock: the n-th process of a kind that the run starts,
and a share of the time that such processes took so far in the same run.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import IO, Any, NamedTuple

import psutil
import yaml

from integration.harness import (
    BIN,
    CHECKOUT,
    INVENTORY,
    REMEDIATE,
    START,
    Lab,
    environment,
    wait_until,
)
from integration.lab.conftest import process_table, working_in

MODULE, CHILD, ANSIBLE, COMMAND = "module", "child", "ansible", "command"
POLL = 0.01
LIMIT = 300.0
QUICK: dict[str, Any] = {
    "campaign_wait": 1, "campaign_gone_within": 10, "campaign_accept_lost_work": True,
    "campaign_restart_budget": 30, "campaign_recurrence": {"times": 100}, "campaign_timeout": 60,
    "campaign_lock_timeout": 60,
}  # fmt: skip
UTILITIES = ("mtachild", "runwf", "tracking", "export", "import")


class Work(NamedTuple):
    """A repair: what is broken for it, and what the site says of it."""

    fault: str
    variables: Mapping[str, Any] = {}


WORKS = {
    "restart": Work("module_memory_high"),
    "rebuild": Work("shared_memory_left"),
    "precision": Work("verbose_left_on"),
    "relaunch": Work("import_failed", {
        "campaign_mode": "full", "campaign_operator": "paul.roux",
        "campaign_no_duplicates_confirmed_by": "Berta Lang",
    }),
}  # fmt: skip


class Moment(NamedTuple):
    """When which process is killed."""

    victim: str
    ordinal: int
    """Of the processes of this kind on its host; of all modules where the whole run is killed."""
    share: float
    """Of the time that such a process takes, after it has begun."""

    @classmethod
    def of(cls, victim: str, chance: random.Random) -> Moment:
        """From the first look at the host to the last; a run starts at least so many."""
        least, most = {MODULE: (1, 5), CHILD: (1, 5)}.get(victim, (3, 22))
        return cls(victim, chance.randint(least, most), chance.random())


class Watch:
    """The processes of a run on its hosts, as the process table shows them."""

    def __init__(self, interpreters: Mapping[str, Path]) -> None:
        self._hosts = {bytes(path) + b"\0": host for host, path in interpreters.items()}
        self.begun: dict[tuple[str, str], list[int]] = defaultdict(list)
        """By host and kind: the processes in their order."""
        self.since: dict[int, float] = {}
        self._lives: dict[str, list[float]] = defaultdict(list)
        self.alive: set[int] = set()
        self.controller: set[int] = set()
        """What belongs to the run and is on no host."""

    def look(self, root: int) -> None:
        """One look at all that descends from a process."""
        now, seen, controller = time.monotonic(), set(), set()
        waiting: list[tuple[int, str]] = [(root, "")]
        while waiting:
            pid, above = waiting.pop()
            host = self._host(pid)
            if host:
                kind = CHILD if above else MODULE
                seen.add(pid)
                if pid not in self.since:
                    self.since[pid] = now
                    self.begun[host, kind].append(pid)
            elif not above:
                controller.add(pid)
            waiting += [(child, host or above) for child in _children(pid)]
        for pid in self.alive - seen:
            kind = next(kind for (_host, kind), pids in self.begun.items() if pid in pids)
            self._lives[kind].append(now - self.since[pid])
        self.alive, self.controller = seen, controller

    def _host(self, pid: int) -> str:
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as stream:
                words = stream.read(4096)
        except OSError:
            return ""
        return next((host for start, host in self._hosts.items() if words.startswith(start)), "")

    def victim(self, host: str, moment: Moment) -> int | None:
        """The process to kill, if its moment has come; of a host, or (empty) of the whole run."""
        kind = moment.victim if moment.victim in (MODULE, CHILD) else MODULE
        pids = [pid for (where, what), some in self.begun.items() for pid in some
                if what == kind and host in ("", where)]  # fmt: skip
        due = sorted(pids, key=self.since.__getitem__)[moment.ordinal - 1 :]
        lives = self._lives[kind]
        age = moment.share * (median(lives) if lives else 0.0)
        for pid in due:
            # Where it ended before its time came, it is the turn of the next one.
            if pid in self.alive and time.monotonic() - self.since[pid] >= age:
                return pid
        return None


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children") as stream:
                found.extend(map(int, stream.read().split()))
    return found


class Kills:
    """A lab of four servers, and runs over it that are killed."""

    def __init__(self, folder: Path, seed: str) -> None:
        self.folder = folder
        self.seed = seed
        self.lab = Lab(folder / "lab")
        self.servers = [f"app{number}" for number in range(1, len(WORKS) + 1)]
        self.interpreters: dict[str, Path] = {}
        self._used = False

    def up(self) -> None:
        """Start it; each host has a name of its own for Python, by which its modules are told."""
        self.lab.up(*self.servers)
        for server in self.servers:
            path = self.folder / server / "python3"
            path.parent.mkdir()
            path.symlink_to(os.path.realpath(sys.executable))
            self.interpreters[server] = path
        jobs = [self.lab.home(server) / "var/prod" for server in self.servers]
        assert wait_until(lambda: all(
            any((job / "export").glob("contacts_export*.csv"))
            and any((job / "import").glob("contacts_import*.done")) for job in jobs
        ), 120)  # fmt: skip

    def down(self) -> None:
        self.lab.down()

    def modules(self, server: str) -> dict[str, int]:
        """module@instance: pid, by the process table alone."""
        found = {}
        table = {process.pid: process for process in process_table()}
        for process in table.values():
            words, parent = process.arguments, table.get(process.parent)
            if len(words) < 2 or words[0] != "nlserver" or words[1] in UTILITIES or (
                parent and parent.arguments == words
            ):  # fmt: skip
                continue
            if working_in(process.pid, self.lab.home(server) / "lib"):
                instance = next((w.partition(":")[2] for w in words if w.startswith("-instance:")),
                                "default")  # fmt: skip
                found[f"{words[1]}@{instance}"] = process.pid
        return found

    def launches(self, server: str) -> int:
        """How many imports have begun, as the server's own log has it."""
        log = self.lab.home(server) / "var/prod/log/import.log"
        return len(START.findall(log.read_text())) if log.exists() else 0

    def round(self, name: str, victims: list[str]) -> Round:
        """Another round: whole servers, broken again."""
        if self._used:
            self.lab.ctl("heal", "--all", check=False)
            self.lab.forget()
        self._used = True
        return Round(self, name, victims)


class Round:
    """All four servers broken, one run that is killed, one run after it."""

    def __init__(self, kills: Kills, name: str, victims: list[str]) -> None:
        self.kills, self.lab = kills, kills.lab
        chance = random.Random(f"{kills.seed} {name}")
        works = [*WORKS]
        chance.shuffle(works)
        self.works = dict(zip(kills.servers, works, strict=True))
        whole = victims[0] in (ANSIBLE, COMMAND)
        self.moments = {
            host: Moment.of(victim, chance)
            for host, victim in zip([""] if whole else kills.servers, victims, strict=True)
        }
        self.command = victims[0] == COMMAND
        self.killed: dict[str, int] = {}
        self._orphans: dict[int, float] = {}
        """What the run had started on the controller when it was killed: pid and start."""
        self.folder = kills.folder / name.replace(" ", "-")
        self.folder.mkdir()
        self.inventory = self._write_inventory()

    def __str__(self) -> str:
        return f"{self.works}, {self.moments}, killed {self.killed}, {self.folder}"

    def _write_inventory(self) -> Path:
        path = self.folder / "site.yml"
        path.write_text(yaml.safe_dump({"all": {"hosts": {
            server: {**QUICK, **WORKS[work].variables,
                     "ansible_python_interpreter": str(self.kills.interpreters[server])}
            for server, work in self.works.items()
        }}}))  # fmt: skip
        return path

    def prepare(self) -> None:
        """Break each server; what the import waited for has come."""
        self.before = {server: self.kills.modules(server) for server in self.works}
        for server, work in self.works.items():
            self.lab.ctl("break", WORKS[work].fault, "--server", server)
            if work == "relaunch":
                for late in (self.lab.root / server).rglob("*.late"):
                    late.rename(late.with_suffix(""))
        self.launched = {server: self.kills.launches(server) for server in self.works}

    def _start(self, output: IO[bytes]) -> subprocess.Popen[bytes]:
        extra = json.dumps({"campaign_report_dir": str(self.folder / "killed")})
        words: list[str | Path] = [BIN / "ansible-playbook", REMEDIATE, "-i", INVENTORY]
        if self.command:
            words = [BIN / "campaign-doctor", "remediate", "--yes", "-i", INVENTORY]
        return subprocess.Popen(
            [*words, "-i", self.inventory, "-e", extra], cwd=CHECKOUT, stdin=subprocess.DEVNULL,
            env=environment(**self.lab.env), stdout=output, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip

    def run_and_kill(self) -> None:
        """A run, until it has ended or is killed."""
        watch = Watch(self.kills.interpreters)
        waiting = dict(self.moments)
        with (self.folder / "killed.log").open("wb") as output:
            process = self._start(output)
            try:
                end = time.monotonic() + LIMIT
                while process.poll() is None and waiting:
                    assert time.monotonic() < end, self.output()
                    watch.look(process.pid)
                    for host, moment in [*waiting.items()]:
                        if victim := watch.victim(host, moment):
                            self._kill(moment, process.pid, victim, watch)
                            self.killed[host] = victim
                            del waiting[host]
                    time.sleep(POLL)
                if "" not in self.killed:
                    process.wait(LIMIT)
            finally:
                if process.poll() is None and "" not in self.killed:
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        assert wait_until(lambda: not [*self._leftovers()], LIMIT), [*self._leftovers()]

    def _kill(self, moment: Moment, root: int, victim: int, watch: Watch) -> None:
        for pid in watch.controller:
            with contextlib.suppress(psutil.Error):
                self._orphans[pid] = psutil.Process(pid).create_time()
        doomed = {MODULE: [victim], CHILD: [victim], COMMAND: [root]}.get(moment.victim)
        if doomed is None:  # Ansible, all of it; what it has started on the hosts goes on
            doomed = sorted(pid for pid in watch.controller if _is_of_ansible(pid))
        for pid in doomed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _leftovers(self) -> Iterator[str]:
        """What is still at work of the run, here or on a host: it ends by itself."""
        for pid, start in self._orphans.items():
            with contextlib.suppress(psutil.Error):
                left = psutil.Process(pid)
                if left.create_time() == start and left.status() != psutil.STATUS_ZOMBIE:
                    yield f"{pid} {' '.join(left.cmdline())}"
        marks = [str(self.inventory), *map(str, self.kills.interpreters.values())]
        for process in process_table():
            line = " ".join(process.arguments)
            if any(mark in line for mark in marks):
                yield line

    def output(self) -> str:
        """What the killed run said."""
        return (self.folder / "killed.log").read_text(errors="replace")

    def ledger(self, server: str) -> list[dict[str, Any]]:
        return self.lab.ledger(server)


def _is_of_ansible(pid: int) -> bool:
    try:
        return b"ansible-playbook" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
