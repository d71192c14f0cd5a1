"""The structure of the code: which file may know which, and how large one may be."""

from __future__ import annotations

from pathlib import Path

import pytest
from unit import house

ROOMS = ("snapshot", "diagnosis", "planning", "report", "ansible")
CONTROLLER = house.CHECKOUT / "plugins" / "plugin_utils" / "_campaign"
LARGEST_FILE = 600
LONGEST_FUNCTION = 80
ALL = ("plugins", "campaign_doctor", "lab", "tools", "tests", "molecule")


def room(path: Path) -> str:
    """The room of the controller that a file is in; empty for any other."""
    return path.relative_to(CONTROLLER).parts[0] if path.is_relative_to(CONTROLLER) else ""


def test_the_files_are_found() -> None:
    assert {room(path) for path in house.files("plugins")} >= set(ROOMS)
    engine = CONTROLLER / "planning" / "policy.py"
    assert CONTROLLER / "diagnosis" / "catalogue.py" in house.imports(engine)


@pytest.mark.parametrize("name", ROOMS)
def test_an_arrow_points_to_an_earlier_room(name: str) -> None:
    allowed = {*ROOMS[: ROOMS.index(name) + 1], ""}
    for path in house.files(f"plugins/plugin_utils/_campaign/{name}"):
        for other in house.imports(path, late=True):
            assert room(other) in allowed, f"{path} imports {other}"
            assert "plugins/action" not in str(other), f"{path} imports {other}"


def test_only_actions_know_the_room_that_knows_ansible() -> None:
    actions = house.CHECKOUT / "plugins" / "action"
    for path in house.files("plugins", "campaign_doctor"):
        if path.parent != actions and room(path) != "ansible":
            known = {room(other) for other in house.imports(path, late=True)}
            assert "ansible" not in known, path


def test_what_runs_on_targets_knows_nothing_of_the_controller() -> None:
    for path in house.files("plugins/modules", "plugins/module_utils"):
        assert {room(other) for other in house.imports(path, late=True)} <= {""}, path


def test_a_target_needs_no_types() -> None:
    files = house.files("plugins/modules", "plugins/module_utils")
    assert {path.name: names for path in files if (names := house.types_needed(path))} == {}


def test_a_type_that_a_target_needs_would_be_found(tmp_path: Path) -> None:
    file = tmp_path / "one.py"
    file.write_text("if MYPY:\n    from typing import Any, List\n\n    Entry = List[Any]\n\n\n"
                    "def one(first: Entry, second: 'List[Entry]') -> str: ...\n")  # fmt: skip
    assert house.types_needed(file) == {"Entry"}


@pytest.mark.parametrize("package", house.PACKAGES)
def test_there_is_no_circle(package: str) -> None:
    graph = {path: house.imports(path, late=True) for path in house.files(package)}
    assert graph
    assert house.circle(graph) == []


def test_a_circle_would_be_found() -> None:
    one, two, three = (house.CHECKOUT / name for name in ("one.py", "two.py", "three.py"))
    assert house.circle({one: {two}, two: {three}, three: {two}}) == ["two.py", "three.py", "two.py"]


def test_the_command_imports_no_plugin() -> None:
    for path in house.files("campaign_doctor"):
        known = {house.part(other) for other in house.imports(path, late=True)}
        assert "plugins" not in known, path


def test_the_product_knows_nothing_of_the_lab() -> None:
    for path in house.files("plugins", "campaign_doctor"):
        assert "lab" not in {house.part(other) for other in house.imports(path, late=True)}, path


def test_no_file_is_too_large() -> None:
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in house.files(*ALL)}
    assert {str(path): n for path, n in lines.items() if n > LARGEST_FILE} == {}


def test_no_function_is_too_long() -> None:
    long = [f"{path}:{name} has {lines} lines" for path in house.files(*ALL)
            for name, lines in house.functions(path)
            if lines > LONGEST_FUNCTION]  # fmt: skip
    assert long == []
