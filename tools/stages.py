#!/usr/bin/env python3
"""Run stages of the Makefile one after the other, keep their output, and close with one verdict.

usage: tools/stages.py STAGE...

Every stage runs, even after one has failed: the closing table shows all that is wrong. Output
and JUnit files stay in build/. Labs that a stage left behind are stopped.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from types import FrameType
from typing import NamedTuple

CHECKOUT = Path(__file__).resolve().parent.parent
BUILD = CHECKOUT / "build"


LEFT_OUT = "left out: "
"""Begins the last line of a stage that could not run on this machine, with the reason."""


class Result(NamedTuple):
    stage: str
    passed: int
    failed: int
    skipped: int
    seconds: float
    left_out: str = ""


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


def run_stage(stage: str) -> Result:
    print(f"\n=== {stage} " + "=" * (92 - len(stage)), flush=True)
    started = time.monotonic()
    junit = BUILD / "junit" / f"{stage}.xml"
    junit.unlink(missing_ok=True)
    last = b""
    with (BUILD / f"{stage}.log").open("wb") as log:
        process = subprocess.Popen(
            ["make", "--no-print-directory", stage],
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            assert process.stdout is not None
            for line in process.stdout:
                sys.stdout.buffer.write(line)
                sys.stdout.buffer.flush()
                log.write(line)
                last = line
            code = process.wait()
        except BaseException:
            stop_group(process)
            raise
    said = last.decode("utf-8", "replace").strip()
    if code == 0 and said.startswith(LEFT_OUT):
        return Result(stage, 0, 0, 0, time.monotonic() - started, said[len(LEFT_OUT):])
    counts = junit_counts(junit)
    if counts is None:
        counts = (1, 0, 0) if code == 0 else (0, 1, 0)
    elif code and not counts[1]:
        counts = (counts[0], 1, counts[2])
    return Result(stage, *counts, time.monotonic() - started)


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


def take_down(labs: Path) -> None:
    """Stop whatever lab a stage left under its temporary folder."""
    for state in labs.glob("**/lab.json"):
        print(f"stages: stopping a lab left in {state.parent}", flush=True)
        try:
            subprocess.run(
                [sys.executable, CHECKOUT / "lab" / "labctl", "down", "--purge", "--root",
                 state.parent],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False, timeout=120,
            )
        except subprocess.TimeoutExpired:
            print(f"stages: {state.parent} did not go down within 120 s", flush=True)
    shutil.rmtree(labs, ignore_errors=True)


def interrupted(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


def main() -> int:
    signal.signal(signal.SIGTERM, interrupted)
    signal.signal(signal.SIGHUP, interrupted)
    (BUILD / "junit").mkdir(parents=True, exist_ok=True)
    labs = Path(tempfile.mkdtemp(prefix="campaign-"))
    labs.chmod(0o711)  # a lab's account may be another than the one that tests
    os.environ["TMPDIR"] = str(labs)  # temporary folders of the tests, labs included
    os.environ["CAMPAIGN_STAGES"] = "1"  # a stage that this machine cannot run may say so
    results: list[Result] = []
    try:
        for stage in sys.argv[1:]:
            results.append(run_stage(stage))
    except KeyboardInterrupt:
        return 130
    finally:
        take_down(labs)

    print("\n" + "=" * 97)
    for result in results:
        verdict = "FAILED" if result.failed else "left out" if result.left_out else "passed"
        print(
            f"{result.stage:12} {verdict:8} {result.passed:5} passed {result.failed:4} failed "
            f"{result.skipped:4} skipped  {result.seconds:6.0f} s   build/{result.stage}.log"
        )
    for result in results:
        if result.left_out:
            print(f"{result.stage} was left out: {result.left_out}")
    passed, failed, skipped = (sum(column) for column in list(zip(*results, strict=True))[1:4])
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
