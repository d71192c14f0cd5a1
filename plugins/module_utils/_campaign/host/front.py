# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The web server in front: which of Campaign's libraries it has loaded, which file it includes.

Its configuration is root's. A file that another account could change, or a link that leads out of
the web server's folder, is not opened.
"""

import os
import re
import stat

from ..text import clean, decode
from . import memory, proc

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Dict, Iterable, Iterator, List

    Entry = Dict[str, Any]

FOLDERS = ("/etc/apache2", "/etc/httpd")
BELOW = ("", "conf", "conf.d", "conf.modules.d", "conf-enabled", "mods-enabled", "sites-enabled")
LIBRARY = "libnlsrvmod.so"
PROCESSES = 20
FILES = 300
BYTES = 256 * 1024  # of a file
SHOWN = 20

_MAPPED = re.compile(
    r"^\S+ \S+ \S+ \S+ \S+ +(/.*/" + re.escape(LIBRARY) + r")( \(deleted\))?$", re.M
)
_INCLUDE = re.compile(
    r"^[ \t]*Include(?:Optional)?[ \t]+[\"']?(/[^\s\"']*/apache_neolane\.conf)[\"']?[ \t\r]*$", re.I
)


def look(pids: "Iterable[int]") -> "Dict[str, List[Entry]]":
    """The web server of the machine, as far as this process may see it; pids: its processes."""
    return {"processes": processes(pids), "includes": includes()}


def processes(pids: "Iterable[int]") -> "List[Entry]":
    """Those of them that have Campaign's library loaded, oldest first. One whose file has been
    replaced since keeps the old one.
    """
    found: "List[Entry]" = []
    for pid in sorted(pids)[: 5 * PROCESSES]:
        try:
            path = os.path.join(proc.PROC, str(pid), "maps")
            mapped = _MAPPED.search(decode(memory.text(path, 4 * BYTES)))
        except OSError:
            continue  # another account's, or it has ended
        if mapped:
            found.append(
                {
                    "pid": pid,
                    "library": clean(mapped.group(1), 300),
                    "deleted": bool(mapped.group(2)),
                }
            )
        if len(found) == PROCESSES:
            break
    return found


def includes() -> "List[Entry]":
    """Where its configuration includes Campaign's file."""
    found: "List[Entry]" = []
    count = 0
    for folder in FOLDERS:
        for below in BELOW:
            directory = os.path.join(folder, below).rstrip("/")
            if not _roots(directory):
                continue
            try:
                names = sorted(os.listdir(directory))
            except OSError:
                continue
            for name in names:
                count += 1
                if count > FILES:
                    return found
                if name.endswith((".conf", ".load")):
                    found.extend(_in_file(folder, os.path.join(directory, name)))
    return found[:SHOWN]


def _in_file(folder: str, path: str) -> "Iterator[Entry]":
    try:
        text = _text(folder, path)
    except OSError:
        return
    for number, line in enumerate(text.split("\n"), 1):
        told = _INCLUDE.match(line)
        if told:
            yield {"path": path, "line": number, "file": clean(told.group(1), 300)}


def _text(folder: str, path: str) -> str:
    """The text of a file that only root can change; empty if it is none."""
    real = path
    if os.path.islink(path):  # as in mods-enabled
        real = os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(path)))
        if not real.startswith(folder + "/") or not _roots(os.path.dirname(real)):
            return ""
    descriptor = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as stream:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or not _of_root(status):
            return ""
        return decode(stream.read(BYTES))


def _roots(directory: str) -> bool:
    """Whether a folder and all above it are root's, and no links."""
    while True:
        try:
            status = os.lstat(directory)
        except OSError:
            return False
        if not stat.S_ISDIR(status.st_mode) or not _of_root(status):
            return False
        if directory == "/":
            return True
        directory = os.path.dirname(directory)


def _of_root(status: os.stat_result) -> bool:
    return status.st_uid == 0 and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
