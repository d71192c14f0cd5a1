"""Three instances on one host: what is done to one never touches the others.

Their processes with start times, and their files, are compared on the host itself.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from integration.harness import Run
from integration.site import HOME, Machine, Site, eventually, explained, results, roots

INSTANCES = ("prod", "prod2", "test")
SHARED = {f"{name}@default" for name in ("watchdog", "syslogd", "web", "trackinglogd")}
OWN = {name: {f"{module}@{name}" for module in ("stat", "mta", "inMail", "wfserver")}
       for name in INSTANCES}  # fmt: skip
ALL = SHARED.union(*OWN.values())
JOBS = ("export/contacts_export.csv", "import/contacts_import.done")
# What a server writes all the time: logs, tracking logs, spool, results of jobs.
MOVING = ("log", "redir", "mta", "export", "import")


class Look(NamedTuple):
    """Pid and start time of each module, and all files of all instances: name, mode, owner,
    time and content. Without what moves by itself."""

    started: dict[str, tuple[int, str]]
    files: str

    def other(self, after: Look) -> set[str]:
        """Tasks that are not the process that they were."""
        return {task for task in {*self.started, *after.started}
                if self.started.get(task) != after.started.get(task)}


def look(app: Machine) -> Look:
    """The host as it is now."""
    lines = app.run("ps", "-eo", "pid=,lstart=").splitlines()
    began = {int(line.split()[0]): line.split(maxsplit=1)[1] for line in lines}
    started = {task: (process.pid, began[process.pid]) for task, process in app.modules().items()}
    moving = " -o ".join(f"-path '*/var/*/{name}'" for name in MOVING)
    moving += " -o -path '*/var/.lab'"  # the lab's own
    found = f"find {HOME}/conf {HOME}/var \\( {moving} \\) -prune -o -type f"
    files = app.shell(
        f"{found} -printf '%p %m %u %T@\\n' | sort;"
        f" {found} -print0 | sort -z | xargs -0 sha256sum")
    return Look(started, files)


class Round(NamedTuple):
    """What was broken, found and done, and the host around it."""

    healthy: Look
    broken: Look
    found: Run
    repaired: Run
    after: Look


@pytest.fixture(scope="module")
def app(site: Site) -> Machine:
    """The host, once the jobs of all instances have run for the first time."""
    app = site["app1"]
    jobs = [f"{HOME}/var/{name}/{path}" for name in INSTANCES for path in JOBS]
    assert eventually(lambda: app.has(*jobs))
    return app


def test_all_instances_run_and_nothing_is_found(site: Site, app: Machine) -> None:
    assert set(app.modules()) == ALL
    done = site.diagnose()
    assert done.code == 0, str(done)
    assert done.findings("app1") == [], str(done)
    assert done.host("app1")["instances"] == list(INSTANCES)


# -- faults of one instance --------------------------------------------------------------------


@pytest.fixture(scope="module")
def second(site: Site, app: Machine) -> Round:
    """In prod2: stat stopped by hand, wfserver halted, inMail verbose."""
    healthy = look(app)
    app.nlserver("stop", "stat@prod2")
    app.nlserver("restart", "inMail@prod2", "-verbose")
    app.run("kill", "-STOP", str(app.modules()["wfserver@prod2"].pid))
    broken = look(app)
    found = site.diagnose()
    repaired = site.remediate(campaign_accept_lost_work=True)
    return Round(healthy, broken, found, repaired, look(app))


def test_only_the_broken_instance_has_findings(second: Round) -> None:
    assert roots(second.found, "app1") == {
        "stat.not_running@prod2", "wfserver.hung@prod2", "inMail.log_precision_raised@prod2",
    }, str(second.found)  # fmt: skip
    assert {finding["instance"] for finding in second.found.findings("app1")} == {"prod2"}
    # Where the mta had something to send just then, its log errors are explained, too.
    assert explained(second.found, "app1")["mta.stat_unreachable@prod2"] == [
        "stat.not_running@prod2"], str(second.found)
    verdicts = {(m["instance"], m["module"]): m["verdict"]
                for m in second.found.host("app1")["modules"]}
    assert {verdicts[name, "mta"] for name in ("prod", "test")} == {"healthy"}
    assert verdicts["prod2", "mta"] != "healthy", str(second.found)


def test_the_remedies_touch_nothing_but_the_broken_modules(second: Round) -> None:
    assert results(second.repaired, "app1") == {
        "start stat@prod2": "repaired",
        "kill_and_start wfserver@prod2": "repaired",
        "restore_log_precision inMail@prod2": "repaired",
    }, str(second.repaired)
    assert set(second.after.started) == ALL
    assert second.broken.other(second.after) == {
        "stat@prod2", "wfserver@prod2", "inMail@prod2"}
    assert second.healthy.other(second.after) == {
        "stat@prod2", "wfserver@prod2", "inMail@prod2"}
    assert second.after.files == second.healthy.files


def test_the_ledger_names_the_broken_instance_alone(app: Machine, second: Round) -> None:
    done = [line for line in app.ledger() if line["event"] == "ended"]
    assert {line["instance"] for line in done} == {"prod2"}, done
    assert all(line["result"] == "done" for line in done)


def test_a_second_run_changes_nothing(site: Site, app: Machine, second: Round) -> None:
    again = site.remediate()
    assert results(again, "app1") == {}, str(again)
    assert look(app) == second.after


# -- a person's orders for one instance --------------------------------------------------------


def order(site: Site, app: Machine, playbook: str, **variables: Any) -> tuple[Run, set[str]]:
    """Run a targeted playbook; with the tasks that are another process afterwards."""
    before = look(app)
    done = site.run(playbook, campaign_accept_lost_work=True, **variables)
    after = look(app)
    assert after.files == before.files
    return done, before.other(after)


def test_an_order_that_names_no_instance_is_refused(
    site: Site, app: Machine, second: Round
) -> None:
    done, renewed = order(site, app, "restart_wfserver")
    assert done.code != 0 and renewed == set(), str(done)
    assert "campaign_instance" in done.output
    for name in INSTANCES:
        assert name in done.output


def test_an_order_for_one_instance_restarts_that_one(
    site: Site, app: Machine, second: Round
) -> None:
    done, renewed = order(site, app, "restart_wfserver", campaign_instance="test")
    assert done.code == 0 and renewed == {"wfserver@test"}, str(done)


def test_the_restart_budget_is_that_of_the_instance(
    site: Site, app: Machine, second: Round
) -> None:
    """wfserver@test has had its one restart, by the order before; wfserver@prod has not."""
    once = {"campaign_restart_budget": 1}
    spent, renewed = order(site, app, "restart_wfserver", campaign_instance="test", **once)
    assert spent.code == 2 and renewed == set(), str(spent)
    assert "accept_restart_loop" in spent.output
    done, renewed = order(site, app, "restart_wfserver", campaign_instance="prod", **once)
    assert done.code == 0 and renewed == {"wfserver@prod"}, str(done)


def test_log_precision_is_raised_in_one_instance_and_restored_there(
    site: Site, app: Machine, second: Round
) -> None:
    done, renewed = order(site, app, "raise_log_precision", campaign_module="mta",
                          campaign_instance="prod2")
    assert done.code == 0 and renewed == {"mta@prod2"}, str(done)
    verbose = {task for task, process in app.modules().items()
               if "-verbose" in process.arguments}
    assert verbose == {"mta@prod2"}
    done, renewed = order(site, app, "restore_log_precision")
    assert done.code == 0 and renewed == {"mta@prod2"}, str(done)
    assert set(app.modules()) == ALL
    assert not [p for p in app.modules().values() if "-verbose" in p.arguments]
