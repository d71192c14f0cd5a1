"""SIGKILL at any moment: what the command wrote for Ansible is gone with the next command."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from doctor.harness import Person, until
from doctor.replay import FAKE

SECRET = "only-for-this-run-4711"

# The real command with the fake ansible-playbook, killed by itself at a moment of the run.
COMMAND = """
import fcntl, os, shutil, signal, sys, tempfile
import ansible_runner
from campaign_doctor import cli, runner

def then_die(function):
    def called(*words, **more):
        function(*words, **more)
        os.kill(os.getpid(), signal.SIGKILL)
    return called

def die_in(function):
    def called(path, *words, **more):
        if (path.parent / "lock").exists():
            assert [each.name for each in path.parent.iterdir() if each.name == "lock"]
            os.kill(os.getpid(), signal.SIGKILL)
        function(path, *words, **more)
    return called

moment, bin = sys.argv[1:3]
real = runner._environment
def environment(access, folder):
    found = real(access, folder)
    return {**found, "PATH": bin + os.pathsep + found["PATH"]}
runner._environment = environment
if moment == "made":
    tempfile.mkdtemp = then_die(tempfile.mkdtemp)
elif moment == "locked":
    fcntl.flock = then_die(fcntl.flock)
elif moment == "written":
    ansible_runner.interface.init_runner = then_die(lambda **more: None)
elif moment == "removing":
    shutil.rmtree = die_in(shutil.rmtree)
sys.argv[:] = ["campaign-doctor", *sys.argv[3:]]
cli.main()
"""


class Killed(Person):
    """A person whose Ansible is the fake one."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, FAKE_RUNS=str(folder / "runs"))
        self.runs = folder / "runs"
        command = folder / "bin" / "ansible-playbook"
        command.parent.mkdir()
        command.write_text(f"#!{sys.executable}\n{FAKE.read_text()}")
        command.chmod(command.stat().st_mode | stat.S_IXUSR)

    def begin(self, moment: str) -> subprocess.Popen[str]:
        """A diagnosis with a secret among its variables."""
        words = ["diagnose", "-i", "app1,", "-e", f"some_password={SECRET}"]
        env = self.env if moment in ("running", "never") else {
            name: value for name, value in self.env.items() if name != "FAKE_RUNS"
        }
        return subprocess.Popen(
            [sys.executable, "-c", COMMAND, moment, str(self.folder / "bin"), *words],
            cwd=self.work, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )

    def left(self) -> list[Path]:
        """The private directories that are there."""
        return sorted(self.tmp.glob("campaign-doctor-*"))

    def holds_secret(self) -> list[Path]:
        """The files below the temporary directory that hold the secret."""
        files = [path for path in self.tmp.rglob("*") if path.is_file()]
        return [path for path in files if SECRET in path.read_text(errors="replace")]


@pytest.fixture
def person(tmp_path: Path) -> Iterator[Killed]:
    """Whatever of Ansible is left runs no longer afterwards."""
    person = Killed(tmp_path)
    yield person
    person.runs.unlink(missing_ok=True)
    for each in person.processes():
        with suppress(psutil.NoSuchProcess):  # it may be ending
            each.kill()


def test_a_run_keeps_the_secret_from_others(person: Killed) -> None:
    process = person.begin("running")
    until(60, person.runs.exists)
    (left,) = person.left()
    assert stat.S_IMODE(left.stat().st_mode) == 0o700
    files = person.holds_secret()
    assert files, "the moment is missed"
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    shown = []
    for child in psutil.Process(process.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            shown.append(" ".join([*child.cmdline(), *child.environ().values()]))
    assert shown and not any(SECRET in text for text in shown)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    assert person.left() == [left] and person.holds_secret()
    assert person.run("explain", "mta.hung").code == 0  # it needs no server
    assert person.left() == []


@pytest.mark.parametrize("moment", ["made", "locked", "written", "removing"])
def test_killed_at_a_moment_it_leaves_nothing_for_the_next_command(
    person: Killed, moment: str
) -> None:
    process = person.begin(moment)
    said = process.communicate(timeout=120)[0]
    assert process.returncode == -signal.SIGKILL, said
    (left,) = person.left()
    assert stat.S_IMODE(left.stat().st_mode) == 0o700
    if moment in ("written", "removing"):
        assert person.holds_secret()
    assert person.run("explain", "mta.hung").code == 0
    assert person.left() == []


def test_a_run_that_is_alive_keeps_its_directory(person: Killed) -> None:
    process = person.begin("never")
    until(60, person.runs.exists)
    (left,) = person.left()
    words = [str(Path(sys.executable).with_name("campaign-doctor")), "explain", "mta.hung"]
    subprocess.run(words, env=person.env, cwd=person.work, capture_output=True, timeout=60,
                   check=True)
    assert person.left() == [left]
    told = json.loads(person.runs.read_text())
    assert [word for word in told if word.startswith(f"@{left}/")]
    person.runs.unlink()
    process.communicate(timeout=60)
    assert process.returncode >= 0 and person.left() == []


def test_what_ansible_wrote_after_the_command_was_killed_goes_too(person: Killed) -> None:
    report = person.tmp / "campaign-doctor-x" / "run-y" / "report"
    report.mkdir(parents=True)
    (report / "report.json").touch()
    assert person.run("explain", "mta.hung").code == 0
    assert person.left() == []


def test_what_is_not_one_s_own_is_left_alone(person: Killed, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "lock").touch()
    (other / "kept").touch()
    (person.tmp / "campaign-doctor-link").symlink_to(other)
    (person.tmp / "campaign-doctor-file").touch()
    full = person.tmp / "campaign-doctor-x"
    full.mkdir()
    (full / "no-lock").touch()  # no command of this one's makes that
    words = [str(Path(sys.executable).with_name("campaign-doctor")), "explain", "mta.hung"]
    subprocess.run(words, env=person.env, cwd=person.work, capture_output=True, timeout=60,
                   check=True)
    assert (other / "kept").exists() and (full / "no-lock").exists()
    assert (person.tmp / "campaign-doctor-file").exists()
