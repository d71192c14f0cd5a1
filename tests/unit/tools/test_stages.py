"""tools/stages.py: what a stage says, costs and leaves becomes the verdict of make test."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import stages
from caretaker import until

TOOLS = Path(stages.__file__).resolve().parent
SECONDS = 60
# A process that nobody waits for: its parent ends at once.
DAEMON = "{python} -c 'import os; os.fork() and os._exit(0); os.setsid(); {work}'"


def tools_of(folder: Path) -> None:
    """A checkout as far as the stages need one."""
    shutil.copytree(TOOLS, folder / "tools", ignore=shutil.ignore_patterns("__pycache__"))


class Done:
    """A run of stages on a Makefile of its own."""

    def __init__(
        self, folder: Path, patience: float = SECONDS, beside: tuple[str, ...] = (), **recipes: str
    ) -> None:
        """beside: the stages that begin a lane of their own."""
        tools_of(folder)
        text = (TOOLS / "stages.py").read_text()
        patient = f"GOING_SECONDS = {stages.GOING_SECONDS}"
        assert patient in text
        (folder / "tools" / "stages.py").write_text(text.replace(
            patient, f"GOING_SECONDS = {patience}"))
        (folder / "tmp").mkdir()
        (folder / "Makefile").write_text("".join(
            f"{stage}:\n" + "".join(f"\t@{line}\n" for line in recipe.splitlines())
            for stage, recipe in recipes.items()))
        words = [word for stage in recipes for word in ("+" * (stage in beside), stage) if word]
        done = subprocess.run(
            [sys.executable, folder / "tools" / "stages.py", *words], stdin=subprocess.DEVNULL,
            env={**os.environ, "TMPDIR": str(folder / "tmp")}, capture_output=True, text=True,
            timeout=2 * SECONDS, check=False,
        )
        self.output = done.stdout + done.stderr
        self.code = done.returncode
        self.last = done.stdout.strip().splitlines()[-1]
        self.stages: dict[str, dict[str, Any]] = {
            result["stage"]: result
            for result in json.loads((folder / "build" / "stages.json").read_text())
        }
        self.left = list((folder / "tmp").iterdir())


@pytest.mark.parametrize(
    ("said", "code", "left_out", "failed"),
    [
        ("left out: this machine lacks podman", 0, "this machine lacks podman", 0),
        ("left out: this machine lacks podman", 1, "", 1),
        ("all is well", 0, "", 0),
    ],
)
def test_a_stage_may_be_left_out(
    tmp_path: Path, said: str, code: int, left_out: str, failed: int
) -> None:
    done = Done(tmp_path, molecule=f'echo "installing"\necho "{said}"\nexit {code}')
    result = done.stages["molecule"]
    assert (result["left_out"], result["failed"]) == (left_out, failed), done.output
    assert result["passed"] == (not failed and not left_out)
    assert done.code == failed
    assert ("molecule was left out: " in done.output) is bool(left_out)


def test_each_stage_runs_and_the_last_lines_say_how_long_it_took(tmp_path: Path) -> None:
    done = Done(tmp_path, first="exit 3", second="sleep 1.2")
    assert done.last == "1 passed, 1 failed, 0 skipped", done.output
    assert done.code == 1
    assert 1.2 <= done.stages["second"]["seconds"] < SECONDS
    head, *rows = done.output.partition("====\nstage ")[2].splitlines()
    assert head.split() == ["passed", "failed", "skipped", "wall", "processor", "ansible", "lab"]
    assert [row.split()[:2] for row in rows[:3]] == [
        ["first", "FAILED"], ["second", "passed"], ["together", "FAILED"]]


def test_processor_time_of_a_process_that_nobody_waits_for_is_counted(tmp_path: Path) -> None:
    work = "import time; [0 for _ in iter(lambda: time.process_time() < 0.7, False)]"
    recipe = DAEMON.format(python=sys.executable, work=work) + " >/dev/null 2>&1"
    done = Done(tmp_path, busy=recipe, idle="true")
    assert done.code == 0, done.output
    assert done.stages["busy"]["cpu_seconds"] >= 0.7, done.output
    assert done.stages["idle"]["cpu_seconds"] < 0.7, done.output


@pytest.mark.parametrize("to", ["", " >/dev/null 2>&1"], ids=["holds the output", "silent"])
def test_a_process_left_behind_is_named_and_ended_and_the_stage_has_failed(
    tmp_path: Path, to: str
) -> None:
    work = f'open("{tmp_path}/pid", "w").write(str(os.getpid())); import time; time.sleep(600)'
    recipe = DAEMON.format(python=sys.executable, work=work) + to
    until_it_is_there = f"while [ ! -s {tmp_path}/pid ]; do sleep 0.1; done"
    done = Done(tmp_path, 2.0, messy=f"{recipe}\n{until_it_is_there}", tidy="true")
    pid = int((tmp_path / "pid").read_text())
    assert not psutil.pid_exists(pid)
    assert f"messy left behind: process {pid}: {sys.executable} -c" in done.output
    assert (done.stages["messy"]["failed"], done.stages["tidy"]["failed"]) == (1, 0), done.output
    assert done.code == 1
    assert done.left == []


def test_commands_of_ansible_are_counted(tmp_path: Path) -> None:
    ansible = Path(sys.executable).with_name("ansible")
    done = Done(tmp_path, some=f"{ansible} --version\n{ansible}-config --version", none="true")
    assert [done.stages[name]["ansible"] for name in ("some", "none")] == [2, 0], done.output
    assert " of processor time, 2 commands of Ansible, 0 processes of the lab\n" in done.output


def test_the_slowest_tests_and_fixtures_are_named(tmp_path: Path) -> None:
    (tmp_path / "test_slow.py").write_text(
        "import time\nimport pytest\n\n"
        "@pytest.fixture\ndef slow_to_go():\n    yield\n    time.sleep(0.3)\n\n"
        "@pytest.fixture\ndef slow_to_come(slow_to_go):\n    time.sleep(0.2)\n\n"
        "def test_slow(slow_to_come):\n    time.sleep(0.4)\n\n"
        "def test_also(slow_to_come):\n    pass\n"
    )
    shutil.copy(TOOLS.parent / "tests" / "conftest.py", tmp_path)
    paths = f"{TOOLS.parent / 'tests'} {TOOLS}"
    (tmp_path / "pytest.ini").write_text(f"[pytest]\nmarkers = nightly: x\npythonpath = {paths}\n")
    began = time.monotonic()
    done = Done(tmp_path, unit=f"{sys.executable} -m pytest -n 2 --junitxml=build/junit/unit.xml")
    assert time.monotonic() - began > 0.9
    measured = json.loads((tmp_path / "build" / "durations" / "unit.json").read_text())
    seconds = {name: taken for taken, name in measured["tests"] + measured["fixtures"]}
    called = [seconds[f"test_slow.py::{name}"] for name in ("test_slow", "test_also")]
    assert called[0] >= 0.4 and abs(sum(called) - measured["phases"]["call"]) < 0.001
    assert seconds["setup of slow_to_come (test_slow.py), 2 times"] >= 0.4
    assert seconds["teardown of slow_to_come (test_slow.py), 2 times"] < 0.4
    assert seconds["teardown of slow_to_go (test_slow.py), 2 times"] >= 0.6
    assert measured["phases"]["setup"] >= 0.4 and measured["phases"]["teardown"] >= 0.6
    assert "  test_slow.py::test_slow\n" in done.output
    assert done.last == "2 passed, 0 failed, 0 skipped"


def test_lanes_run_beside_each_other_and_have_one_verdict(tmp_path: Path) -> None:
    meet = "touch {}; for i in $$(seq 600); do [ -e {} ] && exit 0; sleep 0.1; done; exit 1"
    done = Done(
        tmp_path, beside=("right", "last"), left=meet.format("left", "right"),
        after="echo after", right=meet.format("right", "left"), wrong="echo is wrong; exit 3",
        last="echo is last",
    )  # fmt: skip
    assert list(done.stages) == ["left", "after", "right", "wrong", "last"], done.output
    assert [stage["failed"] for stage in done.stages.values()] == [0, 0, 0, 1, 0], done.output
    assert done.last == "4 passed, 1 failed, 0 skipped"
    assert done.code == 1
    assert "\nis wrong\n" in done.output and "\nis last\n" in done.output
    assert done.left == []


def test_what_a_stage_of_another_lane_leaves_behind_is_its_own(tmp_path: Path) -> None:
    work = f'open("{tmp_path}/pid", "w").write(str(os.getpid())); import time; time.sleep(600)'
    recipe = DAEMON.format(python=sys.executable, work=work) + " >/dev/null 2>&1"
    until_it_is_there = f"while [ ! -s {tmp_path}/pid ]; do sleep 0.1; done"
    done = Done(tmp_path, 2.0, beside=("messy",), tidy=until_it_is_there,
                messy=f"{recipe}\n{until_it_is_there}")  # fmt: skip
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))
    assert (done.stages["messy"]["failed"], done.stages["tidy"]["failed"]) == (1, 0), done.output
    assert done.left == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_ends_all_lanes(tmp_path: Path, number: signal.Signals) -> None:
    tools_of(tmp_path)
    (tmp_path / "tmp").mkdir()
    (tmp_path / "Makefile").write_text("".join(
        f"{name}:\n\t@echo $$PPID > {name}.pid; exec sleep 600\n" for name in ("left", "right")))
    files = [tmp_path / f"{name}.pid" for name in ("left", "right")]
    running = subprocess.Popen(
        [sys.executable, tmp_path / "tools" / "stages.py", "left", "+", "right"],
        env={**os.environ, "TMPDIR": str(tmp_path / "tmp")}, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, start_new_session=True, cwd=tmp_path,
    )  # fmt: skip
    assert until(lambda: all(file.exists() and file.read_text().strip() for file in files), SECONDS)
    pids = [int(file.read_text()) for file in files]
    if number == signal.SIGINT:  # as a terminal does it
        os.killpg(running.pid, number)
    else:
        running.terminate()
    assert running.wait(SECONDS) == 128 + number
    assert until(lambda: not any(map(psutil.pid_exists, pids)), SECONDS)
    assert until(lambda: not list((tmp_path / "tmp").iterdir()), SECONDS)


def test_the_last_lines_name_what_was_skipped_and_why(tmp_path: Path) -> None:
    cases = "".join(f'<testcase name="test_{n}"><skipped message="there is no promtool"/></testcase>'
                    for n in range(7))
    xml = f'<testsuites><testsuite tests="8" skipped="7">{cases}<testcase name="x"/></testsuite></testsuites>'
    done = Done(tmp_path, unit=f"echo '{xml}' > build/junit/unit.xml")
    told = "unit skipped: there is no promtool: test_0, test_1, test_2, test_3, test_4 and 2 more"
    assert told in done.output.splitlines()[-4:], done.output
    assert done.last == "1 passed, 0 failed, 7 skipped"
