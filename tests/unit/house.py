"""What the code's structure is read from: imports between files, and sizes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
COLLECTION = "ansible_collections.campaign.remediation."
PACKAGES = ("plugins", "campaign_doctor", "lab/campaign_lab", "tools")


def files(*folders: str) -> list[Path]:
    """The Python files below some folders of the checkout; links are not followed."""
    found = [path for folder in folders for path in (CHECKOUT / folder).rglob("*.py")]
    return sorted(path for path in found if not path.is_symlink())


def part(path: Path) -> str:
    """The folder at the top of the checkout that a file is in."""
    return path.relative_to(CHECKOUT).parts[0]


def _absolute(module: str) -> str:
    """A dotted module from the top of the checkout."""
    module = module.removeprefix(COLLECTION)
    return f"lab.{module}" if module.split(".")[0] == "campaign_lab" else module


def _named(path: Path, node: ast.ImportFrom) -> str:
    """The dotted module that a `from` names, from the top of the checkout."""
    module = node.module or ""
    if not node.level:
        return _absolute(module)
    folder = path.relative_to(CHECKOUT).parents[node.level - 1]
    return ".".join((*folder.parts, *filter(None, [module])))


def _file(dotted: str) -> Path | None:
    for top in (CHECKOUT, CHECKOUT / "tools"):
        path = top.joinpath(*dotted.split("."))
        for candidate in (path.with_suffix(".py"), path / "__init__.py"):
            if candidate.is_file():
                return candidate
    return None


def imports(path: Path, late: bool = False) -> set[Path]:
    """The files of the checkout that a file imports when it is loaded; with `late`, those that its
    functions import, too.
    """
    found: set[Path | None] = set()
    for node in _nodes(ast.parse(path.read_text(encoding="utf-8")), late):
        if isinstance(node, ast.Import):
            found |= {_file(_absolute(name.name)) for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = _named(path, node)
            each = {_file(f"{module}.{name.name}") for name in node.names}
            found |= each if each - {None} else {_file(module)}
    return {file for file in found if file and file != path}


def _nodes(tree: ast.AST, late: bool) -> Iterator[ast.AST]:
    """All nodes but those below `if TYPE_CHECKING` or, on a target, `if MYPY`; those in functions
    only with `late`.
    """
    for node in ast.iter_child_nodes(tree):
        if not late and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "MYPY"):
            continue
        yield node
        yield from _nodes(node, late)


def types_needed(path: Path) -> set[str]:
    """The names that are there for mypy alone and that a Python which runs the file looks up all
    the same: in an annotation without quotes.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    blocks = [node for node in tree.body
              if isinstance(node, ast.If) and ast.unparse(node.test) == "MYPY"]  # fmt: skip
    typing: set[str] = set()
    parts = (part for block in blocks for part in block.body)
    for node in (inner for part in parts for inner in ast.walk(part)):
        if isinstance(node, ast.alias):
            typing.add(node.asname or node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            typing.add(node.id)
    evaluated = [node.annotation if isinstance(node, ast.arg) else node.returns
                 for node in _nodes(tree, late=True)
                 if isinstance(node, (ast.arg, ast.FunctionDef))]  # fmt: skip
    used = {node.id for each in evaluated if each for node in ast.walk(each)
            if isinstance(node, ast.Name)}  # fmt: skip
    return used & typing


def circle(graph: dict[Path, set[Path]]) -> list[str]:
    """The files of one circle of imports; empty if there is none."""
    done: set[Path] = set()

    def search(file: Path, way: list[Path]) -> list[Path]:
        if file in way:
            return [*way[way.index(file) :], file]
        if file in done:
            return []
        for other in sorted(graph.get(file, ())):
            if found := search(other, [*way, file]):
                return found
        done.add(file)
        return []

    for file in sorted(graph):
        if found := search(file, []):
            return [str(each.relative_to(CHECKOUT)) for each in found]
    return []


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """The name and the number of lines of each function of a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1
