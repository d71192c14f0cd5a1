# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Log files: their ends are read, never the whole; equal lines become one group."""

import os
import re
import stat
import time

from ..errors import ProbeError, from_os_error
from ..names import DEFAULT, PER_INSTANCE, SHARED
from ..text import clean, mask, user_name
from . import line_shapes
from .files import regular

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Callable, Dict, Iterable, List, Match, Optional, Tuple

    Entry = Dict[str, Any]
    Tail = Tuple[List[str], str, bool]

BLOCK = 128 * 1024
TAIL_LIMIT = 6 * 1024 * 1024  # of one log
TAIL_LEAST = 1024 * 1024  # of one, however much the others have
ALL_TAILS = 24 * 1024 * 1024  # of all that a snapshot reads
LINES_AT_ONCE = 500
GROUP_LIMIT = 30
PID_LIMIT = 50
FILE_LIMIT = 60
SIGNATURE_LENGTH = 200
MESSAGE_LIMIT = 2000
EVENT_SECONDS = 2.0
FUTURE_SECONDS = 120  # a clock may be off by this much without a finding
UPGRADE = "postupgrade"
UPGRADE_DAYS = 3

_LINE = re.compile(
    r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d):(\d\d(?:[.,]\d{1,9})?)(Z|[+-]\d\d(?::?\d\d)?)?[\t ]+"
    r"(?:([0-9A-Fa-f]{1,16})[\t ]+)?([0-9A-Fa-f]{1,16})[\t ]+(\d{1,2})[\t ]+([A-Za-z]+)"
    r"(?:\t([^\t]*)\t|[ \t]+(\S+)[ \t]+)(.*)",
    re.S,
)
_CODES = r"\b(?:[A-Z]{3}-\d{6}|ORA-\d{5}|PU-\d{4})\b|\b(?:iRc|errno)\s*=\s*-?\d+"
_NOISE = re.compile(
    r"(?P<code>" + _CODES + r")"
    r"|(?P<jar>\bjar:file:[^\s\]]+)"
    r"|(?P<mail>[\w.+-]{1,64}@[\w-]{1,64}\.[\w.-]{1,200})"
    r"|(?P<id>\b[0-9a-fA-F]{8}-[0-9a-fA-F-]{20,30}\b|\b0x[0-9a-fA-F]+\b"
    r"|\b(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{8,}\b)"
    r"|(?P<number>\d+(?:[.,:/-]\d+)*)"
)
_CODE = re.compile(_CODES)
_KNOWN = re.compile(
    r"[A-Z]{3}-\d{6}|ora-\d{5}|pu-\d{4}|iRc=|errno=|connection quotas met|dynamic flow control"
    r"|shared memory"
    r"|unable to |cannot |failed|no space left|out of memory|shared libraries|libicu"
    r"|statserveraddress|deadlock|too many|refused|timed? ?out|killed|crash|signal \d"
    r"|memory (?:limit|alert|warning)|maxprocessmemory|limit reached|core dumped",
    re.I,
)
_RELOAD = re.compile(
    r"re-?(?:load|read)\w{0,20}\b.{0,60}(?:config|quota|\bmx\b|param|setting)"
    r"|(?:config|quota|\bmx\b|param|setting).{0,60}\bre-?(?:load|read)",
    re.I,
)
_NOT_RELOADED = re.compile(r"\bnot\b|\bunable\b|\bfail", re.I)
_TOLD_PID = re.compile(
    r"(?:\bstart|\bstopped|^Stop requested|^(?:Starting|Stopping)\b[^()]{1,80})"
    r" \(pid=(\d{1,10})[,)]"
)
_STOP = re.compile(r"Stop requested|^Stopping\b[^()]{1,80} \(pid=|\bstopped \(pid=")
_LEVELS = {"info": "info", "warning": "warning", "error": "error"}
_DIGITS = dict((ord(digit), "0") for digit in "123456789")
_MONTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_minutes: "Dict[Tuple[str, Optional[str]], Optional[int]]" = {}
_kinds: "Dict[str, Tuple[bool, bool]]" = {}


class Line:
    """One line of a log."""

    __slots__ = ("at", "category", "level", "message", "pid", "zoned")

    def __init__(
        self,
        at: "Optional[float]",
        pid: "Optional[int]",
        level: str,
        category: str,
        message: str,
        zoned: bool = True,
    ) -> None:
        self.at = at
        self.pid = pid
        self.level = level
        self.category = category
        self.message = message
        self.zoned = zoned


def parse_line(text: str) -> "Optional[Line]":
    """A Line of any shape, None for anything else. A line without a time has None for it."""
    found = _LINE.match(text)
    if not found:
        return line_shapes.parse(text, Line, _epoch)
    minute, seconds, zone, pid, dummy, dummy, level, category, older, message = found.groups()
    at = _epoch(minute, zone)
    if at is None:
        return None
    level = _LEVELS.get(level) or line_shapes.level_of(level)
    if level == "info" and "SEVERE: " in message:  # Java's own level
        level = "error"
    return Line(
        at + float(seconds.replace(",", ".")),
        _pid(pid),
        level,
        category if category is not None else older,
        message,
        zone is not None,
    )


def _epoch(minute: str, zone: "Optional[str]") -> "Optional[int]":
    """Seconds since 1970 of a minute; without a zone it is UTC, as the server writes it."""
    key = (minute, zone)
    if key not in _minutes:
        if len(_minutes) > 20000:
            _minutes.clear()
        try:
            day = _day(int(minute[:4]), int(minute[5:7]), int(minute[8:10]))
            hour, minutes = int(minute[11:13]), int(minute[14:16])
            if hour > 23 or minutes > 59:
                raise ValueError
            at = (day * 24 + hour) * 3600 + minutes * 60
            if zone and zone != "Z":
                digits = zone[1:].replace(":", "")
                offset = int(digits[:2]) * 3600 + int(digits[2:] or 0) * 60
                at -= offset if zone[0] == "+" else -offset
            _minutes[key] = at
        except ValueError:
            _minutes[key] = None
    return _minutes[key]


def _day(year: int, month: int, day: int) -> int:
    """Days since 1970; ValueError for none. The library's own module takes longer to be loaded."""
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    last = _MONTHS[month - 1] + (leap and month == 2) if 0 < month < 13 else 0
    if not 1970 <= year <= 9999 or not 0 < day <= last:
        raise ValueError
    before = year - 1
    days = 365 * (year - 1970) + (before // 4 - before // 100 + before // 400) - 477
    return days + sum(_MONTHS[: month - 1]) + (leap and month > 2) + day - 1


def _pid(text: "Optional[str]") -> "Optional[int]":
    """Decimal; hexadecimal where builds print eight digits with leading zeros."""
    if not text:
        return None
    if text.isdigit() and not (len(text) == 8 and text[0] == "0"):
        return int(text)
    return int(text, 16)


def kind_of(message: str) -> "Tuple[bool, bool]":
    """(tells of a reload, may be of interest without being an error).

    The same for all messages that only differ in digits, and there are few others in a log.
    """
    key = message[:MESSAGE_LIMIT].translate(_DIGITS)
    kind = _kinds.get(key)
    if kind is None:
        if len(_kinds) > 5000:
            _kinds.clear()
        reload = bool(_RELOAD.search(key)) and not _NOT_RELOADED.search(key)
        kind = _kinds[key] = (reload, bool(_KNOWN.search(key)))
    return kind


def told_pid(message: str) -> "Optional[int]":
    """The process in a first or last line, as any build words it; older ones write it nowhere else.
    """
    found = _TOLD_PID.search(message)
    return int(found.group(1)) if found else None


def unfold(message: str) -> str:
    """The message as it was sent: syslogd writes #012 for a newline, #011 for a tab."""
    return message.replace("#012", "\n").replace("#011", "\t")


def signature(message: str) -> str:
    """What equal lines have in common: numbers, times, addresses and ids go, codes stay."""
    text = _NOISE.sub(_replace, mask(unfold(message[:MESSAGE_LIMIT])))
    return clean(" ".join(text.split()), SIGNATURE_LENGTH)


def _replace(found: "Match[str]") -> str:
    if found.lastgroup == "code":
        return found.group().replace(" ", "")
    return "<%s>" % found.lastgroup if found.lastgroup in ("mail", "id", "jar") else "#"


def codes(message: str) -> "List[str]":
    """The error codes in a message, each once, in their order."""
    found = []
    for text in _CODE.findall(message):
        code = text.replace(" ", "")
        if code not in found:
            found.append(code)
    return found[:10]


def read_tail(path: str, since: "Optional[float]" = None, limit: int = TAIL_LIMIT) -> "Tail":
    """(lines of text, encoding, truncated) from the end back to the time, up to the limit."""
    with regular(path) as stream:
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


def _oldest(data: bytes) -> float:
    """The time of the first readable line; endless if there is none."""
    for line in data[:20000].split(b"\n", 20)[:20]:
        parsed = parse_line(line.decode("latin-1"))
        if parsed and parsed.at is not None:
            return parsed.at
    return float("inf")


class Groups:
    """Collects the lines of one log.

    written_at: when the file was last written, for lines without a time. shift: seconds to add to
    times without a zone. end: what is later comes of a clock that is off, and is only counted.
    """

    def __init__(
        self,
        name: str = "",
        written_at: "Optional[float]" = None,
        shift: float = 0,
        end: "Optional[float]" = None,
    ) -> None:
        self.lines = self.bad = self.future = 0
        self.first_at: "Optional[float]" = None
        self.last_at: "Optional[float]" = None
        self.reload_at: "Optional[float]" = None
        self.future_at: "Optional[float]" = None
        self.pids: "Dict[int, List[Any]]" = {}  # first, last, has it stopped
        self.groups: "Dict[Tuple[str, str], Entry]" = {}
        self._name = name
        self._written_at = written_at
        self._shift = shift
        self._end = float("inf") if end is None else end
        self._signatures: "Dict[str, str]" = {}
        # By process: the time of its last error or warning, and the event.
        self._events: "Dict[Optional[int], Tuple[float, str]]" = {}
        # By process: its last line that is neither.
        self._calm: "Dict[Optional[int], float]" = {}

    def add(self, text: str, since: float) -> None:
        """One line as read; what is older than `since` counts for the times only."""
        line = parse_line(text)
        if line is None:
            if text.strip():
                self.bad += 1
            return
        if line.at is None:
            line.at = self._written_at if self.last_at is None else self.last_at
            if line.at is None:
                return
        elif not line.zoned:
            line.at += self._shift
        if line.at > self._end:
            self.future += 1
            self.future_at = max(self.future_at or 0, line.at)
            return
        self.first_at = line.at if self.first_at is None else min(self.first_at, line.at)
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
            seen[2] = seen[2] or ("top" in line.message and bool(_STOP.search(line.message)))
        if line.level == "info":
            self._calm[line.pid] = line.at
        if line.level != "info" or known:
            self._group(line, line.at)

    def _event(self, line: Line, at: float, group: "Entry") -> None:
        """Lines that a process logs at once are one event; a group keeps its first one."""
        last, event = self._events.get(line.pid, (None, ""))
        together = last is not None and abs(at - last) <= EVENT_SECONDS
        if not group["event"]:
            group["event"] = event if together else "%s:%d" % (self._name, len(self.groups))
        self._events[line.pid] = (at, group["event"])

    def _group(self, line: Line, at: float) -> None:
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
                "first_at": at,
                "last_at": at,
                "sample": clean(message.strip(), 500),
                "codes": codes(message),
                "category": clean(line.category, 80),
                "event": "",
                "went_on": False,
            }
        group["count"] += 1
        if line.level != "info":
            self._event(line, at, group)
            if at >= group["last_at"]:
                group["went_on"] = line.pid  # until as_data knows
        group["first_at"] = min(group["first_at"], at)
        group["last_at"] = max(group["last_at"], at)

    def as_data(self) -> "Entry":
        # errors and warnings first when there are too many, then the most recent
        groups = sorted(
            self.groups.values(), key=lambda g: (g["level"] == "info", -g["last_at"])
        )[:GROUP_LIMIT]
        groups.sort(key=lambda group: -group["last_at"])
        for group in groups:
            quiet = self._calm.get(group["went_on"], 0) if group["level"] != "info" else 0
            group["went_on"] = quiet > group["last_at"]
        pids = sorted(self.pids.items(), key=lambda item: item[1])[-PID_LIMIT:]
        return {
            "lines": self.lines,
            "bad_lines": self.bad,
            "future_lines": self.future,
            "future_at": self.future_at,
            "first_at": self.first_at,
            "last_at": self.last_at,
            "last_reload_at": self.reload_at,
            "pids": [
                {"pid": pid, "first_at": seen[0], "last_at": seen[1], "stopped": seen[2]}
                for pid, seen in pids
            ],
            "groups": groups,
        }


def collect_log(
    path: str,
    module: str,
    instance: str,
    since: float,
    now: "Optional[float]" = None,
    budget: "Optional[Budget]" = None,
) -> "Entry":
    """One entry of the snapshot's `logs`. Of a log that is `truncated` the end was read."""
    entry: "Entry" = {
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
    try:
        status = os.stat(path)
    except FileNotFoundError:
        entry.update(Groups().as_data())
        return entry
    end = None if now is None else now + FUTURE_SECONDS
    written_at = status.st_mtime if end is None else min(status.st_mtime, end)
    entry.update(
        exists=True,
        size_bytes=status.st_size,
        mtime_at=written_at,
        writable=stat.S_ISREG(status.st_mode) and os.access(path, os.W_OK),
    )
    if stat.S_ISREG(status.st_mode):
        budget = budget or Budget()
        lines, entry["encoding"], entry["truncated"] = window(path, since, budget)
        groups, cut = grouped(
            lambda: Groups(module, written_at, shift_of(lines, written_at), end), lines, since,
            budget.share(),
        )
        entry["truncated"] = entry["truncated"] or cut
    else:
        groups = Groups()
    entry.update(groups.as_data())
    return entry


def grouped(
    new_groups: "Callable[[], Groups]",
    lines: "List[str]",
    since: float,
    seconds: "Optional[float]" = None,
) -> "Tuple[Groups, bool]":
    """(the Groups of the lines, False); of the youngest alone and True, where all take longer."""
    groups = new_groups()
    end = None if seconds is None else time.monotonic() + seconds
    for number, line in enumerate(lines):
        if end is not None and number % LINES_AT_ONCE == 0 and time.monotonic() > end:
            groups = new_groups()
            for young in lines[-max(number // 2, 1) :]:
                groups.add(young, since)
            return groups, True
        groups.add(line, since)
    return groups, False


def shift_of(lines: "List[str]", written_at: float) -> int:
    """What makes times without a zone UTC: they are UTC or local, whichever fits the file's time.
    """
    for text in lines[:-20:-1]:
        line = parse_line(text)
        if line is not None and line.at is not None and not line.zoned:
            ago = line.at - written_at
            offset = time.localtime(line.at).tm_gmtoff
            return min((0, -offset), key=lambda shift: abs(ago + shift))
    return 0


class Budget:
    """How much of the logs is read: of each as much as is usual, as long as there is any left.

    seconds: what reading all of them may take, about.
    """

    def __init__(self, seconds: "Optional[float]" = None) -> None:
        self._remaining = ALL_TAILS
        self._end = None if seconds is None else time.monotonic() + seconds

    def share(self) -> "Optional[float]":
        """The seconds of one log, None without a limit: others want to be read, too."""
        return None if self._end is None else max(0.0, (self._end - time.monotonic()) / 2)

    def tail(self, path: str, since: float) -> "Tail":
        """What read_tail gives."""
        found = read_tail(path, since, max(TAIL_LEAST, min(TAIL_LIMIT, self._remaining)))
        self._remaining -= sum(map(len, found[0]))
        return found


def window(path: str, since: float, budget: "Optional[Budget]" = None) -> "Tail":
    """What read_tail gives, with the end of the file before if it reaches into the window."""
    budget = budget or Budget()
    lines, encoding, truncated = budget.tail(path, since)
    if not truncated and _starts_after(lines, since):
        before, truncated = _rotated(path[: -len(".log")] + "_2.log", since, budget)
        lines = before + lines
    return lines, encoding, truncated


def _starts_after(lines: "List[str]", since: float) -> bool:
    first = next((line.at for line in map(parse_line, lines[:20]) if line and line.at), None)
    return first is None or first > since


def _rotated(path: str, since: float, budget: Budget) -> "Tuple[List[str], bool]":
    """The end of the file before, if it reaches into the window, and whether that is all of it."""
    try:
        if os.stat(path).st_mtime >= since:
            return budget.tail(path, since)[::2]
    except OSError:
        pass
    return [], False


def collect(
    var_dir: str,
    instances: "Iterable[str]",
    since: float,
    now: "Optional[float]" = None,
    seconds: "Optional[float]" = None,
) -> "Entry":
    """The probe's data: every log of these instances, and their directories.

    Where that takes longer than the seconds, only the ends of the logs are read.
    """
    logs: "List[Entry]" = []
    directories: "List[Entry]" = []
    failures: "List[ProbeError]" = []
    budget = Budget(seconds)
    for instance in instances:
        directory = os.path.join(var_dir, instance, "log")
        entry: "Entry" = {
            "path": directory, "exists": False, "writable": None, "owner": None, "mode": None,
        }  # fmt: skip
        directories.append(entry)
        stems = set(SHARED if instance == DEFAULT else PER_INSTANCE)
        try:
            status = os.stat(directory)
            entry.update(
                exists=True,
                writable=stat.S_ISDIR(status.st_mode) and os.access(directory, os.W_OK),
                owner=user_name(status.st_uid),
                mode="%04o" % stat.S_IMODE(status.st_mode),
            )
            names = [name[:-4] for name in os.listdir(directory) if name.endswith(".log")]
            # Of logons there is a file for each day of a year: logins.yy-mm-dd.log.
            others = (n for n in names if n[:6] != "logins" and not n.endswith("_2"))
            stems.update(sorted(others)[:FILE_LIMIT])
        except FileNotFoundError:
            pass
        except OSError as error:
            failures.append(from_os_error(error, directory))
            continue
        for stem in sorted(stems):
            path = os.path.join(directory, stem + ".log")
            try:
                logs.append(collect_log(path, stem, instance, since, now, budget))
            except OSError as error:
                failures.append(from_os_error(error, path))
        logs.extend(upgrade(os.path.join(var_dir, instance, "postupgrade"), instance, now))
    data = {"logs": logs, "directories": directories}
    if failures:
        raise ProbeError(failures[0].kind, "; ".join(f.message for f in failures[:5]), data)
    return data


def upgrade(directory: str, instance: str, now: "Optional[float]") -> "List[Entry]":
    """The log of the last post-upgrade, if it is of these days."""
    since = (time.time() if now is None else now) - 86400 * UPGRADE_DAYS
    try:
        names = [name for name in os.listdir(directory) if name.startswith(UPGRADE + "_")]
        times = [(os.stat(os.path.join(directory, name)).st_mtime, name) for name in names]
        newest = max(times) if times else (0, "")
        if newest[0] < since:
            return []
        return [collect_log(os.path.join(directory, newest[1]), UPGRADE, instance, since, now)]
    except OSError:
        return []
