"""Files that a remedy changes: what is written, and what is left alone."""

from __future__ import annotations

import os
import pwd
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.account import tree
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.errors import (
    ProbeError,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.repair import files

NOBODY = pwd.getpwnam("nobody")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that other accounts may look into, on the device of /tmp."""
    with tempfile.TemporaryDirectory() as parent:
        Path(parent).chmod(0o755)
        yield Path(parent)


@pytest.fixture
def home(place: Path) -> Path:
    home = place / "nl6"
    for name in ("bin", "conf", "var/prod/mta", "var/prod2/mta"):
        (home / name).mkdir(parents=True)
    (home / "bin/nlserver").write_text("#!/bin/sh\n")
    (home / "bin/nlserver").chmod(0o755)
    (home / "env.sh").write_text(f'[ -f {home}/customer.sh ] && . {home}/customer.sh; A=1\n')
    for name in ("prod", "prod2"):
        (home / "conf" / f"config-{name}.xml").write_text("<serverconf><mta/></serverconf>")
    return home


def options(home: Path, user: str = "", **more: Any) -> dict[str, Any]:
    user = user or pwd.getpwuid(os.geteuid()).pw_name
    return {"home": str(home), "user": user, "address": "127.0.0.1", "state_dir": "",
            "service": "", "pid_file": "", **more}  # fmt: skip


def move(home: Path, apply: bool = True, **more: Any) -> dict[str, Any]:
    return files.move_tmp(options(home, **more), apply)


def give(place: Path) -> None:
    for path in (place, *place.rglob("*")):
        os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid, follow_symlinks=False)


def test_a_line_and_a_directory(home: Path) -> None:
    (home / "customer.sh").write_text("export A=b # TMPDIR=\n#export TMPDIR=/x")
    line = f"export TMPDIR={home}/var/tmp"
    expected = [["mkdir", "-p", f"{home}/var/tmp"], ["customer.sh", line]]
    announced = move(home, apply=False)
    assert (announced["changed"], announced["commands"]) == (True, expected)
    assert announced["diff"]["after"] == line + "\n"
    assert not (home / "var/tmp").exists()
    assert line not in (home / "customer.sh").read_text()
    assert move(home) == announced
    script = (home / "customer.sh").read_text()
    assert script == f"export A=b # TMPDIR=\n#export TMPDIR=/x\n{line}\n"
    again = move(home)
    assert (again["changed"], again["commands"], again["diff"]["after"]) == (False, [], "")


def test_the_variable_directory_of_the_site(home: Path, place: Path) -> None:
    (place / "data b").mkdir()
    (home / "customer.sh").write_text(f"export XTK_VAR_DIR='{place}/data b'\n")
    done = move(home)
    assert done["commands"][1] == ["customer.sh", f"export TMPDIR='{place}/data b/tmp'"]
    assert (place / "data b" / "tmp").is_dir()
    assert move(home)["changed"] is False


def test_a_line_of_the_site_is_left_alone(home: Path) -> None:
    (home / "customer.sh").write_text("A=1\n  export TMPDIR=/fast/tmp\n")
    with pytest.raises(files.NotChanged, match=r"already sets TMPDIR \(line 2: export TMPDIR=/fast"):
        move(home)
    assert (home / "customer.sh").read_text() == "A=1\n  export TMPDIR=/fast/tmp\n"
    assert not (home / "var/tmp").exists()


def test_what_would_not_help_is_not_done(home: Path) -> None:
    """One spool of two is on another device than the new directory would be."""
    if os.stat("/dev/shm").st_dev == os.stat(home).st_dev:
        pytest.skip("/dev/shm is on the same device")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        (home / "conf/config-prod2.xml").write_text(
            f"<serverconf><mta workingPath='{other}'/></serverconf>"
        )
        with pytest.raises(files.NotChanged, match=rf"is not on the same device as {other} \(prod2\)"):
            move(home)
    assert not (home / "customer.sh").exists()
    assert not (home / "var/tmp").exists()


def test_a_spool_that_is_still_to_be_made_is_judged_by_where_it_will_be(home: Path) -> None:
    if os.stat("/dev/shm").st_dev == os.stat(home).st_dev:
        pytest.skip("/dev/shm is on the same device")
    (home / "conf/config-prod2.xml").write_text(
        "<serverconf><mta workingPath='/dev/shm/still/to/be/made'/></serverconf>"
    )
    with pytest.raises(files.NotChanged, match="is not on the same device as /dev/shm/still"):
        move(home)
    assert not (home / "customer.sh").exists()


@as_root
def test_root_changes_nothing_through_the_accounts_links(home: Path, place: Path) -> None:
    """Neither a file of root's nor the owner of a folder of root's."""
    with tempfile.TemporaryDirectory() as roots:
        Path(roots).chmod(0o755)
        profile = Path(roots) / "profile"
        profile.write_text("# root's\n")
        (home / "customer.sh").symlink_to(profile)
        (home / "var/tmp").symlink_to(roots)
        give(place)
        with pytest.raises(ProbeError) as caught:
            move(home, user="nobody")
        assert caught.value.kind == "denied"
        assert profile.read_text() == "# root's\n"
        assert Path(roots).stat().st_uid == 0


@as_root
def test_what_is_made_is_the_accounts(home: Path, place: Path) -> None:
    give(place)
    assert move(home, user="nobody")["changed"] is True
    made = [home / "customer.sh", home / "var/tmp"]
    assert [path.stat().st_uid for path in made] == [NOBODY.pw_uid] * 2


@pytest.mark.parametrize("make", ["fifo", "directory", "large"])
def test_a_customer_sh_that_is_none(home: Path, make: str) -> None:
    (home / "env.sh").write_text("A=1\n")
    if make == "fifo":
        os.mkfifo(home / "customer.sh")
    elif make == "directory":
        (home / "customer.sh").mkdir()
    else:
        (home / "customer.sh").write_bytes(b"#" * (tree.SCRIPT_LIMIT + 1))
    with pytest.raises(ProbeError, match="customer.sh"):
        move(home)
    assert not (home / "var/tmp").exists()


def remove(home: Path, path: Path, apply: bool = True, **more: Any) -> dict[str, Any]:
    return files.remove_pid_file(options(home, pid_file=str(path), **more), apply)


def test_a_stale_pid_file(home: Path, place: Path) -> None:
    path = place / "nlserver.pid"
    assert remove(home, path)["msg"] == f"{path} does not exist."
    path.write_text("99999999\n")
    announced = remove(home, path, apply=False)
    assert (announced["changed"], announced["commands"]) == (True, [["rm", str(path)]])
    assert path.exists()
    assert remove(home, path) == announced
    assert not path.exists()


def test_a_pid_file_of_a_process_that_does_not_show_what_it_is(
    home: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = place / "nlserver.pid"
    path.write_text("4711\n")
    monkeypatch.setattr(files.proc, "watchdog", lambda pid: {"alive": True, "matches": None})
    with pytest.raises(files.NotChanged, match="process 4711"):
        remove(home, path)
    assert path.exists()


@as_root
def test_a_pid_file_in_a_folder_of_roots(home: Path, place: Path) -> None:
    path = place / "run" / "nlserver.pid"
    give(home)
    path.parent.mkdir()
    path.write_text("99999999\n")
    assert remove(home, path, user="nobody")["changed"] is True
    assert not path.exists()


@as_root
def test_a_pid_file_that_could_be_anything(home: Path, place: Path) -> None:
    """Not removed by root: the folder is the account's, and the file is in one of root's."""
    with tempfile.TemporaryDirectory() as roots:
        Path(roots).chmod(0o755)
        (Path(roots) / "x.pid").write_text("99999999\n")
        (home / "run").symlink_to(roots)
        give(place)
        with pytest.raises(files.NotChanged, match="an account other than root can change"):
            remove(home, home / "run" / "x.pid", user="nobody")
        assert (Path(roots) / "x.pid").exists()
