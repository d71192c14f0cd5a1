#!/usr/bin/env python3
# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Runs Molecule scenarios on hosts of their own, and removes these whatever happens.

usage: tools/scenarios.py [SCENARIO...]      (make molecule ARGS="SCENARIO..."); all without one

What is missing on the machine is installed where apt can do it as root. Within make test a machine
that cannot run them leaves them out; called by itself that is an error. See docs/molecule.md.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from types import FrameType

import hosts
from stages import LEFT_OUT

CHECKOUT = hosts.CHECKOUT
JUNIT = CHECKOUT / "build" / "junit"
PACKAGES = ("podman", "runc", "netavark", "aardvark-dns", "iptables", "nftables", "mmdebstrap",
            "openssh-client")  # fmt: skip
SCENARIO_SECONDS = 1500.0
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


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
        for words in (["update"], ["install", "-y", "--no-install-recommends", *PACKAGES]):
            done = subprocess.run(["apt-get", "-qq", *words], env=apt, stdin=subprocess.DEVNULL,
                                  capture_output=True, encoding="utf-8", errors="replace",
                                  check=False, timeout=900)  # fmt: skip
            if done.returncode:
                return f"apt-get {words[0]} failed: {done.stderr.strip()[-300:]}"
        missing = hosts.missing()
    return f"this machine lacks {', '.join(missing)}" if missing else ""


def run(scenario: str, name: str) -> bool:
    """One scenario, from new hosts to none."""
    place = hosts.Place(scenario, name)
    environment = {
        **os.environ, "CAMPAIGN_MOLECULE_RUN": name, "NO_COLOR": "1",
        "MOLECULE_EPHEMERAL_DIRECTORY": str(place.directory.parent / f"{scenario}.molecule"),
    }  # fmt: skip
    process = subprocess.Popen(["molecule", "test", "--scenario-name", scenario], cwd=CHECKOUT,
                               env=environment, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        return process.wait(SCENARIO_SECONDS) == 0
    except subprocess.TimeoutExpired:
        print(f"scenarios: {scenario} took more than {SCENARIO_SECONDS:g} s", flush=True)
        return False
    finally:
        clean_up(process, place)


def clean_up(process: subprocess.Popen[bytes], place: hosts.Place) -> None:
    """End what still runs, and remove the hosts; a second Ctrl-C does not get in between."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    if process.poll() is None:
        # Nothing is lost: what Molecule would remove is removed here.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    hosts.down(place)
    for number in SIGNALS:
        signal.signal(number, interrupted)


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
    parser = argparse.ArgumentParser(prog="tools/scenarios.py", description=__doc__)
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
    results: list[tuple[str, bool, float]] = []
    try:
        hosts.build()
        for scenario in chosen:
            (JUNIT / f"molecule-{scenario}.xml").unlink(missing_ok=True)
            print(f"\nscenarios: {scenario}", flush=True)
            began = time.monotonic()
            results.append((scenario, run(scenario, name), time.monotonic() - began))
    except hosts.HostsError as error:
        print(f"scenarios: {error}", file=sys.stderr)
        return 1
    finally:
        for place in hosts.places(name):
            hosts.down(place)
        shutil.rmtree(CHECKOUT / "build" / "molecule" / name, ignore_errors=True)
        merge(chosen)
    print()
    for scenario, passed, took in results:
        print(f"{scenario:12} {'passed' if passed else 'FAILED'} {took:6.0f} s", flush=True)
    return 0 if all(passed for _, passed, _ in results) else 1


if __name__ == "__main__":
    sys.exit(main())
