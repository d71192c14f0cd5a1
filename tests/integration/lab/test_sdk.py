"""The proof that soaprouter.jsp answers as the vendor's server: the vendor's own client.

``@adobe/acc-js-sdk`` is installed from npm into build/sdk, once; where that cannot be done, the
tests are skipped and say why.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import sqlite3
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from campaign_lab.layout import LAB_PASSWORD
from needs import needs

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent / "sdk"
INSTALLED = Path(__file__).parents[3] / "build" / "sdk"
NODE = 20  # the SDK's own requirement


def installed() -> Path:
    """node_modules with the pinned client."""
    node, npm = shutil.which("node"), shutil.which("npm")
    needs(node and npm, "node and npm are not installed")
    assert node and npm
    version = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30,
                             check=True).stdout.strip()  # fmt: skip
    needs(int(version.lstrip("v").split(".")[0]) >= NODE,
          f"the SDK needs node {NODE}, this is {version}")
    INSTALLED.parent.mkdir(exist_ok=True)
    with (INSTALLED.parent / "sdk.lock").open("w") as lock:  # tests may run in several processes
        fcntl.flock(lock, fcntl.LOCK_EX)
        install(npm)
    return INSTALLED / "node_modules"


def install(npm: str) -> None:
    """What the lock file says, unless it is there already."""
    wanted, stamp = HERE / "package-lock.json", INSTALLED / "installed.lock"
    if stamp.exists() and stamp.read_bytes() == wanted.read_bytes():
        return
    shutil.rmtree(INSTALLED, ignore_errors=True)
    INSTALLED.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, INSTALLED)
    try:
        done = subprocess.run(
            [npm, "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund",
             "--fetch-retries=1"],
            cwd=INSTALLED, capture_output=True, text=True, timeout=240, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        needs(False, "npm did not come to an end")
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("npm error")]
        needs(False, f"npm cannot install the SDK: {(said or ['no word'])[0]}")
    shutil.copy(wanted, stamp)


@pytest.fixture(scope="module")
def found(lab: Any) -> dict[str, Any]:
    """What one session of the client got."""
    modules = installed()
    server = lab.server
    database = lab.home.parent / "database" / "prod.sqlite"
    connection = sqlite3.connect(database, timeout=20)
    connection.execute("INSERT INTO nms_delivery (internalName, label, state)"
                       " VALUES ('DM1', 'Being edited', 0)")  # fmt: skip
    connection.commit()
    connection.close()
    done = subprocess.run(
        ["node", str(HERE / "session.js"), server.tomcat_url, server.front_url, "remediation"],
        input=LAB_PASSWORD, capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "SDK_MODULES": str(modules), "NODE_NO_WARNINGS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answers: dict[str, Any] = json.loads(done.stdout)
    return answers


def test_it_is_tested_without_a_logon(found: dict[str, Any]) -> None:
    assert found["test"]["status"] == "OK"
    assert found["test"]["build"] == "9356"


def test_it_logs_on_and_the_connection_works(found: dict[str, Any]) -> None:
    assert found["session"]["serverInfo"]["instanceName"] == "prod"
    assert found["session"]["userInfo"]["login"] == "remediation"
    assert found["user"]["login"] == "remediation"
    assert found["ping"]["status"] == "OK"


def test_a_wrong_password_and_an_old_session_are_understood(found: dict[str, Any]) -> None:
    assert found["wrong"]["status"] == 403
    assert "XSV-350012" in found["wrong"]["text"]
    assert found["expired"]["status"] == 401
    assert "expired" in found["expired"]["text"]


def test_it_reads_options_and_schemas(found: dict[str, Any]) -> None:
    assert found["option"] == 10
    assert found["noOption"] is None
    assert found["schema"]["name"] == "workflow"
    assert {attribute["name"] for attribute in found["schema"]["element"]["attribute"]} >= {
        "internalName", "state", "failed", "processId", "lastStart"}  # fmt: skip
    assert found["noSchema"] is None


def test_it_queries(found: dict[str, Any]) -> None:
    names = [row["internalName"] for row in found["select"]["workflow"]]
    assert names == ["cleanup", "deliverabilityUpdate", "operationMgt", "tracking"]
    assert found["select"]["workflow"][0]["folder"] == {"name": "nmsTechnicalWorkflow"}
    assert found["none"] == {"workflow": []}
    assert int(found["count"]["count"]) >= 12
    assert found["get"].items() >= {"name": "defaultPopAccount", "active": "1"}.items()
    assert found["getIfExists"] is None
    assert found["noGet"]["status"] == 500
    assert found["badQuery"]["code"] == "SOP-330011"
    assert "XTK-170036" in found["badQuery"]["text"]


def test_it_starts_workflows(
    found: dict[str, Any], lab: Any, eventually: Callable[..., Any]
) -> None:
    assert "'nothing' does not exist" in found["noWorkflow"]["text"]
    # By itself it is due after five minutes.
    eventually(lambda: "cleanup: database cleaned" in lab.log("prod", "runwf"), 30,
               "wfserver did not start the workflow")  # fmt: skip


def test_it_runs_a_job(found: dict[str, Any]) -> None:
    assert found["job"].isdigit()
    assert found["jobStatus"]["status"] == 5
    assert len(found["jobStatus"]["logs"]) == 1
