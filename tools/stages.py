#!/usr/bin/env python3
"""Run stages of the Makefile, keep their output, and close with one verdict.

usage: tools/stages.py STAGE... [+ STAGE...]...

The stages of a lane run one after the other; a + begins another lane, which runs beside it, and
whose output is shown when the lane has ended. Every stage runs, even after one has failed: the
closing table shows all that is wrong, how long each stage took and what it cost
(docs/developer/development.md, "Where the time goes"). Output, JUnit files and durations stay in build/. A
process or a lab that a stage leaves behind is named and ended, and the stage has failed.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as ET
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import IO, Any, NamedTuple

import caretaker
from common.command_line import Parser

CHECKOUT = Path(__file__).resolve().parent.parent
BUILD = CHECKOUT / "build"
WIDTH = 110
PR_SET_CHILD_SUBREAPER = 36  # of prctl(2)
GOING_SECONDS = 15.0  # what an interrupted Ansible had begun on a host may take that long
READ_SECONDS = 2.0
CARETAKER_SECONDS = 180.0
COUNTED = ("ansible", "lab")
SKIPS_NAMED = 5

LEFT_OUT = "left out: "
"""Begins the last line of a stage that could not run on this machine, with the reason."""


class Result(NamedTuple):
    """How a stage ended and what it cost."""

    stage: str
    passed: int
    failed: int
    skipped: int
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    ansible: int = 0
    """Commands of Ansible that were started from a virtual environment of the checkout."""
    lab: int = 0
    """Processes of the lab's servers that were started on this machine."""
    left_out: str = ""
    left_behind: tuple[str, ...] = ()
    skips: tuple[str, ...] = ()
    """The reasons of skipped tests, each with its tests."""


def junit_counts(path: Path) -> tuple[int, int, int] | None:
    """Passed, failed and skipped tests of a pytest run, or None if it wrote nothing."""
    try:
        root = ET.parse(path).getroot()
    except (OSError, ET.ParseError):
        return None
    failed = skipped = total = 0
    for suite in root.iter("testsuite"):
        total += int(suite.get("tests", 0))
        failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped += int(suite.get("skipped", 0))
    return max(0, total - failed - skipped), failed, skipped


def junit_skips(path: Path) -> list[str]:
    """Why tests of a pytest run were skipped, and which."""
    reasons: dict[str, list[str]] = {}
    with suppress(OSError, ET.ParseError):
        for case in ET.parse(path).getroot().iter("testcase"):
            for skipped in case.iter("skipped"):
                reasons.setdefault(skipped.get("message") or "?", []).append(case.get("name") or "?")
    return [f"{reason}: {', '.join(names[:SKIPS_NAMED])}"
            + (f" and {len(names) - SKIPS_NAMED} more" if len(names) > SKIPS_NAMED else "")
            for reason, names in reasons.items()]  # fmt: skip


# ------------------------------------------------------------------------------- one stage


def run_stage(stage: str, folder: Path) -> Result:
    """Run it with this temporary folder, which is gone afterwards."""
    print(f"\n=== {stage} " + "=" * (WIDTH - 5 - len(stage)), flush=True)
    junit = BUILD / "junit" / f"{stage}.xml"
    durations = BUILD / "durations" / f"{stage}.json"
    for path in (junit, durations):
        path.unlink(missing_ok=True)
    tally = folder.with_suffix(".tally")
    for path in (folder, tally):
        path.mkdir()
        path.chmod(0o711)  # a lab's account may be another than the one that tests
    for name in COUNTED:
        (tally / name).touch()
        (tally / name).chmod(0o666)
    environment = {
        **os.environ, "TMPDIR": str(folder), "CAMPAIGN_TALLY": str(tally),
        "CAMPAIGN_DURATIONS": str(durations),
        "CAMPAIGN_STAGES": "1",  # it may say that it cannot run here; what it leaves is seen to
    }  # fmt: skip
    started, used = time.monotonic(), processor_seconds()
    code, said = run(stage, environment)
    left = left_behind(folder)
    passed, failed, skipped = counts(junit, code, bool(left))
    left_out = said[len(LEFT_OUT):] if code == 0 and said.startswith(LEFT_OUT) else ""
    result = Result(
        stage, 0 if left_out else passed, failed, skipped, time.monotonic() - started,
        processor_seconds() - used, (tally / "ansible").stat().st_size,
        (tally / "lab").stat().st_size, left_out, tuple(left), tuple(junit_skips(junit)),
    )  # fmt: skip
    print("", *(f"left behind: {each}" for each in left), *slowest(durations), cost(result),
          sep="\n", flush=True)
    return result


def counts(junit: Path, code: int, more: bool) -> tuple[int, int, int]:
    """Passed, failed and skipped; something failed that is no test if there is an exit code."""
    passed, failed, skipped = junit_counts(junit) or (int(not code and not more), 0, 0)
    return passed, max(failed, int(code != 0)) + int(more), skipped


def run(stage: str, environment: dict[str, str]) -> tuple[int, str]:
    """Run make, show and keep its output; its exit code and the last line."""
    with (BUILD / f"{stage}.log").open("wb") as log:
        process = subprocess.Popen(
            ["make", "--no-print-directory", stage], cwd=CHECKOUT, env=environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        assert process.stdout is not None
        last = [b""]
        reader = threading.Thread(target=copy, args=(process.stdout, log, last), daemon=True)
        reader.start()
        try:
            code = wait(process)
        except BaseException:
            stop_group(process)
            raise
        # What it left behind may hold the pipe: its end is not waited for any longer.
        reader.join(READ_SECONDS)
        return code, last[0].decode("utf-8", "replace").strip()


def copy(output: IO[bytes], log: IO[bytes], last: list[bytes]) -> None:
    """Show and keep each line."""
    with suppress(ValueError):  # the log is closed
        for line in output:
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
            log.write(line)
            last[0] = line


def wait(process: subprocess.Popen[bytes]) -> int:
    """Wait for it, and take in at once all others that come here when their parents have ended."""
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == process.pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode


def take_in() -> None:
    """Take in what has ended."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def processor_seconds() -> float:
    """What all processes have used that were taken in so far."""
    take_in()
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def stop_group(process: subprocess.Popen[bytes]) -> None:
    """End an interrupted stage: first so that its fixtures can clean up, then for good."""
    for number, patience in ((signal.SIGINT, 20), (signal.SIGTERM, 5), (signal.SIGKILL, 5)):
        try:
            os.killpg(process.pid, number)
            process.wait(patience)
            return
        except subprocess.TimeoutExpired:
            continue
        except ProcessLookupError:
            return


# ------------------------------------------------------------------- what a stage leaves behind


def left_behind(folder: Path) -> list[str]:
    """End and remove what a stage left, and say what it was; a moment is given to what is going."""
    def all_gone() -> bool:
        take_in()
        return not remains.processes()

    def cared_for() -> bool:
        take_in()
        return not caretaker.caretakers(str(folder))

    remains = caretaker.Remains(str(folder))
    caretaker.until(cared_for, CARETAKER_SECONDS)
    caretaker.until(all_gone, GOING_SECONDS)
    # The files of a lab that nothing runs in are as good as any others.
    labs = [root for root in remains.labs()
            if set(remains.processes()) - set(remains.processes(but=[root]))]  # fmt: skip
    left = [f"a lab in {root}" for root in labs]
    left += [f"process {pid}: {words}" for pid in remains.processes(but=labs)
             if not (words := command(pid)).startswith("ssh: ")]  # Ansible keeps those for a minute
    remains.remove()
    take_in()
    return left


def command(pid: int) -> str:
    """A process's command line."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return "(gone)"
    return b" ".join(words).decode("utf-8", "replace").strip()


# ---------------------------------------------------------------------------------- the report


def slowest(durations: Path) -> list[str]:
    """What pytest has measured (tests/durations.py)."""
    try:
        measured: dict[str, Any] = json.loads(durations.read_text())
    except OSError:
        return []
    phases = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in measured["phases"].items())
    lines = [f"Time of all tests: {phases}"]
    for kind in ("tests", "fixtures"):
        lines.append(f"The slowest {kind}:")
        lines += [f"  {seconds:7.1f} s  {name}" for seconds, name in measured[kind]
                  if seconds >= 0.05]
    return lines


def cost(result: Result) -> str:
    """What a stage took, in one line."""
    return (f"{result.stage}: {result.seconds:.0f} s, {result.cpu_seconds:.0f} s of processor "
            f"time, {result.ansible} commands of Ansible, {result.lab} processes of the lab")


def table(results: list[Result], seconds: float) -> list[str]:
    """One line a stage, and the sum, whose wall time is that of all lanes."""
    lines = ["=" * WIDTH,
             f"{'stage':20} {'':8} {'passed':>6} {'failed':>6} {'skipped':>7} {'wall':>8} "
             f"{'processor':>9} {'ansible':>7} {'lab':>6}"]  # fmt: skip
    for result in (*results, total(results)._replace(seconds=seconds)):
        verdict = "FAILED" if result.failed else "left out" if result.left_out else "passed"
        log = f"   build/{result.stage}.log" if result in results else ""
        lines.append(
            f"{result.stage:20} {verdict:8} {result.passed:6} {result.failed:6} "
            f"{result.skipped:7} {result.seconds:6.0f} s {result.cpu_seconds:7.0f} s "
            f"{result.ansible:7} {result.lab:6}{log}"
        )
    for result in results:
        if result.left_out:
            lines.append(f"{result.stage} was left out: {result.left_out}")
        lines += [f"{result.stage} left behind: {each}" for each in result.left_behind]
        lines += [f"{result.stage} skipped: {each}" for each in result.skips]
    return lines


def total(results: list[Result]) -> Result:
    """All stages together."""
    columns = list(zip(*results, strict=True))
    return Result("together", *(sum(column) for column in columns[1:8]))


def interrupted(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


def run_lane(stages: list[str]) -> list[Result]:
    """Run them one after the other, in a temporary folder of the lane."""
    # A process whose parent ends before it comes to this one: what it used is counted, too.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    temporary = Path(caretaker.temporary_folder())
    try:
        # A short name: sockets below it have paths of 107 characters at most.
        return [run_stage(stage, temporary / str(number)) for number, stage in enumerate(stages)]
    finally:
        caretaker.Remains(str(temporary)).remove()


def run_lanes(lanes: list[list[str]]) -> list[Result]:
    """Run them side by side, each by a process of its own: it alone takes in what it started."""
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="campaign-lanes-") as name:
        running = list[subprocess.Popen[bytes]]()
        files = [Path(name) / str(number) for number in range(len(lanes))]
        try:
            for lane, file in zip(lanes, files, strict=True):
                with file.with_suffix(".log").open("wb") as log:
                    running.append(subprocess.Popen(
                        [sys.executable, __file__, "--results", str(file), *lane],
                        stdout=log if running else None,
                        stderr=subprocess.STDOUT if running else None,
                    ))  # fmt: skip
            for lane, file, process in zip(lanes, files, running, strict=True):
                process.wait()
                sys.stdout.write(read_log(file.with_suffix(".log")))
                sys.stdout.flush()
                results += [Result(*values) for values in json.loads(file.read_text())] \
                    if file.exists() else [Result(stage, 0, 1, 0) for stage in lane]
        except BaseException:
            for process in running:  # Ctrl-C has reached them already
                process.terminate()
            for process in running:
                process.wait()
            raise
    return results


def read_log(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def main() -> int:
    signal.signal(signal.SIGTERM, interrupted)
    signal.signal(signal.SIGHUP, interrupted)
    parser = Parser(__doc__)
    parser.add_argument("words", nargs="+", metavar="STAGE", help="a target of the Makefile, or +")
    parser.add_argument("--results", type=Path, help=argparse.SUPPRESS)  # of a lane: to this file
    options = parser.parse_args()
    file: Path | None = options.results
    lanes = list[list[str]]([[]])
    for word in options.words:
        if word == "+":
            lanes.append([])
        else:
            lanes[-1].append(word)
    (BUILD / "junit").mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    try:
        results = run_lanes(lanes) if len(lanes) > 1 else run_lane(lanes[0])
    except KeyboardInterrupt:
        return 130
    if file:
        file.write_text(json.dumps(results))
        return 0

    print("\n" + "\n".join(table(results, time.monotonic() - began)))
    (BUILD / "stages.json").write_text(
        json.dumps([result._asdict() for result in results], indent=1) + "\n")
    passed, failed, skipped = total(results)[1:4]
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
