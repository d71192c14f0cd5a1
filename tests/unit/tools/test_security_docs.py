"""docs/developer/security.md shows the rows that tests/hostile runs."""

from __future__ import annotations

import security_docs


def test_the_page_has_the_table_of_today() -> None:
    text = security_docs.FILE.read_text(encoding="utf-8")
    assert security_docs.page(text) == text, "run tools/security_docs.py"
