#!/usr/bin/env python3
# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Waits for the end of a process, however it ends, and removes what it left behind.

usage: tools/caretaker.py PID FOLDER [--lab DIR] [--hosts RUN]

Every program that creates labs starts one: pytest, the benchmark, the demo, tools/stages.py,
tools/scenarios.py. It comes back at once and prints the pid of the caretaker, which waits in a
session of its own and ignores Ctrl-C. When PID has ended, the caretaker

* kills the processes that it left: all that have FOLDER as their TMPDIR, and those that work in it
  without a terminal, and their shared memory (a person who looks at files there keeps the shell);
* takes down every lab below FOLDER, and below DIR;
* removes the podman hosts of RUN (tools/hosts.py);
* removes FOLDER, and the account of the labs if no lab is left.

SIGUSR1 dismisses it: everything stays. Run it with `python -IS`: it loads next to nothing and waits
without any processor time.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import NoReturn

HERE = os.path.dirname(os.path.realpath(__file__))
LABCTL = os.path.join(os.path.dirname(HERE), "lab", "labctl")
ACCOUNT = "/var/lib/campaign-lab"  # as lab/campaign_lab/account.py has it
HOSTS = os.path.join(HERE, "hosts.py")
NAME = os.path.basename(__file__)
DOWN_SECONDS = 120.0
HOSTS_SECONDS = 300.0
KILL_SECONDS = 10.0
REMOVE_SECONDS = 5.0
IPC_RMID = 0  # of shmctl(2)


class Remains:
    """What belongs to a run, wherever it is."""

    def __init__(self, folder: str, lab: str = "", hosts: str = "") -> None:
        self.folder = os.path.realpath(folder)
        self.lab = os.path.realpath(lab) if lab else ""
        self.hosts = hosts
        self.killed: set[int] = set()

    def labs(self) -> list[str]:
        """The roots of the labs; whatever is below one belongs to it."""
        found = []
        for top in filter(None, (self.folder, self.lab)):
            for path, names, files in os.walk(top):
                if "lab.json" in files:
                    found.append(path)
                    names.clear()
        return found

    def processes(self, but: Iterable[str] = ()) -> list[int]:
        """The pids of this run's processes, but for those that work below one of these folders.

        A caretaker is none of them, and podman's monitor of a container ends with the container.
        """
        return [pid for pid, where, environment in _table()
                if self._ours(pid, where, environment)
                and not any(below(where, top) for top in but)]

    def _ours(self, pid: int, where: str, environment: dict[str, str]) -> bool:
        return ((below(where, self.folder) and not has_terminal(pid))
                or below(environment.get("TMPDIR", ""), self.folder)
                or (self.hosts != "" and environment.get("CAMPAIGN_MOLECULE_RUN") == self.hosts))

    def kill(self, but: Iterable[str] = ()) -> None:
        """End them; they cannot start others in the meantime for long."""
        def none_left() -> bool:
            left = self.processes(but)
            self.killed.update(left)
            for pid in left:
                with suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            return not left
        until(none_left, KILL_SECONDS)

    def take_down(self) -> None:
        """Stop the labs, all at once."""
        import subprocess

        # Without TMPDIR: it is no process of the run.
        environment = {key: value for key, value in os.environ.items() if key != "TMPDIR"}
        calls = [
            subprocess.Popen([sys.executable, LABCTL, "down", "--purge", "--root", root],
                             cwd="/", env=environment, stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for root in self.labs()
        ]  # fmt: skip
        end = time.monotonic() + DOWN_SECONDS
        for call in calls:
            try:
                call.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                call.kill()
                call.wait()

    def remove_hosts(self) -> None:
        """Remove the podman hosts of the run, and its folder in build/molecule."""
        import subprocess

        environment = {**os.environ, "CAMPAIGN_MOLECULE_RUN": self.hosts}
        environment.pop("TMPDIR", None)
        with suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run([sys.executable, HOSTS, "down"], cwd="/", env=environment,
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, timeout=HOSTS_SECONDS, check=False)

    def remove(self) -> None:
        """All of it."""
        self.kill(but=self.labs())  # whoever makes labs; they may be stopped in an orderly way
        self.take_down()
        self.kill()
        self.take_down()  # what was too broken to be stopped: it only has files now
        self.remove_memory()
        if self.hosts:
            self.remove_hosts()
        self.remove_folder()
        self.remove_account()

    def remove_memory(self) -> None:
        """Remove the System V shared memory that a killed process made: it does not go with it."""
        import ctypes

        with suppress(OSError), open("/proc/sysvipc/shm", encoding="ascii") as table:
            rows = [[int(word) for word in line.split()[:7]] for line in list(table)[1:]]
            for _key, identifier, _mode, _size, creator, _last, attached in rows:
                if creator in self.killed and not attached:
                    ctypes.CDLL(None).shmctl(identifier, IPC_RMID, None)

    def remove_account(self) -> None:
        """The account that root's labs have made goes with the last of them."""
        import subprocess

        if os.geteuid() == 0 and os.path.isdir(ACCOUNT):
            with suppress(OSError, subprocess.TimeoutExpired):
                subprocess.run([sys.executable, LABCTL, "down", "--purge", "--root", self.folder],
                               cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, timeout=DOWN_SECONDS, check=False)

    def remove_folder(self) -> None:
        """Remove FOLDER, unless something is still mounted there."""
        import shutil

        def gone() -> bool:
            shutil.rmtree(self.folder, ignore_errors=True)
            return not os.path.exists(self.folder)

        if os.path.exists(self.folder) and not mounted_below(self.folder):
            until(gone, REMOVE_SECONDS)


def below(path: str, top: str) -> bool:
    """Is it this folder or in it?"""
    return (path + "/").startswith(top + "/")


def _table() -> Iterator[tuple[int, str, dict[str, str]]]:
    """Each process that can be looked at: its pid, working directory and environment."""
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            with open(f"/proc/{name}/cmdline", "rb") as stream:
                words = stream.read().decode("utf-8", "replace").split("\0")
            if not words[0] or is_caretaker(words) or os.path.basename(words[0]) == "conmon":
                continue
            with open(f"/proc/{name}/environ", "rb") as stream:
                pairs = stream.read().decode("utf-8", "replace").split("\0")
            where = os.readlink(f"/proc/{name}/cwd")
        except OSError:
            continue
        yield int(name), where, dict(pair.split("=", 1) for pair in pairs if "=" in pair)


def has_terminal(pid: int) -> bool:
    """Does it have a terminal to be controlled by?"""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stream:
            return stream.read().rpartition(b")")[2].split()[4] != b"0"
    except OSError:
        return False


def is_caretaker(words: list[str]) -> bool:
    """Is this the command line of one?"""
    return any(os.path.basename(word) == NAME for word in words[:3])


def caretakers(folder: str) -> list[int]:
    """The pids of those that were started for a folder below this one."""
    top = os.path.realpath(folder)
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/cmdline", "rb") as stream:
                words = stream.read().decode("utf-8", "replace").split("\0")
        except OSError:
            continue
        if is_caretaker(words) and any(below(word, top) for word in words[3:]):
            found.append(int(name))
    return found


def mounted_below(path: str) -> bool:
    """Is a file system mounted below this folder?"""
    with open("/proc/self/mounts", encoding="utf-8", errors="replace") as table:
        return any(below(line.split()[1].replace("\\040", " "), path) for line in table)


def until(true: Callable[[], bool], seconds: float) -> bool:
    """Wait for a condition; its last answer."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def temporary_folder(*options: str) -> str:
    """A temporary folder for this process and for all that it starts, with a caretaker."""
    import subprocess
    import tempfile

    folder = tempfile.mkdtemp(prefix="campaign-")
    subprocess.run([sys.executable, "-IS", os.path.realpath(__file__), str(os.getpid()), folder,
                    *options],
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True, timeout=60)
    os.chmod(folder, 0o711)  # a lab's account may be another than the one that tests
    os.environ["TMPDIR"] = folder
    tempfile.tempdir = None  # asked for again
    return folder


def wait_for_end(owner: int | None, dismissed: int) -> bool:
    """Wait until the owner has ended; False if the caretaker was dismissed before."""
    if owner is None:
        return True
    events = select.poll()
    events.register(owner, select.POLLIN)
    events.register(dismissed, select.POLLIN)
    return dismissed not in {descriptor for descriptor, _ in events.poll()}


def wrong() -> NoReturn:
    """One line about the arguments. argparse would take longer to load than all else here."""
    usage = (__doc__ or "").partition("usage: ")[2].partition("\n")[0]
    sys.stderr.write(f"usage: {usage}\n")
    sys.exit(2)


def options(words: list[str]) -> dict[str, str]:
    """--lab DIR and --hosts RUN."""
    pairs = dict(zip(words[::2], words[1::2], strict=False))
    if len(words) % 2 or not set(pairs) <= {"--lab", "--hosts"}:
        wrong()
    return {name[2:]: value for name, value in pairs.items()}


def main(arguments: list[str]) -> None:
    if arguments in (["-h"], ["--help"]):
        print(__doc__)
        return
    if len(arguments) < 2 or not arguments[0].isdigit():
        wrong()
    remains = Remains(arguments[1], **options(arguments[2:]))
    try:
        owner = os.pidfd_open(int(arguments[0]))
    except ProcessLookupError:  # already
        owner = None
    ready, began = os.pipe()
    child = os.fork()
    if child:
        os.close(began)
        os.read(ready, 1)
        print(child, flush=True)
        return
    dismissed, told = os.pipe2(os.O_CLOEXEC)
    signal.signal(signal.SIGUSR1, lambda *_: os.write(told, b"."))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)  # what it starts does not inherit this
    os.setsid()
    os.chdir("/")
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.write(began, b".")
    for descriptor in (null, ready, began):
        os.close(descriptor)
    if wait_for_end(owner, dismissed):
        remains.remove()


if __name__ == "__main__":
    main(sys.argv[1:])
