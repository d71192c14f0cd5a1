"""Hosts seen from outside, and the playbooks at work on them: for the Molecule scenarios."""

from __future__ import annotations

import http.client
import json
import poplib
import shlex
import smtplib
from collections.abc import Callable, Iterable
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import testinfra
import yaml
from hosts import Place, podman

from campaign_lab.layout import LAB_PASSWORD
from integration.harness import CHECKOUT, Run, playbook, wait_until

PLAYBOOKS = CHECKOUT / "playbooks"
HOME = "/usr/local/neolane/nl6"
# Of runs as root, and of those as the account.
LEDGERS = "/var/lib/campaign_remediation/*/ledger.jsonl /usr/local/neolane/remediation/ledger.jsonl"
ACCOUNT = "neolane"
WAIT_SECONDS = 60.0
PLAYBOOK_SECONDS = 400.0
RESULTS = (f"{HOME}/var/prod/export/contacts_export.csv",
           f"{HOME}/var/prod/import/contacts_import.done")
"""Of the jobs that each new server runs at once."""
QUICK: dict[str, Any] = {
    "campaign_wait": 3,  # seconds that a module must stay up before it counts as repaired
    "campaign_log_window": 10,
    # More is broken here in an hour than in a year of production.
    "campaign_restart_budget": 30,
    "campaign_recurrence": {"times": 100},
}
UTILITIES = ("runwf", "mtachild", "tracking", "export", "import")
"""Processes that come and go."""


class Process(NamedTuple):
    """One line of the process table."""

    pid: int
    parent: int
    state: str
    user: str
    arguments: str


class Machine:
    """One host, asked as root over SSH: its process table, sockets, files, HTTP and POP3."""

    def __init__(self, name: str, variables: dict[str, Any], host: Any) -> None:
        self.name = name
        self.variables = variables
        self.address: str = variables["ansible_host"]
        self.host = host
        """testinfra's"""

    def run(self, *command: str, check: bool = True) -> str:
        """Run a command as root; gives its output."""
        done = self.host.run(shlex.join(command))
        assert not check or done.rc == 0, (
            f"{self.name}: {shlex.join(command)}: {done.rc}\n{done.stdout}{done.stderr}")
        output: str = done.stdout
        return output

    def shell(self, text: str, check: bool = True) -> str:
        """Run a line of shell as root."""
        return self.run("sh", "-c", text, check=check)

    def nlserver(self, *words: str) -> str:
        """The server's own command, as its account."""
        return self.run("runuser", "-u", ACCOUNT, "--", f"{HOME}/bin/nlserver", *words)

    def labctl(self, *words: str) -> str:
        """Break or heal something as the lab does, as the server's account."""
        return self.run("runuser", "-u", ACCOUNT, "--", "labctl", *words)

    def sql(self, statement: str) -> str:
        """A statement on the database that runs on this host."""
        return self.run("runuser", "-u", "postgres", "--", "psql", "--tuples-only", "--no-align",
                        "--dbname=campaign", f"--command={statement}")

    # ------------------------------------------------------------------------- what is seen

    def processes(self) -> list[Process]:
        """The process table."""
        lines = self.run("ps", "-ww", "-eo", "pid=,ppid=,stat=,user=,args=").splitlines()
        found = []
        for line in lines:
            pid, parent, state, user, arguments = line.split(maxsplit=4)
            found.append(Process(int(pid), int(parent), state, user, arguments))
        return found

    def modules(self) -> dict[str, Process]:
        """The permanent modules that run, by task: ``mta@prod``, ``watchdog@default``."""
        found = {}
        table = {process.pid: process for process in self.processes()}
        for process in table.values():
            words = process.arguments.split()
            parent = table.get(process.parent)
            if parent and parent.arguments == process.arguments:
                continue  # a child that is about to become something else
            if words[0] == "nlserver" and process.user == ACCOUNT and words[1] not in UTILITIES:
                instance = next((word.partition(":")[2] for word in words
                                 if word.startswith("-instance:")), "default")
                found[f"{words[1]}@{instance}"] = process
        return found

    def runs(self, task: str) -> bool:
        """Is there a process of this module, and not a halted one?"""
        process = self.modules().get(task)
        return process is not None and process.state[0] not in "TtZ"

    def holder(self, protocol: str, port: int) -> str:
        """The name of the program that holds a port; empty if none does."""
        lines = self.run("ss", f"--{protocol}", "--listening", "--numeric", "--processes",
                         "--no-header", f"sport = :{port}").splitlines()
        for line in lines:
            if 'users:(("' in line:
                return line.partition('users:(("')[2].partition('"')[0]
        return ""

    def http(self, path: str, port: int = 80) -> tuple[int, str]:
        """One request from outside: status and text; (0, reason) without an answer."""
        connection = http.client.HTTPConnection(self.address, port, timeout=15)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            return 0, type(error).__name__
        finally:
            connection.close()

    def mails(self, login: str) -> int:
        """How many mails wait in a POP3 mailbox."""
        mailbox = poplib.POP3(self.address, 110, timeout=15)
        try:
            mailbox.user(login)
            mailbox.pass_(LAB_PASSWORD)
            return mailbox.stat()[0]
        finally:
            mailbox.quit()

    def send(self, sender: str, recipient: str, text: str) -> None:
        """Give a mail to the SMTP server of this host."""
        with smtplib.SMTP(self.address, 25, timeout=15) as relay:
            relay.sendmail(sender, recipient, text)

    def log_lines(self, instance: str, name: str) -> int:
        """How long a log is."""
        return int(self.shell(f"wc -l < {HOME}/var/{instance}/log/{name}.log"))

    def has(self, *paths: str) -> bool:
        """Are all of these files there?"""
        return bool(self.host.run("ls " + shlex.join(paths)).rc == 0)

    def ledger(self) -> list[dict[str, Any]]:
        """What the collection has written down on this host."""
        text = self.shell(f"cat {LEDGERS} 2>/dev/null", check=False)
        return [json.loads(line) for line in text.splitlines()]


class Site:
    """The hosts of a scenario and the collection at work on them."""

    def __init__(self, inventory: Path, reports: Path) -> None:
        self.inventory = inventory
        self._reports = reports
        self._number = count(1)
        self._machines: dict[str, Machine] = {}
        self.ran: set[str] = set()
        """The playbooks that were run."""
        # As tools/hosts.py lays it out: build/molecule/RUN/SCENARIO/inventory/hosts.yml
        self._place = Place(inventory.parents[1].name, inventory.parents[2].name)

    def __getitem__(self, name: str) -> Machine:
        """A host."""
        if name not in self._machines:
            (host,) = testinfra.get_hosts(
                [f"ansible://{name}"], ansible_inventory=str(self.inventory))
            self._machines[name] = Machine(name, host.ansible.get_variables(), host)
        return self._machines[name]

    def inside(self, name: str) -> Machine:
        """A host, as its root: for one where nobody who logs in may become that."""
        groups = yaml.safe_load(self.inventory.read_text())
        (variables,) = (group["hosts"][name] for group in groups.values()
                        if name in group["hosts"])
        host = testinfra.get_host(f"podman://{self._place.container(name)}")
        return Machine(name, variables, host)

    def run(self, name: str, *arguments: str, **variables: Any) -> Run:
        """Run a playbook of the collection on this site."""
        self.ran.add(name)
        return playbook(
            PLAYBOOKS / f"{name}.yml", *arguments, inventory=self.inventory,
            report_dir=self._reports / f"{next(self._number):02}-{name}", timeout=PLAYBOOK_SECONDS,
            variables={**QUICK, **variables},
        )  # fmt: skip

    def diagnose(self, *arguments: str, **variables: Any) -> Run:
        """playbooks/diagnose.yml"""
        return self.run("diagnose", *arguments, **variables)

    def remediate(self, *arguments: str, **variables: Any) -> Run:
        """playbooks/remediate.yml"""
        return self.run("remediate", *arguments, **variables)


    # ------------------------------------------------------- what only the outside can do to hosts

    def pause(self, name: str) -> None:
        """A host hangs: it is there, and nothing on it moves."""
        podman("pause", self._place.container(name))

    def resume(self, name: str) -> None:
        """It goes on."""
        podman("unpause", self._place.container(name))

    def cut_off(self, name: str) -> None:
        """A host is off the network."""
        podman("network", "disconnect", self._place.prefix, self._place.container(name))

    def connect(self, name: str) -> None:
        """It is on the network again, with its address."""
        podman("network", "connect", "--ip", self[name].address, self._place.prefix,
               self._place.container(name))  # fmt: skip


def roots(run: Run, host: str) -> set[str]:
    """Ids of the findings that nothing explains, without those that are for information."""
    return {finding["id"] for finding in run.findings(host)
            if not finding["caused_by_ids"] and finding["severity"] != "info"}


def explained(run: Run, host: str) -> dict[str, list[str]]:
    """Ids of the findings that others explain, with the ids of these."""
    return {finding["id"]: finding["caused_by_ids"] for finding in run.findings(host)
            if finding["caused_by_ids"]}


def results(run: Run, host: str) -> dict[str, str]:
    """What became of each step: ``{"start stat@prod": "repaired"}``."""
    return {f"{action['rung']} {action['module']}@{action['instance']}": action["result"]
            for action in run.host(host)["actions"]}


def changed(run: Run) -> int:
    """How many tasks of a run changed something, on all hosts."""
    recap = run.output.rpartition("PLAY RECAP")[2]
    return sum(int(word.partition("=")[2]) for word in recap.split() if word.startswith("changed="))


def eventually(true: Callable[[], Any], seconds: float = WAIT_SECONDS) -> bool:
    """Wait for a condition on a host; its last answer."""
    return wait_until(lambda: bool(true()), seconds, 0.5)


def others(before: dict[str, Process], after: dict[str, Process], but: Iterable[str]) -> set[str]:
    """Modules whose process is not the one that it was, other than these."""
    return {task for task in before
            if task not in but and (task not in after or after[task].pid != before[task].pid)}
