"""tests/cases/form.py: what is no case is refused, and each time is written as it is meant."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from cases.form import CaseError, Clock, load

CASE: dict[str, Any] = {
    "id": "one", "module": "mta", "source": "a page", "story": "It was so.", "why": "So it is.",
    "given": {
        "files": {"conf/config-prod.xml": "<serverconf/>"},
        "console": {"pdump": {"stderr": "no\n", "status": 127}},
        "http": {"/r/test": {"status": 200, "body": "<redir/>"}},
        "sockets": [{"proto": "udp", "port": 666, "by": "rsyslogd"}],
        "processes": {"only": True, "list": [{"args": "nlserver mta", "memory_mb": 3}]},
        "network": [{"name": "mailbox", "host": "pop", "port": 110, "reachable": False}],
        "service": {"nlserver": {"active_state": "failed"}},
        "api": [{"schema": "xtk:workflow", "internalName": "tracking"}],
        "modes": {"conf/config-prod.xml": "0600"}, "mtimes": {"conf/config-prod.xml": "now-2h"},
    },
    "expect": {
        "found": [{"key": None, "about": "it", "severity": "info", "restart": None,
                   "must_mention": ["it"]}],
        "not_found": ["mta.hung"], "plan": "none",
    },
}  # fmt: skip


def case(folder: Path, data: Any) -> Path:
    path = folder / "one.yml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    return path


def test_a_case_of_the_form_is_read(tmp_path: Path) -> None:
    read = load(case(tmp_path, CASE))
    assert read.given.modes == {"conf/config-prod.xml": 0o600}
    assert read.given.mtimes == {"conf/config-prod.xml": read.given.clock.now - 7200}
    assert read.given.only and read.given.processes[0].memory_mb == 3
    assert read.given.service == {"nlserver": {"ActiveState": "failed"}}


@pytest.mark.parametrize("path", [
    (), ("given",), ("given", "console", "pdump"), ("given", "http", "/r/test"),
    ("given", "sockets", 0), ("given", "processes"), ("given", "processes", "list", 0),
    ("given", "network", 0), ("given", "service", "nlserver"), ("expect",),
    ("expect", "found", 0),
], ids=lambda path: ".".join(map(str, path)) or "top")  # fmt: skip
def test_an_unknown_key_fails_wherever_it_stands(tmp_path: Path, path: tuple[Any, ...]) -> None:
    data = copy.deepcopy(CASE)
    place = data
    for step in path:
        place = place[step]
    place["unheard_of"] = 1
    with pytest.raises(CaseError, match="unheard_of"):
        load(case(tmp_path, data))


@pytest.mark.parametrize(("path", "value"), [
    (("module",), "mtaa"), (("expect", "found", 0, "severity"), "grave"),
    (("expect", "found", 0, "restart"), "perhaps"), (("given", "modes"), {"a": "0999"}),
    (("given", "mtimes"), {"a": "now~5m"}), (("given", "files"), {"/etc/passwd": ""}),
    (("given", "files"), {"a/../../b": ""}), (("given", "files"), {"a": "{now-5q} x"}),
    (("given", "sockets", 0, "proto"), "sctp"), (("given", "http"), {"r/test": {"status": 200}}),
    (("given", "api", 0, "schema"), None), (("given", "at"), "at noon"),
    (("given", "console", "pdump", "status"), "bad"), (("expect", "plan"), 3),
], ids=str)  # fmt: skip
def test_a_value_that_cannot_be_fails(tmp_path: Path, path: tuple[Any, ...], value: Any) -> None:
    data = copy.deepcopy(CASE)
    place = data
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(CaseError):
        load(case(tmp_path, data))


def test_a_key_that_stands_there_twice_fails(tmp_path: Path) -> None:
    path = tmp_path / "one.yml"
    path.write_text(yaml.safe_dump(CASE) + "module: web\n")
    with pytest.raises(CaseError, match="twice"):
        load(path)


@pytest.mark.parametrize(("written", "meant"), [
    ("{now-5m}", "2026-08-27T11:55:00.000Z"),
    ("{now-90s|sp}", "2026-08-27 11:58:30.000Z"),
    ("{now-5m|+05:30}", "2026-08-27 17:25:00.000+05:30"),
    ("{now-1d|-04:00}", "2026-08-26 08:00:00.000-04:00"),
    ("{today 06:01:13|plain}", "2026-08-27 06:01:13"),
    ("{today 06:01:13|java}", "Aug 27, 2026 6:01:13 AM"),
    ("{now+1h30m|java}", "Aug 27, 2026 1:30:00 PM"),
    ("{yesterday 23:59}", "2026-08-26T23:59:00.000Z"),
    ("{0} and {x}", "{0} and {x}"),
])  # fmt: skip
def test_times(written: str, meant: str) -> None:
    assert Clock().text(written) == meant


@pytest.mark.parametrize("at", ["06:20:00", "12:30:00"])
def test_the_clock_of_a_case_is_as_it_is_written(tmp_path: Path, at: str) -> None:
    """YAML takes 12:30:00 for a number to the base of 60."""
    path = case(tmp_path, {**CASE, "given": {}})
    path.write_text(path.read_text().replace("given: {}", f"given:\n  at: {at}"))
    hours, minutes, seconds = map(int, at.split(":"))
    assert load(path).given.clock.now % 86400 == 3600 * hours + 60 * minutes + seconds
