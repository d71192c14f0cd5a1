"""The machine."""

from __future__ import annotations

from typing import Any

from unit.plugin_utils.builder import (
    NOW,
    Snapshot,
    ago,
    data,
    file,
    mount,
    needs,
    process,
    remembers,
    says,
    target,
)
from unit.plugin_utils.problems.cases import holds, near


@holds("host.disk_full@default#/")
def no_space_is_left(s: Snapshot) -> None:
    mount(s).update(used_percent=100.0, free_mb=0)


@holds("host.disk_full@default#/:ro")
def mounted_read_only(s: Snapshot) -> None:
    mount(s)["read_only"] = True


@holds("host.disk_almost_full@default#/")
def little_space_is_left(s: Snapshot) -> None:
    mount(s)["used_percent"] = 93.0


@holds("host.disk_filling@default#/")
def inodes_are_used_up(s: Snapshot) -> None:
    mount(s)["inodes_used_percent"] = 85.0


@near("host.disk_filling")
def seventy_nine_percent(s: Snapshot) -> None:
    mount(s)["used_percent"] = 79.0


@holds("host.memory_exhausted@default")
def no_memory_is_left(s: Snapshot) -> None:
    data(s, "machine")["memory_available_mb"] = 300


@holds("host.memory_high@default")
def little_memory_is_left(s: Snapshot) -> None:
    data(s, "machine")["swap_free_mb"] = 300


@holds("host.load_high@default")
def a_load_of_eight(s: Snapshot) -> None:
    data(s, "machine")["load"] = [9.0, 8.0, 8.0]


@holds("host.load_rising@default")
def a_load_of_three_and_a_half(s: Snapshot) -> None:
    data(s, "machine")["load"] = [9.0, 8.0, 3.4]


@near("host.load_high")
def a_short_peak(s: Snapshot) -> None:
    data(s, "machine")["load"] = [20.0, 8.0, 1.0]


@holds("host.file_handles@default")
def few_handles_are_left(s: Snapshot) -> None:
    data(s, "machine")["files_used"] = 95000


@holds("host.processes@default")
def few_processes_are_left(s: Snapshot) -> None:
    data(s, "machine")["processes"] = 30000


@holds("host.core_file@default")
def a_core_file(s: Snapshot) -> None:
    data(s, "storage")["core_files"] = [{"path": "/x/core.5", "mtime_at": ago(hours=2)}]


@holds("host.zombies@default")
def two_defunct_children(s: Snapshot) -> None:
    data(s, "machine")["zombies"] = [
        {"pid": n, "ppid": process(s, "wfserver")["pid"], "command": "x"} for n in (71, 72)
    ]


@near("host.zombies")
def zombies_of_somebody_else(s: Snapshot) -> None:
    data(s, "machine")["zombies"] = [{"pid": n, "ppid": 4, "command": "cron"} for n in (71, 72)]


@holds("host.clock_skew@default")
def the_clock_is_two_minutes_ahead(s: Snapshot) -> None:
    s["controller"] = {"before_at": NOW - 121, "after_at": NOW - 120}


@near("host.clock_skew")
def a_slow_host(s: Snapshot) -> None:
    s["controller"] = {"before_at": NOW - 100, "after_at": NOW + 1}


@holds("host.configuration_unreadable@prod#config-prod.xml")
def a_damaged_file(s: Snapshot) -> None:
    file(s, "config-prod.xml")["error"] = {"line": 12, "message": "mismatched tag"}


@holds("host.configuration_changed@default#serverConf.xml")
def a_changed_file(s: Snapshot) -> None:
    file(s, "serverConf.xml")["mtime_at"] = ago(minutes=10)


@near("host.configuration_changed")
def a_file_that_a_remedy_loaded(s: Snapshot) -> None:
    a_changed_file(s)
    remembers(s, "reloads", "web", at=ago(minutes=9))


@near("host.configuration_changed")
def quotas_that_a_remedy_loaded(s: Snapshot) -> None:
    remembers(s, "reloads", "stat", at=ago(minutes=9))


@holds("host.configuration_read_at_start@default#serverConf.xml")
def a_file_that_was_loaded_as_far_as_it_goes(s: Snapshot) -> None:
    a_file_that_a_remedy_loaded(s)


def _begun(s: Snapshot, module: str = "wfserver", **more: Any) -> None:
    remembers(s, "interrupted", module, at=ago(minutes=30), run="r1", who="anna",
              **{"remedy": "restart", **more})


@holds("host.repair_interrupted@prod#wfserver:restart")
def a_run_was_killed_within_a_restart(s: Snapshot) -> None:
    _begun(s)


@holds("host.repair_interrupted@default#host:free_space")
def a_run_was_killed_within_a_remedy_of_the_machine(s: Snapshot) -> None:
    remembers(s, "interrupted", "", "default", at=ago(minutes=30), remedy="free_space")


@near("host.repair_interrupted")
def a_job_that_was_launched_and_runs(s: Snapshot) -> None:
    _begun(s, "export", remedy="relaunch")
    data(s, "processes")["modules"].append(
        {**process(s, "wfserver"), "name": "export", "pid": 9, "started_at": ago(minutes=29)}
    )


@holds("host.database_unreachable@prod")
def the_database_refuses(s: Snapshot) -> None:
    needs(s, target("database", "db1", 5432, reachable=False, error="refused"))


@holds("host.database_unreachable@prod")
def the_log_says_the_database_is_down(s: Snapshot) -> None:
    says(s, "wfserver", "PGS-220000 could not connect to server (iRc=-2006)", "iRc=-2006")


@near("host.database_unreachable")
def something_else_is_refused(s: Snapshot) -> None:
    says(s, "mta", "Unable to reach the statistics server: 10.0.0.1:7777: Connection refused")


@near("host.database_unreachable")
def a_deadlock(s: Snapshot) -> None:
    says(s, "wfserver", "PostgreSQL error: deadlock detected (iRc=-2006)", "iRc=-2006")


# What goes with another root, and is only for information.
BESIDE = ("host.configuration_read_at_start@default#serverConf.xml",)
