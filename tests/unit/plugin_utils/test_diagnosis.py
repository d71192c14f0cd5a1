"""The diagnosis as a whole: pure, complete, and unshaken by whatever a snapshot lacks."""

from __future__ import annotations

import json
import random
import re
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from unit.plugin_utils.builder import (
    Snapshot,
    configured,
    data,
    diagnosed,
    fail,
    findings,
    healthy,
    keys,
    kill,
    kill_all,
    log,
    mount,
    verdicts,
)
from unit.plugin_utils.problems.cases import Change
from unit.plugin_utils.problems.servers import HOLDS

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import (
    MODULES,
    PROBES,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis import (
    causes,
    sources,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.catalogue import (
    CATALOGUE,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.diagnose import (
    DEPTHS,
    diagnose,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.knowledge import (
    MEANINGS,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.snapshot.server import (
    InvalidSnapshot,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.snapshot.thresholds import (
    InvalidThreshold,
    Thresholds,
)

# --- the catalogue ----------------------------------------------------------------------------


def test_keys_are_unique_and_well_formed() -> None:
    names = [problem.key for problem in CATALOGUE]
    assert len(set(names)) == len(names)
    for name in names:
        module, _, rest = name.partition(".")
        assert module in ("host", *MODULES)
        assert re.fullmatch(r"[a-z][a-z_]*[a-z]", rest)


@pytest.mark.parametrize("problem", CATALOGUE, ids=lambda problem: problem.key)
def test_an_entry_is_complete(problem: Any) -> None:
    assert (problem.remedy is None) != (problem.reason is None)
    assert problem.title and problem.summary.endswith((".", "}"))
    assert problem.source in sources.SOURCES
    assert problem.fix.steps
    assert set(problem.causes) <= set(DEPTHS)
    assert set(problem.needs) <= {*PROBES, "tasks"}
    assert problem.remedy is None or re.fullmatch(r"[a-z_]+", problem.remedy)


def test_each_key_is_entered_once() -> None:
    keys = [problem.key for problem in CATALOGUE]
    assert len(set(keys)) == len(keys)


def test_the_causes_have_no_cycle() -> None:
    assert causes.depths(CATALOGUE) == DEPTHS


def test_every_source_is_used_and_every_row_of_errors_is_known() -> None:
    used = {problem.source for problem in CATALOGUE} | {
        source for row in MEANINGS for source in row.sources if source in sources.SOURCES
    }
    assert used == set(sources.SOURCES)
    assert {row.problem for row in MEANINGS if row.problem} <= set(DEPTHS)
    codes = [row.code for row in MEANINGS]
    assert len(set(codes)) == len(codes)


# --- properties -------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [change for _, _, change in HOLDS])
def test_the_same_snapshot_gives_the_same_diagnosis_and_stays_as_it_was(change: Change) -> None:
    server = healthy("prod", "prod2")
    change(server)
    before = deepcopy(server)
    first = json.dumps(diagnosed(server))
    assert server == before
    assert json.dumps(diagnosed(server)) == first
    random.Random(1).shuffle(data(server, "processes")["modules"])
    random.Random(2).shuffle(data(server, "configuration")["modules"])
    assert json.dumps(diagnosed(server)) == first


@pytest.mark.parametrize("change", [change for _, _, change in HOLDS])
def test_causes_are_findings_and_lead_to_a_root(change: Change) -> None:
    server = healthy("prod", "prod2")
    kill(server, "inMail", "prod2")
    change(server)
    held = findings(server)
    for start in held:
        seen, todo = set(), [start]
        while todo:
            at = todo.pop()
            seen.add(at)
            todo += held[at]["caused_by_ids"]
        assert start not in {c for id in seen for c in held[id]["caused_by_ids"]}
        assert any(not held[id]["caused_by"] for id in seen)


@pytest.mark.parametrize("change", [change for _, _, change in HOLDS])
def test_words_are_filled_in_and_evidence_is_small_and_flat(change: Change) -> None:
    server = healthy()
    change(server)
    for finding in findings(server).values():
        for text in (finding["summary"], finding["fix"], finding["reason"] or ""):
            assert not re.search(r"\{[a-z_]+[:}]", text)
        assert finding["fix"] and "\n" not in finding["fix"]
        assert finding["source"].startswith("https://experienceleague.adobe.com/docs/")
        assert len(json.dumps(finding["evidence"])) < 2000
        for value in finding["evidence"].values():
            assert value is None or isinstance(value, (str, int, float, bool))


WEIRD: Any = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.floats(), st.text(max_size=5),
    st.just([]), st.just({}), st.lists(st.integers(), max_size=2),
)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else (
        enumerate(value) if isinstance(value, list) else ()
    )
    return [p for key, item in items for p in ((*path, key), *_paths(item, (*path, key)))]


def _broken(draw: Any) -> Snapshot:
    """A snapshot in which many things are wrong, and some are missing or nonsense."""
    server = healthy("prod", "prod2")
    for change in draw(st.lists(st.sampled_from([c for _, _, c in HOLDS]), max_size=4)):
        try:
            change(server)
        except (AttributeError, LookupError, StopIteration, TypeError, ValueError):
            continue  # an earlier change took away what this one wants to change
    for probe in draw(st.lists(st.sampled_from(PROBES), max_size=3)):
        if draw(st.booleans()):
            server["probes"].pop(probe, None)
        else:
            fail(server, probe, draw(st.sampled_from(["timeout", "failed", "skipped"])))
    paths = [path for path in _paths(server["probes"]) if path]
    for path in draw(st.lists(st.sampled_from(paths), max_size=12)) if paths else ():
        at: Any = server["probes"]
        try:
            for key in path[:-1]:
                at = at[key]
            at[path[-1]] = draw(WEIRD)
        except (LookupError, TypeError):
            continue  # cut off by an earlier one
    return server


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_rule_raises_whatever_is_missing(source: Any) -> None:
    server = _broken(source.draw)
    result = diagnosed(server)
    json.dumps(result)
    ids = [finding["id"] for finding in result["findings"]]
    assert len(set(ids)) == len(ids)
    assert {cause for f in result["findings"] for cause in f["caused_by_ids"]} <= set(ids)


@pytest.mark.parametrize("probe", PROBES)
def test_a_failed_probe_brings_no_finding_but_its_own(probe: str) -> None:
    server = healthy("prod", "prod2")
    fail(server, probe)
    brought = keys(server)
    told = {"environment": "watchdog.environment_broken"}
    told.update(dict.fromkeys(("pdump", "missing"), "watchdog.nlserver_hangs"))
    assert brought == ([told[probe]] if probe in told else [])
    assert [entry["probe"] for entry in diagnosed(server)["unseen"]] == [probe]


def test_where_the_environment_fails_what_depends_on_it_is_unknown() -> None:
    """Where var is says the environment: the logs that lie in the usual place say nothing."""
    server = healthy()
    fail(server, "environment", "failed", "customer.sh, line 3: Syntax error")
    log(server, "mta").update(exists=False, mtime_at=None, last_at=None)
    assert keys(server) == ["watchdog.environment_broken"]
    assert verdicts(server)["mta@prod"] == "unknown"


def test_what_nlserver_says_while_it_fails_counts_for_nothing() -> None:
    server = healthy()
    data(server, "pdump")["tasks"] = []
    server["probes"]["pdump"]["error"] = {"kind": "failed", "message": "it ended with -11"}
    fail(server, "processes")
    assert keys(server) == ["watchdog.nlserver_fails"]
    assert verdicts(server)["mta@prod"] == "unknown"


def test_without_any_probe_everything_is_unknown() -> None:
    server = healthy()
    for probe in PROBES:
        fail(server, probe, "failed")
    assert keys(server) == ["watchdog.environment_broken"]
    assert verdicts(server) == {"watchdog@default": "unknown"}


# --- verdicts and what is asked for -----------------------------------------------------------


def test_verdicts() -> None:
    server = healthy("prod", "prod2")
    kill(server, "mta", "prod")
    kill(server, "wfserver", "prod2")
    configured(server, "wfserver", "prod2")["auto_start"] = False
    log(server, "wfserver", "prod2")["pids"] = []
    log(server, "web")["writable"] = None
    data(server, "processes")["modules"][1]["memory_mb"] = 1700
    seen = verdicts(server)
    assert seen["mta@prod"] == "down"
    assert seen["mta@prod2"] == "healthy"
    assert seen["wfserver@prod2"] == "not_expected"
    assert seen["syslogd@default"] == "degraded"
    assert seen["export@prod"] == "healthy"


def test_pdump_stands_in_for_the_processes() -> None:
    server = healthy()
    kill(server, "wfserver")
    fail(server, "processes", "denied")
    assert "wfserver.not_running" in keys(server)
    assert verdicts(server)["wfserver@prod"] == "down"


def test_processes_stand_in_for_pdump() -> None:
    server = healthy()
    fail(server, "pdump")
    assert verdicts(server)["wfserver@prod"] == "healthy"


def test_only_what_is_asked_for_and_what_explains_it() -> None:
    server = healthy("prod", "prod2")
    kill_all(server)
    mount(server)["used_percent"] = 85
    server["asked"].update(modules=["wfserver"], instances=["default", "prod"])
    assert list(findings(server)) == [
        "watchdog.nothing_runs@default", "wfserver.not_running@prod",
    ]
    assert list(verdicts(server)) == ["wfserver@prod"]
    assert diagnosed(server)["instances"] == ["prod"]


def test_a_host_without_campaign() -> None:
    result = diagnose({"schema": 1, "taken_at": 1.0, "installed": False, "probes": {}}, "db1").as_dict()
    assert result["error"] == "no Campaign installation in /usr/local/neolane/nl6"
    assert (result["installed"], result["modules"], result["findings"]) == (False, [], [])


@pytest.mark.parametrize(
    ("snapshot", "message"),
    [
        ({}, "names no schema"),
        ([], "not a snapshot"),
        (None, "not a snapshot"),
        ({"schema": 2}, "has schema 2"),
        ({"schema": 1}, "taken_at"),
        ({"schema": 1, "taken_at": "noon"}, "taken_at"),
    ],
)
def test_a_foreign_snapshot_gets_one_clear_line(snapshot: Any, message: str) -> None:
    with pytest.raises(InvalidSnapshot, match=message):
        diagnose(snapshot, "app1")


# --- thresholds and commands ------------------------------------------------------------------


def test_a_site_s_thresholds() -> None:
    server = healthy()
    mount(server)["used_percent"] = 93
    assert keys(server) == ["host.disk_almost_full"]
    assert keys(server, disk_alert_percent=95) == ["host.disk_filling"]
    assert diagnosed(server, disk_alert_percent=95)["thresholds"]["disk_alert_percent"] == 95


@pytest.mark.parametrize(
    ("overrides", "message"),
    [({"disk": 3}, "unknown threshold 'disk'"), ({"core_files": "x"}, "must be a number")],
)
def test_impossible_thresholds(overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidThreshold, match=message):
        Thresholds.of(overrides)


def test_commands_as_the_documentation_has_them() -> None:
    server = healthy()
    kill(server, "wfserver")
    (finding,) = findings(server).values()
    assert finding["fix"] == "su - neolane -c 'nlserver start wfserver@prod'"


def test_commands_of_an_installation_elsewhere() -> None:
    server = healthy()
    server.update(home="/opt/my campaign/nl6", user="acc")
    for entry in data(server, "processes")["modules"]:
        entry["user"] = "acc"
    kill(server, "wfserver")
    (finding,) = findings(server).values()
    assert finding["fix"].startswith("su - acc -c ")
    assert "/opt/my campaign/nl6" in finding["fix"]
    assert finding["fix"].count("bin/nlserver start wfserver@prod") == 1


@pytest.mark.parametrize(
    ("service", "command"),
    [
        ({}, "systemctl start nlserver"),
        ({"unit": "campaign.service"}, "systemctl start campaign"),
        (
            {"manager": "init", "load_state": None, "init_script": "/etc/init.d/nlserver6"},
            "/etc/init.d/nlserver6 start",
        ),
        (
            {"manager": "none", "load_state": None, "enabled": None},
            "su - neolane -c 'nlserver watchdog -svc -noconsole'",
        ),
    ],
)
def test_everything_is_started_the_way_the_host_does(service: Any, command: str) -> None:
    server = healthy()
    data(server, "service").update(service)
    kill_all(server)
    assert findings(server)["watchdog.nothing_runs@default"]["fix"] == command


def test_a_diagnosis_is_whole_if_all_was_to_be_looked_at() -> None:
    assert diagnose(healthy(), "app1").whole
    failed = healthy()
    fail(failed, "http")  # `unseen` says so
    assert diagnose(failed, "app1").whole
    some = healthy()
    some["asked"]["modules"] = ["mta"]
    assert not diagnose(some, "app1").whole
    fewer = healthy()
    del fewer["probes"]["http"]
    assert not diagnose(fewer, "app1").whole
