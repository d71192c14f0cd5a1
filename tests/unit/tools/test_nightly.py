"""tests/conftest.py: what is marked nightly waits for --nightly, and all can ask for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[2]
FILE = """\
import pytest

@pytest.mark.nightly
def test_long():
    pass

def test_short(nightly):
    print("nightly" if nightly else "by day")
"""


@pytest.mark.parametrize(
    ("option", "said", "end"),
    [((), "by day", "1 passed, 1 deselected"), (("--nightly",), "nightly", "2 passed")],
)
def test_a_nightly_test_runs_with_the_option_only(
    tmp_path: Path, option: tuple[str, ...], said: str, end: str
) -> None:
    (tmp_path / "test_file.py").write_text(FILE)
    (tmp_path / "conftest.py").write_text((TESTS / "conftest.py").read_text())
    (tmp_path / "pytest.ini").write_text(
        f"[pytest]\nmarkers = nightly: long\npythonpath = {TESTS} {TESTS.parent / 'tools'}\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-s", "-p", "no:cacheprovider", *option],
        cwd=tmp_path, env={"PATH": os.environ["PATH"], "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    lines = done.stdout.strip().splitlines()
    assert any(line.endswith(said) for line in lines), done.stdout
    assert end in lines[-1], done.stdout
