# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reading the answers of a child that runs as the Campaign account: untrusted data."""

import json

from ..errors import InputError, ProbeError
from ..text import printable

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Optional, Tuple, Union

BYTES = 8 * 1024 * 1024  # of one answer; all answers of a child have twice that
HEAD = 8  # bytes before an answer, with its length in hexadecimal digits
DEPTH = 12
ITEMS = 200000
DIGITS = 20
KINDS = ("timeout", "denied", "missing", "invalid", "failed", "skipped")


class WrongAnswer(Exception):
    """What no child of ours says."""


class Maybe:
    """The shape of what may be None."""

    def __init__(self, shape: "Any") -> None:
        self.shape = shape


def opened(text: bytes) -> "Tuple[str, Any, Optional[Union[InputError, ProbeError]], float]":
    """(name, data, error, seconds) of a message, cleaned."""
    try:
        message = json.loads(
            text.decode("ascii"), parse_int=_integer, parse_constant=_no_number
        )
        name, error, seconds, data = (
            cleaned(message[key]) for key in ("name", "error", "seconds", "data")
        )
    except WrongAnswer:
        raise
    except (ValueError, LookupError, TypeError, RecursionError):
        raise WrongAnswer("it sent an answer that cannot be parsed") from None
    name = fitted(name, str)
    if error is not None:
        error = fitted(error, [str])
        if len(error) != 2:
            raise WrongAnswer("it sent an answer that cannot be parsed")
        kind, message = error
        error = InputError(message) if kind == "input" else ProbeError(
            kind if kind in KINDS else "failed", message, data
        )  # fmt: skip
    return name, data, error, float(fitted(seconds, float))


def size_of(head: bytes) -> int:
    """The length of the message that such a head announces."""
    if head.strip(b"0123456789abcdef"):
        raise WrongAnswer("it sent an answer that cannot be parsed")
    return int(head, 16)


def _integer(text: str) -> int:
    if len(text) > DIGITS:
        raise ValueError("the number has too many digits")
    return int(text)


def _no_number(text: str) -> None:
    raise ValueError(text)


def cleaned(value: "Any") -> "Any":
    """The same with readable texts only, and not too much nor too deep."""
    remaining = [ITEMS]

    def clean(value: "Any", depth: int) -> "Any":
        kind = type(value)
        if kind is str:
            return printable(value)
        if kind in (dict, list):
            remaining[0] -= len(value)
            if depth > DEPTH or remaining[0] < 0:
                raise WrongAnswer("its answer is too large or too deeply nested")
            if kind is list:
                return [clean(one, depth + 1) for one in value]
            return dict((printable(key), clean(value[key], depth + 1)) for key in value)
        if kind is float and not abs(value) < float("inf"):
            raise WrongAnswer("its answer contains a number that is not finite")
        return value

    return clean(value, 1)


def fitted(value: "Any", shape: "Any", where: str = "its answer") -> "Any":
    """The value if it has this shape: a type (object: any), a list of one shape, a mapping of named
    shapes, a mapping of any name to one shape ({str: shape}), or Maybe of one.
    """
    kind = value.__class__  # exactly: a bool is not a number here
    if isinstance(shape, Maybe):
        return None if value is None else fitted(value, shape.shape, where)
    if isinstance(shape, list):
        if kind is list:
            for one in value:
                fitted(one, shape[0], where)
            return value
    elif isinstance(shape, dict):
        if kind is dict and str in shape:
            for one in value.values():
                fitted(one, shape[str], where)
            return value
        if kind is dict and value.keys() == shape.keys():
            for name in shape:
                fitted(value[name], shape[name], name)
            return value
    elif (shape is float and kind is int) or shape is object or kind is shape:
        return value
    raise WrongAnswer("%s does not have the expected form" % where)
