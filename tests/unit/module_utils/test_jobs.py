"""Declared jobs, from files, processes and a log."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.account import (
    jobs,
    programs,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.host import proc
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.snapshot import (
    collect,
    probes,
)

LINE = "2026-11-23T10:00:%02d.000Z\t%d\t1\t1\t%s\tlog\t%s\n"
JOB: dict[str, Any] = {
    "name": "contacts",
    "kind": "export",
    "instance": "prod",
    "operator": "anna",
    "arguments": {"full": ["-job:contacts", "-mode:full"], "delta": None},
    "result": "export/contacts*.csv",
    "rejects": "export/rejects*",
    "max_age_hours": 26.0,
    "max_minutes": 60.0,
    "keys": ["email"],
}


@pytest.fixture
def var(tmp_path: Path) -> Path:
    (tmp_path / "prod" / "log").mkdir(parents=True)
    (tmp_path / "prod" / "export").mkdir()
    return tmp_path


def process(arguments: list[str], name: str = "export", instance: str = "prod") -> Any:
    return {
        "pid": 5, "started_at": 9.0, "name": name, "instance": instance, "arguments": arguments
    }


def test_what_is_shown_of_a_declaration() -> None:
    assert "arguments" not in collect.declared(JOB)
    assert collect.declared(JOB)["operator"] == "anna"


def test_files_and_log(var: Path) -> None:
    for number, name in enumerate(("contacts_1.csv", "contacts_2.csv", "rejects_1")):
        path = var / "prod" / "export" / name
        path.write_text("a\nb\n")
        os.utime(path, (1000 + number, 1000 + number))
    (var / "prod" / "log" / "export.log").write_text(
        LINE % (1, 10, "info", "export of contacts")
        + LINE % (2, 10, "error", "PGS-220000 no (iRc=-2006)#012password=x1")
        + LINE % (3, 11, "info", "export of products")
    )
    entry = jobs.collect(JOB, str(var), False)
    assert entry["result"]["path"].endswith("contacts_2.csv")
    assert entry["result"]["mtime_at"] == 1001.0
    assert entry["rejects"]["lines"] == 2
    assert entry["last_end_at"] - entry["last_start_at"] == 1.0
    assert entry["last_error"]["codes"] == ["PGS-220000", "iRc=-2006"]
    assert "x1" not in entry["last_error"]["sample"]


def test_the_beginning_of_a_long_run(var: Path) -> None:
    """So much of the log is read that the first line of the run is there."""
    path = var / "prod" / "log" / "export.log"
    with path.open("w") as stream:
        stream.write(LINE % (1, 10, "info", "export of products"))
        stream.write(LINE % (2, 11, "info", "export of contacts"))
        while stream.tell() < jobs.LOG_LIMITS[0] + 100_000:
            stream.write(LINE % (3, 11, "info", "row " + "x" * 2000))
        stream.write(LINE % (5, 11, "info", "end of contacts"))
    entry = jobs.collect(JOB, str(var), False)
    assert entry["last_end_at"] - entry["last_start_at"] == 3.0


def test_a_run_whose_beginning_is_not_read(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "LOG_LIMITS", (2000, 4000))
    monkeypatch.setattr(jobs.logs, "BLOCK", 1000)
    path = var / "prod" / "log" / "export.log"
    text = "contacts " + "x" * 50
    path.write_text("".join(LINE % (n % 60, 11, "info", text) for n in range(200)))
    entry = jobs.collect(JOB, str(var), False)
    assert entry["last_start_at"] is None
    assert entry["last_end_at"] is not None


def test_large_files_are_counted_whole_or_told(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = var / "prod" / "export" / "rejects_1"
    path.write_text("0123456\n" * 700_000)  # more than 5 MB
    assert jobs.count_lines(str(path)) == (700_000, False)
    monkeypatch.setattr(jobs, "COUNT_LIMIT", 65536 * 2)
    assert jobs.count_lines(str(path)) == (65536 * 2 // 8, True)
    assert jobs.collect(JOB, str(var), True)["rejects"]["more"] is True


def test_nothing_is_there(var: Path) -> None:
    entry = jobs.collect(dict(JOB, result=None), str(var), True)
    assert entry["result"] is entry["rejects"] is entry["last_start_at"] is None


def test_which_process_is_the_job(var: Path) -> None:
    mine = process(["-job:contacts", "-mode:full", "-detach"])
    other = process(["-job:products", "-mode:full"])
    assert proc.runs(JOB, [other, mine], False) == {"pid": 5, "started_at": 9.0}
    assert proc.runs(JOB, [other], False) is None
    assert proc.runs(JOB, [other], True) is not None
    assert proc.runs(JOB, [process([], "import"), process([], "export", "x")], True) is None


def test_a_running_job_has_no_end(var: Path) -> None:
    (var / "prod" / "log" / "export.log").write_text(LINE % (1, 5, "info", "export of contacts"))
    entry = jobs.collect(JOB, str(var), False)
    assert entry["last_end_at"] is not None
    probes.complete_jobs([entry], [JOB], [process(["-job:contacts", "-mode:full"])])
    assert entry["last_start_at"] is not None
    assert entry["last_end_at"] is None


def test_a_job_of_the_same_name_in_another_instance_does_not_run(var: Path) -> None:
    declared = [JOB, {**JOB, "instance": "prod2"}, {**JOB, "kind": "import"}]
    entries = [jobs.collect(job, str(var), True) for job in declared]
    probes.complete_jobs(entries, declared, [process(["-job:contacts", "-mode:full"])])
    assert [bool(entry["running"]) for entry in entries] == [True, False, False]


def test_a_job_that_nobody_has_declared_is_not_looked_for(var: Path) -> None:
    """The account's own answer names it."""
    entry = jobs.collect({**JOB, "name": "other"}, str(var), True)
    probes.complete_jobs([entry], [JOB], [process(["-job:contacts", "-mode:full"])])
    assert entry["running"] is None


def test_a_line_without_a_time_has_that_of_the_line_before(tmp_path: Path) -> None:
    log = tmp_path / "var/prod/log/export.log"
    log.parent.mkdir(parents=True)
    log.write_text(
        ">>> of the run before\n"
        "2026-01-01T00:00:00.000Z\t1\t1\t1\tinfo\tlog\tlong ago\n"
        ">>> as old\n"
        "2026-01-02T00:00:00.000Z\t2\t2\t1\tinfo\tlog\tlaunched\n"
        ">>> no room\n"
    )
    server = SimpleNamespace(home=str(tmp_path), var_dir=str(tmp_path / "var"))
    since = 1767312000.0  # 2026-01-02
    lines = programs.log_lines(server, {"instance": "prod", "kind": "export"}, since)
    errors = [line["error"] and line["error"]["sample"] for line in lines]
    assert ([line["at"] for line in lines], errors) == ([since, since], [None, "no room"])
