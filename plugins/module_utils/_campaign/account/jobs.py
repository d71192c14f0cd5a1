# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Declared exports and imports: from processes, files and their logs."""

import glob
import os

from ..text import clean
from . import logs
from .files import regular

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Dict, Iterable, Optional, Tuple

    Entry = Dict[str, Any]
    Run = Tuple[Optional[float], Optional[float], Optional[logs.Line]]

LOG_LIMITS = (512 * 1024, 8 * 1024 * 1024)
COUNT_LIMIT = 64 * 1024 * 1024


def newest(pattern: "Optional[str]", directory: str) -> "Optional[Tuple[str, os.stat_result]]":
    """(path, status) of the newest file that fits; None without one."""
    if not pattern:
        return None
    found = []
    for path in glob.glob(os.path.join(directory, pattern))[:10000]:
        try:
            found.append((os.stat(path).st_mtime, path))
        except OSError:
            continue
    if not found:
        return None
    path = max(found)[1]
    return path, os.stat(path)


def count_lines(path: str) -> "Tuple[int, bool]":
    """The lines of a file, and whether it has more: counting stops after 64 MB."""
    count = read = 0
    with regular(path) as stream:
        while read < COUNT_LIMIT:
            block = stream.read(65536)
            if not block:
                return count, False
            read += len(block)
            count += block.count(b"\n")
        return count, bool(stream.read(1))


def history(lines: "Iterable[str]", job: "Entry", alone: bool) -> "Run":
    """(first, last, error) of the last run in the log."""
    parsed = [line for line in map(logs.parse_line, lines) if line]
    named = set(line.pid for line in parsed if job["name"] in line.message)
    if not named and not alone:
        return None, None, None
    last = next((one.pid for one in reversed(parsed) if not named or one.pid in named), None)
    chosen = [line for line in parsed if line.pid == last]
    if not chosen:
        return None, None, None
    error = next((line for line in reversed(chosen) if line.level == "error"), None)
    return chosen[0].at, chosen[-1].at, error


def last_run(path: str, job: "Entry", alone: bool) -> "Run":
    """The history of the last run in a log: enough is read to include its beginning, if there is
    one.
    """
    for limit in LOG_LIMITS:
        lines, dummy, truncated = logs.read_tail(path, None, limit)
        first, last, error = history(lines, job, alone)
        if not truncated:
            break
        oldest = next((line.at for line in map(logs.parse_line, lines) if line), None)
        if first is not None and first != oldest:
            break
        first = None
    return first, last, error


def collect(job: "Entry", var_dir: str, alone: bool) -> "Entry":
    """One entry of the snapshot's `jobs`, without its process."""
    directory = os.path.join(var_dir, job["instance"])
    entry: "Entry" = {
        "name": job["name"],
        "kind": job["kind"],
        "instance": job["instance"],
        "operator": job.get("operator"),
        "running": None,
        "result": None,
        "rejects": None,
        "last_start_at": None,
        "last_end_at": None,
        "last_error": None,
    }
    found = newest(job.get("result"), directory)
    if found:
        path, status = found
        entry["result"] = {
            "path": path,
            "mtime_at": status.st_mtime,
            "size_bytes": status.st_size,
        }
    found = newest(job.get("rejects"), directory)
    if found:
        path, status = found
        lines, more = count_lines(path)
        entry["rejects"] = {
            "path": path,
            "lines": lines,
            "more": more,
            "mtime_at": status.st_mtime,
        }
    try:
        path = os.path.join(directory, "log", job["kind"] + ".log")
        first, last, error = last_run(path, job, alone)
    except FileNotFoundError:
        return entry
    entry["last_start_at"] = first
    entry["last_end_at"] = last
    if error:
        message = logs.unfold(error.message)
        entry["last_error"] = {
            "sample": clean(message.strip(), 500),
            "codes": logs.codes(message),
            "at": error.at,
        }
    return entry
