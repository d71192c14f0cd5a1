"""What differs between builds of the server, as far as it is public.

``current`` is what the lab is unless asked: the documented forms. ``older`` has what published
consoles of earlier builds show, ``newer`` the default port of today's documentation. Version
numbers and dates of the banners are the lab's own.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict


class Build:
    """One generation of builds."""

    __slots__ = ("banner", "log_line", "memory_unit", "name", "nothing_runs", "number",
                 "redirection", "sha1", "stamp", "syslogd_port", "unit", "version")

    def __init__(
        self, name: str, version: str, number: str, sha1: str, banner: str, syslogd_port: int,
        unit: bool, memory_unit: str, nothing_runs: str, log_line: str, stamp: str,
        redirection: str,
    ) -> None:
        self.name = name
        self.version = version
        self.number = number
        self.sha1 = sha1
        self.banner = banner.format(version=version, number=number, sha1=sha1)
        """The first line of most commands."""
        self.syslogd_port = syslogd_port
        """If the configuration says none."""
        self.unit = unit
        """Has it a systemd unit, or an init script?"""
        self.memory_unit = memory_unit
        """In pdump."""
        self.nothing_runs = nothing_runs
        """In pdump."""
        self.log_line = log_line
        """From stamp, pid, tid, verbosity, level, category and message."""
        self.stamp = stamp
        """Time of a log line, without its milliseconds (strftime)."""
        self.redirection = redirection
        """The attributes of ``/r/test``."""


CURRENT = Build(
    "current", "7.0", "9356", "5ba3f8b",
    "Application server for Adobe Campaign Classic ({version} build {number}@{sha1}) of 06/02/2024",
    syslogd_port=666, unit=True, memory_unit="MB", nothing_runs="No tasks",
    log_line="{stamp}\t{pid}\t{tid}\t{verbosity}\t{level}\t{category}\t{message}",
    stamp="%Y-%m-%dT%H:%M:%S",
    redirection="status date build sha1 instance sourceIP host localHost",
)
# Log lines of before 2012 have no process and blanks between their fields; before release 20.1
# there is no unit.
OLDER = Build(
    "older", "6.1.1", "8700", "",
    "06/02/2014 Application server for Neolane ({version} build {number})",
    syslogd_port=666, unit=False, memory_unit="Mo", nothing_runs="no task",
    log_line="{stamp} {tid} {verbosity} {level} {category} {message}",
    stamp="%Y-%m-%d %H:%M:%S",
    redirection="status date build host localHost",
)
NEWER = Build(
    "newer", "7.4.1", "9390", "f2a57b8",
    "Application server for Adobe Campaign Classic ({version} build {number}@{sha1}) of 12/03/2025",
    syslogd_port=6666, unit=True, memory_unit="MB", nothing_runs="No tasks",
    log_line=CURRENT.log_line, stamp=CURRENT.stamp, redirection=CURRENT.redirection,
)
BUILDS: Dict[str, Build] = {build.name: build for build in (CURRENT, OLDER, NEWER)}
