# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The local time beside the UTC of the report, for whoever reads a terminal at night."""

from __future__ import annotations

import re
from datetime import datetime

from .shared import outline

MOMENT = re.compile(r"\b(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC\b")


def beside(text: str) -> str:
    """The text with the local time behind each time in UTC; as it is where that is the same."""
    return MOMENT.sub(_both, text)


def _both(found: re.Match[str]) -> str:
    try:
        here = datetime.fromisoformat(f"{found[1]}T{found[2]}+00:00").astimezone()
    except (ValueError, OverflowError, OSError):
        return found[0]
    if not here.utcoffset():
        return found[0]
    day = "" if here.strftime("%Y-%m-%d") == found[1] else f"{here:%Y-%m-%d} "
    return f"{found[0]} ({day}{here:%H:%M:%S %Z})"


def section(told: outline.Section) -> outline.Section:
    """The section with the local time in its sentences; commands stay as they are."""
    return told._replace(title=beside(told.title), entries=[_entry(each) for each in told.entries])


def _entry(entry: outline.Entry) -> outline.Entry:
    return entry._replace(
        head=beside(entry.head), body=tuple(map(_detail, entry.body)),
        foot=tuple(map(_detail, entry.foot)),
        effects=tuple(each._replace(text=beside(each.text)) for each in entry.effects),
        before=tuple((name, beside(value)) for name, value in entry.before),
        after=tuple((name, beside(value)) for name, value in entry.after),
    )


def _detail(detail: outline.Detail) -> outline.Detail:
    return detail if detail.whole else detail._replace(text=beside(detail.text))
