# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Checks typed names against the known ones before any host is contacted."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from . import modules
from .errors import DoctorError
from .explain import catalogue
from .runner import extra_variables
from .shared import webhook

ALIKE = 0.6
NAMED = 3  # of many, in a refusal
# A site may have its own variables with this prefix: only a near miss of one of ours is refused, one
# letter of thirteen but not two.
PREFIX = "campaign_"
ALIKE_VARIABLE = 0.92


def refusal(kind: str, name: str, known: Sequence[str]) -> str | None:
    """Why a name is none of those that there are, and which is the nearest; None if it is one."""
    if name in known:
        return None
    same = [each for each in known if each.casefold() == name.casefold()]
    near = same or _alike(name, known, ALIKE)
    hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(known)}."
    return f"'{name}' is not a {kind}. {hint}"


def refusal_of_many(kind: str, name: str, known: Sequence[str]) -> str | None:
    """The same in one line, however many there are."""
    why = refusal(kind, name, known)
    if why and "There are:" in why and len(known) > NAMED:
        why = f"'{name}' is not a {kind}. There are {len(known)}, such as {', '.join(known[:NAMED])}."
    return why


def _alike(name: str, known: Sequence[str], cutoff: float) -> list[str]:
    """Those that are written alike, the nearest first: two letters exchanged is the usual slip."""
    found = difflib.get_close_matches(name, known, 3, cutoff)
    return sorted(found, key=lambda each: sorted(each) != sorted(name))


def modules_known(names: Iterable[str]) -> None:
    """Raises DoctorError for the first that is not a Campaign module."""
    for name in names:
        _refuse(refusal("Campaign module", name, modules.names()))


def finding_keys() -> list[str]:
    """Those of all findings."""
    return [problem.key for problem in catalogue().problems]


def findings_known(keys: Iterable[str]) -> None:
    """Raises DoctorError for the first that is not a finding's key."""
    for key in keys:
        _refuse(refusal("finding", key, finding_keys()))


def variables(configured: Mapping[str, Any], extra: Iterable[str]) -> None:
    """Raises DoctorError for a variable that is misspelt, or names no module or no threshold."""
    for given in (configured, *map(_given, extra)):
        for name, value in given.items():
            if name.startswith(PREFIX) and name not in catalogue().variables:
                near = _alike(name, catalogue().variables, ALIKE_VARIABLE)
                _refuse(f"There is no variable {name}. Did you mean {near[0]}?" if near else None)
            if name == "campaign_thresholds" and isinstance(value, Mapping):
                for threshold in value:
                    _refuse(refusal("threshold", str(threshold), catalogue().thresholds))
            if name == "campaign_notify_url":
                _refuse(_no_url(value))
            if name == "campaign_modules" and isinstance(value, list):
                modules_known(map(str, value))


def _no_url(value: object) -> str | None:
    """Why events cannot be posted there; one that is in a vault is not known here."""
    try:
        if isinstance(value, str) and "{{" not in value:
            webhook.endpoint(value)
    except webhook.InvalidUrl as error:
        return f"campaign_notify_url cannot be used: {error}."
    return None


def _given(text: str) -> Mapping[str, Any]:
    """What -e says; of a file what can be read without a vault's password."""
    if not text.startswith("@"):
        return extra_variables(text)
    with suppress(OSError, ValueError, yaml.YAMLError):  # Ansible reports what is wrong with it
        loaded = yaml.safe_load(Path(text[1:]).expanduser().read_text(encoding="utf-8"))
        if isinstance(loaded, Mapping):
            return {str(name): value for name, value in loaded.items()}
    return {}


def _refuse(why: str | None) -> None:
    if why:
        raise DoctorError(f"{why} No host was asked.")
