# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a redirection server keeps: tracking logs, and the addresses that links lead to.

The web server's account reads the addresses, the Tracking workflow the logs: one line of these that
is not whole stops it.
"""

import os
import re
import stat
import time

from .files import regular
from .storage import files_below, walk

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Dict, List, Optional, Tuple

    Entry = Dict[str, Any]

BYTES = 8 * 1024 * 1024  # of an instance's logs, those changed last first
LINE = 64 * 1024
SHOWN = 20  # lines and files that are named
WRITING_SECONDS = 60.0  # a last line without its end may still be being written
READABLE = 0o044  # of the 644 that the vendor asks for

_LOG = re.compile(r"^0x[0-9A-Fa-f]{1,16}\.log$")
# The vendor's pattern of a line (delivery/using/about-message-tracking), without its newline; here
# more fields may follow the last one.
_PRINT = rb"[^\x00-\x1f\x7f]*"
_LINE = re.compile(
    rb"[0-9A-Za-z]{2}x[0-9A-Za-z]*\t[0-9T:.-]*\t[0-9A-Fa-f]*\t[0-9A-Fa-f]*\t[0-9A-Fa-f]*"
    rb"\t[0-9A-Za-z]*\t[0-9A-Za-z-]*\t" + _PRINT + rb"\t" + _PRINT + rb"\t" + _PRINT
    + rb"\t[0-9A-Fa-f.:]*(?:,[^\x00-\x1f\x7f]*)?(?:\t[^\x00-\x1f\x7f]*)*"
)


def collect(instance: str, directory: str) -> "Optional[Entry]":
    """One entry of the snapshot's `redirection`; None if this is not a redirection server."""
    if not os.path.isdir(directory):
        return None
    entry: "Entry" = {
        "instance": instance,
        "log_files": 0,
        "log_bytes": 0,
        "newest_at": None,
        "url_newest_at": None,
        "corrupt_lines": 0,
        "corrupt": [],
        "unread_bytes": 0,
        "unreadable_files": 0,
        "unreadable": [],
    }
    logs = os.path.join(directory, "log")
    try:
        entry["log_files"], entry["log_bytes"], dummy, entry["newest_at"] = files_below(logs)
        entry.update(corrupt_lines(logs))
    except FileNotFoundError:
        pass
    try:
        entry.update(addresses(os.path.join(directory, "url")))
    except FileNotFoundError:
        pass
    return entry


def corrupt_lines(directory: str) -> "Entry":
    """The lines that do not have the form of one, and how much was not looked at."""
    files = []
    for name in os.listdir(directory):
        path = os.path.join(directory, name)
        if _LOG.match(name):
            try:
                status = os.stat(path)
            except OSError:
                continue  # trackinglogd has just thrown it away
            files.append((status.st_mtime, path, status.st_size))
    found: "List[Entry]" = []
    count, remaining, unread = 0, BYTES, 0
    for changed, path, size in sorted(files, reverse=True):
        if remaining <= 0:
            unread += size
            continue
        try:
            numbers, read = _in_file(path, remaining, time.time() - changed < WRITING_SECONDS)
        except OSError:
            unread += size
            continue
        remaining -= read
        unread += max(0, size - read)
        count += len(numbers)
        found.extend(
            {"path": path, "line": number, "mtime_at": changed}
            for number in numbers[: max(0, SHOWN - len(found))]
        )
    return {"corrupt_lines": count, "corrupt": found, "unread_bytes": unread}


def _in_file(path: str, limit: int, at_work: bool) -> "Tuple[List[int], int]":
    """(numbers of corrupt lines, bytes read)."""
    numbers: "List[int]" = []
    read = number = 0
    with regular(path) as stream:
        while read < limit:
            line = stream.readline(LINE)
            if not line:
                break
            read += len(line)
            whole = line.endswith(b"\n")
            text = line.rstrip(b"\r\n")
            number += 1
            if not whole and len(line) == LINE:
                numbers.append(number)
                while line and not line.endswith(b"\n") and read < limit:
                    line = stream.readline(LINE)
                    read += len(line)
            elif text and not (at_work and not whole) and not _LINE.fullmatch(text):
                numbers.append(number)
    return numbers, read


def addresses(directory: str) -> "Entry":
    """When addresses last came, and what of them not everybody may read."""
    count = 0
    found: "List[Entry]" = []
    newest: "Optional[float]" = None
    for path, status in walk(directory):
        newest = max(newest or 0.0, status.st_mtime)
        if stat.S_ISREG(status.st_mode) and status.st_mode & READABLE != READABLE:
            count += 1
            if len(found) < SHOWN:
                found.append({"path": path, "mode": "%04o" % stat.S_IMODE(status.st_mode)})
    return {"url_newest_at": newest, "unreadable_files": count, "unreadable": found}
