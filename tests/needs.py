"""What a test needs of the machine. As root nothing may be missing: `make test` installs it."""

from __future__ import annotations

import os

import pytest


def needs(condition: object, reason: str) -> None:
    """Without it, the test fails as root, and is skipped for any other account."""
    if not condition:
        (pytest.fail if os.geteuid() == 0 else pytest.skip)(reason)


def unless(condition: object, reason: str) -> pytest.MarkDecorator:
    """The same as a mark: as root, the test runs and fails for itself."""
    return pytest.mark.skipif(not condition and os.geteuid() != 0, reason=reason)
