"""Evidence: whole or not there, without passwords, within its size, kept by age and number."""

from __future__ import annotations

import base64
import errno
import json
import os
import stat
from pathlib import Path

import pytest
from unit.module_utils.remediation import Context

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.record import (
    evidence,
    ledger,
)

NOW = 1763894400.0
PASSWORD = 'top&geheim"1'


@pytest.fixture
def context(tmp_path):
    made = Context(tmp_path, who="wfserver@prod (1) - 2 MB\n")
    conf = Path(made.home, "conf")
    (conf / "config-prod.xml").write_text(
        '<dbcnx login="me" password="top&amp;geheim&quot;1"/>'
        "<x internalPassword='zweites-wort' token=\"\" foreignKey='email'/>"
    )
    for place, name in (("prod", "wfserver"), ("prod", "runwf"), ("default", "watchdog")):
        log = Path(made.var_dir, place, "log")
        log.mkdir(parents=True, exist_ok=True)
        (log / (name + ".log")).write_text("first line of %s\n" % name)
    return made


@pytest.fixture
def store(tmp_path):
    made = ledger.Store(str(tmp_path / "remediation"))
    made.prepare()
    return made


def collect(context, store, subject=("wfserver", "prod"), now=NOW, **options):
    chosen = {**context.options, **options}
    return Path(evidence.collect(context, store, subject, {"run": "r1"}, chosen, now))


def kept(store):
    return sorted(os.listdir(store.join("evidence")))


def test_what_is_kept(context, store):
    path = collect(context, store)
    assert path.name == "20251123T104000Z-wfserver@prod"
    names = {file.name for file in path.iterdir()}
    assert names == {
        "about.json", "disk.json", "log-runwf@prod.txt", "log-watchdog@default.txt",
        "log-wfserver@prod.txt", "machine.json", "pdump-who.txt", "process-status.txt",
        "processes.json", "shared-memory.txt",
    }  # fmt: skip
    about = json.loads((path / "about.json").read_text())
    assert (about["run"], about["module"], about["at"]) == ("r1", "wfserver", NOW)
    assert {file["name"] for file in about["files"]} == names - {"about.json"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in path.iterdir())


def test_no_password_in_any_spelling(context, store):
    spellings = [
        PASSWORD, "top&amp;geheim&quot;1", "top%26geheim%221", "zweites-wort",
        base64.b64encode(PASSWORD.encode()).decode(),
    ]  # fmt: skip
    log = Path(context.var_dir, "prod", "log", "wfserver.log")
    lines = ["error near %s!\n" % word for word in spellings] + ["pwd=Hidden9, email\n"]
    log.write_text("".join(lines))
    context.who = "login %s\n" % PASSWORD
    path = collect(context, store)
    text = "".join(file.read_text() for file in path.iterdir())
    for word in [*spellings, "Hidden9"]:
        assert word.rstrip("=") not in text
    assert "email" in text and text.count("error near ***") == len(spellings)


def test_size_limit_holds_and_the_end_of_a_log_is_kept(context, store):
    log = Path(context.var_dir, "prod", "log", "wfserver.log")
    line = "x" * 99 + "\n"
    log.write_text(line * 60000 + "the last line\n")
    path = collect(context, store, evidence_max_mb=0.5)
    assert sum(file.stat().st_size for file in path.iterdir()) <= 0.5 * 1024 * 1024
    assert (path / "log-wfserver@prod.txt").read_text().endswith("the last line\n")
    about = json.loads((path / "about.json").read_text())
    (entry,) = [file for file in about["files"] if file["name"] == "log-wfserver@prod.txt"]
    assert entry["cut"]


def test_what_cannot_be_had_is_named(context, store):
    def broken(*arguments):
        raise OSError(errno.EACCES, "Permission denied")

    context.nlserver = broken
    about = json.loads((collect(context, store) / "about.json").read_text())
    assert about["missing"] == [
        {"name": "pdump-who.txt", "error": "[Errno 13] Permission denied"}
    ]


def test_full_disk_leaves_nothing_behind(context, store, monkeypatch):
    def full(self, name, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(evidence._Bundle, "write", full)
    with pytest.raises(evidence.EvidenceError, match="the disk is full"):
        collect(context, store)
    assert kept(store) == []


def test_kept_by_number(context, store):
    for second in range(5):
        collect(context, store, now=NOW + second, evidence_keep=3)
    assert kept(store) == ["20251123T10400%dZ-wfserver@prod" % n for n in (2, 3, 4)]


def test_kept_by_age(context, store):
    collect(context, store)
    collect(context, store, now=NOW + 3 * 86400, evidence_days=2)
    assert kept(store) == ["20251126T104000Z-wfserver@prod"]


def test_two_in_one_second(context, store):
    paths = [collect(context, store), collect(context, store)]
    assert [path.name for path in paths] == [
        "20251123T104000Z-wfserver@prod", "20251123T104000Z-wfserver@prod.2"
    ]  # fmt: skip


def test_half_done_evidence_of_a_killed_run_goes_and_other_things_stay(context, store):
    for name in (".partial-%d-x" % (2**22 + 1), ".partial-%d-y" % os.getpid(), "notes"):
        os.makedirs(store.join("evidence", name))
    collect(context, store, evidence_keep=1)
    assert kept(store) == [
        ".partial-%d-y" % os.getpid(), "20251123T104000Z-wfserver@prod", "notes"
    ]  # fmt: skip


def test_whole_server(context, store):
    context.configuration["modules"] = [
        {"module": module, "instance": instance}
        for module, instance in (("wfserver", "prod"), ("web", "default"))
    ]
    path = collect(context, store, ("", "default"))
    assert path.name == "20251123T104000Z-host@default"
    assert (path / "log-wfserver@prod.txt").exists()


def test_a_large_log_is_cut_and_clean(context, store):
    log = Path(context.var_dir, "prod", "log", "wfserver.log")
    log.write_text("2025\t1\t1\t1\tinfo\tlog\tpassword=abc in a line of words\n" * 60000)
    kept_log = collect(context, store).joinpath("log-wfserver@prod.txt").read_text()
    assert "in a line of words" in kept_log and "abc" not in kept_log
    assert len(kept_log) < log.stat().st_size
