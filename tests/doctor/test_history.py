"""The history: kept, found again, pruned, upgraded; and whatever happens to its file."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from campaign_doctor import history as module
from campaign_doctor.history import History, UnknownRun
from campaign_doctor.model import InvalidReport, Report
from doctor import samples

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def history(tmp_path: Path, warnings: list[str]) -> History:
    return History(tmp_path / "state" / "history.db", warnings.append)


def sql(history: History, text: str, *values: Any) -> list[Any]:
    with closing(sqlite3.connect(history.path)) as database, database:
        return database.execute(text, values).fetchall()


def test_a_run_is_kept_and_found_again(history: History, warnings: list[str]) -> None:
    data = samples.ill()
    number = history.add(data, "campaign-doctor diagnose", 1, inventory="lab", limit="app*")
    assert number == 1
    (run,) = history.runs()
    assert (run.number, run.run, run.exit_code) == (1, data["run"], 1)
    assert (run.command, run.mode) == ("campaign-doctor diagnose", "diagnose")
    assert (run.inventory, run.limit) == ("lab", "app*")
    assert (run.started, run.finished) == (data["started"], data["finished"])
    assert run.summary["critical"] == 2
    assert history.get(1).as_json() == data
    assert warnings == []


def test_nobody_else_may_read_it(history: History) -> None:
    old = os.umask(0)
    try:
        history.add(samples.ill(), "", 0)
    finally:
        os.umask(old)
    assert stat.S_IMODE(history.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(history.path.parent.stat().st_mode) == 0o700


def test_an_empty_history(history: History, warnings: list[str]) -> None:
    assert history.runs() == []
    assert history.of("") == []
    assert history.prune(0) == 0
    with pytest.raises(UnknownRun, match="it holds no run"):
        history.find("last")
    assert warnings == []
    assert not history.path.parent.exists(), "reading makes no file"


def test_the_last_first_and_not_all(history: History) -> None:
    for code in range(5):
        history.add(samples.ill(), "", code)
    assert [run.exit_code for run in history.runs(3)] == [4, 3, 2]


def test_names_of_runs(history: History) -> None:
    for run in ("first", "second", "third"):
        history.add(samples.report(samples.host(), run=run), "", 0)
    assert history.find("2").run == "second"
    assert history.find("last").run == "third"
    assert history.find("last~2").run == "first"
    assert history.find("first").number == 1
    for name in ("4", "last~3", "last~x", "none", "9" * 40, "\N{SUPERSCRIPT TWO}"):
        with pytest.raises(UnknownRun, match="the last run is 3"):
            history.find(name)
    with pytest.raises(UnknownRun):
        history.get(4)


def test_the_runs_of_an_inventory(history: History) -> None:
    for inventory, limit in (("lab", ""), ("lab", "app1"), ("prod", ""), ("lab", "")):
        history.add(samples.ill(), "", 0, inventory=inventory, limit=limit)

    def numbers(*scope: Any) -> list[int]:
        return [run.number for run in history.of(*scope)]

    assert numbers("lab") == [4, 2, 1]
    assert numbers("lab", 4) == [2, 1]
    assert numbers("lab", None, 1) == [4]
    assert numbers("elsewhere") == []


def test_a_run_says_who_and_what_it_was_for(history: History) -> None:
    for command, code in (("remediate", 0), ("remediate --check", 1), ("remediate", 130),
                          ("plan", 1)):
        history.add(samples.ill(), command, code, who="anna", scope="x")
    kinds = [run.kind for run in history.runs()]
    assert kinds == ["plan", "repair, interrupted", "check", "repair"]
    assert {(run.who, run.scope) for run in history.runs()} == {("anna", "x")}


def test_old_runs_are_forgotten(history: History) -> None:
    for _ in range(3):
        history.add(samples.ill(), "", 0)
    sql(history, "UPDATE runs SET added_at = added_at - 10 * 86400 WHERE number <= 2")
    assert history.prune(30) == 0
    assert history.prune(9) == 2
    assert [run.number for run in history.runs()] == [3]
    assert history.prune(-1) == 0, "the newest stays, however old"
    # A number is never given twice.
    assert history.add(samples.ill(), "", 0) == 4


def test_repairs_are_counted_beyond_the_runs_that_are_kept(history: History) -> None:
    done = {"module": "mta", "instance": "prod", "remedy": "restart", "result": "repaired"}
    run = samples.report(samples.host(actions=[done], findings=[samples.finding("mta.hung")]))
    history.remember("hosts.yml", Report.of(run))
    assert history.prune(0) == 0
    history.remember("hosts.yml", Report.of({**run, "finished": "2026-11-23T10:40:05Z"}))
    memory = history.memory("hosts.yml")
    assert memory.steps == {("app1", "restart", "repaired"): 2}
    assert memory.since == {("app1", "mta.hung@prod"): 1763894405.0}, "of the first run"
    assert history.memory("others.yml") == ({}, {})


def test_a_file_of_an_earlier_version_is_upgraded(
    history: History, warnings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    history.add(samples.ill(), "earlier", 1)
    added = ("ALTER TABLE runs ADD COLUMN note TEXT NOT NULL DEFAULT 'none'",)
    monkeypatch.setattr(module, "MIGRATIONS", (*module.MIGRATIONS, added))
    assert [run.command for run in history.runs()] == ["earlier"]
    assert sql(history, "PRAGMA user_version") == [(len(module.MIGRATIONS),)]
    assert history.add(samples.ill(), "later", 0) == 2
    rows = sql(history, "SELECT command, note FROM runs")
    assert rows == [("earlier", "none"), ("later", "none")]
    assert warnings == []


def test_an_upgrade_that_fails_changes_nothing(
    history: History, warnings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    history.add(samples.ill(), "earlier", 1)
    broken = ("ALTER TABLE runs ADD COLUMN note TEXT", "NO SQL")
    monkeypatch.setattr(module, "MIGRATIONS", (*module.MIGRATIONS, broken))
    assert history.add(samples.ill(), "later", 0) is None
    assert "this run is not kept" in warnings[0]
    assert sql(history, "PRAGMA user_version") == [(len(module.MIGRATIONS) - 1,)]
    assert not any(row[1] == "note" for row in sql(history, "PRAGMA table_info(runs)"))


def test_a_file_of_a_later_version_is_left_alone(history: History, warnings: list[str]) -> None:
    history.add(samples.ill(), "", 0)
    sql(history, "PRAGMA user_version = 99")
    before = history.path.read_bytes()
    assert history.add(samples.ill(), "", 0) is None
    assert history.runs() == []
    assert "was made by a later version of campaign-doctor; this run is not kept" in warnings[0]
    assert history.path.read_bytes() == before


def overwrite_start(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"no database at all")


def overwrite_middle(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 4)
        file.write(os.urandom(size // 2))


@pytest.mark.parametrize("damage", [overwrite_start, overwrite_middle])
def test_a_damaged_file_is_set_aside(
    damage: Any, history: History, warnings: list[str]
) -> None:
    for _ in range(40):
        history.add(samples.ill(), "x" * 500, 0)
    damage(history.path)
    damaged = history.path.read_bytes()
    history.runs(1000)
    assert history.add(samples.ill(), "after", 0) is not None
    assert history.find("last").command == "after"
    (kept,) = history.path.parent.glob("history.db.damaged-*")
    assert kept.read_bytes() == damaged
    assert len(warnings) == 1
    assert f"is set aside as {kept.name}" in warnings[0]


def test_a_damaged_report_is_told(history: History) -> None:
    history.add(samples.ill(), "", 0)
    sql(history, "UPDATE runs SET report = x'00'")
    with pytest.raises(InvalidReport, match="run 1 of .* is damaged"):
        history.get(1)


def test_a_directory_in_the_way(history: History, warnings: list[str]) -> None:
    history.path.mkdir(parents=True)
    assert history.add(samples.ill(), "", 0) is None
    assert "Is a directory; this run is not kept" in warnings[0]


def test_a_file_where_the_directory_should_be(history: History, warnings: list[str]) -> None:
    history.path.parent.write_text("")
    assert history.add(samples.ill(), "", 0) is None
    assert "this run is not kept" in warnings[0]
    assert history.runs() == []


def as_nobody(code: str, path: Path) -> subprocess.CompletedProcess[str]:
    """Run code without root's rights, to which a read-only file is none."""
    return subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True, text=True, check=False, timeout=60, cwd="/",
        env={"PYTHONPATH": f"{CHECKOUT}:{CHECKOUT}/tests", "PYTHONDONTWRITEBYTECODE": "1"},
    )


WITHOUT_RIGHTS = """
import os
import sys
from pathlib import Path
from campaign_doctor.history import History
from doctor import samples
if os.getuid() == 0:  # all that it needs is loaded: the other account may not read the checkout
    samples.ill()
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
history = History(Path(sys.argv[1]), lambda text: print("WARNING", text))
print("READ", [run.command for run in history.runs()])
print("ADDED", history.add(samples.ill(), "", 0))
"""


def test_a_file_that_may_only_be_read() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        history = History(Path(folder) / "history.db", print)
        history.add(samples.ill(), "kept", 0)
        history.path.chmod(0o444)
        done = as_nobody(WITHOUT_RIGHTS, history.path)
    assert "READ ['kept']" in done.stdout, done.stderr
    assert "Permission denied; this run is not kept" in done.stdout
    assert "ADDED None" in done.stdout
    assert done.returncode == 0


def test_a_full_disk(
    history: History, warnings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    history.add(samples.ill(), "before", 0)
    opened = sqlite3.connect

    def small(*arguments: Any, **options: Any) -> sqlite3.Connection:
        database: sqlite3.Connection = opened(*arguments, **options)
        pages = database.execute("PRAGMA page_count").fetchone()[0]
        # The limit that SQLite knows gives the very error of a device without space.
        database.execute(f"PRAGMA max_page_count = {pages}")
        return database

    monkeypatch.setattr(sqlite3, "connect", small)
    large = samples.report(*(samples.host(os.urandom(9).hex()) for _ in range(500)))
    assert history.add(large, "large", 0) is None
    assert warnings == [
        f"History: {history.path}: database or disk is full; this run is not kept."
    ]
    assert [run.command for run in history.runs()] == ["before"]


def add_many(path: Path, count: int, results: Any) -> None:
    warnings: list[str] = []
    history = History(path, warnings.append)
    for _ in range(count):
        history.add(samples.ill(), str(os.getpid()), 0)
    results.put(warnings)


def test_many_write_at_once(history: History) -> None:
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    writers = [
        context.Process(target=add_many, args=(history.path, 10, results)) for _ in range(4)
    ]
    for writer in writers:
        writer.start()
    assert [results.get(timeout=60) for _ in writers] == [[], [], [], []]
    for writer in writers:
        writer.join(60)
    assert sorted(run.number for run in history.runs(100)) == list(range(1, 41))


def test_many_meet_a_damaged_file_at_once(history: History) -> None:
    history.add(samples.ill(), "", 0)
    overwrite_start(history.path)
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    writers = [context.Process(target=add_many, args=(history.path, 3, results)) for _ in range(6)]
    for writer in writers:
        writer.start()
    told = [line for _ in writers for line in results.get(timeout=60)]
    for writer in writers:
        writer.join(60)
    assert len(history.runs(100)) == 18, told
    assert len(list(history.path.parent.glob("history.db.damaged-*"))) == 1
    assert len(told) == 1


def test_a_file_that_another_process_has_replaced_stays(history: History) -> None:
    """Between seeing the damage and setting the file aside, somebody else may have done it."""
    history.add(samples.ill(), "of the other", 0)
    assert history._set_aside(sqlite3.DatabaseError("file is not a database"))
    assert list(history.path.parent.glob("*.damaged-*")) == []
    assert [run.command for run in history.runs()] == ["of the other"]


def test_a_writer_that_was_killed(history: History, warnings: list[str]) -> None:
    """What it had not finished is undone by whoever comes next, also by a reader."""
    history.add(samples.ill(), "first", 0)
    code = (
        "import os, sqlite3, sys\n"
        "database = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "database.execute('PRAGMA cache_size = 1')\n"
        "database.execute('BEGIN IMMEDIATE')\n"
        "database.execute(\"UPDATE runs SET command = 'half'\")\n"
        "database.execute('CREATE TABLE t AS SELECT zeroblob(900000) AS b')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", code, history.path], check=False, timeout=60)
    assert history.path.with_name("history.db-journal").exists()
    assert [run.command for run in history.runs()] == ["first"]
    assert warnings == []


def test_five_hundred_hosts_are_small(history: History) -> None:
    hosts = [samples.host(f"app{number}", findings=samples.ill()["hosts"][1]["findings"])
             for number in range(500)]
    data = samples.report(*hosts)
    number = history.add(data, "", 0)
    assert number is not None
    assert len(history.get(number).hosts) == 500
    assert history.path.stat().st_size < 1_000_000
