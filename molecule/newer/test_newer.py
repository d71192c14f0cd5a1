"""A build of today: syslogd on 6666, a unit; log precision with its end, evidence, budgets."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from campaign_lab.layout import LAB_PASSWORD
from integration.harness import Run
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
STATE = "/var/lib/campaign_remediation/usr-local-neolane-nl6"
RAISED_SECONDS = 60


@pytest.fixture(scope="module")
def app(site: Site) -> Machine:
    """The host, once its jobs have run for the first time."""
    app = site["app1"]
    assert eventually(lambda: app.has(*RESULTS))
    return app


# -- the port ------------------------------------------------------------------------------------


def test_it_is_a_newer_build(app: Machine) -> None:
    assert set(app.modules()) == MODULES
    assert (app.holder("udp", 6666), app.holder("udp", 666)) == ("nlserver", "")
    assert "6666" not in app.run("cat", f"{HOME}/conf/serverConf.xml")
    assert app.host.service("nlserver").is_running and app.host.service("nlserver").is_enabled
    assert "build='9390'" in app.http("/r/test")[1]


def test_an_undeclared_port_is_found(site: Site) -> None:
    """666 and 6666 are both defaults: neither is worth a word."""
    done = site.diagnose(campaign_syslogd_port=0)
    assert done.code == 0, str(done)
    assert done.findings("app1") == [], str(done)


def test_a_line_reaches_its_file_over_that_port(site: Site, app: Machine) -> None:
    done = site.run("check_syslogd")
    assert done.code == 0, str(done)
    assert done.findings("app1") == [], str(done)


# -- log precision, its end, and the evidence ----------------------------------------------------


class Traced(NamedTuple):
    """inMail with trace filters, for a while."""

    before: dict[str, Process]
    done: Run
    after: dict[str, Process]
    until: float


@pytest.fixture(scope="module")
def traced(site: Site, app: Machine) -> Traced:
    """raise_log_precision.yml, as a person on call would use it."""
    before = app.modules()
    done = site.run(
        "raise_log_precision", campaign_module="inMail", campaign_log_precision="trace",
        campaign_trace_filters=["pop3", "network"], campaign_precision_for=f"{RAISED_SECONDS}s",
        campaign_accept_lost_work=True,
    )  # fmt: skip
    (raised,) = (line["precision"] for line in app.ledger()
                 if line["event"] == "ended" and line.get("precision"))
    return Traced(before, done, app.modules(), raised["until"])


def test_the_module_runs_with_the_filters_and_writes_a_trace_file(
    app: Machine, traced: Traced
) -> None:
    assert traced.done.code == 0, str(traced.done)
    assert not others(traced.before, traced.after, {"inMail@prod"})
    words = traced.after["inMail@prod"].arguments.split()
    assert words == ["nlserver", "inMail", "-instance:prod", "-verbose",
                     "-tracefilter:network,pop3", "-tracefile:inMail_debug@prod"]  # fmt: skip
    trace = f"{HOME}/var/prod/log/inMail_debug.log"
    assert eventually(lambda: "\tpop3\t" in app.run("cat", trace))


def test_evidence_was_saved_before_and_brought_home(app: Machine, traced: Traced) -> None:
    (there,) = app.run("sh", "-c", f"ls -d {STATE}/evidence/*inMail@prod").split()
    (here,) = (traced.done.report_dir / "evidence" / "app1").iterdir()
    assert here.name == Path(there).name
    names = {path.name for path in here.iterdir()}
    assert names == set(app.run("ls", there).split())
    assert {"log-inMail@prod.txt", "processes.json", "about.json"} <= names, names
    assert app.host.run(f"grep -rq {LAB_PASSWORD} {STATE}").rc == 1  # here the harness looks


def test_until_its_end_it_is_left_so_and_then_restored(
    site: Site, app: Machine, traced: Traced
) -> None:
    wanted = traced.done.findings("app1")
    assert "inMail.log_precision_wanted" in {finding["key"] for finding in wanted}
    assert not [f for f in wanted if f["key"] == "inMail.log_precision_raised"]

    left = traced.until - float(app.run("date", "+%s.%N"))
    time.sleep(max(0.0, left) + 1)  # the end of a time cannot be waited for otherwise
    before = app.modules()
    assert before["inMail@prod"].pid == traced.after["inMail@prod"].pid
    done = site.remediate(campaign_accept_lost_work=True)
    after = app.modules()
    assert results(done, "app1") == {"restore_log_precision inMail@prod": "repaired"}, str(done)
    assert not others(before, after, {"inMail@prod"})
    assert "-trace" not in after["inMail@prod"].arguments.replace("-tracefile:inMail@", "")
    assert "-detach" in after["inMail@prod"].arguments  # the watchdog's again


# -- budgets -------------------------------------------------------------------------------------


class Spent(NamedTuple):
    """Two runs at a module that no restart helps."""

    first: Run
    between: dict[str, Process]
    second: Run
    after: dict[str, Process]


@pytest.fixture(scope="module")
def spent(site: Site, app: Machine, traced: Traced) -> Spent:
    """mta's children die at once, whatever is done; two restarts an hour are allowed."""
    app.labctl("break", "mta_children_missing")
    policy: dict[str, Any] = {"campaign_restart_budget": 2, "campaign_gone_within": 5,
                              "campaign_accept_lost_work": True}  # fmt: skip
    found: list[Run] = []

    def missing() -> bool:
        found[:] = [site.diagnose()]
        return "mta.no_children@prod" in roots(found[0], "app1")

    assert eventually(missing, 120), str(found[0])
    first = site.remediate(**policy)
    between = app.modules()
    second = site.remediate(**policy)
    return Spent(first, between, second, app.modules())


def test_the_ladder_is_climbed_without_success(spent: Spent) -> None:
    tried = [(action["rung"], action["result"]) for action in spent.first.host("app1")["actions"]
             if action["module"] == "mta"]  # fmt: skip
    assert tried == [("restart", "not_repaired"), ("kill_and_start", "not_repaired")], \
        str(spent.first)
    assert "NOT REPAIRED" in spent.first.output


def test_a_spent_budget_stops_it_and_leaves_the_module_alone(app: Machine, spent: Spent) -> None:
    refused = [action for action in spent.second.host("app1")["actions"]
               if action["module"] == "mta"]  # fmt: skip
    assert [(a["result"], a["guard"]) for a in refused] == [("refused", "budget")], \
        str(spent.second)
    assert "accept_restart_loop" in refused[0]["reason"]
    assert spent.after["mta@prod"].pid == spent.between["mta@prod"].pid
    assert not others(spent.between, spent.after, set())
    text = json.dumps([line for line in app.ledger() if line["event"] == "refused"])
    assert "budget" in text
