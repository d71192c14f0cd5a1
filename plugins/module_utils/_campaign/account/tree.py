# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The few files of the account that a remedy changes: changed as the account, never as root."""

import errno
import os
import re
import shlex
import stat

from ..errors import ProbeError
from ..text import clean, decode
from . import storage
from .answers import Maybe
from .files import regular

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Dict, Iterable, List, Optional, Tuple

    from .probes import Server

    Entry = Dict[str, Any]

SCRIPT = "customer.sh"
SCRIPT_LIMIT = 1024 * 1024
_TMPDIR = re.compile(r"^[ \t]*(?:export[ \t]+)?TMPDIR=")

# The shapes of the answers.
MOVED = {
    "changed": bool, "line": str, "path": str, "script": str, "commands": [[str]],
    "other": [{"instance": str, "path": str}], "site": Maybe({"number": int, "line": str}),
}  # fmt: skip
REMOVED = {"changed": bool, "pid": Maybe(int), "exists": bool}


def move_tmp(server: "Server", spools: "Iterable[Tuple[str, str]]", apply: bool) -> "Entry":
    """Move the temporary directory to the spools' device: var/tmp, by a line in customer.sh.

    spools: (instance, path) of each. Nothing is changed if that would not help (other), or if the
    site has a line of its own (site).
    """
    path, line = tmp_of(server.var_dir)
    script = os.path.join(server.home, SCRIPT)
    told: "Entry" = {
        "changed": False, "line": line, "path": path, "script": script, "commands": [],
        "other": [], "site": None,
    }  # fmt: skip
    device = _device(path)
    for instance, spool in spools:
        if _device(spool) != device:
            told["other"].append({"instance": instance, "path": spool})
    lines, ended = _lines(script)
    known = False
    for number, text in enumerate(lines, 1):
        if not _TMPDIR.match(text):
            continue
        if text.strip() == line:
            known = True
        elif told["site"] is None:
            told["site"] = {"number": number, "line": clean(text.strip(), 200)}
    if told["other"] or told["site"]:
        return told
    missing = not os.path.isdir(path)
    if not known:
        told["commands"] = tmp_commands(server.var_dir)
    elif missing:
        told["commands"] = tmp_commands(server.var_dir)[:1]
    if apply and missing:
        os.makedirs(path, 0o750, exist_ok=True)
    if apply and not known:
        _append(script, (b"" if ended else b"\n") + os.fsencode(line) + b"\n")
    told["changed"] = bool(told["commands"])
    return told


def tmp_of(var_dir: str) -> "Tuple[str, str]":
    """The temporary directory beside the spools, and the line of the script that sets it."""
    path = os.path.join(var_dir, "tmp")
    return path, "export TMPDIR=" + shlex.quote(path)


def tmp_commands(var_dir: str) -> "List[List[str]]":
    """What moves the temporary directory there, if the script does not set it yet."""
    path, line = tmp_of(var_dir)
    return [["mkdir", "-p", path], [SCRIPT, line]]


def _device(path: str) -> int:
    """The device of a directory, or of the nearest existing parent."""
    while not os.path.isdir(path):
        if os.path.lexists(path):
            raise ProbeError("invalid", "%s exists but is not a directory" % path)
        path = os.path.dirname(path)
    return os.stat(path).st_dev


def _lines(script: str) -> "Tuple[List[str], bool]":
    """The lines of a script, and whether the last one is ended."""
    try:
        with regular(script) as stream:
            data = stream.read(SCRIPT_LIMIT + 1)
    except FileNotFoundError:
        return [], True
    if len(data) > SCRIPT_LIMIT:
        raise ProbeError("invalid", "%s is larger than 1 MB: not read" % script)
    return decode(data).split("\n"), not data or data.endswith(b"\n")


def _append(path: str, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
    descriptor = os.open(path, flags, 0o644)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", path)
        os.write(descriptor, data)
    finally:
        os.close(descriptor)


def remove_pid_file(path: str, pid: "Optional[int]", apply: bool) -> "Entry":
    """Remove a pid file that still names this process."""
    found = storage.pid_file(path)
    told = {"changed": False, "pid": found and found["pid"], "exists": bool(found)}
    if found and found["pid"] == pid:
        told["changed"] = True
        if apply:
            os.unlink(path)
    return told
