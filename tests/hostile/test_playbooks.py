"""Whole runs of Ansible as root on a server that an account runs in its home.

Root opens and runs nothing of the account's, whatever that account has prepared, and the repair is
done all the same.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from hostile.lab import AccountLab
from hostile.test_trace import judge
from hostile.world import Tree, World


@pytest.fixture(scope="module")
def lab(world: World) -> Iterator[AccountLab]:
    """A healthy server."""
    started = AccountLab(world)
    try:
        started.up()
        yield started
    finally:
        started.down()


def test_a_diagnosis_stays_out_of_the_accounts_home(
    world: World, lab: AccountLab, tmp_path: Path
) -> None:
    run = lab.play("diagnose", tmp_path, {}, world.tracing())
    traced = world.traced()
    assert run.code == 0, str(run)
    assert run.findings("app1") == [], str(run)
    judge(world, traced)


def test_a_repair_is_done_and_gives_root_to_nobody(
    world: World, lab: AccountLab, tmp_path: Path
) -> None:
    """wfserver is killed; the account lays its baits and makes up reasons for other repairs."""
    lab.ctl("break", "module_killed")
    world.act(lambda: lay_baits(world, lab))
    world.noted()
    pid_file = lab.home / "bait" / "nlserver.pid"
    run = lab.play("remediate", tmp_path, {"campaign_pid_file": str(pid_file)}, world.tracing())
    traced = world.traced()
    noted = world.noted()
    world.canaries.check()
    assert noted, "no bait was taken, also not by the account"
    assert not [entry for entry in noted if entry.uid != world.account.pw_uid]
    actions = {(a["module"], a["rung"]): a["result"] for a in run.host("app1")["actions"]}
    assert actions.get(("wfserver", "start")) == "repaired", str(run)
    assert actions.get(("mta", "move_tmp")) not in (None, "repaired"), str(run)
    judge(world, traced)


def lay_baits(world: World, lab: AccountLab) -> None:
    """As the account."""
    tree = Tree(world, "baits")
    for name in ("setpriv", "su", "systemctl", "sh", "env", "mkdir", "python3"):
        tree.program(tree.baits / "bin" / name)
    customer = lab.home / "customer.sh"
    more = lab.home / "more.sh"
    if customer.exists():
        customer.rename(more)
    with more.open("a") as stream:
        stream.write(f"\nexport PATH=$PATH:{tree.baits}/bin HOSTILE=1\n")
        stream.write(f"export LD_PRELOAD={tree.library('preload.so')}\n")
    with (lab.home / "env.sh").open("a") as stream:
        stream.write(f"\n. {more}\n")
    customer.symlink_to(world.canaries.directory / "customer.sh")
    (lab.home / "var" / "tmp").symlink_to(world.canaries.directory)
    (lab.home / "bait").symlink_to(world.canaries.directory)
    with (lab.home / "var" / "prod" / "log" / "mta.log").open("a") as stream:
        stream.write(tree.line("Unable to rename '/tmp/a' to '/var/b' errno=18 (iRc=-52)"))
    os.chmod(lab.home.parent, 0o755)
