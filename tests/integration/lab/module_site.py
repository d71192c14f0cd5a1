"""A server whose modules are looked at from outside: HTTP, UDP, mail, processes, files."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from campaign_lab import database
from campaign_lab.lab import Lab as State
from campaign_lab.layout import LAB_PASSWORD, Server
from campaign_lab.outside import Outside
from integration.harness import Lab, wait_until

LOGON = (
    '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"'
    ' xmlns:urn="urn:xtk:session"><soapenv:Body><urn:{method}><urn:sessiontoken/>'
    "<urn:strLogin>{login}</urn:strLogin><urn:strPassword>{password}</urn:strPassword>"
    "<urn:elemParameters/></urn:{method}></soapenv:Body></soapenv:Envelope>"
)


class Answer(NamedTuple):
    """An HTTP answer."""

    status: int
    body: str
    headers: dict[str, str]


class Site:
    """One server of a lab of its own, and what a test does with it."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.server: Server = State(str(lab.root)).servers["app1"]
        self.home = Path(self.server.home.path)
        self.outside = Outside.of(self.server.root, self.server.outside)
        self.database_file = Path(database.path_of(str(self.home), "prod"))

    def get(self, path: str, port: str = "front", method: str = "GET", body: str = "",
            **headers: str) -> Answer:
        """One HTTP request."""
        connection = http.client.HTTPConnection(
            self.server.address, self.server.ports[port], timeout=15)
        try:
            connection.request(method, path, body or None, headers)
            answer = connection.getresponse()
            return Answer(answer.status, answer.read().decode(), dict(answer.getheaders()))
        finally:
            connection.close()

    def soap(self, method: str = "Logon", login: str = "admin", password: str = LAB_PASSWORD,
             service: str = "xtk:session") -> Answer:
        """A SOAP call to Tomcat."""
        body = LOGON.format(method=method, login=login, password=password)
        return self.get("/nl/jsp/soaprouter.jsp", "http", "POST", body,
                        SOAPAction=f"{service}#{method}")

    def sql(self, statement: str, *values: object) -> list[Any]:
        """One statement on the database of prod."""
        connection = sqlite3.connect(self.database_file, timeout=10)
        try:
            rows = connection.execute(statement, values).fetchall()
            connection.commit()
            return rows
        finally:
            connection.close()

    def log(self, module: str, instance: str = "prod") -> str:
        """A module's log."""
        path = self.home / "var" / instance / "log" / f"{module}.log"
        return path.read_text() if path.exists() else ""

    def logged(self, module: str, text: str, since: int = 0, instance: str = "prod",
               seconds: float = 20) -> bool:
        """Does a line with this text come, after this position of the log?"""
        return wait_until(lambda: text in self.log(module, instance)[since:], seconds, 0.1)

    def pids(self, *words: str) -> list[int]:
        """Processes of this home whose command line starts with these words."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                command = (entry / "cmdline").read_bytes().split(b"\0")[: len(words)]
                if (command == [word.encode() for word in words]
                        and str((entry / "cwd").resolve()).startswith(f"{self.home}/")):
                    found.append(int(entry.name))
        return found

    def pid(self, module: str) -> int:
        """The one process of a module."""
        (pid,) = self.pids("nlserver", module)
        return pid

    def restart(self, task: str) -> None:
        """As an operator does it."""
        done = self.lab.nlserver("restart", task)
        assert done.code == 0, done

    def deliver(self, address: str) -> int:
        """A delivery to one recipient, as a workflow would have prepared it; the broad log."""
        name = f"T{time.time():.6f}"
        self.sql("INSERT INTO nms_delivery (internalName, label, state, toSend, subject)"
                 " VALUES (?, 'Test', 0, 1, 'Hello')", name)
        ((delivery,),) = self.sql("SELECT id FROM nms_delivery WHERE internalName = ?", name)
        self.sql("INSERT INTO nms_broadLog (deliveryId, address, lastModified) VALUES (?, ?, 0)",
                 delivery, address)
        ((broad_log,),) = self.sql("SELECT id FROM nms_broadLog WHERE deliveryId = ?", delivery)
        self.sql("UPDATE nms_delivery SET state = 51 WHERE id = ?", delivery)
        self.hurry("mta")
        return int(broad_log)

    def status(self, broad_log: int) -> int:
        """1 sent, 2 failed, 6 pending."""
        ((status,),) = self.sql("SELECT status FROM nms_broadLog WHERE id = ?", broad_log)
        return int(status)

    def hurry(self, module: str) -> None:
        """Have a module look at once, not at its next turn."""
        for pid in self.pids("nlserver", module):
            os.kill(pid, signal.SIGHUP)

    def sent(self, broad_log: int, seconds: float = 30) -> bool:
        """Is it sent in time?"""
        self.hurry("mta")
        return wait_until(lambda: self.status(broad_log) == database.LOG_SENT, seconds)

    def segment(self) -> list[str] | None:
        """The line of /proc/sysvipc/shm with the server's key."""
        key = self.server.shared_memory_key
        lines = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
        return next((f for f in map(str.split, lines) if int(f[0]) & 0xFFFFFFFF == key), None)


@contextlib.contextmanager
def changed(path: Path, old: str, new: str) -> Iterator[None]:
    """A file with another text, for a while."""
    before = path.read_text()
    assert old in before
    path.write_text(before.replace(old, new))
    try:
        yield
    finally:
        path.write_text(before)


def ask(site: Site, question: str) -> str:
    """What stat answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.settimeout(2)
        line.connect((site.server.address, site.server.ports["stat"]))
        line.send(question.encode())
        return line.recv(512).decode()


def workflow(site: Site, name: str) -> sqlite3.Row:
    """A workflow's row: state, failed, processId."""
    query = "SELECT state, failed, processId FROM xtk_workflow WHERE internalName = ?"
    (row,) = site.sql(query, name)
    return row  # type: ignore[no-any-return]


def add_workflow(site: Site, name: str, activity: str) -> None:
    """One that runs once, as soon as possible."""
    site.sql("INSERT INTO xtk_workflow (internalName, label, state, labActivity)"
             " VALUES (?, ?, ?, ?)", name, name, database.START_PENDING, activity)
    site.hurry("wfserver")


def job(site: Site, kind: str, *words: str) -> int:
    """Run a job in the foreground; its exit code (what it prints is seen if a test fails)."""
    done = site.lab.nlserver(kind, "-instance:prod", *words)
    print(done)
    return done.code


def last_job(site: Site) -> tuple[str, int, int, int]:
    """Name, status, processed, rejected of the newest job."""
    (row,) = site.sql("SELECT name, status, processed, rejected FROM xtk_job"
                      " ORDER BY id DESC LIMIT 1")
    return tuple(row)
