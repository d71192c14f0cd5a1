"""A lab for the tests that need servers, one for each worker; the rest needs nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from doctor.harness import Site
from integration.harness import Lab


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A healthy server app1 with one instance, prod."""
    started = Lab(tmp_path_factory.mktemp("lab"))
    try:
        started.up()
        yield started
    finally:
        started.down()


@pytest.fixture
def site(lab: Lab, tmp_path: Path) -> Iterator[Site]:
    """That server, whole again after the test, and a person with an empty home."""
    made = Site(lab, tmp_path)
    try:
        yield made
    finally:
        if made.ill:
            lab.ctl("heal")
