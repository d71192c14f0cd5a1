"""What a step will run, as the plan announces it: commands, losses, what a guard asks for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from unit.plan.builder import NOW, finding, make, server, typed

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.records import (
    Finding,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning import (
    announce,
    ladder,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning.make import (
    make as make_plan,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning.policy import (
    Policy,
)

HOME = "/usr/local/neolane/nl6"
NL = f"{HOME}/bin/nlserver"
UNIT = {"unit": "nlserver", "active": True, "init_script": None}
Json = dict[str, Any]


def host(*findings: Any, starts_by: Any = UNIT, **rows: Json) -> Json:
    """A diagnosis; a row by its module says what is otherwise there."""
    found = {**server(*findings), "home": HOME, "starts_by": starts_by}
    for row in found["modules"]:
        row.update(precision="standard", filters=[])
        row.update(rows.get(row["module"], {}))
    return found


def step(*findings: Any, **more: Any) -> Json:
    """The only step of the plan."""
    (only,) = make(host(*findings, **more))["hosts"][0]["steps"]
    return dict(only)


STOPPED = {"state": "stopped", "pid": None, "precision": None}


@pytest.mark.parametrize(
    ("key", "more", "commands"),
    [
        ("wfserver.not_running@prod", {"wfserver": STOPPED}, [[NL, "start", "wfserver@prod"]]),
        ("wfserver.restart_missed@prod", {}, [[NL, "restart", "wfserver@prod", "-noconsole"]]),
        ("web.tomcat_down@default", {}, [[NL, "restart", "web", "-tomcat", "-noconsole"]]),
        (
            "wfserver.hung@prod", {"wfserver": {"state": "hung"}},
            [[NL, "stop", "wfserver@prod", "-immediate"], [NL, "start", "wfserver@prod"]],
        ),
        (
            "wfserver.log_precision_raised@prod", {"wfserver": {"precision": "trace"}},
            [[NL, "stop", "wfserver@prod"], [NL, "start", "wfserver@prod"]],
        ),
        ("stat.quotas_not_loaded@prod", {}, [[NL, "stat", "-reload"]]),
        ("host.configuration_changed@default", {}, [[NL, "config", "-reload"]]),
        (
            "watchdog.nothing_runs@default", {"watchdog": STOPPED, "starts_by": None},
            [[NL, "watchdog", "-svc", "-noconsole"]],
        ),
        (
            "watchdog.nothing_runs@default",
            {"watchdog": STOPPED, "starts_by": {**UNIT, "active": False}},
            [["systemctl", "start", "nlserver"]],
        ),
    ],
)
def test_the_commands_of_a_step(key: str, more: Json, commands: list[list[str]]) -> None:
    planned = step(key, **more)
    assert planned["commands"] == commands
    assert planned["command"].splitlines() == [" ".join(command) for command in commands]


@pytest.mark.parametrize("key", ["watchdog.hung@default", "watchdog.memory_alert@default"])
def test_a_restart_of_the_watchdog_is_one_of_everything(key: str) -> None:
    planned = step(key, watchdog={"state": "hung"})
    assert planned["commands"] == [
        ["systemctl", "stop", "nlserver"], ["systemctl", "start", "nlserver"],
    ]
    assert planned["remedy"] == "restart_service"
    assert planned["cancels"] == ladder.ALL_WORK


def test_what_a_watchdog_left_behind_is_stopped_one_by_one() -> None:
    found = host("watchdog.hung@default", watchdog=STOPPED, web={"state": "hung"}, starts_by=None)
    (diagnosis,) = typed(found)
    case = announce.Case("watchdog", ["default"], diagnosis.findings[0], diagnosis, {})
    commands = announce.commands("restart_service", case) or ()
    assert (NL, "stop", "web", "-immediate") in commands
    assert (NL, "stop", "mta@prod") in commands
    assert commands[-1] == (NL, "watchdog", "-svc", "-noconsole")


@pytest.mark.parametrize("remedy", [n for n, known in ladder.REMEDIES.items() if known.cuts_off])
def test_the_loss_of_the_watchdog_is_the_loss_of_all(remedy: str) -> None:
    assert ladder.cancels(remedy, "watchdog") == ladder.ALL_WORK


EXPORT = {
    "kind": "export", "name": "nightly", "instance": "prod", "operator": "anna",
    "arguments": {"full": ["-file:/x", "-password:geheim77"], "delta": ["-delta"]},
}
WORKFLOW = "wfserver.technical_workflow_failed@prod#cleanup"
SYSLOGD = [NL, "restart", "syslogd", "-noconsole"]
NO_SERVICE: Json = {"holder": "other", "pid": 4711, "unit": None}


def planned_for(declared: Json, *findings: Any) -> Json:
    """The only step of the plan of a site that declares this."""
    policies = {"app1": replace(Policy(), declared=declared)}
    made = make_plan(typed(host(*findings)), policies, now=NOW, run="r1", collection="1.0.0")
    (only,) = made.hosts[0].steps
    return only.as_dict()


@pytest.mark.parametrize(
    ("id", "evidence", "declared", "commands"),
    [
        ("syslogd.port_taken@default", NO_SERVICE, {}, [["kill", "4711"], SYSLOGD]),
        ("watchdog.pid_file_stale@default", {"path": "/run/x y.pid"}, {}, [["rm", "/run/x y.pid"]]),
        ("watchdog.service_not_enabled@default", {"unit": "nlserver.service"}, {},
         [["systemctl", "enable", "nlserver.service"]]),
        ("web.front_down@default", {}, {"front_service": "apache2"},
         [["systemctl", "start", "apache2"]]),
        ("web.front_down@default", {}, {"front_commands": {"start": ["/opt/x", "up"]}},
         [["/opt/x", "up"]]),
        ("mta.temporary_device@prod", {"var_dir": "/v r", "tmp_dir": "/tmp"}, {},
         [["mkdir", "-p", "/v r/tmp"], ["customer.sh", "export TMPDIR='/v r/tmp'"],
          [NL, "restart", "mta@prod", "-noconsole"]]),
        ("export.failed@prod#nightly", {}, {"jobs": [EXPORT], "mode": "delta"},
         [[NL, "export", "-instance:prod", "-delta"]]),
        ("export.failed@prod#nightly", {}, {"jobs": [EXPORT], "mode": "full"},
         [[NL, "export", "-instance:prod", "-file:/x", "-password:***"]]),
        (WORKFLOW, {"workflow": "cleanup", "state": 13, "failed": True}, {},
         [["xtk:workflow#Start", "cleanup"], ["xtk:workflow#Wakeup", "cleanup"]]),
        (WORKFLOW, {"workflow": "cleanup", "state": 11, "failed": False}, {},
         [["xtk:workflow#Wakeup", "cleanup"]]),
    ],
)
def test_what_a_finding_and_the_site_tell_beforehand(
    id: str, evidence: Json, declared: Json, commands: list[list[str]]
) -> None:
    assert planned_for(declared, finding(id, **evidence))["commands"] == commands


def test_one_move_for_each_mta_that_has_met_the_old_directory() -> None:
    evidence = {"var_dir": "/v", "tmp_dir": "/tmp"}
    both = [finding(f"mta.temporary_device@{name}", **evidence) for name in ("dev", "prod")]
    planned = planned_for({}, *both)
    assert [command[1:3] for command in planned["commands"]] == [
        ["-p", "/v/tmp"], ["export TMPDIR=/v/tmp"], ["start", "mta@dev"], ["restart", "mta@prod"],
    ]  # there is no mta@dev in this diagnosis


@pytest.mark.parametrize(
    ("id", "evidence", "declared"),
    [
        ("trackinglogd.shared_memory_stale@default", {}, {"front_url": ""}),
        ("syslogd.port_taken@default", {**NO_SERVICE, "unit": "rsyslog.service"}, {}),
        ("syslogd.port_taken@default", {**NO_SERVICE, "pid": None}, {}),
        ("web.front_down@default", {}, {}),
        ("mta.temporary_device@prod", {"var_dir": "/v", "tmp_dir": "/v/tmp"}, {}),
        ("export.failed@prod#nightly", {}, {"mode": "full"}),
        ("export.failed@prod#nightly", {}, {"jobs": [EXPORT]}),
        ("export.failed@prod#nightly", {}, {"jobs": [EXPORT, EXPORT], "mode": "full"}),
        ("export.failed@prod#nightly", {}, {"jobs": [{"name": "nightly"}, 3], "mode": "full"}),
        (WORKFLOW, {"workflow": "cleanup", "state": 13}, {}),
        ("host.repair_interrupted@default", {}, {}),
    ],
)
def test_what_only_the_host_can_tell_is_not_announced(
    id: str, evidence: Json, declared: Json
) -> None:
    planned = planned_for(declared, finding(id, **evidence))
    assert planned["commands"] is None
    assert planned["command"].startswith("what an operator types")


TAKEN = finding("syslogd.port_taken@default", unit="rsyslog.service", holder="rsyslogd")


@pytest.mark.parametrize(
    ("declared", "asked"),
    [
        ({}, "refused unless campaign_free_port_units names rsyslog.service"),
        ({"free_port_units": ["other"]},
         "refused unless campaign_free_port_units names rsyslog.service"),
        ({"free_port_units": ["rsyslog.service"]}, None),
        ({"free_port_units": ["rsyslogd"]}, None),
    ],
)
def test_a_guard_that_will_refuse_is_told(declared: Json, asked: str | None) -> None:
    assert announce.missing("free_port", Finding.of(TAKEN), declared) == asked
    policies = {"app1": replace(Policy(), declared=declared)}
    made = make_plan(typed(host(TAKEN)), policies, now=NOW, run="r1", collection="1.0.0")
    (planned,) = made.hosts[0].steps
    assert planned.refused_unless == asked


@pytest.mark.parametrize(
    ("declared", "refused"),
    [({}, True), ({"front_service": "apache2"}, False), ({"front_url": ""}, False),
     ({"front_url": "http://front"}, True), ({"front_commands": {"stop": ["x"]}}, False)],
)
def test_the_web_server_in_front_must_be_known(declared: Json, refused: bool) -> None:
    stale = finding("trackinglogd.shared_memory_stale@default")
    assert (announce.missing("rebuild_shared_memory", Finding.of(stale), declared) is not None) is refused
