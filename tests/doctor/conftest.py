"""A lab for the tests that need servers, one for each worker; the rest needs nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from campaign_doctor import runner
from doctor.harness import Site
from doctor.replay import Library, Replay, fake_command
from doctor.replaying import finds
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
    """That server, with nothing done on it before and whole again after the test, and a person
    with an empty home.
    """
    lab.forget()
    made = Site(lab, tmp_path)
    try:
        yield made
    finally:
        if made.ill:
            lab.ctl("heal")


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """The saved runs."""
    return Library(tmp_path_factory.mktemp("saved-runs"))


@pytest.fixture
def replay(library: Library, tmp_path: Path) -> Replay:
    """A person without a server, whose Ansible replays saved runs."""
    return Replay(tmp_path, library)


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An ansible-playbook that only tells events; the report says what it did."""
    command = fake_command(tmp_path / "bin")
    monkeypatch.setattr(runner, "_environment", finds(command, runner._environment))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return command
