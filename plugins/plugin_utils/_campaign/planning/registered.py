# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the tasks of roles/campaign registered, as far as the verdict of a repair needs it.

What a task did not say is None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..diagnosis.records import IF_KNOWN, Facts, Record
from .records import Commands, StateAfter


@dataclass(frozen=True, kw_only=True)
class Begun(Record):
    """The answer of the guards before a remedy."""

    unreachable: bool = False
    msg: str | None = None
    evidence: str | None = None


@dataclass(frozen=True, kw_only=True)
class Change(Record):
    """What a remedy's tasks did, or the task of them that failed.

    `refused`: a guard did. `assertion`: the condition that was not met. `in_vain`: it was carried
    out and did not help. `attempts`: how often something was looked for.
    """

    unreachable: bool | None = field(default=None, metadata=IF_KNOWN)
    failed: bool | None = field(default=None, metadata=IF_KNOWN)
    refused: bool | None = field(default=None, metadata=IF_KNOWN)
    assertion: object = field(default=None, metadata=IF_KNOWN)
    msg: str | None = field(default=None, metadata=IF_KNOWN)
    commands: Commands | None = field(default=None, metadata=IF_KNOWN)
    guard: str | None = field(default=None, metadata=IF_KNOWN)
    before: Facts | None = field(default=None, metadata=IF_KNOWN)
    after: Facts | None = field(default=None, metadata=IF_KNOWN)
    left: StateAfter | None = field(default=None, metadata=IF_KNOWN)
    seconds: float | None = field(default=None, metadata=IF_KNOWN)
    evidence: str | None = field(default=None, metadata=IF_KNOWN)
    in_vain: bool | None = field(default=None, metadata=IF_KNOWN)
    attempts: int | None = field(default=None, metadata=IF_KNOWN)


@dataclass(frozen=True, kw_only=True)
class Ended(Record):
    """What the guards saw of the module before a remedy and after it."""

    before: Facts | None = None
    after: Facts | None = None
    left: StateAfter | None = None
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class Proof(Record):
    """The diagnosis after a remedy: by id what is said of the findings that are not gone
    (`remaining`), and why the absence of others proves nothing (`unproved`).
    """

    unreachable: bool = False
    failed: bool = False
    msg: str | None = None
    remaining: Mapping[str, str] | None = None
    unproved: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class DoneElsewhere(Record):
    """A remedy that this run applied to the same server under another name, `host`."""

    module: str
    instance: str
    remedy: str
    host: str | None = None


@dataclass(frozen=True, kw_only=True)
class Interrupted(Record):
    """A repair that was cut off, and what of it is still stopped."""

    unfinished: tuple[object, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Opened(Record):
    """The answer of the guards when the host was locked for the run.

    `sibling`: another name of the host has it. `waited`: seconds. `meanwhile`: other runs since the
    diagnosis.
    """

    done_elsewhere: tuple[DoneElsewhere, ...] = ()
    interrupted: tuple[Interrupted, ...] = ()
    sibling: bool = False
    waited: float = 0.0
    meanwhile: tuple[object, ...] = ()

    @property
    def unusual(self) -> bool:
        """Whether the steps must be chosen again, with what the guards have seen."""
        return bool(
            self.sibling or self.waited > 0 or self.meanwhile or self.done_elsewhere
            or any(each.unfinished for each in self.interrupted)
        )


@dataclass(frozen=True, kw_only=True)
class Asked(Record):
    """What campaign_plan asked the operator: the orders of the confirmed steps by host, and why no
    other one is.
    """

    confirmed: Mapping[str, Sequence[int]] = field(default_factory=dict)
    unconfirmed: str = ""

    def agreed(self, host: str, order: int) -> bool:
        """Whether the operator confirmed this step."""
        orders = self.confirmed.get(host)
        return isinstance(orders, (list, tuple)) and order in orders
