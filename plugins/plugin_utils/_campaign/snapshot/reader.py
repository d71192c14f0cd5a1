# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Reading what a host answered, as typed records.

Whatever is missing, null or of another type becomes the field's default; an item without a
field that it cannot do without is left out. So a rule never meets a surprise: what it may
find absent has `None` in its type.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from functools import cache
from typing import Any

ABSENT = object()

LARGEST = 2.0**62  # no number of a host is larger: to compute with it must not overflow


def _text(value: Any) -> Any:
    return value if isinstance(value, str) else ABSENT


def _flag(value: Any) -> Any:
    return value if isinstance(value, bool) else ABSENT


def number(value: Any) -> Any:
    """A number that can be computed with; ABSENT if the value is none."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value) if -LARGEST <= value <= LARGEST else ABSENT
    return ABSENT


def integer(value: Any) -> Any:
    """A whole number; ABSENT if the value is none."""
    read_as = number(value)
    return ABSENT if read_as is ABSENT else int(read_as)


def _mapping(value: Any) -> Any:
    return value if isinstance(value, Mapping) else ABSENT


_SCALARS: dict[Any, Callable[[Any], Any]] = {
    str: _text, bool: _flag, float: number, int: integer,
}


def reader_of(hint: Any) -> Callable[[Any], Any]:
    """The function that reads a value of an annotated type."""
    options = typing.get_args(hint)
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return reader_of(next(option for option in options if option is not type(None)))
    if typing.get_origin(hint) is tuple:
        item = reader_of(options[0])

        def read_list(value: Any) -> Any:
            if not isinstance(value, (list, tuple)):
                return ABSENT
            return tuple(x for x in map(item, value) if x is not ABSENT)

        return read_list
    if hint in _SCALARS:
        return _SCALARS[hint]
    if isinstance(hint, type) and hasattr(hint, "__dataclass_fields__"):
        fields_of(hint)
        return lambda value: read(hint, value)
    return _mapping


@cache
def fields_of(kind: type) -> tuple[tuple[str, Callable[[Any], Any], bool], ...]:
    """Of a kind of record: the name of each field, its reader, and whether it must be there."""
    hints = typing.get_type_hints(kind)
    return tuple(
        (
            entry.name,
            reader_of(hints[entry.name]),
            entry.default is MISSING and entry.default_factory is MISSING,
        )
        for entry in fields(kind)
    )


def read(kind: type, value: Any) -> Any:
    """A record of this kind from a mapping; ABSENT if that lacks what the kind cannot do without."""
    if not isinstance(value, Mapping):
        return ABSENT
    read: dict[str, Any] = {}
    for name, reader, required in fields_of(kind):
        item = value.get(name)
        item = ABSENT if item is None else reader(item)
        if item is not ABSENT:
            read[name] = item
        elif required:
            return ABSENT
    return kind(**read)


# --- what the probes bring --------------------------------------------------------------------
