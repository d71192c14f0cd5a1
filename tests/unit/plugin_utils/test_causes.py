"""Which finding explains which: on one server, between instances, across a fleet."""

from __future__ import annotations

from copy import deepcopy

import pytest
from unit.plugin_utils.builder import (
    Snapshot,
    ago,
    answers,
    check,
    configured,
    data,
    fail,
    file,
    findings,
    hang,
    healthy,
    kill,
    kill_all,
    log,
    mount,
    needs,
    process,
    refuses,
    restarts,
    roots,
    says,
    target,
    verdicts,
)

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis import causes
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.diagnose import (
    diagnose,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.records import (
    Diagnosis,
)


def explained(server: Snapshot, finding: str) -> list[str]:
    ids: list[str] = findings(server)[finding]["caused_by_ids"]
    return ids


def test_when_nothing_runs_that_is_the_only_root() -> None:
    server = healthy("prod", "prod2")
    kill_all(server)
    answers(server, check("tomcat_logon", error="refused"), check("front_logon", status=502))
    needs(server, target("stat", "localhost", 7777, reachable=False, error="refused"))
    data(server, "storage")["pid_file"].update(alive=False, matches=False)
    assert roots(server) == ["watchdog.nothing_runs@default"]
    assert explained(server, "mta.not_running@prod2") == ["watchdog.nothing_runs@default"]
    assert {v for k, v in verdicts(server).items() if k.split("@")[0] not in (
        "tracking", "export", "import")} == {"down"}


def test_the_roots_come_first_then_the_worst() -> None:
    server = healthy()
    kill_all(server)
    data(server, "service")["enabled"] = False
    ids = list(findings(server))
    assert ids[:2] == ["watchdog.nothing_runs@default", "watchdog.service_not_enabled@default"]


def test_a_full_disk_explains_that_nothing_runs() -> None:
    server = healthy()
    kill_all(server)
    mount(server)["used_percent"] = 100
    assert roots(server) == ["host.disk_full@default#/"]


def test_a_disk_of_ninety_percent_explains_nothing() -> None:
    server = healthy()
    kill(server, "wfserver")
    mount(server)["used_percent"] = 91
    assert roots(server) == ["host.disk_almost_full@default#/", "wfserver.not_running@prod"]


def test_stat_explains_the_mta_of_its_own_instance_only() -> None:
    server = healthy("prod", "prod2")
    kill(server, "stat", "prod")
    needs(
        server,
        target("stat", "localhost", 7777, "prod", reachable=False, error="refused"),
        target("stat", "stat9", 7777, "prod2", reachable=False, error="refused"),
    )
    assert explained(server, "mta.stat_unreachable@prod") == ["stat.not_running@prod"]
    assert roots(server) == ["stat.not_running@prod", "mta.stat_unreachable@prod2"]


def test_a_shared_stat_explains_both() -> None:
    server = healthy("prod", "prod2")
    kill(server, "stat", "prod")
    kill(server, "stat", "prod2")
    configured(server, "stat", "prod2")["auto_start"] = False
    log(server, "stat", "prod2")["pids"] = []
    data(server, "sockets")["listening"] = [
        socket for socket in data(server, "sockets")["listening"] if socket["port"] < 7777
    ]
    needs(server, *(
        target("stat", "localhost", 7777, instance, reachable=False, error="refused")
        for instance in ("prod", "prod2")
    ))
    assert roots(server) == ["stat.not_running@prod"]


def test_a_hung_stat_explains_that_it_does_not_answer() -> None:
    server = healthy()
    hang(server, "stat")
    assert roots(server) == ["stat.hung@prod"]
    assert explained(server, "mta.stat_unreachable@prod") == ["stat.hung@prod"]


def test_only_the_nearest_causes_are_named() -> None:
    server = healthy()
    kill(server, "stat")
    needs(server, target("stat", "localhost", 7777, reachable=False, error="refused"))
    says(server, "mta", "XYZ-1 no quota", count=50)
    assert roots(server) == ["stat.not_running@prod"]
    assert explained(server, "mta.errors_many@prod") == ["mta.stat_unreachable@prod"]


def test_a_cause_does_not_begin_after_its_effect() -> None:
    server = healthy()
    restarts(server, "wfserver", *[ago(minutes=m) for m in (9, 7, 4, 1)])
    says(server, "wfserver", "XYZ-1 something odd", count=50, at=ago(minutes=30))
    assert explained(server, "wfserver.errors_many@prod") == []
    server = healthy()
    restarts(server, "wfserver", *[ago(minutes=m) for m in (9, 7, 4, 1)])
    says(server, "wfserver", "XYZ-1 something odd", count=50, at=ago(minutes=2))
    assert explained(server, "wfserver.errors_many@prod") == ["wfserver.crash_loop@prod"]


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("JST-310000 Error while compiling script 'x'", []),
        ("Unable to write file 'x'", ["host.disk_full@default#/"]),
        ("BAS-010015 Cannot open file errno=28, No space left", ["host.disk_full@default#/"]),
    ],
)
def test_a_full_disk_explains_only_what_speaks_of_it(text: str, cause: list[str]) -> None:
    server = healthy()
    mount(server)["used_percent"] = 100
    says(server, "wfserver", text, count=50)
    (found,) = [id for id in findings(server) if id.startswith("wfserver.errors_")]
    assert explained(server, found) == cause


def test_a_database_that_is_down_does_not_explain_a_script() -> None:
    server = healthy()
    needs(server, target("database", "db", 5432, reachable=False, error="refused"))
    says(server, "runwf", "nightlyLoad: Unable to open file 'x' errno=2 (iRc=-52)")
    says(server, "mta", "XYZ-1 the session is lost", count=50)
    assert explained(server, "wfserver.workflow_errors@prod") == []
    assert explained(server, "mta.errors_many@prod") == ["host.database_unreachable@prod"]


def test_a_stopped_watchdog_explains_what_died_since() -> None:
    server = healthy()
    kill(server, "watchdog")
    kill(server, "wfserver")
    data(server, "storage")["pid_file"].update(alive=False, matches=False)
    assert roots(server) == ["watchdog.stopped@default"]


def test_syslogd_without_its_port_explains_silent_logs() -> None:
    server = healthy()
    data(server, "sockets")["listening"][0].update(ours=False, command="rsyslogd", pid=9)
    kill(server, "syslogd")
    for entry in data(server, "logs")["logs"]:
        entry.update(mtime_at=ago(hours=4), last_at=ago(hours=4), pids=[])
    assert roots(server) == ["syslogd.port_taken@default"]


def test_damaged_configuration_explains_its_instance_only() -> None:
    server = healthy("prod", "prod2")
    file(server, "config-prod.xml")["error"] = {"line": 3, "message": "mismatched tag"}
    kill(server, "wfserver", "prod")
    kill(server, "wfserver", "prod2")
    assert roots(server) == [
        "host.configuration_unreadable@prod#config-prod.xml", "wfserver.not_running@prod2",
    ]


def test_an_mta_without_the_address_of_stat() -> None:
    server = healthy()
    configured(server, "mta")["settings"]["stat_address"] = ""
    kill(server, "mta")
    restarted = [ago(minutes=m) for m in (9, 6, 3, 1)]
    log(server, "mta")["pids"] += [
        {"pid": 50 + n, "first_at": at, "last_at": at} for n, at in enumerate(restarted)
    ]
    assert roots(server) == ["mta.stat_address_missing@prod"]
    assert explained(server, "mta.not_running@prod") == ["mta.crash_loop@prod"]


def test_a_changed_file_is_one_root_for_all_modules() -> None:
    server = healthy()
    file(server, "serverConf.xml")["mtime_at"] = ago(minutes=5)
    assert roots(server) == ["host.configuration_changed@default#serverConf.xml"]
    assert findings(server)["web.configuration_stale@default"]["remedy"] == "reload"


def test_a_dead_web_explains_its_pages() -> None:
    server = healthy()
    kill(server, "web")
    answers(
        server, check("tomcat_logon", error="refused"), check("front_logon", status=502, blank=True)
    )
    assert roots(server) == ["web.not_running@default"]
    assert explained(server, "web.relay_broken@default") == ["web.tomcat_down@default"]


def test_a_broken_java_explains_web_s_crash_loop() -> None:
    server = healthy()
    restarts(server, "web", *[ago(minutes=m) for m in (9, 6, 3, 1)])
    says(server, "web", "JVM-510037 Java library not found", "JVM-510037")
    log(server, "web")["groups"][-1]["first_at"] = ago(minutes=9)
    answers(server, check("tomcat_logon", error="refused"), check("front_logon", status=502))
    assert roots(server) == ["web.java_broken@default"]


def test_a_dead_database_explains_what_needs_it() -> None:
    server = healthy()
    says(server, "wfserver", "Database is unreachable (iRc=-2006)", "iRc=-2006", count=20)
    answers(server, check("ping", status=500), check("tomcat_logon", error="timeout"))
    assert roots(server) == ["host.database_unreachable@prod"]


# --- several hosts ----------------------------------------------------------------------------


def fleet() -> tuple[Snapshot, Snapshot]:
    """An mta whose stat runs on another host, and that host."""
    sender, statistics = healthy(), healthy()
    needs(sender, target(
        "stat", "stat1.example.com", 7777, reachable=False, error="refused",
        resolved=["10.0.0.7"],
    ))
    kill(statistics, "stat")
    return sender, statistics


def test_a_stat_on_another_host_is_found_by_its_address() -> None:
    sender, statistics = fleet()
    diagnoses = [
        diagnose(sender, "app1"), diagnose(statistics, "app2", addresses=["10.0.0.7"]),
    ]
    joined = causes.across_hosts(diagnoses)
    finding = joined[0].findings[0]
    assert finding.id == "mta.stat_unreachable@prod"
    assert finding.caused_by == ("stat.not_running",)
    assert finding.caused_by_ids == ("app2:stat.not_running@prod",)
    assert diagnoses[0].findings[0].caused_by == ()  # what was given stays as it was


def test_a_stat_on_another_host_is_found_by_its_name() -> None:
    sender, statistics = fleet()
    joined = causes.across_hosts([
        diagnose(sender, "app1"), diagnose(statistics, "stat1.example.com"),
    ])
    assert joined[0].findings[0].caused_by_ids == ("stat1.example.com:stat.not_running@prod",)


def test_a_healthy_other_host_explains_nothing() -> None:
    sender, _ = fleet()
    joined = causes.across_hosts([
        diagnose(sender, "app1"), diagnose(healthy(), "stat1.example.com"),
    ])
    assert joined[0].findings[0].caused_by_ids == ()


def silent(name: str, *addresses: str) -> Diagnosis:
    return Diagnosis(name=name, reachable=False, error="timed out", addresses=addresses)


def test_a_host_that_could_not_be_reached_and_that_nobody_needs_is_left_alone() -> None:
    sender, _ = fleet()
    app1, gone = causes.across_hosts([diagnose(sender, "app1"), silent("gone")])
    assert gone.findings == () and app1.findings[0].caused_by == ()


@pytest.mark.parametrize("other", [silent("stat1.example.com"), silent("app2", "10.0.0.7")])
def test_a_host_that_does_not_answer_explains_those_that_need_it(other: Diagnosis) -> None:
    sender, _ = fleet()
    first, second, gone = causes.across_hosts([
        diagnose(sender, "app1"), diagnose(sender, "app3"), other,
    ])
    (found,) = gone.findings
    assert found.key == "host.does_not_answer" and found.automatic is False
    assert f"{other.name} is unreachable" in found.summary
    assert found.summary.endswith("timed out")
    for diagnosis in (first, second):
        assert diagnosis.findings[0].caused_by == ("host.does_not_answer",)
        assert diagnosis.findings[0].caused_by_ids == (
            f"{other.name}:host.does_not_answer@default",)
    assert other.findings == ()  # what was given stays as it was


def test_the_remote_stat_that_everything_down_explains_is_named_once() -> None:
    sender, statistics = fleet()
    kill_all(statistics)
    joined = causes.across_hosts([
        diagnose(sender, "app1"), diagnose(statistics, "stat1.example.com"),
    ])
    ids = joined[0].findings[0].caused_by_ids
    assert ids == ("stat1.example.com:stat.not_running@prod",)


def nobody() -> dict[str, list[str]]:
    raise AssertionError("no finding names another host: the inventory is not looked through")


def test_a_host_that_is_not_in_the_run_and_may_have_the_cause() -> None:
    sender, _ = fleet()
    joined = causes.across_hosts([diagnose(sender, "app1"), diagnose(healthy(), "app3")])
    (found,) = causes.not_looked_at(joined, lambda: {"app2": ["10.0.0.7"], "app4": []})
    assert found.as_dict() == {
        "host": "app2", "why": "not_in_run", "serves": "stat", "needed_by": "app1",
        "finding": "mta.stat_unreachable@prod",
    }
    by_name = causes.not_looked_at(joined, lambda: {"STAT1.example.com": []})
    assert [each.host for each in by_name] == ["STAT1.example.com"]
    assert causes.not_looked_at(joined, lambda: {"app4": ["10.0.0.9"]}) == ()


def test_a_host_that_was_looked_at_is_not_named() -> None:
    sender, statistics = fleet()
    for other in (statistics, healthy()):  # the cause is known, or there is none
        joined = causes.across_hosts([
            diagnose(sender, "app1"), diagnose(other, "app2", addresses=["10.0.0.7"]),
        ])
        assert causes.not_looked_at(joined, nobody) == ()


def test_a_host_that_could_not_be_diagnosed_may_have_the_cause() -> None:
    sender, _ = fleet()
    failed = Diagnosis(name="stat1.example.com", error="no Python")
    joined = causes.across_hosts([diagnose(sender, "app1"), failed])
    (found,) = causes.not_looked_at(joined, nobody)
    assert (found.host, found.why) == ("stat1.example.com", "not_diagnosed")
    # One that cannot be reached explains the finding by that.
    joined = causes.across_hosts([diagnose(sender, "app1"), silent("stat1.example.com")])
    assert causes.not_looked_at(joined, nobody) == ()


def test_a_healthy_fleet_and_one_that_helps_itself_name_nobody() -> None:
    own = healthy()
    kill(own, "stat")
    needs(own, target("stat", "localhost", 7777, reachable=False, error="refused"))
    broken = healthy()
    needs(broken, target("stat", "stat9", 7777, reachable=False, error="refused"))
    kill(broken, "wfserver")
    for server in (healthy(), own):
        assert causes.not_looked_at([diagnose(server, "app1")], nobody) == ()
    assert causes.not_looked_at([diagnose(broken, "app1")], lambda: {"app2": []}) == ()


@pytest.mark.parametrize(
    ("kind", "host", "port", "serves"),
    [("redirection", "web2", 80, "redirection server"), ("relay", "mail1", 25, "mail relay"),
     ("database", "db1", 5432, "database")],
)  # fmt: skip
def test_other_services_of_other_hosts(kind: str, host: str, port: int, serves: str) -> None:
    server = healthy()
    needs(server, target(kind, host, port, reachable=False, error="refused"))
    (found,) = causes.not_looked_at([diagnose(server, "app1")], lambda: {host: [], "app2": []})
    assert (found.host, found.serves) == (host, serves)


def test_a_failing_probe_makes_no_finding_and_no_health() -> None:
    server = healthy()
    fail(server, "http")
    assert roots(server) == []
    assert verdicts(server)["web@default"] == "unknown"
    assert verdicts(server)["stat@prod"] == "healthy"


def test_a_restart_by_the_watchdog_is_not_blamed_on_a_full_log() -> None:
    server = healthy()
    process(server, "mta")["started_at"] = ago(seconds=20)
    assert roots(server) == []


@pytest.mark.parametrize("code", ["XSV-350012", "XSV-350013"])
def test_a_refused_logon_of_ours_explains_its_line_in_the_log(code: str) -> None:
    server = healthy()
    says(server, "web", f"{code} Connection denied. (remediation)", code)
    finding = f"web.errors_restart_useless@default#{code}"
    assert explained(server, finding) == []
    for word, of in (("password", "XSV-350012"), ("zone", "XSV-350013")):
        other = deepcopy(server)
        refuses(other, word, "so it is", of)
        assert explained(other, finding) == ([f"web.logon_{word}@prod"] if of == code else [])
