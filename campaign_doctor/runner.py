# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Runs a playbook of the collection through ansible-runner, and returns the result.

Everything that a run writes is in a private directory (0700) that is removed with the command. No
secret is on a command line or in a file: passwords are answered when Ansible asks for them.
"""

from __future__ import annotations

import codecs
import fcntl
import itertools
import json
import locale
import os
import re
import shlex
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Protocol

import ansible_runner
import psutil
import yaml

from . import collection
from .errors import DoctorError
from .files import write_new
from .interrupts import Interrupts

HERE = Path(__file__).resolve().parent
PREFIX = "campaign-doctor-"
LOCK = "lock"
PLACES = (Path("/tmp"), Path("/var/tmp"))  # where one may have been that ran with another TMPDIR

BECOME_PROMPT = r"^BECOME password(\[defaults to SSH password\])?: ?$"
VAULT_PROMPT = r"^Vault password( \([^)]*\))?: ?$"

REPORT_FORMATS = ("json", "html", "junit")  # whatever the site's inventory says
# How often ansible-runner asks whether to go on, while Ansible is silent.
POLL_SECONDS = 0.3
# Where Ansible cannot write its events, it does not fail: it waits for ever.
ROOM_BYTES = 32 * 1024 * 1024
ROOM_LOOK_SECONDS = 2.0
TICK_SECONDS = 0.1
BATCH_SECONDS = 0.2  # no flood of events keeps the table, or Ctrl-C, waiting for longer
COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")

Event = dict[str, Any]


@dataclass(frozen=True)
class Access:
    """How Ansible gets to the servers: what ansible-playbook's own options are for."""

    inventory: tuple[str, ...] = ()
    limit: str | None = None
    forks: int | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    extra: tuple[str, ...] = ()
    vault_ids: tuple[str, ...] = ()
    vault_password_files: tuple[Path, ...] = ()
    become_password_file: Path | None = None
    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)
    verbosity: int = 0
    colour: bool = False
    every_name: bool = False  # a name in the limit that matches no host ends the run


@dataclass(frozen=True)
class PlaybookRun:
    """One run of a playbook. `changes`: whether it may change something on a server."""

    playbook: str
    variables: Mapping[str, Any] = field(default_factory=dict)
    check: bool = False
    changes: bool = False


@dataclass
class Ended:
    """What is known after Ansible has ended, in any way."""

    folder: Path
    rc: int | None = None
    stats: dict[str, Any] | None = None
    errors: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)  # what Ansible said in plain lines
    # Of hosts whose lock was requested, that were paused or resumed, or that were checked.
    answers: dict[str, Event] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)  # hosts that failed, and the last reason
    warnings: list[str] = field(default_factory=list)  # of variables that have no effect
    stopped: bool = False
    killed: bool = False

    @property
    def report_file(self) -> Path:
        """Where the playbook writes its report."""
        return self.folder / "report.json"


class Watcher(Protocol):
    """Receives the events, always in the main thread."""

    def event(self, event: Event) -> None:
        """Something that Ansible did."""

    def play_started(self, hosts: list[str], wait: Mapping[str, float | None]) -> None:
        """The hosts of the play that has begun; for how long a module has to stay up on each."""

    def stopping(self) -> None:
        """The run should stop; current steps are finished."""

    def tick(self) -> None:
        """Called several times a second."""


@contextmanager
def private_directory() -> Iterator[Path]:
    """A directory for this command alone, removed with it; if it is killed, by the next command."""
    try:
        sweep()
        base = Path(tempfile.gettempdir())
        free = shutil.disk_usage(base).free
        if free < ROOM_BYTES:
            raise DoctorError(
                f"{base} has only {free // 1024} kB left, but a run needs {ROOM_BYTES // 1024} kB."
                " Free some space, or set TMPDIR to another directory."
            )
        path, lock = _made()
    except OSError as error:
        raise DoctorError(
            f"A temporary directory cannot be created: {error.strerror or error}. Set TMPDIR to"
            " another directory."
        ) from None
    try:
        yield path
    finally:
        _remove(path)
        os.close(lock)


def _made() -> tuple[Path, int]:
    """A new directory with the lock that says that it is in use."""
    while True:
        path = Path(tempfile.mkdtemp(prefix=PREFIX))
        # Another command may have removed it before it was locked: then nothing is lost.
        with suppress(FileNotFoundError):
            lock = os.open(path / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(lock), (path / LOCK).stat()):
                    return path, lock
            os.close(lock)


def sweep() -> None:
    """Remove the files of killed commands: their locks are free."""
    with suppress(OSError):
        for base in {Path(tempfile.gettempdir()), *PLACES}:
            for path in base.glob(f"{PREFIX}*"):
                with suppress(OSError):
                    if not path.is_symlink() and path.stat().st_uid == os.getuid():
                        _sweep(path)


def _sweep(path: Path) -> None:
    try:
        lock = os.open(path / LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        # It comes first and goes last: nothing is left, or what Ansible, left alone, wrote since.
        if all(each.name.startswith("run-") and each.is_dir() for each in path.iterdir()):
            _remove(path)
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _remove(path)
    finally:
        os.close(lock)


def _remove(path: Path) -> None:
    """Remove the directory; the lock last, so that a next command goes on where this one ends."""
    with suppress(OSError):
        for each in path.iterdir():
            if each.is_dir() and not each.is_symlink():
                shutil.rmtree(each, ignore_errors=True)
            elif each.name != LOCK:
                each.unlink(missing_ok=True)
    # What could not be removed keeps its lock file, or no later command would try again.
    with suppress(OSError):
        if {each.name for each in path.iterdir()} <= {LOCK}:
            (path / LOCK).unlink(missing_ok=True)
            path.rmdir()


def playbook_path(name: str) -> str:
    """A playbook of the collection that is used; where there is none, Ansible says so."""
    copy = collection.used()
    return copy.playbook(name) if copy else f"{collection.COLLECTION}.{name}"


def run(
    playbook_run: PlaybookRun, access: Access, private: Path, watcher: Watcher,
    interrupts: Interrupts,
) -> Ended:
    """Run it to its end, or until the operator stops it.

    The first Ctrl-C ends a run that changes nothing immediately. In a repair it lets every host
    finish its current step and starts no other; the second kills.
    There is no time limit: those of the tasks are in the playbooks, and to kill a repair is the
    one way not to know how it ended.
    """
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=private))
    ended = Ended(folder=folder / "report")
    events: SimpleQueue[Event] = SimpleQueue()
    # ansible-runner kills the group only: it hears of it when all are dead, or it would make
    # orphans of the workers, which cannot be found any longer.
    runner = _prepare(playbook_run, access, folder, events.put, lambda: ended.killed)
    failure: list[BaseException] = []

    def work() -> None:
        try:
            runner.run()
        except Exception as error:  # reported below, in the main thread
            failure.append(error)
            _kill_children()

    thread = threading.Thread(target=work, name="ansible-runner", daemon=True)
    tells = folder / "tells.json"
    looked, full = time.monotonic(), False
    thread.start()
    while True:
        alive = thread.is_alive()
        _drain(events, ended, watcher)
        _pass_on(tells, watcher)
        watcher.tick()
        if not alive:
            break
        if interrupts.count and not ended.stopped:
            ended.stopped = True
            if playbook_run.changes:
                (folder / "stop").touch()
                watcher.stopping()
        if interrupts.count > playbook_run.changes and not ended.killed:
            _kill_children()
            ended.killed = True
        if time.monotonic() - looked > ROOM_LOOK_SECONDS:
            looked = time.monotonic()
            if not playbook_run.changes and not full and not shutil.disk_usage(folder).free:
                # Nothing is lost, and it would hang. A repair may finish what it can.
                full = True
                ended.errors.insert(0, f"No space left in {private.parent}.")
                _kill_children()
    while not events.empty():
        _drain(events, ended, watcher)
    ended.rc = runner.rc
    if failure:
        ended.errors.append(f"ansible-runner failed: {_reason(failure[0])}")
    return ended


def _prepare(
    playbook_run: PlaybookRun,
    access: Access,
    folder: Path,
    put: Callable[[Event], None],
    cancelled: Callable[[], bool],
) -> Any:
    variables = {
        **playbook_run.variables,
        "campaign_report_dir": str(folder / "report"),
        "campaign_report_formats": REPORT_FORMATS,
        "campaign_stop_file": str(folder / "stop"),
    }

    def handler(event: Event) -> bool:
        put(event)
        return False  # nothing of it may be kept in a file

    try:
        environment = _environment(access, folder)
        _write(folder / "env" / "settings",
               {"pexpect_timeout": POLL_SECONDS, "suppress_output_file": True})
        _write(folder / "env" / "extravars", variables)
        runner = ansible_runner.interface.init_runner(
            private_data_dir=str(folder),
            project_dir=str(Path.cwd()),
            playbook=playbook_path(playbook_run.playbook),
            inventory=[_inventory(each) for each in access.inventory],
            limit=access.limit,
            forks=access.forks,
            verbosity=access.verbosity or None,
            cmdline=shlex.join(_options(playbook_run, access, folder)) or None,
            envvars=environment,
            passwords=dict(access.passwords),
            fact_cache_type="memory",
            suppress_env_files=True,
            quiet=True,
            event_handler=handler,
            cancel_callback=cancelled,
        )
    except OSError as error:
        raise DoctorError(
            f"The run cannot be prepared in {folder.parent}: {error.strerror or error}."
        ) from None
    # ansible-runner would switch off what Ansible has switched on, against a false server.
    if "ANSIBLE_HOST_KEY_CHECKING" not in os.environ:
        runner.config.env.pop("ANSIBLE_HOST_KEY_CHECKING", None)
    return runner


def _options(playbook_run: PlaybookRun, access: Access, folder: Path) -> list[str]:
    words: list[str] = ["--check", "--diff"] if playbook_run.check else []
    if access.variables:
        _write(folder / "env" / "configured", dict(access.variables))
        words += ["-e", f"@{folder / 'env' / 'configured'}"]
    for number, text in enumerate(access.extra):
        if text.startswith("@"):
            path = Path(text[1:]).expanduser().absolute()
            if not path.is_file():
                raise DoctorError(f"-e {text}: there is no file {path}.")
            words += ["-e", f"@{path}"]
        else:  # in a file, as it may be a secret
            path = folder / "env" / f"extra{number}"
            _write(path, extra_variables(text))
            words += ["-e", f"@{path}"]
    for name in access.vault_ids:
        words += ["--vault-id", name]
    for file in access.vault_password_files:
        words += ["--vault-password-file", str(file.absolute())]
    if access.become_password_file:
        words += ["--become-password-file", str(access.become_password_file.absolute())]
    if BECOME_PROMPT in access.passwords:
        words.append("--ask-become-pass")
    if VAULT_PROMPT in access.passwords:
        words.append("--ask-vault-pass")
    return words


def extra_variables(text: str) -> dict[str, Any]:
    """A value of -e: `name=value name=value`, or a mapping in JSON or YAML."""
    try:
        if text.lstrip().startswith(("{", "[")):
            loaded = yaml.safe_load(text)
        else:
            pairs = [word.partition("=") for word in shlex.split(text)]
            loaded = {name: value for name, equals, value in pairs if equals and name}
            if len(loaded) < len(pairs):
                loaded = None
    except (ValueError, yaml.YAMLError):
        loaded = None
    if not isinstance(loaded, dict):
        raise DoctorError(
            "-e takes name=value, a mapping in JSON or YAML, or @ and the name of a file."
        )
    return loaded


def _inventory(name: str) -> str:
    path = Path(name).expanduser()
    # "app1,app2," is a list of hosts; for a missing file Ansible reports the error.
    return str(path.absolute()) if path.exists() or "," not in name else name


def _environment(access: Access, folder: Path) -> dict[str, str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    plugins = [os.environ.get("ANSIBLE_CALLBACK_PLUGINS", ""), str(HERE / "callback")]
    environment = {
        "PATH": path,
        "ANSIBLE_CALLBACK_PLUGINS": os.pathsep.join(each for each in plugins if each),
        "CAMPAIGN_DOCTOR_TELLS": str(folder / "tells.json"),
        # A mistake in an inventory ends the run instead of emptying it.
        "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": os.environ.get(
            "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED", "true"
        ),
    }
    environment |= collection.environment()
    if access.every_name:
        environment["ANSIBLE_HOST_PATTERN_MISMATCH"] = "error"
    if not access.colour:
        environment["ANSIBLE_NOCOLOR"] = "true"
    if not _has_configuration():
        environment["ANSIBLE_CONFIG"] = str(HERE / "ansible.cfg")
    if codecs.lookup(locale.getpreferredencoding(False)).name != "utf-8":
        environment["LC_ALL"] = "C.UTF-8"  # Ansible starts with nothing else
    return environment


def _has_configuration() -> bool:
    """Whether Ansible finds an ansible.cfg without help."""
    places = [Path("ansible.cfg"), Path("~/.ansible.cfg").expanduser(),
              Path("/etc/ansible/ansible.cfg")]
    return "ANSIBLE_CONFIG" in os.environ or any(place.is_file() for place in places)


def _write(path: Path, content: Mapping[str, Any]) -> None:
    write_new(path, json.dumps(content).encode())


def _drain(events: SimpleQueue[Event], ended: Ended, watcher: Watcher) -> None:
    """Pass on what has happened, for a moment; wait a little for the first of it."""
    wait = TICK_SECONDS
    end = time.monotonic() + BATCH_SECONDS
    while time.monotonic() < end:
        try:
            event = events.get(timeout=wait) if wait else events.get_nowait()
        except Empty:
            return
        wait = 0.0
        _note(event, ended)
        watcher.event(event)


def _note(event: Event, ended: Ended) -> None:
    data = event.get("event_data") or {}
    if event.get("event") == "playbook_on_stats":
        ended.stats = data
        return
    # Ansible's own warnings are about Ansible.
    ended.warnings += [text for text in (data.get("res") or {}).get("warnings") or ()
                       if str(text).startswith("campaign_") and text not in ended.warnings]
    result = data.get("res") or {}
    released = event.get("event") == "runner_on_ok" and "holder" in result and "text" in result
    paused = event.get("event") == "runner_on_ok" and "replaced" in result
    if released or paused or "checks" in result:
        ended.answers[str(data.get("host"))] = result
    if event.get("event") in ("runner_on_failed", "runner_on_unreachable") and data.get("host"):
        ended.failed[str(data["host"])] = one_line(str(result.get("msg") or ""))
    text = plain(event.get("stdout") or "")
    if event.get("event") == "runner_on_failed" and data.get("host") and ended.stats is None:
        message = (data.get("res") or {}).get("msg")
        if isinstance(message, str):
            said = one_line(message)
            # What is about all hosts fails on the first of them, and names the host that it is about.
            named = re.match(r"([\w.-]+): campaign_", said)
            ended.errors.append(said if named else f"{data['host']}: {said}")
    elif "[ERROR]: " in text or text.startswith("ERROR! "):
        error = one_line(re.split(r"\[ERROR\]: |ERROR! ", text, maxsplit=1)[1])
        ended.errors.append(" ".join([error, *_inventory_fault(error, ended.said)]))
    elif event.get("event") == "verbose" and ended.stats is None:
        ended.said.append(text)


def _inventory_fault(error: str, said: list[str]) -> list[str]:
    """Why an inventory cannot be read: of all the plugins that tried, what the right one said."""
    if "inventory source" not in error:
        return []
    for before, line in itertools.pairwise(said):
        if before.startswith("Standard error from inventory script"):
            return [f"({one_line(line)})"]
    right = "yaml" if error.endswith((".yml", ".yaml", ".json")) else "ini"
    for line in said:
        _plugins, told, fault = line.partition(f"with '{right}' plugin: ")
        if told:
            return [f"({one_line(fault)})"]
    return []


def _pass_on(path: Path, watcher: Watcher) -> None:
    """What the callback plugin has written; each entry is passed on once."""
    with suppress(FileNotFoundError):
        taken = path.rename(path.with_suffix(".taken"))
        told = json.loads(taken.read_text(encoding="utf-8"))
        watcher.play_started(told["hosts"], told["wait"])


def _kill_children() -> None:
    """All of Ansible. Its workers have sessions of their own: to kill its group is not enough."""
    doomed = psutil.Process().children(recursive=True)
    for process in doomed:
        with suppress(psutil.NoSuchProcess):
            process.suspend()  # or it would start others meanwhile
    for process in {*doomed, *psutil.Process().children(recursive=True)}:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def _reason(error: BaseException) -> str:
    return one_line(getattr(error, "strerror", None) or str(error) or type(error).__name__)


def plain(text: str) -> str:
    """Text of a terminal without colours and carriage returns."""
    return COLOURS.sub("", text).replace("\r", "")


def one_line(text: str) -> str:
    """Text that a terminal shows in one line, without what Ansible puts before it."""
    return " ".join(text.split()).removeprefix("Task failed: ")
