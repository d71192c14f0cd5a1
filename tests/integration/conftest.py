"""One lab for all tests of the session, in a temporary folder, stopped whatever happens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.harness import Lab


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
