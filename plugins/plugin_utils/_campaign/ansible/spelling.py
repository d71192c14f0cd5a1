# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Misspelt variables of the collection: their values have no effect.

A warning and not an error, because a site may have its own variables that begin with campaign_.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from functools import cache
from typing import Any

from .site_variables import VARIABLES
from .variables import PREFIX

_SORTED = sorted(VARIABLES)
# One letter of thirteen, `campaign_hmoe`, but not two, `campaign_port`.
_NEAR = 0.92


def warn(result: dict[str, Any], variables: Iterable[str]) -> None:
    """Add probable misspellings to the result of an action. The text names no host, so that Ansible
    shows the same text of several hosts once.
    """
    odd = sorted(name for name in variables if name.startswith(PREFIX) and name not in VARIABLES)
    found = [f"{name} has no effect. Did you mean {near}?"
             for name in odd if (near := _nearest(name))]  # fmt: skip
    if found:
        result["warnings"] = [*result.get("warnings", ()), *found]


@cache
def _nearest(name: str) -> str:
    """The variable that is nearly written like this; empty if there is none."""
    return next(iter(difflib.get_close_matches(name, _SORTED, 1, _NEAR)), "")
