"""Processes of one home: which run, how they are started, with which environment.

Used by every ``nlserver`` call, so it loads nothing but ``os``.
"""

from __future__ import annotations

import os

from campaign_lab.layout import CHILDREN, FRONT, PROGRAMS, UTILITIES, read_json, write_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, NoReturn, Optional, Sequence

    from campaign_lab.layout import Home

ENVIRONMENT_SECONDS = 10
PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024


class Task:
    """A run record, and whether its process is there."""

    __slots__ = ("instance", "module", "path", "pid")

    def __init__(self, module: str, instance: str, pid: int, path: str) -> None:
        self.module = module
        self.instance = instance
        self.pid = pid
        self.path = path

    @property
    def memory_mb(self) -> float:
        """Resident memory."""
        try:
            with open("/proc/%d/statm" % self.pid, "rb") as stream:
                return int(stream.read().split()[1]) * PAGE_KB / 1024
        except (OSError, IndexError):
            return 0.0

    @property
    def command(self) -> str:
        """The command line, as ``ps`` shows it."""
        return " ".join(command_line(self.pid))


def command_line(pid: int) -> List[str]:
    """argv of a process; empty for a zombie or none."""
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as stream:
            words = stream.read().split(b"\0")[:-1]
    except OSError:
        return []
    return [word.decode("utf-8", "surrogateescape") for word in words]


def alive(home: Home, module: str, pid: int) -> bool:
    """Is this pid really that module of this home? Pids are used again."""
    program = PROGRAMS.get(module, "nlserver")
    if pid <= 0 or command_line(pid)[:2] != [program, module]:
        return False
    try:
        return os.readlink("/proc/%d/cwd" % pid) == home.lib
    except PermissionError:  # it has a capability that we have not: the kernel hides it, it lives
        return True
    except OSError:
        return False


def recorded(home: Home) -> List[Task]:
    """Every run record, of the living and of the dead."""
    try:
        names = os.listdir(home.run)
    except OSError:
        return []
    found = []
    for name in names:
        if name.endswith(".json") and "@" in name:
            module, _, rest = name[:-5].partition("@")
            path = home.run + "/" + name
            found.append(Task(module, rest.partition(".")[0], recorded_pid(path), path))
    return found


def running(home: Home) -> List[Task]:
    """The tasks that pdump shows: permanent modules and utilities, not their children."""
    hidden = CHILDREN + FRONT
    return [task for task in recorded(home)
            if task.module not in hidden and alive(home, task.module, task.pid)]


def find(home: Home, module: str, instance: str) -> Optional[Task]:
    """The running task of this name (any of them, for a utility)."""
    return next((task for task in recorded(home)
                 if task.module == module and task.instance == instance
                 and alive(home, module, task.pid)), None)


def record_path(home: Home, module: str, instance: str, pid: int) -> str:
    """Permanent modules have one record each; of the others several may run at once."""
    if module in UTILITIES + CHILDREN:
        return "%s/%s@%s.%d.json" % (home.run, module, instance, pid)
    return home.record(module, instance)


def recorded_pid(path: str) -> int:
    """The pid in a record, without the cost of a JSON parser; 0 if there is none."""
    try:
        with open(path, "rb") as stream:
            return int(stream.read().split(b'"pid":')[1].split(b",")[0])
    except (OSError, IndexError, ValueError):
        return 0


def set_wanted(home: Home, module: str, instance: str, wanted: str) -> None:
    """Note in the run record whether the watchdog is to keep this task ``running``."""
    path = home.record(module, instance)
    try:
        record = read_json(path)
    except (OSError, ValueError):
        record = {"pid": 0, "module": module, "instance": instance}
    record["wanted"] = wanted
    write_json(path, record)


def wanted(home: Home, module: str, instance: str) -> str:
    """``running`` or ``stopped``."""
    try:
        return str(read_json(home.record(module, instance))["wanted"])
    except (OSError, ValueError, KeyError):
        return "running"


def note_end(home: Home, module: str, instance: str, how: str) -> None:
    """Write into the run record that, when and how a task ended by itself."""
    import time

    path = home.record(module, instance)
    try:
        record = read_json(path)
    except (OSError, ValueError):
        record = {"pid": 0, "module": module, "instance": instance, "wanted": "running"}
    record.update(ended_at=time.time(), ended=how)
    write_json(path, record)


def ended_since(home: Home, module: str, instance: str, since: float) -> str:
    """How a task ended after this time; empty if it did not."""
    try:
        record = read_json(home.record(module, instance))
    except (OSError, ValueError):
        return ""
    return str(record["ended"]) if record.get("ended_at", 0) >= since else ""


def environment(home: Home) -> Dict[str, str]:
    """What modules are started with: env.sh (which sources customer.sh) over a clean base.

    Raises ValueError if the shell cannot read them.
    """
    import subprocess

    base = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LANG": "C.UTF-8",
            "HOME": os.environ.get("HOME", "/")}
    try:
        shell = subprocess.run(
            ["/bin/sh", "-c", '. "$0" && exec env -0', home.join("env.sh")],
            env=base, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            check=False, timeout=ENVIRONMENT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise ValueError("env.sh does not end") from None
    if shell.returncode:
        raise ValueError(shell.stderr.decode("utf-8", "replace").strip() or "env.sh fails")
    pairs = (entry.partition(b"=") for entry in shell.stdout.split(b"\0") if b"=" in entry)
    return {os.fsdecode(key): os.fsdecode(value) for key, _, value in pairs}


def execute(home: Home, arguments: Sequence[str], env: Dict[str, str]) -> NoReturn:
    """Become ``nlserver <arguments>``, or what else PROGRAMS names.

    Python looks for its library beside argv[0], which is no path here: PYTHONHOME tells it
    where that is (without site-packages, whose start-up files cost time and memory).
    """
    _count(home)
    os.chdir(home.lib)
    program = PROGRAMS.get(arguments[0], "nlserver")
    env = {**env, "PYTHONHOME": home.lib + "/python"}
    os.execve(os.path.join(home.lib, program), [program, *arguments], env)


def _count(home: Home) -> None:
    """One more process, for those who measure the lab ($CAMPAIGN_TALLY at ``labctl up``)."""
    try:
        tally = os.open(home.tally, os.O_WRONLY | os.O_APPEND)
        os.write(tally, b".")
        os.close(tally)
    except OSError:
        pass  # nobody does


def spawn(
    home: Home, arguments: Sequence[str], env: Optional[Dict[str, str]] = None,
    session: bool = True, detach: bool = False, stdin: int = -1,
) -> int:
    """Start ``nlserver <arguments>`` without a terminal.

    Args:
        env: the environment; None hands on the own one.
        session: in a session of its own (a module), else in the caller's (a child of one).
        detach: as nobody's child; the pid is not known then (0).
        stdin: the descriptor of its standard input; none: /dev/null.
    """
    pid = os.fork()
    if pid:
        if detach:
            os.waitpid(pid, 0)
            return 0
        return pid
    try:
        if session:
            os.setsid()
        if detach and os.fork():
            os._exit(0)
        null = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(stdin if number == 0 and stdin >= 0 else null, number)
        execute(home, arguments, dict(os.environ) if env is None else env)
    finally:
        os._exit(127)
