"""A server for every problem: how one is entered.

`holds` names the id of a finding that a change to a healthy server brings, and what of it must
then be the only root (False: no root; None: one of several). `near` makes a change that looks like
the problem and is not. `for_each` does the same as `holds` for several modules.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from unit.plugin_utils.builder import Snapshot

from ansible_collections.campaign.remediation.plugins.module_utils._campaign import names
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import (
    DECLARED,
    DEFAULT,
    SERVER,
    UTILITY,
)

Change = Callable[[Snapshot], object]
# By finding and name of the change: pytest may load a file of these under a second name.
HOLDS: dict[tuple[str, str], tuple[bool | None, Change]] = {}
NEAR: dict[tuple[str, str], Change] = {}

PERMANENT = tuple(
    f"{module.name}@{DEFAULT if module.runs == SERVER else 'prod'}"
    for module in DECLARED if module.runs != UTILITY
)
SUPERVISED = tuple(target for target in PERMANENT if target != "watchdog@default")
OF_INSTANCE = tuple(f"{name}@prod" for name in names.PER_INSTANCE)
UTILITIES = tuple(f"{name}@prod" for name in names.UTILITIES)


def holds(finding: str, *, root: bool | None = True) -> Callable[[Change], Change]:
    def enter(change: Change) -> Change:
        HOLDS[finding, change.__name__] = root, change
        return change

    return enter


def near(key: str) -> Callable[[Change], Change]:
    def enter(change: Change) -> Change:
        NEAR[key, change.__name__] = change
        return change

    return enter


def for_each(
    targets: tuple[str, ...], name: str, root: bool | None = True
) -> Callable[..., None]:
    """The same case for several modules."""

    def enter(change: Callable[..., object]) -> None:
        for target in targets:
            module, instance = target.split("@")
            finding = f"{module}.{name}@{instance}"
            HOLDS[finding, change.__name__] = root, partial(change, module=module)

    return enter
