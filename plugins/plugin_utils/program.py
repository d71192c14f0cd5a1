# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The program that takes a snapshot on a host, sent in place of the one that Ansible puts together.

Two thirds of what an Ansible module takes on a host is Ansible's own library, which is compiled
there at each call. Taking a snapshot needs none of it (docs/benchmark.md).
"""

from __future__ import annotations

import base64
import dataclasses
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.campaign.remediation.plugins.module_utils import standalone

BEGINNING = Path(standalone.__file__)
PACKED = {
    file.stem: base64.b64encode(zlib.compress(file.read_bytes())).decode("ascii")
    for file in sorted(BEGINNING.parent.glob("*.py"))
    if file.stem not in ("__init__", BEGINNING.stem)
}
# All but the options is the same for every host.
TEXT = f"{BEGINNING.read_text(encoding='utf-8')}\n\nmain({PACKED!r}, json.loads(".encode()


def enough(options: Mapping[str, Any]) -> bool:
    """Whether the program can do what is asked. The server's API is asked by means of Ansible's own
    library, which knows certificates and proxies.
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
