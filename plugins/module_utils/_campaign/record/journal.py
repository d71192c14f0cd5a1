# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One line in the journal of the host for each change: who did what to which module, why, and the result.

The ledger is the record. This line is for who reads journald or syslog, and is lost where neither
listens: a repair does not fail or wait for it.
"""

import os
import socket
import time

from ..names import DEFAULT

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Callable, Dict

ADDRESS = "/dev/log"  # of journald or syslogd; only root can put something else there
NAME = "campaign_remediation"
LIMIT = 1024  # bytes, so that no syslogd cuts it
SECONDS = 0.5
NOTICE, WARNING = 8 + 5, 8 + 4  # of the facility user
GOOD = ("done", "unchanged")


def line(values: "Dict[str, Any]", scrub: "Callable[[str], str]") -> str:
    """The change as `name=value` words: printable, in one line, without passwords."""

    def known(name: str) -> str:
        return scrub(str(values[name])) if values.get(name) else ""

    where = "%s@%s" % (values.get("module") or "host", values.get("instance") or DEFAULT)
    words = [
        ("who", known("who")),
        ("from", known("from")),
        ("what", "%s %s" % (known("remedy") or known("state") or "change", where)),
        ("why", " ".join(scrub(str(each)) for each in values.get("because") or ())),
        ("result", known("result")),
        ("run", known("run")),
        ("reason", known("reason")),
    ]
    return " ".join("%s=%s" % (name, _quoted(value)) for name, value in words if value)


def tell(text: str, result: "Any") -> None:
    """Send the line, if somebody listens."""
    head = "<%d>%s %s[%d]: " % (
        NOTICE if result in GOOD else WARNING, time.asctime()[4:19], NAME, os.getpid(),
    )  # fmt: skip
    data = (head + text).encode("utf-8", "replace")[:LIMIT].decode("utf-8", "ignore").encode("utf-8")
    try:
        out = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    except OSError:
        return
    try:
        out.settimeout(SECONDS)
        out.connect(ADDRESS)
        out.send(data)
    except OSError:
        pass
    finally:
        out.close()


def _quoted(text: str) -> str:
    """As it is where that is one plain word; else in quotes, with escapes for what is not printable."""
    plain = "".join(
        letter if letter.isprintable() and letter not in '"\\' else _escaped(letter)
        for letter in text
    )
    return plain if plain == text and text.isprintable() and " " not in text else '"%s"' % plain


def _escaped(letter: str) -> str:
    if letter in '"\\':
        return "\\" + letter
    number = ord(letter)
    form = "\\x%02x" if number < 256 else "\\u%04x" if number < 65536 else "\\U%08x"
    return form % number
