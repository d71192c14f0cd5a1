"""One lab for all tests of the session, in a temporary folder, stopped whatever happens."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from integration.harness import Lab
from integration.remediate.fleet import dealt


class Schedule(LoadScopeScheduling):  # type: ignore[misc]
    """What shares a lab runs in one worker: a file, and of the fault matrix a fleet."""

    def _split_scope(self, nodeid: str) -> str:
        path, _colons, test = nodeid.partition("::")
        if not path.endswith("test_fault_matrix.py"):
            return path
        name = test.partition("[")[2].rstrip("]")
        fleets = dealt(self.config.getoption("nightly"))
        return next((fleet for fleet, rows in fleets.items() if name in (fleet, *rows)), path)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Schedule:
    """In the order of the tests: what takes long first, none of it is left at the end."""
    config.option.loadscopereorder = False
    return Schedule(config, log)


LONGEST = (
    "test_roles.py", "test_fault_matrix.py", "test_runs.py", "test_remediate_playbook.py",
    "test_kills.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The fleets and what else takes long, or does at night, come first."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


@pytest.fixture(scope="session", autouse=True)
def no_signal_to_all() -> Iterator[None]:
    """A module that does not run has pid 0, and 0 is the group of all that tests: of make, too."""
    kill = os.kill

    def to_one(pid: int, number: int) -> None:
        assert pid > 0, f"signal {number} would go to every process of the group or of the account"
        kill(pid, number)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "kill", to_one)
        yield


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A healthy server app1 with one instance, prod. A test that breaks it also heals it."""
    started = Lab(tmp_path_factory.mktemp("lab"))
    try:
        started.up()
        yield started
    finally:
        started.down()


@pytest.fixture
def report_dir(tmp_path: Path) -> Path:
    """Where a run's report goes."""
    return tmp_path / "report"
