"""Every problem of the catalogue: a server on which it holds, and one on which it does not.

`holds` names the id of a finding that a change to a healthy server brings, and what of it must
then be the only root (False: no root; None: one of several). `near` makes a change that looks like
the problem and is not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from unit.plugin_utils.builder import (
    HOME,
    NOW,
    Snapshot,
    ago,
    answers,
    check,
    configured,
    data,
    database,
    diagnosed,
    fail,
    file,
    findings,
    hang,
    healthy,
    job,
    keys,
    kill,
    kill_all,
    log,
    mount,
    needs,
    process,
    recorded,
    refuses,
    remembers,
    restarts,
    roots,
    says,
    target,
    verdicts,
    workflow,
)

from ansible_collections.campaign.remediation.plugins.module_utils.model import RELOADS
from ansible_collections.campaign.remediation.plugins.plugin_utils import ladder
from ansible_collections.campaign.remediation.plugins.plugin_utils.catalogue import CATALOGUE
from ansible_collections.campaign.remediation.plugins.plugin_utils.model import Problem

Change = Callable[[Snapshot], object]
HOLDS: list[tuple[str, bool | None, Change]] = []
NEAR: list[tuple[str, Change]] = []


def holds(finding: str, *, root: bool | None = True) -> Callable[[Change], Change]:
    def enter(change: Change) -> Change:
        HOLDS.append((finding, root, change))
        return change

    return enter


def near(key: str) -> Callable[[Change], Change]:
    def enter(change: Change) -> Change:
        NEAR.append((key, change))
        return change

    return enter


# --- shared by the modules --------------------------------------------------------------------

SUPERVISED = ("syslogd@default", "stat@prod", "mta@prod", "web@default", "trackinglogd@default",
              "inMail@prod", "wfserver@prod")
PERMANENT = ("watchdog@default", *SUPERVISED)
UTILITIES = ("tracking@prod", "export@prod", "import@prod")


def _for(
    targets: tuple[str, ...], name: str, root: bool | None = True
) -> Callable[..., None]:
    """The same case for several modules."""

    def enter(change: Callable[[Snapshot, str], object]) -> None:
        for place in targets:
            module, instance = place.split("@")
            HOLDS.append((
                f"{module}.{name}@{instance}", root,
                lambda s, module=module: change(s, module),  # type: ignore[misc]
            ))

    return enter


@_for(SUPERVISED, "not_running")
def the_process_is_gone(s: Snapshot, module: str) -> None:
    kill(s, module)


@_for(SUPERVISED, "crash_loop")
def new_processes_again_and_again(s: Snapshot, module: str) -> None:
    restarts(s, module, *[ago(minutes=m) for m in (9, 7, 4, 1)])


@near("wfserver.crash_loop")
def it_was_restarted_twice_by_hand(s: Snapshot) -> None:
    restarts(s, "wfserver", ago(minutes=30), ago(minutes=2))


@near("wfserver.crash_loop")
def an_operator_who_restarts_it_often(s: Snapshot) -> None:
    restarts(s, "wfserver", *[ago(minutes=m) for m in (9, 7, 4, 1)])
    for writer in log(s, "wfserver")["pids"][:-1]:
        writer["stopped"] = True


@near("wfserver.crash_loop")
def remedies_that_killed_and_started_it(s: Snapshot) -> None:
    restarts(s, "wfserver", *[ago(minutes=m) for m in (9, 7, 4, 1)])
    times = [ago(minutes=m, seconds=3) for m in (9, 7)]
    remembers(s, "restarts", "wfserver", times=times)


@near("wfserver.crash_loop")
def a_storm_that_is_over(s: Snapshot) -> None:
    restarts(s, "wfserver", *[ago(minutes=m) for m in (50, 48, 45, 40)])


@near("wfserver.crash_loop")
def it_died_before_a_remedy_that_went_well(s: Snapshot) -> None:
    restarts(s, "wfserver", *[ago(minutes=m) for m in (9, 7, 4, 1)])
    remembers(s, "renewals", "wfserver", at=ago(minutes=1, seconds=2))


@near("wfserver.crash_loop")
def it_died_before_the_whole_server_was_renewed(s: Snapshot) -> None:
    restarts(s, "wfserver", *[ago(minutes=m) for m in (9, 7, 4, 1)])
    remembers(s, "renewals", "trackinglogd", at=ago(minutes=3), whole_server=True)


@holds("wfserver.crash_loop@prod")
def it_dies_again_after_a_remedy(s: Snapshot) -> None:
    restarts(s, "wfserver", *[ago(minutes=m) for m in (9, 7, 4, 1)])
    remembers(s, "renewals", "wfserver", at=ago(minutes=20))


@near("wfserver.crash_loop")
def restarts_around_the_daily_one(s: Snapshot) -> None:
    configured(s, "wfserver")["restart_time"] = "11:56:00"
    restarts(s, "wfserver", *[ago(minutes=m) for m in (6, 4, 3, 2)])


@near("wfserver.crash_loop")
def the_daily_restart_is_told_in_local_time(s: Snapshot) -> None:
    s["utc_offset_seconds"] = 3600
    configured(s, "wfserver")["restart_time"] = "12:56:00"
    restarts(s, "wfserver", *[ago(minutes=m) for m in (6, 4, 3, 2)])


@near("wfserver.not_running")
def it_is_not_to_start(s: Snapshot) -> None:
    configured(s, "wfserver")["auto_start"] = False
    log(s, "wfserver")["pids"] = []
    kill(s, "wfserver")


@near("wfserver.not_running")
def the_watchdog_has_just_begun(s: Snapshot) -> None:
    kill(s, "wfserver")
    process(s, "watchdog")["started_at"] = ago(seconds=5)


@near("wfserver.not_running")
def nobody_could_look(s: Snapshot) -> None:
    kill(s, "wfserver")
    fail(s, "processes", "denied")
    fail(s, "pdump")


@_for(SUPERVISED, "not_expected")
def it_runs_against_the_configuration(s: Snapshot, module: str) -> None:
    configured(s, module)["auto_start"] = False


@near("wfserver.not_expected")
def its_configuration_is_damaged(s: Snapshot) -> None:
    configured(s, "wfserver")["auto_start"] = False
    file(s, "config-prod.xml")["error"] = {"line": 12, "message": "mismatched tag"}


@_for(SUPERVISED, "autostart_disabled")
def it_stopped_and_was_disabled(s: Snapshot, module: str) -> None:
    configured(s, module)["auto_start"] = False
    kill(s, module)


@_for(SUPERVISED, "restart_missed")
def it_is_two_days_old(s: Snapshot, module: str) -> None:
    process(s, module)["started_at"] = ago(hours=48)
    for entry in data(s, "configuration")["files"]:
        entry["mtime_at"] = ago(hours=1000)


@near("web.restart_missed")
def it_is_one_day_and_one_hour_old(s: Snapshot) -> None:
    process(s, "web")["started_at"] = ago(hours=25)


@_for(PERMANENT, "hung")
def it_is_halted(s: Snapshot, module: str) -> None:
    hang(s, module)


@_for(PERMANENT, "runs_twice")
def there_are_two_of_it(s: Snapshot, module: str) -> None:
    data(s, "processes")["modules"].append({**process(s, module), "pid": 3000, "ppid": 1})


@near("web.runs_twice")
def a_process_that_just_forked(s: Snapshot) -> None:
    data(s, "processes")["modules"].append({**process(s, "web"), "pid": 3000, "ppid": 1004})


@_for(PERMANENT, "wrong_account")
def root_started_it(s: Snapshot, module: str) -> None:
    process(s, module)["user"] = "root"


@_for(PERMANENT, "memory_alert")
def it_has_grown_too_big(s: Snapshot, module: str) -> None:
    process(s, module)["memory_mb"] = 1900


@_for(PERMANENT, "memory_warning")
def it_has_grown_big(s: Snapshot, module: str) -> None:
    process(s, module)["memory_mb"] = 1650


@near("web.memory_warning")
def it_is_beyond_the_alert_value(s: Snapshot) -> None:
    process(s, "web")["memory_mb"] = 1850


@_for(PERMANENT, "file_handles")
def it_has_many_files_open(s: Snapshot, module: str) -> None:
    process(s, module)["files_open"] = 900


@_for(PERMANENT, "log_precision_raised")
def it_was_started_verbose(s: Snapshot, module: str) -> None:
    process(s, module)["precision"] = "verbose"


@near("wfserver.log_precision_raised")
def it_is_meant_to_be_verbose_for_ten_more_minutes(s: Snapshot) -> None:
    process(s, "wfserver")["precision"] = "verbose"
    _raised(s, "wfserver", NOW + 600)


@near("wfserver.log_precision_wanted")
def its_time_is_over(s: Snapshot) -> None:
    process(s, "wfserver")["precision"] = "verbose"
    _raised(s, "wfserver", ago(seconds=1))


@near("wfserver.log_precision_wanted")
def it_was_restored_by_hand(s: Snapshot) -> None:
    _raised(s, "wfserver", NOW + 600)


@near("wfserver.log_precision_wanted")
def another_instance_is_meant(s: Snapshot) -> None:
    process(s, "wfserver")["precision"] = "verbose"
    _raised(s, "wfserver", NOW + 600, instance="prod2")


@near("wfserver.log_precision_raised")
def nobody_could_read_the_ledger(s: Snapshot) -> None:
    process(s, "wfserver")["precision"] = "verbose"
    fail(s, "ledger", "failed")


def _raised(s: Snapshot, module: str, until: float | None, **more: str) -> None:
    remembers(s, "precisions", module, value="verbose", at=ago(minutes=20), until=until,
              who="anna", filters=[], **more)


@_for(PERMANENT, "log_precision_wanted")
def it_was_raised_until_later(s: Snapshot, module: str) -> None:
    process(s, module)["precision"] = "verbose"
    _raised(s, module, NOW + 600)


@_for(("web@default", "watchdog@default"), "configuration_stale", root=False)
def a_file_changed_after_its_start(s: Snapshot, module: str) -> None:
    file(s, "serverConf.xml")["mtime_at"] = ago(minutes=10)


@_for(("stat@prod", "mta@prod", "inMail@prod", "wfserver@prod"), "configuration_stale", root=None)
def its_instance_s_file_changed(s: Snapshot, module: str) -> None:
    file(s, "config-prod.xml")["mtime_at"] = ago(minutes=10)


@_for(("syslogd@default", "trackinglogd@default"), "configuration_stale", root=None)
def the_default_file_changed(s: Snapshot, module: str) -> None:
    file(s, "config-default.xml")["mtime_at"] = ago(minutes=10)


@near("wfserver.configuration_stale")
def the_file_of_the_whole_server_changed(s: Snapshot) -> None:
    file(s, "serverConf.xml")["mtime_at"] = ago(minutes=10)


@near("web.configuration_stale")
def a_remedy_reloaded_it(s: Snapshot) -> None:
    file(s, "config-prod.xml")["mtime_at"] = ago(minutes=10)
    remembers(s, "reloads", "watchdog", at=ago(minutes=5))


@near("wfserver.configuration_stale")
def a_remedy_restarted_it(s: Snapshot) -> None:
    file(s, "config-prod.xml")["mtime_at"] = ago(minutes=10)
    for module in ("stat", "mta", "inMail", "wfserver"):
        process(s, module)["started_at"] = ago(minutes=9)


@near("wfserver.configuration_stale")
def another_instance_s_file_changed(s: Snapshot) -> None:
    data(s, "configuration")["files"].append(
        {**file(s, "config-prod.xml"), "name": "config-other.xml", "mtime_at": ago(minutes=10)}
    )


@near("wfserver.configuration_stale")
def it_was_reloaded_since(s: Snapshot) -> None:
    file(s, "serverConf.xml")["mtime_at"] = ago(minutes=10)
    for entry in data(s, "logs")["logs"]:
        entry["last_reload_at"] = ago(minutes=9)


EVERY = (*PERMANENT, *UTILITIES)


@_for(EVERY, "errors_restart_helps@@SOP-330021")
def tomcat_behind_the_relay_is_down(s: Snapshot, module: str) -> None:
    says(s, module, "SOP-330021 no answer from the relay", "SOP-330021")


@_for(EVERY, "errors_restart_useless@@WDB-200011")
def rights_are_missing(s: Snapshot, module: str) -> None:
    says(s, module, "WDB-200011 no right on the folder", "WDB-200011")


@_for(EVERY, "errors_many")
def unknown_errors(s: Snapshot, module: str) -> None:
    says(s, module, "XYZ-000001 something odd", "XYZ-000001", count=30)


@_for(EVERY, "errors_few")
def an_unknown_error(s: Snapshot, module: str) -> None:
    says(s, module, "XYZ-000001 something odd", "XYZ-000001", count=2)


@near("wfserver.errors_restart_useless")
def the_error_was_before_the_last_start(s: Snapshot) -> None:
    restarts(s, "wfserver", ago(minutes=5))
    says(s, "wfserver", "WDB-200011 no right", "WDB-200011", at=ago(minutes=20))


@near("wfserver.errors_few")
def only_a_warning(s: Snapshot) -> None:
    says(s, "wfserver", "something odd", level="warning")


# --- watchdog ---------------------------------------------------------------------------------


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


# --- syslogd ----------------------------------------------------------------------------------


def _sockets(s: Snapshot, **of_syslogd: object) -> None:
    data(s, "sockets")["listening"][0].update(of_syslogd)


@holds("syslogd.port_taken@default")
def rsyslog_holds_the_port(s: Snapshot) -> None:
    _sockets(s, ours=False, pid=500, command="rsyslogd", unit="rsyslog.service", user="root")


@holds("syslogd.port_not_held@default")
def nobody_listens(s: Snapshot) -> None:
    del data(s, "sockets")["listening"][0]


@near("syslogd.port_not_held")
def sockets_could_not_be_read(s: Snapshot) -> None:
    fail(s, "sockets")


@holds("syslogd.wrong_port@default")
def configured_on_one_port_and_on_another(s: Snapshot) -> None:
    _sockets(s, port=6666)
    data(s, "configuration")["syslogd_port_from"] = "option"


@holds("syslogd.other_port@default")
def a_newer_build(s: Snapshot) -> None:
    _sockets(s, port=6666)


@near("syslogd.wrong_port")
def a_newer_build_s_default(s: Snapshot) -> None:
    _sockets(s, port=6666)


@holds("syslogd.logs_missing@default")
def a_log_is_not_there(s: Snapshot) -> None:
    log(s, "mta").update(exists=False, mtime_at=None, last_at=None)


@holds("syslogd.logs_not_growing@default")
def a_start_left_no_line(s: Snapshot) -> None:
    log(s, "mta").update(mtime_at=ago(hours=30), last_at=None, pids=[])


@holds("syslogd.logs_not_growing@default")
def no_log_grew_for_hours(s: Snapshot) -> None:
    for entry in data(s, "logs")["logs"]:
        entry.update(mtime_at=ago(hours=3), last_at=ago(hours=3), pids=[])


@near("syslogd.logs_not_growing")
def one_module_is_quiet(s: Snapshot) -> None:
    log(s, "stat").update(mtime_at=ago(hours=3), last_at=ago(hours=3))


@near("syslogd.logs_not_growing")
def syslogd_came_after_a_start(s: Snapshot) -> None:
    log(s, "mta").update(mtime_at=ago(hours=30), last_at=None, pids=[])
    process(s, "syslogd")["started_at"] = ago(minutes=20)


@holds("syslogd.directory_not_writable@default#" + f"{HOME}/var/default/log")
def the_directory_is_read_only(s: Snapshot) -> None:
    data(s, "logs")["directories"][0]["writable"] = False


@near("syslogd.directory_not_writable")
def it_is_not_known(s: Snapshot) -> None:
    data(s, "logs")["directories"][0]["writable"] = None


@holds("syslogd.log_not_writable@default#" + f"{HOME}/var/prod/log/mta.log")
def a_log_is_read_only(s: Snapshot) -> None:
    log(s, "mta")["writable"] = False


@holds("syslogd.no_space@default#/", root=False)
def the_log_disk_is_full(s: Snapshot) -> None:
    mount(s).update(role="log", used_percent=100.0)


# --- stat -------------------------------------------------------------------------------------


@holds("stat.port_taken@prod")
def somebody_else_on_7777(s: Snapshot) -> None:
    data(s, "sockets")["listening"][1].update(ours=False, command="nc", unit=None, pid=9)


def _tcp_8080(s: Snapshot, **holder: object) -> None:
    listening = data(s, "sockets")["listening"]
    listening[:] = [socket for socket in listening if socket["port"] != 8080]
    listening.append({"proto": "tcp", "address": "0.0.0.0", "port": 8080, "queue_bytes": 0,
                      "command": "java", "unit": "jetty.service", "pid": 9, **holder})


@holds("web.port_taken@default")
def somebody_else_on_8080(s: Snapshot) -> None:
    _tcp_8080(s, ours=False)


@near("web.port_taken")
def web_itself_on_8080(s: Snapshot) -> None:
    _tcp_8080(s, ours=True)


@holds("stat.port_not_held@prod")
def nobody_on_7777(s: Snapshot) -> None:
    del data(s, "sockets")["listening"][1]


QUOTAS = f"{HOME}/conf/quota-prod.conf"


@holds(f"stat.quotas_not_loaded@prod#{QUOTAS}")
def the_quotas_changed(s: Snapshot) -> None:
    data(s, "storage")["quota_files"] = [{"path": QUOTAS, "mtime_at": ago(minutes=5)}]


@near("stat.quotas_not_loaded")
def a_remedy_reloaded_them(s: Snapshot) -> None:
    the_quotas_changed(s)
    remembers(s, "reloads", "stat", at=ago(minutes=4))


@near("stat.quotas_not_loaded")
def the_quotas_were_reloaded(s: Snapshot) -> None:
    the_quotas_changed(s)
    log(s, "stat")["last_reload_at"] = ago(minutes=4)


# --- mta --------------------------------------------------------------------------------------


@holds("mta.stat_address_missing@prod")
def no_address_of_stat(s: Snapshot) -> None:
    configured(s, "mta")["settings"]["stat_address"] = ""
    kill(s, "mta")


@near("mta.stat_address_missing")
def the_address_could_not_be_read(s: Snapshot) -> None:
    configured(s, "mta")["settings"]["stat_address"] = None


@holds("mta.stat_unreachable@prod")
def the_stat_of_another_host_is_down(s: Snapshot) -> None:
    needs(s, target("stat", "stat1", 7777, reachable=False, error="refused"))


@near("mta.stat_unreachable")
def udp_gave_no_answer(s: Snapshot) -> None:
    needs(s, target("stat", "stat1", 7777, reachable=None))


@holds("mta.temporary_device@prod")
def errno_18(s: Snapshot) -> None:
    says(s, "mta", "Unable to rename '/tmp/a' to '/x/b' errno=18 (iRc=-52)", "iRc=-52")


@near("mta.temporary_device")
def another_file_error(s: Snapshot) -> None:
    says(s, "mta", "Unable to open '/x' errno=2 (iRc=-52)", "iRc=-52")


@near("mta.temporary_device")
def the_last_line_of_the_process_before(s: Snapshot) -> None:
    """The kernel's time of a start is rounded down: such a line lies after it."""
    process(s, "mta").update(pid=2001, started_at=NOW - 60.5)
    log(s, "mta")["pids"].append({"pid": 2001, "first_at": NOW - 59, "last_at": NOW - 10})
    says(s, "mta", "Unable to rename '/tmp/a' to '/x/b' errno=18 (iRc=-52)", "iRc=-52")


@holds("mta.quota_met@prod")
def the_mx_rules_hold_back(s: Snapshot) -> None:
    says(s, "mtachild", "Messages queued (connection quotas met)", level="warning")


@holds("mta.relay_unreachable@prod#mx.example.com:25")
def the_relay_refuses(s: Snapshot) -> None:
    needs(s, target("relay", "mx.example.com", 25, reachable=False, error="refused"))


@holds("mta.dns_failed@prod#mx.example.com:25")
def the_relay_has_no_address(s: Snapshot) -> None:
    needs(s, target("relay", "mx.example.com", 25, reachable=False, error="dns"))


def _spool(s: Snapshot, hours: float) -> None:
    data(s, "storage")["spool"] = [
        {"instance": "prod", "path": "/s", "files": 40, "oldest_at": ago(hours=hours),
         "newest_at": ago(minutes=1)}
    ]


@holds("mta.no_children@prod")
def mail_waits_and_nobody_sends(s: Snapshot) -> None:
    _spool(s, 2)


@holds("mta.no_children@prod")
def children_that_die_at_once(s: Snapshot) -> None:
    _spool(s, 0.01)
    says(s, "mta", "mtachild (pid=15182) ended with -11", level="warning")


@near("mta.no_children")
def mail_has_just_come(s: Snapshot) -> None:
    _spool(s, 0.1)


@holds("mta.spool_stuck@prod")
def children_that_do_not_send(s: Snapshot) -> None:
    _spool(s, 2)
    data(s, "processes")["children"] = [
        {**process(s, "mta"), "pid": 40, "ppid": 1003, "name": "mtachild"}
    ]


# --- web --------------------------------------------------------------------------------------


def _delivers_only(s: Snapshot) -> None:
    """No web and no trackinglogd is to run here, so nobody answers on their ports."""
    for module in "web", "trackinglogd":
        configured(s, module).update(auto_start=False)
        kill(s, module)
    answers(s, check("front_test", error="refused"), check("front_logon", error="refused"),
            check("tomcat_logon", error="refused"), check("soap_session", error="refused"))


NEAR += [("web.front_down", _delivers_only), ("web.tomcat_down", _delivers_only)]


@holds("web.front_down@default")
def apache_is_down(s: Snapshot) -> None:
    answers(s, check("front_test", error="refused"), check("front_logon", error="refused"))


@holds("web.redirection_missing@default")
def no_redirection_module(s: Snapshot) -> None:
    answers(s, check("front_test", status=404))


@holds("web.tomcat_down@default")
def tomcat_refuses(s: Snapshot) -> None:
    answers(s, check("tomcat_logon", error="refused"), check("front_logon", status=502))


@holds("web.not_answering@default")
def tomcat_is_silent(s: Snapshot) -> None:
    answers(s, check("tomcat_logon", error="timeout"), check("front_logon", status=504))


@holds("web.relay_broken@default")
def only_the_relay_fails(s: Snapshot) -> None:
    answers(s, check("front_logon", status=503))


@holds("web.server_error@default")
def a_status_500(s: Snapshot) -> None:
    answers(s, check("tomcat_logon", status=500))


@holds("web.blank_page@default")
def an_empty_page(s: Snapshot) -> None:
    answers(s, check("tomcat_logon", blank=True), check("front_logon", blank=True))


@holds("web.java_broken@default")
def a_java_trace(s: Snapshot) -> None:
    answers(s, check("tomcat_logon", java_trace=True, body="java.lang.X at Y"))


@holds("web.java_broken@default")
def the_java_library_is_missing(s: Snapshot) -> None:
    says(s, "web", "JVM-510037 Java library not found", "JVM-510037")


@holds("web.session_error@default")
def an_xtk_session_fault(s: Snapshot) -> None:
    answers(s, check("soap_session", status=500, soap_fault="SOP-330011 xtk:session#Logon"))


@holds("web.session_error@default")
def web_alone_has_lost_the_database(s: Snapshot) -> None:
    says(s, "web", "Unable to open database (iRc=-2006)", "iRc=-2006")


@near("web.session_error")
def the_database_is_down_for_all(s: Snapshot) -> None:
    for module in ("web", "wfserver"):
        says(s, module, "Unable to open database (iRc=-2006)", "iRc=-2006")


@near("web.session_error")
def a_login_was_refused(s: Snapshot) -> None:
    answers(s, check("soap_session", soap_fault="XSV-350012 xtk:session"))


@holds("web.ping_failed@default")
def the_ping_fails(s: Snapshot) -> None:
    answers(s, check("ping", status=500, body="Error"))


@near("web.ping_failed")
def the_ping_is_fine(s: Snapshot) -> None:
    answers(s, check("ping", body="OK\n2025-11-18"))


@holds("web.slow@default")
def a_page_takes_five_seconds(s: Snapshot) -> None:
    answers(s, check("tomcat_logon", seconds=5.0))


# --- tracking ---------------------------------------------------------------------------------


@holds("trackinglogd.shared_memory_stale@default")
def the_segment_has_another_version(s: Snapshot) -> None:
    says(s, "trackinglogd", "Bad version for the shared memory block", "SRV-810031")


@near("trackinglogd.shared_memory_stale")
def a_segment_of_a_dead_process(s: Snapshot) -> None:
    data(s, "shared_memory")["segments"].append(
        {"id": 2, "key": "0x1", "attached": 0, "creator_alive": False, "size_bytes": 9}
    )


@near("trackinglogd.shared_memory_stale")
def a_dead_process_s_segment_in_use(s: Snapshot) -> None:
    data(s, "shared_memory")["segments"][0]["creator_alive"] = False


@holds("trackinglogd.too_many_segments@default")
def three_segments(s: Snapshot) -> None:
    data(s, "shared_memory")["segments"] *= 3


def _redirection(s: Snapshot, **changes: object) -> None:
    data(s, "storage")["redirection"] = [{
        "instance": "prod", "log_files": 3, "log_bytes": 10, "newest_at": ago(minutes=5),
        "url_newest_at": None, **changes,
    }]


@holds("trackinglogd.files_not_growing@default#prod")
def no_line_for_five_hours(s: Snapshot) -> None:
    _redirection(s, newest_at=ago(hours=5))


@near("trackinglogd.files_not_growing")
def a_line_five_minutes_ago(s: Snapshot) -> None:
    _redirection(s)


@holds("trackinglogd.size_limit@default#prod")
def the_logs_are_as_big_as_they_may(s: Snapshot) -> None:
    _redirection(s, log_bytes=490 * 1048576)


@holds("tracking.redirection_unreachable@prod#www.example.com:443")
def the_redirection_server_is_down(s: Snapshot) -> None:
    needs(s, target("redirection", "www.example.com", 443, reachable=False, error="refused"))


@holds("tracking.redirection_unreachable@prod")
def the_log_says_so(s: Snapshot) -> None:
    says(s, "tracking", "RED-520025 unreachable", "RED-520025")


@near("tracking.redirection_unreachable")
def the_server_of_the_line_answers_now(s: Snapshot) -> None:
    says(s, "tracking", "RED-520025 http://T1 cannot be reached", "RED-520025")
    needs(s, target("redirection", "t1", 80, "default"))


@holds("tracking.redirection_unreachable@prod")
def another_server_answers(s: Snapshot) -> None:
    says(s, "tracking", "RED-520025 http://t2 cannot be reached", "RED-520025")
    needs(s, target("redirection", "t1", 80, "default"))


@near("tracking.redirection_unreachable")
def it_is_long_over(s: Snapshot) -> None:
    says(s, "tracking", "RED-520025 unreachable", "RED-520025", at=ago(minutes=50))


@holds("tracking.redirection_misconfigured@prod")
def the_alias_is_wrong(s: Snapshot) -> None:
    says(s, "tracking", "RED-520005 misconfigured", "RED-520005")


@holds("tracking.workflow_failed@prod#runwf")
def the_workflow_stopped(s: Snapshot) -> None:
    fail(s, "api", "skipped")  # without credentials the logs must do
    says(s, "runwf", "Workflow 'tracking' (1001) stopped on an error")


@holds("tracking.workflow_failed@prod#runwf")
def a_script_of_it_failed(s: Snapshot) -> None:
    fail(s, "api", "skipped")  # without credentials the logs must do
    says(s, "runwf", "tracking: SCR-160012 Unknown activity", "SCR-160012")


@near("tracking.workflow_failed")
def it_met_the_server_that_a_remedy_of_ours_had_stopped(s: Snapshot) -> None:
    says(s, "runwf", "tracking: tracking ended with 1, see tracking.log", at=ago(minutes=5))
    remembers(s, "renewals", "trackinglogd", at=ago(minutes=7),
              ended_at=ago(minutes=5), whole_server=True)


@holds("tracking.workflow_failed@prod#runwf")
def it_failed_before_that_remedy_too(s: Snapshot) -> None:
    fail(s, "api", "skipped")
    says(s, "runwf", "tracking: tracking ended with 1, see tracking.log", at=ago(minutes=20))
    remembers(s, "renewals", "trackinglogd", at=ago(minutes=7),
              ended_at=ago(minutes=5), whole_server=True)


@near("tracking.workflow_failed")
def another_workflow_stopped(s: Snapshot) -> None:
    says(s, "runwf", "Workflow 'cleanup' (1002) stopped on an error")


@holds("tracking.consolidation_late@prod")
def it_last_ran_this_morning(s: Snapshot) -> None:
    log(s, "tracking").update(mtime_at=ago(hours=5), last_at=ago(hours=5))


@near("tracking.consolidation_late")
def it_never_ran(s: Snapshot) -> None:
    log(s, "tracking").update(exists=False, mtime_at=None, last_at=None)


# --- inMail, wfserver, jobs -------------------------------------------------------------------


@holds("inMail.mailbox_unreachable@prod#pop:110")
def the_mailbox_refuses(s: Snapshot) -> None:
    needs(s, target("mailbox", "pop", 110, reachable=False, error="refused"))


@holds("inMail.mailbox_login_refused@prod#pop:110")
def the_mailbox_refuses_the_login(s: Snapshot) -> None:
    needs(s, target("mailbox", "pop", 110, reachable=False, error="login"))


@holds("inMail.mailbox_backlog@prod#pop:110")
def many_mails_wait(s: Snapshot) -> None:
    needs(s, target("mailbox", "pop", 110, messages=900))


@near("inMail.mailbox_backlog")
def few_mails_wait(s: Snapshot) -> None:
    needs(s, target("mailbox", "pop", 110, messages=3))


@holds("inMail.log_silent@prod")
def inmail_says_nothing(s: Snapshot) -> None:
    log(s, "inMail").update(mtime_at=ago(hours=5), last_at=ago(hours=5))


@holds("wfserver.children_dying@prod")
def workflows_die(s: Snapshot) -> None:
    says(s, "wfserver", "Workflow process 77 ended unexpectedly (signal 11)", count=4)


@near("wfserver.children_dying")
def a_workflow_ended(s: Snapshot) -> None:
    says(s, "wfserver", "Workflow process 77 ended (code 0)", level="info")


@holds("wfserver.workflow_errors@prod")
def a_file_for_a_workflow_is_missing(s: Snapshot) -> None:
    says(s, "runwf", "nightlyLoad: Unable to open file 'x' errno=2 (iRc=-52)", "iRc=-52")


@holds("wfserver.daily_restart_errors@prod")
def workflows_are_cut_at_the_daily_restart(s: Snapshot) -> None:
    configured(s, "wfserver")["restart_time"] = "11:56:00"
    restarts(s, "wfserver", ago(minutes=4))
    says(s, "runwf", "SCR-160012 script interrupted", "SCR-160012", at=ago(minutes=5))


for kind in ("export", "import"):

    @holds(f"{kind}.failed@prod#contacts_{kind}")
    def the_job_failed(s: Snapshot, kind: str = kind) -> None:
        error = {"sample": "file not found", "codes": [], "at": ago(minutes=30)}
        data(s, "jobs")["jobs"] = [job(kind, last_error=error)]

    @near(f"{kind}.failed")
    def it_did_well_since(s: Snapshot, kind: str = kind) -> None:
        error = {"sample": "file not found", "codes": [], "at": ago(hours=3)}
        data(s, "jobs")["jobs"] = [job(kind, last_error=error)]

    @holds(f"{kind}.stale@prod#contacts_{kind}")
    def its_result_is_old(s: Snapshot, kind: str = kind) -> None:
        data(s, "jobs")["jobs"] = [job(kind, result={"path": "/r", "mtime_at": ago(hours=40)})]
        s["jobs_declared"] = [{"name": f"contacts_{kind}", "kind": kind, "instance": "prod",
                               "max_age_hours": 24, "max_minutes": 60}]

    @holds(f"{kind}.running_too_long@prod#contacts_{kind}")
    def it_runs_for_hours(s: Snapshot, kind: str = kind) -> None:
        data(s, "jobs")["jobs"] = [job(kind, running={"pid": 5, "started_at": ago(hours=4)})]

    @holds(f"{kind}.rejects@prod#contacts_{kind}")
    def it_rejected_lines(s: Snapshot, kind: str = kind) -> None:
        data(s, "jobs")["jobs"] = [job(kind, rejects={"path": "/r", "lines": 12})]


# --- the machine ------------------------------------------------------------------------------


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


def _begun(s: Snapshot, module: str = "wfserver", **more: object) -> None:
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


# --- what the server's API tells --------------------------------------------------------------

@holds("wfserver.technical_workflow_failed@prod#cleanup")
def a_technical_workflow_is_in_error(s: Snapshot) -> None:
    workflow(s, "cleanup", state=13, failed=True)


@holds("wfserver.technical_workflow_failed@prod#welcomeMail")
def one_of_the_site_that_it_lists_as_safe(s: Snapshot) -> None:
    workflow(s, "welcomeMail", state=13, failed=True)
    s["asked"]["restartable_workflows"] = ["welcomeMail"]


@near("wfserver.technical_workflow_failed")
@holds("wfserver.workflow_failed@prod")
def one_of_the_site_is_in_error(s: Snapshot) -> None:
    workflow(s, "welcomeMail", state=13, failed=True)


@near("wfserver.workflow_failed")
@holds("wfserver.workflow_paused@prod")
def a_person_paused_it(s: Snapshot) -> None:
    workflow(s, "welcomeMail", state=13)


@holds("wfserver.technical_workflow_stopped@prod")
def a_person_stopped_the_cleanup(s: Snapshot) -> None:
    workflow(s, "cleanup", state=20)


@near("wfserver.technical_workflow_stopped")
def one_of_the_site_came_to_its_end(s: Snapshot) -> None:
    workflow(s, "welcomeMail", state=20)


@holds("wfserver.technical_workflow_late@prod#cleanup")
def the_cleanup_has_not_run_for_days(s: Snapshot) -> None:
    workflow(s, "cleanup", last_start_at=ago(hours=100))


@near("wfserver.technical_workflow_late")
def it_began_long_ago_and_writes_its_journal(s: Snapshot) -> None:
    workflow(s, "cleanup", last_start_at=ago(hours=100))
    database(s)["journal"].append({"workflow": "cleanup", "last_at": ago(hours=10)})


@near("wfserver.technical_workflow_late")
def it_missed_one_day(s: Snapshot) -> None:
    workflow(s, "cleanup", last_start_at=ago(hours=40))


@holds("wfserver.technical_workflow_late@prod#cleanup", root=False)
def nothing_runs_workflows_for_days(s: Snapshot) -> None:
    workflow(s, "cleanup", last_start_at=ago(hours=100))
    kill(s, "wfserver")


@holds("wfserver.concurrency_reached@prod")
def none_may_run(s: Snapshot) -> None:
    database(s)["concurrency"] = 0
    workflow(s, "welcomeMail", state=1, last_start_at=ago(hours=3))


@near("wfserver.errors_restart_useless")
def its_workflow_was_started_again_and_runs(s: Snapshot) -> None:
    says(s, "runwf", "cleanup: SCR-160012 it was so", "SCR-160012", at=ago(minutes=40))


@holds("wfserver.errors_restart_useless@prod#SCR-160012")
def its_workflow_was_started_again_and_fails(s: Snapshot) -> None:
    says(s, "runwf", "cleanup: SCR-160012 it is so", "SCR-160012", at=ago(minutes=20))


@holds("wfserver.workflow_pending@prod")
def it_is_to_start_and_nobody_starts_it(s: Snapshot) -> None:
    workflow(s, "welcomeMail", state=1, last_start_at=ago(hours=3))


@holds("wfserver.workflow_pending@prod", root=False)
def it_waits_because_wfserver_is_down(s: Snapshot) -> None:
    workflow(s, "welcomeMail", state=1, last_start_at=ago(hours=3))
    kill(s, "wfserver")


@near("wfserver.workflow_pending")
def it_was_started_a_minute_ago(s: Snapshot) -> None:
    workflow(s, "welcomeMail", state=1, last_start_at=ago(minutes=1))


@holds("wfserver.concurrency_reached@prod")
def as_many_run_as_may(s: Snapshot) -> None:
    database(s)["concurrency"] = 1
    rows = database(s)["workflows"]
    rows.append({**rows[2], "id": 9, "name": "newsletter", "process_id": 1004})
    workflow(s, "welcomeMail", state=1, last_start_at=ago(hours=3))


@near("wfserver.concurrency_reached")
def as_many_run_as_may_and_none_waits(s: Snapshot) -> None:
    database(s)["concurrency"] = 1
    workflow(s, "welcomeMail", process_id=1004)


@holds("wfserver.workflow_process_gone@prod")
def its_process_is_none_of_the_machine(s: Snapshot) -> None:
    workflow(s, "welcomeMail", process_id=4711)


@near("wfserver.workflow_process_gone")
def its_process_began_while_the_probes_looked(s: Snapshot) -> None:
    workflow(s, "welcomeMail", process_id=4711, last_start_at=ago(seconds=1))


@near("wfserver.workflow_process_gone")
def the_workflows_run_on_another_host(s: Snapshot) -> None:
    kill(s, "wfserver")
    configured(s, "wfserver")["auto_start"] = False
    workflow(s, "welcomeMail", process_id=4711)


@holds("host.operator_disabled@prod#anna.berg")
@holds("wfserver.owner_disabled@prod#anna.berg", root=False)
def whose_workflow_it_is_may_not_log_on(s: Snapshot) -> None:
    database(s)["disabled_owners"] = [{"name": "welcomeMail", "operator": "anna.berg"}]


@near("host.operator_disabled")
def whose_workflow_is_at_its_end_may_not_log_on(s: Snapshot) -> None:
    database(s)["disabled_owners"] = [{"name": "welcomeMail", "operator": "anna.berg"}]
    workflow(s, "welcomeMail", state=20)


@holds("tracking.workflow_in_error@prod")
def the_tracking_workflow_is_in_error(s: Snapshot) -> None:
    workflow(s, "tracking", state=13, failed=True)
    says(s, "runwf", "tracking: SCR-160012 no such activity", "SCR-160012", count=3)


@near("tracking.workflow_failed")
def the_database_knows_it_better_than_the_log(s: Snapshot) -> None:
    says(s, "runwf", "tracking: something odd happened", at=ago(minutes=40))


@holds("tracking.workflow_late@prod")
def the_tracking_workflow_does_nothing(s: Snapshot) -> None:
    workflow(s, "tracking", last_start_at=ago(hours=6))
    database(s)["journal"] = None


@near("tracking.workflow_late")
def the_tracking_workflow_missed_an_hour(s: Snapshot) -> None:
    workflow(s, "tracking", last_start_at=ago(hours=1.5))


@holds("tracking.workflow_stopped@prod")
def a_person_stopped_the_tracking(s: Snapshot) -> None:
    workflow(s, "tracking", state=20)


@holds("tracking.consolidated_logs_old@prod")
def no_tracking_log_was_consolidated_for_days(s: Snapshot) -> None:
    database(s)["last_consolidation_at"] = ago(hours=60)


@near("tracking.consolidated_logs_old")
def a_consolidation_was_left_out(s: Snapshot) -> None:
    database(s)["last_consolidation_at"] = ago(hours=2)


@near("tracking.consolidated_logs_old")
def the_log_says_so_already(s: Snapshot) -> None:
    database(s)["last_consolidation_at"] = ago(hours=5)
    log(s, "tracking").update(last_at=ago(hours=5), mtime_at=ago(hours=5))


def _delivery(**changes: Any) -> dict[str, Any]:
    return {"id": 7, "name": "DM7", "label": "News", "state": 51, "contact_at": ago(hours=2),
            "to_send": 5000, **changes}


@holds("mta.deliveries_waiting@prod")
def a_delivery_waits_past_its_date(s: Snapshot) -> None:
    database(s)["deliveries"] = [_delivery()]


@holds("mta.deliveries_waiting@prod", root=False)
def a_quota_holds_the_delivery_back(s: Snapshot) -> None:
    database(s)["deliveries"] = [_delivery()]
    says(s, "mtachild", "Messages queued (connection quotas met)", level="warning", count=20)


@near("mta.deliveries_waiting")
def its_contact_date_is_tomorrow(s: Snapshot) -> None:
    database(s)["deliveries"] = [_delivery(contact_at=ago(hours=-24))]


@holds("mta.deliveries_failed@prod")
def a_delivery_failed_in_its_preparation(s: Snapshot) -> None:
    database(s)["deliveries"] = [_delivery(state=37)]


@holds("inMail.account_missing@prod")
def no_bounce_account_is_active(s: Snapshot) -> None:
    database(s)["accounts"][0]["active"] = False


@near("inMail.account_missing")
def inmail_is_not_to_run_here(s: Snapshot) -> None:
    database(s)["accounts"] = []
    kill(s, "inMail")
    configured(s, "inMail")["auto_start"] = False


@holds("inMail.bounces_stale@prod")
def no_bounce_for_days(s: Snapshot) -> None:
    database(s)["last_bounce"] = [{"at": ago(hours=100)}]


@holds("inMail.bounces_stale@prod", root=False)
def no_bounce_because_inmail_is_down(s: Snapshot) -> None:
    database(s)["last_bounce"] = [{"at": ago(hours=100)}]
    kill(s, "inMail")


@holds("host.ids_run_short@prod")
def most_numbers_are_given(s: Snapshot) -> None:
    workflow(s, "welcomeMail", id=1_800_000_000)


@near("host.ids_run_short")
@holds("host.ids_nearly_used_up@prod")
def nearly_all_numbers_are_given(s: Snapshot) -> None:
    database(s)["last_id"] = [{"id": 2_100_000_000}]


for _kind in ("export", "import"):

    @holds(f"{_kind}.in_error@prod#site_{_kind}")
    def a_job_nobody_declared_is_in_error(s: Snapshot, kind: str = _kind) -> None:
        database(s)["jobs"] = [recorded(1, kind), recorded(2, kind, status=6)]

    @near(f"{_kind}.in_error")
    def it_went_well_afterwards(s: Snapshot, kind: str = _kind) -> None:
        database(s)["jobs"] = [recorded(1, kind, status=6), recorded(2, kind)]

    @near(f"{_kind}.in_error")
    @holds(f"{_kind}.failed@prod#contacts_{_kind}")
    def a_declared_job_failed_by_its_record(s: Snapshot, kind: str = _kind) -> None:
        data(s, "jobs")["jobs"] = [job(kind, result=None)]
        name = "contacts_" + kind
        s["jobs_declared"] = [{"name": name, "kind": kind, "instance": "prod"}]
        database(s)["jobs"] = [recorded(1, kind, name=name, status=6)]

    @holds(f"{_kind}.paused@prod#site_{_kind}")
    def a_job_is_paused(s: Snapshot, kind: str = _kind) -> None:
        database(s)["jobs"] = [recorded(1, kind, status=8, ended_at=None)]

    @holds(f"{_kind}.running_long@prod#site_{_kind}")
    def a_job_takes_ten_times_as_long(s: Snapshot, kind: str = _kind) -> None:
        runs = [recorded(n, kind) for n in (1, 2, 3)]
        running = recorded(9, kind, status=2, started_at=ago(hours=2), ended_at=None,
                           process_id=1004)
        database(s)["jobs"] = [*runs, running]

    @near(f"{_kind}.running_long")
    @holds(f"{_kind}.process_gone@prod#site_{_kind}")
    def a_job_whose_process_is_gone(s: Snapshot, kind: str = _kind) -> None:
        runs = [recorded(n, kind) for n in (1, 2, 3)]
        lost = recorded(9, kind, status=2, started_at=ago(hours=2), ended_at=None, process_id=4711)
        database(s)["jobs"] = [*runs, lost]

    @near(f"{_kind}.running_long")
    def a_job_of_which_nobody_knows_what_is_usual(s: Snapshot, kind: str = _kind) -> None:
        running = recorded(9, kind, status=2, started_at=ago(hours=2), ended_at=None)
        database(s)["jobs"] = [recorded(1, kind), running]

    @holds(f"{_kind}.rejected@prod#site_{_kind}")
    def a_job_rejected_lines_by_its_record(s: Snapshot, kind: str = _kind) -> None:
        database(s)["jobs"] = [recorded(1, kind, rejected=3)]


REFUSED = {
    "web.logon_password": ("password", "XSV-350012"), "web.logon_zone": ("zone", "XSV-350013"),
    "web.session_expired": ("expired", "XSV-350008"), "web.api_database": ("database", None),
    "web.api_unreachable": ("refused", None), "web.api_tls": ("tls", None),
    "web.api_no_answer": ("html", None),
    "web.api_unreadable": ("too_big", None), "web.logon_failed": ("fault", "SOP-330011"),
}
for _key, (_word, _code) in REFUSED.items():

    @holds(f"{_key}@prod")
    def the_api_refuses(s: Snapshot, word: str = _word, code: str | None = _code) -> None:
        refuses(s, word, "so it is", code)


@holds("web.api_query_refused@prod")
def the_api_refuses_one_query(s: Snapshot) -> None:
    database(s)["unanswered"] = [
        {"question": "jobs", "kind": "fault", "code": "XTK-170006", "message": "no such attribute"}
    ]


@holds("web.api_unreachable@prod", root=False)
def the_api_does_not_answer_because_tomcat_is_down(s: Snapshot) -> None:
    refuses(s, "refused")
    answers(s, check("tomcat_logon", error="refused"))


@holds("web.api_database@prod", root=False)
def the_api_meets_a_database_that_is_down(s: Snapshot) -> None:
    refuses(s, "database")
    needs(s, target("database", "db1", 5432, reachable=False, error="refused"))


# --- the tests --------------------------------------------------------------------------------


def _id(finding: str) -> str:
    """`wfserver.errors@@CODE@prod` → `wfserver.errors@prod#CODE`."""
    if "@@" not in finding:
        return finding
    key, rest = finding.split("@@")
    code, instance = rest.split("@")
    return f"{key}@{instance}#{code}"


HOLDS = [(_id(finding), root, change) for finding, root, change in HOLDS]


@pytest.mark.parametrize(
    ("finding", "root", "change"), HOLDS,
    ids=[f"{finding}-{getattr(change, '__name__', '')}" for finding, _, change in HOLDS],
)
def test_it_holds(finding: str, root: bool | None, change: Change) -> None:
    server = healthy()
    change(server)
    assert finding in findings(server)
    if root:
        assert [id for id in roots(server) if id == finding or id not in BESIDE] == [finding]
    else:
        assert (finding in roots(server)) is (root is None)


@pytest.mark.parametrize(
    ("key", "change"), NEAR, ids=[f"{key}-{change.__name__}" for key, change in NEAR]
)
def test_it_does_not_hold(key: str, change: Change) -> None:
    server = healthy()
    change(server)
    assert key not in keys(server)


def test_every_problem_has_a_server_on_which_it_holds() -> None:
    tested = {finding.split("@")[0] for finding, _, _ in HOLDS}
    # This one is found where hosts are looked at together: test_causes.py.
    assert tested == {problem.key for problem in CATALOGUE} - {"host.does_not_answer"}


@pytest.mark.parametrize("instances", [(), ("prod", "prod2"), tuple(f"i{n}" for n in range(8))])
def test_a_healthy_server_has_no_finding(instances: tuple[str, ...]) -> None:
    server = healthy(*instances)
    assert diagnosed(server)["findings"] == []
    assert set(verdicts(server).values()) == {"healthy"}


# --- what the ledger adds ---------------------------------------------------------------------


def test_the_whole_of_campaign_is_not_restarted_for_a_log_precision() -> None:
    server = healthy()
    process(server, "watchdog")["precision"] = "verbose"
    left = findings(server)["watchdog.log_precision_raised@default"]
    assert left["remedy"] is None and "a person chooses the time" in left["reason"]


def test_a_precision_that_is_left_on_tells_its_end() -> None:
    server = healthy()
    process(server, "wfserver")["precision"] = "verbose"
    left = findings(server)["wfserver.log_precision_raised@prod"]
    assert (left["remedy"], left["evidence"]["until"]) == ("restore_log_precision", None)
    _raised(server, "wfserver", ago(minutes=1))
    left = findings(server)["wfserver.log_precision_raised@prod"]
    assert (left["remedy"], left["evidence"]["until"]) == ("restore_log_precision", NOW - 60)
    assert "2025-11-18 11:59:00 UTC" in left["summary"]


@pytest.mark.parametrize(
    ("until", "said"), [(NOW + 600, "until 2025-11-18 12:10:00 UTC"), (None, "no end was set")]
)
def test_a_precision_that_is_wanted_has_no_remedy(until: float | None, said: str) -> None:
    server = healthy()
    process(server, "wfserver")["precision"] = "verbose"
    _raised(server, "wfserver", until)
    wanted = findings(server)["wfserver.log_precision_wanted@prod"]
    assert (wanted["severity"], wanted["remedy"]) == ("info", None)
    assert wanted["evidence"]["until"] == until
    assert said in wanted["summary"]
    assert "anna" in wanted["summary"]
    assert set(verdicts(server).values()) == {"healthy"}


def test_another_precision_than_the_wanted_one_is_left_on() -> None:
    server = healthy()
    process(server, "wfserver")["precision"] = "trace"
    _raised(server, "wfserver", NOW + 600)
    assert keys(server) == ["wfserver.log_precision_raised"]


def test_a_remedy_excuses_one_new_process_and_no_more() -> None:
    server = healthy()
    restarts(server, "wfserver", *[ago(seconds=s) for s in (100, 80, 60, 40, 20)])
    remembers(server, "restarts", "wfserver", times=[ago(seconds=101)])
    found = findings(server)["wfserver.crash_loop@prod"]
    assert found["evidence"]["restarts"] == 4


def test_an_interrupted_repair_tells_who_when_and_what_is_now() -> None:
    server = healthy()
    _begun(server)
    kill(server, "wfserver")
    found = findings(server)["host.repair_interrupted@prod#wfserver:restart"]
    assert found["summary"] == (
        "restart of wfserver@prod, begun by anna at 2025-11-18 11:30:00 UTC, never ended;"
        " wfserver@prod is stopped now."
    )
    assert found["remedy"] is None
    assert "wfserver.not_running@prod" in roots(server)


def test_a_changed_instance_s_file_is_reloaded_and_its_modules_restarted() -> None:
    server = healthy("prod", "prod2")
    file(server, "config-prod2.xml")["mtime_at"] = ago(minutes=10)
    found = findings(server)
    assert {id: found[id]["remedy"] for id in roots(server)} == {
        "host.configuration_changed@prod2#config-prod2.xml": "reload",
        **{f"{m}.configuration_stale@prod2": "restart"
           for m in ("stat", "mta", "inMail", "wfserver")},
    }


def test_nothing_is_loaded_from_a_damaged_configuration() -> None:
    server = healthy()
    file(server, "config-prod.xml")["mtime_at"] = ago(minutes=10)
    file(server, "serverConf.xml")["error"] = {"line": 3, "message": "mismatched tag"}
    assert roots(server) == ["host.configuration_unreadable@default#serverConf.xml"]


@pytest.mark.parametrize("problem", CATALOGUE, ids=lambda problem: problem.key)
def test_a_reload_is_asked_only_of_what_can_reload(problem: Problem) -> None:
    if "reload" in ladder.rungs(problem.key, problem.remedy or ""):
        # the machine's reload is the watchdog's
        assert ladder.ROLES[problem.module] in RELOADS
        command = RELOADS[ladder.ROLES[problem.module]]
        assert f"nlserver {command} -reload" in problem.fix.steps[0][1]


def test_a_dead_watchdog_explains_that_nothing_was_loaded() -> None:
    server = healthy()
    kill(server, "watchdog")
    file(server, "serverConf.xml")["mtime_at"] = ago(minutes=10)
    assert [id for id in roots(server) if id not in BESIDE] == ["watchdog.stopped@default"]
