"""Measures tests and fixtures, for tools/stages.py: $CAMPAIGN_DURATIONS names the file to write.

A pytest that runs tests in several processes writes one file of them all.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Generator
from pathlib import Path
from time import monotonic  # by its name: tests replace time.monotonic
from typing import Any

import pytest

KEPT = 10


class Durations:
    """How long each phase of each test took, and each fixture by itself, in one process."""

    def __init__(self, config: pytest.Config, path: str) -> None:
        self.config = config
        self.path = Path(path)
        self.phases: dict[str, float] = defaultdict(float)
        self.tests: dict[str, float] = defaultdict(float)
        self.fixtures: dict[str, list[float]] = defaultdict(list)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Of every test, wherever it ran."""
        self.phases[report.when or ""] += report.duration
        if report.when == "call":
            self.tests[report.nodeid] += report.duration

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, Any, Any]:
        """Without the fixtures that this one asks for: those are there already."""
        began = monotonic()
        name = f"{fixturedef.argname} ({fixturedef.baseid or 'pytest'})"
        ended: list[float] = []

        def note_end() -> None:
            self.fixtures[f"teardown of {name}"].append(monotonic() - ended.pop())

        # What is added first runs last, and the other way round: its own end is in between.
        fixturedef.addfinalizer(note_end)
        try:
            return (yield)
        finally:
            self.fixtures[f"setup of {name}"].append(monotonic() - began)
            fixturedef.addfinalizer(lambda: ended.append(monotonic()))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """A process of xdist has ended, and says which fixtures it had."""
        told = getattr(node, "workeroutput", {}).get("campaign_fixtures", {})
        for name, seconds in told.items():
            self.fixtures[name] += seconds

    def pytest_sessionfinish(self) -> None:
        output = getattr(self.config, "workeroutput", None)
        if output is not None:
            output["campaign_fixtures"] = dict(self.fixtures)
            return
        tests = [(seconds, name) for name, seconds in self.tests.items()]
        fixtures = [(sum(seconds), f"{name}, {len(seconds)} times" if len(seconds) > 1 else name)
                    for name, seconds in self.fixtures.items()]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps({
            "phases": self.phases,
            "tests": sorted(tests, reverse=True)[:KEPT],
            "fixtures": sorted(fixtures, reverse=True)[:KEPT],
        }, indent=1) + "\n")
