# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a probe, and a caller, can do wrong."""

from .text import clean

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Dict, Optional


class ProbeError(Exception):
    """A probe that failed: data in the snapshot, never a failed task."""

    def __init__(self, kind: str, message: str, data: "Any" = None) -> None:
        super().__init__(message)
        self.kind = kind  # timeout | denied | missing | invalid | failed | skipped
        self.message = message
        self.data = data  # partial data

    def as_data(self) -> "Dict[str, str]":
        return {"kind": self.kind, "message": clean(self.message, 300)}


class InputError(Exception):
    """Bad input of the caller: one clear line, and the task fails."""


def from_os_error(error: OSError, path: "Optional[str]" = None) -> ProbeError:
    """The ProbeError that says the same as an OSError."""
    kind = "failed"
    if isinstance(error, PermissionError):
        kind = "denied"
    elif isinstance(error, (FileNotFoundError, NotADirectoryError)):
        kind = "missing"
    text = error.strerror or str(error)
    where = path or error.filename
    return ProbeError(kind, "%s: %s" % (where, text) if where else text)
