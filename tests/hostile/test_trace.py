"""Traced runs: no process of root's opens, changes or runs anything below the account's home, and
none starts a program with the account's environment."""

from __future__ import annotations

import pytest

from hostile.table import CHECK, DIAGNOSIS, EVIDENCE, JOB, MOVE_TMP, RESTART, Run
from hostile.world import Traced, World

RUNS = [DIAGNOSIS, EVIDENCE, RESTART, CHECK, JOB, MOVE_TMP]


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_root_opens_nothing_of_the_accounts(world: World, run: Run) -> None:
    tree = world.tree("trace_" + run.name.replace(" ", "_"))
    outcome = run(tree, {}, world.tracing())
    traced = world.traced()
    judge(world, traced)
    assert outcome.answer
    mine = {entry.call for entry in traced if entry.uid == world.account.pw_uid}
    assert {"open", "run"} <= mine, "the account's own process was not traced"


def judge(world: World, traced: list[Traced]) -> None:
    """Root kept out of the account's home, and of its environment."""
    by_root = [entry for entry in traced if entry.uid == 0]
    assert by_root, "nothing was traced"
    home = str(world.home)
    below = sorted({f"{entry.call} {entry.path}" for entry in by_root
                    if entry.path == home or entry.path.startswith(home + "/")})  # fmt: skip
    assert not below, "root went into the account's home:\n" + "\n".join(below[:40])
    marked = sorted({entry.path for entry in by_root if entry.marked})
    assert not marked, f"root ran {marked} with the account's environment"
