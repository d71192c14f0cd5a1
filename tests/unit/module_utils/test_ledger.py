"""The state directory and the ledger: appended, rotated, whole after a crash; what it derives."""

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from ansible_collections.campaign.remediation.plugins.module_utils import ledger, model

RAISED = {"value": "verbose", "until": 2000.0, "filters": []}


@pytest.fixture
def store(tmp_path: Path) -> ledger.Store:
    made = ledger.Store(str(tmp_path / "remediation"), os.geteuid(), os.getegid())
    made.prepare()
    return made


def entry(event, module="wfserver", instance="prod", **more):
    return {"event": event, "module": module, "instance": instance, "run": "r1",
            "remedy": "restart", "at": 100.0, **more}


def test_directory_is_beside_the_home_and_private(store):
    assert model.state_directory("/opt/neolane/nl6") == "/opt/neolane/remediation"
    assert stat.S_IMODE(os.stat(store.path).st_mode) == 0o700


def test_line_is_complete_masked_and_private(store):
    book = ledger.Ledger(store, lambda: 12.3456)
    book.append(
        "ended", module="wfserver", instance="prod", run="r1", reason="password=geheim here",
        command=[["nlserver", "-login:me/geheim", "x"]], because=["pwd=geheim"],
        after={"note": ["token: geheim"]},
    )
    path = Path(store.join(ledger.NAME))
    text = path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "geheim" not in text
    line = json.loads(text)
    assert set(line) == set(ledger.FIELDS)
    assert (line["at"], line["event"], line["because"]) == (12.346, "ended", ["pwd=***"])


def test_password_that_is_a_common_word_leaves_the_structure(store):
    book = ledger.Ledger(store)
    book.append("begun", lambda text: text.replace("prod", "***"), run="prod", instance="prod",
                remedy="prod", reason="login to prod failed")  # fmt: skip
    (line,) = book.lines()
    assert (line["run"], line["instance"], line["reason"]) == (
        "prod", "prod", "login to *** failed"
    )  # fmt: skip


def test_lines_are_only_appended(store):
    book = ledger.Ledger(store)
    texts = []
    for number in range(3):
        book.append("begun", run=str(number))
        texts.append(Path(store.join(ledger.NAME)).read_text())
    assert texts[2].startswith(texts[1]) and texts[1].startswith(texts[0])
    assert [line["run"] for line in book.lines()] == ["0", "1", "2"]


def test_rotated_and_the_last_five_kept(store, monkeypatch):
    monkeypatch.setattr(ledger, "MAX_BYTES", 1500)
    book = ledger.Ledger(store)
    for number in range(40):
        book.append("begun", run=str(number))
    names = sorted(name for name in os.listdir(store.path) if name.startswith("ledger"))
    assert names == ["ledger.%d.jsonl" % n for n in range(1, 6)] + ["ledger.jsonl"]
    assert all(os.stat(store.join(name)).st_size <= 1500 for name in names)
    runs = [int(line["run"]) for line in book.lines()]
    assert runs == list(range(runs[0], 40)) and len(runs) > 10


def test_line_cut_by_a_crash_costs_only_itself(store):
    book = ledger.Ledger(store)
    book.append("begun", run="a")
    with open(store.join(ledger.NAME), "ab") as stream:
        stream.write(b'{"event": "ended", "run"')
    book.append("begun", run="b")
    assert [line["run"] for line in book.lines()] == ["a", "b"]


def test_full_disk_is_told_and_leaves_no_half_line(store, monkeypatch):
    book = ledger.Ledger(store)
    book.append("begun", run="a")
    real = os.write

    chunks = iter([10, 0])

    def twice(descriptor, data):
        if next(chunks):
            return real(descriptor, data[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(ledger.os, "write", twice)
    with pytest.raises(ledger.StoreError, match="the disk is full"):
        book.append("begun", run="b")
    monkeypatch.undo()
    assert Path(store.join(ledger.NAME)).read_bytes().count(b"\n") == 1
    book.append("begun", run="c")
    assert [line["run"] for line in book.lines()] == ["a", "c"]


def test_never_through_a_link(store, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    os.symlink(victim, store.join(ledger.NAME))
    with pytest.raises(ledger.StoreError):
        ledger.Ledger(store).append("begun", run="a")
    assert victim.read_text() == "untouched"


def test_state_directory_that_is_none_is_refused(tmp_path):
    (tmp_path / "remediation").write_text("")
    store = ledger.Store(str(tmp_path / "remediation"), os.geteuid(), os.getegid())
    with pytest.raises(ledger.StoreError, match="must be a directory"):
        store.prepare()


def test_two_processes_write_whole_lines(store):
    script = (
        "import sys; from ansible_collections.campaign.remediation.plugins.module_utils import"
        " ledger\nbook = ledger.Ledger(ledger.Store(sys.argv[1], %d, %d))\n"
        "for n in range(30): book.append('begun', run=sys.argv[2], reason='x' * 300)"
        % (os.geteuid(), os.getegid())
    )
    where = str(Path(__file__).resolve().parents[3] / "playbooks" / "collections")
    environment = {**os.environ, "PYTHONPATH": where, "PYTHONDONTWRITEBYTECODE": "1"}
    running = [
        subprocess.Popen([sys.executable, "-c", script, store.path, name], env=environment)
        for name in ("a", "b")
    ]
    assert [process.wait(30) for process in running] == [0, 0]
    runs = [line["run"] for line in ledger.Ledger(store).lines()]
    assert (runs.count("a"), runs.count("b")) == (30, 30)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another account")
def test_root_writes_as_the_account():
    with tempfile.TemporaryDirectory() as parent:
        Path(parent).chmod(0o755)  # root's, and the account may look into it
        store = ledger.Store(parent + "/remediation", 65534, 65534)
        store.prepare()
        ledger.Ledger(store).append("begun", run="a")
        owners = [os.stat(store.join(name)).st_uid for name in ("", ledger.NAME, ".mutex")]
    assert owners == [65534, 65534, 65534]
    assert (os.geteuid(), os.getegid()) == (0, 0)


# ------------------------------------------------------------------------------- derived


def test_open_repairs():
    lines = [
        entry("begun"), entry("ended", result="done"),
        entry("begun", at=5.0), entry("begun", module="mta"), entry("ended", module="mta"),
        entry("begun", run="r2"), entry("ended", run="r3"),
    ]  # fmt: skip
    assert [(line["run"], line["at"]) for line in ledger.open_repairs(lines)] == [
        ("r1", 5.0), ("r2", 100.0)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "count"),
    [
        ([], 0),
        ([entry("begun", restart=True), entry("ended", result="done")], 1),
        ([entry("begun", restart=True), entry("ended", result="failed")], 1),
        ([entry("begun", restart=True), entry("ended", result="unchanged")], 0),
        ([entry("begun", restart=True)], 1),  # killed: it may have restarted it
        ([entry("begun", restart=False), entry("ended", result="done")], 0),  # a reload
        ([entry("begun", restart=True, inside="rebuild")], 0),  # counted with its remedy
        ([entry("begun", restart=True, instance="prod2")], 0),
        ([entry("begun", restart=True, module="mta")], 0),
        ([entry("begun", restart=True, at=1.0)], 0),  # long ago
        ([entry("refused", result="refused")], 0),
        ([entry("begun", restart=True), entry("ended")] * 4, 4),
    ],
)
def test_restarts(lines, count):
    assert len(ledger.restarts(lines, "wfserver", "prod", 50.0)) == count


def test_precisions():
    lines = [entry("ended", result="done", precision=RAISED, who="anna")]
    (raised,) = ledger.precisions(lines)
    assert raised["until"] == 2000.0 and raised["who"] == "anna"
    assert (raised["module"], raised["instance"]) == ("wfserver", "prod")
    lines.append(entry("ended", result="failed", precision={"value": "standard"}))
    assert ledger.precisions(lines)
    lines.append(entry("ended", result="done", precision={"value": "standard"}))
    assert not ledger.precisions(lines)


def test_summary():
    lines = [
        entry("begun", restart=True), entry("ended", result="done", precision=RAISED),
        entry("begun", module="stat", restart=False, remedy="reload"),
        entry("ended", module="stat", result="done", state="reloaded", remedy="reload", at=110.0),
        entry("begun", run="dead"),
    ]  # fmt: skip
    found = ledger.summary(lines, 200.0)
    assert [line["run"] for line in found["interrupted"]] == ["dead"]
    assert found["reloads"] == [{"module": "stat", "instance": "prod", "at": 110.0}]
    assert found["restarts"] == [
        {"module": "wfserver", "instance": "prod", "times": [100.0]}
    ]
    assert len(found["precisions"]) == 1


def test_renewals_are_starts_that_went_well():
    lines = [
        entry("begun", restart=True, at=10.0), entry("ended", result="done", at=12.0),
        entry("begun", restart=True, at=20.0), entry("ended", result="failed", at=22.0),
        entry("begun", module="mta", restart=True, at=30.0, inside="rebuild_shared_memory"),
        entry("ended", module="mta", result="done", at=31.0, inside="rebuild_shared_memory"),
        entry("begun", module="trackinglogd", whole_server=True, at=29.0),
        entry("ended", module="trackinglogd", result="done", at=33.0),
    ]  # fmt: skip
    assert [(r["module"], r["at"], r["whole_server"]) for r in ledger.renewals(lines)] == [
        ("trackinglogd", 29.0, True), ("wfserver", 10.0, False)
    ]


def test_summary_leaves_out_what_is_under_way_and_steps_of_a_repair():
    lines = [
        entry("begun", run="now"), entry("begun", run="dead"),
        entry("begun", run="dead", module="mta", inside="rebuild_shared_memory"),
    ]  # fmt: skip
    found = ledger.summary(lines, 200.0, running="now")["interrupted"]
    assert [(line["run"], line["module"]) for line in found] == [("dead", "wfserver")]
    assert set(found[0]) == {"at", "run", "module", "instance", "remedy", "who", "from"}


def test_a_reload_counts_from_its_begin():
    lines = [entry("ended", module="web", state="reloaded", result="done", at=110.0, seconds=2.5)]
    assert ledger.reloads(lines) == {("web", "prod"): 107.5}


# ------------------------------------------------------------------------------ a quick look


def test_the_last_lines_also_of_rotated_files(store, monkeypatch):
    monkeypatch.setattr(ledger, "MAX_BYTES", 3000)
    book = ledger.Ledger(store)
    for number in range(20):
        book.append("begun", run=str(number))
    runs = [int(line["run"]) for line in book.last_lines(4000)]
    assert runs == list(range(runs[0], 20))
    assert 4 < len(runs) < 20
    assert [line["run"] for line in book.last_lines()] == [line["run"] for line in book.lines()]


def test_looking_makes_nothing(tmp_path):
    store = ledger.Store(str(tmp_path / "remediation"), os.geteuid(), os.getegid())
    assert ledger.Ledger(store).last_lines() == []
    assert ledger.read_lock(store) is None
    assert os.listdir(tmp_path) == []


def test_what_is_no_file_does_not_hold_a_look_up(store):
    for make, remove in ((os.mkfifo, os.unlink), (os.mkdir, os.rmdir)):
        make(store.join(ledger.NAME))
        with pytest.raises(ledger.StoreError, match="Cannot read"):
            ledger.Ledger(store).last_lines()
        remove(store.join(ledger.NAME))


def test_a_summary_has_the_lists_that_a_host_without_a_ledger_has():
    assert tuple(sorted(ledger.summary([], 0.0))) == model.LEDGER_LISTS
