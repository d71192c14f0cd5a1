"""syslogd and its port."""

from __future__ import annotations

from unit.plugin_utils.builder import HOME, Snapshot, ago, data, fail, log, mount, process
from unit.plugin_utils.problems.cases import holds, near


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
