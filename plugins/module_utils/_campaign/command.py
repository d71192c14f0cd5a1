# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Running commands and callables so that none of them can outlast its time."""

import collections
import gc
import os
import select
import signal
import subprocess
import threading
import time

from .errors import ProbeError, from_os_error

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from subprocess import Popen
    from typing import (
        Any,
        Callable,
        Dict,
        Iterable,
        Iterator,
        List,
        NamedTuple,
        Optional,
        Sequence,
        Tuple,
        TypeVar,
    )

    T = TypeVar("T")
    Answer = Tuple[str, float, Any, Optional[ProbeError]]

    class Result(NamedTuple):
        return_code: int
        out: bytes
        err: bytes
        seconds: float
else:
    Result = collections.namedtuple("Result", "return_code out err seconds")

OUTPUT_LIMIT = 1024 * 1024
PATIENCE = 0.01
LATE = 0.2  # seconds that a probe with its own limit may take to report its time-out
FOREVER = float("inf")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class _TooLate(Exception):
    pass


class Runner:
    """Runs argument lists with a clean environment, as the account that this process is.

    Each command leads its own session: when its time is over the whole process group is
    killed, and one that cannot even be killed is left behind.
    """

    def __init__(
        self,
        account: "Optional[str]" = None,
        home_directory: str = "/",
        start: "Callable[..., Popen[bytes]]" = subprocess.Popen,
    ) -> None:
        self.environment = {"PATH": PATH, "HOME": home_directory, "LC_ALL": "C"}
        if account:
            self.environment.update(USER=account, LOGNAME=account)
        self._start = start
        self._running: "Dict[int, Popen[bytes]]" = {}

    def run(
        self,
        arguments: "Sequence[str]",
        timeout: float,
        environment: "Optional[Dict[str, str]]" = None,
    ) -> Result:
        """Run it to its end; raises ProbeError when it cannot start or takes too long."""
        started = time.monotonic()
        try:
            process = self._start(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd="/",
                env=dict(self.environment, **(environment or {})),
                close_fds=False,  # all that Python opens is closed there anyway
                start_new_session=True,
            )
        except OSError as error:
            raise from_os_error(error, arguments[0]) from None
        self._running[process.pid] = process
        end = started + timeout
        try:
            out, err = _read(process, end)
            code = process.wait(max(0.01, end - time.monotonic()))
        except (_TooLate, subprocess.TimeoutExpired):
            kill(process)
            words = " ".join(arguments[:3])
            raise ProbeError(
                "timeout", "%s did not answer within %g s" % (words, timeout)
            ) from None
        finally:
            self._running.pop(process.pid, None)
        return Result(code, out, err, time.monotonic() - started)

    def end(self) -> None:
        """Kill what still runs: no query may outlive its caller."""
        for process in list(self._running.values()):
            kill(process)


def _read(process: "Popen[bytes]", end: float) -> "List[bytes]":
    """Both outputs to their ends; what exceeds the limit is read and dropped."""
    streams = [stream for stream in (process.stdout, process.stderr) if stream is not None]
    kept = dict((stream.fileno(), bytearray()) for stream in streams)
    outputs = list(kept)
    poll = select.poll()
    for output in outputs:
        poll.register(output, select.POLLIN | select.POLLHUP)
    still_open = len(outputs)
    try:
        while still_open:
            remaining = end - time.monotonic()
            ready = poll.poll(remaining * 1000) if remaining > 0 else []
            if not ready:
                raise _TooLate()
            for output, _event in ready:
                block = os.read(output, 65536)
                if not block:
                    poll.unregister(output)
                    still_open -= 1
                kept[output] += block[: OUTPUT_LIMIT - len(kept[output])]
    finally:
        for stream in streams:
            stream.close()
    return [bytes(kept[output]) for output in outputs]


def kill(process: "Popen[bytes]") -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except OSError:  # gone, or another account's
        process.kill()
    try:
        process.wait(0.5)
    except subprocess.TimeoutExpired:
        pass  # in the kernel's hands


class Call:
    """A function to call in a thread, and its result."""

    def __init__(self, function: "Callable[[], Any]") -> None:
        self.started = 0.0
        self.seconds = 0.0
        self.value: "Any" = None
        self.error: "Optional[ProbeError]" = None
        self._function = function
        self._begun = threading.Event()
        self._ended = threading.Event()

    def run(self) -> None:
        self.started = time.monotonic()
        self._begun.set()
        try:
            self.value = self._function()
        except ProbeError as error:
            self.error, self.value = error, error.data
        except OSError as error:
            self.error = from_os_error(error)
        except Exception as error:  # a defect in one probe must not cost the others
            self.error = ProbeError("failed", "%s: %s" % (type(error).__name__, error))
        self.seconds = time.monotonic() - self.started
        self._ended.set()

    def begins(self, seconds: "Optional[float]" = None) -> bool:
        """Has it begun within these seconds?"""
        return self._begun.wait(seconds)

    def wait(self, end: float) -> bool:
        """Does it finish before that time (of time.monotonic)?"""
        remaining = max(0.0, end - time.monotonic())
        return self._ended.wait(None if remaining == FOREVER else remaining)


def begin(functions: "Iterable[Callable[[], Any]]") -> "List[Call]":
    """Begin the callables, in threads that never keep the process alive; the calls.

    One thread takes them one after the other, and another takes over as soon as that one is
    held up: threads that all want the interpreter at once spend more time on handing it over
    than on their work.
    """
    calls = [Call(function) for function in functions]
    waiting = collections.deque(calls)

    def work() -> None:
        while waiting:
            try:
                call = waiting.popleft()
            except IndexError:  # another thread took the last one
                return
            call.run()

    for call in calls:
        if call is calls[0] or not call.begins(PATIENCE):
            thread = threading.Thread(target=work)
            thread.daemon = True
            thread.start()
            call.begins()
    return calls


def side_by_side(functions: "Iterable[Callable[[], Any]]", limit: float) -> "List[Call]":
    """Run the callables at once; the calls, those unfinished with a time-out as error."""
    end = time.monotonic() + limit
    calls = begin(functions)
    for call in calls:
        if not call.wait(end):
            call.error = ProbeError("timeout", "no answer within %g s" % limit)
    return calls


def answers(
    named: "Sequence[Tuple[str, Callable[[], Any]]]",
    seconds_for: "Callable[[str], float]",
    end: float,
) -> "Iterator[Answer]":
    """Run (name, callable) pairs side by side: (name, seconds, value, error) of each, in order.

    One that does not finish in its own time (seconds_for its name), or by the end, is a time-out.
    """
    calls = begin([function for dummy, function in named])
    return awaited([name for name, dummy in named], calls, seconds_for, end)


def awaited(
    names: "Iterable[str]",
    calls: "Iterable[Call]",
    seconds_for: "Callable[[str], float]",
    end: float,
) -> "Iterator[Answer]":
    """The same for calls that have begun."""
    for name, call in zip(names, calls):
        if call.wait(min(end, call.started + seconds_for(name) + LATE)):
            yield name, call.seconds, call.value, call.error
        else:
            seconds = time.monotonic() - call.started
            error = ProbeError("timeout", "no answer in %.1f s" % seconds)
            yield name, seconds, None, error


class Once:
    """Values that several probes need and one of them works out, also if that fails."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: "Dict[str, Call]" = {}

    def get(self, name: str, function: "Callable[[], T]") -> "T":
        with self._lock:
            known = self._calls.get(name)
            call = self._calls[name] = known or Call(function)
        if known:
            call.wait(FOREVER)
        else:
            call.run()
        if call.error:
            raise call.error
        value: "T" = call.value
        return value


def in_child(function: "Callable[[], bytes]", limit: float) -> "Optional[bytes]":
    """The bytes that the function returns, made by a child process; None if it is too late.

    A thread that hangs in the kernel (a disk that does not answer) keeps its process from
    ending. That process must not be the one Ansible waits for, nor hold its output.
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            gc.disable()  # garbage collection touches every page, and so copies shared memory
            os.setsid()
            os.close(reader)
            null = os.open(os.devnull, os.O_RDWR)
            for descriptor in (0, 1, 2):
                os.dup2(null, descriptor)
            data = function()
            while data:
                data = data[os.write(writer, data) :]
        finally:
            os._exit(0)
    os.close(writer)
    received = []
    end = time.monotonic() + limit
    poll = select.poll()
    poll.register(reader, select.POLLIN | select.POLLHUP)
    while True:
        remaining = end - time.monotonic()
        if remaining <= 0 or not poll.poll(remaining * 1000):
            end_child(pid)
            return None
        block = os.read(reader, 1024 * 1024)
        if not block:
            break
        received.append(block)
    os.close(reader)
    os.waitpid(pid, os.WNOHANG)
    return b"".join(received)


def end_child(pid: int, seconds: float = 0.5) -> bool:
    """Kill a child process with its group, and take its end; False if it is in the kernel's hands.
    """
    for send in (os.killpg, os.kill):
        try:
            send(pid, signal.SIGKILL)
        except OSError:  # ended, or without its own group yet
            pass
    return ended(pid, time.monotonic() + seconds)


def ended(pid: int, end: float) -> bool:
    """Has a child process ended by then? Its end is taken."""
    while True:
        try:
            if os.waitpid(pid, os.WNOHANG)[0]:
                return True
        except ChildProcessError:
            return True
        if time.monotonic() >= end:
            return False
        time.sleep(0.002)
