"""playbooks/diagnose.yml as people call it: from the checkout, from elsewhere, with mistakes."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from campaign_lab.layout import LAB_PASSWORD
from integration.harness import CHECKOUT, Lab, Run

BOOTSTRAP = CHECKOUT / "plugins" / "module_utils" / "_campaign" / "payload" / "bootstrap.py"
MODULES = {"watchdog", "syslogd", "stat", "mta", "web", "trackinglogd", "inMail", "wfserver"}


def hosts_file(path: Path, hosts: dict[str, dict[str, Any]]) -> Path:
    """A static inventory."""
    path.write_text(json.dumps({"campaign": {"hosts": hosts}}))
    return path


@pytest.fixture
def app1(lab: Lab) -> dict[str, Any]:
    """The variables of the lab's server, as its inventory gives them."""
    return lab.variables()


def test_healthy_server_has_no_findings(lab: Lab, report_dir: Path, tmp_path: Path) -> None:
    """From another directory, with nothing of the checkout's ansible.cfg."""
    run = lab.diagnose(report_dir, cwd=tmp_path)
    assert run.code == 0, str(run)
    host = run.host("app1")
    assert host["reachable"] is True
    assert host["instances"] == ["prod"] or host["instances"] == ["default", "prod"]
    assert [finding["id"] for finding in host["findings"]] == [], str(run)
    expected = {entry["module"] for entry in host["modules"] if entry["verdict"] == "healthy"}
    assert expected >= MODULES, host["modules"]
    assert run.report["summary"]["hosts"] == 1
    assert run.report["summary"]["critical"] == 0
    assert "changed=0" in run.output or "changed=" not in run.output, str(run)


def test_check_mode_gives_the_same_answer(lab: Lab, report_dir: Path) -> None:
    run = lab.diagnose(report_dir, "--check", "--diff")
    assert run.code == 0, str(run)
    assert run.findings("app1") == []
    assert {entry["module"] for entry in run.host("app1")["modules"]} >= MODULES


def test_passwords_stay_on_the_server(lab: Lab, report_dir: Path) -> None:
    """Everything that -vvv shows; the harness looks through every other run the same way."""
    configuration = (lab.home() / "conf" / "config-prod.xml").read_text()
    assert LAB_PASSWORD in configuration, "the lab has a password to give away"
    run = lab.diagnose(report_dir, "-vvv")
    assert run.code == 0, str(run)
    assert LAB_PASSWORD not in run.output


def test_some_modules_only(lab: Lab, report_dir: Path) -> None:
    run = lab.diagnose(report_dir, variables={"campaign_modules": ["mta", "stat"]})
    assert run.code == 0, str(run)
    assert {entry["module"] for entry in run.host("app1")["modules"]} == {"mta", "stat"}


# -- Hosts that give no answer ----------------------------------------------------------------

UNREACHABLE = {
    "ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 9,
    "ansible_ssh_common_args": "-o ConnectTimeout=3 -o BatchMode=yes",
}


def test_bad_hosts_do_not_hide_the_good_one(
    lab: Lab, app1: dict[str, Any], report_dir: Path, tmp_path: Path
) -> None:
    inventory = hosts_file(tmp_path / "hosts.json", {
        "gone": UNREACHABLE,
        "app1": app1,
        "empty": {**app1, "campaign_home": str(tmp_path / "nowhere"), "campaign_instances": []},
    })
    run = lab.diagnose(report_dir, inventory=inventory)
    assert run.host("app1")["findings"] == [], str(run)
    assert run.host("app1")["reachable"] is True
    assert run.host("gone")["reachable"] is False
    assert run.host("empty")["reachable"] is True
    assert run.report["summary"]["hosts"] == 3
    assert run.report["summary"]["unreachable"] == 1
    for name in ("gone", "empty"):
        assert name in run.output
    assert str(tmp_path / "nowhere") in run.output, "the missing home is named"


def test_no_host_reachable_still_gives_a_report(
    lab: Lab, report_dir: Path, tmp_path: Path
) -> None:
    inventory = hosts_file(tmp_path / "hosts.json", {"gone1": UNREACHABLE, "gone2": UNREACHABLE})
    run = lab.diagnose(report_dir, inventory=inventory)
    assert run.report["summary"]["unreachable"] == 2, str(run)
    assert [host["reachable"] for host in run.report["hosts"]] == [False, False]


# -- Bad input: one clear line ----------------------------------------------------------------

def one_line_says(run: Run, *words: str) -> None:
    """The output has a line that holds all these words, and the run did not go well silently."""
    lines = [line for line in run.output.splitlines() if all(word in line for word in words)]
    assert lines, f"no line says {words}:\n{run}"


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"campaign_modules": ["mta", "postfix"]}, ["postfix", "wfserver"]),
        ({"campaign_instances": ["production"]}, ["production", "prod"]),
        ({"campaign_home": "/nonexistent/nl6"}, ["/nonexistent/nl6"]),
        ({"campaign_timeout": "soon"}, ["timeout", "soon"]),
        ({"campaign_timeout": -5}, ["timeout", "above 0"]),
        ({"campaign_syslogd_port": 700000}, ["syslogd_port", "65535"]),
        ({"campaign_probes": ["entrails"]}, ["entrails"]),
        ({"campaign_fail_on": "sometimes"}, ["fail_on", "sometimes"]),
        (
            {"campaign_jobs": [{"name": "x", "instance": "prod", "kind": "sideways"}]},
            ["kind", "sideways"],
        ),
        ({"campaign_thresholds": {"disk_warning": "lots"}}, ["disk_warning"]),
        ({"campaign_thresholds": {"no_such_threshold": 1}}, ["no_such_threshold"]),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_bad_value_gets_one_clear_line(
    lab: Lab, report_dir: Path, variables: dict[str, Any], words: list[str]
) -> None:
    run = lab.diagnose(report_dir, variables=variables)
    one_line_says(run, *words)


def test_account_that_may_not_be_assumed(
    lab: Lab, app1: dict[str, Any], report_dir: Path, tmp_path: Path
) -> None:
    """sudo refuses: the report says which account, not only that something failed."""
    refusing = tmp_path / "sudo"
    refusing.write_text("#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n")
    refusing.chmod(0o755)
    inventory = hosts_file(tmp_path / "hosts.json", {
        "app1": {**app1, "ansible_become": True, "ansible_become_user": "neolane",
                 "ansible_become_exe": str(refusing), "campaign_user": "neolane"},
    })
    run = lab.diagnose(report_dir, inventory=inventory)
    one_line_says(run, "app1", "neolane")


@pytest.fixture
def edited(lab: Lab) -> Iterator[Callable[[str, Callable[[str], str]], Path]]:
    """Edit a configuration file for one test."""
    kept: dict[Path, tuple[bytes, os.stat_result]] = {}

    def edit(name: str, change: Callable[[str], str]) -> Path:
        path = lab.home() / "conf" / name
        kept[path] = (path.read_bytes(), path.stat())
        path.write_text(change(path.read_text()))
        return path

    yield edit
    for path, (content, status) in kept.items():
        path.write_bytes(content)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        path.chmod(stat.S_IMODE(status.st_mode))
    lab.forget()  # a workflow that began meanwhile has logged that it cannot read it


def test_broken_xml_is_named_with_its_line(
    lab: Lab, report_dir: Path, edited: Callable[[str, Callable[[str], str]], Path]
) -> None:
    path = edited("config-prod.xml", lambda text: text.replace("</", "<", 1))
    run = lab.diagnose(report_dir)
    one_line_says(run, path.name, "line")


# -- fail_on ----------------------------------------------------------------------------------

def test_fail_on_decides_the_exit_code(lab: Lab, report_dir: Path) -> None:
    """A module stopped by hand is critical or a warning: it fails with the matching fail_on."""
    lab.nlserver("stop", "inMail@prod")
    try:
        assert lab.diagnose(report_dir).code == 0
        failing = lab.diagnose(report_dir, variables={"campaign_fail_on": "warning"})
        assert failing.code != 0, failing
        assert failing.host("app1")["findings"], "a failing run still gives its report"
    finally:
        lab.nlserver("start", "inMail@prod")


# -- What is sent ------------------------------------------------------------------------------

def noting(folder: Path) -> tuple[Path, Path]:
    """A Python for the host that keeps what it is given to run; and where it keeps that."""
    python, kept = folder / "python", folder / "sent"
    python.write_text(f"#!/bin/sh\ntee -a {kept} | {sys.executable} \"$@\"\n")
    python.chmod(0o755)
    return python, kept


def test_ansible_s_own_module_gives_the_same_diagnosis(
    lab: Lab, app1: dict[str, Any], tmp_path: Path
) -> None:
    """campaign_plain_module: what is sent is another program, what is said is not."""
    lab.nlserver("stop", "inMail@prod")
    answers = {}
    try:
        for plain in (False, True):
            folder = tmp_path / str(plain)
            folder.mkdir()
            python, kept = noting(folder)
            host = {**app1, "ansible_python_interpreter": str(python), "campaign_api": []}
            run = lab.diagnose(
                folder / "report", inventory=hosts_file(folder / "hosts.json", {"app1": host}),
                variables={"campaign_plain_module": plain},
            )
            sent = kept.read_text()
            assert sent.startswith(BOOTSTRAP.read_text()) is not plain, str(run)
            assert ("plugins.modules.campaign_info" in sent) is plain, str(run)
            entry = run.host("app1")
            answers[plain] = (
                [(f["id"], f["severity"], f["caused_by"]) for f in entry["findings"]],
                [(m["module"], m["verdict"]) for m in entry["modules"]], entry["unseen"],
            )
    finally:
        lab.nlserver("start", "inMail@prod")
    assert [id for id, _severity, _causes in answers[True][0]] == ["inMail.not_running@prod"]
    assert answers[True] == answers[False]


def test_no_lab_is_one_line(lab: Lab, tmp_path: Path) -> None:
    """The lab's inventory says so when no lab is up."""
    done = lab.ctl("inventory", "--root", str(tmp_path / "none"), check=False)
    assert done.code != 0
    assert len(done.output.strip().splitlines()) == 1, done
