"""Every command of the tutorial and of the how-to guides, as a reader types it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from campaign_doctor.history import History
from campaign_lab.layout import LAB_PASSWORD
from integration.documents import Block, blocks, reference, script
from integration.harness import CHECKOUT, TRACES, Lab, environment, wait_until

USER = CHECKOUT / "docs" / "user"
HOST = "app1.example.com"
PATIENCE = 300
CRON = re.compile(r"((?:[\d*/,-]+ +){5})cd /srv/campaign && (.*)")


class Reader:
    """Who reads a page, in a home of their own, and types what it says on a lab of their own."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self.home = folder / "home"
        self.place = folder / "site"
        self.editor = folder / "editor"
        self.typed = folder / "typed"
        for path in (self.home, self.place):
            path.mkdir()
        self.editor.write_text(f'#!/bin/sh\ncat "{self.typed}" > "$1"\n')
        self.editor.chmod(0o755)
        self.env = {
            **environment(),
            **lab.env,
            "HOME": str(self.home),
            "EDITOR": str(self.editor),
            "ANSIBLE_HOME": str(self.home / ".ansible"),
            # The installed collection, for whom has no checkout.
            "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / "playbooks" / "collections"),
        }
        # Nothing of the lab needs half a minute to stay up.
        config = self.home / ".config" / "campaign-doctor.toml"
        config.parent.mkdir()
        config.write_text("[extra_vars]\ncampaign_wait = 1\n")

    def describe(self, place: Path, *without: str) -> None:
        """Say beside the inventory what this server has of its own, but for some variables."""
        own = {name: value for name, value in self.lab.variables().items() if name not in without}
        folder = place / "host_vars"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{HOST}.yml").write_text(yaml.safe_dump({**own, "campaign_wait": 1}))

    def read(self, block: Block) -> None:
        """Do what a block says."""
        for order in block.all_notes("lab"):
            self.lab.ctl(*order.split())
        if block.note("not run here") is not None:
            return
        if (name := block.note("file")) is not None:
            (self.place / name).parent.mkdir(exist_ok=True)
            (self.place / name).write_text(block.text)
        elif block.note("cron") is not None:
            self.schedule(block)
        elif block.note("ended by the test") is not None:
            self.interrupt(block)
        elif block.kind == "sh":
            self.type(block)

    def type(self, block: Block, *, refusable: bool = False) -> None:
        """Type its commands, one after the other; `refusable`: they may end at a question."""
        checkout = block.note("in the checkout") is not None
        codes, place = self.home / "codes", self.home / "place"
        codes.unlink(missing_ok=True)
        commands = self.home / "commands"
        commands.write_text(script(block.commands, codes, place))
        command = ["/bin/bash", str(commands)]
        if block.note("on a terminal") is not None:
            command = ["/usr/bin/script", "-qec", shlex.join(command), "/dev/null"]
        done = subprocess.run(
            command, env=self.env,
            cwd=CHECKOUT if checkout else self.place, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE,
            check=False,
        )  # fmt: skip
        shown = f"line {block.line}:\n{block.text}\n{done.stdout}"
        self.check_output(shown)
        returned = [int(code) for code in codes.read_text().split()]
        assert len(returned) == len(block.commands), shown
        assert set(returned[:-1]) <= {0, *block.codes}, f"{returned}: {shown}"
        assert returned[-1] in block.codes, f"{returned}: {shown}"
        assert not refusable or returned[-1] != 5 or ASKS in done.stdout, shown
        for text in block.all_notes("shows"):
            assert text in done.stdout, f"{text!r} is missing: {shown}"
        for text in block.all_notes("does not show"):
            assert text not in done.stdout, shown
        if not checkout:
            self.place = Path(place.read_text().strip())

    def check_output(self, shown: str) -> None:
        """No reader sees the trace of an error, or a password."""
        assert not [trace for trace in TRACES if trace in shown], shown
        assert LAB_PASSWORD not in shown

    def schedule(self, block: Block) -> None:
        """What cron would run, once."""
        line = CRON.fullmatch(block.text.strip())
        assert line, block.text
        self.type(block._replace(kind="sh", text=line[2], notes=("exit 0 or 1",)))

    def interrupt(self, block: Block) -> None:
        """Run its command until it has shown something, then press Ctrl-C."""
        output = self.home / "output"
        (command,) = block.commands
        with output.open("wb") as file:
            running = subprocess.Popen(
                ["/bin/bash", "-c", f"exec {command}"], env=self.env, cwd=self.place,
                stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
        try:
            assert wait_until(lambda: "1 host" in output.read_text(), PATIENCE), output.read_text()
            running.send_signal(signal.SIGINT)
            assert running.wait(PATIENCE) in block.codes, output.read_text()
        finally:
            if running.poll() is None:
                os.killpg(running.pid, signal.SIGKILL)
                running.wait()
        self.check_output(output.read_text())


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """With a server that is healthy when the page begins."""
    own = Lab(tmp_path / "lab")
    try:
        own.up()
        yield Reader(own, tmp_path)
    finally:
        own.down()


def test_the_tutorial(reader: Reader) -> None:
    for block in blocks(USER / "tutorial.md"):
        if block.note("editor") is not None:
            continue
        if not reader.lab.root.exists():  # the first lesson ends with its removal
            reader.lab.up()
        if "ansible-vault create" in block.text:
            reader.typed.write_text(f"vault_campaign_api_password: {LAB_PASSWORD}\n")
        if block.line > 1 and "in the checkout" not in block.notes:
            reader.describe(
                reader.place / "campaign" if reader.place.name == "site" else reader.place
            )
        reader.read(block)


def test_the_how_to_guides(reader: Reader) -> None:
    (reader.place / "hosts.yml").write_text(f"campaign:\n  hosts:\n    {HOST}:\n")
    reader.describe(reader.place)
    for block in blocks(USER / "how-to.md"):
        reader.read(block)


def test_nothing_is_left_out_without_a_reason() -> None:
    """A block that looks like commands is one of those above, and each has its notes right."""
    known = {"not run here", "in the checkout", "lab", "exit", "file", "editor", "cron",
             "on a terminal", "shows", "does not show", "ended by the test"}  # fmt: skip
    for page in ("tutorial.md", "how-to.md"):
        for block in blocks(USER / page):
            names = {re.split(r": | (?=\d)", note)[0] for note in block.notes}
            assert names <= known, f"{page}, line {block.line}: {names - known}"
            assert block.kind == "sh" or names & {"file", "editor", "cron"}, f"{page}, {block.line}"


# Elsewhere on this machine, and where it has been tested: CI and tests/doctor/test_package.py.
OUTPUTS = ("/var/lib/node_exporter", "/var/www/html/campaign")
INSTALLING = ("--version", "--install-completion", "campaign-doctor init")
HEALTHY = CHECKOUT / "tests" / "unit" / "plugin_utils" / "snapshots" / "healthy.json"
ASKS = "There is no terminal to ask for confirmation"


@pytest.mark.nightly
@pytest.mark.parametrize(("page", "host"), [
    ("README.md", HOST), ("docs/user/playbooks.md", "app1"), ("docs/user/api.md", "app1"),
    ("docs/user/campaign-doctor.md", "app1"),
])  # fmt: skip
def test_the_commands_of_the_reference(reader: Reader, page: str, host: str) -> None:
    """Each of them, in their order. One that asks ends where it asks."""
    site = reader.place
    for name in ("playbooks", "inventories", "tests"):
        (site / name).symlink_to(CHECKOUT / name)
    (site / "hosts.yml").write_text(f"campaign:\n  hosts:\n    {host}:\n")
    reader.describe(site)
    (site / "host_vars" / f"{HOST}.yml").rename(site / "host_vars" / f"{host}.yml")
    for name in ("app1", "app2"):
        shutil.copy(HEALTHY, site / f"{name}.json")
    commands = reference(CHECKOUT / page)
    assert commands
    reader.type(Block("sh", "campaign-doctor diagnose -i hosts.yml", ("exit 0 or 1",), 0))
    remember(reader.home, 20)
    for command in commands:
        if any(words in command for words in INSTALLING):
            continue
        for path in OUTPUTS:
            command = command.replace(path, str(reader.home / "written"))
        if " watch " in command:
            reader.interrupt(Block("sh", command, (), 0))
        else:
            reader.type(Block("sh", command, ("exit 0 or 1 or 2 or 5",), 0), refusable=True)


def remember(home: Path, times: int) -> None:
    """More runs, so that each number in the examples is one."""
    history = History(home / ".local" / "state" / "campaign-doctor" / "history.db", print)
    report = history.get(history.find("last").number).as_json()
    for _each in range(times):
        history.add(report, "diagnose", 0, inventory="", limit="", who="", scope="")
