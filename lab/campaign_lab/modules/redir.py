"""The files of a redirection server, ``var/<instance>/redir``: published addresses, tracking logs.

As documented: ``url/<year>/<delivery>.xml``, which the web server's account must be able to read
(mode 644), and ``log/0x<16 hexadecimal digits>.log``, whose lines have eleven fields or more
between tabs. A published line begins ``50x000000000FD7EC86``; after the time come three numbers in
hexadecimal, among them delivery and link, then the visitor, ``h`` or ``o``, the browser, the
address. What is in which of the three numbers, the first number of a server, how many lines a file
has and the content of the XML are the lab's own.
"""

from __future__ import annotations

import os
import time

from campaign_lab import vanished

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Iterator, List, Tuple

FIRST_ID = 0x0FD7E000
IDS_A_FILE = 0x1000
FIELDS = 11
BROWSER_LENGTH = 100
READABLE = 0o644


class CorruptLine(ValueError):
    """A line of a tracking log that does not have the documented form."""


# ------------------------------------------------------------------------- published addresses


def links_path(var: str, instance: str, delivery: int, year: str) -> str:
    """The file of a delivery's addresses."""
    return os.path.join(var, instance, "redir", "url", year, "%d.xml" % delivery)


def publish(path: str, urls: List[str]) -> None:
    """Write it, for the web server to read."""
    from campaign_lab.modules.httpd import escape

    vanished.make(os.path.dirname(path))
    with open(path, "w", encoding="utf-8") as stream:
        stream.write("<urls>\n%s</urls>\n" % "".join(
            '  <url id="%x" href="%s"/>\n' % (number, escape(url))
            for number, url in enumerate(urls, 1)))
    os.chmod(path, READABLE)


def link(var: str, instance: str, delivery: int, number: int) -> str:
    """The address behind a tracked link. Raises OSError, ValueError.

    The web server is another account in life: what is not open to all it cannot read.
    """
    import re

    directory = os.path.join(var, instance, "redir", "url")
    for year in sorted(os.listdir(directory), reverse=True):
        path = links_path(var, instance, delivery, year)
        if not os.path.exists(path):
            continue
        if not os.stat(path).st_mode & 0o004:
            raise PermissionError(13, "Permission denied", path)
        with open(path, encoding="utf-8") as stream:
            known: Dict[str, str] = dict(re.findall(r'<url id="([0-9a-f]+)" href="([^"]*)"', stream.read()))
        if "%x" % number in known:
            return known["%x" % number].replace("&amp;", "&")
    raise ValueError("no such address")


# ------------------------------------------------------------------------------- tracking logs


def hit(stamp: float, broad_log: int, delivery: int, number: int, kind: str, visitor: str,
        browser: str, address: str) -> str:  # fmt: skip
    """A line without its beginning."""
    when = "%s.%02d" % (time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(stamp)), stamp % 1 * 100)
    browser = "".join(c for c in browser if c.isprintable())[:BROWSER_LENGTH]
    return "\t".join((when, "%x" % broad_log, "%x" % delivery, "%x" % number, "0", visitor, kind,
                      "", browser, address))


def line(identifier: int, text: str) -> str:
    """A whole line."""
    return "50x%016X\t%s\n" % (identifier, text)


def file_name(identifier: int) -> str:
    """The file that a line belongs to."""
    return "0x%016X.log" % (identifier - identifier % IDS_A_FILE)


def number_of(text: str) -> int:
    """The number that a line begins with; 0 if it has none."""
    first = text.partition("\t")[0].rstrip("\n")
    try:
        return int(first[3:], 16) if first[:3] == "50x" and len(first) == 19 else 0
    except ValueError:
        return 0


def next_id(directory: str) -> int:
    """The number of the next line."""
    for name in sorted(os.listdir(directory), reverse=True):
        with open(os.path.join(directory, name), "rb") as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - 4096))
            numbers = map(number_of, stream.read().decode("utf-8", "replace").splitlines())
            last = max(numbers, default=0)
        if last:
            return last + 1
    return FIRST_ID


def lines_after(directory: str, pointer: int, limit: int) -> Iterator[str]:
    """The lines behind a pointer (``NmsTracking_Pointer``), and those that have no number."""
    size = 0
    for name in sorted(os.listdir(directory)):
        if name < file_name(pointer):
            continue
        with open(os.path.join(directory, name), encoding="utf-8", errors="replace") as stream:
            for text in stream:
                if not text.endswith("\n") or size > limit:
                    return
                number = number_of(text)
                if number > pointer or not number:
                    size += len(text)
                    yield text


def parse(text: str) -> Tuple[float, int, int, int, str]:
    """Time, delivery, broad log, link and address of the visitor. Raises CorruptLine."""
    fields = text.rstrip("\n").split("\t")
    try:
        if len(fields) < FIELDS or not number_of(text):
            raise CorruptLine(text)
        broad_log, delivery, number = (int(field, 16) for field in fields[2:5])
        return _seconds(fields[1]), delivery, broad_log, number, fields[10]
    except ValueError:
        raise CorruptLine(text.rstrip("\n")) from None


def _seconds(stamp: str) -> float:
    """``2017-06-24T21:00:50.96`` (UTC) as epoch; time.strptime would load half of the library."""
    date, _, clock = stamp.partition("T")
    year, month, day = (int(part) for part in date.split("-"))
    hours, minutes, seconds = clock.split(":")
    year, month = (year - 1, month + 12) if month < 3 else (year, month)
    days = 365 * year + year // 4 - year // 100 + year // 400 + (153 * month - 457) // 5 + day
    return (days - 719469) * 86400.0 + int(hours) * 3600 + int(minutes) * 60 + float(seconds)
