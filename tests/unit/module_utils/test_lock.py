"""Who holds a host, who may take it over and when: the rules, and the file that they read."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from unit.module_utils.test_guard import guarded, lock_of

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.record import (
    ledger,
    lock,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.repair import guard

NOW = 1_000_000.0
ONE = {"host": "ansible1", "boot": "b1", "space": "pid:[1]", "pid": 100, "start": 5}
NEXT = {**ONE, "pid": 200, "start": 9}
ELSEWHERE = {**NEXT, "host": "ansible2", "boot": "b2"}
HELD = {"run": "r1", "host": "app1", "controller": ONE, "scope": "run", "since": NOW - 60}


def me(controller=NEXT, **more):
    return {"run": "r2", "host": "app1", "controller": controller, "gone": [], "living": [], **more}


# --------------------------------------------------------------------------------- the rules


@pytest.mark.parametrize(("entry", "asks", "silent", "lives", "state"), [
    (None, me(), 0, False, lock.FREE),
    (HELD, me(ONE, run="r1"), 500, False, lock.OURS),
    # the same controller: what its process does decides, and no time
    (HELD, me(), 0, False, lock.ASK),
    (HELD, me(gone=["100-5"]), 0, False, lock.CUT),
    (HELD, me(gone=["100-5"]), 500, True, lock.AT_WORK),
    (HELD, me(living=["100-5"]), 100_000, False, lock.HELD),
    (HELD, me(gone=["100-6"]), 0, False, lock.ASK),  # its number was used again
    # the same ansible-playbook, which calls this server otherwise, too
    (HELD, me(ONE, run="r1", host="alias"), 500, False, lock.SIBLING),
    (HELD, me(ONE, run="r1", host="alias"), 500, True, lock.SIBLING),
    ({**HELD, "scope": "call"}, me(ONE, run="r1", host="alias"), 0, False, lock.CUT),
    # a run of the same name is no other run's heir
    (HELD, me(NEXT, run="r1"), 0, False, lock.ASK),
    # from elsewhere: two minutes
    (HELD, me(ELSEWHERE), 119, False, lock.HELD),
    (HELD, me(ELSEWHERE, gone=["100-5"]), 119, False, lock.HELD),
    (HELD, me(ELSEWHERE), 121, False, lock.SILENT),
    (HELD, me(ELSEWHERE), 500, True, lock.AT_WORK),
    (HELD, me({**ONE, "boot": "b9"}), 60, False, lock.HELD),  # the controller was started again
    (HELD, me({**ONE, "space": "pid:[2]"}), 60, False, lock.HELD),  # another container
    (HELD, me(None), 60, False, lock.HELD),
    ({**HELD, "controller": None}, me(), 121, False, lock.SILENT),
    # what only waits is not waited for
    ({**HELD, "waiting": True}, me(gone=["100-5"]), 0, True, lock.CUT),
    ({**HELD, "waiting": True}, me(ELSEWHERE), 10, True, lock.HELD),
    # a lock for one call ends with its process on the host
    ({**HELD, "scope": "call"}, me(ELSEWHERE), 0, False, lock.CUT),
    ({**HELD, "scope": "call"}, me(ELSEWHERE), 500, True, lock.AT_WORK),
    # the clock was set back: a sign from the future holds nobody up for long
    (HELD, me(ELSEWHERE), -3600, False, lock.SILENT),
])  # fmt: skip
def test_what_a_lock_means(entry, asks, silent, lives, state):
    assert lock.judge(entry, asks, NOW, NOW - silent, lives) == state


def test_a_step_is_the_process_that_was_seen():
    entry = {"pid": 7, "pid_start": 70, "boot": "b"}
    assert lock.step_lives(entry, {7: 70}.get, "b")
    assert not lock.step_lives(entry, {7: 71}.get, "b")  # its number was used again
    assert not lock.step_lives(entry, {7: 70}.get, "c")  # this machine was started again
    assert not lock.step_lives(dict(entry, pid=None), {7: 70}.get, "b")


@pytest.mark.parametrize(("state", "words"), [
    (lock.HELD, "expires at 1970-01-12T13:48:30Z (in 110 s)"),
    (lock.AT_WORK, "process 7, restart, is running on this host"),
    (lock.SIBLING, "it is this same ansible-playbook"),
    (lock.SILENT, "the next run takes over this host"),
])  # fmt: skip
def test_the_message_says_when_it_ends_by_itself(state, words):
    entry = {**HELD, "who": "anna", "from": "ansible1", "pid": 7, "step": "restart"}
    said = lock.describe(entry, state, NOW, NOW - 10)
    assert words in said
    assert "run r1 of anna from ansible1 (process 100), which calls this host app1" in said
    assert "last sign of life 10 s ago" in said


# ---------------------------------------------------------------------------------- the file


def controller(told=ONE, called="app1", **more):
    return {"controller": {**told, "called": called, "gone": [], "living": [], **more}}


def opened(tmp_path, **options):
    made = guarded(tmp_path, **{"run": "r1", **controller(), **options})
    made.enter("run")
    made.write("run_opened")
    made.leave(keep=True)
    return made


def test_the_lock_names_run_controller_host_and_process(tmp_path):
    made = guarded(tmp_path, run="r1", remedy="restart", **controller())
    made.enter("run")
    entry = lock_of(made)
    assert (entry["run"], entry["host"], entry["controller"]) == ("r1", "app1", ONE)
    assert (entry["pid"], entry["boot"], entry["step"]) == (os.getpid(), lock.boot(), "restart")
    assert lock.step_lives(entry)
    made.leave(keep=True)
    assert not lock.step_lives(lock_of(made))


def test_a_call_that_keeps_the_lock_leaves_it_to_its_run(tmp_path):
    """As where the controller calls the API between two calls of a module."""
    made = guarded(tmp_path, run="r1", **controller())
    made.enter()
    made.leave(keep=True)
    other = guarded(tmp_path, run="r2", **controller(ELSEWHERE))
    assert other.lock.holder()["run"] == "r1"


def test_only_the_controller_can_tell(tmp_path):
    opened(tmp_path)
    asking = guarded(tmp_path, run="r2", lock_timeout=60, **controller(NEXT))
    asking._sleep = lambda seconds: pytest.fail("it waits for what it cannot see")
    with pytest.raises(guard.Refused) as caught:
        asking.enter("run")
    assert caught.value.holder["controller"] == ONE and caught.value.holder["state"] == lock.ASK


def test_a_cut_run_is_taken_over_at_once(tmp_path):
    first = opened(tmp_path)
    sign = first.lock.sign_path()
    made = guarded(tmp_path, run="r2", **controller(NEXT, gone=["100-5"]))
    made.enter("run")
    assert lock_of(made)["run"] == "r2"
    said = "Run r1 of anna from ansible1 (process 100), which calls this host app1 was interrupted:"
    assert made.warnings == [made.taken_over] and made.taken_over.startswith(said)
    assert "its process on ansible1 no longer exists. This run (r2) takes over the host." in made.taken_over
    line = made.ledger.lines()[-1]
    assert (line["event"], line["run"], line["reason"]) == (ledger.TAKEN, "r2", made.taken_over)
    assert line["former"] == {"run": "r1", "host": "app1"}
    assert not os.path.exists(sign)


def test_a_run_that_lost_the_host_does_nothing_more(tmp_path):
    opened(tmp_path)
    guarded(tmp_path, run="r2", **controller(NEXT, gone=["100-5"])).enter("run")
    late = guarded(tmp_path, run="r1", **controller())
    with pytest.raises(guard.Refused, match="Run r1 lost the lock of this host at .*: Run r1 of"):
        late.enter()
    guarded(tmp_path, run="r2", **controller(NEXT)).leave(close=True)
    with pytest.raises(guard.Refused, match="lost the lock of this host"):
        late.enter()
    assert opened(tmp_path).lock.mine  # from its beginning it may


def test_check_mode_takes_nothing_over_and_says_so(tmp_path):
    first = opened(tmp_path)
    before = Path(first.store.join(lock.LOCK)).read_bytes(), first.ledger.lines()
    made = guarded(tmp_path, True, run="r2", **controller(NEXT, gone=["100-5"]))
    made.enter("run")
    assert "This run (r2) would take over the host." in made.warnings[0]
    assert (Path(first.store.join(lock.LOCK)).read_bytes(), first.ledger.lines()) == before


def test_the_sign_file_keeps_a_run_alive_and_goes_with_it(tmp_path):
    first = opened(tmp_path)
    entry = lock_of(first)
    first.store.replace(lock.LOCK, json.dumps(dict(entry, beat=time.time() - 500)).encode())
    other = guarded(tmp_path, run="r2", **controller(ELSEWHERE))
    assert other.lock.holder()["run"] == "r1"
    old = time.time() - 121
    os.utime(first.lock.sign_path(), (old, old))
    assert other.lock.holder() is None
    path = first.lock.sign_path()
    first.leave(close=True)
    assert not os.path.exists(path)


def test_a_sign_that_is_a_link_is_none(tmp_path):
    first = opened(tmp_path)
    path = first.lock.sign_path()
    os.unlink(path)
    os.symlink("/proc/self/stat", path)
    entry = lock_of(first)
    assert lock.last_sign(first.store, entry) == entry["beat"]


def test_another_name_of_the_host_is_not_waited_for_where_that_would_hold_up_the_run(tmp_path):
    opened(tmp_path)
    alias = guarded(tmp_path, run="r1", lock_timeout=60, **controller(called="alias"))
    alias._sleep = lambda seconds: pytest.fail("it waits for itself")
    with pytest.raises(guard.Refused, match="same ansible-playbook.*list the server only once"):
        alias.enter("run", siblings=False)
    alias._sleep = lambda seconds: guarded(tmp_path, run="r1", **controller()).leave(close=True)
    assert alias.enter("run", siblings=True) > 0
    assert lock_of(alias)["host"] == "alias"


def test_beat_is_a_sign_of_life(tmp_path):
    now = [1000.0]
    made = guarded(tmp_path, run="r1")
    made.lock._clock = lambda: now[0]
    made.lock.take("run")
    now[0] += 10
    assert made.lock.beat()
    assert lock_of(made)["beat"] == 1000.0
    now[0] += 20
    assert made.lock.beat()
    assert lock_of(made)["beat"] == 1030.0


# ------------------------------------------------------------------------------------ unlock


def test_unlock_shows_and_frees(tmp_path):
    first = opened(tmp_path)
    looking = guarded(tmp_path, True, run="r2", **controller(ELSEWHERE))
    result = {}
    said = looking.show(result, 10)
    assert "The lock of this host is held by run r1 of anna" in said and "its lock expires at" in said
    assert result["holder"]["state"] == lock.HELD
    assert any("run_opened" in line for line in result["text"])
    assert looking.free()["run"] == "r1" and os.path.exists(first.store.join(lock.LOCK))
    freeing = guarded(tmp_path, run="r2", **controller(ELSEWHERE))
    assert freeing.free()["run"] == "r1"
    assert not os.path.exists(first.store.join(lock.LOCK)) and first.lock.sign_path() is None
    assert "removed by hand" in freeing.ledger.lines()[-1]["reason"]
    with pytest.raises(guard.Refused, match="lost the lock of this host"):
        guarded(tmp_path, run="r1", **controller()).enter()


def test_a_host_where_a_step_is_at_work_is_not_freed_without_a_word(tmp_path):
    guarded(tmp_path, run="r1", **controller()).enter("run")
    with pytest.raises(guard.Refused, match="is running on this host"):
        guarded(tmp_path, run="r2", **controller(ELSEWHERE)).free()
    told = guarded(tmp_path, run="r2", accept_other_run=True, **controller(ELSEWHERE))
    assert told.free()["run"] == "r1"
