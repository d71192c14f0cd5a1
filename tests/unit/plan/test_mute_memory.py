"""A mute ends when its finding has been gone for a day of complete diagnoses."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from unit.plan.builder import HOUR, NOW, finding, server

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import (
    MODULES,
    SHARED,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.ansible import (
    mute_file,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.records import (
    Diagnosis,
    Probe,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning.mute_memory import (
    HostMemory,
    Memory,
    marked,
    remembered,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning.policy import (
    Mute,
    Policy,
)

ILL = "wfserver.memory_alert@prod"
MUTE = {"key": "wfserver.memory_alert", "until": "2026-12-31", "reason": "CHG-1"}
EVERY = {
    (name, "default" if name in SHARED else instance)
    for name in MODULES for instance in ("prod", "prod2")
}


def diagnosed(*findings: Any, **more: Any) -> Diagnosis:
    """A complete diagnosis of app1."""
    data = server(*findings, name="app1")
    known = {(each["module"], each["instance"]) for each in data["modules"]}
    data["modules"] += [
        {"module": module, "instance": instance, "state": "running", "verdict": "healthy"}
        for module, instance in sorted(EVERY - known)
    ]
    return replace(Diagnosis.of(data), **{"whole": True, **more})


HEALTHY = diagnosed()


def mutes(**more: Any) -> tuple[Mute, ...]:
    return Policy.of({"muted": [MUTE | more], "windows_timezone": "UTC"}).mutes


def after(*runs: tuple[float, Diagnosis], of: tuple[Mute, ...] | None = None,
          memory: Memory | None = None) -> Memory:  # fmt: skip
    """The memory after runs, each so many hours after the first."""
    known = memory or Memory()
    for hours, diagnosis in runs:
        known = remembered(known, [diagnosis], {"app1": of or mutes()}, NOW + hours * HOUR)
    return Memory.of(json.loads(json.dumps(known.as_dict())))


def gone(memory: Memory, of: tuple[Mute, ...] | None = None) -> tuple[float, float] | None:
    """From when to when, in hours, if that ends the mute."""
    (mute,) = marked(of or mutes(), memory.of_host("app1"), NOW + 1000 * HOUR)
    if mute.gone is None:
        return None
    begin, end = mute.gone
    return (begin - NOW) / HOUR, (end - NOW) / HOUR


SICK = diagnosed(finding(ILL))
OTHER = diagnosed(finding("wfserver.memory_alert@prod2"))


@pytest.mark.parametrize(
    ("runs", "ended"),
    [
        ([], None),
        ([(0, SICK), (48, SICK)], None),
        ([(0, SICK), (1, HEALTHY), (24.9, HEALTHY)], None),
        ([(0, SICK), (1, HEALTHY), (25, HEALTHY)], (1, 25)),
        ([(0, SICK), (1, HEALTHY), (25, HEALTHY), (70, HEALTHY)], (1, 70)),
        # Seen once is not gone for a day, however long nobody looked.
        ([(0, SICK), (1, HEALTHY), (200, SICK)], None),
        ([(0, SICK), (1, HEALTHY), (20, SICK), (21, HEALTHY), (40, HEALTHY)], None),
        ([(0, SICK), (1, HEALTHY), (20, SICK), (21, HEALTHY), (45, HEALTHY)], (21, 45)),
        # It is back, and stays reported.
        ([(0, SICK), (1, HEALTHY), (25, HEALTHY), (26, SICK)], (1, 25)),
        ([(0, SICK), (1, HEALTHY), (25, HEALTHY), (26, SICK), (27, HEALTHY), (28, SICK)], (1, 25)),
        # The mute of a key is for both instances.
        ([(0, SICK), (1, OTHER), (30, OTHER)], None),
        # A clock that goes back begins anew.
        ([(0, SICK), (50, HEALTHY), (10, HEALTHY), (33, HEALTHY)], None),
    ],
)
def test_gone_for_a_day(runs: list[tuple[float, Diagnosis]], ended: Any) -> None:
    assert gone(after(*runs)) == ended


@pytest.mark.parametrize(
    "blind",
    [
        diagnosed(error="no Python"),
        Diagnosis(name="app1", reachable=False, error="timed out"),
        diagnosed(unseen=(Probe(probe="processes", kind="failed", message="x"),)),
        diagnosed(whole=False),
        diagnosed(modules=tuple(each for each in HEALTHY.modules if each.instance != "prod2")),
        diagnosed(modules=tuple(
            replace(each, verdict="unknown") if each.module == "wfserver" else each
            for each in HEALTHY.modules
        )),
        diagnosed(untried={"wfserver.memory_alert@prod": "it has not run since"}),
    ],
    ids=["failed", "unreachable", "probe", "not whole", "instances", "unknown", "untried"],
)
def test_what_was_not_looked_at_is_not_gone(blind: Diagnosis) -> None:
    assert gone(after((0, SICK), (1, blind), (30, blind))) is None
    assert gone(after((0, SICK), (1, HEALTHY), (30, blind))) is None
    # It neither counts nor begins anew.
    assert gone(after((0, SICK), (1, HEALTHY), (20, blind), (25, HEALTHY))) == (1, 25)
    assert gone(after((0, SICK), (1, HEALTHY), (25, HEALTHY), (26, blind))) == (1, 25)


def test_a_finding_of_the_database_is_not_gone_without_credentials() -> None:
    mute = mutes(key="host.operator_disabled")
    skipped = diagnosed(unseen=(Probe(probe="api", kind="skipped", message="no credentials"),))
    assert gone(after((0, skipped), (30, skipped), of=mute), mute) is None
    assert gone(after((0, skipped), (30, skipped))) == (0, 30)


def test_a_finding_in_a_look_that_is_not_complete_is_found() -> None:
    partly = diagnosed(finding(ILL), unseen=(Probe(probe="http", kind="failed", message="x"),))
    assert gone(after((0, SICK), (1, HEALTHY), (20, partly), (26, HEALTHY))) is None


@pytest.mark.parametrize(
    "changed", [{"until": "2026-12-30"}, {"reason": "CHG-2"}, {"host": "app1"}, {"instance": "prod"}]
)
def test_whoever_writes_the_mute_anew_begins_anew(changed: dict[str, Any]) -> None:
    known = after((0, SICK), (1, HEALTHY), (30, HEALTHY), (31, SICK))
    assert gone(known) == (1, 30)
    assert gone(known, mutes(**changed)) is None
    renewed = after((32, SICK), of=mutes(**changed), memory=known)
    assert gone(renewed, mutes(**changed)) is None and gone(renewed) is None


def test_hosts_without_a_mute_are_not_kept_and_others_are_for_a_while() -> None:
    known = after((0, HEALTHY))
    assert [host.name for host in known.hosts] == ["app1"]
    later = remembered(known, [replace(HEALTHY, name="app2")], {}, NOW + 24 * HOUR)
    assert later == known
    assert remembered(known, [], {}, NOW + 100 * 24 * HOUR).hosts == ()
    assert remembered(known, [HEALTHY], {"app1": ()}, NOW + HOUR).hosts == ()


# --- the file ---------------------------------------------------------------------------------

KNOWN = Memory(hosts=(HostMemory(name="app1", at=NOW),))


def test_the_file_is_for_its_owner_and_only_where_there_is_something_to_keep(tmp_path: Path) -> None:
    path = tmp_path / "new" / "mutes.json"
    assert mute_file.load(path) == Memory()
    mute_file.update(path, lambda memory: memory)
    assert not path.parent.exists()
    mute_file.update(path, lambda _memory: KNOWN)
    assert mute_file.load(path) == KNOWN
    assert path.stat().st_mode & 0o777 == 0o600
    written = path.stat().st_mtime_ns
    mute_file.update(path, lambda memory: memory)
    assert path.stat().st_mtime_ns == written


def nested(path: Path) -> None:
    path.write_text("[" * 200_000)


def huge(path: Path) -> None:
    with path.open("w") as file:
        file.truncate(mute_file.LARGEST_BYTES + 1)


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.write_text(""), lambda path: path.write_text("{}"),
        lambda path: path.write_text('{"schema": 2, "what": "memory of mutes"}'),
        lambda path: path.write_bytes(b"\xff\x00"), Path.mkdir, os.mkfifo, nested, huge,
    ],
    ids=["empty", "no memory", "later version", "no text", "directory", "fifo", "nested", "huge"],
)  # fmt: skip
def test_what_is_no_memory_is_neither_read_nor_written_over(
    tmp_path: Path, make: Callable[[Path], object]
) -> None:
    path = tmp_path / "mutes.json"
    make(path)
    before = path.lstat()
    with pytest.raises(mute_file.Unusable, match=r"mutes.json (is not a memory of mutes|cannot be read)"):
        mute_file.load(path)
    with pytest.raises(mute_file.Unusable):
        mute_file.update(path, lambda _memory: KNOWN)
    assert (path.lstat().st_ino, path.lstat().st_size) == (before.st_ino, before.st_size)


def test_what_a_hostile_memory_says_is_left_out() -> None:
    name = after((0, HEALTHY)).hosts[0].mutes[0].mute
    memory = Memory.of(json.loads(json.dumps({
        "schema": 1, "what": "memory of mutes", "hosts": [
            "app1", {"name": "app0"}, {"name": "app1", "at": NOW, "targets": [1, "x"], "mutes": [
                {"mute": name, "from": -1e300, "to": 1e300, "ended": True}, {"mute": name},
                {"mute": name, "from": 1e18, "to": 2e18, "ended": True}, 7,
            ]},
        ],
    })))  # fmt: skip
    assert gone(memory) is None


def test_two_runs_at_once_lose_nothing(tmp_path: Path) -> None:
    """While one is between reading and writing, the other waits."""
    path = tmp_path / "mutes.json"
    mute_file.update(path, lambda _memory: KNOWN)

    def other() -> None:
        mute_file.update(path, lambda known: replace(
            known, hosts=(*known.hosts, HostMemory(name="app3", at=NOW))
        ))

    thread = threading.Thread(target=other)

    def slow(memory: Memory) -> Memory:
        thread.start()
        thread.join(0.2)
        assert thread.is_alive()
        return replace(memory, hosts=(*memory.hosts, HostMemory(name="app2", at=NOW)))

    mute_file.update(path, slow)
    thread.join()
    assert {host.name for host in mute_file.load(path).hosts} == {"app1", "app2", "app3"}


def test_a_run_that_holds_the_file_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mute_file, "LOCK_SECONDS", 0.01)
    path = tmp_path / "mutes.json"

    def within(memory: Memory) -> Memory:
        with pytest.raises(mute_file.Unusable, match="cannot be written"):
            mute_file.update(path, lambda _memory: KNOWN)
        return memory

    mute_file.update(path, lambda _memory: KNOWN)
    mute_file.update(path, within)
