# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Running a command that changes something: what it starts may outlive it."""

import fcntl
import os
import signal
import subprocess
import tempfile
import time

from .command import kill

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from subprocess import Popen
    from typing import Callable, Dict, Optional, Sequence, Tuple

SAID_LIMIT = 64 * 1024
FLOOD = 16 * 1024 * 1024
WATCH_SECONDS = 0.05
TERM_SECONDS = 3.0


def finish(
    arguments: "Sequence[str]",
    environment: "Dict[str, str]",
    limit: float,
    start: "Callable[..., Popen[bytes]]" = subprocess.Popen,
) -> "Tuple[Optional[int], bytes, Optional[str]]":
    """(exit code, output, why there is no code) of a command that may leave processes running.

    Its output goes to a file: a pipe would keep us waiting for the module that it starts, or kill
    that module when we end. The file never gets large, and only the command itself is ended when
    its time is over, for what it started may be the server. Raises OSError if it cannot start.
    """
    output = _file_without_name()
    try:
        process = start(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            env=environment,
            close_fds=False,
            start_new_session=True,
        )
        code, why = _watch(process, output, time.monotonic() + limit)
        if why is None and code is None:
            why = "It did not finish within %g s and was terminated." % limit
        said = b""
        if output != subprocess.DEVNULL:
            said = os.pread(output, SAID_LIMIT, 0)
        return code, said, why
    finally:
        if output != subprocess.DEVNULL:
            os.close(output)


def _file_without_name() -> int:
    """A file that goes away with its last user; a full disk must not stop a repair: then none."""
    try:
        descriptor, path = tempfile.mkstemp()
    except OSError:
        return subprocess.DEVNULL
    os.unlink(path)
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_APPEND)
    return descriptor


def _watch(
    process: "Popen[bytes]", output: int, end: float
) -> "Tuple[Optional[int], Optional[str]]":
    """(exit code, why it was ended early): output beyond the limit is dropped."""
    dropped = 0
    while True:
        try:
            return process.wait(min(WATCH_SECONDS, max(0.01, end - time.monotonic()))), None
        except subprocess.TimeoutExpired:
            pass
        if output != subprocess.DEVNULL:
            size = os.fstat(output).st_size
            if size > SAID_LIMIT:
                dropped += size
                os.ftruncate(output, 0)
        if dropped > FLOOD:
            kill(process)
            return None, "It wrote more than %d MB of output and was killed." % (FLOOD // 1048576)
        if time.monotonic() >= end:
            _end_gently(process)
            return None, None


def _end_gently(process: "Popen[bytes]") -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            process.send_signal(number)
            process.wait(TERM_SECONDS)
            return
        except (OSError, subprocess.TimeoutExpired):
            continue
