"""Older and newer builds: what they print and write, and that the diagnosis reads it right."""

from __future__ import annotations

import re
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from campaign_lab.layout import Lab as State
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
    unit = "Mo" if build == "older" else "MB"
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
    assert names == (older if build == "older" else all_of_them)


def test_port_of_newer_builds(lab: Lab) -> None:
    server = State(str(lab.root)).servers["newer"]
    held = subprocess.run(["ss", "-lunH", f"src {server.address}"], capture_output=True, text=True,
                          check=True, timeout=20).stdout  # fmt: skip
    assert f"{server.address}:6666 " in held
    assert "<syslogd " in (lab.home("newer") / "conf" / "serverConf.xml").read_text()
    assert 'port="6666"' not in (lab.home("newer") / "conf" / "serverConf.xml").read_text()


def test_a_build_is_chosen_once(lab: Lab) -> None:
    refused = lab.ctl("up", "--server", "older", "--build", "newer", check=False)
    assert refused.code == 1 and "older is of build 'older', and stays so" in refused.output


@pytest.mark.parametrize("build", BUILDS)
def test_diagnosis_reads_a_healthy_server(lab: Lab, build: str, tmp_path: Path) -> None:
    """The site has not said which port syslogd has."""
    done = lab.diagnose(tmp_path, "--limit", build, variables={"campaign_syslogd_port": 0})
    assert done.code == 0, str(done)
    assert done.host(build)["build"] == NUMBERS[build]
    expected = ["syslogd.other_port"] if build == "newer" else []
    assert keys(done, build) == expected, str(done)


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
