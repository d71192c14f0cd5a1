"""The documented topology: what crosses from host to host, and hosts that do not answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from integration.harness import Run
from integration.site import HOME, Process, Site, eventually, explained, others, results, roots

CAMPAIGN = ("app1", "mta1", "mta2", "stat1", "t1", "t2")
EXPECTED = {
    "app1": {"web@default", "wfserver@prod", "inMail@prod"},
    "mta1": {"mta@prod"},
    "mta2": {"mta@prod"},
    "stat1": {"stat@prod"},
    "t1": {"web@default", "trackinglogd@default"},
    "t2": {"web@default", "trackinglogd@default"},
}
ALWAYS = {"watchdog@default", "syslogd@default"}
DATABASE = "host.database_unreachable@prod"


class Round(NamedTuple):
    """What was found and done, and the process tables around it."""

    before: dict[str, dict[str, Process]]
    found: Run
    repaired: Run
    after: dict[str, dict[str, Process]]


def tables(site: Site, *but: str) -> dict[str, dict[str, Process]]:
    """The Campaign processes of all hosts."""
    return {name: site[name].modules() for name in CAMPAIGN if name not in but}


def test_each_host_runs_its_part(site: Site) -> None:
    for name, modules in tables(site).items():
        assert set(modules) == EXPECTED[name] | ALWAYS, name
    assert site["db1"].holder("tcp", 5432) == "postgres"
    for name in ("t1", "t2"):
        assert f"localHost='{name}'" in site[name].http("/r/test")[1]
    assert site["app1"].http("/nl/jsp/logon.jsp")[0] == 200


def test_mail_goes_out_over_the_mail_host_and_bounces_come_back(site: Site) -> None:
    site["db1"].sql("UPDATE prod.xtk_workflow SET labNext = 0 WHERE internalName = 'welcomeMail'")
    site["mail1"].send("prod@bounces.lab", "ghost@bounce.example", "Subject: News\r\n\r\nNews.")
    assert eventually(lambda: site["mail1"].mails("sink") > 0, 100), "no mail comes out"
    assert eventually(lambda: "ghost@bounce.example" in site["db1"].sql(
        "SELECT address FROM prod.nms_broadLogMsg")), "inMail did not fetch the bounce"


# -- a host's fault shows on others ------------------------------------------------------------


@pytest.fixture(scope="module")
def down(site: Site) -> Round:
    """Campaign is stopped on the statistics host, Apache on a tracking host."""
    before = tables(site)
    site["stat1"].run("systemctl", "stop", "nlserver")
    site["t2"].run("systemctl", "stop", "apache2")
    return Round(before, site.diagnose(), site.remediate(), tables(site))


def untouched(done: Round, name: str) -> bool:
    """The same processes as before."""
    before, after = done.before[name], done.after[name]
    return set(before) == set(after) and not others(before, after, ())


def planned(run: Run, name: str) -> list[str]:
    """The remedies of a host's plan."""
    return [step["remedy"] for step in run.host(name)["plan"]]


def test_the_statistics_host_explains_the_delivery_hosts(site: Site, down: Round) -> None:
    assert roots(down.found, "stat1") == {"watchdog.nothing_runs@default"}
    assert explained(down.found, "stat1")["stat.not_running@prod"] == [
        "watchdog.nothing_runs@default"]
    for name in ("mta1", "mta2"):
        assert not roots(down.found, name), str(down.found)
        assert explained(down.found, name)["mta.stat_unreachable@prod"] == [
            "stat1:stat.not_running@prod"]
    assert results(down.repaired, "stat1") == {"start_service watchdog@default": "repaired"}, str(
        down.repaired)
    for name in ("mta1", "mta2"):
        assert not results(down.repaired, name), str(down.repaired)
        assert untouched(down, name)
    assert set(down.after["stat1"]) == EXPECTED["stat1"] | ALWAYS
    assert site["stat1"].holder("udp", 7777) == "nlserver"


def test_the_stopped_front_end_is_started_where_it_is(site: Site, down: Round) -> None:
    assert roots(down.found, "t2") == {"web.front_down@default"}
    assert not roots(down.found, "app1"), str(down.found)
    assert ["t2:web.front_down@default"] in explained(down.found, "app1").values()
    assert results(down.repaired, "t2") == {"start_front_end web@default": "repaired"}, str(
        down.repaired)
    assert "localHost='t2'" in site["t2"].http("/r/test")[1]
    for name in ("app1", "t1"):
        assert not results(down.repaired, name), str(down.repaired)
        assert untouched(down, name)


# -- the database is down ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def database(site: Site, down: Round) -> Iterator[Round]:
    """PostgreSQL is stopped."""
    before = tables(site)
    site["db1"].run("systemctl", "stop", "postgresql@15-main")
    logs = {"app1": "wfserver", "mta1": "mta", "mta2": "mta"}
    assert eventually(lambda: all(
        "iRc=-2006" in site[name].shell(f"tail -n 5 {HOME}/var/prod/log/{log}.log")
        for name, log in logs.items()))
    found = site.remediate()  # nothing is repaired: what it reports is what it found
    yield Round(before, found, found, tables(site))
    site["db1"].run("systemctl", "start", "postgresql@15-main")


def test_the_database_is_the_root_on_every_host(database: Round) -> None:
    for name in CAMPAIGN:
        assert roots(database.found, name) == {DATABASE}, f"{name}\n{database.found}"
    for name in ("app1", "mta1", "mta2"):
        # Directly, or by another finding: the API reports it, too.
        found = explained(database.found, name)
        assert {cause for causes in found.values() for cause in causes} <= {DATABASE, *found}, (
            str(database.found))  # fmt: skip


def test_nothing_is_restarted_for_the_database(database: Round) -> None:
    for name in CAMPAIGN:
        assert not planned(database.found, name), str(database.found)
        assert untouched(database, name)


# -- hosts that do not answer ------------------------------------------------------------------


class Silent(NamedTuple):
    """A run beside a host that hangs and one that is cut off."""

    found: Run
    repaired: Run


@pytest.fixture(scope="module")
def silent(site: Site, database: Round) -> Iterator[Silent]:
    """mta2 hangs, stat1 is off the network, and wfserver was stopped on app1."""
    site["app1"].nlserver("stop", "wfserver@prod")
    site.pause("mta2")
    site.cut_off("stat1")
    try:
        yield Silent(site.diagnose(campaign_task_timeout=20),
                     site.remediate(campaign_task_timeout=20))  # fmt: skip
    finally:
        site.resume("mta2")
        site.connect("stat1")


def test_hosts_that_do_not_answer_are_said_to(silent: Silent) -> None:
    for run in silent:
        for name in ("mta2", "stat1"):
            assert run.host(name)["reachable"] is False, str(run)
        assert run.report["summary"]["unreachable"] == 2


def test_they_do_not_spoil_the_others(site: Site, silent: Silent) -> None:
    assert results(silent.repaired, "app1") == {"start wfserver@prod": "repaired"}, str(
        silent.repaired)
    assert site["app1"].runs("wfserver@prod")
    for name in ("mta1", "t1", "t2"):
        assert not results(silent.repaired, name)


def test_they_do_not_delay_the_others(silent: Silent) -> None:
    assert silent.found.seconds < 60, str(silent.found)
