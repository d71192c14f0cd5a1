"""mta."""

from __future__ import annotations

from unit.plugin_utils.builder import (
    NOW,
    Snapshot,
    ago,
    configured,
    data,
    findings,
    healthy,
    kill,
    log,
    needs,
    process,
    says,
    target,
)
from unit.plugin_utils.problems.cases import holds, near


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


def test_the_shown_fix_uses_the_variable_directory_of_the_site() -> None:
    server = healthy()
    says(server, "mta", "Unable to rename '/tmp/a' to '/x/b' errno=18 (iRc=-52)", "iRc=-52")
    for var_dir, shown in (("/data/var", "/data/var/tmp"), ("", f"{server['home']}/var/tmp")):
        data(server, "environment")["var_dir"] = var_dir
        fix = findings(server)["mta.temporary_device@prod"]["fix"]
        assert f"mkdir -p {shown}" in fix and f"TMPDIR={shown}" in fix


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
    says(s, "mta", "mtachild (pid=15182) ended with -11", level="warning", at=ago(seconds=3))


def _child(s: Snapshot, seconds: float) -> None:
    data(s, "processes")["children"] = [
        {**process(s, "mta"), "pid": 40, "ppid": 1003, "name": "mtachild",
         "started_at": ago(seconds=seconds)}
    ]


@holds("mta.no_children@prod")
def the_next_child_is_about_to_die(s: Snapshot) -> None:
    children_that_die_at_once(s)
    _child(s, 1)


@near("mta.no_children")
def a_child_lives_although_others_died(s: Snapshot) -> None:
    children_that_die_at_once(s)
    _child(s, 30)


@near("mta.no_children")
def mail_has_just_come(s: Snapshot) -> None:
    _spool(s, 0.1)


@holds("mta.spool_stuck@prod")
def children_that_do_not_send(s: Snapshot) -> None:
    _spool(s, 2)
    data(s, "processes")["children"] = [
        {**process(s, "mta"), "pid": 40, "ppid": 1003, "name": "mtachild"}
    ]
