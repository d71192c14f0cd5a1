"""`make cases CASES=FOLDER`: a line a case, what differs, and `N passed, N failed`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import yaml

from needs import needs

CHECKOUT = Path(__file__).resolve().parents[3]
HEALTHY = {"id": "", "module": "host", "given": {}, "expect": {"found": [], "plan": "none"}}


def test_a_folder_of_other_cases(tmp_path: Path) -> None:
    """One holds; one misses what is found, one what is not; one is of another form."""
    database = {"network": [{"name": "database", "reachable": False}]}
    unreachable = {"key": "host.database_unreachable", "about": "no database",
                   "severity": "critical"}  # fmt: skip
    cases: dict[str, dict[str, object]] = {
        "a-holds": {},
        "b-missed": {"expect": {"found": [unreachable]}},
        "c-said": {"given": database},
        "d-found": {"given": database, "expect": {"found": [unreachable]}},
        "e-form": {"given": {"fiels": {}}},
    }
    for name, own in cases.items():
        (tmp_path / f"{name}.yml").write_text(yaml.safe_dump({**HEALTHY, "id": name, **own}))
    ended = subprocess.run(
        [sys.executable, "-m", "cases", tmp_path], capture_output=True, text=True, timeout=300,
        cwd=CHECKOUT, env={"PYTHONPATH": "playbooks/collections:lab:tests:tools", "PATH": "/bin",
                        "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
    )  # fmt: skip
    needs("cannot be built here" not in ended.stdout, "root, or user namespaces")
    lines = ended.stdout.splitlines()
    assert [line.split() for line in lines if not line.startswith(" ")] == [
        ["passed", "a-holds"], ["FAILED", "b-missed"], ["FAILED", "c-said"], ["passed", "d-found"],
        ["FAILED", "e-form"], ["2", "passed,", "3", "failed"],
    ], ended.stdout + ended.stderr  # fmt: skip
    assert ended.returncode == 1
    assert "not found: host.database_unreachable: no database" in ended.stdout
    assert "not expected: host.database_unreachable@prod" in ended.stdout
    assert "unknown key 'fiels'" in ended.stdout
