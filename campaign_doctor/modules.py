# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The modules of Campaign as the collection declares them, in the order in which they are started."""

from __future__ import annotations

from functools import cache

from .explain import catalogue


@cache
def columns() -> dict[str, str]:
    """Name to short name."""
    return {module.name: module.column for module in catalogue().modules}


def names() -> list[str]:
    """All names."""
    return list(columns())


@cache
def per_instance() -> frozenset[str]:
    """Those that each instance has of its own."""
    return frozenset(module.name for module in catalogue().modules if module.per_instance)
