# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Every number that a finding depends on, with its meaning and its source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Annotated, Any, get_type_hints

VENDOR = "the vendor's monitoring page"
OWN = "this collection"


class InvalidThreshold(ValueError):
    """An override that names no threshold or is not a number."""


@dataclass(frozen=True)
class Thresholds:
    """The numbers; a site changes them by name with `campaign_thresholds`.

    Each is annotated with what it counts, and with who set it if that was not this collection.
    """

    disk_warning_percent: Annotated[float, "space or inodes of a file system in use", VENDOR] = 80
    disk_alert_percent: Annotated[float, "space or inodes of a file system in use", VENDOR] = 90
    disk_full_percent: Annotated[float, "nothing more can be written from here on"] = 99
    memory_warning_percent: Annotated[float, "memory of the machine in use", VENDOR] = 80
    memory_alert_percent: Annotated[float, "memory of the machine in use", VENDOR] = 90
    swap_warning_percent: Annotated[float, "swap in use", VENDOR] = 80
    swap_alert_percent: Annotated[float, "swap in use", VENDOR] = 90
    load_warning_percent: Annotated[float, "load of 15 minutes, per processor", VENDOR] = 80
    load_alert_percent: Annotated[float, "load of 15 minutes, per processor", VENDOR] = 90
    files_warning_percent: Annotated[float, "file handles in use", VENDOR] = 80
    processes_warning_percent: Annotated[float, "process numbers in use", VENDOR] = 80
    core_files: Annotated[float, "core files under the home", VENDOR] = 1
    zombies: Annotated[float, "defunct children of Campaign processes", VENDOR] = 2
    shared_memory_segments: Annotated[float, "segments of the account: more than two", VENDOR] = 3
    process_age_hours: Annotated[float, "one day, as the vendor says, plus two hours", VENDOR] = 26
    daily_restart_minutes: Annotated[float, "restarts this close to processRestartTime do not count"] = 10
    crash_loop_restarts: Annotated[float, "restarts in the log window"] = 3
    crash_loop_calm_minutes: Annotated[float, "a process must run this long for the loop to be over"] = 10
    start_grace_seconds: Annotated[float, "for the watchdog to start every module"] = 30
    configuration_grace_seconds: Annotated[float, "between the change of a file and a start"] = 60
    clock_grain_seconds: Annotated[float, "precision of a process's start time"] = 5
    clock_skew_seconds: Annotated[float, "between the server's clock and the controller's"] = 30
    nlserver_slow_seconds: Annotated[float, "for nlserver pdump"] = 8
    http_slow_seconds: Annotated[float, "for a page that needs no work"] = 3
    log_silence_minutes: Annotated[float, "without a line in any log"] = 120
    log_start_seconds: Annotated[float, "for the first line of a started module"] = 120
    log_errors: Annotated[float, "error lines of unknown meaning in the log window"] = 10
    database_error_minutes: Annotated[float, "a database error in a log counts for this long"] = 15
    mail_silence_minutes: Annotated[float, "without a line of inMail"] = 120
    mailbox_messages: Annotated[float, "bounce mails waiting"] = 200
    spool_minutes: Annotated[float, "a message has waited on the disk"] = 30
    consolidation_minutes: Annotated[float, "since tracking last ran: it runs hourly"] = 180
    redirection_log_minutes: Annotated[float, "since the last line of a tracking log"] = 180
    workflow_periods: Annotated[float, "after which a technical workflow is late"] = 2
    workflow_pending_minutes: Annotated[float, "a workflow has waited for its start"] = 10
    bounce_hours: Annotated[float, "since the last bounce mail was processed"] = 72
    delivery_minutes: Annotated[float, "a delivery has waited after its contact date"] = 30
    job_times: Annotated[float, "the usual running time of a job that is too long"] = 3
    job_minutes: Annotated[float, "below which no running time of a job is too long"] = 30
    last_id_percent: Annotated[float, "of the range of xtkNewId in use"] = 80
    last_id_alert_percent: Annotated[float, "of the range of xtkNewId in use"] = 90
    redirection_size_percent: Annotated[float, "of maxLogsSizeOnDiskMb"] = 80

    @classmethod
    def of(cls, overrides: Mapping[str, Any] | None) -> Thresholds:
        """The defaults with a site's overrides."""
        known = {entry.name for entry in fields(cls)}
        changed: dict[str, float] = {}
        for name, value in (overrides or {}).items():
            if name not in known:
                raise InvalidThreshold(
                    f"unknown threshold '{name}'; valid names: {', '.join(sorted(known))}"
                )
            try:
                changed[str(name)] = float(value)
            except (TypeError, ValueError):
                raise InvalidThreshold(
                    f"threshold '{name}' must be a number, not '{value}'"
                ) from None
        return replace(cls(), **changed)

    @classmethod
    def origins(cls) -> dict[str, tuple[str, str]]:
        """What each number counts and who set it, by its name."""
        hints = get_type_hints(cls, include_extras=True)
        return {name: (*hint.__metadata__, OWN)[:2] for name, hint in hints.items()}

    def values(self) -> Iterator[tuple[str, float]]:
        """Names and numbers, in the order above."""
        for entry in fields(self):
            yield entry.name, getattr(self, entry.name)
