# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one way to the Campaign account's files and programs: a child process that is the account.

The child gives up root for good before it sees any variable, path or byte of the account's, and
works with the account's rights from then on. What it answers is what the account wants us to
believe: it is limited, checked and cleaned here before anything else sees it.

Nothing else in this room is called by a process that may be root.
"""

import fcntl
import gc
import json
import os
import select
import signal
import threading
import time
from collections import namedtuple

from ..command import ended
from ..errors import InputError, ProbeError, from_os_error
from .answers import BYTES, HEAD, WrongAnswer, fitted, opened, size_of

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from pwd import struct_passwd
    from typing import (
        Any,
        Callable,
        Collection,
        Dict,
        Iterable,
        List,
        NamedTuple,
        Optional,
        Tuple,
        Union,
    )

    Problem = Union[InputError, ProbeError]
    Answer = Tuple[str, Any, Optional[Problem], float]

    class Account(NamedTuple):
        name: str
        uid: int
        gid: int
        home: str
        become: bool  # is this process root, and the account another?
else:
    Account = namedtuple("Account", "name uid gid home become")

GRACE = 0.3  # seconds that a child has to exit
HIGH = 20  # from here on are the descriptors of a child's own


class NotGivenUp(Exception):
    """This process could still be root."""


def account_of(entry: "struct_passwd") -> Account:
    """The Account of an entry of the password database."""
    become = os.geteuid() == 0 and entry.pw_uid != 0
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir, become)


# ---------------------------------------------------------------------------- in the child


def become(account: Account) -> None:
    """Be the account for good. Raises if there were a way back."""
    if not account.become:
        return
    os.initgroups(account.name, account.gid)
    os.setresgid(account.gid, account.gid, account.gid)
    os.setresuid(account.uid, account.uid, account.uid)
    # The kernel lets no other process trace this one from now on, because it was root's.
    if os.getresuid() != (account.uid,) * 3 or os.getresgid() != (account.gid,) * 3:
        raise NotGivenUp("its user and group ids are not the account's")
    for way_back in (os.setuid, os.seteuid):
        try:
            way_back(0)
        except OSError:
            continue
        raise NotGivenUp("it can become root again")
    if capabilities():
        raise NotGivenUp("it still has capabilities")


def capabilities() -> int:
    """The capabilities that this process has or may take, as one number; 0 if it has none."""
    found = 0
    try:
        with open("/proc/self/status", "rb") as stream:
            for line in stream:
                if line.startswith((b"CapPrm:", b"CapEff:", b"CapAmb:")):
                    found |= int(line.split()[1], 16)
    except OSError:
        pass  # hidden from all: then the checks above must suffice
    return found


def _keep_only(descriptors: "Collection[int]") -> None:
    """Close everything that this process inherited but these; no input, no output."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) not in descriptors:
            try:
                os.close(int(name))
            except OSError:
                pass  # the one that listed them


class Channel:
    """The child's end: what it sends, and what the parent sends to it."""

    def __init__(self, answers: int, inputs: int) -> None:
        self._answers = answers
        self._inputs = inputs
        self._sending = threading.Lock()
        self._arrived = threading.Condition()
        self._values: "Dict[str, Any]" = {}
        # Called before this process ends because its parent is gone.
        self.orphaned: "Optional[Callable[[], object]]" = None
        listener = threading.Thread(target=self._listen)
        listener.daemon = True
        listener.start()

    def send(
        self, name: str, data: "Any" = None, error: "Optional[Problem]" = None, seconds: float = 0.0
    ) -> None:
        """One answer."""
        wrong: "Optional[List[str]]" = None
        if isinstance(error, ProbeError):
            wrong = [error.kind, error.message]
        elif error is not None:
            wrong = ["input", str(error)]
        message = {"name": name, "data": data, "error": wrong, "seconds": seconds}
        text = json.dumps(message).encode("ascii")
        if len(text) > BYTES:
            wrong = ["invalid", "the answer of %s is too large (%d bytes)" % (name, len(text))]
            text = json.dumps(dict(message, data=None, error=wrong)).encode("ascii")
        text = b"%08x" % len(text) + text
        with self._sending:
            while text:
                text = text[os.write(self._answers, text) :]

    def receive(self, name: str, seconds: float) -> "Any":
        """What the parent sends under this name; None if it does not in time."""
        end = time.monotonic() + seconds
        with self._arrived:
            while name not in self._values:
                remaining = end - time.monotonic()
                if remaining <= 0 or not self._arrived.wait(remaining):
                    return None
            return self._values[name]

    def _listen(self) -> None:
        """Read what the parent sends, and end with it."""
        data = b""
        while True:
            block = os.read(self._inputs, 4096)
            if not block:
                break
            data += block
            while b"\n" in data:
                message, dummy, data = data.partition(b"\n")
                with self._arrived:
                    self._values.update(json.loads(message.decode("ascii")))
                    self._arrived.notify_all()
        if self.orphaned:
            self.orphaned()
        os._exit(0)


# --------------------------------------------------------------------------- in the parent


class Child:
    """The parent's end of a running child."""

    def __init__(self, pid: int, answers: int, inputs: int) -> None:
        self.pid = pid
        self._answers = answers
        self._inputs = inputs
        self._data = bytearray()
        self._total = 0
        self._over = False
        self._poll = select.poll()
        self._poll.register(answers, select.POLLIN | select.POLLHUP)

    def receive(self, end: float) -> "Optional[Answer]":
        """(name, data, error, seconds) of its next answer; None if there is none by then.

        Raises WrongAnswer for what no child of ours says; the child is not listened to after that.
        """
        try:
            return self._receive(end)
        except WrongAnswer:
            self._over = True
            del self._data[:]
            raise

    def _receive(self, end: float) -> "Optional[Answer]":
        while True:
            if len(self._data) >= HEAD:
                size = size_of(bytes(self._data[:HEAD]))
                if len(self._data) >= HEAD + size:
                    text = bytes(self._data[HEAD : HEAD + size])
                    del self._data[: HEAD + size]
                    return opened(text)
            remaining = max(0.0, end - time.monotonic())
            if self._over or not self._poll.poll(remaining * 1000):
                return None
            block = os.read(self._answers, 1024 * 1024)
            self._total += len(block)
            self._data += block
            if self._total > BYTES * 2:
                raise WrongAnswer("it sent more than %d bytes" % (BYTES * 2))
            self._over = self._over or not block

    def send(self, **values: "Any") -> None:
        """Send it values; it may be gone."""
        try:
            os.write(self._inputs, json.dumps(values).encode("ascii") + b"\n")
        except OSError:
            pass

    def end(self) -> None:
        """End it, by force if necessary, together with what it started to get an answer."""
        os.close(self._inputs)
        if not ended(self.pid, time.monotonic() + GRACE):
            _kill_with_children(self.pid)
            ended(self.pid, time.monotonic() + GRACE)
        os.close(self._answers)


def _kill_with_children(pid: int) -> None:
    """Kill a process of ours and the groups of those it started."""
    groups = [pid]
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/stat" % name, "rb") as stream:
                    words = stream.read().rpartition(b")")[2].split()
            except OSError:
                continue
            if int(words[1]) == pid and words[2] == name.encode("ascii"):
                groups.append(int(name))
    for group in groups:
        for kill in (os.killpg, os.kill):
            try:
                kill(group, signal.SIGKILL)
            except OSError:
                pass


def installed(options: "Dict[str, Any]") -> "Optional[bool]":
    """Is there a Campaign server? None: this process cannot see that."""
    try:
        os.stat(os.path.join(options["home"], "bin", "nlserver"))
    except (FileNotFoundError, NotADirectoryError):
        return False
    except PermissionError:
        return None
    return True


def begin(
    account: Account,
    work: "Callable[[Channel], object]",
    prepare: "Optional[Callable[[], object]]" = None,
    keep: "Iterable[int]" = (),
) -> Child:
    """Have work(channel) done by a child that is the account; the Child. Nothing that is open here is
    open there, but for the descriptors of `keep`.

    prepare() is called by the child before it becomes the account, which may not read what Python
    still has to import.
    """
    answers, answers_end = os.pipe()
    inputs_end, inputs = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            gc.disable()
            os.setsid()
            signal.signal(signal.SIGPIPE, signal.SIG_IGN)
            answers_end, inputs_end = (
                fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, HIGH) for one in (answers_end, inputs_end)
            )
            _keep_only({answers_end, inputs_end}.union(keep))
            os.chdir("/")
            if prepare:
                prepare()
            become(account)
            channel = Channel(answers_end, inputs_end)
            try:
                work(channel)
            except Exception as error:
                channel.send("defect", error=_problem(error))
        finally:
            os._exit(0)
    os.close(answers_end)
    os.close(inputs_end)
    return Child(pid, answers, inputs)


def _problem(error: Exception) -> "Problem":
    if isinstance(error, (ProbeError, InputError)):
        return error
    if isinstance(error, OSError):
        return from_os_error(error)
    return ProbeError("failed", "%s: %s" % (type(error).__name__, error))


def ask(
    account: Account,
    work: "Callable[[], Any]",
    seconds: float,
    shape: "Any" = None,
    prepare: "Optional[Callable[[], object]]" = None,
) -> "Any":
    """What work() returns, worked out by a child that is the account, and of this shape.

    Raises ProbeError, also for what does not come in time or does not fit; InputError as the child
    did.
    """

    def answer(channel: Channel) -> None:
        try:
            channel.send("answer", work())
        except Exception as error:
            channel.send("answer", getattr(error, "data", None), _problem(error))

    child = begin(account, answer, prepare)
    try:
        found = child.receive(time.monotonic() + seconds)
        if found is None:
            text = "the process running as %s did not answer within %g s" % (account.name, seconds)
            raise ProbeError("timeout", text)
        _name, data, error, _seconds = found
        if error:
            raise error
        return data if shape is None else fitted(data, shape)
    except WrongAnswer as error:
        raise ProbeError("invalid", "the process running the process running the process running"
                                    " the process running as %s: %s"
                                    % (account.name, error)) from None
    finally:
        child.end()
