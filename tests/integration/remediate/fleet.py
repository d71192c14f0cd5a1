"""A fleet: servers of one lab, each with another fault, and the runs of the playbooks over all.

One run of Ansible serves some twenty rows of tests/integration/faults.yml, and shows besides that hosts
do not disturb each other. What was seen of each server, before and after each run, is kept; the
tests then judge it row by row (test_fault_matrix.py).
"""

from __future__ import annotations

import contextlib
import json
import random
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.catalogue import (
    CATALOGUE,
)
from campaign_lab.faults import FAULTS
from integration import fingerprint
from integration.harness import CHECKOUT, Lab, Run, leaks, wait_until

TABLE: dict[str, dict[str, Any]] = yaml.safe_load(
    (CHECKOUT / "tests" / "integration" / "faults.yml").read_text()
)["faults"]
INSTANCES = ("prod", "prod2")
"""Of a server whose second instance the fault hits, or a remedy must leave alone; others have the first."""
HEALTHY = "healthy"
"""The server of each fleet to which nothing is done."""
POLICY = {
    "campaign_wait": 1, "campaign_gone_within": 10,
    "campaign_in_flight": "wait", "campaign_in_flight_timeout": 60,
    # A machine that is busy with so many servers answers late.
    "campaign_timeout": 60, "campaign_api_timeout": 60,
}  # fmt: skip
CHECK = ("--check", "--diff")
ASKING = [problem.key for problem in CATALOGUE if "api" in problem.needs]
"""Problems that only the server's API shows."""
BROKEN_AT_ONCE = 4
FORKS = 6
RUN_SECONDS = 900.0
FIRST_JOBS_SECONDS = 120.0
SEEN_WITHIN = 150.0
"""Seconds in which the diagnosis must see each fault; only what is broken takes so long."""
AGE_SECONDS = 6.0  # until what happens later is later by the clock, too
LOGS = CHECKOUT / "build" / "faults"
"""Whole outputs of the runs, to be read after a failure."""


class Row:
    """One entry of the table."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.entry = TABLE[name]
        self.fault: str = self.entry.get("fault", name)
        self.outcome: str = self.entry["outcome"]
        self.plan: list[str] = self.entry.get("plan", [])
        self.roots = set(self.entry["roots"])
        self.explained = set(self.entry.get("explained", []))
        self.restless = frozenset(self.entry.get("restless", []))

    @property
    def is_repaired(self) -> bool:
        """Does the run do something?"""
        return self.outcome in ("repaired", "unproved", "not_repaired")

    @property
    def has_second(self) -> bool:
        """Does the fault do something to the second instance?"""
        return "instances" in self.entry or "everywhere" in self.entry

    @property
    def twins(self) -> set[str]:
        """The roots as prod2 has them."""
        return {root.replace("@prod", "@prod2") for root in self.roots}

    def expected(self, hits_all: bool) -> set[str]:
        """The roots on its server; a fault may hit each instance."""
        everywhere = hits_all or self.entry.get("everywhere", False)
        return self.roots | (self.twins if everywhere else set())

    @property
    def asks_api(self) -> bool:
        """May the server's API say anything of this fault? To ask it costs as much as all the rest."""
        more = (name for key in ("maybe", "remains") for name in self.entry.get(key, []))
        patterns = {name.partition("@")[0] for name in (*self.roots, *self.explained, *more)}
        return any(fnmatch(key, pattern) for key in ASKING for pattern in patterns)

    def variables(self, known: Mapping[str, Any], nightly: bool) -> dict[str, Any]:
        """What the site says of this server besides the lab's inventory."""
        chosen = {**POLICY, **self.entry.get("variables", {})}
        if not (nightly or self.asks_api):
            chosen["campaign_api"] = []
        if any(name.startswith("web.api_") for name in (*self.roots, *self.entry.get("maybe", []))):
            del chosen["campaign_api_timeout"]  # here the API does not answer
        if "thresholds" in self.entry:
            chosen["campaign_thresholds"] = {
                **known["campaign_thresholds"], **self.entry["thresholds"],
            }  # fmt: skip
        if "jobs" in self.entry:
            chosen["campaign_jobs"] = [
                {**job, **self.entry["jobs"]} for job in known["campaign_jobs"]
            ]
        return chosen


MACHINE = [name for name in TABLE if FAULTS[Row(name).fault.partition(":")[0]].scope == "machine"]
"""What hits all servers of the lab, and so needs one of its own."""
FLEETS = 6


def dealt(nightly: bool) -> dict[str, list[str]]:
    """The rows of each fleet; every night others stand side by side."""
    rows = [name for name in TABLE if name not in MACHINE]
    if nightly:
        random.Random(time.strftime("%Y%m%d")).shuffle(rows)
    fleets = {f"fleet{number + 1}": rows[number::FLEETS] for number in range(FLEETS)}
    return fleets | {name: [name] for name in MACHINE}


# A few lines in a log are never false: they are there.
FOR_INFORMATION = ("*.errors_few@*", "*.errors_before_repair@*", "*.daily_restart_errors@*")


class Seen(NamedTuple):
    """The findings of a diagnosis, by their part in the story."""

    roots: set[str]
    explained: set[str]

    @classmethod
    def of(cls, run: Run, server: str, row: Row | None = None) -> Seen:
        """Ids without their targets; without roots that show later, explained ones that may be
        there or not, and those of prod2 that the row explains for prod.
        """
        maybe: Sequence[str] = row.entry.get("maybe", []) if row else ()
        later: Sequence[str] = row.entry.get("later", []) if row else ()
        seen = cls(set(), set())
        for finding in run.findings(server):
            name = finding["id"].partition("#")[0]
            if any(fnmatch(name, pattern) for pattern in FOR_INFORMATION):
                continue
            if not finding["caused_by"]:
                seen.roots.update({name} - set(later))
            elif not any(fnmatch(name, pattern) for pattern in maybe):
                seen.explained.add(name)
        twins = {name.replace("@prod", "@prod2") for name in row.explained} if row else set()
        return seen._replace(explained=seen.explained - (twins - row.explained if row else set()))


class Place:
    """Where to look at a server."""

    def __init__(self, lab: Lab, server: str, known: Mapping[str, Any]) -> None:
        self.server = server
        self.home = lab.home(server)
        self.state_dir = lab.state_dir(server)
        self._address: str = known["campaign_address"]
        self._keys: list[str] = known["campaign_shared_memory_keys"]

    def look(self) -> fingerprint.Fingerprint:
        """Its fingerprint now."""
        return fingerprint.take(self.home, self._address, self._keys)

    def ledger(self) -> list[dict[str, Any]]:
        """What the collection has written down there."""
        path = self.state_dir / "ledger.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


class Passage:
    """What was seen of one server on its way through the runs."""

    diagnosis: Run
    changed_by_diagnosis: list[str]
    check: Run
    changed_by_check: list[str]
    kept_by_check: bool
    """Did check mode leave a state directory?"""
    before: fingerprint.Fingerprint
    run: Run
    after: fingerprint.Fingerprint
    ledger: list[dict[str, Any]]
    again: Run
    changed_again: list[str]
    ledger_again: list[dict[str, Any]]
    leaks: list[Path]

    def __init__(self, row: Row | None, place: Place) -> None:
        self.row = row
        self.place = place
        self.server = place.server
        self.not_broken = ""
        """Why the fault could not be made."""

    @property
    def restless(self) -> frozenset[str]:
        return self.row.restless if self.row else frozenset()

    @property
    def has_run(self) -> bool:
        """Did it go on after check mode?"""
        return hasattr(self, "run")

    def told(self, run: Run) -> str:
        """What a run reported of this server, for the message of a failure."""
        host = run.host(self.server)
        lines = [f"{LOGS} has the whole output; of {self.server} it says:"]
        lines += [f"{finding['id']} caused by {finding['caused_by_ids']}: {finding['summary']}"
                  for finding in host["findings"]]  # fmt: skip
        lines += [json.dumps(entry) for name in ("plan", "left", "actions") for entry in host[name]]
        return "\n".join(lines)


class Fleet:
    """A lab with a server for each row and a healthy one."""

    def __init__(
        self, name: str, rows: Sequence[str], folder: Path, *, hits_all: bool, nightly: bool
    ) -> None:
        self.name = name
        self.folder = folder
        self.nightly = nightly
        """Does every row go on after check mode?"""
        self.hits_all = hits_all
        """Do the faults hit every server of the machine?"""
        self.lab = Lab(folder / "lab")
        self._rows = {name: Row(name) for name in rows}
        self.passages: dict[str, Passage] = {}
        self._logs = LOGS / name
        self._logs.mkdir(parents=True, exist_ok=True)

    # ------------------------------------------------------------------------------ its parts

    def up(self) -> None:
        """Start it, and wait until each server has done its first jobs."""
        names = [*self._rows, HEALTHY]
        instances = {name: self._instances(name) for name in names}
        for some in dict.fromkeys(instances.values()):
            self.lab.up(*(name for name in names if instances[name] == some), instances=some)
        born = time.monotonic()
        known = json.loads(self.lab.ctl("inventory").output)["_meta"]["hostvars"]
        hosts, hosts_again = {}, {}
        for name in names:
            row = self._rows.get(name)
            self.passages[name] = Passage(row, Place(self.lab, name, known[name]))
            hosts[name] = row.variables(known[name], self.nightly) if row else POLICY
            vain = row and row.outcome == "not_repaired"
            hosts_again[name] = {**hosts[name], **({"campaign_restart_budget": 0} if vain else {})}
        self._inventory = self._write_inventory("site.yml", hosts)
        self._inventory_again = self._write_inventory("again.yml", hosts_again)
        jobs = [
            self.lab.home(name) / "var" / instance / pattern
            for name in names
            for instance in instances[name]
            for pattern in ("export/contacts_export*.csv", "import/contacts_import*.done")
        ]

        def missing() -> list[Path]:
            return [path for path in jobs if not any(path.parent.glob(path.name))]

        assert wait_until(lambda: not missing(), FIRST_JOBS_SECONDS), missing()
        time.sleep(max(0.0, AGE_SECONDS - (time.monotonic() - born)))

    def down(self) -> None:
        """Stop it, whatever its state, and remove it."""
        self.lab.down()

    def _write_inventory(self, name: str, hosts: Mapping[str, Any]) -> Path:
        path = self.folder / name
        path.write_text(yaml.safe_dump({"all": {"hosts": dict(hosts)}}))
        return path

    def _go(self, playbook: str, stage: str, *arguments: str, servers: Iterable[str]) -> Run:
        inventory = self._inventory_again if stage == "again" else self._inventory
        act = self.lab.diagnose if playbook == "diagnose" else self.lab.remediate
        done = act(
            self.folder / stage, *arguments, "-i", inventory, "--forks", str(FORKS),
            "--limit", ",".join(servers), timeout=RUN_SECONDS,
        )  # fmt: skip
        (self._logs / f"{stage}.log").write_text(str(done))
        return done

    @property
    def _broken(self) -> dict[str, Passage]:
        return {name: passage for name, passage in self.passages.items() if not passage.not_broken}

    def goes_on(self, name: str) -> bool:
        """Does this server go on after check mode? In make test one row for each remedy does, and
        of those that are left to a person the first of each fleet.
        """
        row = self._rows.get(name)
        if row is None or self.nightly:
            return True
        if row.outcome == "person":
            return name == next(each for each in self._rows if self._rows[each].outcome == "person")
        return "same_as" not in row.entry

    def _instances(self, name: str) -> Sequence[str]:
        """Of this server."""
        row = self._rows.get(name)
        second = self.hits_all or self.goes_on(name) or (row and row.has_second)
        return INSTANCES if second else INSTANCES[:1]

    # ------------------------------------------------------------------------------- its story

    def live(self) -> None:
        """Break, diagnose, check, repair, and repair again."""
        self.up()
        with ThreadPoolExecutor(BROKEN_AT_ONCE) as pool:
            list(pool.map(self._break, self._rows))
        self._diagnose()
        self._check()
        self._run()
        self._again()
        for passage in self.passages.values():
            passage.leaks = leaks(passage.place.state_dir)

    def _break(self, name: str) -> None:
        done = self.lab.ctl("break", self._rows[name].fault, "--server", name, check=False)
        if done.code:
            self.passages[name].not_broken = str(done)

    def _diagnose(self) -> None:
        """Diagnose each server until what is expected is there, but not for ever: the last answer
        counts. In make test check mode does it, which changes nothing, either; at night
        diagnose.yml does, and check mode comes after it.

        And what changed meanwhile: files since before the first diagnosis, all else during the
        last. A fault may still be taking hold in the first ones, and what the watchdog keeps
        starting is there for a moment now and then.
        """
        files = {name: passage.place.look().files for name, passage in self._broken.items()}
        waiting = set(files)
        end = time.monotonic() + SEEN_WITHIN
        number = 0
        while waiting:
            number += 1
            before = {name: self.passages[name].place.look() for name in waiting}
            late = time.monotonic() > end
            if self.nightly:
                run = self._go("diagnose", f"diagnosis-{number}", servers=sorted(waiting))
            else:
                run = self._go("remediate", f"check-{number}", *CHECK, servers=sorted(waiting))
            for name in sorted(waiting):
                passage = self.passages[name]
                changes = before[name]._replace(files=files[name]).changes(
                    passage.place.look(), passage.restless)  # fmt: skip
                passage.diagnosis, passage.changed_by_diagnosis = run, changes
                if late or (self._found(run, passage) and not changes):
                    waiting.remove(name)

    def _found(self, run: Run, passage: Passage) -> bool:
        row = passage.row or (next(iter(self._rows.values())) if self.hits_all else None)
        if row is None:
            return True
        seen = Seen.of(run, passage.server, row)
        if passage.row is None:
            return seen.roots >= row.expected(True)
        return seen.roots >= row.expected(self.hits_all) and seen.explained >= row.explained

    def _check(self) -> None:
        if self.nightly:
            before = {name: passage.place.look() for name, passage in self._broken.items()}
            run = self._go("remediate", "check", *CHECK, servers=before)
        for name, passage in self._broken.items():
            if self.nightly:
                passage.check = run
                passage.changed_by_check = before[name].changes(
                    passage.place.look(), passage.restless)  # fmt: skip
            else:
                passage.check = passage.diagnosis
                passage.changed_by_check = passage.changed_by_diagnosis
            passage.kept_by_check = passage.place.state_dir.exists()

    def _run(self) -> None:
        chosen = {name: passage for name, passage in self._broken.items() if self.goes_on(name)}
        for passage in chosen.values():
            if passage.row and passage.row.entry.get("calm"):
                self._calm(passage.server)
            passage.before = passage.place.look()
        run = self._go("remediate", "run", "-vvv", servers=chosen)
        for passage in chosen.values():
            passage.run, passage.after = run, passage.place.look()
            passage.ledger = passage.place.ledger()

    def _calm(self, server: str) -> None:
        """No workflow is due for an hour."""
        path = self.lab.home(server).parent / "database" / "prod.sqlite"
        with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as base:
            base.execute("UPDATE xtk_workflow SET labNext = labNext + 3600")

    def _again(self) -> None:
        """Once more, where something was done, and on the healthy server."""
        chosen = {name: passage for name, passage in self._broken.items()
                  if passage.has_run and (not passage.row or passage.row.is_repaired)}  # fmt: skip
        before = {name: passage.place.look() for name, passage in chosen.items()}
        run = self._go("remediate", "again", servers=before)
        for name, passage in chosen.items():
            passage.again = run
            restless = passage.restless if passage.row and passage.row.outcome not in (
                "repaired", "unproved") else frozenset()  # fmt: skip
            passage.changed_again = before[name].changes(passage.place.look(), restless)
            passage.ledger_again = passage.place.ledger()[len(passage.ledger):]
