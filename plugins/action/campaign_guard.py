# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""campaign_guard, with options from the host's variables; brings evidence to the controller."""

from __future__ import annotations

import base64
import json
import os
import re
import zlib
from pathlib import Path
from typing import Any

from ansible_collections.campaign.remediation.plugins.plugin_utils.changing import (
    ChangingAction,
)

LIMIT_BYTES = 32 * 1024 * 1024  # of one directory: it has at most 5 MB, before JSON
NAME = re.compile(r"[\w@+-][\w.@+-]*")  # of a directory or a file: no path, not hidden


class ActionModule(ChangingAction):
    """The module, with the site's values."""

    NAME = "campaign_guard"

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Run it, and unpack what it sent along."""
        directory = str(self._task.args.get("fetch_to") or "")
        result = super().run(tmp, task_vars)
        packed = result.pop("packed", None)
        if not isinstance(packed, dict):
            return result
        try:
            result["fetched"] = [
                str(unpack(Path(directory).absolute(), name, text))
                for name, text in packed.items()
            ] if directory else []
        except (OSError, ValueError, zlib.error) as error:
            result.setdefault("warnings", []).append(
                f"The evidence could not be brought to {directory}: {error}"
            )
        return result


def unpack(directory: Path, name: str, text: str) -> Path:
    """Write one evidence directory; what a host sends decides no path."""
    reader = zlib.decompressobj()
    data = reader.decompress(base64.b64decode(text), LIMIT_BYTES)
    files = json.loads(data)
    target = directory / name
    if not NAME.fullmatch(name) or not all(NAME.fullmatch(file) for file in files):
        raise ValueError(f"{name} has a name that is none of evidence")
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    for file, content in files.items():
        descriptor = os.open(target / file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(str(content))
    return target
