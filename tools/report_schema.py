#!/usr/bin/env python3
# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Writes docs/report.schema.json from the report's records."""

from __future__ import annotations

import json
import re
import sys
import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Annotated, Any, Literal

from common import CHECKOUT
from common.writer import Writer

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.records import (
    Schema,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report.model import (
    Report,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.snapshot.reader import (
    REST,
)

FILE = CHECKOUT / "docs" / "report.schema.json"
SCALARS = {str: "string", bool: "boolean", int: "integer", float: "number", types.NoneType: "null"}

Json = dict[str, Any]


def schema() -> Json:
    """The whole schema."""
    parts: dict[str, Json] = {}
    report = _object(Report, parts)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Report of campaign.remediation",
        **report,
        "$defs": parts,
    }


def _object(kind: type, parts: dict[str, Json]) -> Json:
    """A record; those that it is made of are entered into the parts."""
    hints = typing.get_type_hints(kind, include_extras=True)
    known = [entry for entry in fields(kind) if entry.name != REST]
    keys = {entry.name: entry.metadata.get("key", entry.name) for entry in known}
    return {
        "description": kind.__doc__,
        "type": "object",
        "required": [keys[entry.name] for entry in known if not entry.metadata.get("later")],
        "properties": {key: _value(hints[name], parts) for name, key in keys.items()},
    }


def _value(hint: Any, parts: dict[str, Json]) -> Json:
    """A value of an annotated type."""
    origin, options = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        bounds = next(extra for extra in options[1:] if isinstance(extra, Schema))._asdict()
        return {**_value(options[0], parts),
                **{name: bound for name, bound in bounds.items() if bound is not None}}
    if origin in (typing.Union, types.UnionType):
        return _either([_value(option, parts) for option in options])
    if origin is Literal:
        return {"const": options[0]} if len(options) == 1 else {"enum": list(options)}
    if origin is tuple:
        items = {} if options[0] is object else {"items": _value(options[0], parts)}
        return {"type": "array", **items}
    if origin is not None and issubclass(origin, Mapping):
        return {"type": "object"}
    if hint in SCALARS:
        return {"type": SCALARS[hint]}
    if issubclass(hint, Enum):
        return {"enum": [member.value for member in hint]}
    assert isinstance(hint, type) and is_dataclass(hint), hint
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", hint.__name__).lower()
    if name not in parts:
        parts[name] = {}  # its place is before that of its own parts
        parts[name] = _object(hint, parts)
    return {"$ref": f"#/$defs/{name}"}


def _either(parts: list[Json]) -> Json:
    """One of several values, as short as it can be said."""
    first, *others = parts
    if all("type" in part for part in parts):
        return {**{key: bound for part in parts for key, bound in part.items()},
                "type": [part["type"] for part in parts]}
    if "enum" in first and others == [{"type": "null"}]:
        return {"enum": [*first["enum"], None]}
    return {"anyOf": parts}


WRITER = Writer(__doc__, lambda: {FILE: json.dumps(schema(), indent=2) + "\n"})

if __name__ == "__main__":
    sys.exit(WRITER.main())
