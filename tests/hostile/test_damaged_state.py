"""A ledger and a lock that are damaged, by whatever: the next run says so in a line, or goes on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hostile.attacks.state import DAMAGED_LOCK, damaged_ledger
from hostile.table import DIAGNOSIS, EVIDENCE
from hostile.world import Outcome, World

DAMAGED = [
    ("ledger.jsonl", damaged_ledger()),
    ("lock", DAMAGED_LOCK.encode()),
    ("lock", b"[" * 100000),
    ("lock", b'{"run": "other", "beat": 1e400, "scope": "run", "since": -1e400, "pid": -1}'),
    ("lock", b"\xff\xfe"),
]
IDS = ["ledger", "lock_types", "lock_deep", "lock_times", "lock_binary"]


@pytest.mark.parametrize(("name", "damage"), DAMAGED, ids=IDS)
def test_a_run_on_damaged_state_ends_in_a_line_and_leaves_no_lock(
    world: World, name: str, damage: bytes, request: pytest.FixtureRequest
) -> None:
    tree = world.tree(f"damaged_{request.node.callspec.id}")

    def ask(state: str) -> Outcome:
        return EVIDENCE(tree, {"state": state, "evidence": False})

    where = Path(ask("opened").answer["state_dir"])
    ask("closed")
    status = where.stat()
    (where / name).write_bytes(damage)
    os.chown(where / name, status.st_uid, status.st_gid)
    outcomes = [DIAGNOSIS(tree, {"probes": ["ledger"]}), ask("opened"), ask("closed")]
    for outcome in outcomes:
        assert "Traceback" not in outcome.output + outcome.errors
        assert "\n" not in outcome.answer.get("msg", "")
        assert outcome.seconds < 15
    assert not outcomes[1].answer.get("failed"), outcomes[1].answer["msg"]
    assert not (where / "lock").exists()


@pytest.mark.parametrize("damage", [b"[" * 5000, b'{"until": 1e400}', b"\xff"])
def test_a_damaged_pause_refuses_in_a_line_until_it_is_ended(world: World, damage: bytes) -> None:
    tree = world.tree(f"damaged_pause_{len(damage)}")

    def ask(state: str) -> Outcome:
        return EVIDENCE(tree, {"state": state, "evidence": False})

    where = Path(ask("opened").answer["state_dir"])
    ask("closed")
    (where / "pause").write_bytes(damage)
    seen, refused, ended = DIAGNOSIS(tree, {"probes": ["ledger"]}), ask("opened"), ask("resumed")
    assert "Traceback" not in seen.output + refused.output + ended.output
    assert refused.answer["guard"] == "pause" and "is damaged" in refused.answer["msg"]
    assert ended.answer["changed"] and not (where / "pause").exists()
    assert not ask("opened").answer.get("failed")
    ask("closed")
