"""Event-Driven Ansible: ansible-rulebook gets an event, and the rulebook of the collection repairs."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from integration.harness import BIN, CHECKOUT, environment, wait_until
from integration.remediate.remedies import Site
from needs import needs

TOKEN = "token-of-the-test"
COLLECTIONS = CHECKOUT / "playbooks" / "collections"
SECONDS = 120
QUICK = {"campaign_wait": 1, "campaign_gone_within": 5, "campaign_accept_lost_work": True}


def command(inventory: Path, *variables: str) -> list[str | Path]:
    needs(shutil.which("java"), "ansible-rulebook needs Java (Debian: default-jre-headless)")
    return [BIN / "ansible-rulebook", "--rulebook", "campaign.remediation.remediate",
            "-i", inventory, "--env-vars", ",".join(variables)]  # fmt: skip


def test_without_a_token_it_does_not_start(tmp_path: Path) -> None:
    inventory = tmp_path / "hosts.yml"
    inventory.write_text('{"all": {"hosts": {"app1": {}}}}')
    done = subprocess.run(
        command(inventory, "campaign_eda_port"), timeout=SECONDS, check=False, cwd=tmp_path,
        env=environment(ANSIBLE_COLLECTIONS_PATH=str(COLLECTIONS), campaign_eda_port="15999"),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )
    assert done.returncode == 1, done.stdout
    assert "'campaign_eda_token' is undefined" in done.stdout


class Rulebook:
    """ansible-rulebook with its webhook, and what it said."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/"
        self.port = port
        self.lines: list[str] = []
        self._process = process
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout
        self.lines.extend(iter(self._process.stdout.readline, ""))

    @property
    def output(self) -> str:
        return "".join(self.lines)

    def listens(self) -> bool:
        assert self._process.poll() is None, self.output
        with socket.socket() as door:
            return door.connect_ex(("127.0.0.1", self.port)) == 0

    def post(self, payload: Any, token: str = TOKEN) -> int:
        """Send an event; the status of the answer."""
        request = urllib.request.Request(
            self.url, json.dumps(payload).encode(), {"Authorization": f"Bearer {token}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    def wait_for(self, text: str) -> None:
        assert wait_until(lambda: text in self.output, SECONDS), self.output


@pytest.fixture
def rulebook(site: Site, tmp_path: Path) -> Iterator[Rulebook]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    known = {**site.variables(), **QUICK, "campaign_report_dir": str(tmp_path / "repairing")}
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(json.dumps({"all": {"hosts": {"app1": known}}}))
    process = subprocess.Popen(
        command(inventory, "campaign_eda_port", "campaign_eda_token"),
        env=environment(ANSIBLE_COLLECTIONS_PATH=str(COLLECTIONS), campaign_eda_port=str(port),
                        campaign_eda_token=TOKEN),
        cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip
    try:
        started = Rulebook(process, port)
        assert wait_until(started.listens, SECONDS), started.output
        yield started
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def watching(folder: Path, rulebook: Rulebook) -> Iterator[None]:
    """campaign-doctor watch on the same hosts, which sends what it finds to the rulebook."""
    (folder / "campaign-doctor.toml").write_text(
        f'[[notify.webhook]]\nurl = "{rulebook.url}"\ntoken = "{TOKEN}"\n'
    )
    (folder / "campaign-doctor.toml").chmod(0o600)
    with (folder / "watch.log").open("w") as log:
        process = subprocess.Popen(
            [BIN / "campaign-doctor", "watch", "-i", folder / "hosts.yml", "--every", "1h"],
            cwd=folder, env=environment(XDG_STATE_HOME=str(folder / "state")), stdin=subprocess.DEVNULL,
            stdout=log, stderr=log,
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)


def report(*hosts: str, subject: str) -> dict[str, Any]:
    """An event as campaign_report sends it, in short."""
    causes = [{"key": "wfserver.hung", "automatic": True, "hosts": list(hosts)}]
    return {
        "specversion": "1.0", "type": "campaign.remediation.report", "subject": subject,
        "data": {"summary": {"roots": 1}, "causes": causes},
    }


def test_an_event_leads_to_a_repair_once_and_a_hostile_one_to_nothing(
    site: Site, rulebook: Rulebook, tmp_path: Path
) -> None:
    site.ctl("break", "module_hung:wfserver")
    before = site.pids()
    assert rulebook.post(report("app1", subject="forged"), token="guessed") == 401
    caught = tmp_path / "template-evaluated"
    template = "{{ lookup('ansible.builtin.pipe', 'touch %s') }}" % caught
    assert rulebook.post(report("all", "~app.*", "app*", template, subject=template)) == 200
    rulebook.wait_for("the event names hosts that are not in the inventory: 'all'")
    assert not caught.exists()
    assert (site.pids(), site.ledger()) == (before, [])

    def repaired() -> bool:
        ends = [line for line in site.ledger() if line["event"] == "run_closed"]
        return bool(ends)

    with watching(tmp_path, rulebook):
        assert wait_until(repaired, SECONDS), rulebook.output + (tmp_path / "watch.log").read_text()
    after = site.pids()
    assert {name for name in before if before[name] != after[name]} == {"wfserver@prod"}

    # The same again is throttled: what comes behind it is handled, and it is not.
    lines = len(site.ledger())
    site.ctl("break", "module_hung:wfserver")
    assert rulebook.post(report("app1", subject="app1")) == 200
    alert = {"status": "firing", "labels": {"host": "no-such-host"}}
    assert rulebook.post({"groupKey": "g", "status": "firing", "alerts": [alert]}) == 200
    rulebook.wait_for("not in the inventory: 'no-such-host'")
    assert len(site.ledger()) == lines
