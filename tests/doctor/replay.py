"""campaign-doctor without a server: it is the real one, and what it starts replays a saved run.

The saved runs are in tests/doctor/saved_runs; tools/saved_runs.py makes them on a lab.
"""

from __future__ import annotations

import io
import json
import os
import stat
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report import (
    files,
    model,
)
from campaign_doctor import cli, runner
from doctor.harness import Done, Person
from doctor.replaying import finds

SAVED = Path(__file__).with_name("saved_runs")
FAKE = Path(__file__).with_name("fake_ansible_playbook.py")
STARTER = Path(__file__).with_name("replaying.py")
FORMATS = ["json", "html", "junit"]

Json = dict[str, Any]


def saved(name: str) -> Json:
    """What tools/saved_runs.py has kept."""
    loaded: Json = json.loads((SAVED / f"{name}.json").read_text(encoding="utf-8"))
    return loaded


def fake_command(folder: Path) -> Path:
    """An ansible-playbook that only tells events."""
    command = folder / "ansible-playbook"
    folder.mkdir()
    command.write_text(f"#!{sys.executable} -IS\n{FAKE.read_text()}")
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    return command


class Library:
    """The saved runs, with the files of their reports as the collection writes them today."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.command = fake_command(folder / "bin")

    def run(self, name: str) -> Path:
        """The folder of a run."""
        folder = self.folder / name
        if not folder.exists():
            run = saved(name)
            folder.mkdir()
            if run["report"]:
                files.write(model.Report.of(run["report"]), folder / "report", FORMATS)
            (folder / "run.json").write_text(json.dumps(run), encoding="utf-8")
        return folder


class Replay(Person):
    """A person whose Ansible replays saved runs. The commands run in this process, which has all of
    campaign-doctor already: what they start is the replay alone.
    """

    def __init__(self, folder: Path, library: Library) -> None:
        self.runs = folder / "runs"
        self.runs.mkdir()
        super().__init__(folder, CAMPAIGN_SAVED_RUNS=str(self.runs),
                         FAKE_ANSIBLE=str(library.command))
        # Where it would be: the default is that of the process, which has another home.
        self.env["CAMPAIGN_DOCTOR_HISTORY"] = str(self.history)
        self.command = [sys.executable, str(STARTER)]
        self.library = library
        self.can()

    def can(self, *names: str) -> None:
        """From now on these runs can be replayed, and no other."""
        folder = Path(tempfile.mkdtemp(dir=self.runs))
        for name in names:
            (folder / name).symlink_to(self.library.run(name))
        (self.runs / "next").symlink_to(folder)
        (self.runs / "next").rename(self.runs / "now")

    @property
    def calls(self) -> list[Json]:
        """What was asked of Ansible, in that order."""
        path = self.runs / "calls.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def doctor(self, command: str, *words: str | Path, **options: Any) -> Done:
        """Run a command on servers that nobody asks."""
        return self.run(*command.split(), "-i", "app1,", *words, **options)

    def execute(self, words: list[str], env: Mapping[str, str]) -> tuple[int, bytes, bytes]:
        out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2))
        with pytest.MonkeyPatch.context() as here, Path(os.devnull).open() as nothing:
            for name in set(os.environ) - set(env):
                here.delenv(name)
            for name, value in env.items():
                here.setenv(name, value)
            here.chdir(self.work)
            here.setattr("tempfile.tempdir", None)
            here.setattr(sys, "argv", ["campaign-doctor", *words])
            for stream, name in ((nothing, "stdin"), (out, "stdout"), (err, "stderr")):
                here.setattr(sys, name, stream)
            here.setattr(runner, "_environment",
                         finds(self.library.command, runner._environment))
            with pytest.raises(SystemExit) as ended:
                cli.main()
        said = []
        for stream in (out, err):
            stream.flush()
            said.append(stream.detach().getvalue())
        return int(ended.value.code or 0), said[0], said[1]
