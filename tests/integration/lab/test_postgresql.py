"""The lab on PostgreSQL: a real server, of the machine's own package, for these tests alone."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from integration.lab.rawsoap import Api, select, where
from needs import needs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ACCOUNT, PASSWORD, NAME = "campaign", "neolane-secret-42", "campaign"
PYTHONS = (sys.executable, "/usr/bin/python3")


class Cluster(NamedTuple):
    """A running PostgreSQL server."""

    bin: Path
    port: int

    @property
    def url(self) -> str:
        return f"postgresql://{ACCOUNT}:{PASSWORD}@127.0.0.1:{self.port}/{NAME}"

    def ask(self, query: str, database: str = NAME) -> str:
        """What psql prints for a query of the superuser."""
        done = subprocess.run(
            [self.bin / "psql", "-XAtq", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres",
             "-d", database, "-c", query],
            capture_output=True, text=True, timeout=30, check=False)  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


def psycopg2_of() -> str:
    """A Python with the driver; empty if there is none."""
    for python in PYTHONS:
        if Path(python).exists() and subprocess.run(
            [python, "-c", "import psycopg2"], capture_output=True, timeout=30, check=False
        ).returncode == 0:  # fmt: skip
            return python
    return ""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """PostgreSQL on a port of its own, in a temporary directory."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    needs(found, "PostgreSQL is not installed (Debian: postgresql)")
    needs(psycopg2_of(), "no Python has psycopg2 (requirements/dev.txt)")
    account = []
    if os.geteuid() == 0:
        account = ["runuser", "-u", "postgres", "--"]
        pwd.getpwnam("postgres")
    directory = Path(tempfile.gettempdir()) / f"postgresql-{os.getpid()}"
    directory.mkdir(mode=0o700)
    if account:
        shutil.chown(directory, "postgres", "postgres")
    data = directory / "data"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Cluster(found[-1].parent, port)

    def run(*words: str | Path) -> None:
        done = subprocess.run([*account, *words], capture_output=True, text=True, timeout=120,
                              cwd="/", check=False)  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    run(server.bin / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--no-sync")
    with (data / "pg_hba.conf").open("w") as stream:
        stream.write(f"host all {ACCOUNT} 127.0.0.1/32 scram-sha-256\n"
                     "host all postgres 127.0.0.1/32 trust\n")  # fmt: skip
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
    try:
        run(server.bin / "pg_ctl", "-D", data, "-w", "-o", options, "-l", directory / "log",
            "start")
        server.ask(f"CREATE ROLE {ACCOUNT} LOGIN PASSWORD '{PASSWORD}'", "postgres")
        server.ask(f"CREATE DATABASE {NAME} OWNER {ACCOUNT}", "postgres")
        yield server
    finally:
        subprocess.run([*account, server.bin / "pg_ctl", "-D", data, "-m", "immediate", "stop"],
                       capture_output=True, timeout=60, cwd="/", check=False)  # fmt: skip
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="module")
def lab(cluster: Cluster, empty_lab: Callable[..., Any]) -> Iterator[Any]:
    """A lab with two instances in one database."""
    made = empty_lab(psycopg2_of())
    try:
        made.labctl("up", "--database", cluster.url, "--instance", "prod", "--instance", "prod2")
        yield made
    finally:
        made.labctl("down", "--purge", check=False)


def test_the_modules_keep_it(
    lab: Any, cluster: Cluster, eventually: Callable[..., Any]
) -> None:
    conf = (lab.home / "conf" / "config-prod.xml").read_text()
    assert 'provider="PostgreSQL"' in conf
    assert f'server="127.0.0.1:{cluster.port}"' in conf
    assert not (lab.home.parent / "database").exists()
    for instance in ("prod", "prod2"):
        query = f"SELECT count(*) FROM app1_{instance}.xtk_job WHERE status = 5"
        eventually(lambda q=query: int(cluster.ask(q)) >= 2, 40, "no job has finished")
        query = f"SELECT count(*) FROM app1_{instance}.nms_delivery WHERE state = 95"
        eventually(lambda q=query: int(cluster.ask(q)) >= 1, 40, "no delivery was sent")
    clicks = lab.home / "var" / "prod" / "redir" / "log"
    eventually(lambda: any(path.stat().st_size for path in clicks.iterdir()), 60, "no click came")
    cluster.ask("UPDATE app1_prod.xtk_workflow SET labNext = 0 WHERE internalName = 'tracking'")
    query = "SELECT count(*) FROM app1_prod.nms_trackingLog"
    eventually(lambda: int(cluster.ask(query)) >= 1, 60, "no tracking log was consolidated")
    assert "error" not in [line.split("\t")[4] for line in lab.log("prod", "mta").splitlines()]


def test_the_api_answers_from_it(lab: Any) -> None:
    api = Api(lab.server.address, lab.server.ports["http"], "prod2.example.com")
    assert "instanceName='prod2'" in api.logon().body
    inner = select("@internalName", "[createdBy/@name]", "@lastStart")
    answer = api.query("xtk:workflow", inner + where("@internalName LIKE 'track%'", "@state IN "
                       "(11, 13)", "@created > DaysAgo(1)", "NOT @lastStart IS NULL"))  # fmt: skip
    assert [row["internalName"] for row in answer.rows] == ["tracking"]
    grouped = ('<select><node expr="@email" groupBy="true"/><node expr="count(@id)" alias="@n"/>'
               '</select><having><condition expr="count(@id) &gt;= 1"/></having>'
               '<orderBy><node expr="@email" sortDesc="true"/></orderBy>')  # fmt: skip
    emails = [row["email"] for row in api.query("nms:recipient", grouped, lineCount="3").rows]
    assert emails == sorted(emails, reverse=True)
    assert len(emails) == 3
    assert api.query("nms:recipient", operation="count").output.get("count") == "20"
    assert "does not exist" in api.call("xtk:workflow", "Start", "<urn:id>tracking</urn:id>").body
    assert api.call("xtk:workflow", "Start",
                    "<urn:strWorkflowId>tracking</urn:strWorkflowId>").result == []  # fmt: skip


def test_a_database_that_lets_nobody_in(lab: Any, eventually: Callable[..., Any]) -> None:
    lab.labctl("break", "database_down")
    try:
        eventually(lambda: "PostgreSQL error" in lab.log("prod", "wfserver")
                   + lab.log("prod", "mta"), 60)  # fmt: skip
        _, _, detail = Api(lab.server.address, lab.server.ports["http"]).logon().fault
        assert "(iRc=-2006)" in detail
        assert PASSWORD not in detail
    finally:
        lab.labctl("heal")
    assert Api(lab.server.address, lab.server.ports["http"]).logon().status == 200


def test_faults_of_the_database(lab: Any, cluster: Cluster) -> None:
    twice = "SELECT count(*) FROM (SELECT email FROM app1_prod.nms_recipient GROUP BY email" \
        " HAVING count(*) > 1) AS twice"
    lab.labctl("break", "import_duplicates")
    assert int(cluster.ask(twice)) == 8
    lab.labctl("break", "workflow_failed")
    assert cluster.ask("SELECT state, failed FROM app1_prod.xtk_workflow"
                       " WHERE internalName = 'nightlyLoad'") == "13|1"  # fmt: skip
    lab.labctl("heal")
    assert cluster.ask(twice) == "0"


def test_a_wrong_url_is_one_line(empty_lab: Callable[..., Any]) -> None:
    done = empty_lab().labctl("up", "--database", "mysql://x", check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "postgresql://account:password@host:port/database" in done.stderr


def test_purge_leaves_nothing_behind(lab: Any, cluster: Cluster) -> None:
    lab.labctl("down", "--purge")
    assert cluster.ask("SELECT count(*) FROM information_schema.schemata"
                       " WHERE schema_name LIKE 'app1%'") == "0"  # fmt: skip
