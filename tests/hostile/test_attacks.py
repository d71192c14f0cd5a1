"""Every row of the table, judged from outside."""

from __future__ import annotations

import socket

import pytest

from hostile.attacks import SECTIONS
from hostile.table import ATTACKS, Attack, check_answer
from hostile.world import World


def test_the_table_is_whole() -> None:
    assert SECTIONS
    assert len(ATTACKS) >= 60


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_attack(world: World, attack: Attack) -> None:
    tree = world.tree(attack.name)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        tree.port = listener.getsockname()[1]
        world.act(lambda: attack.prepare(tree))
        world.noted()
        try:
            if attack.peer:
                serve = attack.peer
                world.start(lambda: serve(listener))
            if attack.meanwhile:
                go_on = attack.meanwhile
                world.start(lambda: go_on(tree))
            delay = {**world.tracing(), "DELAY": "200"} if attack.delayed else {}
            outcome = attack.run(tree, attack.options(tree), delay)
            left = world.left_of(tree)
        finally:
            world.end_started()
    noted = world.noted()
    world.canaries.check()
    foreign = [entry for entry in noted if entry.uid != world.account.pw_uid]
    assert not foreign, f"run or loaded by another account: {foreign}"
    assert not left, f"processes left behind: {left}"
    check_answer(attack, outcome, world.canaries.secret)
    for judge in attack.judges:
        judge(tree, outcome)
