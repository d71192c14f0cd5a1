"""Older and newer builds: what they print and write, and that the diagnosis reads it right."""

from __future__ import annotations

import re
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from campaign_lab.lab import Lab as State
from integration.harness import Lab, Run, run, wait_until

BUILDS = ("older", "current", "newer")
LINES = {
    "older": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z [0-9A-F]{8} [123] (info|warning|error) \w+ ",
    "current": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\t\d+\t[0-9A-F]{8}\t[123]\t"
               r"(info|warning|error)\t\w+\t",
}  # fmt: skip
LINES["newer"] = LINES["current"]
NUMBERS = {"older": "6.1.1 build 8700", "current": "7.0 build 9356@5ba3f8b",
           "newer": "7.4.1 build 9390@f2a57b8"}  # fmt: skip


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A server of each build, called as the build."""
    made = Lab(tmp_path_factory.mktemp("lab"))
    try:
        for build in BUILDS:
            made.ctl("up", "--server", build, "--build", build)
        yield made
    finally:
        made.down()


def script(lab: Lab, word: str) -> Run:
    return run([lab.root / "older" / "init.d" / "nlserver6", word], timeout=60)


@pytest.mark.parametrize("build", BUILDS)
def test_pdump(lab: Lab, build: str) -> None:
    header, *tasks = lab.nlserver("pdump", server=build).output.splitlines()
    assert NUMBERS[build] in header
    unit = {"older": "Mo", "current": "MB", "newer": "Mb"}[build]
    assert tasks and all(line.endswith(" " + unit) for line in tasks)


@pytest.mark.parametrize("build", BUILDS)
def test_log_lines(lab: Lab, build: str) -> None:
    log = lab.home(build) / "var" / "prod" / "log" / "wfserver.log"
    assert wait_until(lambda: log.exists() and log.stat().st_size > 0, 20)
    lines = log.read_text().splitlines()
    assert [line for line in lines if not re.match(LINES[build], line)] == []


@pytest.mark.parametrize("build", BUILDS)
def test_redirection(lab: Lab, build: str) -> None:
    url = State(str(lab.root)).servers[build].front_url + "/r/test"
    with urllib.request.urlopen(url, timeout=20) as answer:
        names = re.findall(r"(\w+)='", answer.read().decode())
    all_of_them = ["status", "date", "build", "sha1", "instance", "sourceIP", "host", "localHost"]
    older = ["status", "date", "build", "host", "localHost"]
    wanted = {"older": older, "current": all_of_them, "newer": ["version", *all_of_them]}
    assert names == wanted[build]


def test_port_of_newer_builds(lab: Lab) -> None:
    server = State(str(lab.root)).servers["newer"]
    held = subprocess.run(["ss", "-lunH", f"src {server.address}"], capture_output=True, text=True,
                          check=True, timeout=20).stdout  # fmt: skip
    assert f"{server.address}:6666 " in held
    told = (lab.home("newer") / "customer.sh").read_text().splitlines()
    assert not [line for line in told if line.startswith("export TRACE_ADDR")]


STARTS = {"older": "Start of the 'stat@prod' ('{}') task in a new process",
          "current": "Running task 'stat@prod' ('{}') in a new process",
          "newer": "Launching task 'stat@prod' ('{}') in a new process"}  # fmt: skip
COMMAND = "nlserver stat -tracefile:stat@prod -instance:prod -detach"
STOPS = {"older": r"Stop requested \(pid=\d+\)$", "current": r"Stop requested \(pid=\d+\)$",
         "newer": rf"Stop requested for 'stat@prod' \('{COMMAND}', pid=\d+, tid=\d+\)\.\.\.$"}
LOGGED = {"older": [r"Statistics server start \(pid=", r"Statistics server stopped \(pid="],
          "current": [r"Statistics server start \(pid="],
          "newer": [r"Starting Statistics server module \(pid=", r"Stopping Statistics server \("]}


@pytest.mark.parametrize("build", BUILDS)
def test_start_and_stop_are_told_as_the_build_does(lab: Lab, build: str) -> None:
    log = lab.home(build) / "var" / "prod" / "log" / "stat.log"
    stopped = lab.nlserver("stop", "stat@prod", server=build).output
    assert re.search(STOPS[build], stopped, re.MULTILINE), stopped
    started = lab.nlserver("start", "stat@prod", server=build).output
    assert f" >   {STARTS[build].format(COMMAND)}\n" in started
    assert wait_until(lambda: all(re.search(each, log.read_text()) for each in LOGGED[build]), 20)


def test_a_newer_pdump_of_nothing_is_the_header_alone(lab: Lab) -> None:
    lab.nlserver("shutdown", server="newer")
    (header,) = lab.nlserver("pdump", server="newer").output.splitlines()
    assert header.endswith("(7.4.1 build 9390@f2a57b8 of 12/03/2025)")
    assert lab.nlserver("watchdog", "-noconsole", server="newer").code == 0
    assert wait_until(lambda: not lab.nlserver("monitor", "-missing", server="newer").output, 30)


def test_stop_by_mask_takes_the_children_with_it(lab: Lab) -> None:
    """KA-21659: nlserver stop mta*@<instance>."""
    told = lab.nlserver("stop", "mta*@prod", server="current").output
    assert "(pid=" in told
    assert lab.nlserver("monitor", "-missing", server="current").output == "mta@prod\n"
    assert lab.nlserver("start", "mta@prod", server="current").code == 0


def test_a_build_is_chosen_once(lab: Lab) -> None:
    refused = lab.ctl("up", "--server", "older", "--build", "newer", check=False)
    assert refused.code == 1 and "older is of build 'older', and stays so" in refused.output


def keys(done: Run, server: str) -> list[Any]:
    return [finding["key"] for finding in done.findings(server)]


def test_init_script_and_nothing_that_runs(lab: Lab, tmp_path: Path) -> None:
    """Exit codes as documented: 0 all run, 1 one is missing, 2 none runs."""
    assert script(lab, "status").code == 0
    lab.nlserver("stop", "stat@prod", server="older")
    one = script(lab, "status")
    assert one.code == 1 and "stat@prod" in one.output
    assert script(lab, "stop").code == 0
    assert script(lab, "status").code == 2
    assert lab.nlserver("pdump", server="older").output.splitlines()[-1] == "no task"
    found = lab.diagnose(tmp_path, "--limit", "older")
    assert "watchdog.nothing_runs" in keys(found, "older"), str(found)
    assert script(lab, "start").code == 0
    assert wait_until(lambda: script(lab, "status").code == 0, 30)
    assert script(lab, "reload").code == 64
