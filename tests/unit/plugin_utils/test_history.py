"""Starts, reloads and errors of a module, from its logs and the ledger alone."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.snapshot.history import (
    AFTERMATH_SECONDS,
    History,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.snapshot.records import (
    Log,
    LogGroup,
    Logs,
    ModuleConfiguration,
    ModuleInstance,
    Process,
    Writer,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.snapshot.thresholds import (
    Thresholds,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.snapshot.work import (
    Ledger,
    Reload,
    Renewal,
    Restarts,
)

SIX = 1_763_445_600.0  # 06:00:00 UTC
NOON = SIX + 6 * 3600
PROCESS = Process(pid=3, name="mta", instance="prod", started_at=NOON)
MTA = ModuleInstance(
    "mta", "prod", ModuleConfiguration("mta", "prod", restart_time="06:00:00"), (PROCESS,), None, True,
    "running",
)
LOG = Log("mta", "prod", pids=(
    Writer(1, SIX - 7200, SIX - 3600), Writer(2, SIX + 3600, NOON - 60), Writer(3, NOON, NOON + 60),
))


def history(log: Log = LOG, ledger: Ledger | None = None, utc_offset: float = 0.0) -> History:
    return History(Logs((log,)), ledger or Ledger(), Thresholds(), utc_offset)


def writers(*pairs: tuple[float, bool]) -> Log:
    """A log with a process that began at each time, and whether it was asked to stop."""
    return replace(LOG, pids=tuple(
        Writer(pid, at, at + 1, stopped=stopped) for pid, (at, stopped) in enumerate(pairs, 1)
    ))


def test_a_start_after_a_death_is_a_restart() -> None:
    assert history().restarts(MTA) == [SIX + 3600, NOON]


def test_a_start_after_a_stop_is_none() -> None:
    assert history(writers((NOON - 600, True), (NOON, False))).restarts(MTA) == []


def test_the_daily_restart_is_none_by_the_clock_of_the_server() -> None:
    log = writers((SIX - 7200, False), (SIX + 20, False))
    assert history(log).restarts(MTA) == []
    assert history(log, utc_offset=7200.0).restarts(MTA) == [SIX + 20]


def test_one_process_comes_of_each_start_by_a_remedy() -> None:
    log = writers((NOON - 600, False), (NOON, False), (NOON + 20, False))
    ours = Ledger(restarts=(Restarts("mta", "prod", (NOON - 1,)),))
    assert history(log, ours).restarts(MTA) == [NOON + 20]
    others = Ledger(restarts=(Restarts("mta", "test", (NOON - 1,)),))
    assert history(log, others).restarts(MTA) == [NOON, NOON + 20]
    twice = Ledger(restarts=(Restarts("mta", "prod", (NOON - 1, NOON - 0.5)),))
    assert history(log, twice).restarts(MTA) == []


def test_what_was_before_a_remedy_that_went_well_is_over() -> None:
    ledger = Ledger(renewals=(Renewal("mta", NOON - 3600, "prod"),))
    assert history(ledger=ledger).restarts(MTA) == []


def test_a_reload_is_known_by_the_log_or_by_the_ledger() -> None:
    web = ModuleInstance("web", "default", None, (), None, True, "running")
    log = Log("web", "default", last_reload_at=NOON)
    later = Ledger(reloads=(Reload("watchdog", NOON + 60), Reload("stat", NOON + 90)))
    assert history(log).reloaded_at(web) == NOON
    assert history(log, later).reloaded_at(web) == NOON + 60
    assert history().reloaded_at(web) is None


def test_errors_are_those_since_the_module_began() -> None:
    old, new = LogGroup("old", "error", last_at=NOON - 1), LogGroup("new", "error", last_at=NOON + 1)
    log = replace(LOG, pids=LOG.pids[-1:], groups=(old, new))
    assert list(history(log).errors(MTA)) == [new]


def test_errors_of_a_module_that_keeps_dying_are_all_of_the_window() -> None:
    old = LogGroup("old", "error", last_at=NOON - 1)
    starts = [(NOON - 60 * n, False) for n in range(9, -1, -1)]
    dying = replace(writers(*starts), groups=(old,))
    assert history(dying).loops(MTA)
    assert list(history(dying).errors(MTA)) == [old]


def test_lines_that_a_remedy_of_the_whole_server_has_brought_about() -> None:
    ledger = Ledger(renewals=(Renewal("watchdog", NOON, whole_server=True, ended_at=NOON + 40),))
    end = NOON + 40 + AFTERMATH_SECONDS
    during = LogGroup("a", "error", first_at=NOON + 1, last_at=end)
    after = LogGroup("a", "error", first_at=NOON + 1, last_at=end + 1)
    assert history(ledger=ledger).brought_about(during)
    assert not history(ledger=ledger).brought_about(after)
    assert not history().brought_about(during)
