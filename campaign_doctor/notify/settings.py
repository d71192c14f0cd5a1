# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""[notify] of campaign-doctor.toml."""

from __future__ import annotations

import re
from datetime import time
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict

SPAN = re.compile(r"([01]?\d|2[0-3]):([0-5]\d) *- *([01]?\d|2[0-3]):([0-5]\d)")


class Quiet(NamedTuple):
    """A span of each day, in local time; it may go past midnight."""

    begin: time
    end: time

    def holds(self, now: time) -> bool:
        """Whether a time is in it."""
        if self.begin < self.end:
            return self.begin <= now < self.end
        return now >= self.begin or now < self.end


def span(value: object) -> object:
    """Quiet hours such as 22:00-07:00."""
    found = SPAN.fullmatch(value.strip()) if isinstance(value, str) else None
    numbers = [int(number) for number in found.groups()] if found else []
    if not numbers or numbers[:2] == numbers[2:]:
        raise ValueError(f"{value!r} is not a span of the day; write 22:00-07:00")
    return Quiet(time(numbers[0], numbers[1]), time(numbers[2], numbers[3]))


def one_or_more(value: object) -> object:
    """A single word where a list is expected."""
    return [value] if isinstance(value, str) else value


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Webhook(_Part):
    """Where to post events. `token`: sent as Bearer; `@FILE` is its content."""

    url: str
    token: str = ""


class Notify(_Part):
    """The keys of the table. `urls`: as apprise has them; `@FILE` is one URL a line."""

    urls: Annotated[list[str], BeforeValidator(one_or_more)] = []
    webhook: list[Webhook] = []
    severity: Literal["critical", "warning", "info"] = "warning"
    fixed: bool = True
    quiet_hours: Annotated[Quiet, BeforeValidator(span)] | None = None
    link: str | None = None
