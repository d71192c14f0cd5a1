"""The state directory and the ledger: appended, rotated, whole after a crash; what it derives."""

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from ansible_collections.campaign.remediation.plugins.module_utils._campaign import names
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.record import (
    ledger,
    lock,
    state_dir,
)

RAISED = {"value": "verbose", "until": 2000.0, "filters": []}


@pytest.fixture
def store(tmp_path: Path) -> ledger.Store:
    made = ledger.Store(str(tmp_path / "remediation"))
    made.prepare()
    return made


def entry(event, module="wfserver", instance="prod", **more):
    return {"event": event, "module": module, "instance": instance, "run": "r1",
            "remedy": "restart", "at": 100.0, **more}


def test_directory_of_an_installation_is_private(store, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 998)
    assert state_dir.default_state_dir("/opt/neolane/nl6") == "/opt/neolane/remediation"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    root = "/var/lib/campaign_remediation/"
    assert state_dir.default_state_dir("/usr/local/neolane/nl6") == root + "usr-local-neolane-nl6"
    others = {state_dir.default_state_dir(home) for home in ("/a-b/nl6", "/a/b-nl6", "/a/b/nl6")}
    assert len(others) == 3 and all(other.count("/") == 4 for other in others)
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
    store = ledger.Store(str(tmp_path / "remediation"))
    with pytest.raises(ledger.StoreError, match="is not a directory owned by"):
        store.prepare()


def test_two_processes_write_whole_lines(store):
    script = (
        "import sys; from ansible_collections.campaign.remediation.plugins.module_utils._campaign"
        ".record import ledger\nbook = ledger.Ledger(ledger.Store(sys.argv[1]))\n"
        "for n in range(30): book.append('begun', run=sys.argv[2], reason='x' * 300)"
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


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="it is about root")


@pytest.fixture
def place_of_all():
    """A folder that other accounts may look into."""
    with tempfile.TemporaryDirectory() as parent:
        Path(parent).chmod(0o755)
        yield Path(parent)


@as_root
def test_what_root_keeps_is_roots(place_of_all):
    store = ledger.Store(str(place_of_all / "lib" / "one"))
    store.prepare()
    ledger.Ledger(store).append("begun", run="a")
    for path in (place_of_all / "lib", Path(store.path), Path(store.join(ledger.NAME))):
        assert (path.stat().st_uid, path.stat().st_mode & 0o077) == (0, 0)


def given_to_the_account(parent):
    (parent / "state").mkdir(mode=0o700)
    os.chown(parent / "state", 65534, 65534)


def parent_of_the_account(parent):
    (parent / "state").mkdir(mode=0o700)
    os.chown(parent, 65534, 65534)


def parent_that_all_may_write(parent):
    (parent / "state").mkdir(mode=0o700)
    parent.chmod(0o777)


def link_of_the_account(parent):
    (parent / "real").mkdir(mode=0o700)
    (parent / "state").symlink_to(parent / "real")
    os.chown(parent / "state", 65534, 65534, follow_symlinks=False)


def link_into_the_accounts(parent):
    (parent / "home").mkdir()
    (parent / "home" / "state").mkdir(mode=0o700)
    os.chown(parent / "home", 65534, 65534)
    (parent / "state").symlink_to(parent / "home" / "state")


@as_root
@pytest.mark.parametrize("made", [
    given_to_the_account, parent_of_the_account, parent_that_all_may_write, link_of_the_account,
    link_into_the_accounts,
])  # fmt: skip
def test_a_place_that_another_account_could_exchange_is_refused(place_of_all, made):
    made(place_of_all)
    store = ledger.Store(str(place_of_all / "state"))
    for use in (store.prepare, store.check, lambda: ledger.Ledger(store).append("begun", run="a"),
                lambda: ledger.Ledger(store).lines()):  # fmt: skip
        with pytest.raises(ledger.StoreError, match="an account other than root can change"):
            use()
    assert not list(place_of_all.rglob(ledger.NAME))


@as_root
def test_a_place_that_is_not_there_is_not_made_in_the_accounts(place_of_all):
    os.chown(place_of_all, 65534, 65534)
    with pytest.raises(ledger.StoreError, match="an account other than root can change"):
        ledger.Store(str(place_of_all / "new" / "state")).prepare()
    assert not list(place_of_all.iterdir())


@as_root
def test_a_link_of_roots_is_followed(place_of_all):
    (place_of_all / "disk").mkdir()
    (place_of_all / "lib").symlink_to("disk")
    store = ledger.Store(str(place_of_all / "lib" / "state"))
    store.prepare()
    ledger.Ledger(store).append("begun", run="a")
    assert (place_of_all / "disk" / "state" / ledger.NAME).exists()


MALFORMED = [
    {"at": "now"}, {"at": None}, {"at": True}, {"at": 1e300}, {"module": None}, {"module": ["x"]},
    {"instance": 1}, {"run": {}}, {"remedy": []}, {"result": 1}, {"seconds": "1"},
    {"precision": "verbose"}, {"precision": {}}, {"precision": {"value": "x", "until": "y"}},
]  # fmt: skip


@pytest.mark.parametrize("change", MALFORMED)
def test_a_malformed_line_is_left_out(store, change):
    book = ledger.Ledger(store)
    whole = book.append("begun", run="a", module="web", remedy="restart", restart=True)
    with open(store.join(ledger.NAME), "a") as stream:
        stream.write(json.dumps({**whole, "run": "b", **change}) + "\n[1]\n" + "[" * 9999 + "\n")
    book.append("ended", run="a", module="web", remedy="restart", result="done")
    lines = book.lines()
    assert [line["run"] for line in lines] == ["a", "a"]
    ledger.summary(lines, time.time())


@pytest.mark.parametrize("text", [
    "", "{", "[]", '"x"', '{"run": ""}', '{"run": 1}', '{"run": "a", "pid": "x"}',
    '{"run": "a", "beat": "never"}', '{"run": "a", "beat": [1]}', '{"run": "a", "who": {}}',
    '{"run": "a", "controller": {}}', '{"run": "a", "controller": "x"}', '{"run": "a", "sign": 1}',
    '{"run": "a", "controller": {"host": "h", "boot": "b", "space": "s", "pid": "1", "start": 1}}',
    "[" * 100000, "\xff",
])  # fmt: skip
def test_a_malformed_lock_holds_nobody_up(store, text):
    Path(store.join(lock.LOCK)).write_text(text)
    assert lock.read(store) is None


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


@pytest.mark.parametrize(("end", "open_"), [
    ([], [None, "restart"]),
    (["restart"], [None]),
    ([None], ["restart"]),  # the step was cut, the repair went on
    ([None, None], []),  # as older ledgers have it
    (["restart", None], []),
])  # fmt: skip
def test_a_step_inside_a_repair_is_not_taken_for_it(end, open_):
    lines = [entry("begun"), entry("begun", inside="restart")]
    lines += [entry("ended", inside=inside) for inside in end]
    assert [line.get("inside") for line in ledger.open_repairs(lines)] == open_


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


def test_starts_of_what_the_server_does_not_know():
    said = "It said: 12:09:54 > No task corresponds to the mask wfserver@prod"
    failed = entry("ended", result="failed", reason=said, at=100.0)
    told = [{"module": "wfserver", "instance": "prod", "name": "wfserver@prod", "at": 100.0}]
    assert ledger.unknown([failed], 50.0) == told
    assert ledger.unknown([failed], 101.0) == []
    assert ledger.unknown([failed, entry("ended", result="done", at=110.0)], 50.0) == []
    other = entry("ended", result="failed", reason="After 30 s no process appeared.", at=120.0)
    assert ledger.unknown([failed, other], 50.0) == []
    assert ledger.unknown([failed, entry("begun", at=110.0)], 50.0) == told


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


def test_repairs_are_remedies_that_did_their_work():
    lines = [
        entry("begun", module="web", instance="default", remedy="start_front_end", at=110.0),
        entry("ended", module="web", instance="default", remedy="start_front_end", at=120.0,
             result="done"),
        entry("ended", remedy="restart", at=130.0, result="failed"),
        entry("ended", remedy="restart", at=140.0, result="done", inside="run"),
        entry("ended", remedy="reload", at=150.0, result="done"),
        entry("ended", remedy="reload", at=160.0, result="done"),
    ]  # fmt: skip
    assert [(r["module"], r["remedy"], r["at"]) for r in ledger.repairs(lines)] == [
        ("web", "start_front_end", 120.0), ("wfserver", "reload", 160.0),
    ]  # fmt: skip


def repaired(at, run="r1", ids=("web.hung@default",), **more):
    line = {"remedy": "restart", "result": "done", "because": list(ids), "at": at, "run": run}
    return entry("ended", **{**line, **more})


@pytest.mark.parametrize(("lines", "times"), [
    ([repaired(10.0), repaired(20.0, "r2")], [10.0, 20.0]),
    ([repaired(10.0), repaired(12.0, remedy="kill_and_start")], [12.0]),  # the rungs of one run
    ([repaired(10.0, result="failed"), repaired(20.0, result="unchanged")], []),
    ([repaired(10.0, inside="restart_service")], []),
    ([repaired(4.0)], []),  # long ago
    ([repaired(10.0, ids=())], []),  # an order
    ([entry("begun", because=["web.hung@default"], at=10.0)], []),
    # what no run writes
    ([repaired(10.0, ids=[7, None, "x" * 301])], []),
    ([dict(repaired(10.0), because="web.hung@default"), dict(repaired(11.0), because=None)], []),
])  # fmt: skip
def test_how_often_a_finding_was_repaired(lines, times):
    found = ledger.answered(lines, 5.0)
    assert [each["at"] for each in found] == times
    assert all(each["id"] == "web.hung@default" for each in found)


def test_a_ledger_full_of_repairs_is_told_in_part():
    lines = [repaired(float(at), "r%d" % at, map(str, range(3000))) for at in range(10, 20)]
    found = ledger.answered(lines, 5.0)
    assert len(found) == ledger.ANSWERED and {each["at"] for each in found} == {19.0}


def test_lines_that_were_not_read_are_told(store):
    book = ledger.Ledger(store)
    for _ in range(40):
        book.append("ended", reason="x" * 900)
    assert len(book.last_lines()) == 40 and not book.cut
    few = book.last_lines(10_000)
    assert 0 < len(few) < 40 and book.cut
    assert ledger.summary(few, 9e9, cut=book.cut)["begins"] == [few[0]["at"]]
    assert ledger.summary(few, 9e9)["begins"] == []


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
    running = {"run": "now", "host": ""}
    found = ledger.summary(lines, 200.0, running=running)["interrupted"]
    assert [(line["run"], line["module"]) for line in found] == [("dead", "wfserver")]
    assert set(found[0]) == {"at", "run", "module", "instance", "remedy", "who", "from"}


@pytest.mark.parametrize(("step", "count"), [(True, 0), (False, 1)])
def test_what_one_process_begins_and_ends_is_cut_when_that_process_is_gone(step, count):
    lines = [entry("begun", run="now", state="restarted")]
    running = {"run": "now", "host": ""}
    found = ledger.summary(lines, 200.0, running=running, step=step)["interrupted"]
    assert len(found) == count


def test_the_same_run_under_another_name_is_another():
    lines = [entry("begun", host="app1"), entry("ended", host="alias")]
    assert len(ledger.open_repairs(lines)) == 1
    me = {"run": "r1", "host": "alias"}
    done = [entry("ended", host="app1", result="done"), entry("ended", host="alias", result="done"),
            entry("ended", host="app1", result="failed"), entry("ended", run="r2", result="done")]
    assert [line["host"] for line in ledger.done_by(done, me)] == ["app1"]


@pytest.mark.parametrize(("events", "lost"), [
    ((), False),
    (("run_opened",), False),
    (("run_opened", "taken_over"), True),
    (("run_opened", "taken_over", "run_opened"), False),  # it came again, from the beginning
])
def test_a_run_that_lost_the_host(events, lost):
    lines = [
        entry(event, run="r2", former={"run": "r1", "host": ""}) if event == "taken_over"
        else entry(event)
        for event in events
    ]
    assert bool(ledger.lost(lines, {"run": "r1", "host": ""})) == lost
    assert not ledger.lost(lines, {"run": "r1", "host": "alias"})


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
    store = ledger.Store(str(tmp_path / "remediation"))
    assert ledger.Ledger(store).last_lines() == []
    assert lock.read(store) is None
    assert os.listdir(tmp_path) == []


def test_what_is_no_file_does_not_hold_a_look_up(store):
    for make, remove in ((os.mkfifo, os.unlink), (os.mkdir, os.rmdir)):
        make(store.join(ledger.NAME))
        with pytest.raises(ledger.StoreError, match="Cannot read"):
            ledger.Ledger(store).last_lines()
        remove(store.join(ledger.NAME))


def test_a_summary_has_the_lists_that_a_host_without_a_ledger_has():
    assert tuple(sorted(ledger.summary([], 0.0))) == names.LEDGER_LISTS
