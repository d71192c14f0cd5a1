"""The baits and the tracer work: else a row in which nothing is noted would prove nothing."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from hostile.attacks import environment as attacks
from hostile.table import Attack
from hostile.world import Outcome, World
from integration.harness import environment as bare_environment


def as_root_would(world: World, attack: Attack, *command: str) -> Outcome:
    """Root starts a program with the environment that the account's env.sh gives."""
    tree = world.tree("bait_" + attack.name)
    world.act(lambda: attack.prepare(tree))
    script = f'. "{tree.home}/env.sh"; exec ' + " ".join(command)
    world.noted()
    return world.run(["/bin/sh", "-c", script], bare_environment())


@pytest.mark.parametrize(
    ("attack", "command"),
    [
        (attacks.fake_programs, ["setpriv", "--reuid=1", "/bin/true"]),
        (attacks.preloaded_library, ["/usr/bin/setpriv", "/bin/true"]),
        (attacks.library_path, ["/usr/bin/setpriv", "/bin/true"]),
        (attacks.audit_library, ["/usr/bin/setpriv", "/bin/true"]),
        (attacks.shell_startup, ["/bin/bash", "-c", ":"]),
        (attacks.python_path, ["/usr/bin/python3", "-c", "''"]),
        (attacks.commands_in_customer_sh, ["/bin/true"]),
    ],
    ids=lambda value: value.name if isinstance(value, Attack) else "",
)
def test_a_bait_is_noted_when_root_takes_it(
    world: World, attack: Attack, command: list[str]
) -> None:
    if not shutil.which(Path(command[0]).name):
        pytest.skip(f"no {command[0]} here")
    as_root_would(world, attack, *command)
    assert 0 in {entry.uid for entry in world.noted()}


def test_a_changed_canary_is_noticed(world: World) -> None:
    path = world.canaries.settings
    os.chown(path, world.account.pw_uid, -1)
    with pytest.raises(AssertionError, match="root's files were changed"):
        world.canaries.check()
    world.canaries.check()


def test_the_tracer_sees_what_python_opens_and_runs(world: World, tmp_path: Path) -> None:
    program = (
        "import os, subprocess\n"
        f"open({str(tmp_path / 'opened')!r}, 'w'); os.listdir({str(tmp_path)!r})\n"
        f"os.chown({str(tmp_path / 'opened')!r}, 0, 0)\n"
        "subprocess.run(['/bin/true'], env={'HOSTILE': 'x'})\n"
    )
    world.run([sys.executable, "-c", program], bare_environment(**world.tracing()))
    traced = world.traced()
    seen = {(entry.uid, entry.call, entry.path) for entry in traced}
    assert {(0, "open", str(tmp_path / "opened")), (0, "open", str(tmp_path)),
            (0, "change", str(tmp_path / "opened")), (0, "run", "/bin/true")} <= seen  # fmt: skip
    assert [entry.path for entry in traced if entry.marked] == ["/bin/true"]
