# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The brakes of a run: how a site bounds what one run may do to all its hosts together.

Pure. They are the same for all hosts of a run. Whatever is written wrongly is an `InvalidPolicy` that
names the variable.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..diagnosis.catalogue import BY_KEY
from .policy import InvalidPolicy

OPTIONS = (
    "min_healthy", "canary", "canary_from", "batch", "max_failures", "storm_percent",
    "accept_storm", "serial",
)
STORM_HOSTS = 4  # fewer are no storm
_AMOUNT = re.compile(r"(\d{1,6})\s*(%?)")


@dataclass(frozen=True)
class Amount:
    """So many hosts, or so many percent of those that it is about."""

    number: int
    percent: bool = False

    def of(self, hosts: int, *, up: bool = False) -> int:
        """The number of hosts; a part of one is rounded down unless `up`."""
        if not self.percent:
            return self.number
        share = hosts * self.number / 100
        return math.ceil(share) if up else math.floor(share)


@dataclass(frozen=True)
class Brakes:
    """Those of a run; `docs/user/brakes.md` says what they do.

    `max_failures`: None is the smaller of 3 and 25 %. `accept_storm`: finding keys, or True for all.
    `serial`: at most so many hosts in a wave.
    """

    min_healthy: Mapping[str, Amount] = field(default_factory=dict)
    canary: int = 1
    canary_from: int = 3
    batch: Amount = Amount(25, percent=True)
    max_failures: Amount | None = None
    storm_percent: int = 30
    accept_storm: bool | frozenset[str] = False
    serial: Amount = Amount(100, percent=True)

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Brakes:
        """From the options of campaign_plan; None or a missing option means its default."""
        given = {name: value for name, value in options.items() if value is not None}
        readers = {
            "min_healthy": _min_healthy, "canary": _whole, "canary_from": _whole,
            "batch": _amount, "max_failures": _amount, "storm_percent": _percent,
            "accept_storm": _accepted, "serial": _amount,
        }
        found: dict[str, Any] = {
            name: read(name, given[name]) for name, read in readers.items() if name in given
        }
        return cls(**found)

    def accepts(self, key: str) -> bool:
        """Whether a storm of this finding is repaired all the same."""
        accepted = self.accept_storm
        return accepted if isinstance(accepted, bool) else key in accepted

    def failures(self, planned: int) -> int:
        """How many failed repairs end a run that repairs so many hosts."""
        if self.max_failures is None:
            return max(1, min(3, Amount(25, percent=True).of(planned)))
        return max(1, self.max_failures.of(planned))

    def first_batch(self, planned: int) -> int:
        """How many hosts follow the canary at once."""
        return max(1, self.batch.of(planned))

    def at_once(self, planned: int) -> int:
        """How many hosts may be in a wave."""
        return max(1, self.serial.of(planned))

    def minimums(self, groups: Mapping[str, Collection[str]]) -> dict[str, int]:
        """How many hosts of each group must be healthy.

        Raises InvalidPolicy for a group that the inventory does not have, or that is too small.
        """
        found = {}
        for name, amount in self.min_healthy.items():
            if name not in groups:
                raise InvalidPolicy(f"campaign_min_healthy: the inventory has no group {name!r}")
            size = len(groups[name])
            found[name] = amount.of(size, up=True)
            if found[name] > size:
                raise InvalidPolicy(
                    f"campaign_min_healthy: {name} must have {found[name]} healthy hosts and has"
                    f" only {size} in the inventory"
                )
        return found


def same_for_all(brakes: Mapping[str, Brakes]) -> Brakes:
    """Those of a run. Raises InvalidPolicy where hosts do not have the same."""
    names = list(brakes)
    if not names:
        return Brakes()
    first = brakes[names[0]]
    for name in names[1:]:
        if brakes[name] != first:
            option = next(
                each for each in OPTIONS if getattr(brakes[name], each) != getattr(first, each)
            )
            raise InvalidPolicy(
                f"campaign_{option} differs between {names[0]} and {name}: it holds for a whole run,"
                " so set it for all hosts (group_vars/all.yml)"
            )
    return first


# --- reading the inventory's values -----------------------------------------------------------


def _amount(name: str, value: Any) -> Amount:
    found = _AMOUNT.fullmatch(str(value).strip())
    if isinstance(value, bool) or not found:
        raise InvalidPolicy(
            f"campaign_{name} must be a number of hosts or a percentage (such as 3 or 25%), not {value!r}"
        )
    number, percent = int(found[1]), bool(found[2])
    if number < 1 or (percent and number > 100):
        raise InvalidPolicy(f"campaign_{name} must be at least 1 and at most 100%, not {value!r}")
    return Amount(number, percent)


def _whole(name: str, value: Any) -> int:
    if isinstance(value, bool) or not re.fullmatch(r"\d{1,6}", str(value).strip()):
        raise InvalidPolicy(f"campaign_{name} must be a number of hosts, 0 or more, not {value!r}")
    return int(value)


def _percent(name: str, value: Any) -> int:
    text = str(value).strip().removesuffix("%").strip()
    if isinstance(value, bool) or not re.fullmatch(r"\d{1,3}", text) or not 1 <= int(text) <= 100:
        raise InvalidPolicy(f"campaign_{name} must be a percentage from 1 to 100, not {value!r}")
    return int(text)


def _min_healthy(name: str, value: Any) -> dict[str, Amount]:
    if not isinstance(value, Mapping):
        raise InvalidPolicy(
            f"campaign_{name} must map groups to a number of hosts or a percentage, not {value!r}"
        )
    return {str(group): _amount(f"{name}: {group}", amount) for group, amount in value.items()}


def _accepted(name: str, value: Any) -> bool | frozenset[str]:
    words = {"yes": True, "true": True, "no": False, "false": False}
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in words:
        return words[value.strip().lower()]
    keys = [value] if isinstance(value, str) else value
    if not isinstance(keys, (list, tuple)):
        raise InvalidPolicy(f"campaign_{name} must be true or a list of finding keys, not {value!r}")
    for key in keys:
        if key not in BY_KEY:
            raise InvalidPolicy(f"campaign_{name}: {key!r} is not a finding key of the catalogue")
    return frozenset(map(str, keys))
