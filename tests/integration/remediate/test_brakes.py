"""The brakes of a run, with the real playbook, plan and engine on hosts that are simulated.

See connection/simulated.py: each host has a saved snapshot, and its remedy helps where the test says so.
What happened when is taken from the record of what the hosts were asked.
"""

from __future__ import annotations

import json
import resource
from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from integration.harness import CHECKOUT, Run, playbook

HERE = Path(__file__).parent
SNAPSHOTS = CHECKOUT / "tests" / "unit" / "plugin_utils" / "snapshots"
KEY = "wfserver.memory_alert"
MOST_MB = 300  # of one process on the controller


class Fleet:
    """Hosts h001, h002 …, all of them in the group app and with the same finding, but for those
    whose log precision was left raised.
    """

    def __init__(
        self, folder: Path, hosts: int, in_vain: Collection[str] = (), raised: Collection[str] = ()
    ) -> None:
        self.folder = folder
        self.names = [f"h{number:03d}" for number in range(1, hosts + 1)]
        (folder / "ill").mkdir(parents=True)
        for name in self.names:
            (folder / "ill" / name).write_text("raised" if name in raised else "ill")
        (folder / "healthy.json").write_bytes((SNAPSHOTS / "healthy.json").read_bytes())
        (folder / "ill.json").write_bytes((SNAPSHOTS / "module_memory_high.json").read_bytes())
        (folder / "raised.json").write_bytes((SNAPSHOTS / "verbose_left_on.json").read_bytes())
        (folder / "in_vain").write_text("\n".join(in_vain))
        (folder / "record").touch()
        variables = {
            "ansible_connection": "simulated", "simulated_dir": str(folder),
            "ansible_python_interpreter": "/usr/bin/python3",
        }
        inventory = {"all": {
            "vars": variables, "children": {"app": {"hosts": {name: {} for name in self.names}}},
        }}
        (folder / "hosts.json").write_text(json.dumps(inventory))

    def remediate(
        self, *arguments: str, forks: int = 50, env: Mapping[str, str] = MappingProxyType({}),
        **variables: Any,
    ) -> Run:
        return playbook(
            CHECKOUT / "playbooks" / "remediate.yml", f"--forks={forks}", *arguments,
            report_dir=self.folder / "report", inventory=self.folder / "hosts.json", timeout=1200,
            variables={
                "campaign_gone_within": 1, "campaign_report_formats": ["json"],
                **{f"campaign_{name}": value for name, value in variables.items()},
            },
            env={"ANSIBLE_CONNECTION_PLUGINS": str(HERE / "connection"), **env},
        )

    @property
    def record(self) -> list[tuple[str, str]]:
        """What happened, on which host, in the order in which it did."""
        lines = (self.folder / "record").read_text().splitlines()
        return [(line["what"], line["host"]) for line in map(json.loads, lines)]

    def touched(self) -> list[str]:
        """The hosts that were repaired, in order."""
        return [host for what, host in self.record if what == "stopped"]

    def most_at_once(self) -> int:
        """How many hosts were under repair at the same time, from their lock to their release."""
        now, most = set[str](), 0
        for what, host in self.record:
            if what == "opened":
                now.add(host)
            elif what == "closed":
                now.discard(host)
            most = max(most, len(now))
        return most

    def before(self, what: str, host: str) -> list[tuple[str, str]]:
        """What had happened before that."""
        return self.record[: self.record.index((what, host))]


def results(run: Run) -> dict[str, tuple[str, str]]:
    """By host the result of its last action, and the reason."""
    return {
        host["name"]: (host["actions"][-1]["result"], host["actions"][-1]["reason"] or "")
        for host in run.report["hosts"] if host["actions"]
    }


def test_a_canary_that_is_not_helped_is_the_only_host_that_is_touched(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path / "fleet", 12, ["h001"])
    run = fleet.remediate(accept_storm=[KEY])
    assert set(fleet.touched()) == {"h001"}, str(run)
    told = results(run)
    assert told["h001"][0] == "not_repaired"
    assert {told[name][0] for name in fleet.names[1:]} == {"skipped"}
    assert "campaign_canary" in told["h012"][1] or "campaign_max_failures" in told["h012"][1]


def test_a_storm_is_told_first_and_nothing_is_done(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path / "fleet", 6)
    run = fleet.remediate()
    assert fleet.record == [], str(run)
    assert f"({KEY}) on 6 of 6 hosts" in run.output
    assert run.output.index("Many hosts at once") < run.output.index("Root causes")
    assert {result for result, _reason in results(run).values()} == {"skipped"}
    assert f"campaign_accept_storm: [{KEY}]" in results(run)["h003"][1]


@pytest.mark.parametrize(
    "hosts", [pytest.param(200, marks=pytest.mark.nightly), 15], ids=lambda hosts: f"{hosts} hosts",
)
def test_never_below_the_minimum_and_one_host_first(tmp_path: Path, hosts: int) -> None:
    fleet = Fleet(tmp_path / "fleet", hosts)
    run = fleet.remediate(accept_storm=True, min_healthy={"app": "80%"})
    assert sorted(fleet.touched()) == fleet.names, str(run)
    assert {result for result, _reason in results(run).values()} == {"repaired"}
    assert 1 < fleet.most_at_once() <= hosts // 5
    first = fleet.touched()[0]
    begun = {host for what, host in fleet.before("closed", first) if what == "opened"}
    assert begun == {first}


@pytest.mark.parametrize(
    "hosts", [pytest.param(200, marks=pytest.mark.nightly), 15], ids=lambda hosts: f"{hosts} hosts",
)
def test_the_run_stops_at_the_threshold(tmp_path: Path, hosts: int) -> None:
    """Three of four hosts of the second wave are not helped: the third one is the last."""
    fleet = Fleet(tmp_path / "fleet", hosts, ["h002", "h003", "h004"])
    run = fleet.remediate(accept_storm=True, batch=4, max_failures=3)
    assert set(fleet.touched()) == {"h001", "h002", "h003", "h004", "h005"}, str(run)
    told = results(run)
    assert {told[name][0] for name in fleet.names[5:]} == {"skipped"}
    assert "campaign_max_failures" in told[fleet.names[-1]][1]


def test_after_a_failure_the_rest_goes_in_small_waves(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path / "fleet", 12, ["h002"])
    run = fleet.remediate(accept_storm=True, batch=2, max_failures=2)
    assert set(fleet.touched()) == set(fleet.names), str(run)
    third = {host for what, host in fleet.record if what == "opened"} - {"h001", "h002", "h003"}
    # The wave of four has become waves of two.
    now, most = set[str](), 0
    for what, host in fleet.record:
        if host in third and what in ("opened", "closed"):
            now ^= {host}
            most = max(most, len(now))
    assert most == 2


def test_hosts_that_are_repaired_at_once_get_each_its_own_remedy(tmp_path: Path) -> None:
    """Of one role. Ansible includes a role once for all hosts that come to it in the same moment, and
    does not look at whose tasks.
    """
    raised = {f"h{number:03d}" for number in range(2, 17, 2)}
    fleet = Fleet(tmp_path / "fleet", 16, raised=raised)
    run = fleet.remediate(accept_storm=True, canary=0, batch="100%")
    asked = {host: what for what, host in fleet.record if what.startswith(("started ", "restarted "))}
    assert asked == {
        name: "started standard" if name in raised else "restarted None" for name in fleet.names
    }, str(run)


@pytest.mark.nightly
def test_the_memory_of_the_controller(tmp_path: Path) -> None:
    """For 500 hosts: all are diagnosed, planned for, told of, and a few repaired."""
    fleet = Fleet(tmp_path / "fleet", 500, [f"h{number:03d}" for number in range(2, 6)])
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    # As on a site, where garbage is collected (tests/compiled).
    run = fleet.remediate(accept_storm=True, batch=4, max_failures=2, env={"PYTHONPATH": ""})
    assert set(fleet.touched()) == {"h001", "h002", "h003", "h004", "h005"}, str(run)
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{most:.0f} MB, {before / 1024:.0f} MB before")
    assert most < MOST_MB


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"min_healthy": {"wbe": 1}}, "campaign_min_healthy: the inventory has no group 'wbe'"),
        ({"batch": "120%"}, "campaign_batch must be at least 1 and at most 100%, not '120%'"),
        ({"accept_storm": ["mta.slwo"]}, "campaign_accept_storm: 'mta.slwo' is not a finding key"),
    ],
)
def test_bad_input_is_refused_before_any_host_is_asked(
    tmp_path: Path, variables: dict[str, Any], told: str
) -> None:
    run = Fleet(tmp_path / "fleet", 2).remediate(**variables)
    assert run.code != 0
    assert told in run.output
    assert "PLAY [Diagnose]" not in run.output
