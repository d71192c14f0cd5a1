# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The programs that are sent to a host in place of what Ansible puts together for a module.

Two thirds of what an Ansible module takes on a host is Ansible's own library, which is compiled
there at each call. A snapshot needs none of it, nor do campaign_guard and campaign_module
(docs/developer/fast-path.md).
"""

from __future__ import annotations

import base64
import dataclasses
import json
import marshal
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.payload import (
    bootstrap,
)

BEGINNING = Path(bootstrap.__file__)
PACKAGE = BEGINNING.parents[1]
Rooms = Mapping[str, tuple[str, ...]]
# All that a snapshot needs, by room. It repairs nothing, and does not ask the API (see `enough`).
NEEDED: Rooms = {
    "": ("addresses", "command", "console", "errors", "installation", "names", "precision", "text"),
    "account": (
        "answers", "child", "configuration", "environment", "files", "jobs", "line_shapes",
        "logs", "parsers", "probes", "redirection", "secrets", "settings", "storage",
    ),
    "host": ("front", "ipc", "memory", "network", "proc", "services"),
    "payload": ("isolated",),
    "record": ("ledger", "lock", "pause", "state_dir", "store"),
    "snapshot": ("collect", "probes", "settled", "shapes"),
}  # fmt: skip
# And what campaign_guard and campaign_module need besides.
CHANGING: Rooms = {
    "": ("finish", "options"),
    "account": ("programs",),
    "record": ("evidence", "journal"),
    "repair": (
        "answer", "control", "guard", "guard_call", "in_flight", "interrupted", "lock",
        "module_change", "sent", "steps",
    ),
}  # fmt: skip


def files(rooms: Rooms) -> dict[str, bytes]:
    """Their text, by their names below the package."""
    return {
        f"{room}.{name}".lstrip("."): (PACKAGE / room / f"{name}.py").read_bytes()
        for room, names in rooms.items() for name in names
    }  # fmt: skip


def _packed(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data)).decode("ascii")


def _compiled(name: str, source: bytes) -> bytes:
    """As a host with the controller's Python would compile it."""
    path = f"{bootstrap.PACKAGE}.{name}".replace(".", "/") + ".py"
    return marshal.dumps(compile(source, path, "exec", dont_inherit=True, optimize=2))


@dataclasses.dataclass(frozen=True)
class Packed:
    """Files as a program brings them: deflated, as text and compiled."""

    sources: dict[str, str]
    compiled: dict[str, str]

    @classmethod
    def of(cls, rooms: Rooms) -> Packed:
        """Those of some rooms."""
        texts = files(rooms)
        return cls(
            {name: _packed(text) for name, text in texts.items()},
            {name: _packed(_compiled(name, text)) for name, text in texts.items()},
        )

    def __or__(self, more: Packed) -> Packed:
        return Packed(self.sources | more.sources, self.compiled | more.compiled)

    def program(self, entry: str) -> bytes:
        """A program that calls the file `entry`, but for the options: the same for every host."""
        return (
            f"{BEGINNING.read_text(encoding='utf-8')}\n\n"
            f"COMPILED = {(bootstrap.this_python(), self.compiled)!r}\n"
            f"main({self.sources!r}, {entry!r}, json.loads("
        ).encode()


SNAPSHOT = Packed.of(NEEDED)
TEXT = SNAPSHOT.program("payload.isolated")


def with_options(text: bytes, options: Mapping[str, Any]) -> bytes:
    """A whole program. The options are such as JSON can hold."""
    return text + f"{json.dumps(options)!r}))\n".encode()


def enough(options: Mapping[str, Any]) -> bool:
    """Whether the program can carry out these options. Queries of the server's API need Ansible's
    own library, which handles certificates and proxies.
    """
    return not options["api"] or options["api_from"] == "controller"


def program(options: Mapping[str, Any]) -> bytes:
    """The one that takes a snapshot. The options are those of campaign_info, all of them."""
    return with_options(TEXT, options)


def replaced(built: Any, text: bytes) -> Any:
    """What Ansible has built to send a module, with this program in it.

    How it becomes the other account, finds the interpreter and copies or pipes the text is left as
    it is. What a later ansible-core may build in another form is left alone altogether: it does
    the same, only slower.
    """
    match built:
        case (style, shebang, _data, path):  # until ansible-core 2.18
            return style, shebang, text, path
        case (module, path) if hasattr(module, "b_module_data"):
            return dataclasses.replace(module, b_module_data=text), path
    return built
