# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Variables that are nearly one of the collection's: a value that is set, and has no effect.

It is a warning and no error, as a site may have variables of its own that begin with campaign_.
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
    """Add to the result of an action what is probably misspelt. The text names no host: what several
    hosts say alike, Ansible shows once.
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
