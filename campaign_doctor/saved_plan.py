# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A plan that was saved in a file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from .errors import DoctorError

T = TypeVar("T")


def read(path: Path, use: Callable[[Any], T]) -> T:
    """What `use` makes of the plan. Raises DoctorError where it cannot be read or is none."""
    try:
        return use(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise DoctorError(f"{path} cannot be read: {error.strerror or error}.") from None
    except (ValueError, KeyError, TypeError, RecursionError):  # also what is no valid model
        raise DoctorError(
            f"{path} is not a plan. Make one with: campaign-doctor plan --save {path}"
        ) from None
