# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Log lines of something that is over: a daily restart, here or on the server called, or a trouble
that has been repaired since."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import (
    DEFAULT,
    MODULES,
)

from ..snapshot.history import AFTERMATH_SECONDS, seconds_of_day
from ..snapshot.records import LogGroup, ModuleInstance
from ..snapshot.server import Server
from .knowledge import Kind, Meaning, Restart, meaning_of

USUAL_RESTART = "06:00:00"  # processRestartTime as shipped
EARLY_SECONDS = 120  # lines of a stop come before the start

# Whose errors end with the repair of another module, beside the watchdog.
_NEEDS = {
    "mta": ("stat",),
    "stat": ("mta",),
    "tracking": ("web", "trackinglogd", "wfserver"),
    "trackinglogd": ("web",),
    "wfserver": ("web", "tracking"),
}


def needed_by(module: str) -> frozenset[str]:
    """The modules whose repair can put an end to errors of this one."""
    if module == "watchdog":  # it logs what it must start again
        return frozenset(MODULES)
    return frozenset((module, "watchdog", *_NEEDS.get(module, ())))


@dataclass(frozen=True)
class Aftermath:
    """What lines belong to: whose restart or repair, and when it was."""

    whose: str
    at: float
    restart_time: str = ""


def uncertain(row: Meaning | None) -> bool:
    """Whether lines show no problem, or only a passing one."""
    return row is None or (
        row.kind in (Kind.PASSING, Kind.WRAPPER) or row.restart in (Restart.HEALS, Restart.UNKNOWN)
    )


def daily(server: Server, module: ModuleInstance, group: LogGroup) -> Aftermath | None:
    """The daily restart within minutes of which all of these lines were logged.

    Lines that are known to follow a restart need only its time: the server called may be
    another one. Other lines need a module here that did begin then.
    """
    row = meaning_of(group)
    if not uncertain(row) or group.first_at is None or group.last_at is None:
        return None
    passing = row is not None and row.kind is Kind.PASSING
    for whose, restart_time in _restart_times(server, module, passing):
        at = _last(server, restart_time, group.first_at + EARLY_SECONDS)
        if at is None or group.last_at - at > 60 * server.limits.daily_restart_minutes:
            continue
        if passing or any(
            abs(began - at) <= 60 * server.limits.daily_restart_minutes
            for began in _begins(server, whose)
        ):
            return Aftermath(whose.label if whose else "the server called", at, restart_time)
    return None


def _restart_times(
    server: Server, module: ModuleInstance, passing: bool
) -> Iterator[tuple[ModuleInstance | None, str]]:
    """Each daily restart on this server, the module's own first."""
    for each in (module, *(other for other in server.modules if other is not module)):
        if each.configuration and each.configuration.restart_time:
            yield each, each.configuration.restart_time
    if passing:
        yield None, USUAL_RESTART


def _last(server: Server, restart_time: str, before: float) -> float | None:
    """When it was this time of the day last before a time."""
    seconds = seconds_of_day(restart_time)
    if seconds is None:
        return None
    return before - (before + server.header.utc_offset_seconds - seconds) % 86400


def _begins(server: Server, module: ModuleInstance | None) -> Iterator[float]:
    """When processes of a module began, as far as that is known."""
    if module is None:
        return
    yield from (process.started_at for process in module.processes if process.started_at)
    log = server.log(module.name, module.instance)
    yield from (writer.first_at for writer in (log.pids if log else ()))


def repaired(
    server: Server, module: ModuleInstance, group: LogGroup, modules: Collection[str]
) -> Aftermath | None:
    """The first repair of one of these modules before which all of these lines were logged."""
    if group.last_at is None:
        return None
    for whose, instance, ended in sorted(_repairs(server, modules), key=lambda repair: repair[2]):
        here = DEFAULT in (instance, module.instance) or instance == module.instance
        if here and group.last_at <= ended + AFTERMATH_SECONDS:
            return Aftermath(whose if instance == DEFAULT else f"{whose}@{instance}", ended)
    return None


def _repairs(server: Server, modules: Collection[str]) -> Iterator[tuple[str, str, float]]:
    """(module, instance, when it ended) of each repair of these modules, or of all at once."""
    for renewal in server.ledger.renewals:
        if renewal.whole_server or renewal.module in modules:
            ended = renewal.at if renewal.ended_at is None else renewal.ended_at
            yield renewal.module, renewal.instance, ended
    for repair in server.ledger.repairs:
        if repair.module in modules:
            yield repair.module, repair.instance, repair.at


def sorted_out(
    server: Server, module: ModuleInstance, groups: Iterable[LogGroup]
) -> tuple[list[LogGroup], dict[str, tuple[Aftermath, list[LogGroup]]]]:
    """Current lines, and those that are over by kind: `daily` or `repaired`."""
    modules = needed_by(module.name)
    now: list[LogGroup] = []
    over: dict[str, tuple[Aftermath, list[LogGroup]]] = {}
    for group in groups:
        kind, found = "daily", daily(server, module, group)
        if found is None and uncertain(meaning_of(group)):
            kind, found = "repaired", repaired(server, module, group, modules)
        if found is None:
            now.append(group)
        else:
            over.setdefault(kind, (found, []))[1].append(group)
    return now, over
