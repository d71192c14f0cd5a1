# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""File systems, left-over files and queues on disk."""

import os
import re
import stat

from ansible_collections.campaign.remediation.plugins.module_utils import proc
from ansible_collections.campaign.remediation.plugins.module_utils.model import number

ENTRY_LIMIT = 10000
CORE_LIMIT = 20
_CORE = re.compile(r"^core(?:\.[\w.-]*\d)?$")


def mount(path, role):
    """How full the file system of a directory is; None if there is no such directory."""
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


def mounts_below(var_dir, instances, known):
    """File systems of their own inside an instance's directory (`known`: devices seen)."""
    found = []
    for instance in instances:
        for name, role in (("", "var"), ("log", "log"), ("mta", "var"), ("redir", "var")):
            path = os.path.join(var_dir, instance, name).rstrip("/")
            entry = mount(path, role)
            if entry and entry["device"] not in known:
                known = known | {entry["device"]}
                found.append(entry)
    return found


def _percent(part, whole):
    return round(100.0 * part / whole, 1) if whole else None


def core_files(directories):
    """Memory images that crashes left behind."""
    found = {}
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


def files_below(directory):
    """(number, bytes, oldest, newest) of the files in a directory tree, counted to a limit."""
    count = size = seen = 0
    oldest = newest = None
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
            count += 1
            size += status.st_size
            changed = status.st_mtime
            oldest = changed if oldest is None else min(oldest, changed)
            newest = changed if newest is None else max(newest, changed)
    return count, size, oldest, newest


def spool(instance, path):
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


def redirection(instance, directory):
    """Tracking logs and addresses that a redirection server keeps; None if it is none."""
    if not os.path.isdir(directory):
        return None
    entry = {
        "instance": instance,
        "log_files": 0,
        "log_bytes": 0,
        "newest_at": None,
        "url_newest_at": None,
    }
    try:
        entry["log_files"], entry["log_bytes"], dummy, entry["newest_at"] = files_below(
            os.path.join(directory, "log")
        )
    except FileNotFoundError:
        pass
    try:
        entry["url_newest_at"] = files_below(os.path.join(directory, "url"))[3]
    except FileNotFoundError:
        pass
    return entry


def pid_file(path):
    """What a pid file says, and whether that is a watchdog; None if there is no such file."""
    try:
        with open(path, "rb") as stream:
            pid = number(stream.read(64).decode("latin-1").strip())
    except FileNotFoundError:
        return None
    alive = matches = False
    if pid is not None and pid > 0:
        try:
            name, dummy, dummy, dummy, product = proc.describe_arguments(proc.command_line(pid))
            alive, matches = True, product and name == "watchdog"
        except OSError:
            pass
    return {"path": path, "pid": pid, "alive": alive, "matches": matches}


def changed_at(path):
    """When the file was changed, None if it is not there."""
    try:
        return os.stat(path).st_mtime
    except FileNotFoundError:
        return None
