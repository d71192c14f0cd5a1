"""Each supported Python on a target, and each supported ansible-core, repairs a server of its own.

All servers are one lab's. Those with the same controller are diagnosed and repaired by one run,
as a site would do it; the tests look at what became of each.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from _pytest.mark.structures import ParameterSet
from common.cores import CORES, OLDEST, Version
from matrix.controllers import Controller, needed

from integration.harness import CHECKOUT, DIAGNOSE, REMEDIATE, Lab, Run, playbook, run, wait_until
from integration.lab.conftest import process_table, working_in

PAYLOAD = CHECKOUT / "plugins" / "module_utils" / "_campaign" / "payload"
BEGINNING = (PAYLOAD / "bootstrap.py").read_text()
TARGETS: dict[Version, str] = {
    (3, 6): "RHEL 8",
    (3, 8): "the oldest of ansible-core 2.19",
    (3, 9): "RHEL 9, Debian 11",
    (3, 11): "Debian 12",
    (3, 12): "RHEL 10",
    (3, 13): "Debian 13",
}
# Faults whose repair needs campaign_module, campaign_job and campaign_guard.
FAULTS = ["module_stopped_by_hand:inMail", "export_stale"]
FOUND = {"inMail.not_running", "export.stale"}
REPAIR = {
    # All targets have the same faults, and each is to be repaired.
    "campaign_accept_storm": True, "campaign_canary": 0,
    "campaign_wait": 1, "campaign_mode": "delta", "campaign_taken_over_by": "Berta Lang",
}  # fmt: skip
FIRST_JOBS_SECONDS = 60


class Host(NamedTuple):
    """A server of the lab, and who looks after it with what."""

    name: str
    controller: Controller
    python: Path


class Results(NamedTuple):
    """What one controller's runs gave."""

    alone: Run
    """A diagnosis that does not ask the server's API."""
    healthy: Run
    repaired: Run
    again: Run


class Fleet:
    """The lab, its hosts, and the runs on them: one of each for all hosts of a controller."""

    def __init__(self, root: Path, hosts: Sequence[Host]) -> None:
        self.lab = Lab(root / "lab")
        self.root = root
        self.hosts = {host.name: host for host in hosts}
        self._results: dict[Controller, Results] = {}

    def up(self) -> None:
        """Start all servers, and wait until their first jobs have ended."""
        self.lab.up(*self.hosts)
        jobs = [self.lab.home(name) / "var" / "prod" / job for name in self.hosts
                for job in ("export/contacts_export*.csv", "import/contacts_import*.done")]
        assert wait_until(
            lambda: all(any(path.parent.glob(path.name)) for path in jobs), FIRST_JOBS_SECONDS
        ), "the first export and import did not end"

    def results(self, name: str) -> Results:
        """The runs that this host was part of."""
        controller = self.hosts[name].controller
        if controller not in self._results:
            self._results[controller] = self._run(controller)
        return self._results[controller]

    def _run(self, controller: Controller) -> Results:
        crew = [host for host in self.hosts.values() if host.controller is controller]
        folder = self.root / ("core-%d.%d" % controller.core)
        folder.mkdir()
        inventory = folder / "hosts.json"
        inventory.write_text(json.dumps(
            {"campaign": {"hosts": {host.name: self._variables(host) for host in crew}}}
        ))

        def called(name: Path, report: str, **more: Any) -> Run:
            return playbook(
                name, report_dir=folder / report, inventory=inventory, variables={**REPAIR, **more},
                program=controller.program("ansible-playbook"), timeout=300,
            )

        alone = called(DIAGNOSE, "alone", campaign_api=[])
        healthy = called(DIAGNOSE, "healthy")
        for host in crew:
            for fault in FAULTS:
                self.lab.ctl("break", fault, "--server", host.name)
        return Results(alone, healthy, called(REMEDIATE, "repaired"), called(REMEDIATE, "again"))

    def _variables(self, host: Host) -> dict[str, Any]:
        known = self.lab.variables(host.name)
        known["ansible_python_interpreter"] = str(self._noting(host))
        return known

    def _noting(self, host: Host) -> Path:
        """The Python under a path of its own, which notes each call, and what came first.
        That is run without any installed library.
        """
        path = self.root / host.name
        python, calls, first = (
            shlex.quote(str(file)) for file in (host.python, f"{path}.calls", f"{path}.first")
        )
        path.write_text(
            f'#!/bin/sh\necho . >>{calls}\n'
            f'[ -e {first} ] && exec {python} "$@"\n'
            f'tee {first} | {python} -IS "$@"\n'
        )
        path.chmod(0o755)
        return path

    def calls(self, name: str) -> int:
        """How often Ansible called the host's Python."""
        calls = self.root / f"{name}.calls"
        return len(calls.read_text().split()) if calls.exists() else 0

    def first(self, name: str) -> str:
        """What Ansible first sent to the host: to be diagnosed."""
        return (self.root / f"{name}.first").read_text()

    def pids(self, name: str, module: str) -> list[int]:
        """Processes of that module, by the process table."""
        lib = self.lab.home(name) / "lib"
        return [p.pid for p in process_table() if p.module == module and working_in(p.pid, lib)]


def target_name(version: Version) -> str:
    return "python%d-%d" % version


def controller_name(core: Version) -> str:
    return "core%d-%d" % core


def manager_of(
    version: Version, own: Controller, controllers: dict[Version, Controller | str]
) -> Controller | str:
    """Who looks after a target with that Python: .venv's ansible-core, or the oldest."""
    return own if version >= CORES[own.core].oldest_target else controllers[OLDEST]


@pytest.fixture(scope="module")
def fleet(
    tmp_path_factory: pytest.TempPathFactory,
    pythons: dict[Version, Path],
    own: Controller,
    controllers: dict[Version, Controller | str],
) -> Iterator[Fleet]:
    """One server for each Python that is here, one for each ansible-core that is not .venv's."""
    hosts: list[Host] = []
    for version in TARGETS:
        manager = manager_of(version, own, controllers)
        if version in pythons and isinstance(manager, Controller):
            hosts.append(Host(target_name(version), manager, pythons[version]))
    for core, other in controllers.items():
        if isinstance(other, Controller) and other is not own:
            hosts.append(Host(controller_name(core), other, other.program("python")))
    made = Fleet(tmp_path_factory.mktemp("matrix"), hosts)
    try:
        made.up()
        yield made
    finally:
        made.lab.down()


def assert_repaired(fleet: Fleet, name: str) -> None:
    """Nothing was found on the healthy server; what broke was found, and repaired for good."""
    alone, healthy, repaired, again = fleet.results(name)
    assert fleet.first(name).startswith(BEGINNING), "a snapshot was taken by Ansible's own library"
    assert [(u["probe"], u["kind"]) for u in alone.host(name)["unseen"]] == [("api", "skipped")]
    for diagnosed in (alone, healthy):
        assert diagnosed.code == 0 and diagnosed.findings(name) == [], str(diagnosed)
    assert healthy.host(name)["unseen"] == []

    actions = repaired.host(name)["actions"]
    assert {(action["module"], action["result"]) for action in actions} == {
        ("inMail", "repaired"), ("export", "repaired")
    }, str(repaired)  # fmt: skip
    assert repaired.findings(name) == [], str(repaired)
    assert len(fleet.pids(name, "inMail")) == 1
    ledger = fleet.lab.home(name).parent / "remediation" / "ledger.jsonl"
    because = {id.partition("@")[0] for line in ledger.read_text().splitlines()
               for id in json.loads(line).get("because", [])}
    assert because == FOUND

    assert again.host(name)["actions"] == [] and again.findings(name) == [], str(again)


@pytest.mark.parametrize("version", TARGETS, ids=target_name)
def test_python_of_a_target(
    version: Version, pythons: dict[Version, Path], own: Controller,
    controllers: dict[Version, Controller | str], request: pytest.FixtureRequest,
) -> None:
    if version not in pythons:
        pytest.skip("Python %d.%d (%s) is not here" % (*version, TARGETS[version]))
    needed(manager_of(version, own, controllers))
    fleet: Fleet = request.getfixturevalue("fleet")
    name = target_name(version)
    assert_repaired(fleet, name)
    assert fleet.calls(name) > 3, "the modules ran on another Python"


def row(version: Version) -> ParameterSet:
    """A row of an ansible-core. One that may fail runs at night, and is told as xfailed or xpassed."""
    reason = CORES[version].may_fail
    marks = [pytest.mark.nightly, pytest.mark.xfail(reason=reason, strict=False)] if reason else []
    return pytest.param(version, id=controller_name(version), marks=marks)


@pytest.mark.parametrize("core", [row(version) for version in CORES])
def test_controller(
    core: Version, own: Controller, controllers: dict[Version, Controller | str],
    request: pytest.FixtureRequest,
) -> None:
    if core == own.core:
        pytest.skip(f"{own} is what all other tests run with")
    found = needed(controllers[core]).core
    assert found == core or (CORES[core].may_fail and found > core)
    assert_repaired(request.getfixturevalue("fleet"), controller_name(core))


UNITS = [version for version, core in CORES.items() if version > OLDEST and not core.may_fail]


@pytest.mark.nightly
@pytest.mark.parametrize("core", UNITS, ids=controller_name)
def test_units_of_the_plugins(
    core: Version, own: Controller, controllers: dict[Version, Controller | str]
) -> None:
    """In a public run each ansible-core has a make test of its own; here the other one is tried at night."""
    if core == own.core:
        pytest.skip(f"{own} is what make unit runs with")
    python = needed(controllers[core]).program("python")
    folders = [CHECKOUT / "tests" / "unit" / name
               for name in ("modules", "module_utils", "plan", "plugin_utils")]  # fmt: skip
    # What has to do with our own parsers, shells and processes alone, make unit does.
    left_out = [f"--ignore-glob=*/test_{name}*" for name in ("hostile_", "pasted_", "launch")]
    done = run(
        [python, "-m", "pytest", "-q", "-m", "not hypothesis", *left_out, *folders], timeout=2400,
    )  # fmt: skip
    assert done.code == 0, str(done)
    assert " passed" in done.output
