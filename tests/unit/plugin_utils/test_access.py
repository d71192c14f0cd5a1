"""What a diagnosis needs of a host: each answer, and what is said about it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.ansible import access
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.records import (
    Diagnosis,
    Finding,
    Probe,
    Severity,
)


def finding(key: str, summary: str, fix: str | None = None, reason: str | None = None) -> Finding:
    return Finding(
        id=f"{key}@default", key=key, module=key.partition(".")[0], instance="default",
        severity=Severity.WARNING, title="", summary=summary, fix=fix, reason=reason,
    )


def of(declared: tuple[str, ...] = ("prod",), **seen: Any) -> list[tuple[str, str, str, str]]:
    diagnosis = Diagnosis(**{
        "name": "app1", "installed": True, "home": "/nl6", "user": "neolane", "build": "9356",
        "instances": ("prod",), **seen,
    })
    checks = access.server(diagnosis, declared)
    return [(check.name, check.state, check.message, check.advice) for check in checks]


def test_a_host_that_cannot_be_reached() -> None:
    assert access.reachable(None, "ssh", "app1").state == "passed"
    failed = access.reachable("No route to host", "ssh", "10.0.0.1")
    assert (failed.state, failed.message) == ("failed", "ssh to 10.0.0.1 fails: No route to host")
    assert "ssh 10.0.0.1" in failed.advice and "ansible_host" in failed.advice


@pytest.mark.parametrize(("interpreter", "output", "error", "state", "message"), [
    ("/usr/bin/python3", "3.9\n", "", "passed", "/usr/bin/python3 is Python 3.9"),
    ("/usr/bin/python3", "motd\n3.6\n", "", "passed", "/usr/bin/python3 is Python 3.6"),
    ("/usr/bin/python2", "2.7", "", "failed", "/usr/bin/python2 is Python 2.7, which is too old"),
    ("/opt/py", "", "not found", "failed", "/opt/py does not run: not found"),
    ("", "", "", "failed", "python3 does not run"),
])  # fmt: skip
def test_python(interpreter: str, output: str, error: str, state: str, message: str) -> None:
    check = access.python(interpreter, output, error)
    assert (check.state, check.message) == (state, message)
    assert ("ansible_python_interpreter" in check.advice) == (state == "failed")


@pytest.mark.parametrize(("account", "wanted", "error", "state", "part"), [
    ("root", "root", None, "passed", "anna becomes root"),
    ("anna", None, None, "passed", "not used"),
    ("anna", "root", None, "failed", "anna should become root and is anna"),
    ("", "root", None, "failed", "is unknown"),
    ("", "root", "Missing sudo password", "failed", "anna cannot become root: Missing sudo"),
])  # fmt: skip
def test_become(
    account: str, wanted: str | None, error: str | None, state: str, part: str
) -> None:
    check = access.become(account, wanted, "anna", error)
    assert check.state == state and part in check.message
    assert bool(check.advice) == (state == "failed")


def test_a_server_that_can_be_diagnosed() -> None:
    assert of() == [
        ("home", "passed", "/nl6, account neolane; instances: prod", ""),
        ("nlserver", "passed", "build 9356", ""),
        ("api", "passed", "answers for prod", ""),
    ]


def test_no_installation_ends_the_checks() -> None:
    ((name, state, message, advice),) = of(installed=False, error="no Campaign in /nl6")
    assert (name, state, message) == ("home", "failed", "no Campaign in /nl6")
    assert "campaign_home" in advice and "campaign_user" in advice


def test_what_was_not_seen_has_not_passed() -> None:
    assert of(installed=None)[-1][:2] == ("home", "failed")
    unseen = (Probe(probe="pdump", kind="timeout", message="nlserver pdump gave no answer"),)
    assert of(unseen=unseen)[-1][:3] == ("nlserver", "failed", "nlserver pdump gave no answer")
    unseen = (Probe(probe="api", kind="timeout", message="no answer"),)
    assert of(unseen=unseen)[-1][:3] == ("api", "failed", "no answer")


def test_an_nlserver_that_fails_says_how_to_look() -> None:
    found = finding("watchdog.nlserver_fails", "nlserver fails", fix="ls -l nlserver")
    assert of(findings=(found,))[1:] == [("nlserver", "failed", "nlserver fails", "ls -l nlserver")]


def test_the_api() -> None:
    assert of(declared=())[-1][:2] == ("api", "skipped")
    found = finding("web.logon_password", "refused", fix="# compare the password")
    assert of(findings=(found,))[-1] == ("api", "failed", "refused", "compare the password")
    other = finding("web.tomcat_down", "Tomcat is down", fix="restart")
    assert of(findings=(other,))[-1][:2] == ("api", "passed")


def test_what_comes_after_a_failure_was_not_checked() -> None:
    checks = access.complete([access.reachable("down", "ssh", "app1")])
    assert [check.name for check in checks] == list(access.NAMES)
    assert {check.state for check in checks[1:]} == {"skipped"}
    assert "first reachable must pass" in checks[1].message
