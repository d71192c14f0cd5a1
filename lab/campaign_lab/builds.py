"""What differs between builds of the server, as far as it is public.

``current`` is what the lab is unless asked. ``older`` has what published consoles of earlier builds
show, ``newer`` the default port of today's documentation and the other published forms. Which of
them belong to the same build is not public; version numbers and dates of the banners are the lab's
own, too.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict


class Build:
    """One generation of builds."""

    __slots__ = ("banner", "begun", "launched", "log_line", "memory_unit", "name", "nothing_runs",
                 "number", "redirection", "sha1", "stamp", "stop_told", "stopped", "syslogd_port",
                 "tomcat", "unit", "version")

    def __init__(
        self, name: str, version: str, number: str, sha1: str, banner: str, syslogd_port: int,
        unit: bool, memory_unit: str, nothing_runs: str, log_line: str, stamp: str,
        redirection: str, tomcat: str, launched: str, begun: str, stop_told: str, stopped: str,
    ) -> None:
        self.name = name
        self.version = version
        self.number = number
        self.sha1 = sha1
        self.banner = banner.format(version=version, number=number, sha1=sha1)
        """The first line of most commands."""
        self.syslogd_port = syslogd_port
        """Without TRACE_ADDR."""
        self.unit = unit
        """Has it a systemd unit, or an init script?"""
        self.memory_unit = memory_unit
        """In pdump."""
        self.nothing_runs = nothing_runs
        """In pdump; empty: the header stands alone."""
        self.log_line = log_line
        """From stamp, pid, tid, verbosity, level, category and message."""
        self.stamp = stamp
        """Time of a log line, without its milliseconds (strftime)."""
        self.redirection = redirection
        """The attributes of ``/r/test`` where the zone allows debugging."""
        self.tomcat = tomcat
        """The number in the name of Tomcat's folder."""
        self.launched = launched
        """What ``nlserver start`` says first, from task and command."""
        self.begun = begun
        """A module's first line of its own, from title, pid and tid."""
        self.stop_told = stop_told
        """What ``nlserver stop`` and the module say, from task, command, pid and tid."""
        self.stopped = stopped
        """A module's last line, from title and pid; empty: it says nothing."""


CURRENT = Build(
    "current", "7.0", "9356", "5ba3f8b",
    "Application server for Adobe Campaign Classic ({version} build {number}@{sha1}) of 06/02/2024",
    syslogd_port=666, unit=True, memory_unit="MB", nothing_runs="No tasks",
    log_line="{stamp}\t{pid}\t{tid}\t{verbosity}\t{level}\t{category}\t{message}",
    stamp="%Y-%m-%dT%H:%M:%S",
    redirection="status date build sha1 instance sourceIP host localHost", tomcat="8",
    launched="Running task '{task}' ('{command}') in a new process",
    begun="{title} start (pid={pid}, tid={tid})...",
    stop_told="Stop requested (pid={pid})", stopped="",
)
# Log lines of before 2012 have no process and blanks between their fields; before release 20.1
# there is no unit.
OLDER = Build(
    "older", "6.1.1", "8700", "",
    "Application server for Adobe Campaign ({version} build {number}) of 06/02/2014",
    syslogd_port=666, unit=False, memory_unit="Mo", nothing_runs="no task",
    log_line="{stamp} {tid} {verbosity} {level} {category} {message}",
    stamp="%Y-%m-%d %H:%M:%S",
    redirection="status date build host localHost", tomcat="7",
    launched="Start of the '{task}' ('{command}') task in a new process",
    begun=CURRENT.begun, stop_told=CURRENT.stop_told, stopped="{title} stopped (pid={pid})",
)
NEWER = Build(
    "newer", "7.4.1", "9390", "f2a57b8",
    "Application server for Adobe Campaign Classic ({version} build {number}@{sha1} of 12/03/2025)",
    syslogd_port=6666, unit=True, memory_unit="Mb", nothing_runs="",
    log_line=CURRENT.log_line, stamp=CURRENT.stamp, redirection="version " + CURRENT.redirection,
    tomcat="10", launched="Launching task '{task}' ('{command}') in a new process",
    begun="Starting {title} module (pid={pid}, tid={tid})...",
    stop_told="Stop requested for '{task}' ('{command}', pid={pid}, tid={tid})...",
    stopped="Stopping {title} (pid={pid})",
)
BUILDS: Dict[str, Build] = {build.name: build for build in (CURRENT, OLDER, NEWER)}
