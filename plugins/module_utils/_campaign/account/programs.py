# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Running the server's program to change something, as the account that this process is."""

import fcntl
import os
import subprocess

from ..errors import ProbeError
from ..finish import finish
from ..text import clean, decode, printable
from . import environment, logs
from .answers import Maybe
from .secrets import Scrubber

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

    from .child import Channel
    from .probes import Server

    Entry = Dict[str, Any]

# Standard input of the outer shell is the lock of a job, 7 and 8 are files for its beginning and
# its end: process id and exit code overwrite blanks, which needs no room on a full disk. The inner
# shell becomes the job, so its process id is the job's, which gets none of these.
SUPERVISOR = r"""
sh -c 'printf "%d %s\n" $$ "$(date +%s.%N)" >&7; exec "$@" </dev/null 7>&- 8>&-' campaign_job "$@"
printf '%d %s\n' $? "$(date +%s.%N)" >&8
"""
BEGUN, FINISHED = 7, 8
# The shapes of the answers.
DONE = {"code": Maybe(int), "said": str, "why": Maybe(str)}
ENDED = {"code": Maybe(int), "why": Maybe(str)}
KEEP_SAID = "head -c 65536; cat >/dev/null"  # a job may say as much as it likes


def _environment(server: "Server", variables: "Dict[str, str]") -> "Dict[str, str]":
    environment = dict(server.runner.environment)
    environment.update(server.variables)
    environment.update(variables)
    environment["LC_ALL"] = "C"
    return environment


def run(
    server: "Server", arguments: "Sequence[str]", variables: "Dict[str, str]", limit: float
) -> "Entry":
    """Exit code, output, why there is no code, why it could not be started."""
    scrub = Scrubber(os.path.join(server.home, "conf"))
    try:
        code, said, why = finish(arguments, _environment(server, variables), limit)
    except OSError as error:
        return {"code": None, "said": "", "why": not_run(arguments, error)}
    return {"code": code, "said": printable(scrub(decode(said).strip()))[-600:], "why": why}


def not_run(arguments: "Sequence[str]", error: OSError) -> str:
    """Why a command did not begin."""
    return "Cannot run %s: %s." % (arguments[0], error.strerror or error)


def spawn(
    channel: "Channel", server: "Server", arguments: "Sequence[str]", variables: "Dict[str, str]"
) -> None:
    """Start a process that stays, and report its end while the parent listens."""
    try:
        process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=_environment(server, variables),
            close_fds=False,
            start_new_session=True,
        )
    except OSError as error:
        channel.send("ended", {"code": None, "why": not_run(arguments, error)})
        return
    channel.send("started", process.pid)
    channel.send("ended", {"code": process.wait(), "why": None})


def supervise(
    channel: "Channel", server: "Server", arguments: "List[str]", descriptors: "Sequence[int]"
) -> None:
    """Start a job under a shell that keeps its lock, and records its start and its end.

    descriptors: the lock, and the files for the beginning, the end and what is said.
    """
    lock, begun, ended, said = [
        fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 30) for descriptor in descriptors
    ]
    for descriptor in descriptors:
        os.close(descriptor)
    try:
        environment = dict(server.runner.environment)
        environment.pop("LC_ALL", None)
        environment.update(read_environment(server))
        reader, writer = os.pipe()
        more: "Entry" = {"close_fds": False, "start_new_session": True}
        plain = server.runner.environment
        subprocess.Popen(
            ["sh", "-c", KEEP_SAID],
            stdin=reader,
            stdout=said,
            stderr=subprocess.DEVNULL,
            env=plain,
            **more
        )
        os.dup2(begun, BEGUN)
        os.dup2(ended, FINISHED)
        home = server.account.home
        process = subprocess.Popen(
            ["sh", "-c", SUPERVISOR, "campaign_job"] + arguments,
            stdin=lock,
            stdout=writer,
            stderr=writer,
            cwd=home if os.path.isdir(home) else "/",
            env=environment,
            **more
        )
    except ProbeError as error:
        channel.send("ended", {"code": None, "why": error.message})
        return
    except OSError as error:
        channel.send("ended", {"code": None, "why": not_run(["sh"], error)})
        return
    for descriptor in (lock, reader, writer, BEGUN, FINISHED):  # the shells have them now
        os.close(descriptor)
    channel.send("started", process.pid)
    channel.send("ended", {"code": process.wait(), "why": None})


def read_environment(server: "Server") -> "Dict[str, str]":
    """What an operator's shell has after env.sh. Its locale stays: it may matter to the data."""
    script = os.path.join(server.home, "env.sh")
    if not os.path.exists(script):
        return {}
    return environment.read(
        server.runner, server.home, server.limit, "unset LC_ALL; " + environment.SHELL
    )


def log_lines(server: "Server", job: "Entry", since: float) -> "List[Entry]":
    """The lines that the log of a job's kind got since then, errors with what they say."""
    path = os.path.join(server.var_dir, job["instance"], "log", job["kind"] + ".log")
    scrub = Scrubber(os.path.join(server.home, "conf"))
    parsed = [line for line in map(logs.parse_line, logs.window(path, since)[0]) if line]
    return [
        {
            "at": at,
            "pid": line.pid,
            "error": None if line.level != "error" else {
                "sample": scrub(clean(logs.unfold(line.message).strip())),
                "codes": logs.codes(line.message),
            },
        }
        for at, line in _timed(parsed)
        if at >= since
    ]  # fmt: skip


def _timed(lines: "Iterable[logs.Line]") -> "Iterator[Tuple[float, logs.Line]]":
    """Each line with its time; one that has none has that of the line before."""
    at: "Optional[float]" = None
    for line in lines:
        at = at if line.at is None else line.at
        if at is not None:
            yield at, line
