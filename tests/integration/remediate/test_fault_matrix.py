"""Every fault of the lab, from its root to its repair: the table tests/integration/faults.yml.

Each fault is broken on a server of its own (logs remember), in a fleet beside others with other faults
and one that is healthy (fleet.py). A server has a second instance where the fault or a remedy could
touch it; with --nightly each has. Then, looked at from outside: the
diagnosis names the root and nothing false beside it, and changes nothing; check mode changes
nothing and announces what then happens; the run repairs and touches nothing else, or touches
nothing at all and says what a person must do; a second run changes nothing.

A row whose remedy another row runs on the same code path (same_as) ends after check mode, and so do
those that are left to a person, but for one in each fleet. Check mode begins with the diagnosis, and
the test looks at that one. The server's API is asked where it may say something of the fault. With
--nightly every row goes on and asks it, diagnose.yml runs before check mode, and the rows are dealt
to the fleets anew each day, so that others stand side by side.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

import pytest

from campaign_lab.faults import FAULTS
from integration import fingerprint
from integration.fingerprint import PERMANENT
from integration.harness import Run
from integration.remediate.fleet import HEALTHY, MACHINE, TABLE, Fleet, Passage, Row, Seen, dealt
from needs import needs

REPAIRED, UNPROVED, REFUSED, PERSON = "repaired", "unproved", "refused", "person"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test a row, and one a fleet; the schedule in conftest.py keeps a fleet in one worker."""
    fleets = dealt(metafunc.config.getoption("nightly"))
    if "name" in metafunc.fixturenames:
        pairs = [(fleet, name) for fleet, rows in fleets.items() for name in rows]
        names = [name for _fleet, name in pairs]
        metafunc.parametrize(
            ["fleet", "name"], pairs, ids=names, indirect=["fleet"], scope="module")  # fmt: skip
    elif "fleet" in metafunc.fixturenames:
        metafunc.parametrize("fleet", fleets, indirect=True, scope="module")


@pytest.fixture(scope="module")
def fleet(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Fleet]:
    """A fleet that has gone through all runs."""
    nightly = request.config.getoption("nightly")
    made = Fleet(
        request.param, dealt(nightly)[request.param], tmp_path_factory.mktemp("fleet"),
        hits_all=request.param in MACHINE, nightly=nightly,
    )  # fmt: skip
    try:
        made.live()
        yield made
    finally:
        made.down()


# --------------------------------------------------------------------------------- what is compared


def modules(look: fingerprint.Fingerprint) -> dict[str, set[tuple[int, str]]]:
    """module@instance to pid and start of its processes; the front-end web server is front."""
    found: dict[str, set[tuple[int, str]]] = {}
    for pid, words in look.processes.items():
        name = words[1] if len(words) > 1 else ""
        if name in PERMANENT or name == "front":
            chosen = [word for word in words if word.startswith("-instance:")]
            instance = chosen[0].partition(":")[2] if chosen else "default"
            found.setdefault(f"{name}@{instance}", set()).add((pid, words[-1]))
    return found


def configuration(look: fingerprint.Fingerprint) -> dict[str, tuple[object, ...]]:
    """Files that only people and remedies change; a folder's time follows from its files."""
    return {path: (*facts[:3], *facts[4:]) for path, facts in look.files.items()}


def steps(run: Run, server: str) -> list[str]:
    """The plan of a server as the table writes it."""
    return [
        " ".join(
            filter(None, (step["remedy"], f"{step['module']}@{step['instance']}", step["subject"]))
        )
        for step in run.host(server)["plan"]
    ]


# -------------------------------------------------------------------------------------- the tests


def test_fault(fleet: Fleet, name: str) -> None:
    passage = fleet.passages[name]
    row = passage.row
    assert row is not None
    needs(os.geteuid() == 0 or "root" not in row.entry, "only root can do it")
    assert not passage.not_broken

    # -- the root, and nothing false beside it; to look changes nothing
    found = passage.diagnosis
    assert found.code == 0, passage.told(found)
    assert passage.changed_by_diagnosis == []
    seen = Seen.of(found, name, row)
    assert seen.roots == row.expected(fleet.hits_all), passage.told(found)
    assert seen.explained == row.explained, passage.told(found)

    # -- check mode: the plan, the real answer, and no change
    check = passage.check
    assert check.code == 0, passage.told(check)
    assert passage.changed_by_check == []
    assert not passage.kept_by_check
    assert steps(check, name) == row.plan, passage.told(check)

    if row.is_repaired:
        announced = check.host(name)["actions"]
        assert announced and all(each["command"] for each in announced), passage.told(check)
        assert {each["left"] for each in announced} == {"as_before"}, passage.told(check)
    elif row.outcome == PERSON:
        left_to_a_person(passage, row, check)

    # -- the run
    assert passage.has_run == fleet.goes_on(name)
    if not passage.has_run:
        return
    assert passage.run.code == 0, passage.told(passage.run)
    if row.is_repaired:
        touched(passage, row)
    else:
        untouched(passage, row)
    assert passage.leaks == []


def test_the_healthy_server_of_a_fleet_is_left_alone(fleet: Fleet) -> None:
    """Nothing is found on it, planned for it or done to it, however broken its neighbours are."""
    passage = fleet.passages[HEALTHY]
    seen = Seen.of(passage.diagnosis, HEALTHY)
    hit = Row(fleet.name).expected(True) if fleet.hits_all else set()
    assert seen.roots == hit, passage.told(passage.diagnosis)
    assert passage.changed_by_diagnosis == passage.changed_by_check == []
    for run in (passage.check, passage.run, passage.again):
        assert steps(run, HEALTHY) == [], passage.told(run)
        assert run.host(HEALTHY)["actions"] == [], passage.told(run)
    assert passage.before.changes(passage.after) == []
    assert passage.changed_again == []
    assert passage.ledger == passage.ledger_again == []
    assert not passage.place.state_dir.exists()


def untouched(passage: Passage, row: Row) -> None:
    """The run changes nothing; the report says what a person must do."""
    run = passage.run
    assert passage.before.changes(passage.after, row.restless) == []
    host = run.host(passage.server)
    done = [line for line in passage.ledger if line["event"] == "ended"]
    assert {line["result"] for line in done} <= {"refused", "unchanged"}, done
    if row.outcome == REFUSED:
        (action,) = host["actions"]
        assert action["result"] == REFUSED, passage.told(run)
        assert row.entry["person"] in action["reason"], passage.told(run)
        return
    assert host["actions"] == []
    assert not passage.place.state_dir.exists()
    if row.outcome == PERSON:
        left_to_a_person(passage, row, run)


def left_to_a_person(passage: Passage, row: Row, run: Run) -> None:
    """Nothing is done, and the report says what a person must do."""
    host = run.host(passage.server)
    assert host["actions"] == [], passage.told(run)
    left = {entry["id"].partition("#")[0]: entry for entry in host["left"]}
    fixes = {f["id"].partition("#")[0]: f["fix"] for f in host["findings"]}
    shown = " ".join(run.output.split())  # without its line breaks
    for root in row.roots:
        assert row.entry["person"] in left[root]["reason"], passage.told(run)
        assert fixes[root], passage.told(run)
        assert left[root]["reason"] in shown or row.entry["person"] in shown


def touched(passage: Passage, row: Row) -> None:
    """The run does its plan, all of it and nothing else; a second one changes nothing."""
    run, before, after = passage.run, passage.before, passage.after
    host = run.host(passage.server)
    assert steps(run, passage.server) == row.plan, passage.told(run)
    assert [each["result"] for each in host["actions"]][-1:] == [row.outcome], passage.told(run)
    # Check mode cannot know that a remedy will not help: it announces the first rung of each step.
    announced = passage.check.host(passage.server)["actions"]
    firsts = [action for action in host["actions"] if action["rung"] == action["remedy"]]
    rungs = [each["rung"] for each in firsts]
    assert [each["rung"] for each in announced] == rungs, passage.told(run)
    commands = [[lasting(each, row.restless) for each in some] for some in (announced, firsts)]
    assert commands[0] == commands[1], passage.told(run)
    announced_by_plan(passage, row, firsts)
    lefts = {action["left"] for action in host["actions"]}
    assert lefts == {row.entry.get("left", "changed")}, host["actions"]

    # what is found afterwards; what is only for information may be
    serious = {f["id"].partition("#")[0] for f in run.findings(passage.server)
               if f["severity"] != "info"}  # fmt: skip
    roots = Seen.of(run, passage.server, row).roots & serious
    if row.outcome in (REPAIRED, UNPROVED):
        assert roots <= set(row.entry.get("remains", [])), passage.told(run)
    else:
        assert roots >= row.roots, passage.told(run)
        tried = [action["rung"] for action in host["actions"]]
        assert tried == host["plan"][0]["rungs"], passage.told(run)

    # the modules of the plan are new, all others are the same processes
    then, now = modules(before), modules(after)
    renewed = row.entry.get("new", [step.split()[1] for step in row.plan])
    if "all" in renewed:
        everything = (set(then) | set(now)) - {"front@default"}
        renewed = [*everything, *(name for name in renewed if name != "all")]
    for module in sorted(set(then) | set(now)):
        if module in renewed:
            assert len(now.get(module, ())) == 1, f"{module}: {now.get(module)}"
            assert not then.get(module, set()) & now[module], f"{module} is the same process"
        elif module.partition("@")[0] not in row.restless:
            assert then.get(module) == now.get(module), f"{module} was touched"
    old, new = configuration(before), configuration(after)
    different = {path for path in {*old, *new} if old.get(path) != new.get(path)}
    assert different == set(row.entry.get("files", [])), passage.told(run)

    if any(step.startswith("rebuild_shared_memory ") for step in row.plan):
        assert not before.shared_memory & after.shared_memory, "a segment or semaphore is the same"

    complete(passage)
    if row.outcome == "not_repaired":
        in_vain(passage)
    else:
        again(passage)


# Of these, docs/user/plan.md says why the plan cannot know their commands; free_port is of a unit.
KNOWN_LATER = {"finish_repair", "rebuild_shared_memory", "free_port"}


def announced_by_plan(passage: Passage, row: Row, firsts: list[dict[str, Any]]) -> None:
    """The plan is what happens: what it announced was run, where it could be known before."""
    plan = {(s["remedy"], s["module"], s["instance"], s["subject"]): s["commands"]
            for s in passage.check.host(passage.server)["plan"]}  # fmt: skip
    for action in firsts:
        step = (action["remedy"], action["module"], action["instance"], action["subject"])
        told = plan[step]
        if action["remedy"] not in KNOWN_LATER:
            assert told is not None, step
        if told is not None and not row.restless:
            assert told == action["command"], passage.told(passage.run)


def lasting(action: dict[str, Any], restless: frozenset[str]) -> list[str]:
    """The commands of an action, without what differs from one moment to the next: the pid that
    `kill` gets, and whether a module that keeps dying has just been there to be restarted.
    """

    def of(words: list[str]) -> str:
        if words[0] == "kill":
            return "kill PID"
        verb, target = words[1:2], "".join(words[2:3])
        if verb in (["start"], ["restart"]) and target.partition("@")[0] in restless:
            return f"{words[0]} start or restart {target}"
        return " ".join(words)

    return sorted(of(list(map(str, command))) for command in action["command"])


def complete(passage: Passage) -> None:
    """The ledger tells the whole run: who, what, why, how it ended."""
    lines = passage.ledger
    assert [lines[0]["event"], lines[-1]["event"]] == ["run_opened", "run_closed"]
    assert len({line["run"] for line in lines}) == 1
    assert all(line["who"] and line["from"] for line in lines)
    waiting: list[tuple[str, str, str]] = []
    done = []
    for line in lines:
        about = (line["module"], line["instance"], line["remedy"])
        if line["event"] == "begun":
            assert line["because"], line
            waiting.append(about)
            assert line["before"], line
        elif line["event"] == "ended":
            assert line["result"] in ("done", "failed"), line
            assert line["before"] and line["after"] and line["seconds"] is not None, line
            waiting.remove(about)
            done.append(line["remedy"])
    assert waiting == [], "begun and never ended"
    for action in passage.run.host(passage.server)["actions"]:
        assert action["rung"] in done, action
        assert action["command"], action


def again(passage: Passage) -> None:
    """A second run finds nothing to do."""
    run = passage.again
    assert run.code == 0, passage.told(run)
    assert steps(run, passage.server) == []
    assert run.host(passage.server)["actions"] == []
    assert passage.changed_again == []
    assert re.search(rf"^{passage.server} +: ok=\d+ +changed=0 ", run.output, re.MULTILINE)
    events = [line for line in passage.ledger_again if line["event"] in ("begun", "ended")]
    assert events == []


def in_vain(passage: Passage) -> None:
    """What did not help is tried again by the next run, but only within its budget."""
    run = passage.again
    host = run.host(passage.server)
    assert run.code == 0, passage.told(run)
    assert [action["result"] for action in host["actions"]] == [REFUSED], passage.told(run)
    assert "restart_budget" in host["actions"][0]["reason"], passage.told(run)
    assert passage.changed_again == []


def test_every_fault_of_the_lab_is_in_the_table() -> None:
    assert {Row(name).fault.partition(":")[0] for name in TABLE} == set(FAULTS)
