"""A pause: what is refused while it holds, how it ends, and what a damaged file means."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from unit.module_utils.test_guard import guarded

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.errors import (
    InputError,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.record import (
    ledger,
    lock,
    pause,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.repair import (
    guard,
    guard_call,
)

NOW = 1_000_000.0
HELD = {"since": NOW, "until": NOW + 7200, "who": "anna", "from": "ansible1", "reason": "a new disk"}
CONTROLLER = {"controller": {
    "host": "ansible1", "boot": "b1", "space": "pid:[1]", "pid": 100, "start": 5, "called": "app1",
    "gone": [], "living": [],
}}


def paused(made, **more):
    now = time.time()
    pause.write(made.store, {**HELD, "since": now, "until": now + 7200, **more}, now)


# ----------------------------------------------------------------------------- the file


@pytest.mark.parametrize(("text", "expected"), [
    ("1m", 60), ("30m", 1800), ("2h", 7200), ("1.5h", 5400), (" 1d ", 86400), ("30d", 2592000),
])  # fmt: skip
def test_how_long(text, expected):
    assert pause.seconds(text) == expected


@pytest.mark.parametrize("text", ["", "2", "59s", "0.5m", "31d", "721h", "-1h", "2 hours", "9" * 400])
def test_a_time_out_of_bounds_is_refused(text):
    with pytest.raises(InputError, match=r"campaign_pause_for\) must be 1m to 30d") as caught:
        pause.seconds(text)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("text", ["", " \n ", "x" * 201])
def test_a_reason_that_says_nothing_is_refused(text):
    with pytest.raises(InputError, match="campaign_pause_reason"):
        pause.reason(text)
    assert pause.reason(" a\n new  disk ") == "a new disk"


@pytest.mark.parametrize(("now", "holds"), [
    (NOW, True), (NOW + 7199, True), (NOW + 7200, False), (NOW + 1e6, False),
    (NOW - 299, True),  # the clock was corrected a little
])  # fmt: skip
def test_it_ends_by_itself(tmp_path, now, holds):
    made = guarded(tmp_path)
    assert pause.write(made.store, HELD, NOW) is None
    found = pause.look(made.store, now)
    assert bool(found) is holds
    if holds:
        assert found == {**HELD, "unknown": None}


def test_a_clock_that_was_set_back_makes_it_unknown(tmp_path):
    made = guarded(tmp_path)
    pause.write(made.store, HELD, NOW)
    found = pause.look(made.store, NOW - 86400)
    assert "in the future by the clock of this host" in found["unknown"] and found["until"] is None


DAMAGED = {
    "text": b"{", "binary": b"\xff\xfe\x00", "list": b"[]", "empty": b"",
    "deep": b"[" * 4000, "large": json.dumps({**HELD, "reason": "x" * 5000}).encode(),
    "for ever": json.dumps({**HELD, "until": 9e11}).encode(),
    "backwards": json.dumps({**HELD, "until": NOW - 1}).encode(),
    "no number": json.dumps({**HELD, "until": "never"}).encode(),
    "nan": json.dumps({**HELD, "until": float("nan")}).encode(),
    "no who": json.dumps({**HELD, "who": None}).encode(),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_neither_none_nor_a_pause(tmp_path, name):
    made = guarded(tmp_path)
    Path(made.store.join(pause.PAUSE)).write_bytes(DAMAGED[name])
    found = pause.look(made.store, NOW)
    assert "is damaged" in found["unknown"]
    assert "unknown whether repairs are paused" in pause.in_words(found)
    with pytest.raises(guard.Refused, match="unknown whether repairs are paused") as caught:
        guarded(tmp_path).enter()
    assert caught.value.guard == "pause" and "resume" in caught.value.way_out
    assert pause.end(made.store, NOW)["unknown"]
    guarded(tmp_path).enter()


@pytest.mark.parametrize("kind", ["link", "fifo", "folder"])
def test_what_is_no_file_is_not_opened(tmp_path, kind):
    made = guarded(tmp_path)
    path = Path(made.store.join(pause.PAUSE))
    secret = tmp_path / "secret"
    secret.write_text(json.dumps(HELD))
    {"link": lambda: path.symlink_to(secret), "fifo": lambda: os.mkfifo(path),
     "folder": path.mkdir}[kind]()  # fmt: skip
    assert str(path) in pause.look(made.store, NOW)["unknown"]
    if kind == "folder":
        with pytest.raises(ledger.StoreError, match="remove it by hand"):
            pause.end(made.store, NOW)
    else:
        assert pause.end(made.store, NOW) and not path.is_symlink() and not path.exists()
    assert json.loads(secret.read_text()) == HELD


def test_what_it_says_is_safe_to_show(tmp_path):
    made = guarded(tmp_path)
    pause.write(made.store, {**HELD, "reason": "a\x1b[2Jb\x07 password=Secret1"}, NOW)
    said = pause.in_words(pause.look(made.store, NOW))
    assert said.isprintable() and "Secret1" not in said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has accounts to mistrust")
def test_a_folder_that_another_account_can_change_pauses_nothing(tmp_path):
    """Root's repairs are not paused by a file of the Campaign account: it is refused, and told."""
    made = guarded(tmp_path)
    paused(made)
    os.chown(made.store.path, 65534, 65534)
    with pytest.raises(ledger.StoreError, match="other than root can change"):
        pause.look(ledger.Store(made.store.path), NOW)
    with pytest.raises(guard.Refused) as caught:
        guard.GuardedChange(made.context).enter()
    assert caught.value.guard == "record"


# ---------------------------------------------------------------------------- the guards


def test_a_paused_host_refuses_what_begins(tmp_path):
    paused(guarded(tmp_path))
    made = guarded(tmp_path, run="r1", **CONTROLLER)
    with pytest.raises(guard.Refused) as caught:
        made.enter("run")
    said = str(caught.value)
    assert caught.value.guard == "pause"
    for words in ("paused on this host until 2", "a new disk (anna, since 2", "resume app1",
                  "campaign_accept_pause=true"):  # fmt: skip
        assert words in said, said
    assert made.lock.look()[1] == lock.FREE, "the host stays free for others"


def test_check_mode_gives_the_real_answer(tmp_path):
    paused(guarded(tmp_path))
    with pytest.raises(guard.Refused, match="Repairs are paused"):
        guarded(tmp_path, True).enter()


def test_an_operator_may_go_on_in_spite_of_it(tmp_path):
    paused(guarded(tmp_path))
    made = guarded(tmp_path, accept_pause=True)
    made.enter()
    (warning,) = made.warnings
    assert "Repairs are paused" in warning and "campaign_accept_pause is set" in warning


def test_what_has_begun_goes_on_to_its_end(tmp_path):
    first = guarded(tmp_path, run="r1", **CONTROLLER)
    first.enter("run")
    first.write("begun", remedy="restart_service", module="watchdog", whole_server=True)
    first.leave(keep=True)
    paused(first)
    inside = guarded(tmp_path, run="r1", **CONTROLLER)
    inside.enter()
    inside.leave(keep=True)
    inside.write("ended", remedy="restart_service", module="watchdog", result="done")
    with pytest.raises(guard.Refused, match="Repairs are paused"):
        guarded(tmp_path, run="r1", **CONTROLLER).enter("run")


def test_another_run_finishes_nothing_while_it_holds(tmp_path):
    first = guarded(tmp_path, run="r1")
    first.write("begun", remedy="restart_service", module="watchdog", whole_server=True)
    paused(first)
    second = guarded(tmp_path, run="r2")
    with pytest.raises(guard.Refused, match="Repairs are paused"):
        second.enter("run")
    assert [entry["remedy"] for entry in second.interrupted] == ["restart_service"], "it is told"


def test_the_ledger_of_a_host_shows_it(tmp_path):
    """As campaign-doctor ledger does: who holds the host, then the pause."""
    made = guarded(tmp_path)
    paused(made)
    result = {}
    made.show(result, 10)
    assert result["text"][0] == "No run holds the lock of this host."
    assert result["text"][1].startswith("Repairs are paused on this host until")
    assert result["pause"]["reason"] == "a new disk"


# ------------------------------------------------------------------------------ the call


def call(tmp_path, monkeypatch, state, check_mode=False, **options):
    """What campaign_guard does, without a server."""
    context = guarded(tmp_path).context
    context.options.update(options)
    monkeypatch.setattr(guard, "open_context", lambda options: context)
    given = {
        **context.options, "state": state, "module": "", "instance": "default", "before": None,
        "after": None, "seconds": None, "reason": "", "pause_for": "", **options,
    }  # fmt: skip
    result = guard_call.blank_result()
    made = guard_call.Call(given, check_mode, result)
    made.run()
    return {**result, "diff": made.diff()}


def test_pause_replace_and_resume(tmp_path, monkeypatch):
    def do(state, **options):
        return call(tmp_path, monkeypatch, state, **options)

    first = do("paused", pause_for="1d", reason="a new disk")
    assert first["changed"] and first["replaced"] is None and "replaces" not in first["msg"]
    assert first["diff"]["before"] == "Repairs are not paused on this host.\n"
    later = do("paused", pause_for="30m", reason="only a check", who="berta")
    assert "only a check (berta" in later["msg"]
    assert "replaces the pause until" in later["msg"] and "a new disk (anna" in later["msg"]
    held = pause.look(guarded(tmp_path).store, time.time())
    assert held["who"] == "berta" and 1790 < held["until"] - time.time() <= 1800
    would = do("resumed", check_mode=True)
    assert would["changed"] and "would be ended" in would["msg"]
    assert pause.look(guarded(tmp_path).store, time.time()) == held
    done = do("resumed")
    assert done["changed"] and done["diff"]["after"] == first["diff"]["before"]
    assert do("resumed")["changed"] is False
    events = [line["event"] for line in guarded(tmp_path).lines()]
    assert events == ["paused", "paused", "resumed"]


def test_check_mode_pauses_nothing(tmp_path, monkeypatch):
    would = call(tmp_path, monkeypatch, "paused", True, pause_for="1h", reason="a new disk")
    assert would["changed"] and "would be paused" in would["msg"]
    assert pause.look(guarded(tmp_path).store, time.time()) is None
    assert guarded(tmp_path).lines() == []


def test_a_host_at_work_can_be_paused(tmp_path, monkeypatch):
    first = guarded(tmp_path, run="r1", **CONTROLLER)
    first.enter("run")
    done = call(tmp_path, monkeypatch, "paused", pause_for="1h", reason="a new disk", who="berta")
    assert "held by run r1 of anna" in done["msg"] and "goes on to its end" in done["msg"]


@pytest.mark.parametrize("options", [{"reason": "x"}, {"pause_for": "1h"}])
def test_a_pause_without_an_end_or_a_reason_is_refused(tmp_path, monkeypatch, options):
    with pytest.raises(InputError, match="campaign_pause_"):
        call(tmp_path, monkeypatch, "paused", **options)
