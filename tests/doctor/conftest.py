"""A lab for the tests that need servers, one for each worker; the rest needs nothing."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from campaign_doctor import runner
from campaign_doctor.runner import Access
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


PLAYBOOK = Path(__file__).with_name("fake_ansible_playbook.py")


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An ansible-playbook that only tells events; the report says what it did."""
    command = tmp_path / "bin" / "ansible-playbook"
    command.parent.mkdir()
    command.write_text(f"#!{sys.executable}\n{PLAYBOOK.read_text()}")
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    real = runner._environment

    def environment(access: Access, folder: Path) -> dict[str, str]:
        found = real(access, folder)
        return {**found, "PATH": f"{command.parent}{os.pathsep}{found['PATH']}"}

    monkeypatch.setattr(runner, "_environment", environment)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return command
