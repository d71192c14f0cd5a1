# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""File systems, left-over files and queues on disk."""

import glob
import os
import re
import stat

from ..text import number
from .files import regular

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import AbstractSet, Any, Dict, Iterable, Iterator, List, Optional, Tuple

    Entry = Dict[str, Any]

ENTRY_LIMIT = 10000
CORE_LIMIT = 20
_CORE = re.compile(r"^core(?:\.[\w.-]*\d)?$")


def mount(path: str, role: str) -> "Optional[Entry]":
    """How full the file system of a directory is; None if the directory does not exist."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    system = os.statvfs(path)
    usable = system.f_blocks - system.f_bfree + system.f_bavail
    return {
        "path": path,
        "role": role,
        "device": status.st_dev,
        "used_percent": _percent(usable - system.f_bavail, usable),
        "free_mb": round(system.f_bavail * system.f_frsize / 1048576.0, 1),
        "inodes_used_percent": _percent(system.f_files - system.f_ffree, system.f_files),
        "read_only": bool(system.f_flag & os.ST_RDONLY),
    }


def mounts_below(
    var_dir: str, instances: "Iterable[str]", known: "AbstractSet[int]"
) -> "List[Entry]":
    """File systems of their own inside an instance's directory (`known`: devices seen)."""
    found: "List[Entry]" = []
    for instance in instances:
        for name, role in (("", "var"), ("log", "log"), ("mta", "var"), ("redir", "var")):
            path = os.path.join(var_dir, instance, name).rstrip("/")
            entry = mount(path, role)
            if entry and entry["device"] not in known:
                known = known | {entry["device"]}
                found.append(entry)
    return found


def _percent(part: int, whole: int) -> "Optional[float]":
    return round(100.0 * part / whole, 1) if whole else None


def core_files(directories: "Iterable[str]") -> "List[Entry]":
    """Memory images that crashes left behind."""
    found: "Dict[str, Entry]" = {}
    for directory in directories:
        try:
            names = [name for name in os.listdir(directory) if _CORE.match(name)]
        except OSError:
            continue
        for name in names[:CORE_LIMIT]:
            path = os.path.join(directory, name)
            try:
                status = os.lstat(path)
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode):
                found[path] = {
                    "path": path,
                    "size_bytes": status.st_size,
                    "mtime_at": status.st_mtime,
                }
    return sorted(found.values(), key=lambda entry: -entry["mtime_at"])[:CORE_LIMIT]


def walk(directory: str) -> "Iterator[Tuple[str, os.stat_result]]":
    """(path, status) of everything in a directory tree but directories, up to a limit."""
    seen = 0
    pending = [directory]
    while pending and seen < ENTRY_LIMIT:
        current = pending.pop()
        try:
            entries = os.scandir(current)
        except OSError:
            if current == directory:
                raise
            continue
        for entry in entries:
            seen += 1
            if seen > ENTRY_LIMIT:
                break
            try:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                    continue
                status = entry.stat(follow_symlinks=False)
            except OSError:
                continue  # gone meanwhile
            yield entry.path, status


def files_below(directory: str) -> "Tuple[int, int, Optional[float], Optional[float]]":
    """(number, bytes, oldest, newest) of the files in a directory tree, counted to a limit."""
    count = size = 0
    oldest: "Optional[float]" = None
    newest: "Optional[float]" = None
    for dummy, status in walk(directory):
        count += 1
        size += status.st_size
        changed = status.st_mtime
        oldest = changed if oldest is None else min(oldest, changed)
        newest = changed if newest is None else max(newest, changed)
    return count, size, oldest, newest


def spool(instance: str, path: str) -> "Optional[Entry]":
    """The mta's working directory; None if there is none."""
    try:
        count, dummy, oldest, newest = files_below(path)
    except FileNotFoundError:
        return None
    return {
        "instance": instance,
        "path": path,
        "files": count,
        "oldest_at": oldest,
        "newest_at": newest,
    }


def front_files(home: str) -> "List[str]":
    """Campaign's files for the configuration of the web server, of any Tomcat, that are there."""
    name = "apache_neolane.conf"
    tomcats = sorted(glob.glob(os.path.join(glob.escape(home), "tomcat-*", "conf", name)))[:20]
    paths = [os.path.join(home, "conf", name)] + tomcats
    return [path for path in paths if os.path.exists(path)]


def pid_file(path: str) -> "Optional[Entry]":
    """The contents of a pid file; None if it does not exist."""
    try:
        with regular(path) as stream:
            pid = number(stream.read(64).decode("latin-1").strip())
    except FileNotFoundError:
        return None
    return {"path": path, "pid": pid}


def changed_at(path: str) -> "Optional[float]":
    """When the file was changed, None if it does not exist."""
    try:
        return os.stat(path).st_mtime
    except FileNotFoundError:
        return None
