"""Every fault of the lab, from its root to its repair: the table tests/integration/faults.yml.

Each fault is broken on a fresh server (logs remember) with two instances, beside a second server.
Then, looked at from outside: the diagnosis names the root and nothing false beside it, and changes
nothing; check mode changes nothing and announces what then happens; the run repairs and touches
nothing else, or touches nothing at all and says what a person must do; a second run changes
nothing.
"""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
import time
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from integration import fingerprint
from integration.fingerprint import PERMANENT
from integration.harness import CHECKOUT, Lab, Run, leaks
from integration.remediate.nursery import Nursery

TABLE: dict[str, dict[str, Any]] = yaml.safe_load(
    (CHECKOUT / "tests" / "integration" / "faults.yml").read_text()
)["faults"]
INSTANCES = ("prod", "prod2")
POLICY = {
    "campaign_wait": 1, "campaign_gone_within": 10,
    "campaign_in_flight": "wait", "campaign_in_flight_timeout": 20,
}  # fmt: skip
REPAIRED, UNPROVED, REFUSED, PERSON = "repaired", "unproved", "refused", "person"
FOR_ALL_SERVERS = "machine"  # the scope of faults that are not of one server

# ---------------------------------------------------------------------- a server from outside


class Place(NamedTuple):
    """Where to look at a server."""

    home: Path
    address: str
    keys: list[str]

    @classmethod
    def of(cls, lab: Lab, server: str) -> Place:
        known = lab.variables(server)
        keys = known["campaign_shared_memory_keys"]
        return cls(lab.home(server), known["campaign_address"], keys)

    @property
    def state_dir(self) -> Path:
        return self.home.parent / "remediation"

    def look(self) -> fingerprint.Fingerprint:
        return fingerprint.take(self.home, self.address, self.keys)

    def ledger(self) -> list[dict[str, Any]]:
        path = self.state_dir / "ledger.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def modules(look: fingerprint.Fingerprint) -> dict[str, set[tuple[int, str]]]:
    """module@instance to pid and start of its processes; the web server in front is front."""
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


# ------------------------------------------------------------------------------- a run's words


class Seen(NamedTuple):
    """The findings of a diagnosis, by their part in the story."""

    roots: set[str]
    explained: set[str]

    @classmethod
    def of(cls, run: Run, server: str, maybe: Sequence[str]) -> Seen:
        """Ids without their targets; without explained ones that may be there or not."""
        seen = cls(set(), set())
        for finding in run.findings(server):
            name = finding["id"].partition("#")[0]
            if fnmatch(name, "*.errors_few@*"):
                continue
            if not finding["caused_by"]:
                seen.roots.add(name)
            elif not any(fnmatch(name, pattern) for pattern in maybe):
                seen.explained.add(name)
        return seen


def steps(run: Run, server: str) -> list[str]:
    """The plan of a server as the table writes it."""
    return [
        " ".join(
            filter(None, (step["remedy"], f"{step['module']}@{step['instance']}", step["subject"]))
        )
        for step in run.host(server)["plan"]
    ]


class Case:
    """A fault on a lab of its own, and the runs against it."""

    def __init__(self, name: str, lab: Lab, folder: Path) -> None:
        self.name, self.lab, self.folder = name, lab, folder
        self.entry = TABLE[name]
        self.app1, self.app2 = Place.of(lab, "app1"), Place.of(lab, "app2")
        self.inventory = folder / "site.yml"
        self.inventory.write_text(
            yaml.safe_dump({"all": {"hosts": {"app1": self._variables(lab.variables())}}})
        )

    def _variables(self, known: dict[str, Any]) -> dict[str, Any]:
        """What the site says besides the lab's inventory."""
        chosen = {**POLICY, **self.entry.get("variables", {})}
        if "thresholds" in self.entry:
            chosen["campaign_thresholds"] = {
                **known["campaign_thresholds"], **self.entry["thresholds"],
            }  # fmt: skip
        if "jobs" in self.entry:
            chosen["campaign_jobs"] = [
                {**job, **self.entry["jobs"]} for job in known["campaign_jobs"]
            ]
        return chosen

    def seen(self, run: Run) -> Seen:
        """The findings on app1; what is explained there for prod may be so for prod2, too."""
        seen = Seen.of(run, "app1", self.entry.get("maybe", []))
        twins = {name.replace("@prod", "@prod2") for name in self.explained} - self.explained
        return seen._replace(explained=seen.explained - twins)

    @property
    def everywhere(self) -> bool:
        """Does the fault hit each instance of the server?"""
        return bool(self.entry.get("everywhere", False))

    @property
    def twins(self) -> set[str]:
        """The roots as prod2 has them."""
        return {root.replace("@prod", "@prod2") for root in self.entry["roots"]}

    @property
    def explained(self) -> set[str]:
        return set(self.entry.get("explained", []))

    def diagnose(self) -> tuple[Run, list[str]]:
        """Diagnose until roots and explained are there, but not for ever: the last answer counts.

        And what changed meanwhile: files since before the first diagnosis, all else during the
        last. A fault may still be at work in the first ones, and what the watchdog keeps starting
        is there for a moment now and then.
        """
        files = self.app1.look().files
        end = time.monotonic() + self.entry.get("within", 20)
        wanted = set(self.entry["roots"]) | (self.twins if self.everywhere else set())
        while True:
            before = self.app1.look()._replace(files=files)
            run = self.lab.diagnose(self.folder / "diagnosis", "-i", self.inventory)
            changes = before.changes(self.app1.look(), self.restless)
            seen = self.seen(run)
            found = seen.roots >= wanted and seen.explained >= self.explained
            if (found and not changes) or time.monotonic() > end:
                return run, changes
            time.sleep(1)

    def remediate(self, report: str, *arguments: str) -> Run:
        return self.lab.remediate(
            self.folder / report, "-vvv", "-i", str(self.inventory), *arguments
        )

    def calm(self) -> None:
        """No workflow is due for an hour."""
        path = self.app1.home.parent / "database" / "prod.sqlite"
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute("UPDATE xtk_workflow SET labNext = labNext + 3600")

    @property
    def restless(self) -> frozenset[str]:
        return frozenset(self.entry.get("restless", []))


@pytest.fixture(scope="module")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    """Keeps the next fresh lab ready while a test runs."""
    made = Nursery(lambda: tmp_path_factory.mktemp("lab"), ("app1", "app2"), INSTANCES)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def fresh(nursery: Nursery) -> Iterator[Lab]:
    """A lab to which nothing has happened yet, after its first jobs."""
    lab = nursery.take()
    try:
        yield lab
    finally:
        lab.down()


# -------------------------------------------------------------------------------------- the test


@pytest.mark.parametrize("name", TABLE)
def test_fault(name: str, fresh: Lab, tmp_path: Path, scopes: dict[str, str]) -> None:
    case = Case(name, fresh, tmp_path)
    fault = case.entry.get("fault", name)
    fresh.ctl("break", fault, "--server", "app1")

    # -- the root, and nothing false beside it; to look changes nothing
    found, changes = case.diagnose()
    assert changes == []
    seen = case.seen(found)
    assert found.code == 0, str(found)
    shared = scopes[fault.partition(":")[0]] == FOR_ALL_SERVERS
    twins = case.twins if shared or case.everywhere else set()
    assert seen.roots == set(case.entry["roots"]) | twins, str(found)
    assert seen.explained == case.explained, str(found)
    beside = Seen.of(found, "app2", ()).roots
    assert beside == (seen.roots if shared else set()), str(found)

    # -- check mode: the plan, the real answer, and no change
    before, before2 = case.app1.look(), case.app2.look()
    check = case.remediate("check", "--check", "--diff")
    after = case.app1.look()
    assert check.code == 0, str(check)
    assert before.changes(after, case.restless) == []
    assert not case.app1.state_dir.exists()
    assert steps(check, "app1") == case.entry.get("plan", []), str(check)
    assert steps(check, "app2") == []

    # -- the run
    if case.entry.get("calm"):
        case.calm()
    if case.entry["outcome"] in (REPAIRED, UNPROVED, "not_repaired"):
        touched(case, check)
    else:
        untouched(case)
    assert before2.changes(case.app2.look(), case.restless) == []
    assert [*leaks(case.app1.state_dir), *leaks(case.app2.state_dir)] == []


def untouched(case: Case) -> None:
    """The run changes nothing; the report says what a person must do."""
    before = case.app1.look()
    run = case.remediate("run")
    assert run.code == 0, str(run)
    assert before.changes(case.app1.look(), case.restless) == []
    host = run.host("app1")
    done = [line for line in case.app1.ledger() if line["event"] == "ended"]
    assert {line["result"] for line in done} <= {"refused", "unchanged"}, done
    if case.entry["outcome"] == REFUSED:
        (action,) = host["actions"]
        assert action["result"] == REFUSED, str(run)
        assert case.entry["person"] in action["reason"], str(run)
        return
    assert host["actions"] == []
    assert not case.app1.state_dir.exists()
    if case.entry["outcome"] == PERSON:
        left = {entry["id"].partition("#")[0]: entry for entry in host["left"]}
        fixes = {f["id"].partition("#")[0]: f["fix"] for f in host["findings"]}
        for root in case.entry["roots"]:
            assert case.entry["person"] in left[root]["reason"], str(run)
            assert fixes[root], str(run)
            assert left[root]["reason"] in run.output or case.entry["person"] in run.output


def touched(case: Case, check: Run) -> None:
    """The run does its plan, all of it and nothing else; a second one changes nothing."""
    entry, before = case.entry, case.app1.look()
    run = case.remediate("run")
    after = case.app1.look()
    assert run.code == 0, str(run)
    host = run.host("app1")
    assert steps(run, "app1") == entry["plan"], str(run)
    outcome = entry["outcome"]
    assert [action["result"] for action in host["actions"]][-1:] == [outcome], str(run)
    # Check mode cannot know that a remedy will not help: it announces the first rung of each step.
    announced = check.host("app1")["actions"]
    firsts = [action for action in host["actions"] if action["rung"] == action["remedy"]]
    assert [each["rung"] for each in announced] == [each["rung"] for each in firsts], str(run)
    commands = [[lasting(each, case.restless) for each in some] for some in (announced, firsts)]
    assert commands[0] == commands[1], str(run)
    assert announced and all(each["command"] for each in announced), "nothing was announced"
    assert {each["left"] for each in announced} == {"as_before"}
    lefts = {action["left"] for action in host["actions"]}
    assert lefts == {entry.get("left", "changed")}, host["actions"]

    # what is found afterwards; what is only for information may be
    serious = {f["id"].partition("#")[0] for f in run.findings("app1") if f["severity"] != "info"}
    roots = case.seen(run).roots & serious
    if outcome in (REPAIRED, UNPROVED):
        assert roots <= set(entry.get("remains", [])), str(run)
    else:
        assert roots >= set(entry["roots"]), str(run)
        tried = [action["rung"] for action in host["actions"]]
        assert tried == host["plan"][0]["rungs"], str(run)

    # the modules of the plan are new, all others are the same processes
    then, now = modules(before), modules(after)
    renewed = entry.get("new", [step.split()[1] for step in entry["plan"]])
    if "all" in renewed:
        everything = (set(then) | set(now)) - {"front@default"}
        renewed = [*everything, *(name for name in renewed if name != "all")]
    for module in sorted(set(then) | set(now)):
        if module in renewed:
            assert len(now.get(module, ())) == 1, f"{module}: {now.get(module)}\n{run}"
            assert not then.get(module, set()) & now[module], f"{module} is the same process"
        elif module.partition("@")[0] not in case.restless:
            assert then.get(module) == now.get(module), f"{module} was touched\n{run}"
    old, new = configuration(before), configuration(after)
    different = {path for path in {*old, *new} if old.get(path) != new.get(path)}
    assert different == set(entry.get("files", [])), str(run)

    complete(case, run)
    if outcome == "not_repaired":
        in_vain(case)
    else:
        again(case)


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


def complete(case: Case, run: Run) -> None:
    """The ledger tells the whole run: who, what, why, how it ended."""
    lines = case.app1.ledger()
    assert case.app2.ledger() == []
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
    for action in run.host("app1")["actions"]:
        assert action["rung"] in done, action
        assert action["command"], action


def again(case: Case) -> None:
    """A second run finds nothing to do."""
    before, lines = case.app1.look(), case.app1.ledger()
    run = case.remediate("again")
    assert run.code == 0, str(run)
    assert steps(run, "app1") == []
    assert run.host("app1")["actions"] == []
    assert before.changes(case.app1.look()) == []
    assert re.search(r"app1 +: ok=\d+ +changed=0 ", run.output), str(run)
    new = case.app1.ledger()[len(lines):]
    assert [line for line in new if line["event"] in ("begun", "ended")] == []


def in_vain(case: Case) -> None:
    """What did not help is tried again by the next run, but only within its budget."""
    before = case.app1.look()
    run = case.remediate("again", "-e", "campaign_restart_budget=0")
    assert run.code == 0, str(run)
    assert [action["result"] for action in run.host("app1")["actions"]] == [REFUSED], str(run)
    assert "restart_budget" in run.host("app1")["actions"][0]["reason"], str(run)
    assert before.changes(case.app1.look(), case.restless) == []


@pytest.fixture(scope="session")
def scopes(lab: Lab) -> dict[str, str]:
    """The scope of each fault, as labctl tells it."""
    return dict(re.findall(r"^(\w+) +(\w+)", lab.ctl("faults").output, re.MULTILINE))


def test_every_fault_of_the_lab_is_in_the_table(scopes: dict[str, str]) -> None:
    tested = {entry.get("fault", name).partition(":")[0] for name, entry in TABLE.items()}
    assert set(scopes) == tested
