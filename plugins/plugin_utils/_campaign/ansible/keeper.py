# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Signs of life of a run that waits: a process on the controller for each host that the run has.

Between two tasks of a host a run can be silent for long, while it works on other hosts. So a small
process, forked from the task that took the lock, touches the run's sign file there, through the
connection of that task, every half a minute. It ends with ansible-playbook itself, however that
ends, with the lock, or when the host no longer answers.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import select
import shlex
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible import constants as C
from ansible.utils.display import Display

from . import controller

BEAT_SECONDS = 30.0
FAILURES = 3  # in a row, after which the host counts as lost
POLL_SECONDS = 1.0  # where the end of a process can only be looked for
_SIGN = re.compile(r"/(?:[^/\0\n]+/)*alive-[0-9a-f]{16}")


def command(sign: str) -> str | None:
    """The command that gives a sign of life, as long as its file exists; None for another file."""
    if not _SIGN.fullmatch(sign):
        return None
    word = shlex.quote(sign)
    return f"test -f {word} && touch -c {word}"


def _note(host: str) -> Path:
    """Where the keeper of a host is noted: in the temporary folder of this ansible-playbook."""
    name = hashlib.sha256(host.encode()).hexdigest()[:16]
    return Path(str(C.DEFAULT_LOCAL_TMP)) / f"campaign-keeper-{name}"


def begin(host: str, beat: Callable[[], bool]) -> None:
    """Start the keeper of a host. beat: gives a sign of life; False if none is needed any longer."""
    end(host)
    owner = controller.main_process()
    start = controller.start_of(owner)
    if start is None or owner == os.getpid():
        return
    pid = os.fork()
    if pid:
        with contextlib.suppress(OSError):
            _note(host).write_text(f"{pid} {controller.start_of(pid)}", encoding="ascii")
        return
    try:
        _become_keeper()
        keep(lambda seconds: _gone_within(owner, start, seconds), beat)
    finally:
        os._exit(0)


def end(host: str) -> None:
    """End the keeper of a host, if there is one."""
    note = _note(host)
    try:
        words = note.read_text(encoding="ascii").split()
        note.unlink()
        pid, start = int(words[0]), int(words[1])
    except (OSError, ValueError, IndexError):
        return
    if controller.start_of(pid) == start:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGTERM)


def keep(gone_within: Callable[[float], bool], beat: Callable[[], Any]) -> None:
    """Give signs of life until the run ends, needs none, or has lost the host."""
    failures = 0
    while failures < FAILURES and not gone_within(BEAT_SECONDS):
        try:
            if not beat():
                return
            failures = 0
        except Exception:  # whatever a connection raises
            failures += 1


def _become_keeper() -> None:
    """Release everything of the task's process, so that no one waits for this one."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.closerange(3, 65536)
    _be_silent()


def _be_silent() -> None:
    """Drop the output of this process: it has no queue of Ansible."""
    display = Display()
    display.verbosity = -1
    display._final_q = None


def _gone_within(pid: int, start: int, seconds: float) -> bool:
    """Wait for the end of a process for at most some seconds; whether it has ended."""
    end = time.monotonic() + seconds
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    except (AttributeError, OSError):
        while controller.lives(pid, start):
            left = end - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(POLL_SECONDS, left))
        return True
    try:
        if not controller.lives(pid, start):
            return True
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(1000 * seconds))
    finally:
        os.close(descriptor)
