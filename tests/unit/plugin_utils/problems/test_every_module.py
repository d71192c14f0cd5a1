"""Problems that several modules share."""

from __future__ import annotations

from unit.plugin_utils.builder import (
    NOW,
    Snapshot,
    ago,
    configured,
    data,
    fail,
    file,
    findings,
    hang,
    healthy,
    job,
    kill,
    log,
    needs,
    process,
    remembers,
    restarts,
    says,
    target,
)
from unit.plugin_utils.problems.cases import (
    OF_INSTANCE,
    PERMANENT,
    SUPERVISED,
    UTILITIES,
    for_each,
    holds,
    near,
)


@for_each(SUPERVISED, "not_running")
def the_process_is_gone(s: Snapshot, module: str) -> None:
    kill(s, module)


@for_each(SUPERVISED, "crash_loop")
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


@for_each(SUPERVISED, "not_expected")
def it_runs_against_the_configuration(s: Snapshot, module: str) -> None:
    configured(s, module)["auto_start"] = False


@near("wfserver.not_expected")
def its_configuration_is_damaged(s: Snapshot) -> None:
    configured(s, "wfserver").update(auto_start=None, unknown=["auto_start"])
    file(s, "config-prod.xml")["error"] = {"line": 12, "message": "mismatched tag"}


@for_each(SUPERVISED, "autostart_disabled")
def it_stopped_and_was_disabled(s: Snapshot, module: str) -> None:
    configured(s, module)["auto_start"] = False
    kill(s, module)


@for_each(SUPERVISED, "restart_missed")
def it_is_two_days_old(s: Snapshot, module: str) -> None:
    process(s, module)["started_at"] = ago(hours=48)
    for entry in data(s, "configuration")["files"]:
        entry["mtime_at"] = ago(hours=1000)


@near("web.restart_missed")
def it_is_one_day_and_one_hour_old(s: Snapshot) -> None:
    process(s, "web")["started_at"] = ago(hours=25)


@for_each(PERMANENT, "hung")
def it_is_halted(s: Snapshot, module: str) -> None:
    hang(s, module)


@for_each(PERMANENT, "runs_twice")
def there_are_two_of_it(s: Snapshot, module: str) -> None:
    data(s, "processes")["modules"].append({**process(s, module), "pid": 3000, "ppid": 1})


@near("web.runs_twice")
def a_process_that_just_forked(s: Snapshot) -> None:
    data(s, "processes")["modules"].append({**process(s, "web"), "pid": 3000, "ppid": 1004})


@for_each(PERMANENT, "wrong_account")
def root_started_it(s: Snapshot, module: str) -> None:
    process(s, module)["user"] = "root"


@for_each(PERMANENT, "memory_alert")
def it_has_grown_too_big(s: Snapshot, module: str) -> None:
    process(s, module)["memory_mb"] = 1900


@for_each(PERMANENT, "memory_warning")
def it_has_grown_big(s: Snapshot, module: str) -> None:
    process(s, module)["memory_mb"] = 1650


@near("web.memory_warning")
def it_is_beyond_the_alert_value(s: Snapshot) -> None:
    process(s, "web")["memory_mb"] = 1850


@for_each(PERMANENT, "file_handles")
def it_has_many_files_open(s: Snapshot, module: str) -> None:
    process(s, module)["files_open"] = 900


@for_each(PERMANENT, "log_precision_raised")
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


@for_each(PERMANENT, "log_precision_wanted")
def it_was_raised_until_later(s: Snapshot, module: str) -> None:
    process(s, module)["precision"] = "verbose"
    _raised(s, module, NOW + 600)


@for_each(("web@default", "watchdog@default"), "configuration_stale", root=False)
def a_file_changed_after_its_start(s: Snapshot, module: str) -> None:
    file(s, "serverConf.xml")["mtime_at"] = ago(minutes=10)


@for_each(OF_INSTANCE, "configuration_stale", root=None)
def its_instance_s_file_changed(s: Snapshot, module: str) -> None:
    file(s, "config-prod.xml")["mtime_at"] = ago(minutes=10)


@for_each(("syslogd@default", "trackinglogd@default"), "configuration_stale", root=None)
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


@for_each(EVERY, "errors_restart_helps@@SOP-330021")
def tomcat_behind_the_relay_is_down(s: Snapshot, module: str) -> None:
    says(s, module, "SOP-330021 no answer from the relay", "SOP-330021")


@for_each(EVERY, "errors_restart_useless@@WDB-200011")
def rights_are_missing(s: Snapshot, module: str) -> None:
    says(s, module, "WDB-200011 no right on the folder", "WDB-200011")


@for_each(EVERY, "errors_many")
def unknown_errors(s: Snapshot, module: str) -> None:
    says(s, module, "XYZ-000001 something odd", "XYZ-000001", count=30)


@for_each(EVERY, "errors_few")
def an_unknown_error(s: Snapshot, module: str) -> None:
    says(s, module, "XYZ-000001 something odd", "XYZ-000001", count=2)


def test_a_job_that_would_fail_again_is_not_launched_again() -> None:
    for text, remedy in (
        ("BAS-010015 Cannot open file '/x/orders.txt' (errno=13, Permission denied)", None),
        ("Unable to write file '/x/orders.txt'", "relaunch"),
    ):
        server = healthy()
        error = {"sample": text, "codes": [], "at": ago(minutes=30)}
        data(server, "jobs")["jobs"] = [job("export", last_error=error)]
        finding = findings(server)["export.failed@prod#contacts_export"]
        assert finding["remedy"] == remedy
        assert finding["automatic"] is bool(remedy)
        assert ("rights of the directory" in (finding["reason"] or "")) is not bool(remedy)


@for_each(EVERY, "daily_restart_errors")
def another_server_restarts_each_day(s: Snapshot, module: str) -> None:
    configured(s, "web")["restart_time"] = "11:56:00"
    says(s, module, "IOB-090007 connection refused", "IOB-090007", at=ago(minutes=3))


@near("web.daily_restart_errors")
def it_goes_on_after_the_daily_restart(s: Snapshot) -> None:
    configured(s, "web")["restart_time"] = "11:40:00"
    says(s, "web", "IOB-090007 connection refused", "IOB-090007", at=ago(minutes=3))


@near("wfserver.daily_restart_errors")
def what_it_says_has_nothing_to_do_with_a_restart(s: Snapshot) -> None:
    configured(s, "wfserver")["restart_time"] = "11:56:00"
    restarts(s, "wfserver", ago(minutes=4))
    says(s, "wfserver", "WDB-200011 no right", "WDB-200011", at=ago(minutes=3))


@near("mta.daily_restart_errors")
def nothing_was_restarted_at_that_time(s: Snapshot) -> None:
    configured(s, "mta")["restart_time"] = "11:56:00"
    says(s, "mta", "something odd", at=ago(minutes=3))


@for_each(EVERY, "errors_before_repair")
def they_ended_with_the_repair_of_the_whole_server(s: Snapshot, module: str) -> None:
    says(s, module, "XYZ-000001 something odd", "XYZ-000001", count=30, at=ago(minutes=20))
    remembers(s, "renewals", "stat", at=ago(minutes=16), ended_at=ago(minutes=15),
              whole_server=True)


@near("wfserver.errors_many")
def they_ended_with_a_repair_that_starts_no_module(s: Snapshot) -> None:
    says(s, "wfserver", "XYZ-000001 something odd", "XYZ-000001", count=30, at=ago(minutes=20))
    remembers(s, "repairs", "web", at=ago(minutes=15), remedy="start_front_end")


@near("tracking.redirection_unreachable")
def the_web_server_in_front_was_repaired(s: Snapshot) -> None:
    says(s, "runwf", "RED-520025 http://127.0.0.1 does not answer", "RED-520025",
         at=ago(minutes=20))
    remembers(s, "repairs", "web", at=ago(minutes=15), remedy="start_front_end")


@holds("tracking.redirection_unreachable@prod")
def it_does_not_answer_after_that_repair(s: Snapshot) -> None:
    says(s, "runwf", "RED-520025 http://127.0.0.1 does not answer", "RED-520025",
         at=ago(minutes=5))
    remembers(s, "repairs", "web", at=ago(minutes=15), remedy="start_front_end")


@holds("tracking.redirection_misconfigured@prod")
def mta_meets_a_redirection_server_that_is_not_registered(s: Snapshot) -> None:
    says(s, "mta", "RED-520005 Wrong configuration of remote redirection server", "RED-520005")


@near("mta.errors_many")
def they_ended_with_the_repair_of_what_it_needs(s: Snapshot) -> None:
    says(s, "mta", "XYZ-000001 something odd", "XYZ-000001", count=30, at=ago(minutes=20))
    remembers(s, "renewals", "stat", at=ago(minutes=16), ended_at=ago(minutes=15))


@holds("wfserver.errors_many@prod", root=None)
def what_was_repaired_has_nothing_to_do_with_it(s: Snapshot) -> None:
    says(s, "wfserver", "XYZ-000001 something odd", "XYZ-000001", count=30, at=ago(minutes=20))
    remembers(s, "renewals", "inMail", at=ago(minutes=16), ended_at=ago(minutes=15))


@near("wfserver.errors_restart_useless")
def the_error_was_before_the_last_start(s: Snapshot) -> None:
    restarts(s, "wfserver", ago(minutes=5))
    says(s, "wfserver", "WDB-200011 no right", "WDB-200011", at=ago(minutes=20))


# Lines that have an entry of their own, and the module whose log has them.
OWN_LINES = {
    "import.duplicate_key@prod": (
        "import", 'PGS-220000 ERROR: duplicate key value violates unique constraint "x"'),
    "web.connection_pool_full@default": (
        "web", "The maximum number of connections has been reached (50) by connections pool 'x'"),
    "web.class_path_outdated@default": ("web", "SEVERE: Failed to process JAR found at URL [x]"),
    "web.tracked_link_unknown@default": ("webmdl", "Requested URL '/r/ id=h1' cannot be found"),
    "wfserver.journal_sequence_behind@prod": (
        "runwf", 'duplicate key value violates unique constraint "xtkworkflowlog_id"'),
    "host.database_time_zone_files@prod": ("tracking", "ORA-210000 ORA-01805: possible error"),
    "inMail.mailbox_login_refused@prod": (
        "inMail", "Authentication failure: unknown user name or bad password"),
    "host.upgrade_conflicts@prod": (
        "postupgrade", "The document 'x' is in conflict with the new version."),
    "host.upgrade_notes@prod": ("postupgrade", "PU-0001 an expression"),
    "host.upgrade_failed@prod": ("postupgrade", "PU-0005 raw SQL"),
}
for _id, (_module, _text) in OWN_LINES.items():

    @holds(_id)
    def its_log_says_so(s: Snapshot, module: str = _module, text: str = _text) -> None:
        says(s, module, text, instance="default" if module == "webmdl" else "prod")

    @near(_id.split("@")[0])
    def it_says_so_for_information(
        s: Snapshot, module: str = _module, text: str = _text
    ) -> None:
        says(s, module, text, level="info",
             instance="default" if module == "webmdl" else "prod")


@holds("host.other_module_errors@prod#pipelined:pipelined-token")
def another_module_of_campaign_logs_an_error(s: Snapshot) -> None:
    says(s, "pipelined", "Listener: JWT Token is empty. (iRc=16384)", "iRc=16384")


@near("host.other_module_errors")
def another_module_lost_the_way_and_found_it_again(s: Snapshot) -> None:
    says(s, "pipelined", "Connection seems to have been lost. Attempting to reconnect")
    log(s, "pipelined")["groups"][0]["went_on"] = True


@near("inMail.mailbox_login_refused")
def the_mailbox_admits_it_now(s: Snapshot) -> None:
    says(s, "inMail", "Authentication failure: unknown user name or bad password")
    needs(s, target("mailbox", "pop.example.com", 110))


@holds("host.upgrade_failed@prod")
def the_upgrade_stopped(s: Snapshot) -> None:
    says(s, "postupgrade", "a step that nobody knows")
    log(s, "postupgrade")["groups"][0]["category"] = "stopped"


@near("host.upgrade_notes")
def a_note_of_the_migration_check(s: Snapshot) -> None:
    says(s, "postupgrade", "JST-310040 expression to be checked in 'cus:tools.js'")


@holds("host.logs_in_future@default")
def lines_of_tomorrow(s: Snapshot) -> None:
    log(s, "mta").update(future_lines=3, future_at=NOW + 3600)


@holds("wfserver.errors_restart_useless@prod#BAS-010015")
def a_warning_whose_meaning_is_known(s: Snapshot) -> None:
    says(s, "wfserver", "BAS-010015 cannot open errno=13", level="warning")


@holds("web.errors_restart_helps@default#SOP-330021")
def tomcat_of_another_host(s: Snapshot) -> None:
    says(s, "web", "SOP-330021 no answer from http://app2.example.com:8080/nl")


@near("wfserver.errors_few")
def only_a_warning(s: Snapshot) -> None:
    says(s, "wfserver", "something odd", level="warning")
