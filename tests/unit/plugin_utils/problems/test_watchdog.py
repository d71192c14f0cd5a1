"""watchdog."""

from __future__ import annotations

from unit.plugin_utils.builder import Snapshot, data, fail, kill, kill_all, says
from unit.plugin_utils.problems.cases import holds, near


@holds("watchdog.nothing_runs@default")
def everything_is_down(s: Snapshot) -> None:
    kill_all(s)


@holds("watchdog.stopped@default")
def the_watchdog_was_killed(s: Snapshot) -> None:
    kill(s, "watchdog")


@near("watchdog.stopped")
def it_runs_under_no_service(s: Snapshot) -> None:
    data(s, "service").update(manager="none", load_state=None, active_state=None, enabled=None)


@holds("watchdog.nlserver_hangs@default")
def the_command_does_not_return(s: Snapshot) -> None:
    fail(s, "pdump")
    fail(s, "missing")


@near("watchdog.nlserver_hangs")
def the_command_was_denied(s: Snapshot) -> None:
    fail(s, "pdump", "denied")


@holds("watchdog.wrong_library@default")
def the_build_is_for_another_system(s: Snapshot) -> None:
    fail(s, "pdump", "failed", "nlserver: libicuuc.so.60: cannot open shared object file")


@holds("watchdog.shared_memory_version@default")
def an_old_segment_for_the_watchdog(s: Snapshot) -> None:
    says(s, "watchdog", "Bad version for the shared memory block", "SRV-810031")


@holds("watchdog.service_not_enabled@default")
def not_enabled(s: Snapshot) -> None:
    data(s, "service")["enabled"] = False


@near("watchdog.service_not_enabled")
def no_service_manager(s: Snapshot) -> None:
    data(s, "service").update(manager="none", enabled=False)


@holds("watchdog.outside_service@default")
def started_by_hand(s: Snapshot) -> None:
    data(s, "service")["active_state"] = "inactive"


@holds("watchdog.pid_file_stale@default")
def another_process_is_in_the_pid_file(s: Snapshot) -> None:
    data(s, "storage")["pid_file"].update(pid=77, matches=False)


@near("watchdog.pid_file_stale")
def no_pid_file(s: Snapshot) -> None:
    data(s, "storage")["pid_file"] = None
