"""What ansible-test is told: which Python runs the target code, and what is shipped of the tests."""

from __future__ import annotations

from pathlib import Path

import yaml
from common.cores import CORES, OLDEST

TOP = Path(__file__).resolve().parents[3]


def test_target_code_needs_the_oldest_python_of_the_oldest_core() -> None:
    told = yaml.safe_load((TOP / "tests" / "config.yml").read_text(encoding="utf-8"))
    oldest = "{}.{}".format(*CORES[OLDEST].oldest_target)
    assert told == {"modules": {"python_requires": f">={oldest}"}}


def test_nothing_else_of_the_tests_is_shipped() -> None:
    """ansible-galaxy takes along what galaxy.yml does not name."""
    ignored = set(yaml.safe_load((TOP / "galaxy.yml").read_text(encoding="utf-8"))["build_ignore"])
    here = {f"tests/{path.name}" for path in (TOP / "tests").iterdir()}
    assert {path for path in here if path not in ignored} == {"tests/config.yml"}
    assert "tests" not in ignored
