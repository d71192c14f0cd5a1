# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What log lines mean, and whether a restart answers them: one table.

The first row whose code or words fit decides, so the particular stands before the general.
A row with `problem` belongs to an entry of the catalogue, which reports it by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from ansible_collections.campaign.remediation.plugins.plugin_utils.snapshot import LogGroup


class Restart(str, Enum):
    """Does a restart of the module help?"""

    HELPS = "helps"
    USELESS = "useless"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Meaning:
    """A code or words in a log line, what they say, and why a restart helps or does not."""

    code: str
    text: str
    restart: Restart
    why: str
    source: str = "modules"
    words: str = ""
    problem: str = ""


HELPS, USELESS, UNKNOWN = Restart

_NO_DATABASE = (
    r"unable to (?:open|connect to) (?:the )?database|"
    r"(?:database|DBMS|PostgreSQL|Oracle|SQL Server|ODBC|(?:PGS|ORA|ODB)-\d+)\b.{0,160}?"
    r"(?:could not connect|closed the connection|connection (?:refused|lost|timed out)|"
    r"unreachable|unavailable|does not answer|is down)"
)

MEANINGS: tuple[Meaning, ...] = (
    # Lines that an entry of the catalogue reports
    Meaning(
        "iRc=-52", "a temporary file cannot be moved to another device", USELESS,
        "the temporary directory must lie on the device of the spool",
        "temporary_files", r"errno=18\b", "mta.temporary_device",
    ),
    Meaning(
        "connection-quotas", "the MX rules hold messages back", USELESS,
        "a quota is policy; restarting stat would only lose its statistics",
        "deliverability", r"connection quotas met|dynamic flow control", "mta.quota_met",
    ),
    Meaning(
        "SRV-810031", "shared memory of another version", USELESS,
        "the segments must be removed while the web server and nlserver are stopped",
        "tracking_parameters", r"Bad version for the shared memory block",
        "trackinglogd.shared_memory_stale",
    ),
    Meaning(
        "wrong-library", "a library of the operating system is missing", USELESS,
        "the build is not made for this operating system",
        "linux_packages", r"libicu\S*\.so\S*.*cannot open shared object file",
        "watchdog.wrong_library",
    ),
    Meaning(
        "JVM-510037", "the Java library was not found", USELESS,
        "JDK_HOME in customer.sh names no Java", "connect", "", "web.java_broken",
    ),
    Meaning(
        "RED-520025", "the tracking server is unreachable", USELESS,
        "the redirection server is another machine's web server",
        "tracking_logs", "", "tracking.redirection_unreachable",
    ),
    Meaning(
        "RED-520005", "the tracking server is misconfigured", USELESS,
        "its redirection module or its tracking alias is wrong",
        "tracking_logs", "", "tracking.redirection_misconfigured",
    ),
    # Lines that a restart answers
    Meaning(
        "SOP-330021", "Tomcat behind the relay does not answer", HELPS,
        "a restart of web brings its Tomcat up again", "connect",
    ),
    Meaning(
        "WEB-530007", "Tomcat behind the relay does not answer", HELPS,
        "a restart of web brings its Tomcat up again", "connect",
    ),
    # Lines that no restart answers
    Meaning("XSV-350012", "login refused", USELESS,
            "name, password or security zone do not fit", "connect"),
    Meaning("XSV-350013", "login refused", USELESS,
            "the security zone does not admit this address", "connect"),
    Meaning("XSV-350014", "login refused", USELESS,
            "the security zone does not admit this address", "connect"),
    Meaning("XSV-350008", "a session expired", USELESS,
            "the client logs on again", "connect"),
    Meaning("DLV-490032", "the sender's address is refused", USELESS,
            "the delivery's sender must be corrected", "delivery_failures"),
    Meaning("DLV-490066", "the spam check failed", USELESS,
            "the delivery's content must be corrected", "delivery_failures"),
    Meaning("SCR-160012", "a script failed", USELESS,
            "the script of the workflow or page must be corrected", "workflow"),
    Meaning("JST-310026", "a URL is not permitted", USELESS,
            "the URL must be added to urlPermission in serverConf.xml", "url_permissions"),
    Meaning("WDB-200011", "folder rights are missing", USELESS,
            "an administrator grants the operator rights on the folder", "workflow"),
    Meaning("QUE-370030", "folder rights are missing", USELESS,
            "an administrator grants the operator rights on the folder", "workflow"),
    Meaning("BAS-010015", "the temporary directory refuses the account", USELESS,
            "the directory's rights must be corrected", "temporary_files"),
    Meaning("IOB-090013", "a certificate is not accepted", USELESS,
            "the certificate or the trust store must be corrected", "modules"),
    Meaning("PGS-220000/relation", "a table is missing in the database", USELESS,
            "the schema's mapping and the database's structure differ", "workflow",
            r"relation .{1,200}? does not exist"),
    Meaning("deadlock", "two transactions blocked each other", USELESS,
            "the server tries again by itself", "workflow", r"deadlock detected"),
    Meaning("database", "the database does not answer", USELESS,
            "the database or the way to it must come back; the server then connects again",
            "connect", _NO_DATABASE, "host.database_unreachable"),
    Meaning("IOB-090007", "a connection was refused", USELESS,
            "the other side does not listen", "connect"),
    Meaning("no-space", "no space is left on a device", USELESS,
            "the file system must get room", "monitoring",
            r"No space left on device|errno=28\b"),
    Meaning("SOP-330011", "a call failed; the line's detail says why", UNKNOWN,
            "this code only wraps another error", "connect"),
)

_WORDS = re.compile(
    "|".join(f"(?P<w{n}>{row.words})" for n, row in enumerate(MEANINGS) if row.words),
    re.IGNORECASE,
)
_CODES = {row.code: n for n, row in enumerate(MEANINGS) if not row.words or row.code.isupper()}


@lru_cache(maxsize=4096)
def _row(codes: tuple[str, ...], text: str) -> Meaning | None:
    rows = [_CODES[code] for code in codes if code in _CODES]
    rows += [
        int(name[1:]) for match in _WORDS.finditer(text)
        for name, value in match.groupdict().items() if value is not None
    ]
    known = [n for n in rows if MEANINGS[n].restart is not UNKNOWN]
    return MEANINGS[min(known or rows)] if rows else None


def meaning_of(group: LogGroup) -> Meaning | None:
    """What a group of log lines means; None if that is not known."""
    return _row(group.codes, f"{group.sample}\n{group.signature}")


def reported_by(problem: str, groups: Iterator[LogGroup]) -> list[LogGroup]:
    """The groups whose lines belong to an entry of the catalogue."""
    return [
        group for group in groups
        if (meaning := meaning_of(group)) is not None and meaning.problem == problem
    ]
