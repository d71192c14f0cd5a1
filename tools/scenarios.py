#!/usr/bin/env python3
# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Runs Molecule scenarios on hosts of their own, and removes these whatever happens.

usage: tools/scenarios.py [SCENARIO...]      (make molecule ARGS="SCENARIO..."); all without one

What is missing on the machine is installed where apt can do it as root. Within make test a machine
that cannot run them leaves them out; called by itself that is an error. See docs/developer/molecule.md.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from types import FrameType
from typing import NamedTuple

import caretaker
import hosts
from common.command_line import Parser
from stages import LEFT_OUT

CHECKOUT = hosts.CHECKOUT
BUILD = CHECKOUT / "build"
JUNIT = BUILD / "junit"
PACKAGES = ("podman", "runc", "netavark", "aardvark-dns", "iptables", "nftables", "mmdebstrap",
            "openssh-client")  # fmt: skip
SCENARIO_SECONDS = 1500.0
AT_ONCE = 2
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Result(NamedTuple):
    """How a scenario ended."""

    scenario: str
    passed: bool
    seconds: float


def known() -> list[str]:
    """The scenarios, default first."""
    names = [path.parent.name for path in hosts.SCENARIOS.glob("*/molecule.yml")]
    return sorted(names, key=lambda name: (name != "default", name))


def lacking() -> str:
    """Why this machine cannot run them, after an attempt to install what is missing."""
    missing = hosts.missing()
    if missing and "root" not in missing and shutil.which("apt-get"):
        print(f"scenarios: installing {' '.join(PACKAGES)}", flush=True)
        apt = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        apt.pop("TMPDIR", None)  # what a package starts does not belong to this run
        for words in (["update"], ["install", "-y", "--no-install-recommends", *PACKAGES]):
            done = subprocess.run(["apt-get", "-qq", *words], env=apt, stdin=subprocess.DEVNULL,
                                  capture_output=True, encoding="utf-8", errors="replace",
                                  check=False, timeout=900)  # fmt: skip
            if done.returncode:
                return f"apt-get {words[0]} failed: {done.stderr.strip()[-300:]}"
        missing = hosts.missing()
    return f"this machine lacks {', '.join(missing)}" if missing else ""


class Running:
    """One scenario, from new hosts to none."""

    def __init__(self, scenario: str, name: str) -> None:
        self.scenario = scenario
        self.place = hosts.Place(scenario, name)
        self.began = time.monotonic()
        self.log = BUILD / f"molecule-{scenario}.log"
        (JUNIT / f"molecule-{scenario}.xml").unlink(missing_ok=True)
        environment = {
            **os.environ, "NO_COLOR": "1",
            "PYTHONPATH": str(CHECKOUT / "tests" / "compiled"),
            "PYTHONPYCACHEPREFIX": str(BUILD / "pycache"),
            "MOLECULE_EPHEMERAL_DIRECTORY":
                str(self.place.directory.parent / f"{scenario}.molecule"),
        }  # fmt: skip
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                ["molecule", "test", "--scenario-name", scenario], cwd=CHECKOUT, env=environment,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self.began

    def ended(self) -> bool:
        """Is it over, or has it been given up?"""
        return self.process.poll() is not None or self.seconds > SCENARIO_SECONDS

    def close(self) -> Result:
        """End what still runs, remove the hosts, show what was said."""
        in_time = self.process.poll() is not None
        if not in_time:
            # Nothing is lost: what Molecule would remove is removed here.
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        hosts.down(self.place)
        print(f"\nscenarios: {self.scenario}", flush=True)
        sys.stdout.write(self.log.read_text(encoding="utf-8", errors="replace"))
        if not in_time:
            print(f"scenarios: {self.scenario} was ended after {self.seconds:.0f} s", flush=True)
        return Result(self.scenario, self.process.returncode == 0, self.seconds)


def run(chosen: Sequence[str], name: str) -> list[Result]:
    """All scenarios, some side by side: much of their time is waiting."""
    waiting, running = list(chosen), list[Running]()
    results: list[Result] = []
    try:
        while waiting or running:
            while waiting and len(running) < AT_ONCE:
                running.append(Running(waiting.pop(0), name))
                print(f"scenarios: {running[-1].scenario} begins", flush=True)
            time.sleep(0.5)
            for scenario in [each for each in running if each.ended()]:
                results.append(scenario.close())
                running.remove(scenario)
    finally:
        for number in SIGNALS:  # a second Ctrl-C does not get in between
            signal.signal(number, signal.SIG_IGN)
        for scenario in running:
            scenario.close()
    return results


def merge(scenarios: list[str]) -> None:
    """One JUnit file of all, for the table of make test."""
    merged = ET.Element("testsuites")
    for scenario in scenarios:
        path = JUNIT / f"molecule-{scenario}.xml"
        if path.exists():
            for suite in ET.parse(path).getroot().iter("testsuite"):
                suite.set("name", f"molecule-{scenario}")
                merged.append(suite)
    ET.ElementTree(merged).write(JUNIT / "molecule.xml", encoding="utf-8", xml_declaration=True)


def interrupted(number: int, _frame: FrameType | None) -> None:
    """Leave by way of everything that removes something."""
    sys.exit(128 + number)


def main() -> int:
    parser = Parser(__doc__)
    parser.add_argument("scenario", nargs="*", help=f"of: {' '.join(known())}")
    chosen = parser.parse_args().scenario or known()
    for name in chosen:
        if name not in known():
            parser.error(f"no scenario '{name}'; there are: {' '.join(known())}")
    for number in SIGNALS:
        signal.signal(number, interrupted)
    reason = lacking()
    if reason:
        print(f"{LEFT_OUT}{reason}", flush=True)
        return 0 if os.environ.get("CAMPAIGN_STAGES") else 1
    JUNIT.mkdir(parents=True, exist_ok=True)
    name = f"run{os.getpid()}"
    os.environ["CAMPAIGN_MOLECULE_RUN"] = name
    caretaker.temporary_folder("--hosts", name)
    try:
        hosts.build()
        results = run(chosen, name)
    except hosts.HostsError as error:
        print(f"scenarios: {error}", file=sys.stderr)
        return 1
    finally:
        hosts.down_run(name)
        merge(chosen)
    print()
    for result in results:
        verdict = "passed" if result.passed else "FAILED"
        print(f"{result.scenario:12} {verdict} {result.seconds:6.0f} s", flush=True)
    return 0 if all(result.passed for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
