"""The account and root's files, once for the session; all of it needs root."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from hostile.world import World

HERE = Path(__file__).resolve().parent
NEEDED = ("useradd", "userdel", "cc")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without root no account can be made, and nothing would be at stake."""
    missing = [name for name in NEEDED if not shutil.which(name)]
    reason = "only root can make the account that attacks" if os.geteuid() != 0 else ""
    if missing:
        reason = f"needs {', '.join(missing)} on this machine"
    for item in items:
        if reason and HERE in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """The account, root's canaries, and the record of who did what."""
    made = World()
    try:
        made.make()
        yield made
    finally:
        made.remove()
