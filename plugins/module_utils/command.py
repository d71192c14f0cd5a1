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

from ansible_collections.campaign.remediation.plugins.module_utils.model import (
    ProbeError,
    from_os_error,
)

OUTPUT_LIMIT = 1024 * 1024
PATIENCE = 0.01
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

Result = collections.namedtuple("Result", "return_code out err seconds")


class _TooLate(Exception):
    pass


class Runner:
    """Runs argument lists, as this account or as the Campaign account.

    Each command leads its own session: when its time is over the whole process group is
    killed, and one that cannot even be killed is left behind.
    """

    def __init__(self, account, home_directory, become=None, start=subprocess.Popen):
        self.account = account
        self.become = become
        self.environment = {
            "PATH": PATH,
            "HOME": home_directory,
            "USER": account,
            "LOGNAME": account,
            "LC_ALL": "C",
        }
        self.sessions = set()
        self._start = start

    def command(self, arguments, as_account=True):
        """The argument list that really runs."""
        command = []
        if as_account and self.become:
            uid, gid = self.become
            # Unlike su and runuser it opens no PAM session, which would leave log lines.
            command.extend(["setpriv", "--reuid=%d" % uid, "--regid=%d" % gid])
            command.extend(["--init-groups", "--"])
        command.extend(arguments)
        return command

    def run(self, arguments, timeout, environment=None, as_account=True):
        """Run it to its end; raises ProbeError when it cannot start or takes too long."""
        command = self.command(arguments, as_account)
        started = time.monotonic()
        try:
            process = self._start(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd="/",
                env=dict(self.environment, **(environment or {})),
                close_fds=True,
                start_new_session=True,
            )
        except OSError as error:
            raise from_os_error(error, command[0]) from None
        self.sessions.add(process.pid)
        end = started + timeout
        try:
            out, err = _read(process, end)
            code = process.wait(max(0.01, end - time.monotonic()))
        except (_TooLate, subprocess.TimeoutExpired):
            _kill(process)
            words = " ".join(arguments[:3])
            raise ProbeError(
                "timeout", "%s did not answer within %g s" % (words, timeout)
            ) from None
        return Result(code, out, err, time.monotonic() - started)


def _read(process, end):
    """Both outputs to their ends; what exceeds the limit is read and dropped."""
    streams = (process.stdout, process.stderr)
    kept = dict((stream.fileno(), bytearray()) for stream in streams)
    outputs = list(kept)
    poll = select.poll()
    for output in outputs:
        poll.register(output, select.POLLIN | select.POLLHUP)
    still_open = len(outputs)
    try:
        while still_open:
            left = end - time.monotonic()
            ready = poll.poll(left * 1000) if left > 0 else []
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


def _kill(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except OSError:  # gone, or another account's
        process.kill()
    try:
        process.wait(0.5)
    except subprocess.TimeoutExpired:
        pass  # in the kernel's hands


class Task(object):
    """A callable and what came of it."""

    def __init__(self, function):
        self.started = None
        self.seconds = None
        self.value = None
        self.error = None
        self._function = function
        self._begun = threading.Event()
        self._ended = threading.Event()

    def run(self):
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

    def begins(self, seconds=None):
        """Has it begun within these seconds?"""
        return self._begun.wait(seconds)

    def wait(self, end):
        """Has it come to its end before that time (of time.monotonic)?"""
        return self._ended.wait(max(0.0, end - time.monotonic()))


def begin(functions):
    """Begin the callables, in threads that never keep the process alive; their tasks.

    One thread takes them one after the other, and another takes over as soon as that one is
    held up: threads that all want the interpreter at once spend more time on handing it over
    than on their work.
    """
    tasks = [Task(function) for function in functions]
    waiting = collections.deque(tasks)

    def work():
        while waiting:
            try:
                task = waiting.popleft()
            except IndexError:  # another thread took the last one
                return
            task.run()

    for task in tasks:
        if task is tasks[0] or not task.begins(PATIENCE):
            thread = threading.Thread(target=work)
            thread.daemon = True
            thread.start()
            task.begins()
    return tasks


def side_by_side(functions, limit):
    """Run the callables at once; the tasks, those unfinished with a time-out as error."""
    end = time.monotonic() + limit
    tasks = begin(functions)
    for task in tasks:
        if not task.wait(end):
            task.error = ProbeError("timeout", "no answer within %g s" % limit)
    return tasks


class Once(object):
    """Values that several probes need and one of them works out."""

    def __init__(self):
        self._lock = threading.Lock()
        self._locks = {}
        self._values = {}

    def get(self, name, function):
        with self._lock:
            lock = self._locks.setdefault(name, threading.Lock())
        with lock:
            if name not in self._values:
                self._values[name] = function()
            return self._values[name]


def in_child(function, limit):
    """The bytes that the function returns, made by a child process; None if it is too late.

    A thread that hangs in the kernel (a disk that does not answer) keeps its process from
    ending. That process must not be the one Ansible waits for, nor hold its output.
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            gc.disable()  # to look for garbage touches every page, and so copies what is shared
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
        left = end - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            os.kill(pid, signal.SIGKILL)
            return None
        block = os.read(reader, 1024 * 1024)
        if not block:
            break
        received.append(block)
    os.close(reader)
    os.waitpid(pid, os.WNOHANG)
    return b"".join(received)
