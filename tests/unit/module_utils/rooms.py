"""The rooms of module_utils: their files, and what each file imports of the others."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = ROOT / "plugins" / "module_utils" / "_campaign"


def files() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path.stem != "__init__")


def room_of(path: Path) -> str:
    parent = path.relative_to(PACKAGE).parent
    return "" if str(parent) == "." else str(parent)


def at_run_time(path: Path) -> ast.Module:
    """The tree of a file without what is there for mypy alone."""
    tree = ast.parse(path.read_text())
    for node in tree.body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "MYPY":
            node.body = []
    return tree


def imported(path: Path) -> Iterator[tuple[str, str]]:
    """(room, file) of each import of ours."""
    room = room_of(path)
    for node in ast.walk(at_run_time(path)):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        base = room.split("/") if room else []
        base = base[: len(base) - node.level + 1]
        names = [*base, *((node.module or "").split(".") if node.module else [])]
        for alias in node.names:
            whole = PACKAGE.joinpath(*names)
            one = [*names, alias.name] if whole.is_dir() else names
            yield ("/".join(one[:-1]), one[-1])
