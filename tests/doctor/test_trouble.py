"""A full disk, a home that cannot be written, a damaged history, secrets."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from campaign_doctor import runner
from campaign_doctor.interrupts import Interrupts
from campaign_doctor.live import Quiet
from campaign_doctor.runner import Access, Ended, PlaybookRun, private_directory
from doctor.events import event
from doctor.harness import FAST, SECONDS, Site, until
from doctor.replay import Replay
from integration.harness import BIN, INVENTORY, run
from needs import needs

ONLY = ("--module", "inMail")


BLOCK = 4096


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A file system without a free block."""
    needs(os.geteuid() == 0, "only root can mount a small file system")
    where = tmp_path / "full"
    where.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", where], check=True)
    try:
        with (where / "filler").open("wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(b"x" * BLOCK)
            except OSError:
                pass
        yield where
    finally:
        subprocess.run(["umount", "-l", where], check=True)


@pytest.mark.parametrize("blocks", [1, 4])
def test_too_little_room_to_begin_is_5_in_one_line(replay: Replay, full: Path, blocks: int) -> None:
    """Without any at all, Python goes elsewhere."""
    os.truncate(full / "filler", (full / "filler").stat().st_size - blocks * BLOCK)
    done = replay.doctor("diagnose", *ONLY, env={"TMPDIR": str(full)})
    assert done.code == 5 and "TMPDIR" in done.err, str(done)
    assert len(done.err.strip().splitlines()) == 1, str(done)
    assert [path.name for path in full.iterdir()] == ["filler"]


def test_a_disk_that_fills_up_in_the_middle_ends_a_diagnosis(
    fake: Path, full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ansible would wait for ever for what it cannot write."""
    fake.write_text("#!/bin/sh\nexec sleep 300\n")
    monkeypatch.setattr(runner, "ROOM_BYTES", 0)
    monkeypatch.setattr(runner, "ROOM_LOOK_SECONDS", 0.5)
    monkeypatch.setattr("tempfile.tempdir", str(full))
    os.truncate(full / "filler", (full / "filler").stat().st_size - 3 * BLOCK)
    watcher = Quiet(Console(file=io.StringIO()))
    began = time.monotonic()
    with Interrupts() as interrupts, private_directory() as private:
        with (private / "more").open("wb", buffering=0) as more:
            more.write(b"x" * BLOCK)
        ended = runner.run(PlaybookRun("diagnose"), Access(), private, watcher, interrupts)
    assert time.monotonic() - began < 60
    assert any("No space left" in text for text in ended.errors), ended


def test_no_room_for_the_report_is_told_and_5(replay: Replay, full: Path) -> None:
    replay.can("healthy")
    done = replay.doctor("diagnose", *ONLY, "--output", full)
    assert done.code == 5 and "cannot be written" in done.err, str(done)
    assert "1 host: 1 healthy" in done.out, "what was found is shown all the same"
    assert [path.name for path in full.iterdir()] == ["filler"], "no half of a file"


def test_no_room_for_the_plan_is_told_and_5(replay: Replay, full: Path) -> None:
    replay.can("planned")
    done = replay.doctor("plan", *ONLY, "--save", full / "plan.json")
    assert done.code == 5 and "cannot be saved" in done.err, str(done)


def test_no_room_for_the_history_is_told_and_changes_nothing_else(
    replay: Replay, full: Path
) -> None:
    replay.can("healthy")
    done = replay.doctor("diagnose", *ONLY, "--history", full / "history.db")
    assert done.code == 0 and "History: " in done.err, str(done)


def test_a_home_that_cannot_be_written(site: Site) -> None:
    """As of a service: the runs are not kept, and that is all."""
    if os.geteuid() == 0:
        mount = ["mount", "--bind", "-o", "ro", str(site.home), str(site.home)]
        subprocess.run(mount, check=True)
        subprocess.run(["mount", "-o", "remount,bind,ro", str(site.home)], check=True)
    else:
        site.home.chmod(0o500)
    try:
        done = site.doctor("diagnose", *ONLY, env={"ANSIBLE_HOME": str(site.tmp / "ansible")})
    finally:
        if os.geteuid() == 0:
            subprocess.run(["umount", "-l", str(site.home)], check=True)
        else:
            site.home.chmod(0o700)
    assert done.code == 0 and "1 host: 1 healthy" in done.out, str(done)
    assert "History: " in done.err, str(done)


def test_a_damaged_history_is_set_aside(replay: Replay) -> None:
    replay.can("healthy")
    history = replay.home / "history.db"
    history.write_bytes(b"this is no database " * 500)
    done = replay.doctor("diagnose", *ONLY, "--history", history)
    assert done.code == 0 and "set aside" in done.err, str(done)
    assert "diagnose" in replay.run("history", "--history", history).out


def test_secrets_of_the_command_line_go_no_further(site: Site) -> None:
    """Not to Ansible's command line, the history, or anything that is left."""
    site.breaks("module_stopped_by_hand:inMail")
    secret = "Tr0ub4dor"
    process = site.start(
        "remediate", "-i", INVENTORY, "--yes", *ONLY, *FAST, "-e", f"campaign_note={secret}",
        "-e", "campaign_wait=4",
    )
    seen: set[str] = set()

    def looked() -> bool:
        for each in site.processes():
            with contextlib.suppress(psutil.Error):
                if each.pid != process.pid:
                    seen.add(" ".join(each.cmdline()))
        return process.poll() is not None

    until(SECONDS, looked)
    out = process.communicate()[0]
    assert process.returncode == 0, out
    assert any("ansible-playbook" in words for words in seen), seen
    assert not [words for words in seen if secret in words]
    assert secret not in out
    for path in site.folder.rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes(), path


def test_a_vault_is_opened(site: Site) -> None:
    """A vault-encrypted variable; its password is in a file that an option or the settings name."""
    password = site.work / "vault-password"
    password.write_text("open sesame\n")
    secrets = site.work / "secrets.yml"
    secrets.write_text("campaign_fail_on: sometimes\n")
    sealed = run([BIN / "ansible-vault", "encrypt", "--vault-password-file", password, secrets],
                 env=site.env)
    assert sealed.code == 0, str(sealed)
    closed = site.doctor("diagnose", *ONLY, "-e", f"@{secrets}")
    assert closed.code == 5 and "vault" in closed.err, str(closed)
    opened = site.doctor("diagnose", *ONLY, "-e", f"@{secrets}", "--vault-password-file", password)
    assert opened.code == 5 and "sometimes" in opened.err, str(opened)
    (site.work / "campaign-doctor.toml").write_text(
        'vault_password_file = "vault-password"\n[extra_vars]\ncampaign_fail_on = "never"\n')
    again = site.doctor("diagnose", *ONLY, "-e", f"@{secrets}")
    assert again.code == 5 and "sometimes" in again.err, "-e wins over the file"
    assert site.doctor("diagnose", *ONLY, "-e", json.dumps({"campaign_fail_on": "never"})).code == 0


def test_an_error_names_its_host_once(tmp_path: Path) -> None:
    ended = Ended(tmp_path)
    about = "campaign_batch must be a number of hosts, not 'many'"
    for host, message in (("app1", f"app1: {about}"), ("app1", f"app3: {about}"), ("app1", "No space.")):
        runner._note(event("runner_on_failed", host, res={"msg": message}), ended)
    assert ended.errors == [f"app1: {about}", f"app3: {about}", "app1: No space."]
