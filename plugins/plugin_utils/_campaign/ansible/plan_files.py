# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The plan that a run is given, as a file or as data, and the file that one is written to."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail

from ..planning import saved
from ..planning.records import Plan
from .variables import plain

DATA = "campaign_plan_data"


def given(options: Mapping[str, Any], variables: Mapping[str, Any]) -> Plan | None:
    """The plan to apply; None if one is to be made. Raises InvalidPlan.

    The data is the variable as it is: a plan has texts of hosts in it, which are nothing to look
    for templates in.
    """
    data = plain(variables.get(DATA))
    if data in (None, ""):
        return saved.parse(_read(Path(options["read_file"]))) if options["read_file"] else None
    if options["read_file"]:
        raise saved.InvalidPlan(
            f"{DATA} and campaign_plan_file (read_file) are both set: which plan is meant?"
        )
    try:
        return saved.parse(_loaded(data) if isinstance(data, str) else data)
    except saved.InvalidPlan as error:
        raise saved.InvalidPlan(f"{DATA}: {error}") from None


def _loaded(text: str) -> Any:
    """JSON, as a survey or a command line gives it."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        start = " ".join(text[:160].split())
        raise saved.InvalidPlan(f"this is not a plan as JSON: {start}") from None


def _read(path: Path) -> Any:
    """What a plan's file holds."""
    try:
        return json.loads(path.expanduser().read_text(encoding="utf-8"))
    except OSError as error:
        raise saved.InvalidPlan(f"cannot read the plan {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise saved.InvalidPlan(f"the plan {path} is not valid JSON: {error}") from None


def written(name: str, plan: Mapping[str, Any]) -> str:
    """Write the plan to a file, for its owner alone; the absolute path, empty without a name."""
    if not name:
        return ""
    path = Path(name).absolute()
    try:
        _write(path, plan)
    except OSError as error:
        reason = error.strerror or str(error)
        raise AnsibleActionFail(f"the plan cannot be written to {path}: {reason}") from None
    return str(path)


def _write(path: Path, plan: Mapping[str, Any]) -> None:
    """Whole or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(plan, file, indent=2)
            file.write("\n")
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
