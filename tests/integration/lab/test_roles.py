"""Healthy servers of each build and role: what runs there, and that the diagnosis finds nothing.

One diagnosis of all of them as a fleet in ``make test``; two hundred in the nightly run, in which
the lab goes on working: deliveries, clicks, bounces, workflows, jobs.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from campaign_lab.layout import INSTANCE_MODULES, ROLES
from integration.harness import Lab, Run, wait_until

BUILDS = {"older": "6.1.1 build 8700", "current": "7.0 build 9356@5ba3f8b",
          "newer": "7.4.1 build 9390@f2a57b8"}  # fmt: skip
FLEET = {f"{role}-{build}": (role, build) for build in BUILDS for role in ROLES}
"""Server: its role and build. A front comes before the application server that it tracks for."""
FIRST = [name for name in FLEET if name.endswith("-current")]
"""One build is enough for what a role is."""
PATIENT = {"campaign_timeout": 60, "campaign_api_timeout": 60}
"""A machine that is busy with so many servers answers late."""
DECLARED: tuple[dict[str, Any], ...] = (
    {"campaign_syslogd_port": 0},  # TRACE_ADDR says it, or it is the build's
    {},
    {"campaign_log_window": 600},  # from before the lab was there
)
"""Ways in which a site may have written its inventory."""
ROUNDS, PARTS = 200, 10
"""Of the nightly run: diagnoses of each server, and the tests that share them."""
QUIET = ("healthy", "not_expected")


class Fleet(NamedTuple):
    """The lab, and what its inventory says of each server."""

    lab: Lab
    known: dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A server of each build and role."""
    lab = Lab(tmp_path_factory.mktemp("lab"))
    try:
        for name, (role, build) in FLEET.items():
            front = ("--front", f"front-{build}") if role == "application" else ()
            lab.ctl("up", "--server", name, "--role", role, "--build", build, *front)
        yield Fleet(lab, json.loads(lab.ctl("inventory").output)["_meta"]["hostvars"])
    finally:
        lab.down()


# -- the diagnosis -----------------------------------------------------------------------------


def odd(run: Run) -> list[str]:
    """What a run says of its hosts other than that they are healthy and that nothing is found."""
    assert run.code == 0, str(run)
    told = []
    for host in run.report["hosts"]:
        name = host["name"]
        told += [f"{name}: {finding['severity']} {finding['id']}: {finding['summary']}"
                 for finding in host["findings"]]  # fmt: skip
        told += [f"{name}: {module['module']}@{module['instance']} is {module['verdict']}"
                 for module in host["modules"] if module["verdict"] not in QUIET]  # fmt: skip
        if (host["status"], host["verdict"]) != ("diagnosed", "healthy") or host["error"]:
            told.append(f"{name}: {host['status']}, {host['verdict']}: {host['error']}")
    return told


def expected(role: str) -> set[str]:
    """The permanent modules that are to be healthy."""
    return set(ROLES[role])


def test_nothing_is_found_on_a_healthy_server_of_any_build_and_role(
    fleet: Fleet, report_dir: Path
) -> None:
    run = fleet.lab.diagnose(report_dir, "--forks", "6", variables={**PATIENT, **DECLARED[0]})
    assert odd(run) == [], str(run)
    assert {host["name"] for host in run.report["hosts"]} == set(FLEET)
    for name, (role, build) in FLEET.items():
        host = run.host(name)
        assert host["build"] == BUILDS[build]
        verdicts = {module["module"]: module["verdict"] for module in host["modules"]}
        healthy = {module for module, verdict in verdicts.items() if verdict == "healthy"}
        assert expected(role) <= healthy, f"{name}: {verdicts}"
        assert not healthy & (expected("all") - expected(role)), f"{name}: {verdicts}"


@pytest.mark.nightly
@pytest.mark.parametrize("part", range(PARTS))
def test_nothing_is_found_two_hundred_times(fleet: Fleet, tmp_path: Path, part: int) -> None:
    found = []
    for number in range(part, ROUNDS, PARTS):
        declared = DECLARED[number % len(DECLARED)]
        run = fleet.lab.diagnose(tmp_path / str(number), "--forks", "6",
                                 variables={**PATIENT, **declared})  # fmt: skip
        assert len(run.report["hosts"]) == len(FLEET)
        found += [f"diagnosis {number}, {declared}: {told}" for told in odd(run)]
    assert found == []


# -- the roles ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FIRST)
def test_what_runs(fleet: Fleet, name: str) -> None:
    role = FLEET[name][0]
    assert fleet.lab.nlserver("monitor", "-missing", server=name).output == ""
    lines = fleet.lab.nlserver("pdump", server=name).output.splitlines()[1:]
    tasks = {line.partition(" ")[0].partition("@")[0] for line in lines}
    assert tasks & expected("all") == expected(role)


def listeners(address: str) -> set[str]:
    """The TCP ports that are held at an address."""
    told = subprocess.run(["ss", "-ltnH", f"src {address}"], capture_output=True, text=True,
                          check=True, timeout=20).stdout  # fmt: skip
    return {line.split()[3].rpartition(":")[2] for line in told.splitlines()}


@pytest.mark.parametrize("name", FIRST)
def test_a_web_server_in_front_or_none(fleet: Fleet, name: str) -> None:
    known = fleet.known[name]
    held = listeners(known["campaign_address"])
    assert "8080" in held
    if FLEET[name][0] == "application":
        assert not held & {"80", "10080"}
        assert known["campaign_front_url"] == ""
        front = fleet.known["front-current"]
        assert known["campaign_redirection_urls"] == [front["campaign_front_url"]]
        for refused in (("front", "stop"), ("break", "front_end_down")):
            done = fleet.lab.ctl(*refused, "--server", name, check=False)
            assert done.code == 1 and f"{name} has no web server in front" in done.output
    else:
        assert held & {"80", "10080"}


def test_the_front_answers_to_the_links_of_the_application_server(fleet: Fleet) -> None:
    def links(name: str) -> list[Path]:
        return list((fleet.lab.home(name) / "var" / "prod" / "redir" / "url").glob("*/*.xml"))

    assert wait_until(lambda: bool(links("front-current")), 100), "nothing is published there"
    assert links("application-current") == []
    assert not [path for path in fleet.lab.root.glob("front-*/nl6/var/*/log/webmdl.log")
                if "cannot be found" in path.read_text()]  # fmt: skip


def test_a_front_is_configured_as_by_the_vendors_procedure(fleet: Fleet) -> None:
    conf = fleet.lab.home("front-current") / "conf"
    own = (conf / "config-prod.xml").read_text()
    assert '<trackinglogd autoStart="true"/>' in own
    assert [name for name in INSTANCE_MODULES if f'<{name} autoStart="false"/>' not in own] == []
    assert "trackinglogd" not in (conf / "config-default.xml").read_text()


@pytest.mark.parametrize("name", FIRST)
def test_workflows_are_where_something_runs_them(fleet: Fleet, name: str) -> None:
    path = fleet.lab.root / name / "database" / "prod.sqlite"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        ((number,),) = database.execute("SELECT count(*) FROM xtk_workflow").fetchall()
    assert bool(number) == ("wfserver" in expected(FLEET[name][0]))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--server", "mid-newer", "--role", "front"), "mid-newer has another role, and keeps it"),
        (("--server", "new", "--role", "application"), "--role application needs --front"),
        (("--server", "new", "--front", "front-newer"), "--role application needs --front"),
        (("--server", "new", "--role", "application", "--front", "mid-newer"),
         "'mid-newer' is no server of this lab that tracks"),
    ],
)  # fmt: skip
def test_what_makes_no_server_is_refused(fleet: Fleet, words: tuple[str, ...], said: str) -> None:
    done = fleet.lab.ctl("up", *words, check=False)
    assert done.code == 1 and said in done.output
    assert "new" not in json.loads(fleet.lab.ctl("inventory").output)["_meta"]["hostvars"]
