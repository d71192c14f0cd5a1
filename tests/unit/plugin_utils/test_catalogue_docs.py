"""docs/user/problems.md says what the catalogue says."""

from __future__ import annotations

import importlib.util
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]


def test_the_documentation_is_the_catalogue_s() -> None:
    spec = importlib.util.spec_from_file_location(
        "catalogue_docs", CHECKOUT / "tools" / "catalogue_docs.py"
    )
    assert spec and spec.loader
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    written = (CHECKOUT / "docs" / "user" / "problems.md").read_text(encoding="utf-8")
    assert written == tool.page() + "\n", "run tools/catalogue_docs.py"
