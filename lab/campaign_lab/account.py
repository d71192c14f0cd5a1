"""The account that a lab's servers run as, and what a labctl of root's does as that account.

A Campaign server is never root. Whoever else runs labctl is the account himself. Root's labctl
chooses one (:func:`choose`) and acts as it from then on (:func:`act_as`): what it makes belongs to
the account, what it starts is the account for good. :func:`privileged` gives root back for a
moment: for the mail servers, for other programs of the machine, for mounts.
"""

from __future__ import annotations

import builtins
import contextlib
import fcntl
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time

from campaign_lab.source import checkout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

NAME = "campaign-lab"
"""The account of all labs of a machine that have no other."""
KEPT = "/var/lib/campaign-lab"
"""Its home: the list of the labs that use it, and labs of a checkout that it cannot reach."""
REGISTER = KEPT + "/labs.json"
REMOVE_SECONDS = 20.0
PROBE = """\
import os, sys
import _ctypes, _sqlite3, pyexpat
print(os.path.realpath(sys.executable), os.path.dirname(os.__file__), sys.base_prefix,
      sys.implementation.cache_tag, sep="\\n")
sys.exit(sys.version_info < (3, 8))
"""


class AccountError(RuntimeError):
    """One line for the person at labctl."""


# ------------------------------------------------------------------------- acting as the account


class Acting:
    """As whom root's labctl acts."""

    entry: Optional[pwd.struct_passwd] = None
    groups: List[int] = []
    own_groups: List[int] = []


def act_as(name: str) -> None:
    """From now on this process is the account, but can be root again for a moment.

    Only root's does anything. What it executes can not: after ``execve`` no id is root's.
    """
    if os.geteuid() != 0:
        return
    entry = of(name)
    if entry.pw_uid == 0:
        return
    Acting.groups, Acting.own_groups = os.getgrouplist(name, entry.pw_gid), os.getgroups()
    Acting.entry = entry
    os.umask(0o022)
    os.environ.update(HOME=entry.pw_dir, USER=name, LOGNAME=name)
    builtins.__import__ = _importing
    _become()


def acting() -> bool:
    """Is this root's labctl, acting as an account?"""
    return Acting.entry is not None


@contextlib.contextmanager
def privileged() -> Iterator[None]:
    """Root again, if this is root's labctl; else nothing changes."""
    if Acting.entry is None or os.geteuid() == 0:
        yield
        return
    _regain()
    try:
        yield
    finally:
        _become()


def _become() -> None:
    entry = Acting.entry
    assert entry is not None
    os.setgroups(Acting.groups)
    os.setresgid(entry.pw_gid, entry.pw_gid, 0)
    os.setresuid(entry.pw_uid, entry.pw_uid, 0)


def _regain() -> None:
    os.setresuid(-1, 0, -1)
    os.setresuid(0, 0, 0)
    os.setresgid(0, 0, 0)
    os.setgroups(Acting.own_groups)


_import = builtins.__import__


def _importing(name: str, *rest: Any, **more: Any) -> Any:
    """Root's Python and its checkout may be out of the account's reach."""
    with privileged():
        return _import(name, *rest, **more)


def of(name: str) -> pwd.struct_passwd:
    """The entry of an account. Raises AccountError."""
    try:
        return pwd.getpwnam(name)
    except KeyError:
        raise AccountError("there is no account '%s'" % name) from None


def give(path: str) -> None:
    """Make a folder of the account's in one of root's."""
    with privileged():
        os.makedirs(path, exist_ok=True)
        if Acting.entry and os.stat(path).st_uid == 0:
            os.chown(path, Acting.entry.pw_uid, Acting.entry.pw_gid)


# ------------------------------------------------------------------------------------ the choice


def choose(root: str, wanted: str, present: str) -> str:
    """The account of the lab at ``root``.

    Args:
        wanted: what ``--account`` names.
        present: that of the servers which are there; it stays.
    """
    if present:
        if wanted and wanted != present:
            raise AccountError("the lab at %s is the account %s's, and stays so" % (root, present))
        if present == "root":
            raise AccountError("the lab at %s runs as root, as labs once did: down --purge, "
                               "then up" % root)
        if present == NAME and os.geteuid() == 0:
            take(root)
        return present
    if os.geteuid() != 0:
        me = own_name()
        if wanted and wanted != me:
            raise AccountError("only root can run a lab as another account than %s" % me)
        return me
    if wanted:
        if of(wanted).pw_uid == 0:
            raise AccountError("a Campaign server is never root: name another account")
        return wanted
    owner = owner_of_checkout()
    if owner:
        return owner
    take(root)
    return NAME


def own_name() -> str:
    """The account that this process is, or acts as."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def owner_of_checkout() -> str:
    """The account that the checkout belongs to; empty if it is root, or has no name."""
    uid = os.stat(checkout()).st_uid
    try:
        return pwd.getpwuid(uid).pw_name if uid else ""
    except KeyError:
        return ""


def check_reach(root: str) -> None:
    """Can the account, as which this process acts, get to the lab's folder? Raises AccountError."""
    if Acting.entry and not os.access(root, os.X_OK):
        raise AccountError("the account %s cannot reach %s: choose another --root" % (
            Acting.entry.pw_name, root))


# ----------------------------------------------------------------------- the account of all labs


@contextlib.contextmanager
def _register() -> Iterator[Dict[str, Any]]:
    """What is known of the account: was it ``made`` by a lab, and which ``labs`` use it.

    Labs whose folder is gone are forgotten. One process at a time.
    """
    with _lock():
        state: Dict[str, Any] = {"made": False, "labs": []}
        if os.path.exists(REGISTER):
            with open(REGISTER, encoding="utf-8") as stream:
                state.update(json.load(stream))
        state["labs"] = [root for root in state["labs"] if os.path.isdir(root)]
        yield state
        if not os.path.isdir(KEPT):
            return
        draft = "%s.%d" % (REGISTER, os.getpid())
        with open(draft, "w", encoding="utf-8") as stream:
            json.dump(state, stream)
        os.rename(draft, REGISTER)


@contextlib.contextmanager
def _lock() -> Iterator[None]:
    """The folder is the lock; whoever waited for one that was removed takes the new one."""
    while True:
        os.makedirs(KEPT, mode=0o755, exist_ok=True)
        try:
            held = os.open(KEPT, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            if os.fstat(held).st_uid != 0:
                raise AccountError("%s is not root's" % KEPT)
            fcntl.flock(held, fcntl.LOCK_EX)
            try:
                same = os.path.samestat(os.stat(KEPT), os.fstat(held))
            except FileNotFoundError:
                same = False
            if same:
                yield
                return
        finally:
            os.close(held)


def take(root: str) -> None:
    """Have the account, for the lab at ``root``, whose folder is there already."""
    with _register() as state:
        if not _exists():
            _useradd()
            state["made"] = True
            print("account %s created" % NAME)
        if root not in state["labs"]:
            state["labs"].append(root)


def release(root: str) -> None:
    """The lab at ``root`` is gone; the account goes with the last lab, if a lab has made it."""
    if os.geteuid() != 0 or not os.path.isdir(KEPT):
        return
    with _register() as state:
        state["labs"] = [each for each in state["labs"] if each != root]
        if state["labs"]:
            return
        if state["made"] and _exists():
            _userdel()
            state["made"] = False
            print("account %s removed" % NAME)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(REGISTER)
        with contextlib.suppress(OSError):  # a lab of another account may be there
            os.rmdir(KEPT)


def _exists() -> bool:
    try:
        pwd.getpwnam(NAME)
    except KeyError:
        return False
    return True


def _useradd() -> None:
    import grp

    try:
        grp.getgrnam(NAME)
        group = ["--gid", NAME]
    except KeyError:
        group = ["--user-group"]
    if not shutil.which("useradd"):
        raise AccountError("a Campaign server is never root, and there is no useradd to make an "
                           "account with: name one with --account")
    _account_command(["useradd", "--system", *group, "--no-create-home", "--home-dir", KEPT,
                      "--shell", "/bin/sh", NAME], _exists)


def _userdel() -> None:
    """Nothing of the account's is left: no process, no shared memory, no semaphore."""
    uid = of(NAME).pw_uid

    def gone() -> bool:
        for pid in processes_of(uid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not _exists()

    remove_ipc(uid)
    _account_command(["userdel", NAME], gone)


def _account_command(command: List[str], done: Any) -> None:
    """Others may hold the lock of the accounts, or a process may still be ending."""
    end = time.monotonic() + REMOVE_SECONDS
    while not done():
        ran = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, check=False)
        if ran.returncode and time.monotonic() > end:
            raise AccountError(ran.stdout.decode("utf-8", "replace").strip())
        if ran.returncode:
            time.sleep(0.1)


def processes_of(uid: int) -> List[int]:
    """The pids of an account's processes; a container's account may have the same uid."""
    found = []
    ours = os.stat("/proc/self/ns/pid")
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if (os.stat("/proc/" + name).st_uid == uid
                    and os.path.samestat(os.stat("/proc/%s/ns/pid" % name), ours)):
                found.append(int(name))
    return found


def remove_ipc(uid: int) -> None:
    """Remove the System V shared memory and semaphores that an account has made."""
    import ctypes

    libc = ctypes.CDLL(None)
    kinds: List[Tuple[str, int, Callable[[int], object]]] = [
        ("shm", 9, lambda each: libc.shmctl(each, 0, None)),
        ("sem", 6, lambda each: libc.semctl(each, 0, 0)),
    ]
    for table, column, remove in kinds:
        with contextlib.suppress(OSError), open("/proc/sysvipc/" + table) as stream:
            for line in list(stream)[1:]:
                fields = line.split()
                if int(fields[column]) == uid:
                    remove(int(fields[1]))


# ------------------------------------------------------------------------------------ its Python


class Python:
    """An interpreter that the servers can run: theirs need not be labctl's."""

    __slots__ = ("library", "prefix", "program", "tag")

    def __init__(self, program: str, library: str, prefix: str, tag: str) -> None:
        self.program = program
        self.library = library
        """The folder of the standard library."""
        self.prefix = prefix
        self.tag = tag
        """Of its bytecode."""

    @property
    def is_own(self) -> bool:
        """Does labctl's bytecode do for it?"""
        return self.tag == sys.implementation.cache_tag


def python() -> Python:
    """labctl's own, if the account as which this process acts may run it; else the system's."""
    own = os.path.realpath(sys.executable)
    if Acting.entry is None:
        return Python(own, os.path.dirname(os.__file__), sys.base_prefix,
                      sys.implementation.cache_tag or "")
    for program in dict.fromkeys((own, "/usr/bin/python3", "/usr/local/bin/python3")):
        try:
            ran = subprocess.run([program, "-IS", "-c", PROBE], stdin=subprocess.DEVNULL, cwd="/",
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
        except OSError:
            continue
        if ran.returncode == 0:
            return Python(*ran.stdout.decode().splitlines())
    raise AccountError("the account %s can run no Python of 3.8 or later here (%s is out of its "
                       "reach)" % (Acting.entry.pw_name, own))
