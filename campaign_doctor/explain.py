# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a finding's key or an error code of Campaign means, with the page that documents it.

catalogue.json is derived from the collection's catalogue by tools/catalogue_docs.py.
"""

from __future__ import annotations

import difflib
from functools import cache
from importlib import resources
from typing import Literal

from pydantic import BaseModel, ConfigDict

from .model import Severity


class Unknown(LookupError):
    """Neither a key nor a code; `near` are those that are written alike."""

    def __init__(self, name: str, near: list[str]) -> None:
        self.name = name
        self.near = near
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        super().__init__(f"'{name}' is no finding and no error code that is known here.{hint}")


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True)


class Remedy(_Entry):
    """A documented remedy; `cancels`: running work that it may cut off."""

    name: str
    title: str
    cancels: str | None


class Fix(_Entry):
    """A part of the fix by hand: commands of an account, or advice."""

    who: Literal["account", "root", "advice"]
    text: str


class Problem(_Entry):
    """What can be wrong. `remedies`: the automatic one, then what follows if it does not help."""

    key: str
    module: str
    title: str
    severity: Severity
    meaning: str
    causes: list[str]
    needs: list[str]
    remedies: list[Remedy]
    reason: str | None
    fix: list[Fix]
    source: str


class Code(_Entry):
    """An error code, or words, in a log of Campaign. `restart`: whether a restart helps."""

    code: str
    meaning: str
    restart: Literal["helps", "useless", "unknown"]
    why: str
    problem: str | None
    source: str


class Catalogue(_Entry):
    """All that is known."""

    problems: list[Problem]
    codes: list[Code]

    def problem(self, key: str) -> Problem | None:
        """The problem with this key."""
        return next((problem for problem in self.problems if problem.key == key), None)


@cache
def catalogue() -> Catalogue:
    """The catalogue as it was when this version was made."""
    text = resources.files(__package__).joinpath("catalogue.json").read_text(encoding="utf-8")
    return Catalogue.model_validate_json(text)


def names() -> list[str]:
    """All keys and codes, for completion."""
    known = catalogue()
    return [*(problem.key for problem in known.problems), *(code.code for code in known.codes)]


def explain(name: str) -> list[Problem | Code]:
    """What a key, a code or a finding's id means; case does not matter. Raises Unknown.

    The bare name of a problem that several modules share (`not_running`) gives one for each.
    """
    wanted = name.strip().partition("@")[0].casefold()
    known = catalogue()
    found: list[Problem | Code] = [
        *(problem for problem in known.problems if problem.key.casefold() == wanted),
        *(code for code in known.codes if code.code.casefold() == wanted),
    ] or [problem for problem in known.problems if problem.key.partition(".")[2] == wanted]
    if not found:
        raise Unknown(name, _near(wanted))
    return found


def _near(wanted: str) -> list[str]:
    spelled = {name.casefold(): name for name in names()}
    # A part of a key is as likely as a slip of the pen.
    parts = [full for low, full in spelled.items() if len(wanted) > 2 and wanted in low]
    alike = [spelled[low] for low in difflib.get_close_matches(wanted, spelled, n=5, cutoff=0.6)]
    return list(dict.fromkeys([*alike, *parts]))[:5]
