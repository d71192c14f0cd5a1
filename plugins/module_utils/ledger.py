# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The state directory on the host, and the ledger in it: what was done to this server.

The ledger is the one place for each fact of the past: the restart budget, interrupted repairs,
raised log precisions and reloads are derived from its lines by the functions at the end.
"""

import contextlib
import errno
import fcntl
import json
import os
import stat
import time

from ansible_collections.campaign.remediation.plugins.module_utils.model import (
    DEFAULT,
    clean,
    mask_arguments,
)

NAME = "ledger.jsonl"
MAX_BYTES = 1024 * 1024
KEPT = 5  # rotated files, ledger.1.jsonl being the youngest
LOCK = "lock"
STALE_SECONDS = 900.0  # that a run may be without a sign of life
END_BYTES = 256 * 1024  # of the ledger, for a quick look
ENTRIES = 20  # in a list of the summary
MUTEX_SECONDS = 10.0
TEXT_LIMIT = 1000
EVENTS = ("run_opened", "begun", "ended", "refused", "run_closed")
RESULTS = ("done", "failed", "refused", "unchanged", "interrupted")
FIELDS = (
    "at", "run", "event", "module", "instance", "remedy", "state", "because", "who", "from",
    "command", "result", "reason", "before", "after", "seconds", "precision", "restart", "inside",
    "whole_server",
)  # fmt: skip
# From fixed lists, or checked: a password that is the same word must not make them unreadable.
STRUCTURE = ("run", "event", "module", "instance", "result", "state", "precision")


class StoreError(Exception):
    """The state directory or the ledger cannot be used."""


class Store(object):
    """The directory. It belongs to the Campaign account, and is written as that account:
    root must not follow what the account may have put there."""

    def __init__(self, path, uid, gid):
        self.path = path
        self.uid = uid
        self.gid = gid

    def join(self, *names):
        return os.path.join(self.path, *names)

    @contextlib.contextmanager
    def acting(self):
        """As the Campaign account, when this process is root and the account is another."""
        if os.geteuid() == self.uid or os.geteuid() != 0:
            yield
            return
        group, groups = os.getegid(), os.getgroups()
        os.setgroups([self.gid])
        os.setegid(self.gid)
        os.seteuid(self.uid)
        try:
            yield
        finally:
            os.seteuid(0)
            os.setegid(group)
            os.setgroups(groups)

    def prepare(self):
        """Make the directory if there is none."""
        try:
            with self.acting():
                os.makedirs(self.path, 0o700)
        except FileExistsError:
            pass
        except PermissionError as error:
            if os.geteuid() != 0:
                raise self.error("make", error) from None
            os.makedirs(self.path, 0o700)
            os.chown(self.path, self.uid, self.gid)
        except OSError as error:
            raise self.error("make", error) from None
        status = os.lstat(self.path)
        if not stat.S_ISDIR(status.st_mode) or status.st_uid not in (self.uid, 0):
            raise StoreError(
                "%s must be a directory of the Campaign account (uid %d), and is not: remove it"
                " or choose another state_dir." % (self.path, self.uid)
            )

    def error(self, verb, error, path=None):
        text = "Cannot %s %s: %s." % (verb, path or self.path, error.strerror or error)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            text = "Cannot %s %s: the disk is full." % (verb, path or self.path)
        return StoreError(text)

    def open(self, name, flags, mode=0o600):
        """A descriptor of a file here; never through a symbolic link."""
        flags |= os.O_NOFOLLOW | os.O_CLOEXEC
        with self.acting():
            return os.open(self.join(name), flags, mode)

    @contextlib.contextmanager
    def mutex(self):
        """One process at a time between here and the end; freed by the kernel when it dies."""
        descriptor = None
        try:
            descriptor = self.open(".mutex", os.O_RDWR | os.O_CREAT)
            _flock(descriptor, time.monotonic() + MUTEX_SECONDS)
        except OSError as error:
            if descriptor is not None:
                os.close(descriptor)
            raise self.error("lock", error, self.join(".mutex")) from None
        try:
            yield
        finally:
            os.close(descriptor)

    def read(self, name, limit=4 * MAX_BYTES, end=False):
        """The first bytes of a file here, or the last ones (end); None if there is none."""
        try:
            descriptor = self.open(name, os.O_RDONLY | os.O_NONBLOCK)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self.error("read", error, self.join(name)) from None
        try:
            if end:
                size = os.fstat(descriptor).st_size
                os.lseek(descriptor, max(0, size - limit), os.SEEK_SET)
            return _read(descriptor, limit)
        except OSError as error:
            raise self.error("read", error, self.join(name)) from None
        finally:
            os.close(descriptor)

    def replace(self, name, data):
        """Write a whole file, so that it is there as a whole or as it was."""
        temporary = ".%s.new" % name
        try:
            descriptor = self.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            with self.acting():
                os.rename(self.join(temporary), self.join(name))
        except OSError as error:
            self.remove(temporary)
            raise self.error("write", error, self.join(name)) from None

    def remove(self, name):
        try:
            with self.acting():
                os.unlink(self.join(name))
        except OSError:
            pass  # what must not stay is looked at again by its reader


def _read(descriptor, limit):
    """Up to so many bytes from where a descriptor stands."""
    parts = []
    while limit > 0:
        part = os.read(descriptor, limit)
        if not part:
            break
        parts.append(part)
        limit -= len(part)
    return b"".join(parts)


def _flock(descriptor, end):
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= end:
                raise OSError(errno.EBUSY, "another process holds it") from None
            time.sleep(0.02)


class Ledger(object):
    """Appends lines, and reads them all, oldest first."""

    def __init__(self, store, clock=time.time):
        self.store = store
        self._clock = clock

    def append(self, event, scrub=clean, **values):
        """Write one line to the disk; StoreError if that cannot be. The line as written."""
        entry = dict((name, None) for name in FIELDS)
        entry.update(at=round(self._clock(), 3), event=event, module="", instance=DEFAULT)
        entry.update(because=[], command=[])
        entry.update(values)
        entry["command"] = [mask_arguments(command) for command in entry["command"]]
        for name in FIELDS:
            if name not in STRUCTURE:
                entry[name] = _scrubbed(entry[name], scrub)
        data = json.dumps(entry, sort_keys=True).encode("ascii") + b"\n"
        with self.store.mutex():
            self._rotate(len(data))
            self._write(data)
        return entry

    def _write(self, data):
        path = self.store.join(NAME)
        try:
            descriptor = self.store.open(NAME, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        except OSError as error:
            raise self.store.error("write", error, path) from None
        size = None
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                data = b"\n" + data  # a writer was killed within its line
            written = 0
            while written < len(data):
                written += os.write(descriptor, data[written:])
            os.fsync(descriptor)
        except OSError as error:
            if size is not None:
                os.ftruncate(descriptor, size)
            raise self.store.error("write", error, path) from None
        finally:
            os.close(descriptor)

    def _rotate(self, more):
        try:
            size = os.lstat(self.store.join(NAME)).st_size
        except OSError:
            return
        if size + more <= MAX_BYTES:
            return
        try:
            with self.store.acting():
                for number in range(KEPT, 0, -1):
                    older = self.store.join(file_name(number))
                    younger = self.store.join(file_name(number - 1))
                    if os.path.lexists(younger):
                        os.rename(younger, older)
        except OSError as error:
            raise self.store.error("rotate", error, self.store.join(NAME)) from None

    def lines(self):
        """Every line that is there and whole."""
        return _entries(
            self.store.read(file_name(number)) or b"" for number in range(KEPT, -1, -1)
        )

    def last_lines(self, limit=END_BYTES):
        """The last of them: so many bytes, also of rotated files."""
        parts = []
        for number in range(KEPT + 1):
            data = self.store.read(file_name(number), limit, end=True)
            if data is None or limit <= 0:
                break
            parts.insert(0, data)
            limit -= len(data)
        return _entries(parts)


def _entries(parts):
    """The ledger's lines in the contents of files."""
    found = []
    for data in parts:
        for line in data.splitlines():
            try:
                entry = json.loads(line.decode("utf-8"))
            except ValueError:
                continue  # cut by a crash
            if isinstance(entry, dict) and entry.get("event") in EVENTS:
                found.append(entry)
    return found


def _scrubbed(value, scrub):
    """The same without passwords in any text, however deep."""
    if isinstance(value, dict):
        return dict((key, _scrubbed(value[key], scrub)) for key in value)
    if isinstance(value, (list, tuple)):
        return [_scrubbed(each, scrub) for each in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return scrub(str(value))[:TEXT_LIMIT]


def file_name(number):
    return NAME if number == 0 else "ledger.%d.jsonl" % number


# ----------------------------------------------------------------------------- the lock


def read_lock(store):
    """The entry of the run that holds this host, None if there is none."""
    try:
        entry = json.loads((store.read(LOCK) or b"").decode("utf-8"))
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and entry.get("run") else None


def at_work(entry, start_of, now):
    """Is the holder of a lock still at work? start_of: when the process of a number began."""
    pid = entry.get("pid")
    if pid and start_of(pid) == entry.get("pid_start"):
        return True
    if entry.get("scope") == "call":
        return False
    return now - float(entry.get("beat") or 0) <= STALE_SECONDS


# ----------------------------------------------------------------- derived from the lines


def _key(entry):
    return tuple(entry.get(name) for name in ("run", "module", "instance", "remedy"))


def is_of(entry, module, instance):
    return (entry.get("module"), entry.get("instance")) == (module, instance)


def open_repairs(lines):
    """The `begun` lines that no `ended` line follows."""
    waiting = []
    for entry in lines:
        if entry["event"] == "begun":
            waiting.append(entry)
        elif entry["event"] == "ended":
            for begun in reversed(waiting):
                if _key(begun) == _key(entry):
                    waiting.remove(begun)
                    break
    return waiting


def restarts(lines, module, instance, since):
    """When we (re)started that module since then. Steps inside a repair count with it, the
    server's own daily restart does not stand here, and what ended unchanged was none."""
    times = []
    waiting = []
    for entry in lines:
        if not is_of(entry, module, instance) or entry.get("inside"):
            continue
        if entry["event"] == "begun" and entry.get("restart"):
            times.append(entry["at"])
            waiting.append(entry)
        elif entry["event"] == "ended":
            for begun in reversed(waiting):
                if _key(begun) == _key(entry):
                    waiting.remove(begun)
                    if entry.get("result") in ("unchanged", "refused"):
                        times.remove(begun["at"])
                    break
    return [at for at in times if at >= since]


def renewals(lines):
    """The last start of ours that went well, of each module and of the whole server."""
    found, begun = {}, {}
    for entry in lines:
        if entry.get("inside"):
            continue
        if entry["event"] == "begun" and (entry.get("restart") or entry.get("whole_server")):
            begun[_key(entry)] = entry
        elif entry["event"] == "ended":
            start = begun.pop(_key(entry), None)
            if start and entry.get("result") == "done":
                found[(start["module"], start["instance"])] = {
                    "module": start["module"],
                    "instance": start["instance"],
                    "whole_server": bool(start.get("whole_server")),
                    "at": start["at"],
                    "ended_at": entry["at"],
                }
    return [found[key] for key in sorted(found)]


def precisions(lines):
    """The log precisions that we raised and did not restore: one entry a module."""
    raised = {}
    for entry in lines:
        precision = entry.get("precision")
        if entry["event"] != "ended" or not precision or entry.get("result") == "failed":
            continue
        key = (entry["module"], entry["instance"])
        raised.pop(key, None)
        if precision.get("value") != "standard":
            raised[key] = dict(
                precision, module=key[0], instance=key[1], at=entry["at"], who=entry.get("who")
            )
    return list(raised.values())


def reloads(lines):
    """When we last had what reloaded: {(module, instance): at}, before it read anything."""
    return dict(
        ((entry["module"], entry["instance"]), entry["at"] - (entry.get("seconds") or 0))
        for entry in lines
        if entry["event"] == "ended"
        and entry.get("state") == "reloaded"
        and entry.get("result") == "done"
    )


def summary(lines, now, window_seconds=3600.0, running=None):
    """All of it as plain data, for a snapshot. running: the run that is at work here now."""
    keys = sorted(set((e["module"], e["instance"]) for e in lines if e["event"] == "begun"))
    counted = [(key, restarts(lines, key[0], key[1], now - window_seconds)) for key in keys]
    names = ("at", "run", "module", "instance", "remedy", "who", "from")
    return {
        "interrupted": [
            dict((name, entry.get(name)) for name in names)
            for entry in open_repairs(lines)
            if not entry.get("inside") and entry.get("run") != running
        ][-ENTRIES:],
        "precisions": precisions(lines),
        "reloads": [
            {"module": key[0], "instance": key[1], "at": at}
            for key, at in sorted(reloads(lines).items())
        ],
        "renewals": renewals(lines),
        "restarts": [
            {"module": key[0], "instance": key[1], "times": times[-ENTRIES:]}
            for key, times in counted
            if times
        ],
    }
