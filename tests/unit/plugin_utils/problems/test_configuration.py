"""What the configuration says."""

from __future__ import annotations

from typing import Any

from unit.plugin_utils.builder import (
    HOME,
    Snapshot,
    ago,
    answers,
    check,
    configured,
    data,
    database,
    fail,
    healthy,
    kill,
    needs,
    process,
    says,
    target,
)
from unit.plugin_utils.problems.cases import SUPERVISED, for_each, holds, near
from unit.plugin_utils.problems.test_mta import _spool
from unit.plugin_utils.problems.test_syslogd import _sockets, rsyslog_holds_the_port


@for_each(SUPERVISED, "restart_time_missing")
def its_daily_restart_was_deleted(s: Snapshot, module: str) -> None:
    configured(s, module).update(restart_time=None, restart_time_missing=True)


@near("mta.restart_missed")
def it_has_no_daily_restart(s: Snapshot) -> None:
    configured(s, "mta").update(restart_time=None, restart_time_missing=True)
    process(s, "mta")["started_at"] = ago(hours=90)


@holds("mta.log_precision_raised@prod#args")
def verbosity_is_in_its_arguments(s: Snapshot) -> None:
    configured(s, "mta").update(args="-verbose", origins={"args": "config-prod.xml"})


@holds("mta.log_precision_raised@prod#extra_args")
def verbosity_is_in_the_arguments_of_its_children(s: Snapshot) -> None:
    configured(s, "mta")["settings"]["extra_args"] = "-tracefilter:soap"


@near("mta.log_precision_raised")
def it_has_the_arguments_that_are_shipped(s: Snapshot) -> None:
    configured(s, "mta")["args"] = "-tracefilter:nlmta"


@near("mta.log_precision_raised")
def who_wanted_its_log_precision_is_unknown(s: Snapshot) -> None:
    configured(s, "mta").update(args=None, unknown=["args"])
    process(s, "mta")["precision"] = None


@holds("mta.verify_mode@prod")
def nothing_is_really_sent(s: Snapshot) -> None:
    configured(s, "mta")["settings"]["verify_mode"] = True


@holds("mta.messages_dumped@prod")
def what_mta_sends_is_kept(s: Snapshot) -> None:
    configured(s, "mta")["settings"]["debug_path"] = "/tmp/mta"


@holds("mta.messages_dumped@prod")
def the_data_of_messages_is_kept(s: Snapshot) -> None:
    configured(s, "mta")["settings"].update(debug_path="", data_log_path="/tmp/data")


@near("mta.messages_dumped")
def paths_as_shipped_keep_nothing(s: Snapshot) -> None:
    configured(s, "mta")["settings"].update(debug_path="", data_log_path="")


@holds("inMail.messages_dumped@prod")
def what_inmail_reads_is_kept(s: Snapshot) -> None:
    configured(s, "inMail")["settings"]["dump"] = True


@near("inMail.messages_dumped")
def what_inmail_reads_is_not_kept(s: Snapshot) -> None:
    configured(s, "inMail")["settings"]["dump"] = False


@near("mta.verify_mode")
def nothing_is_sent_by_an_mta_that_is_off(s: Snapshot) -> None:
    configured(s, "mta")["auto_start"] = False
    configured(s, "mta")["settings"]["verify_mode"] = True
    kill(s, "mta")


@holds("mta.working_set_reached@prod")
def a_child_is_larger_than_its_working_set(s: Snapshot) -> None:
    configured(s, "mta")["settings"].update(working_set_mb=128, waiting_messages=6000)
    _mtachild(s, 141)


@near("mta.working_set_reached")
def a_child_of_which_the_limit_is_unknown(s: Snapshot) -> None:
    _mtachild(s, 141)


@near("mta.working_set_reached")
def a_child_below_its_working_set(s: Snapshot) -> None:
    configured(s, "mta")["settings"]["working_set_mb"] = 128
    _mtachild(s, 127)


@holds("mta.spool_stuck@prod", root=False)
def a_child_that_has_reached_its_working_set_sends_nothing(s: Snapshot) -> None:
    a_child_is_larger_than_its_working_set(s)
    _spool(s, 2)


def _mtachild(s: Snapshot, memory: float) -> None:
    child = {**process(s, "mta"), "pid": 4711, "ppid": process(s, "mta")["pid"],
             "name": "mtachild", "memory_mb": memory}
    data(s, "processes")["children"].append(child)


@holds("mta.relay_missing@prod#relay2:25")
def one_of_two_relays_is_away(s: Snapshot) -> None:
    needs(s, target("relay", "relay1", 25),
          target("relay", "relay2", 25, reachable=False, error="refused"))


@near("mta.relay_unreachable")
def another_relay_answers(s: Snapshot) -> None:
    one_of_two_relays_is_away(s)


@near("mta.stat_address_missing")
def the_statistics_server_is_unknown(s: Snapshot) -> None:
    configured(s, "mta")["settings"]["stat_address"] = None


@holds("host.instance_copy@default#prod-20261101")
def a_configuration_was_copied(s: Snapshot) -> None:
    data(s, "configuration")["copies"] = [_copy("prod-20261101")]
    data(s, "missing")["modules"] = [{"module": "mta", "instance": "prod-20261101"}]


@near("mta.not_running")
def the_copy_s_modules_do_not_run(s: Snapshot) -> None:
    a_configuration_was_copied(s)


def _copy(name: str) -> dict[str, Any]:
    mta = {"module": "mta", "instance": name, "auto_start": True}
    return {"name": name, "path": f"{HOME}/conf/config-{name}.xml", "modules": [mta],
            "databases": [{"server": "db.example.com", "provider": "postgresql"}]}


@near("host.instance_copy")
def pdump_lists_a_module_of_it(s: Snapshot) -> None:
    a_configuration_was_copied(s)
    data(s, "pdump")["tasks"].append(
        {"module": "mta", "instance": "prod-20261101", "pid": 77, "memory_mb": 9.0}
    )


@near("web.redirection_missing")
def another_site_answers_on_a_delivery_server(s: Snapshot) -> None:
    for module in ("web", "trackinglogd"):
        configured(s, module)["auto_start"] = False
        kill(s, module)
    answers(s, check("front_test", status=404), check("tomcat_logon", error="refused"))


@near("mta.not_running")
def an_underscore_switches_it_off(s: Snapshot) -> None:
    configured(s, "mta").update(auto_start=False, switched_off=True)
    kill(s, "mta")


@near("mta.autostart_disabled")
def an_underscore_has_switched_it_off_just_now(s: Snapshot) -> None:
    an_underscore_switches_it_off(s)


@near("syslogd.port_taken")
def another_log_daemon_is_used(s: Snapshot) -> None:
    configured(s, "syslogd")["auto_start"] = False
    rsyslog_holds_the_port(s)
    kill(s, "syslogd")


@near("syslogd.autostart_disabled")
def another_log_daemon_has_just_come(s: Snapshot) -> None:
    another_log_daemon_is_used(s)


@near("syslogd.logs_not_growing")
def another_log_daemon_writes_elsewhere(s: Snapshot) -> None:
    another_log_daemon_is_used(s)
    for entry in data(s, "logs")["logs"]:
        entry.update(mtime_at=ago(hours=9), last_at=ago(hours=9))


@near("inMail.log_silent")
def another_log_daemon_writes_inmail_s_lines(s: Snapshot) -> None:
    another_log_daemon_writes_elsewhere(s)


@near("syslogd.port_not_held")
def the_log_daemon_is_another_machine_s(s: Snapshot) -> None:
    data(s, "configuration").update(syslogd_port=None, syslogd_port_from="environment")
    s["asked"]["expected_ports"] = {}
    _sockets(s, port=6666)


@holds("stat.port_wanted_twice@default#7777", root=None)
def two_instances_start_a_statistics_server(s: Snapshot) -> None:
    s.update(healthy("prod", "prod2"))
    configured(s, "stat", "prod2")["settings"]["port"] = 7777


@near("stat.port_taken")
def the_other_instance_s_statistics_server_holds_it(s: Snapshot) -> None:
    two_instances_start_a_statistics_server(s)


@near("stat.port_wanted_twice")
def the_second_statistics_server_is_off(s: Snapshot) -> None:
    two_instances_start_a_statistics_server(s)
    configured(s, "stat", "prod2")["auto_start"] = False
    kill(s, "stat", "prod2")


@near("web.tomcat_down")
def web_runs_on_another_host(s: Snapshot) -> None:
    configured(s, "web")["auto_start"] = False
    kill(s, "web")
    answers(s, check("tomcat_logon", error="refused"))


@near("web.port_taken")
def another_program_has_the_port_where_web_does_not_run(s: Snapshot) -> None:
    web_runs_on_another_host(s)
    data(s, "sockets")["listening"].append(
        {"proto": "tcp", "port": 8080, "address": "0.0.0.0", "pid": 7, "command": "nginx",
         "user": "root", "unit": None, "ours": False, "queue_bytes": 0}
    )


@near("web.tomcat_down")
def whether_web_is_to_run_is_unknown(s: Snapshot) -> None:
    web_runs_on_another_host(s)
    configured(s, "web").update(auto_start=None, unknown=["auto_start"])


@near("inMail.mailbox_unreachable")
def the_mailbox_is_read_by_pop3s(s: Snapshot) -> None:
    needs(s, target("mailbox", "pop.example.com", 110, reachable=False, error="refused"))
    database(s)["accounts"][0]["port"] = 995


@holds("inMail.mailbox_login_refused@prod")
def inmail_says_that_the_mailbox_refuses(s: Snapshot) -> None:
    says(s, "inMail", "Authentication failure: unknown user name or bad password", count=6)
    data(s, "pdump")["build"] = "7.4.1 build 9383@8f3ef8e"


@holds("watchdog.environment_broken@default")
def customer_sh_has_a_syntax_error(s: Snapshot) -> None:
    fail(s, "environment", "failed", f"{HOME}/customer.sh: 3: Syntax error: end of file")
    for probe in ("pdump", "missing"):
        fail(s, probe, "failed", "nlserver was not run because its environment could not be read")


@near("watchdog.nlserver_fails")
def its_environment_fails(s: Snapshot) -> None:
    customer_sh_has_a_syntax_error(s)


@holds("watchdog.nlserver_fails@default")
def nlserver_cannot_be_executed(s: Snapshot) -> None:
    fail(s, "pdump", "denied", f"{HOME}/bin/nlserver: Permission denied")


@holds("watchdog.nlserver_slow@default")
def nlserver_takes_nine_seconds(s: Snapshot) -> None:
    s["probes"]["pdump"]["seconds"] = 9.0


@near("watchdog.nlserver_hangs")
def nlserver_answers_late(s: Snapshot) -> None:
    nlserver_takes_nine_seconds(s)
