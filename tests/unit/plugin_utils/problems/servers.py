"""All servers that are entered for the problems of the catalogue."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from unit.plugin_utils.problems import cases
from unit.plugin_utils.problems.cases import Change

for _file in Path(__file__).parent.glob("test_*.py"):
    if _file.stem != "test_problems":  # which takes them from here
        import_module(f"unit.plugin_utils.problems.{_file.stem}")


def _id(finding: str) -> str:
    """`wfserver.errors@@CODE@prod` → `wfserver.errors@prod#CODE`."""
    if "@@" not in finding:
        return finding
    key, rest = finding.split("@@")
    code, instance = rest.split("@")
    return f"{key}@{instance}#{code}"


HOLDS: list[tuple[str, bool | None, Change]] = [
    (_id(finding), root, change) for (finding, _), (root, change) in cases.HOLDS.items()
]
NAMES = [f"{_id(finding)}-{name}" for finding, name in cases.HOLDS]
NEAR = [(key, change) for (key, _), change in cases.NEAR.items()]
