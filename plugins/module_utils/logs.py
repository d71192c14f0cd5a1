# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Log files: their ends are read, never the whole; equal lines become one group."""

import datetime
import os
import re
import stat

from ansible_collections.campaign.remediation.plugins.module_utils.model import (
    DEFAULT,
    PER_INSTANCE,
    SHARED,
    ProbeError,
    clean,
    from_os_error,
    mask,
)
from ansible_collections.campaign.remediation.plugins.module_utils.proc import user_name

BLOCK = 128 * 1024
TAIL_LIMIT = 1024 * 1024
GROUP_LIMIT = 30
PID_LIMIT = 50
FILE_LIMIT = 60
SIGNATURE_LENGTH = 200

_LINE = re.compile(
    r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d):(\d\d(?:[.,]\d{1,9})?)(Z|[+-]\d\d(?::?\d\d)?)?[\t ]+"
    r"(?:([0-9A-Fa-f]{1,16})[\t ]+)?([0-9A-Fa-f]{1,16})[\t ]+(\d{1,2})[\t ]+([A-Za-z]+)"
    r"(?:\t([^\t]*)\t|[ \t]+(\S+)[ \t]+)(.*)",
    re.S,
)
_NOISE = re.compile(
    r"(?P<code>\b[A-Z]{3}-\d{6}\b|\b(?:iRc|errno)\s*=\s*-?\d+)"
    r"|(?P<mail>[\w.+-]+@[\w-]+\.[\w.-]+)"
    r"|(?P<id>\b[0-9a-fA-F]{8}-[0-9a-fA-F-]{20,30}\b|\b0x[0-9a-fA-F]+\b"
    r"|\b(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{8,}\b)"
    r"|(?P<number>\d+(?:[.,:/-]\d+)*)"
)
_CODE = re.compile(r"\b[A-Z]{3}-\d{6}\b|\b(?:iRc|errno)\s*=\s*-?\d+")
_KNOWN = re.compile(
    r"[A-Z]{3}-\d{6}|iRc=|errno=|connection quotas met|dynamic flow control|shared memory"
    r"|unable to |cannot |failed|no space left|out of memory|shared libraries|libicu"
    r"|statserveraddress|deadlock|too many|refused|timed? ?out|killed|crash|signal \d"
    r"|memory (?:limit|alert|warning)|maxprocessmemory|limit reached|core dumped",
    re.I,
)
_RELOAD = re.compile(
    r"re-?(?:load|read)\w*\b.{0,60}(?:config|quota|\bmx\b|param|setting)"
    r"|(?:config|quota|\bmx\b|param|setting).{0,60}\bre-?(?:load|read)",
    re.I,
)
_NOT_RELOADED = re.compile(r"\bnot\b|\bunable\b|\bfail", re.I)
_TOLD_PID = re.compile(r"(?:\bstart|^Stop requested) \(pid=(\d+)[,)]")
_DIGITS = dict((ord(digit), "0") for digit in "123456789")
_DAY_ZERO = datetime.date(1970, 1, 1).toordinal()
_minutes = {}
_kinds = {}


class Line(object):
    """One line of a log."""

    __slots__ = ("at", "category", "level", "message", "pid")

    def __init__(self, at, pid, level, category, message):
        self.at = at
        self.pid = pid
        self.level = level
        self.category = category
        self.message = message


def parse_line(text):
    """A Line of either format, None for anything else."""
    found = _LINE.match(text)
    if not found:
        return None
    minute, seconds, zone, pid, dummy, dummy, level, category, older, message = found.groups()
    at = _epoch(minute, zone)
    if at is None:
        return None
    level = level.lower()
    level = "error" if level[:3] == "err" else "warning" if level[:4] == "warn" else "info"
    return Line(
        at + float(seconds.replace(",", ".")),
        _pid(pid),
        level,
        category if category is not None else older,
        message,
    )


def _epoch(minute, zone):
    """Seconds since 1970 of a minute; without a zone it is UTC, as the server writes it."""
    key = (minute, zone)
    if key not in _minutes:
        if len(_minutes) > 20000:
            _minutes.clear()
        try:
            day = datetime.date(int(minute[:4]), int(minute[5:7]), int(minute[8:10]))
            hour, minutes = int(minute[11:13]), int(minute[14:16])
            if day.year < 1970 or hour > 23 or minutes > 59:
                raise ValueError
            at = ((day.toordinal() - _DAY_ZERO) * 24 + hour) * 3600 + minutes * 60
            if zone and zone != "Z":
                digits = zone[1:].replace(":", "")
                offset = int(digits[:2]) * 3600 + int(digits[2:] or 0) * 60
                at -= offset if zone[0] == "+" else -offset
            _minutes[key] = at
        except ValueError:
            _minutes[key] = None
    return _minutes[key]


def _pid(text):
    """Decimal; hexadecimal where builds print eight digits with leading zeros."""
    if not text:
        return None
    if text.isdigit() and not (len(text) == 8 and text[0] == "0"):
        return int(text)
    return int(text, 16)


def kind_of(message):
    """(tells of a reload, may be of interest without being an error).

    The same for all messages that only differ in digits, and there are few others in a log.
    """
    key = message.translate(_DIGITS)
    kind = _kinds.get(key)
    if kind is None:
        if len(_kinds) > 5000:
            _kinds.clear()
        reload = bool(_RELOAD.search(key)) and not _NOT_RELOADED.search(key)
        kind = _kinds[key] = (reload, bool(_KNOWN.search(key)))
    return kind


def told_pid(message):
    """The process in a first or last line; older builds write it nowhere else."""
    found = _TOLD_PID.search(message)
    return int(found.group(1)) if found else None


def unfold(message):
    """The message as it was sent: syslogd writes #012 for a newline, #011 for a tab."""
    return message.replace("#012", "\n").replace("#011", "\t")


def signature(message):
    """What equal lines have in common: numbers, times, addresses and ids go, codes stay."""
    text = _NOISE.sub(_replace, mask(unfold(message[:2000])))
    return clean(" ".join(text.split()), SIGNATURE_LENGTH)


def _replace(found):
    if found.lastgroup == "code":
        return found.group().replace(" ", "")
    return "<%s>" % found.lastgroup if found.lastgroup in ("mail", "id") else "#"


def codes(message):
    """The error codes in a message, each once, in their order."""
    found = []
    for text in _CODE.findall(message):
        code = text.replace(" ", "")
        if code not in found:
            found.append(code)
    return found[:10]


def read_tail(path, since=None, limit=TAIL_LIMIT):
    """(lines of text, encoding, truncated) from the end back to the time, up to the limit."""
    with open(path, "rb") as stream:
        end = stream.seek(0, os.SEEK_END)
        size = BLOCK
        while True:
            start = max(0, end - size)
            stream.seek(start)
            data = stream.read(end - start)
            if start and b"\n" in data:
                data = data[data.index(b"\n") + 1 :]
            if start == 0 or size >= limit or (since is not None and _oldest(data) < since):
                break
            size = min(size * 2, limit)
    data = data[: data.rfind(b"\n") + 1]  # a half-written line is whole the next time
    truncated = start > 0 and (since is None or _oldest(data) >= since)
    try:
        return data.decode("utf-8").split("\n"), "utf-8", truncated
    except UnicodeDecodeError:
        return data.decode("iso-8859-15").split("\n"), "iso-8859-15", truncated


def _oldest(data):
    """The time of the first readable line; endless if there is none."""
    for line in data[:20000].split(b"\n", 20)[:20]:
        parsed = parse_line(line.decode("latin-1"))
        if parsed:
            return parsed.at
    return float("inf")


class Groups(object):
    """Collects the lines of one log."""

    def __init__(self):
        self.lines = self.bad = 0
        self.last_at = self.reload_at = None
        self.pids = {}
        self.groups = {}
        self._signatures = {}

    def add(self, text, since):
        """One line as read; what is older than `since` counts for the times only."""
        line = parse_line(text)
        if line is None:
            if text.strip():
                self.bad += 1
            return
        self.last_at = line.at if self.last_at is None else max(self.last_at, line.at)
        reload, known = kind_of(line.message)
        if reload:
            self.reload_at = max(self.reload_at or 0, line.at)
        if line.at < since:
            return
        self.lines += 1
        pid = line.pid if line.pid is not None else told_pid(line.message)
        if pid is not None:
            seen = self.pids.setdefault(pid, [line.at, line.at, False])
            seen[0], seen[1] = min(seen[0], line.at), max(seen[1], line.at)
            seen[2] = seen[2] or "Stop requested" in line.message
        if line.level != "info" or known:
            self._group(line)

    def _group(self, line):
        key = self._signatures.get(line.message)
        if key is None:
            key = signature(line.message)
            if len(self._signatures) < 5000:
                self._signatures[line.message] = key
        group = self.groups.get((line.level, key))
        if group is None:
            if len(self.groups) >= 2000:  # every line is different: bounded all the same
                return
            message = unfold(line.message)
            group = self.groups[(line.level, key)] = {
                "signature": key,
                "level": line.level,
                "count": 0,
                "first_at": line.at,
                "last_at": line.at,
                "sample": clean(message.strip(), 500),
                "codes": codes(message),
                "category": clean(line.category, 80),
            }
        group["count"] += 1
        group["first_at"] = min(group["first_at"], line.at)
        group["last_at"] = max(group["last_at"], line.at)

    def as_data(self):
        # errors and warnings first when there are too many, then the most recent
        groups = sorted(
            self.groups.values(), key=lambda g: (g["level"] == "info", -g["last_at"])
        )[:GROUP_LIMIT]
        groups.sort(key=lambda group: -group["last_at"])
        pids = sorted(self.pids.items(), key=lambda item: item[1])[-PID_LIMIT:]
        return {
            "lines": self.lines,
            "bad_lines": self.bad,
            "last_at": self.last_at,
            "last_reload_at": self.reload_at,
            "pids": [
                {"pid": pid, "first_at": seen[0], "last_at": seen[1], "stopped": seen[2]}
                for pid, seen in pids
            ],
            "groups": groups,
        }


def may_write(path, status, account):
    """Could the account write it? None if that cannot be told."""
    if os.geteuid() == account.pw_uid:
        return os.access(path, os.W_OK)
    if not os.access(path, os.W_OK):  # read-only file system, immutable file: root asks here
        return False
    mode = status.st_mode
    if account.pw_uid == 0:
        return True
    if status.st_uid == account.pw_uid:
        return bool(mode & stat.S_IWUSR)
    groups = os.getgrouplist(account.pw_name, account.pw_gid)
    return bool(mode & (stat.S_IWGRP if status.st_gid in groups else stat.S_IWOTH))


def collect_log(path, module, instance, since, account):
    """One entry of the snapshot's `logs`."""
    entry = {
        "module": module,
        "instance": instance,
        "path": path,
        "exists": False,
        "size_bytes": None,
        "mtime_at": None,
        "writable": None,
        "encoding": None,
        "truncated": False,
    }
    groups = Groups()
    try:
        status = os.stat(path)
    except FileNotFoundError:
        entry.update(groups.as_data())
        return entry
    entry.update(
        exists=True,
        size_bytes=status.st_size,
        mtime_at=status.st_mtime,
        writable=stat.S_ISREG(status.st_mode) and may_write(path, status, account),
    )
    if stat.S_ISREG(status.st_mode):
        lines, entry["encoding"], entry["truncated"] = window(path, since)
        for line in lines:
            groups.add(line, since)
    entry.update(groups.as_data())
    return entry


def window(path, since):
    """What read_tail gives, with the end of the file before if it reaches into the window."""
    lines, encoding, truncated = read_tail(path, since)
    if not truncated and _starts_after(lines, since):
        lines = _rotated(path[: -len(".log")] + "_2.log", since) + lines
    return lines, encoding, truncated


def _starts_after(lines, since):
    first = next((parsed for parsed in map(parse_line, lines[:20]) if parsed), None)
    return first is None or first.at > since


def _rotated(path, since):
    """The end of the file before, if it reaches into the window."""
    try:
        if os.stat(path).st_mtime >= since:
            return read_tail(path, since)[0]
    except OSError:
        pass
    return []


def collect(var_dir, instances, since, account):
    """The probe's data: every log of these instances, and their directories."""
    logs, directories, failures = [], [], []
    for instance in instances:
        directory = os.path.join(var_dir, instance, "log")
        entry = {"path": directory, "exists": False, "writable": None, "owner": None, "mode": None}
        directories.append(entry)
        stems = set(SHARED if instance == DEFAULT else PER_INSTANCE)
        try:
            status = os.stat(directory)
            entry.update(
                exists=True,
                writable=stat.S_ISDIR(status.st_mode) and may_write(directory, status, account),
                owner=user_name(status.st_uid),
                mode="%04o" % stat.S_IMODE(status.st_mode),
            )
            names = [name[:-4] for name in os.listdir(directory) if name.endswith(".log")]
            stems.update(n for n in names if n != "logins" and not n.endswith("_2"))
        except FileNotFoundError:
            pass
        except OSError as error:
            failures.append(from_os_error(error, directory))
            continue
        for stem in sorted(stems)[:FILE_LIMIT]:
            path = os.path.join(directory, stem + ".log")
            try:
                logs.append(collect_log(path, stem, instance, since, account))
            except OSError as error:
                failures.append(from_os_error(error, path))
    data = {"logs": logs, "directories": directories}
    if failures:
        raise ProbeError(failures[0].kind, "; ".join(f.message for f in failures[:5]), data)
    return data
