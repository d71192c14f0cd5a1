"""What processes that come and go use of the standard library.

``signal``, ``socket``, ``threading`` and ``json`` load enum, re, collections and datetime:
more processor time than all the rest of a start, and a lab starts such a process every few seconds.
What they wrap, in C, is all that the lab needs of them: numbers of signals, plain sockets (without
``with``, ``accept`` and ``create_connection``).
"""

from __future__ import annotations

import _json

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    import socket
    from threading import get_native_id
    from typing import Any
else:
    import _signal as signal
    import _socket as socket
    from _thread import get_native_id


class Flag:
    """What is used of ``threading.Event``."""

    __slots__ = ("_set",)

    def __init__(self) -> None:
        self._set = False

    def set(self) -> None:
        self._set = True

    def is_set(self) -> bool:
        return self._set


def json_text(value: Any) -> str:
    """Plain data as JSON."""
    if isinstance(value, str):
        return str(_json.encode_basestring_ascii(value))
    if isinstance(value, dict):
        return "{%s}" % ", ".join(
            "%s: %s" % (json_text(key), json_text(each)) for key, each in value.items())
    if isinstance(value, (list, tuple)):
        return "[%s]" % ", ".join(map(json_text, value))
    return {None: "null", True: "true", False: "false"}[value] if (
        value is None or isinstance(value, bool)) else repr(value)


__all__ = ["Flag", "get_native_id", "json_text", "signal", "socket"]
