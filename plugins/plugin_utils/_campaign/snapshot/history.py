# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the logs and the ledger say about a module: when it started, who started it, what it logged since."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import (
    LOGS,
    MODULES,
    RELOADS,
    UTILITIES,
)

from .records import Log, LogGroup, Logs, ModuleInstance, Writer
from .thresholds import Thresholds
from .work import Ledger, Precision

START_LINE_SECONDS = 5  # in which a module that starts writes its first line
RESTART_SECONDS = 120  # in which a module that we start again writes its first line
AFTERMATH_SECONDS = 30  # in which what met a stopped server has logged so

# Logs that a module's children or helpers write, beside its own.
CHILD_LOGS = {module: LOGS[module] for module in MODULES if module not in UTILITIES}
UPGRADE_LOG = "postupgrade"  # of the last post-upgrade of an instance


class History:
    """The logs of one server, and what the ledger knows of the repairs there."""

    def __init__(
        self, logs: Logs, ledger: Ledger, limits: Thresholds, utc_offset_seconds: float = 0.0
    ) -> None:
        self._logs, self._ledger, self._limits = logs, ledger, limits
        self._utc_offset_seconds = utc_offset_seconds

    def logs_of(self, module: ModuleInstance) -> tuple[Log, ...]:
        """The module's log and those of its children, without debug lines."""
        names = (module.name, *CHILD_LOGS.get(module.name, ()))
        found = (self._logs.log(name, module.instance) for name in names)
        return tuple(log for log in found if log is not None)

    def restarts(self, module: ModuleInstance) -> list[float]:
        """When the module restarted after it died.

        The daily restart, a stop, a start by a remedy, and everything before a successful
        remedy do not count.
        """
        log = self._logs.log(module.name, module.instance)
        if log is None or module.name in UTILITIES:
            return []
        renewed = max((r.at for r in self._ledger.renewals if r.renews(module)), default=0.0)
        since = renewed - self._limits.clock_grain_seconds
        writers = sorted(
            (writer for writer in log.pids if writer.first_at >= since),
            key=lambda writer: writer.first_at,
        )
        ours = self._started_by_us(module, writers)
        return [
            writer.first_at
            for before, writer in pairwise(writers)
            if not before.stopped and writer not in ours
            and not self.daily_restart(module, writer.first_at)
        ]

    def _started_by_us(self, module: ModuleInstance, writers: list[Writer]) -> list[Writer]:
        """For each start by a remedy the process that came of it: the next one, and no other."""
        key = (module.name, module.instance)
        found: list[Writer] = []
        for begun in sorted(
            at for r in self._ledger.restarts if (r.module, r.instance) == key for at in r.times
        ):
            since = begun - self._limits.clock_grain_seconds
            found += [
                writer for writer in writers
                if since <= writer.first_at <= begun + RESTART_SECONDS and writer not in found
            ][:1]
        return found

    def reloaded_at(self, module: ModuleInstance) -> float | None:
        """When the module last read its files again without a new start: by its log, or ours."""
        log = self._logs.log(module.name, module.instance)
        command = RELOADS.get(module.name)  # it reaches all modules that know it
        times = [r.at for r in self._ledger.reloads if command and RELOADS.get(r.module) == command]
        if log and log.last_reload_at is not None:
            times.append(log.last_reload_at)
        return max(times, default=None)

    def raised_precision(self, module: ModuleInstance) -> Precision | None:
        """What the ledger says of the log precision that the module runs with."""
        process = module.process
        return next(
            (
                p for p in self._ledger.precisions
                if (p.module, p.instance) == (module.name, module.instance)
                and process and p.value == process.precision
            ),
            None,
        )

    def daily_restart(self, module: ModuleInstance, at: float) -> bool:
        """Whether a time is close to the module's processRestartTime."""
        daily = seconds_of_day(module.configuration.restart_time if module.configuration else None)
        if daily is None:
            return False
        distance = abs((at + self._utc_offset_seconds) % 86400 - daily)
        return min(distance, 86400 - distance) <= 60 * self._limits.daily_restart_minutes

    def loops(self, module: ModuleInstance) -> bool:
        """Whether the module dies again and again."""
        return len(self.restarts(module)) >= self._limits.crash_loop_restarts

    def brought_about(self, group: LogGroup) -> bool:
        """Whether a remedy of ours that stopped the whole server has brought these lines about."""
        grain = self._limits.clock_grain_seconds
        return any(
            r.whole_server and r.ended_at is not None
            and group.first_at is not None and group.last_at is not None
            and r.at - grain <= group.first_at and group.last_at <= r.ended_at + AFTERMATH_SECONDS
            for r in self._ledger.renewals
        )

    def errors(self, module: ModuleInstance, only: str = "") -> Iterator[LogGroup]:
        """What the module logged since it last began; all of the window if it keeps dying.

        `only`: the name of one of its logs.
        """
        began = None if self.loops(module) else module.started_at
        for log in self.logs_of(module):
            since = began
            for writer in log.pids:
                # The kernel's clock of starts is rough; the first line of the process is not,
                # and what the process before it wrote in the meantime is history.
                if began is not None and writer.pid == module.pid and writer.first_at is not None \
                        and 0 < writer.first_at - began < START_LINE_SECONDS:
                    since = writer.first_at
            for group in log.groups if only in ("", log.module) else ():
                if since is None or group.last_at is None or group.last_at >= since:
                    yield group


def seconds_of_day(text: str | None) -> int | None:
    """A time of the day, such as 06:00:00, in seconds; None if it is none."""
    parts = (text or "").split(":")
    if len(parts) < 2 or not all(part.isdecimal() and len(part) < 5 for part in parts):
        return None
    hours, minutes, seconds = [*map(int, parts), 0][:3]
    return 3600 * hours + 60 * minutes + seconds
