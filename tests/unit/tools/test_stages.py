"""tools/stages.py: what a stage says becomes the verdict of make test."""

from __future__ import annotations

from pathlib import Path

import pytest
import stages

MAKEFILE = """\
molecule:
\t@echo "installing things"
\t@echo "{said}"
\t@exit {code}
"""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(stages, "CHECKOUT", tmp_path)
    monkeypatch.setattr(stages, "BUILD", tmp_path / "build")
    (tmp_path / "build" / "junit").mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize(
    ("said", "code", "left_out", "failed"),
    [
        ("left out: this machine lacks podman", 0, "this machine lacks podman", 0),
        ("left out: this machine lacks podman", 1, "", 1),
        ("all is well", 0, "", 0),
    ],
)
def test_a_stage_may_be_left_out(
    checkout: Path, said: str, code: int, left_out: str, failed: int
) -> None:
    (checkout / "Makefile").write_text(MAKEFILE.format(said=said, code=code))
    result = stages.run_stage("molecule")
    assert result.left_out == left_out
    assert result.failed == failed
    assert result.passed == (not failed and not left_out)
