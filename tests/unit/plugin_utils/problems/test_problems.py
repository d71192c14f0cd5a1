"""Every problem of the catalogue: a server on which it holds, and one on which it does not."""

from __future__ import annotations

import pytest
from unit.plugin_utils.builder import (
    NOW,
    ago,
    diagnosed,
    file,
    findings,
    healthy,
    keys,
    kill,
    process,
    remembers,
    restarts,
    roots,
    verdicts,
)
from unit.plugin_utils.problems.cases import Change
from unit.plugin_utils.problems.servers import HOLDS, NAMES, NEAR
from unit.plugin_utils.problems.test_every_module import _raised
from unit.plugin_utils.problems.test_host import BESIDE, _begun

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import RELOADS
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.catalogue import (
    CATALOGUE,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.model import (
    Problem,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning import ladder


@pytest.mark.parametrize(
    ("finding", "root", "change"), HOLDS, ids=NAMES
)
def test_it_holds(finding: str, root: bool | None, change: Change) -> None:
    server = healthy()
    change(server)
    assert finding in findings(server)
    if root:
        assert [id for id in roots(server) if id == finding or id not in BESIDE] == [finding]
    else:
        assert (finding in roots(server)) is (root is None)


@pytest.mark.parametrize(
    ("key", "change"), NEAR, ids=[f"{key}-{change.__name__}" for key, change in NEAR]
)
def test_it_does_not_hold(key: str, change: Change) -> None:
    server = healthy()
    change(server)
    assert key not in keys(server)


def test_every_problem_has_a_server_on_which_it_holds() -> None:
    tested = {finding.split("@")[0] for finding, _, _ in HOLDS}
    # This one is found where hosts are looked at together: test_causes.py.
    assert tested == {problem.key for problem in CATALOGUE} - {"host.does_not_answer"}


@pytest.mark.parametrize("instances", [(), ("prod", "prod2"), tuple(f"i{n}" for n in range(8))])
def test_a_healthy_server_has_no_finding(instances: tuple[str, ...]) -> None:
    server = healthy(*instances)
    assert diagnosed(server)["findings"] == []
    assert set(verdicts(server).values()) == {"healthy"}


# --- what the ledger adds ---------------------------------------------------------------------


def test_the_whole_of_campaign_is_not_restarted_for_a_log_precision() -> None:
    server = healthy()
    process(server, "watchdog")["precision"] = "verbose"
    left = findings(server)["watchdog.log_precision_raised@default"]
    assert left["remedy"] is None and "full restart of Campaign" in left["reason"]


def test_a_precision_that_is_left_on_tells_its_end() -> None:
    server = healthy()
    process(server, "wfserver")["precision"] = "verbose"
    left = findings(server)["wfserver.log_precision_raised@prod"]
    assert (left["remedy"], left["evidence"]["until"]) == ("restore_log_precision", None)
    _raised(server, "wfserver", ago(minutes=1))
    left = findings(server)["wfserver.log_precision_raised@prod"]
    assert (left["remedy"], left["evidence"]["until"]) == ("restore_log_precision", NOW - 60)
    assert "2025-11-18 11:59:00 UTC" in left["summary"]


@pytest.mark.parametrize(
    ("until", "said"), [(NOW + 600, "until 2025-11-18 12:10:00 UTC"), (None, "no end time was set")]
)
def test_a_precision_that_is_wanted_has_no_remedy(until: float | None, said: str) -> None:
    server = healthy()
    process(server, "wfserver")["precision"] = "verbose"
    _raised(server, "wfserver", until)
    wanted = findings(server)["wfserver.log_precision_wanted@prod"]
    assert (wanted["severity"], wanted["remedy"]) == ("info", None)
    assert wanted["evidence"]["until"] == until
    assert said in wanted["summary"]
    assert "anna" in wanted["summary"]
    assert set(verdicts(server).values()) == {"healthy"}


def test_another_precision_than_the_wanted_one_is_left_on() -> None:
    server = healthy()
    process(server, "wfserver")["precision"] = "trace"
    _raised(server, "wfserver", NOW + 600)
    assert keys(server) == ["wfserver.log_precision_raised"]


def test_a_remedy_excuses_one_new_process_and_no_more() -> None:
    server = healthy()
    restarts(server, "wfserver", *[ago(seconds=s) for s in (100, 80, 60, 40, 20)])
    remembers(server, "restarts", "wfserver", times=[ago(seconds=101)])
    found = findings(server)["wfserver.crash_loop@prod"]
    assert found["evidence"]["restarts"] == 4


def test_an_interrupted_repair_tells_who_when_and_what_is_now() -> None:
    server = healthy()
    _begun(server)
    kill(server, "wfserver")
    found = findings(server)["host.repair_interrupted@prod#wfserver:restart"]
    assert found["summary"] == (
        "restart of wfserver@prod, started by anna at 2025-11-18 11:30:00 UTC, never finished;"
        " wfserver@prod is stopped now."
    )
    assert found["remedy"] == "finish_repair"
    assert "wfserver.not_running@prod" in roots(server)


def test_a_changed_instance_s_file_is_reloaded_and_its_modules_restarted() -> None:
    server = healthy("prod", "prod2")
    file(server, "config-prod2.xml")["mtime_at"] = ago(minutes=10)
    found = findings(server)
    assert {id: found[id]["remedy"] for id in roots(server)} == {
        "host.configuration_changed@prod2#config-prod2.xml": "reload",
        **{f"{m}.configuration_stale@prod2": "restart"
           for m in ("stat", "mta", "inMail", "wfserver")},
    }


def test_nothing_is_loaded_from_a_damaged_configuration() -> None:
    server = healthy()
    file(server, "config-prod.xml")["mtime_at"] = ago(minutes=10)
    file(server, "serverConf.xml")["error"] = {"line": 3, "message": "mismatched tag"}
    assert roots(server) == ["host.configuration_unreadable@default#serverConf.xml"]


@pytest.mark.parametrize("problem", CATALOGUE, ids=lambda problem: problem.key)
def test_a_reload_is_asked_only_of_what_can_reload(problem: Problem) -> None:
    if "reload" in ladder.rungs(problem.key, problem.remedy or ""):
        # the machine's reload is the watchdog's
        assert ladder.ROLES[problem.module] in RELOADS
        command = RELOADS[ladder.ROLES[problem.module]]
        assert f"nlserver {command} -reload" in problem.fix.steps[0][1]


def test_a_dead_watchdog_explains_that_nothing_was_loaded() -> None:
    server = healthy()
    kill(server, "watchdog")
    file(server, "serverConf.xml")["mtime_at"] = ago(minutes=10)
    assert [id for id in roots(server) if id not in BESIDE] == ["watchdog.stopped@default"]
