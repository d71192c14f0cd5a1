# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a diagnosis needs of a host, checked one after the other, with what to do about each failure.

Pure: action/campaign_check.py asks the host.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from ..diagnosis.catalogue import BY_KEY
from ..diagnosis.records import Diagnosis, Finding

NAMES: Final = ("reachable", "python", "become", "home", "nlserver", "api")
OLDEST_PYTHON: Final = (3, 6)
ROOT: Final = "root"

# Findings that say that nlserver cannot be run.
_NLSERVER = ("watchdog.nlserver_fails", "watchdog.nlserver_hangs")
_API = "web."


@dataclass(frozen=True)
class Check:
    """One of NAMES. `message`: what was seen; `advice`: what to do if that is a failure."""

    name: str
    state: Literal["passed", "failed", "skipped"]
    message: str
    advice: str = ""

    def as_dict(self) -> dict[str, str]:
        """For the result of the action."""
        return {"name": self.name, "state": self.state, "message": self.message,
                "advice": self.advice}  # fmt: skip


def reachable(error: str | None, connection: str, address: str) -> Check:
    """Whether a connection can be made."""
    how = f"{connection} to {address}"
    if error is None:
        return Check("reachable", "passed", how)
    return Check(
        "reachable", "failed", f"{how} fails: {error}",
        "Check the name of the host (ansible_host), your login there (ansible_user) and its key;"
        f" try: ssh {address}",
    )


def python(interpreter: str, output: str, error: str) -> Check:
    """Whether there is a Python that runs the modules; `output`: its version, as 3.9."""
    found = re.search(r"^(\d+)\.(\d+)$", output, re.MULTILINE)
    advice = "Name a Python 3.6 or later of the host: ansible_python_interpreter: /usr/bin/python3"
    if not found:
        said = f": {error}" if error else ""
        return Check("python", "failed", f"{interpreter or 'python3'} does not run{said}", advice)
    version = int(found[1]), int(found[2])
    text = f"{interpreter} is Python {found[0]}"
    if version < OLDEST_PYTHON:
        return Check("python", "failed", f"{text}, which is too old", advice)
    return Check("python", "passed", text)


def become(account: str, wanted: str | None, login: str, error: str | None) -> Check:
    """Whether the run gets the rights that it should have.

    `account`: who runs commands; `wanted`: who should, None without become; `login`: who connects.
    """
    if error is not None:
        return Check(
            "become", "failed", f"{login} cannot become {wanted}: {error}",
            "Add --ask-become-pass, or let sudo do without a password; with fewer rights:"
            " ansible_become_user or ansible_become: false (README, Rights)",
        )
    if wanted is None:
        return Check("become", "passed", f"not used (ansible_become: false); the account is {account}")
    if account != wanted:
        return Check(
            "become", "failed", f"{login} should become {wanted} and is {account or 'unknown'}",
            "Check ansible_become_method and ansible_become_user",
        )
    return Check("become", "passed", f"{login} becomes {account}" if login != account else account)


def server(diagnosis: Diagnosis, declared_api: Sequence[str]) -> Iterator[Check]:
    """Home, nlserver and API, as a diagnosis has seen them; `declared_api`: instances."""
    where = f"{diagnosis.home or 'campaign_home'}, account {diagnosis.user or 'unknown'}"
    if diagnosis.error or not diagnosis.installed:
        yield Check(
            "home", "failed", diagnosis.error or f"Campaign is not installed at {where}",
            "Set campaign_home to the directory that holds bin/nlserver, and campaign_user to the"
            " account that it runs as",
        )
        return
    instances = ", ".join(diagnosis.instances) or "none"
    yield Check("home", "passed", f"{where}; instances: {instances}")
    nlserver = _nlserver(diagnosis)
    yield nlserver
    if nlserver.state == "passed":
        yield _api(diagnosis, declared_api)


def _nlserver(diagnosis: Diagnosis) -> Check:
    for finding in diagnosis.findings:
        if finding.key in _NLSERVER:
            return _failed("nlserver", finding)
    blind = [probe.message for probe in diagnosis.unseen if probe.probe == "pdump"]
    if blind:
        return Check("nlserver", "failed", blind[0], "Run nlserver pdump as the account, and look")
    return Check("nlserver", "passed", f"build {diagnosis.build or 'unknown'}")


def _api(diagnosis: Diagnosis, declared: Sequence[str]) -> Check:
    if not declared:
        return Check(
            "api", "skipped", "not declared: nothing is checked in the database",
            "Optional: campaign_api (docs/user/api.md)",
        )
    for finding in diagnosis.findings:
        problem = BY_KEY[finding.key]
        if finding.key.startswith(_API) and problem.needs == ("api",):
            return _failed("api", finding)
    blind = [probe.message for probe in diagnosis.unseen if probe.probe == "api"]
    if blind:
        return Check("api", "failed", blind[0], "Check campaign_api (docs/user/api.md)")
    return Check("api", "passed", f"answers for {', '.join(declared)}")


def _failed(name: str, finding: Finding) -> Check:
    advice = (finding.fix or finding.reason or "").removeprefix("# ")  # a comment, for a shell
    return Check(name, "failed", finding.summary, advice)


def complete(checks: Sequence[Check]) -> list[Check]:
    """All of NAMES: what comes after a failure was not checked."""
    done = {check.name for check in checks}
    last = checks[-1].name if checks else ""
    return [*checks, *(
        Check(name, "skipped", f"not checked: first {last} must pass")
        for name in NAMES if name not in done
    )]


def line(check: Check) -> str:
    """For a terminal."""
    return f"{check.name}: {check.state}, {sentence(check)}"


def sentence(check: Check) -> str:
    """What was seen, and what to do."""
    return f"{check.message.rstrip('.')}. {check.advice}" if check.advice else check.message
