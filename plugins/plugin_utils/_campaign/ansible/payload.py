# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The program that takes a snapshot on a host, sent in place of the one that Ansible puts together.

Two thirds of what an Ansible module takes on a host is Ansible's own library, which is compiled
there at each call. Taking a snapshot needs none of it (docs/developer/benchmark.md).
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
# All that a snapshot needs, by room. It repairs nothing, and does not ask the API (see `enough`).
NEEDED = {
    "": ("addresses", "command", "console", "errors", "installation", "names", "precision", "text"),
    "account": (
        "answers", "child", "configuration", "environment", "files", "jobs", "line_shapes",
        "logs", "parsers", "probes", "redirection", "secrets", "settings", "storage",
    ),
    "host": ("front", "ipc", "memory", "network", "proc", "services"),
    "payload": ("isolated",),
    "record": ("ledger", "lock", "state_dir", "store"),
    "snapshot": ("collect", "probes", "settled", "shapes"),
}  # fmt: skip
FILES = {
    f"{room}.{name}".lstrip("."): (PACKAGE / room / f"{name}.py").read_bytes()
    for room, names in NEEDED.items() for name in names
}  # fmt: skip


def _packed(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data)).decode("ascii")


def _compiled(name: str, source: bytes) -> bytes:
    """As a host with the controller's Python would compile it."""
    path = f"{bootstrap.PACKAGE}.{name}".replace(".", "/") + ".py"
    return marshal.dumps(compile(source, path, "exec", dont_inherit=True, optimize=2))


PACKED = {name: _packed(source) for name, source in FILES.items()}
COMPILED = (
    bootstrap.this_python(),
    {name: _packed(_compiled(name, source)) for name, source in FILES.items()},
)
# All but the options is the same for every host.
TEXT = (
    f"{BEGINNING.read_text(encoding='utf-8')}\n\nCOMPILED = {COMPILED!r}\n"
    f"main({PACKED!r}, json.loads("
).encode()


def enough(options: Mapping[str, Any]) -> bool:
    """Whether the program can carry out these options. Queries of the server's API need Ansible's
    own library, which handles certificates and proxies.
    """
    return not options["api"] or options["api_from"] == "controller"


def program(options: Mapping[str, Any]) -> bytes:
    """Its text. The options are those of campaign_info, all of them, as JSON can hold them."""
    return TEXT + f"{json.dumps(options)!r}))\n".encode()


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
