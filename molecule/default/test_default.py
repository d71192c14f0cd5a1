"""One host with everything on it: a fault for each of the eleven roles, found and repaired.

The faults are broken three sets at a time, those together that do not disturb each other. What is
there before and after is asked of the host itself, never of the collection.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from integration.harness import Run
from integration.site import (
    ACCOUNT,
    HOME,
    RESULTS,
    Machine,
    Process,
    Site,
    changed,
    eventually,
    explained,
    others,
    results,
    roots,
)

MODULES = {"watchdog@default", "syslogd@default", "web@default", "trackinglogd@default",
           "stat@prod", "mta@prod", "inMail@prod", "wfserver@prod"}  # fmt: skip


class Round(NamedTuple):
    """A set of faults: what was found, what was done, and the process tables around it."""

    healthy: dict[str, Process]
    broken: dict[str, Process]
    found: Run
    repaired: Run
    after: dict[str, Process]


@pytest.fixture(scope="module")
def app(site: Site) -> Machine:
    """The host, once its jobs have run for the first time."""
    app = site["app1"]
    assert eventually(lambda: app.has(*RESULTS))
    return app


def repair(site: Site, app: Machine, healthy: dict[str, Process], **variables: Any) -> Round:
    """Find what was broken, and repair it."""
    broken = app.modules()
    found = site.diagnose(**variables)
    repaired = site.remediate(**variables)
    return Round(healthy, broken, found, repaired, app.modules())


def test_a_healthy_host_has_all_modules_and_no_finding(site: Site, app: Machine) -> None:
    assert set(app.modules()) == MODULES
    assert app.holder("udp", 666) == "nlserver"
    assert app.host.service("nlserver").is_running and app.host.service("nlserver").is_enabled
    assert app.http("/r/test")[1].startswith("<redir status='OK'")
    assert app.http("/nl/jsp/logon.jsp")[0] == 200
    done = site.diagnose()
    assert done.code == 0, str(done)
    assert not done.findings("app1"), str(done)


# -- modules that were stopped, hang, or run otherwise than they should ------------------------


@pytest.fixture(scope="module")
def modules(site: Site, app: Machine) -> Round:
    """stat, web and trackinglogd stopped by hand, wfserver halted, inMail verbose, mta's TMPDIR."""
    app.run("install", "-d", "-o", ACCOUNT, "/dev/shm/campaign")
    # Not in customer.sh: what a site has written there itself is left to the site.
    app.shell(f"sed -i '/^export TMPDIR=/d' {HOME}/customer.sh")
    app.shell(f"sed -i '/^if .*customer.sh/i export TMPDIR=/dev/shm/campaign' {HOME}/env.sh")
    app.run("systemctl", "restart", "nlserver")
    assert eventually(lambda: set(app.modules()) == MODULES)
    app.sql("UPDATE prod.xtk_workflow SET labNext = 0 WHERE internalName = 'welcomeMail'")
    assert eventually(lambda: "errno=18" in app.shell(f"tail {HOME}/var/prod/log/mta.log"))
    healthy = app.modules()
    app.run("kill", "-STOP", str(healthy["wfserver@prod"].pid))
    for task in ("stat@prod", "web", "trackinglogd"):
        app.nlserver("stop", task)
    app.nlserver("restart", "inMail@prod", "-verbose")
    return repair(site, app, healthy, campaign_accept_lost_work=True)


def test_what_is_wrong_with_modules_is_found(modules: Round) -> None:
    assert roots(modules.found, "app1") == {
        "stat.not_running@prod", "web.not_running@default", "trackinglogd.not_running@default",
        "wfserver.hung@prod", "inMail.log_precision_raised@prod", "mta.temporary_device@prod",
    }, str(modules.found)  # fmt: skip
    assert explained(modules.found, "app1")["mta.stat_unreachable@prod"] == [
        "stat.not_running@prod"]


def test_each_gets_its_documented_remedy(modules: Round) -> None:
    assert results(modules.repaired, "app1") == {
        "start stat@prod": "repaired",
        "start web@default": "repaired",
        "start trackinglogd@default": "repaired",
        "kill_and_start wfserver@prod": "repaired",
        "restore_log_precision inMail@prod": "repaired",
        "move_tmp mta@prod": "repaired",
    }, str(modules.repaired)


def test_modules_run_again_and_the_others_were_left_alone(app: Machine, modules: Round) -> None:
    assert set(modules.after) == MODULES
    assert not others(modules.healthy, modules.after, {
        "stat@prod", "web@default", "trackinglogd@default", "wfserver@prod", "inMail@prod",
        "mta@prod"})  # fmt: skip
    assert modules.after["wfserver@prod"].state[0] != "T"
    assert "-verbose" in modules.broken["inMail@prod"].arguments
    assert "-verbose" not in modules.after["inMail@prod"].arguments
    assert app.holder("udp", 7777) == "nlserver"
    assert app.http("/nl/jsp/logon.jsp")[0] == 200


def test_the_mta_sends_again_through_its_own_temporary_directory(
    app: Machine, modules: Round
) -> None:
    pid = modules.after["mta@prod"].pid
    assert f"TMPDIR={HOME}/var/tmp" in app.shell(f"tr '\\0' '\\n' < /proc/{pid}/environ")
    before = app.mails("sink")
    assert eventually(lambda: app.mails("sink") > before, 100), "no mail comes out of the relay"


# -- the machine around it ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def machine(site: Site, app: Machine, modules: Round) -> Round:
    """rsyslog takes the port before Campaign starts; Apache is stopped."""
    # For the next round: by then the last consolidation is a minute old.
    app.sql("UPDATE prod.xtk_workflow SET labNext = labNext + 86400"
            " WHERE internalName = 'tracking'")
    healthy = app.modules()
    app.shell("printf 'module(load=\"imudp\")\\ninput(type=\"imudp\" port=\"666\")\\n'"
              " > /etc/rsyslog.d/network.conf")  # fmt: skip
    app.run("systemctl", "stop", "nlserver")
    app.run("systemctl", "enable", "--now", "rsyslog")
    app.run("systemctl", "start", "nlserver")
    app.run("systemctl", "stop", "apache2")
    assert eventually(lambda: app.holder("udp", 666) == "rsyslogd")
    assert eventually(lambda: MODULES - set(app.modules()) == {"syslogd@default"})
    return repair(site, app, healthy, campaign_free_port_units=["rsyslog.service"],
                  campaign_accept_lost_work=True)  # fmt: skip


def test_the_holder_of_the_port_and_the_stopped_front_end_are_found(machine: Round) -> None:
    assert roots(machine.found, "app1") == {
        "syslogd.port_taken@default", "web.front_down@default"}, str(machine.found)
    (taken,) = [finding for finding in machine.found.findings("app1")
                if finding["key"] == "syslogd.port_taken"]
    assert taken["evidence"]["holder"] == "rsyslogd"
    assert taken["evidence"]["unit"] == "rsyslog.service"


def test_the_port_is_freed_and_the_front_end_started(app: Machine, machine: Round) -> None:
    assert results(machine.repaired, "app1") == {
        "free_port syslogd@default": "repaired",
        "start_front_end web@default": "repaired",
    }, str(machine.repaired)
    assert app.holder("udp", 666) == "nlserver"
    assert not app.host.service("rsyslog").is_running
    assert app.host.service("apache2").is_running
    assert app.http("/r/test")[1].startswith("<redir status='OK'")
    assert not others(machine.broken, machine.after, {"syslogd@default"})


def test_log_lines_arrive_again(app: Machine, machine: Round) -> None:
    before = app.log_lines("default", "web")
    app.nlserver("config", "-reload")
    assert eventually(lambda: app.log_lines("default", "web") > before)


# -- watchdog, tracking, jobs ------------------------------------------------------------------


@pytest.fixture(scope="module")
def rest(site: Site, app: Machine, machine: Round) -> Iterator[Round]:
    """The watchdog killed, its unit disabled; no consolidation for a while; jobs not launched."""
    healthy = app.modules()
    app.run("systemctl", "disable", "nlserver")
    app.run("kill", "-KILL", str(healthy["watchdog@default"].pid))
    for path in ("export/contacts_export.csv", "import/contacts_import.done"):
        app.run("touch", "-d", "3 days ago", f"{HOME}/var/prod/{path}")
    # The round before may have taken less than the minute that makes a consolidation late.
    young = f"find {HOME}/var/prod/log/tracking.log -newermt '62 seconds ago'"
    assert eventually(lambda: not app.shell(young), 90)
    yield repair(
        site, app, healthy,
        campaign_thresholds={**app.variables["campaign_thresholds"], "consolidation_minutes": 1},
        campaign_mode="full", campaign_taken_over_by="Berta Lang",
        campaign_no_duplicates_confirmed_by="Berta Lang", campaign_accept_lost_work=True,
    )  # fmt: skip
    app.sql("UPDATE prod.xtk_workflow SET labNext = 0 WHERE internalName = 'tracking'")


def test_watchdog_tracking_and_jobs_are_found(rest: Round) -> None:
    assert roots(rest.found, "app1") == {
        "watchdog.stopped@default", "watchdog.service_not_enabled@default",
        "tracking.consolidation_late@prod", "export.stale@prod#contacts_export",
        "import.stale@prod#contacts_import",
    }, str(rest.found)  # fmt: skip


def test_watchdog_runs_again_by_its_unit_and_adopts_the_modules(app: Machine, rest: Round) -> None:
    done = results(rest.repaired, "app1")
    assert done["start_service watchdog@default"] == "repaired", str(rest.repaired)
    assert done["enable_service watchdog@default"] == "repaired", str(rest.repaired)
    service = app.host.service("nlserver")
    assert service.is_running and service.is_enabled
    main = app.run("systemctl", "show", "--property=MainPID", "--value", "nlserver").strip()
    assert int(main) == rest.after["watchdog@default"].pid
    assert not others(rest.healthy, rest.after, {"watchdog@default"})


def test_tracking_is_consolidated_and_the_jobs_are_launched_again(
    app: Machine, rest: Round
) -> None:
    done = results(rest.repaired, "app1")
    for step in ("consolidate tracking@prod", "relaunch export@prod", "relaunch import@prod"):
        assert done[step] == "repaired", str(rest.repaired)
    young = app.shell(f"find {HOME}/var/prod/export {HOME}/var/prod/import -mmin -5").split()
    assert f"{HOME}/var/prod/export/contacts_export.csv" in young
    assert f"{HOME}/var/prod/import/contacts_import.done" in young
    assert "consolidated" in app.shell(f"tail -n 3 {HOME}/var/prod/log/tracking.log")


# -- in the end --------------------------------------------------------------------------------


def test_a_second_run_changes_nothing(site: Site, app: Machine, rest: Round) -> None:
    before = app.modules()
    again = site.remediate()
    assert not results(again, "app1"), str(again)
    assert changed(again) == 0, str(again)
    assert not roots(again, "app1"), str(again)
    assert not others(before, app.modules(), ())


def test_the_ledger_knows_what_was_done(app: Machine, rest: Round) -> None:
    done = {line["remedy"] for line in app.ledger() if line["event"] == "ended"}
    assert {"start", "kill_and_start", "restore_log_precision", "move_tmp", "free_port",
            "start_front_end", "start_service", "enable_service", "consolidate",
            "relaunch"} <= done  # fmt: skip


def test_the_journal_of_the_host_has_a_line_for_each_change(app: Machine, rest: Round) -> None:
    lines = app.run("journalctl", "--identifier=campaign_remediation", "--output=cat").splitlines()
    ended = [line for line in app.ledger() if line["event"] == "ended" and not line["inside"]]
    assert len(lines) == len(ended)
    for line in ended:
        remedy = line["remedy"] or line["state"] or "change"
        what = f'what="{remedy} {line["module"] or "host"}@{line["instance"]}"'
        assert any(what in told and f"result={line['result']}" in told for told in lines), what
