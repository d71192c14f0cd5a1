"""Known bugs of a build: notes at what they explain, and never findings."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from unit.plugin_utils.builder import Snapshot, ago, data, findings, healthy, restarts, says

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.bugs import (
    BUGS,
    NEVER,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.catalogue import (
    CATALOGUE,
)

CORE = {"path": "/usr/local/neolane/nl6/bin/core.1", "mtime_at": ago(hours=1), "size_bytes": 9}


def of_build(build: int) -> Snapshot:
    server = healthy()
    data(server, "pdump")["build"] = f"7.3 build {build}@8f3ef8e"
    return server


def crashes(server: Snapshot) -> None:
    restarts(server, "mta", *(ago(minutes=m) for m in (40, 30, 20, 10, 1)))


@pytest.mark.parametrize("build", [9000, 9026, 9276, 9329, 9355, 9389, 9390, 9398, 9400])
def test_no_bug_is_a_finding_by_itself(build: int) -> None:
    keys = {finding["key"] for finding in findings(of_build(build)).values()}
    assert keys <= {"host.build_deprecated"}


@pytest.mark.parametrize(("build", "noted"), [(9351, True), (9352, False)])
def test_a_core_file(build: int, noted: bool) -> None:
    server = of_build(build)
    data(server, "storage")["core_files"] = [CORE]
    held = findings(server)["host.core_file@default"]
    assert ("known_bug" in held["evidence"]) is noted
    assert ("known bug of build 9351" in held["summary"]) is noted
    if noted:
        assert "fixed in build 9352 (NEO-44645, NEO-30549)" in held["summary"]


def test_what_another_finding_explains_needs_no_bug() -> None:
    server = of_build(9300)
    crashes(server)
    assert "known_bug" in findings(server)["mta.crash_loop@prod"]["evidence"]
    data(server, "pdump")["tasks"] = []
    server["probes"]["pdump"]["error"] = {
        "kind": "failed",
        "message": "nlserver pdump ended with 127: libicuuc.so.50: cannot open shared object file",
    }
    server["probes"]["missing"] = server["probes"]["pdump"]
    held = findings(server)["mta.crash_loop@prod"]
    assert held["caused_by"] == ["watchdog.wrong_library"]
    assert "known_bug" not in held["evidence"]


@pytest.mark.parametrize(("provider", "noted"), [("MSSQL", True), ("postgresql", False)])
def test_a_bug_of_one_database_only(provider: str, noted: bool) -> None:
    server = of_build(9355)
    data(server, "configuration")["databases"] = [
        {"name": "default", "provider": provider, "server": "db1", "instance": "prod"}
    ]
    crashes(server)
    note = findings(server)["mta.crash_loop@prod"]["evidence"].get("known_bug") or ""
    assert ("NEO-46619" in note) is noted


def test_without_a_build_nothing_is_said() -> None:
    server = healthy()
    data(server, "pdump")["build"] = None
    data(server, "storage")["core_files"] = [CORE]
    assert "known_bug" not in findings(server)["host.core_file@default"]["evidence"]


def test_the_bug_is_told_by_words_too() -> None:
    server = of_build(9300)
    says(server, "wfserver", "There is no index on the field 'sourceId'", count=30)
    notes = [f["evidence"].get("known_bug") for f in findings(server).values()]
    assert not any(notes)  # build 9300 has it no more
    data(server, "pdump")["build"] = "build 9200"
    notes = [f["evidence"].get("known_bug") or "" for f in findings(server).values()]
    assert any("NEO-25206" in note for note in notes)


def test_the_table_names_what_there_is() -> None:
    keys = [problem.key for problem in CATALOGUE]
    for bug in BUGS:
        assert bug.begins < bug.fixed_in
        assert (bug.begins > 0) is (bug.fixed_in == NEVER)
        for pattern in bug.keys:
            assert any(fnmatchcase(key, pattern.partition("@")[0]) for key in keys), pattern
