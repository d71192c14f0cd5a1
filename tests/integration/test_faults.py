"""Every fault of the lab: its cause is found, nothing false beside it, and nothing is changed.

faults.yml says for each fault which findings are roots and which are explained by them. Each
fault is broken once, on a server of its own (logs remember): the diagnosis is judged, and a second
one is watched for changes.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from integration import fingerprint
from integration.harness import Lab, Run, wait_until

TABLE: dict[str, dict[str, Any]] = yaml.safe_load(
    Path(__file__).with_name("faults.yml").read_text()
)["faults"]


class Seen(NamedTuple):
    """The findings of a diagnosis, by their part in the story."""

    roots: set[str]
    explained: set[str]

    @classmethod
    def of(cls, run: Run, maybe: Sequence[str]) -> Seen:
        """Ids without their targets; without explained ones that may be there or not."""
        seen = cls(set(), set())
        for finding in run.findings("app1"):
            name = finding["id"].partition("#")[0]
            if fnmatch(name, "*.errors_few@*"):
                continue
            if not finding["caused_by"]:
                seen.roots.add(name)
            elif not any(fnmatch(name, pattern) for pattern in maybe):
                seen.explained.add(name)
        return seen


def changed_variables(known: dict[str, Any], expected: dict[str, Any]) -> dict[str, Any]:
    """What an entry of the table changes of the lab's variables."""
    changed: dict[str, Any] = {}
    if "thresholds" in expected:
        changed["campaign_thresholds"] = {**known["campaign_thresholds"], **expected["thresholds"]}
    if "jobs" in expected:
        changed["campaign_jobs"] = [{**job, **expected["jobs"]} for job in known["campaign_jobs"]]
    return changed


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Lab]:
    """A server that nothing has happened to yet, after its first jobs."""
    started = Lab(tmp_path / "lab")
    try:
        started.up()
        var = started.home() / "var" / "prod"
        assert wait_until(
            lambda: any(var.glob("export/contacts_export*.csv"))
            and any(var.glob("import/contacts_import*.done")), 15,
        ), "the first export and import did not end"
        time.sleep(2)  # until later changes are later by the clock, too
        yield started
    finally:
        started.down()


def settled(
    lab: Lab, report_dir: Path, expected: dict[str, Any], variables: dict[str, Any]
) -> Run:
    """Diagnose until the expected roots are there, but not for ever: the last answer counts."""
    end = time.monotonic() + expected.get("within", 20)
    while True:
        run = lab.diagnose(report_dir, variables=variables)
        seen = Seen.of(run, ())
        if seen.roots >= set(expected["roots"]) or time.monotonic() > end:
            return run
        time.sleep(1)


@pytest.mark.parametrize("name", TABLE)
def test_fault_is_found_and_nothing_is_changed(
    name: str, fresh: Lab, report_dir: Path, tmp_path: Path
) -> None:
    expected = TABLE[name]
    time.sleep(expected.get("after", 0))
    fresh.ctl("break", expected.get("fault", name))

    known = fresh.variables()
    variables = changed_variables(known, expected)
    run = settled(fresh, report_dir, expected, variables)
    seen = Seen.of(run, expected.get("maybe", []))
    assert run.code == 0, str(run)
    assert seen.roots == set(expected["roots"]), str(run)
    assert seen.explained == set(expected.get("explained", [])), str(run)

    watched = (fresh.home(), known["campaign_address"], known["campaign_shared_memory_keys"])
    before = fingerprint.take(*watched)
    second = fresh.diagnose(tmp_path / "second", variables=variables)
    after = fingerprint.take(*watched)
    assert second.code == 0, str(second)
    assert before.changes(after, frozenset(expected.get("restless", []))) == []


def test_every_fault_of_the_lab_is_in_the_table(lab: Lab) -> None:
    known = set(re.findall(r"^(\w+)", lab.ctl("faults").output, re.MULTILINE))
    tested = {entry.get("fault", name).partition(":")[0] for name, entry in TABLE.items()}
    assert known == tested

