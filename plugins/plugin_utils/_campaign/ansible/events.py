# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The hosts that an event names: a report of ours as a CloudEvent, or alerts of Alertmanager.

Whoever sends it may have been deceived. A name is nothing but a name: it is compared with those of
the inventory, and never read as a pattern or a template.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ..report.shared import event, words

HOST_LABEL = "host"  # of an alert on what campaign-doctor writes for Prometheus
SHOWN = 3  # names that a refusal shows, each cut to so many letters
LETTERS = 60


class InvalidEvent(ValueError):
    """An event that nothing is done for; the text says why."""


def hosts_of(payload: object, inventory: Collection[str]) -> list[str]:
    """The hosts of the inventory with something that can be repaired. Raises InvalidEvent."""
    named = list(dict.fromkeys(_named(payload)))
    if not named:
        raise InvalidEvent("the event names no host with a cause that can be repaired")
    unknown = [name for name in named if name not in inventory]
    if unknown:
        shown = ", ".join(repr(words.clean(name)[:LETTERS]) for name in unknown[:SHOWN])
        more = f" and {len(unknown) - SHOWN} more" if len(unknown) > SHOWN else ""
        raise InvalidEvent(f"the event names hosts that are not in the inventory: {shown}{more}")
    return sorted(named)


def _named(payload: object) -> Iterator[str]:
    if not isinstance(payload, Mapping):
        raise InvalidEvent("the event has no payload")
    if payload.get("type") == event.TYPE:
        for cause in _entries(_mapping(payload.get("data")).get("causes")):
            if cause.get("automatic") is True:
                yield from map(_text, _list(cause.get("hosts")))
    elif "alerts" in payload:
        for alert in _entries(payload["alerts"]):
            if alert.get("status") == "firing":
                yield _text(_mapping(alert.get("labels")).get(HOST_LABEL))
    else:
        raise InvalidEvent(
            f"the event is neither of the type {event.TYPE} nor of Alertmanager (alerts)"
        )


def _text(value: Any) -> str:
    """A name as text; anything else becomes one that no host has."""
    return value if isinstance(value, str) else repr(value)


def _entries(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in _list(value) if isinstance(each, Mapping)]


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else []


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
