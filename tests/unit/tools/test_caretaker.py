"""tools/caretaker.py: what belongs to a run, and when it is removed."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import caretaker
import psutil
import pytest

from campaign_lab.modules.trackinglogd import find, remove_segment

Started = Callable[..., "subprocess.Popen[bytes]"]
SECONDS = 20


@pytest.fixture
def started() -> Iterator[Started]:
    """Starts processes, as those that a run leaves behind."""
    made: list[subprocess.Popen[bytes]] = []

    def start(*command: str | Path, cwd: Path | str = "/", **env: str) -> subprocess.Popen[bytes]:
        words = command or ("sleep", "600")
        made.append(subprocess.Popen(words, cwd=cwd, env={"PATH": os.environ["PATH"], **env},
                                     stdin=subprocess.DEVNULL, start_new_session=True))
        return made[-1]

    yield start
    for process in made:
        process.kill()
        process.wait()


def watching(owner: int, folder: Path) -> psutil.Process:
    """A caretaker at work."""
    done = subprocess.run([sys.executable, "-IS", caretaker.__file__, str(owner), folder],
                          check=True, capture_output=True, timeout=SECONDS)
    return psutil.Process(int(done.stdout))


def test_what_works_in_the_folder_or_has_it_as_its_tmpdir_belongs_to_the_run(
    tmp_path: Path, started: Started
) -> None:
    folder, beside = tmp_path / "run", tmp_path / "run2"
    for path in (folder / "lab" / "lib", beside):
        path.mkdir(parents=True)
    conmon = tmp_path / "conmon"
    conmon.symlink_to("/bin/sleep")
    ours = [started(cwd=folder / "lab" / "lib"), started(TMPDIR=str(folder / "lab"))]
    started(cwd=beside, TMPDIR=str(beside))
    started(conmon, "600", TMPDIR=str(folder))  # podman ends it with its container
    remains = caretaker.Remains(str(folder))
    assert sorted(remains.processes()) == sorted(process.pid for process in ours)
    assert remains.processes(but=[str(folder / "lab")]) == [ours[1].pid]


def test_the_shell_of_a_person_who_looks_stays(tmp_path: Path) -> None:
    pid, terminal = pty.fork()
    if not pid:
        os.chdir(tmp_path)
        os.execv("/bin/sleep", ["sleep", "600"])
    try:
        assert caretaker.until(lambda: psutil.Process(pid).cwd() == str(tmp_path), SECONDS)
        assert caretaker.Remains(str(tmp_path)).processes() == []
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)


def test_labs_elsewhere_are_taken_down_and_their_folder_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with pytest --basetemp."""
    (tmp_path / "run").mkdir()
    (tmp_path / "kept" / "lab").mkdir(parents=True)
    (tmp_path / "kept" / "lab" / "lab.json").touch()
    script = tmp_path / "labctl"
    asked = tmp_path / "asked"
    script.write_text(f"import sys\nopen({str(asked)!r}, 'a').write(sys.argv[-1] + '\\n')\n")
    monkeypatch.setattr(caretaker, "LABCTL", str(script))
    account = tmp_path / "account"  # it is there: labctl is told that a run has ended
    account.mkdir()
    monkeypatch.setattr(caretaker, "ACCOUNT", str(account))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    caretaker.Remains(str(tmp_path / "run"), lab=str(tmp_path / "kept")).remove()
    assert asked.read_text().splitlines() == [*[f"{tmp_path}/kept/lab"] * 2, f"{tmp_path}/run"]
    assert (tmp_path / "kept" / "lab").exists() and not (tmp_path / "run").exists()


def test_processes_of_a_run_of_scenarios_belong_to_it(tmp_path: Path, started: Started) -> None:
    ours = started(CAMPAIGN_MOLECULE_RUN="run1")
    started(CAMPAIGN_MOLECULE_RUN="run12")
    assert caretaker.Remains(str(tmp_path / "x"), hosts="run1").processes() == [ours.pid]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_it_ends_and_removes_all_when_its_owner_ends(
    tmp_path: Path, started: Started, number: signal.Signals
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    owner, left = started(), started(cwd=folder)
    watcher = watching(owner.pid, folder)
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # as Ctrl-C and a closed terminal
        watcher.send_signal(each)
    assert folder.exists() and left.poll() is None
    owner.send_signal(number)
    owner.wait()
    assert left.wait(SECONDS) == -signal.SIGKILL
    watcher.wait(SECONDS)
    assert not folder.exists()


def test_the_shared_memory_of_what_it_kills_goes_too(tmp_path: Path, started: Started) -> None:
    key = 0x4C000000 | os.getpid()
    folder = tmp_path / "run"
    folder.mkdir()
    made = folder / "made"
    work = ("from campaign_lab.modules.trackinglogd import make_segment;"
            f"make_segment({key}, 4096);"
            f"open({str(made)!r}, 'w'); import time; time.sleep(600)")
    started(sys.executable, "-B", "-c", work, cwd=folder,
            PYTHONPATH=str(Path(caretaker.__file__).parents[1] / "lab"))
    try:
        assert caretaker.until(made.exists, SECONDS) and find(key)
        caretaker.Remains(str(folder)).remove()
        assert not find(key)
    finally:
        remove_segment(key)


def test_it_sees_an_owner_that_has_ended_before(tmp_path: Path, started: Started) -> None:
    owner = started("true")
    owner.wait()
    folder = tmp_path / "run"
    folder.mkdir()
    watching(owner.pid, folder).wait(SECONDS)
    assert not folder.exists()


def test_dismissed_it_leaves_everything(tmp_path: Path, started: Started) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    owner, left = started(), started(cwd=folder)
    watcher = watching(owner.pid, folder)
    watcher.send_signal(signal.SIGUSR1)
    watcher.wait(SECONDS)
    owner.kill()
    owner.wait()
    assert folder.exists() and left.poll() is None


def test_it_costs_next_to_nothing(tmp_path: Path, started: Started) -> None:
    watcher = watching(started().pid, tmp_path)
    assert caretaker.until(lambda: watcher.status() == psutil.STATUS_SLEEPING, SECONDS)
    assert watcher.memory_info().rss < 20 * 1024**2
    assert watcher.num_threads() == 1
    used = watcher.cpu_times()
    assert used.user + used.system < 0.5
    watcher.send_signal(signal.SIGUSR1)
    watcher.wait(SECONDS)


def test_a_folder_with_something_mounted_in_it_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caretaker, "mounted_below", lambda path: path == str(tmp_path))
    caretaker.Remains(str(tmp_path)).remove_folder()
    assert tmp_path.exists()


def test_it_has_the_hosts_of_the_run_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "hosts.py"
    script.write_text(
        "import os, sys\n"
        f"open({str(tmp_path / 'asked')!r}, 'w').write("
        "os.environ['CAMPAIGN_MOLECULE_RUN'] + ' ' + ' '.join(sys.argv[1:]))\n"
    )
    monkeypatch.setattr(caretaker, "HOSTS", str(script))
    caretaker.Remains(str(tmp_path / "run"), hosts="run7").remove()
    assert (tmp_path / "asked").read_text() == "run7 down"
