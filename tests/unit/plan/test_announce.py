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
    found = host(watchdog=STOPPED, web={"state": "hung"}, starts_by=None)
    commands = announce.commands("restart_service", "watchdog", "default", *typed(found)) or ()
    assert (NL, "stop", "web", "-immediate") in commands
    assert (NL, "stop", "mta@prod") in commands
    assert commands[-1] == (NL, "watchdog", "-svc", "-noconsole")


@pytest.mark.parametrize("remedy", [n for n, known in ladder.REMEDIES.items() if known.cuts_off])
def test_the_loss_of_the_watchdog_is_the_loss_of_all(remedy: str) -> None:
    assert ladder.cancels(remedy, "watchdog") == ladder.ALL_WORK


def test_what_only_the_host_can_tell_is_not_announced() -> None:
    planned = step("trackinglogd.shared_memory_stale@default")
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
