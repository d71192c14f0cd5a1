"""Run cases: build the server of each, let the product look at it, and compare.

usage: python -m cases [--jobs N] [--junitxml FILE] [--only ID,…] [--show] [FOLDER]

One line a case and, where it fails, what differs; at the end `N passed, N failed`. The project's
own cases that are known to fail stand in pending.txt: one of those that holds is a failure, too.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import traceback
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cases import judge, product
from cases.form import CaseError, load
from cases.healthy import Server
from cases.servers import Servers, certificate
from cases.world import Unable, World

OWN = Path(__file__).resolve().parent
PENDING = OWN / "pending.txt"
LEFT_OUT = "left out: "


@dataclass
class Result:
    """What came of a case."""

    id: str
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0
    shown: dict[str, Any] = field(default_factory=dict)
    unable: str = ""


def examine(path: Path, folder: Path, show: bool) -> Result:
    """One case, in a process of its own: its files and its network end with it."""
    try:
        case = load(path)
    except CaseError as error:
        return Result(path.stem, [f"the case is not of the form: {error}"])
    place = folder / f"{path.stem}.{os.getpid()}"
    place.mkdir()
    servers = None
    result = Result(case.id)
    try:
        server = Server(case.given)
        world = World(server, place)
        world.build()
        servers = Servers(server, folder, lambda: certificate(folder))
        servers.start()
        taken = product.snapshot(server, world, servers.ports)
        if case.given.asked:
            done = product.answer(server, world, servers.ports)
            taken = with_answer(taken, done, case.given.asked)
        diagnosis = product.judged(taken)
        plan = product.planned(diagnosis, case.given.clock.now)
        result.wrong = judge.differences(
            case, diagnosis, plan, () if case.given.asked else product.orders_given(world.calls))
        if show:
            result.shown = {"snapshot": taken, "diagnosis": diagnosis, "plan": plan}
    except CaseError as error:
        result.wrong = [f"the case is not of the form: {error}"]
    except Unable as error:
        result.unable = str(error)
        result.wrong = [f"cannot be built here: {error}"]
    except product.Defect as error:
        result.wrong = [f"broke down: {error}"]
    finally:
        if servers:
            servers.stop()
    return result


def with_answer(taken: dict[str, Any], done: dict[str, Any], asked: str) -> dict[str, Any]:
    """A snapshot with the command that an operator gave, and what came back."""
    return {**taken, "given_command": {"command": asked, **done}}


# ------------------------------------------------------------------------------- processes


def run(paths: list[Path], jobs: int, show: bool) -> Iterator[Result]:
    """The results, in the order of the files, each worked out by a child process."""
    with tempfile.TemporaryDirectory(prefix="cases-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        waiting = list(paths)
        at_work: dict[Path, tuple[int, int]] = {}
        for path in paths:
            while waiting and len(at_work) < jobs:
                following = waiting.pop(0)
                at_work[following] = begin(following, folder, show)
            yield finish(path, *at_work.pop(path))


def begin(path: Path, folder: Path, show: bool) -> tuple[int, int]:
    """(process, descriptor to read from) of a case at work."""
    reader, writer = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        os.close(writer)
        return pid, reader
    code = 1
    try:
        product.with_parent()
        os.close(reader)
        began = time.monotonic()
        try:
            result = examine(path, folder, show)
        except BaseException:
            result = Result(path.stem, [f"broke down: {traceback.format_exc()}"])
        result.seconds = round(time.monotonic() - began, 2)
        with os.fdopen(writer, "wb") as stream:
            stream.write(json.dumps(vars(result)).encode())
        code = 0
    finally:
        os._exit(code)


def finish(path: Path, pid: int, reader: int) -> Result:
    """The result of a case that was begun."""
    with os.fdopen(reader, "rb") as stream:
        said = stream.read()
    os.waitpid(pid, 0)
    return Result(**json.loads(said)) if said else Result(path.stem, ["its process died"])


# --------------------------------------------------------------------------------- report


def pending(folder: Path) -> set[str]:
    """The cases of the project that are known to fail."""
    if folder != OWN or not PENDING.exists():
        return set()
    lines = (line.partition("#")[0].strip() for line in PENDING.read_text().splitlines())
    return {line for line in lines if line}


def report(result: Result, waiting: set[str]) -> bool:
    """Print a result; whether it is as it must be."""
    if result.id in waiting and result.wrong:
        state = "pending"
    elif result.id in waiting:
        state, result.wrong = "FAILED", ["holds now: take it out of tests/cases/pending.txt"]
    else:
        state = "FAILED" if result.wrong else "passed"
    print(f"{state:8}{result.id}", flush=True)
    for line in result.wrong:
        for number, part in enumerate(line.splitlines()):
            print(f"          {'  ' if number else ''}{part}")
    return state != "FAILED"


def junit(path: Path, results: list[Result], failed: set[str], waiting: set[str]) -> None:
    """The results in the form that tools/stages.py reads."""
    known = [result for result in results if result.id in waiting and result.id not in failed]
    suite = ET.Element("testsuite", name="cases", tests=str(len(results)),
                       failures=str(len(failed)), skipped=str(len(known)))  # fmt: skip
    for result in results:
        case = ET.SubElement(suite, "testcase", name=result.id, classname="cases",
                             time=str(result.seconds))  # fmt: skip
        if result.id in failed:
            ET.SubElement(case, "failure", message=(result.wrong or [""])[0])
        elif result.wrong:
            ET.SubElement(case, "skipped", message="pending")
    path.parent.mkdir(parents=True, exist_ok=True)
    ET.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)


def main() -> int:
    """The exit code: 0 if every case is as it must be."""
    parser = argparse.ArgumentParser(prog="cases")
    parser.add_argument("folder", nargs="?", type=Path, default=OWN)
    parser.add_argument("--jobs", type=int, default=min(4, os.cpu_count() or 1))
    parser.add_argument("--junitxml", type=Path)
    parser.add_argument("--only", default="", help="ids, with commas")
    parser.add_argument("--show", action="store_true", help="print snapshot, diagnosis and plan")
    given = parser.parse_args()
    folder = given.folder.resolve()
    paths = sorted([*folder.glob("*.yml"), *folder.glob("*.yaml")])
    only = set(filter(None, given.only.split(",")))
    paths = [path for path in paths if not only or path.stem in only]
    if not paths:
        print(f"no case in {folder}")
        return 2
    waiting = pending(folder)
    results, failed = [], set()
    for result in run(paths, max(1, given.jobs), given.show):
        if result.unable and "CAMPAIGN_STAGES" in os.environ:
            print(f"{LEFT_OUT}a case's server needs root, or user namespaces: {result.unable}")
            return 0
        if not report(result, waiting):
            failed.add(result.id)
        if given.show:
            print(json.dumps(result.shown, indent=1))
        results.append(result)
    unknown = waiting - {result.id for result in results} if not only else set()
    for id in sorted(unknown):
        print(f"FAILED  {id}\n          stands in pending.txt, and is no case")
    if given.junitxml:
        junit(given.junitxml, results, failed, waiting)
    open_ones = [r for r in results if r.id in waiting and r.id not in failed]
    if open_ones:
        print(f"{len(open_ones)} pending: they are known to fail (tests/cases/pending.txt)")
    wrong = len(failed) + len(unknown)
    print(f"{len(results) - len(failed) - len(open_ones)} passed, {wrong} failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
