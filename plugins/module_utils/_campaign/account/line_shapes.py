# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rarer shapes of log lines: without a time, Java's, a journal's, a post-upgrade's marks."""

import re

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Callable, Optional, TypeVar

    T = TypeVar("T")  # the class of lines
    Make = Callable[..., T]
    Epoch = Callable[[str, Optional[str]], Optional[float]]

# As a verbose run writes them: two ids, and no time.
_UNTIMED = re.compile(
    r"[0-9A-Fa-f]{8}[\t ]+[0-9A-Fa-f]{8}[\t ]+\d{1,2}[\t ]+"
    r"([A-Za-z]{1,10})[\t ]+(\S{1,80})[\t ]+(.*)",
    re.S,
)
# Java's, below syslogd's time or alone; its level stands behind a newline that may be two letters.
_JAVA = re.compile(
    r"(?:(\d{4}-\d\d-\d\d[T ]\d\d:\d\d):(\d\d)(?:[.,]\d{1,9})?(Z|[+-]\d\d(?::?\d\d)?)?[\t ]+)?"
    r"([A-Z][a-z]{2}) (\d{1,2}), (\d{4}) (\d{1,2}):(\d\d):(\d\d) ([AP])M\b(.*)",
    re.S,
)
_JAVA_LEVEL = re.compile(r"\b(SEVERE|WARNING|INFO|CONFIG|FINE|FINER|FINEST): ")
# Of the console's journal.
_JOURNAL = re.compile(
    r"(\d{1,2})/(\d{1,2})/(\d{4}) (\d{1,2}):(\d\d):(\d\d)(?: ([AP])M)?[\t ]+(.*)", re.S
)
_JOURNAL_CODE = re.compile(r"[A-Z]{2,3}-\d{4,6}\b")
# A post-upgrade marks an error, at which it stopped, and a warning.
STOPPED = "stopped"
_MARKED = re.compile(r"(>>>?)[\t ]*([^>\s].*)", re.S)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def level_of(word: str) -> str:
    """error, warning or info, of a level in any spelling, Java's among them."""
    word = word.lower()
    if word[:3] == "err" or word == "severe":
        return "error"
    return "warning" if word[:4] == "warn" else "info"


def parse(text: str, line: "Make[T]", epoch: "Epoch") -> "Optional[T]":
    """A Line of one of these shapes, or None."""
    first = text[:1]
    if first.isdigit():
        return _digits(text, line, epoch)
    if first.isupper():
        return _hexadecimal(text, line) or _java(text, line, epoch) or _continued(text, line)
    if first == ">":
        found = _MARKED.match(text)
        level = "error" if found and found.group(1) == ">>>" else "warning"
        category = STOPPED if level == "error" else "log"
        return found and line(None, None, level, category, found.group(2))
    return _hexadecimal(text, line)


def _digits(text: str, line: "Make[T]", epoch: "Epoch") -> "Optional[T]":
    return _hexadecimal(text, line) or _java(text, line, epoch) or _journal(text, line, epoch)


def _hexadecimal(text: str, line: "Make[T]") -> "Optional[T]":
    found = _UNTIMED.match(text)
    if not found:
        return None
    level, category, message = found.groups()
    return line(None, None, level_of(level), category, message.replace("\\n", "\n"))


def _java(text: str, line: "Make[T]", epoch: "Epoch") -> "Optional[T]":
    found = _JAVA.match(text)
    if not found:
        return None
    minute, seconds, zone, month, day, year, hour, minutes = found.groups()[:8]
    java_seconds, half, rest = found.groups()[8:]
    if minute is None:
        if month not in _MONTHS:
            return None
        number = _MONTHS.index(month) + 1
        minute, seconds = _minute(year, number, day, hour, minutes, half), java_seconds
    at = epoch(minute, zone)
    if at is None:
        return None
    rest = rest[:4000].replace("\\n", "\n").replace("#012", "\n")
    level = _JAVA_LEVEL.search(rest)
    message = rest[level.start() :] if level else rest.strip()
    word = level.group(1) if level else "info"
    return line(at + int(seconds), None, level_of(word), "java", message, zone is not None)


def _continued(text: str, line: "Make[T]") -> "Optional[T]":
    """The second line of Java's, where its newline is one."""
    found = _JAVA_LEVEL.match(text)
    return found and line(None, None, level_of(found.group(1)), "java", text)


def _journal(text: str, line: "Make[T]", epoch: "Epoch") -> "Optional[T]":
    found = _JOURNAL.match(text)
    if not found:
        return None
    month, day, year, hour, minutes, seconds, half, message = found.groups()
    at = epoch(_minute(year, int(month), day, hour, minutes, half), None)
    if at is None:
        return None
    level = "error" if _JOURNAL_CODE.match(message) else "info"
    return line(at + int(seconds), None, level, "log", message, False)


def _minute(year: str, month: int, day: str, hour: str, minutes: str, half: "Optional[str]") -> str:
    """As the other lines have it; of twelve hours the first is 12."""
    hours = int(hour) if half is None else int(hour) % 12 + (12 if half == "P" else 0)
    return "%s-%02d-%02d %02d:%s" % (year, month, int(day), hours, minutes)
