# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Reading the answer of a host, or a file, as typed records.

A missing, null or wrongly typed value becomes the field's default; an item without a
required field is left out. So a rule never meets a surprise: what it may
find absent has `None` in its type. A word that is none of a `Literal` is kept: a later version
may have written it.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from enum import Enum
from functools import cache
from typing import Any, Literal, NamedTuple

ABSENT = object()

REST = "more"  # the field of what a kind of record does not know, if it keeps that

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


def _anything(value: Any) -> Any:
    return value


_SCALARS: dict[Any, Callable[[Any], Any]] = {
    str: _text, bool: _flag, float: number, int: integer, object: _anything,
}


class Entry(NamedTuple):
    """A field of a record: its name, its key in JSON, its reader, and whether it is required."""

    name: str
    key: str
    read: Callable[[Any], Any]
    required: bool


def reader_of(hint: Any) -> Callable[[Any], Any]:
    """The function that reads a value of an annotated type."""
    options = typing.get_args(hint)
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return _either([reader_of(option) for option in options if option is not type(None)])
    if typing.get_origin(hint) is Literal:
        return _SCALARS[type(options[0])]
    if isinstance(hint, type) and issubclass(hint, Enum):
        known = {member.value: member for member in hint}
        return lambda value: known.get(value, ABSENT) if isinstance(value, str) else ABSENT
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


def _either(readers: list[Callable[[Any], Any]]) -> Callable[[Any], Any]:
    """What the first of some readers can read."""
    if len(readers) == 1:
        return readers[0]
    return lambda value: next(
        (found for found in (read(value) for read in readers) if found is not ABSENT), ABSENT
    )


def _fields_of(kind: type) -> tuple[Entry, ...]:
    """The fields of a kind of record; a key that is not a Python name is in the metadata."""
    hints = typing.get_type_hints(kind)
    return tuple(
        Entry(
            entry.name,
            entry.metadata.get("key", entry.name),
            reader_of(hints[entry.name]),
            entry.default is MISSING and entry.default_factory is MISSING,
        )
        for entry in fields(kind) if entry.name != REST
    )


fields_of: Callable[[type], tuple[Entry, ...]] = cache(_fields_of)


@cache
def _known(kind: type) -> frozenset[str] | None:
    """The keys of a kind that keeps unknown ones; None for another."""
    rest = any(entry.name == REST for entry in fields(kind))
    return frozenset(entry.key for entry in fields_of(kind)) if rest else None


def read(kind: type, value: Any) -> Any:
    """A record of this kind from a mapping; ABSENT if that lacks what the kind cannot do without."""
    if not isinstance(value, Mapping):
        return ABSENT
    known: dict[str, Any] = {}
    for name, key, reader, required in fields_of(kind):
        item = value.get(key)
        item = ABSENT if item is None else reader(item)
        if item is not ABSENT:
            known[name] = item
        elif required:
            return ABSENT
    keys = _known(kind)
    if keys is not None and not keys.issuperset(value):
        known[REST] = {key: item for key, item in value.items() if key not in keys}
    return kind(**known)
