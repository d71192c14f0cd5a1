"""Ledger, lock and evidence."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from hostile.table import EVIDENCE, attack
from hostile.world import Outcome, Tree

STATE = "Ledger, lock and evidence"
AS_THEY_WERE = "root's files stay; the run goes on, or says in one line why not"


@attack(
    STATE, "the folder beside the installation is a link to root's folder", AS_THEY_WERE, EVIDENCE
)
def state_is_a_link(tree: Tree) -> None:
    tree.swap(tree.state, tree.world.canaries.directory)


@attack(
    STATE,
    "it takes itself the right to make that folder, so that root makes it, and exchanges it then"
    " for a link to root's folder",
    AS_THEY_WERE,
    EVIDENCE,
    delayed=True,
    meanwhile=lambda tree: exchange(tree.state),
)
def state_is_exchanged(tree: Tree) -> None:
    tree.root.chmod(0o555)


def exchange(path: Path) -> None:
    """As soon as it is there, it is a link to root's folder."""
    target = path.parents[2] / "root" / "directory"
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if path.is_dir() and not path.is_symlink():
            path.parent.chmod(0o755)
            path.rename(path.with_name(f"old{time.monotonic()}"))
            path.symlink_to(target)
        time.sleep(0.001)


@attack(
    STATE,
    "ledger, lock, pause, their temporary names and `evidence` are links to root's files and folder",
    AS_THEY_WERE,
    EVIDENCE,
)
def state_files_are_links(tree: Tree) -> None:
    tree.state.mkdir(mode=0o700)
    canaries = tree.world.canaries
    for name, target in (
        ("ledger.jsonl", canaries.common),
        ("lock", canaries.log),
        (".lock.new", canaries.settings),
        ("pause", canaries.common),
        (".pause.new", canaries.settings),
        (".mutex", canaries.settings),
        ("evidence", canaries.directory),
        ("ledger.1.jsonl", canaries.log),
        ("jobs", canaries.directory),
    ):
        (tree.state / name).symlink_to(target)


@attack(STATE, "ledger, lock, pause and their temporary names are FIFOs", AS_THEY_WERE, EVIDENCE)
def state_files_are_fifos(tree: Tree) -> None:
    tree.state.mkdir(mode=0o700)
    names = ("ledger.jsonl", "lock", ".lock.new", ".mutex", "ledger.1.jsonl", "pause", ".pause.new")
    for name in names:
        os.mkfifo(tree.state / name)


@attack(
    STATE,
    "the ledger has lines of every wrong shape: numbers, lists, 100,000 brackets, times such as"
    ' `"x"` and 10^400, missing keys, 5 MB without a newline',
    AS_THEY_WERE,
    EVIDENCE,
)
def malformed_ledger(tree: Tree) -> None:
    tree.state.mkdir(mode=0o700)
    (tree.state / "ledger.jsonl").write_bytes(damaged_ledger())


def damaged_ledger() -> bytes:
    lines = [
        b"1",
        b"[]",
        b"null",
        b'"x"',
        b"[" * 100000,
        b'{"a":' * 50000,
        b"\xff\xfe",
        b"{}",
        b'{"event": ["begun"]}',
        b'{"event": "begun"}',
        b"x" * 5000000,
    ]
    for at in ('"x"', "null", "1e400", "-1", "[]", "9" * 4000, "NaN", "{}"):
        for event in ("begun", "ended", "run_opened", "refused"):
            lines.append(
                f'{{"event": "{event}", "at": {at}, "run": {at}, "module": ["mta"],'
                f' "instance": {at},'
                f' "restart": {at}, "precision": {at}, "result": "done", "remedy": {{}},'
                f' "seconds": {at}, "who": {at}, "whole_server": true}}'.encode()
            )
    return b"\n".join(lines) + b"\n"


@attack(
    STATE,
    "the same ledger, for a diagnosis",
    "the probe answers or says why not",
    blind=("ledger",),
)
def malformed_ledger_diagnosed(tree: Tree) -> None:
    malformed_ledger.prepare(tree)


@attack(
    STATE,
    "the folder beside the installation has a pause that would hold for 30 days",
    "root's repairs are not paused",
    EVIDENCE,
)
def pause_of_the_account(tree: Tree) -> None:
    tree.state.mkdir(mode=0o700)
    now = time.time()
    entry = {"since": now, "until": now + 29 * 86400, "who": "root", "from": "a1", "reason": "an attack"}
    (tree.state / "pause").write_text(json.dumps(entry))


@pause_of_the_account.judged
def _root_goes_on(_tree: Tree, outcome: Outcome) -> None:
    assert outcome.answer.get("refused") is False, outcome.output[:2000]


@attack(
    STATE,
    "the lock has values of every wrong type, and pids such as `{}` and 10^400",
    AS_THEY_WERE,
    EVIDENCE,
)
def malformed_lock(tree: Tree) -> None:
    tree.state.mkdir(mode=0o700)
    (tree.state / "lock").write_text(DAMAGED_LOCK)


DAMAGED_LOCK = (
    '{"run": {"a": 1}, "beat": "x", "pid": {"a": [1]}, "pid_start": [], "since": 1e400,'
    ' "who": ["\\u001b[2J"], "from": 1e400, "scope": []}\n'
)


@attack(
    STATE,
    "`campaign_state_dir` is a folder of the account's, whose files are links and FIFOs",
    "it is refused: another account could replace it",
    EVIDENCE,
    options=lambda tree: {"state_dir": str(tree.root / "state")},
)
def state_dir_of_the_account(tree: Tree) -> None:
    state = tree.root / "state"
    state.mkdir(mode=0o700)
    for name in ("ledger.jsonl", "lock", ".lock.new", ".mutex", "evidence"):
        (state / name).symlink_to(tree.world.canaries.common)


@state_dir_of_the_account.judged
def _it_was_refused(tree: Tree, outcome: Outcome) -> None:
    assert outcome.answer.get("failed"), outcome.output[:2000]
    assert str(tree.root / "state") in outcome.answer["msg"]


@attack(
    STATE,
    "`campaign_state_dir` is a folder of the account's that it exchanges for a link to root's"
    " folder",
    "it is refused, or root's files stay",
    EVIDENCE,
    delayed=True,
    options=lambda tree: {"state_dir": str(tree.root / "state" / "here")},
    meanwhile=lambda tree: exchange(tree.root / "state"),
)
def state_dir_is_exchanged(tree: Tree) -> None:
    (tree.root / "state" / "here").mkdir(parents=True)


@attack(
    STATE,
    "`campaign_state_dir` is a folder in `/var/tmp` that the account has made first",
    "it is refused: another account could replace it",
    EVIDENCE,
    options=lambda tree: {"state_dir": str(tree.world.tmp)},
)
def state_dir_in_tmp(tree: Tree) -> None:
    tree.world.tmp.mkdir(mode=0o700)
    (tree.world.tmp / "evidence").symlink_to(tree.world.canaries.directory)


@state_dir_in_tmp.judged
def _tmp_was_refused(tree: Tree, outcome: Outcome) -> None:
    assert outcome.answer.get("failed"), outcome.output[:2000]


@attack(
    STATE,
    "logs are links to root's private file, `/etc/shadow` and `/proc/self/environ`",
    "evidence has none of it",
    EVIDENCE,
)
def evidence_through_links(tree: Tree) -> None:
    for name, target in (
        ("mta", str(tree.world.canaries.log)),
        ("wfserver", "/etc/shadow"),
        ("inMail", "/proc/self/environ"),
    ):
        tree.swap(tree.logs / f"{name}.log", target)
    tree.swap(tree.var / "default" / "log", tree.world.canaries.private)


@evidence_through_links.judged
def _evidence_has_none_of_it(tree: Tree, outcome: Outcome) -> None:
    kept = outcome.answer["evidence"]
    assert kept, outcome.output[:2000]
    files = [path for path in Path(kept).rglob("*") if path.is_file()]
    assert files
    for path in files:
        text = path.read_text(errors="replace")
        assert tree.world.canaries.secret not in text, path
        assert "root:" not in text, path


@attack(
    STATE, "`conf/zz.xml` and the logs are FIFOs", "evidence does not wait for them", EVIDENCE
)
def evidence_of_fifos(tree: Tree) -> None:
    tree.fifo(tree.conf / "zz.xml")
    tree.fifo(tree.log)
    tree.fifo(tree.logs / "wfserver.log")


@attack(
    STATE,
    "configuration files with 20,000 passwords and made for the scrubber's patterns",
    "evidence is saved in time",
    EVIDENCE,
)
def evidence_of_many_passwords(tree: Tree) -> None:
    one = "".join(f'<a password="x{number}y{number}z"/>' for number in range(20000))
    (tree.conf / "zz.xml").write_text(f"<x>{one}</x>")
    (tree.conf / "zy.xml").write_text("<x " + "a:" * 500000 + "password" + " " * 500000 + "/>")
    tree.log.write_text(tree.line("password " * 1000) * 200 + "-" * 500000)


@attack(
    STATE,
    "old evidence is a link to root's folder, 5,000 folders and one 2,000 deep",
    "what is removed is the account's own, in time",
    EVIDENCE,
)
def evidence_to_be_removed(tree: Tree) -> None:
    folder = tree.state / "evidence"
    folder.mkdir(parents=True, mode=0o700)
    (folder / "20200101T000000Z-mta@prod").symlink_to(tree.world.canaries.directory)
    for number in range(500):
        (folder / f"20200102T{number:06}Z-mta@prod").mkdir()
    (folder / "20200101T000001Z-mta@prod").mkdir()
    (folder / "20200101T000001Z-mta@prod" / "x").symlink_to(tree.world.canaries.directory)
