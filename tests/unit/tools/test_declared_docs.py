"""What is written from the declarations of modules and remedies is what they say."""

from __future__ import annotations

import declared_docs
import pytest


def test_a_mark_that_is_missing_is_told() -> None:
    with pytest.raises(LookupError, match="start order"):
        declared_docs.page("nothing")
    with pytest.raises(LookupError, match="choices"):
        declared_docs.choices("options:\n  module:\n    type: str\n")
    with pytest.raises(LookupError, match="remedies"):
        declared_docs.between("nothing", "remedies", [])
