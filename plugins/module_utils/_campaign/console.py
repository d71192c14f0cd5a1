# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What nlserver answers to a command, where its words decide: read here and nowhere else."""

import re

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Optional

_UNKNOWN = re.compile(r"no task corresponds to the mask\s{1,9}['\"]?([\w.*@-]{1,200})", re.I)


def unknown_task(said: "Optional[str]") -> "Optional[str]":
    """The module that the server does not know, as `pipelined@prod`; None if it says nothing of it.

    It says so in place of a start, with exit code 0: no configured task fits the name.
    """
    found = _UNKNOWN.search(said or "")
    return found.group(1).rstrip(".") if found else None
