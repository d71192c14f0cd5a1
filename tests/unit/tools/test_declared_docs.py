"""What is written from the declarations of modules and remedies is what they say."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

CHECKOUT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    path = CHECKOUT / "tools" / "declared_docs.py"
    spec = importlib.util.spec_from_file_location("declared_docs", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_is_written(tool: ModuleType) -> None:
    for name, write in tool.files().items():
        text = (CHECKOUT / name).read_text(encoding="utf-8")
        assert write(text) == text, f"{name}: run tools/declared_docs.py"


def test_a_mark_that_is_missing_is_told(tool: ModuleType) -> None:
    with pytest.raises(LookupError, match="start order"):
        tool.page("nothing")
    with pytest.raises(LookupError, match="choices"):
        tool.choices("options:\n  module:\n    type: str\n")
    with pytest.raises(LookupError, match="remedies"):
        tool.between("nothing", "remedies", [])
