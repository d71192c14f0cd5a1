# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Every number that a judgement depends on, once, with what it is and where it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

VENDOR = "the vendor's monitoring page"
OWN = "this collection"


class InvalidThreshold(ValueError):
    """An override that names no threshold, or is no number."""


def _limit(value: float, meaning: str, origin: str = OWN) -> Any:
    return field(default=value, metadata={"meaning": meaning, "origin": origin})


@dataclass(frozen=True)
class Thresholds:
    """The numbers; a site changes them by name with `campaign_thresholds`."""

    disk_warning_percent: float = _limit(80, "space or inodes of a file system in use", VENDOR)
    disk_alert_percent: float = _limit(90, "space or inodes of a file system in use", VENDOR)
    disk_full_percent: float = _limit(99, "from here on nothing more can be written")
    memory_warning_percent: float = _limit(80, "memory of the machine in use", VENDOR)
    memory_alert_percent: float = _limit(90, "memory of the machine in use", VENDOR)
    swap_warning_percent: float = _limit(80, "swap in use", VENDOR)
    swap_alert_percent: float = _limit(90, "swap in use", VENDOR)
    load_warning_percent: float = _limit(80, "load of 15 minutes, per processor", VENDOR)
    load_alert_percent: float = _limit(90, "load of 15 minutes, per processor", VENDOR)
    files_warning_percent: float = _limit(80, "file handles in use", VENDOR)
    processes_warning_percent: float = _limit(80, "process numbers in use", VENDOR)
    core_files: float = _limit(1, "core files under the home", VENDOR)
    zombies: float = _limit(2, "defunct children of Campaign processes", VENDOR)
    shared_memory_segments: float = _limit(3, "segments of the account: more than two", VENDOR)
    process_age_hours: float = _limit(26, "a day, by the vendor, and two hours' margin", VENDOR)
    daily_restart_minutes: float = _limit(10, "around processRestartTime no restart counts")
    crash_loop_restarts: float = _limit(3, "restarts in the log window")
    crash_loop_calm_minutes: float = _limit(10, "that a process must run for the loop to be over")
    start_grace_seconds: float = _limit(30, "for the watchdog to start every module")
    configuration_grace_seconds: float = _limit(60, "between a file's change and a start")
    clock_grain_seconds: float = _limit(5, "how exactly a process's start is known")
    clock_skew_seconds: float = _limit(30, "between the server's clock and the controller's")
    http_slow_seconds: float = _limit(3, "for a page that needs no work")
    log_silence_minutes: float = _limit(120, "without a line in any log")
    log_start_seconds: float = _limit(120, "for the first line of a started module")
    log_errors: float = _limit(10, "error lines of unknown meaning in the log window")
    database_error_minutes: float = _limit(15, "that a database error in a log counts")
    mail_silence_minutes: float = _limit(120, "without a line of inMail")
    mailbox_messages: float = _limit(200, "bounce mails waiting")
    spool_minutes: float = _limit(30, "that a message waits on the disk")
    consolidation_minutes: float = _limit(180, "since tracking last ran: it runs hourly")
    redirection_log_minutes: float = _limit(180, "since the last line of a tracking log")
    redirection_size_percent: float = _limit(80, "of maxLogsSizeOnDiskMb")

    @classmethod
    def of(cls, overrides: Mapping[str, Any] | None) -> Thresholds:
        """The defaults with a site's overrides."""
        known = {entry.name for entry in fields(cls)}
        changed: dict[str, float] = {}
        for name, value in (overrides or {}).items():
            if name not in known:
                raise InvalidThreshold(
                    f"unknown threshold '{name}'; known are: {', '.join(sorted(known))}"
                )
            try:
                changed[str(name)] = float(value)
            except (TypeError, ValueError):
                raise InvalidThreshold(
                    f"threshold '{name}' must be a number, not '{value}'"
                ) from None
        return replace(cls(), **changed)

    def values(self) -> Iterator[tuple[str, float]]:
        """Names and numbers, in the order above."""
        for entry in fields(self):
            yield entry.name, getattr(self, entry.name)
