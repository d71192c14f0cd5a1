"""Whom a lab's servers run as when root starts them: never root."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from campaign_lab import account
from integration.harness import CHECKOUT
from integration.lab.conftest import LabUnderTest

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="root alone chooses an account")


def ids(pid: int) -> set[str]:
    """All user and group ids of a process, and what capabilities it could have; none of an ended one."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return set()
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    assert int(status["CapPrm"], 16) == int(status["CapEff"], 16) == 0
    return {*status["Uid"].split(), *status["Gid"].split(), *status["Groups"].split()}


def test_nothing_of_a_server_is_root(lab: LabUnderTest) -> None:
    entry = pwd.getpwnam(account.NAME)
    owners = {process.pid: ids(process.pid) for process in lab.processes()}
    assert len([pid for pid in owners if owners[pid]]) >= 8
    for pid, owner in owners.items():
        assert owner in (set(), {str(entry.pw_uid), str(entry.pw_gid)}), pid
    files = [path for path in lab.home.rglob("*") if not path.is_symlink()]
    assert {path.lstat().st_uid for path in files} == {entry.pw_uid}
    assert lab.home.stat().st_uid == entry.pw_uid
    # What root goes on using is root's.
    for path in (lab.root, lab.home.parent, lab.root / "lab.json", lab.root / "outside"):
        assert path.stat().st_uid == 0, path


def test_faults_leave_nothing_of_roots_in_it(lab: LabUnderTest) -> None:
    for fault in ("core_file", "spool_stuck", "disk_full", "web_java_broken"):
        lab.labctl("break", fault)
    lab.labctl("heal")
    assert [path for path in lab.home.parent.glob("*/**/*") if path.lstat().st_uid == 0] == []


def test_the_inventory_names_it(lab: LabUnderTest) -> None:
    told = lab.labctl("inventory").stdout
    assert f'"campaign_user": "{account.NAME}"' in told
    assert f'"campaign_state_dir": "{lab.home.parent}/remediation"' in told


def test_account_of_ones_choice(empty_lab: Callable[..., LabUnderTest]) -> None:
    lab = empty_lab()
    refused = lab.labctl("up", "--account", "root", check=False)
    assert refused.returncode == 1 and "never root" in refused.stderr
    refused = lab.labctl("up", "--account", "no-such-account", check=False)
    assert refused.returncode == 1 and "no account 'no-such-account'" in refused.stderr
    assert "created" not in lab.labctl("up", "--account", "nobody").stdout
    assert {uid for process in lab.processes() for uid in ids(process.pid)} == {
        str(pwd.getpwnam("nobody").pw_uid), str(pwd.getpwnam("nobody").pw_gid)}
    refused = lab.labctl("up", "--account", "daemon", check=False)
    assert refused.returncode == 1 and "the account nobody's, and stays so" in refused.stderr


class Checkout:
    """A checkout of the lab elsewhere."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(CHECKOUT / "lab", folder / "lab",
                        ignore=shutil.ignore_patterns("__pycache__"))

    def labctl(self, *words: str, **env: str) -> str:
        bare = {name: value for name, value in os.environ.items() if name != "CAMPAIGN_LAB_ROOT"}
        done = subprocess.run([sys.executable, self.folder / "lab" / "labctl", *words],
                              env={**bare, "CAMPAIGN_LAB_PEERS_PYTHON": sys.executable, **env},
                              capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def test_the_owner_of_the_checkout(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "checkout")
    os.chown(checkout.folder, pwd.getpwnam("nobody").pw_uid, -1)
    root = {"CAMPAIGN_LAB_ROOT": str(tmp_path / "lab")}
    try:
        assert "created" not in checkout.labctl("up", **root)
        assert '"campaign_user": "nobody"' in checkout.labctl("inventory", **root)
    finally:
        checkout.labctl("down", "--purge", **root)


def test_a_checkout_that_it_cannot_reach(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o700)
    checkout = Checkout(tmp_path / "closed" / "checkout")
    root = Path(checkout.labctl("root").strip())
    assert root.parent == Path(account.KEPT)
    try:
        checkout.labctl("up")
        sources = list((root / ".lib" / "campaign_lab").rglob("*.py"))
        assert sources and not any(path.is_symlink() for path in sources)
        checkout.labctl("break", "module_stopped_by_hand:stat")
        assert "stopped by hand" in checkout.labctl("status")
        checkout.labctl("heal")
    finally:
        checkout.labctl("down", "--purge")
    assert not root.exists()


# ------------------------------------------------------------------------ made, shared, removed


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The account of all labs under a name of the test's."""
    name = "labtest" + secrets.token_hex(4)
    monkeypatch.setattr(account, "NAME", name)
    monkeypatch.setattr(account, "KEPT", str(tmp_path / "kept"))
    monkeypatch.setattr(account, "REGISTER", str(tmp_path / "kept" / "labs.json"))
    yield name
    if exists(name):
        subprocess.run(["userdel", name], check=True)


def exists(name: str) -> bool:
    return any(entry.pw_name == name for entry in pwd.getpwall())


def test_it_goes_with_the_last_lab(own: str, tmp_path: Path, capsys: Any) -> None:
    roots = [tmp_path / name for name in ("one", "two", "deleted")]
    for root in roots:
        root.mkdir()
        account.take(str(root))
    assert capsys.readouterr().out == f"account {own} created\n"
    roots[2].rmdir()  # by hand: nobody tells
    account.release(str(roots[0]))
    assert exists(own)
    account.release(str(roots[1]))
    assert not exists(own)
    assert capsys.readouterr().out == f"account {own} removed\n"
    assert not Path(account.KEPT).exists()


def test_its_processes_and_its_memory_go_with_it(own: str, tmp_path: Path) -> None:
    account.take(str(tmp_path))
    uid = pwd.getpwnam(own).pw_uid
    code = ("import ctypes, time; l = ctypes.CDLL(None); l.shmget(0, 4096, 0o1600);"
            "l.semget(0, 1, 0o1600); print('made', flush=True); time.sleep(600)")
    with subprocess.Popen(["/usr/bin/python3", "-c", code], user=uid, cwd="/",
                          stdout=subprocess.PIPE) as left:
        assert left.stdout and left.stdout.readline() == b"made\n"
        account.release(str(tmp_path))
        assert left.wait(10) == -9
    assert not exists(own)
    for kind, column in (("shm", 9), ("sem", 6)):
        rows = Path("/proc/sysvipc", kind).read_text().splitlines()[1:]
        assert [row for row in rows if row.split()[column] == str(uid)] == []


def test_an_account_of_a_container_is_another(own: str, tmp_path: Path) -> None:
    """It may have the same uid, and what it runs is in the machine's process table, too."""
    account.take(str(tmp_path))
    uid = str(pwd.getpwnam(own).pw_uid)
    as_account = ["setpriv", "--reuid", uid, "--clear-groups", "sh", "-c", "echo; exec sleep 600"]
    with contextlib.ExitStack() as running:
        here, elsewhere = (
            running.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE))
            for command in (as_account, ["unshare", "--pid", "--fork", "--kill-child", *as_account])
        )
        running.callback(here.kill)
        for each in (here, elsewhere):
            assert each.stdout and each.stdout.readline() == b"\n"
        children = Path(f"/proc/{elsewhere.pid}/task/{elsewhere.pid}/children").read_text()
        inside = int(children)
        running.callback(os.kill, inside, signal.SIGKILL)  # its parent ends with it
        assert Path(f"/proc/{inside}").stat().st_uid == int(uid)
        assert account.processes_of(int(uid)) == [here.pid]


def test_an_account_that_was_there_before_stays(own: str, tmp_path: Path) -> None:
    subprocess.run(["useradd", "--system", own], check=True)
    account.take(str(tmp_path))
    account.release(str(tmp_path))
    assert exists(own)


def test_many_at_once(own: str, tmp_path: Path) -> None:
    """Labs come and go in other processes, while others make accounts."""
    code = (f"import sys; sys.path.insert(0, {str(CHECKOUT / 'lab')!r})\n"
            "from campaign_lab import account\n"
            f"account.NAME, account.KEPT, account.REGISTER = {own!r}, {account.KEPT!r}, "
            f"{account.REGISTER!r}\nimport os, pwd\n"
            "for number in range(5):\n"
            "    os.makedirs(sys.argv[1], exist_ok=True)\n"
            "    account.take(sys.argv[1]); pwd.getpwnam(account.NAME)\n"
            "    account.release(sys.argv[1])\n")
    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda name: subprocess.run(
            [sys.executable, "-c", code, tmp_path / name], capture_output=True, text=True,
            timeout=120, check=False), "abcd"))
    assert [run.stderr for run in runs] == [""] * 4
    assert not exists(own)
