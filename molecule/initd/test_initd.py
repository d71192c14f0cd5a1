"""Older builds: an init script and no unit, syslogd on 666, other forms of logs and of pdump.

On app1 the operator may become the Campaign account and nothing else; on app2 root.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import pytest
import yaml

from integration.harness import CHECKOUT, Run
from integration.site import (
    HOME,
    RESULTS,
    Machine,
    Process,
    Site,
    eventually,
    others,
    results,
    roots,
)

MODULES = {"watchdog@default", "syslogd@default", "web@default", "trackinglogd@default",
           "stat@prod", "mta@prod", "inMail@prod", "wfserver@prod"}  # fmt: skip
SCRIPT = "/etc/init.d/nlserver6"
OLD_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z [0-9A-F]{8} [123] "
                      r"(info|warning|error) \w+ .*$")  # fmt: skip
RULES = yaml.safe_load((CHECKOUT / "molecule/initd/hosts.yml").read_text())["app1"]["sudoers"]


@pytest.fixture(scope="module")
def apps(site: Site) -> dict[str, Machine]:
    """Both hosts, once their jobs have run for the first time."""
    apps = {"app1": site.inside("app1"), "app2": site["app2"]}
    assert eventually(lambda: all(app.has(*RESULTS) for app in apps.values()))
    return apps


# -- what an older build is ----------------------------------------------------------------------


def test_it_is_an_older_build(apps: dict[str, Machine]) -> None:
    for app in apps.values():
        assert set(app.modules()) == MODULES
        assert app.holder("udp", 666) == "nlserver"
        assert app.host.run("systemctl cat nlserver.service").rc != 0
        assert app.host.run(f"{SCRIPT} status").rc == 0
        log = app.run("cat", f"{HOME}/var/prod/log/wfserver.log").splitlines()
        assert log and all(OLD_LINE.match(line) for line in log), log
        header, *tasks = app.nlserver("pdump").splitlines()
        assert "(6.1.1 build 8700)" in header
        assert all(line.endswith(" Mo") for line in tasks), tasks
        assert "sha1=" not in app.http("/r/test")[1]


def test_nothing_is_found_on_healthy_hosts(site: Site, apps: dict[str, Machine]) -> None:
    done = site.diagnose()
    assert done.code == 0, str(done)
    for name in apps:
        assert done.findings(name) == [], str(done)
        assert done.host(name)["build"] == "6.1.1 build 8700"


def test_the_operator_has_the_rights_that_the_documentation_lists(
    apps: dict[str, Machine]
) -> None:
    readme = (CHECKOUT / "README.md").read_text()
    app = apps["app1"]
    for account in ("operator", "neolane"):
        (rule,) = (rule for rule in RULES if rule.startswith(account))
        assert rule in readme
        listed = app.run("sudo", "-l", "-U", account).partition("following commands on app1:")[2]
        assert " ".join(listed.split()) == rule.partition("=")[2], listed
    assert app.host.run("runuser -u operator -- sudo -n true").rc != 0


# -- with these rights ---------------------------------------------------------------------------


class Round(NamedTuple):
    """What was found and done, and the process tables of both hosts around it."""

    before: dict[str, dict[str, Process]]
    found: Run
    repaired: Run
    after: dict[str, dict[str, Process]]


def modules(apps: dict[str, Machine]) -> dict[str, dict[str, Process]]:
    return {name: app.modules() for name, app in apps.items()}


def repair(site: Site, apps: dict[str, Machine]) -> Round:
    before = modules(apps)
    found = site.diagnose()
    repaired = site.remediate(campaign_accept_lost_work=True)
    return Round(before, found, repaired, modules(apps))


@pytest.fixture(scope="module")
def first(site: Site, apps: dict[str, Machine]) -> Round:
    """app1: stat stopped, wfserver halted, Apache stopped. app2: all stopped by the script."""
    app1, app2 = apps.values()
    app1.nlserver("stop", "stat@prod")
    app1.run("kill", "-STOP", str(app1.modules()["wfserver@prod"].pid))
    app1.run("systemctl", "stop", "apache2")
    app2.run(SCRIPT, "stop")
    assert app2.host.run(f"{SCRIPT} status").rc == 2
    return repair(site, apps)


def test_the_account_alone_sees_the_causes(first: Round) -> None:
    assert {id for id in roots(first.found, "app1") if not id.startswith("mta.errors")} == {
        "stat.not_running@prod", "wfserver.hung@prod", "web.front_down@default",
    }, str(first.found)  # fmt: skip


def test_the_account_alone_repairs_and_may_start_the_front_end(
    apps: dict[str, Machine], first: Round
) -> None:
    assert results(first.repaired, "app1") == {
        "start stat@prod": "repaired",
        "kill_and_start wfserver@prod": "repaired",
        "start_front_end web@default": "repaired",
    }, str(first.repaired)
    assert set(first.after["app1"]) == MODULES
    assert not others(first.before["app1"], first.after["app1"], {"wfserver@prod"})
    assert apps["app1"].http("/r/test")[0] == 200
    owners = apps["app1"].run("find", "/usr/local/neolane/remediation", "-printf", "%u\\n")
    assert set(owners.split()) == {"neolane"}


def test_root_starts_everything_by_the_init_script(
    apps: dict[str, Machine], first: Round
) -> None:
    (finding,) = (f for f in first.found.findings("app2") if f["id"].startswith("watchdog."))
    assert finding["key"] == "watchdog.nothing_runs"
    assert f"{SCRIPT} start" in finding["fix"]
    (action,) = first.repaired.host("app2")["actions"]
    assert (action["rung"], action["result"]) == ("start_service", "repaired")
    assert action["command"] == [[SCRIPT, "start"]]
    assert set(first.after["app2"]) == MODULES
    assert apps["app2"].host.run(f"{SCRIPT} status").rc == 0


@pytest.fixture(scope="module")
def second(site: Site, apps: dict[str, Machine], first: Round) -> Round:
    """app1: everything stopped. app2: wfserver dies again and again."""
    app1, app2 = apps.values()
    app2.labctl("break", "module_crash_loop:wfserver")
    app1.nlserver("shutdown")
    assert eventually(lambda: not app1.modules())
    log = f"{HOME}/var/prod/log/wfserver.log"
    already = app2.log_lines("prod", "wfserver")
    assert eventually(
        lambda: app2.shell(f"tail -n +{already} {log} | grep -c ' start (pid='", check=False)
        > "3", 90), "wfserver does not die"  # fmt: skip
    return repair(site, apps)


def test_the_account_alone_starts_everything(second: Round) -> None:
    assert roots(second.found, "app1") == {"watchdog.nothing_runs@default"}, str(second.found)
    (action,) = second.repaired.host("app1")["actions"]
    assert (action["rung"], action["result"]) == ("start_service", "repaired")
    assert action["command"] == [[f"{HOME}/bin/nlserver", "watchdog", "-svc", "-noconsole"]]
    assert set(second.after["app1"]) == MODULES
    assert {process.user for process in second.after["app1"].values()} == {"neolane"}


def test_a_crash_loop_is_seen_in_lines_that_name_no_process(second: Round) -> None:
    crashing = [f for f in second.found.findings("app2") if f["key"] == "wfserver.crash_loop"]
    assert crashing and crashing[0]["automatic"] is False, str(second.found)
    assert not crashing[0]["caused_by"]
    assert results(second.repaired, "app2") == {}, str(second.repaired)
    assert not others(second.before["app2"], second.after["app2"], {"wfserver@prod"})
