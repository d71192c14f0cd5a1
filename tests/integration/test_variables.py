"""Variables of a site: one that is misspelt is a warning, a value that is not possible an error.

No server is needed: the hosts are this machine, where there is no Campaign.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from integration.harness import BIN, CHECKOUT, DIAGNOSE, Run, playbook, run

WARNING = "campaign_sylogd_port has no effect. Did you mean campaign_syslogd_port?"
NOWHERE = {"campaign_home": "/nonexistent/nl6", "ansible_become": False, "campaign_own_of_the_site": 1}


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    path = tmp_path / "hosts.json"
    local = {"ansible_connection": "local", "ansible_python_interpreter": str(BIN / "python")}
    path.write_text(json.dumps({"all": {
        "hosts": {name: {"campaign_sylogd_port": 1} for name in ("app1", "app2", "app3")},
        "vars": {**local, **NOWHERE},
    }}))  # fmt: skip
    return path


def spoken(done: Run) -> str:
    """The output in one line: Ansible wraps a warning at the width of the terminal."""
    return " ".join(done.output.split())


def role(name: str, inventory: Path, tmp_path: Path, **variables: object) -> Run:
    """Run a role on the hosts."""
    play = {"hosts": "all", "gather_facts": False,
            "roles": [{"role": f"campaign.remediation.{name}"}]}  # fmt: skip
    path = tmp_path / "play.yml"
    path.write_text(yaml.safe_dump([play]))
    words = [BIN / "ansible-playbook", path, "-i", inventory, "-e", json.dumps(variables)]
    env = {"ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / "playbooks" / "collections")}
    return run(words, env=env, timeout=120, report_dir=tmp_path)


def test_a_misspelt_variable_is_a_warning_once_a_run(inventory: Path, report_dir: Path) -> None:
    done = playbook(DIAGNOSE, report_dir=report_dir, inventory=inventory)
    assert done.code == 0, str(done)
    assert spoken(done).count(WARNING) == 1, str(done)
    assert "campaign_own_of_the_site" not in done.output


def test_a_role_warns_and_says_so_when_it_fails(inventory: Path, tmp_path: Path) -> None:
    done = role("stat", inventory, tmp_path, campaign_tiemout=3, ansible_python_interpreter="/none")
    assert done.code == 2, str(done)
    assert spoken(done).count(WARNING) == 1, str(done)
    assert "Did you mean campaign_timeout?" in spoken(done)


@pytest.mark.parametrize(
    ("name", "variable"), [("stat", "campaign_restart_budget"), ("wfserver", "campaign_workflow_wait")]
)
def test_a_value_that_is_not_possible_fails_a_role_first(
    inventory: Path, tmp_path: Path, name: str, variable: str
) -> None:
    """A shared option, and one of the role's own."""
    done = role(name, inventory, tmp_path, **{variable: "often"})
    assert done.code == 2, str(done)
    assert variable in done.output and "unable to convert" in done.output
    assert "Take a snapshot" not in done.output


FREEZE = {"campaign_freezes": [{"from": "2026-12-20", "to": "2027-01-04"}]}
WHY = "campaign_freezes: the freeze from 2026-12-20 to 2027-01-04 has no reason"


def test_a_policy_that_is_not_possible_ends_a_remediation_before_hosts_are_asked(
    inventory: Path, report_dir: Path
) -> None:
    playbooks = DIAGNOSE.parent
    done = playbook(playbooks / "remediate.yml", report_dir=report_dir, inventory=inventory,
                    variables=FREEZE)  # fmt: skip
    assert done.code == 2, str(done)
    assert WHY in spoken(done) and "Take a snapshot" not in done.output


def test_a_policy_that_is_not_possible_ends_a_role_that_repairs(
    inventory: Path, tmp_path: Path
) -> None:
    done = role("stat", inventory, tmp_path, campaign_remediate=True, **FREEZE)
    assert done.code == 2, str(done)
    assert WHY in spoken(done) and "Take a snapshot" not in done.output


def test_the_command_warns_beside_its_result(inventory: Path, tmp_path: Path) -> None:
    words = [BIN / "campaign-doctor", "diagnose", "-i", inventory, "--format", "json"]
    home = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    done = run(words, env=home, timeout=120)
    assert done.output.count(f"Warning: {WARNING}") == 1, str(done)
    assert "campaign_own_of_the_site" not in done.output
