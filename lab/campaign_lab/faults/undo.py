"""The steps of a healing: small, harmless when done twice, their values plain JSON."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from typing import Any, Callable, Dict, List, Sequence

from campaign_lab import database, process
from campaign_lab.account import privileged
from campaign_lab.config import Config, ConfigError
from campaign_lab.faults.system import (
    FaultError,
    answers,
    end,
    gone,
    nlserver,
    pid_of,
    start_ticks,
    wait_until,
)
from campaign_lab.lab import Lab
from campaign_lab.layout import Server
from campaign_lab.outside import Outside, OutsideError
from campaign_lab.process import command_line

START_SECONDS = 60.0
"""Limits like this one are for a machine on which a hundred processes start at once."""
HELPERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "helpers.py")

STEPS: Dict[str, Callable[..., None]] = {}


def step(function: Callable[..., None]) -> Callable[..., None]:
    """Register a step under its name."""
    STEPS[function.__name__] = function
    return function


def run(lab: Lab, server: Server, name: str, values: Dict[str, Any]) -> None:
    """Do one step."""
    STEPS[name](lab, server, **values)


# ------------------------------------------------------------------------------- files


def backup(path: str, keep: str) -> Dict[str, Any]:
    """Copy a file aside; gives the values of the step ``restore``."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return {"path": path, "copy": "", "mode": 0, "mtime_ns": 0, "uid": 0, "gid": 0}
    os.close(os.open(keep, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    shutil.copyfile(path, keep)
    return {"path": path, "copy": keep, "mode": status.st_mode & 0o7777,
            "mtime_ns": status.st_mtime_ns, "uid": status.st_uid, "gid": status.st_gid}


@step
def restore(
    _lab: Lab, _server: Server, path: str, copy: str, mode: int, mtime_ns: int, uid: int, gid: int
) -> None:
    """Put a file back: content, mode, owner and time; or remove what was not there."""
    if not copy:
        remove(_lab, _server, path)
        return
    if not os.path.exists(copy):  # put back already
        return
    draft = "%s.%d" % (path, os.getpid())
    shutil.copyfile(copy, draft)
    os.chmod(draft, mode)
    os.chown(draft, uid, gid)
    os.utime(draft, ns=(mtime_ns, mtime_ns))
    os.rename(draft, path)
    os.unlink(copy)


@step
def move(_lab: Lab, _server: Server, source: str, target: str) -> None:
    """Rename back."""
    if os.path.lexists(source):
        if os.path.lexists(target):
            remove(_lab, _server, target)
        os.rename(source, target)


@step
def remove(_lab: Lab, _server: Server, path: str) -> None:
    """Delete what the fault made."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


@step
def unlock(_lab: Lab, _server: Server, path: str, bits: int) -> None:
    """``chmod``."""
    if os.path.exists(path):
        os.chmod(path, bits)


@step
def cut(_lab: Lab, _server: Server, path: str, mark: str) -> None:
    """Take the lines with this mark out of a file that others go on writing."""
    if not os.path.exists(path):
        return
    with open(path, encoding="utf-8", errors="surrogateescape") as stream:
        kept = [line for line in stream if mark not in line]
    with open(path, "w", encoding="utf-8", errors="surrogateescape") as stream:
        stream.writelines(kept)


@step
def times(_lab: Lab, _server: Server, path: str, mtime_ns: int) -> None:
    """``touch -d``."""
    if os.path.exists(path):
        os.utime(path, ns=(mtime_ns, mtime_ns))


@step
def unmount(_lab: Lab, _server: Server, path: str) -> None:
    """``umount``; lazily if something still holds it."""
    if os.path.ismount(path):
        command = ["umount", path]
        with privileged():
            if subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode:
                subprocess.run(["umount", "-l", path], check=True)


# --------------------------------------------------------------------------- processes


def identity(pid: int) -> Dict[str, int]:
    """The values of the steps that are about one process."""
    return {"pid": pid, "ticks": start_ticks(pid)}


@step
def thaw(_lab: Lab, _server: Server, pid: int, ticks: int) -> None:
    """SIGCONT."""
    if start_ticks(pid) == ticks:
        try:
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            pass


@step
def finish(_lab: Lab, _server: Server, pid: int, ticks: int) -> None:
    """End a process; another program of the machine may be root's."""
    with privileged():
        end(pid, ticks)


STEPS["end"] = finish


@step
def limit(_lab: Lab, _server: Server, pid: int, ticks: int, kind: int, soft: int) -> None:
    """Give a process its limit back (setrlimit)."""
    import resource

    if start_ticks(pid) == ticks and not gone(pid):
        hard = resource.prlimit(pid, kind)[1]
        resource.prlimit(pid, kind, (soft, hard))


@step
def end_all(_lab: Lab, _server: Server, words: List[str]) -> None:
    """End every process whose command line holds all these words, whoever called it."""
    with privileged():
        _end_all(words)


def _end_all(words: List[str]) -> None:
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            line = command_line(int(name))
            if line and all(word in line for word in words):
                end(int(name), start_ticks(int(name)))


def start_helper(root: str, arguments: Sequence[str], title: str) -> int:
    """Start helpers.py in a session of its own; it has said that it is ready when this returns.

    It ends when the lab's folder is deleted.
    """
    ready, told = os.pipe()
    command: List[str] = [title or "helper", HELPERS, root, *arguments]
    with privileged():
        process = subprocess.Popen(
            command, executable=sys.executable, cwd="/", stdin=subprocess.DEVNULL, stdout=told,
            stderr=subprocess.PIPE, start_new_session=True,
            env=dict(os.environ, PYTHONHOME=sys.base_prefix, PYTHONDONTWRITEBYTECODE="1"),
        )  # fmt: skip
    os.close(told)
    with os.fdopen(ready, "rb") as stream:
        if stream.readline() != b"ready\n":
            reason = (process.communicate()[1] or b"").decode("utf-8", "replace").strip()
            raise FaultError("helper %s: %s" % (" ".join(arguments), reason.splitlines()[-1:]))
    if process.stderr:
        process.stderr.close()
    process.returncode = 0  # it outlives labctl: nobody waits for it here
    return process.pid


# ----------------------------------------------------------------------------- modules


@step
def start(_lab: Lab, server: Server, module: str, instance: str) -> None:
    """``nlserver start`` unless it runs; then wait until it answers."""
    task = "%s@%s" % (module, instance)
    if not pid_of(server.home, module, instance):
        nlserver(server.home, "start", task, check=False)
    wait_until(lambda: answers(server, module, instance), START_SECONDS, task + " runs")


@step
def restart(_lab: Lab, server: Server, module: str, instance: str) -> None:
    """``nlserver restart``, or start if it does not run; then wait until it answers."""
    task = "%s@%s" % (module, instance)
    before = pid_of(server.home, module, instance)
    nlserver(server.home, "restart" if before else "start", task, check=False)
    wait_until(
        lambda: pid_of(server.home, module, instance) not in (0, before)
        and answers(server, module, instance),
        START_SECONDS, task + " runs again",
    )  # fmt: skip


@step
def start_all(_lab: Lab, server: Server) -> None:
    """Start the watchdog, and with it whatever is missing."""
    if not pid_of(server.home, "watchdog", "default"):
        nlserver(server.home, "watchdog", "-svc", "-noconsole")
    wait_complete(server)


@step
def restart_all(_lab: Lab, server: Server) -> None:
    """Stop everything and start it again, with the environment of now."""
    if pid_of(server.home, "watchdog", "default"):
        nlserver(server.home, "restart", "watchdog", "-svc", "-noconsole")
    start_all(_lab, server)


@step
def start_front(_lab: Lab, server: Server) -> None:
    """Start the web server in front unless it runs."""
    if not pid_of(server.home, "front", "default"):
        process.spawn(server.home, ["front"], process.environment(server.home), detach=True)
    wait_until(lambda: answers(server, "front", "default"), START_SECONDS, "the front end answers")


@step
def stop_front(_lab: Lab, server: Server) -> None:
    """Stop the web server in front."""
    pid = pid_of(server.home, "front", "default")
    end(pid, start_ticks(pid), signal.SIGTERM)


@step
def hang_up(_lab: Lab, server: Server, module: str, instance: str) -> None:
    """SIGHUP: read the configuration again."""
    pid = pid_of(server.home, module, instance)
    if pid:
        os.kill(pid, signal.SIGHUP)


def wait_complete(server: Server) -> None:
    """Until every autoStart module runs and holds its port."""
    def complete() -> bool:
        tasks = [task for task in Config(server.home).tasks() if task.auto_start]
        return all(answers(server, task.module, task.instance) for task in tasks)

    wait_until(complete, START_SECONDS, "all modules run")


@step
def run_job(_lab: Lab, server: Server, kind: str, instance: str, arguments: List[str]) -> None:
    """``nlserver export`` or ``import``, to its end."""
    nlserver(server.home, kind, "-instance:" + instance, *arguments)


@step
def segment(_lab: Lab, _server: Server, identifier: int) -> None:
    """``ipcrm -m``."""
    import ctypes

    with privileged():
        ctypes.CDLL(None).shmctl(identifier, 0, None)


@step
def semaphore(_lab: Lab, _server: Server, identifier: int) -> None:
    """``ipcrm -s``."""
    import ctypes

    with privileged():
        ctypes.CDLL(None).semctl(identifier, 0, 0)


@step
def empty_mailbox(lab: Lab, _server: Server, login: str, mark: str) -> None:
    """Remove the mails that the fault put into a mailbox."""
    box = outside(lab).mailbox(login)
    with privileged():
        for file in box.glob("*%s*" % mark) if box.is_dir() else ():
            remove(lab, _server, str(file))


@step
def stop(_lab: Lab, server: Server, module: str, instance: str) -> None:
    """``nlserver stop``."""
    if pid_of(server.home, module, instance):
        nlserver(server.home, "stop", "%s@%s" % (module, instance), check=False)


# ----------------------------------------------------------------------------- outside


def outside(lab: Lab) -> Outside:
    """The mail peers of the lab."""
    peers = next(iter(lab.servers.values())).outside
    return Outside(lab.root, peers["address"], peers["smtp_port"], peers["pop3_port"])


@step
def open_service(lab: Lab, _server: Server, service: str) -> None:
    """Let the SMTP sink or the mailboxes answer again."""
    try:
        outside(lab).open(service)
    except OutsideError as error:
        raise FaultError(str(error)) from None


# ---------------------------------------------------------------------------- database


def database_of(server: Server, instance: str) -> database.Target:
    """The instance's database; the SQLite file where its configuration cannot be read."""
    try:
        return database.configured(Config(server.home), instance)
    except ConfigError:
        return database.Target(database.SQLITE, database.path_of(server.home.path, instance))


@step
def sql(_lab: Lab, server: Server, instance: str, statements: List[List[Any]]) -> None:
    """Statements on an instance's database, each ``[text, parameters]``."""
    try:
        with database.session(database_of(server, instance), True) as connection:
            for text, parameters in statements:
                connection.execute(text, parameters)
    except database.DatabaseError as error:
        raise FaultError(str(error)) from None


@step
def accept_connections(_lab: Lab, server: Server, instance: str, accept: bool) -> None:
    """Let nobody into a PostgreSQL database, or everybody again; only its owner may."""
    target = database_of(server, instance)
    name, _, account = target.login.partition(":")
    try:
        with database.session(database.Target(
            target.provider, target.server, "postgres:" + account, target.password
        ), True) as connection:
            connection.execute('ALTER DATABASE "%s" ALLOW_CONNECTIONS %s' % (
                name.replace('"', '""'), "true" if accept else "false"))  # fmt: skip
    except database.DatabaseError as error:
        raise FaultError(str(error)) from None
