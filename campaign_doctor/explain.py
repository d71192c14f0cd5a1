# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a finding, an error code of Campaign, a remedy or another word of a report means.

The data is the collection's catalogue (packaged.py).
"""

from __future__ import annotations

import difflib
import re
from functools import cache
from typing import Literal

from pydantic import BaseModel, ConfigDict

from . import packaged
from .model import Severity
from .outcome import ExitCode

CODE = re.compile(r"[a-z]{2,5}-\d+")
ALIKE_CODE = 0.85


class Unknown(LookupError):
    """Nothing that is known; `near` are names that are written alike."""

    def __init__(self, name: str, near: list[str]) -> None:
        self.name = name
        self.near = near
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        super().__init__(
            f"'{name}' is not known: it is neither a finding nor an error code, a remedy or another word"
            f" of a report.{hint}"
        )


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True)


class Rung(_Entry):
    """A remedy for a problem; `cancels`: running work that it may interrupt."""

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
    means: str
    users: str
    seen: str
    check: str
    fails: str
    causes: list[str]
    needs: list[str]
    remedies: list[Rung]
    reason: str | None
    fix: list[Fix]
    source: str


class Remedy(_Entry):
    """A documented fix that can be applied. `level`: from mild to strong; `then`: what may follow."""

    name: str
    title: str
    does: str
    risks: str
    level: int
    then: list[str]


class Term(_Entry):
    """A word of the reports. `kind`: guard, verdict, result, reason, module or exit code."""

    kind: str
    name: str
    means: str
    do: str


class Module(_Entry):
    """A module of Campaign; `column` is its short name for narrow tables."""

    name: str
    column: str
    per_instance: bool


class Line(_Entry):
    """What a line must have: all of these codes, and all of these words in lower case."""

    codes: list[str]
    words: list[str]

    def fits(self, text: str) -> bool:
        """Whether a text, in lower case, has them."""
        parts = [*(code.casefold() for code in self.codes), *self.words]
        return bool(parts) and all(part in text for part in parts)


class Code(_Entry):
    """An error code, or words, in a log of Campaign, as `lines` have it.

    `restart`: whether a restart of the module helps. `who` acts, by `action`; `harmless`: when it
    is no error.
    """

    code: str
    lines: list[Line]
    modules: list[str]
    meaning: str
    restart: Literal["helps", "no", "after_fix", "heals", "unknown"]
    who: str
    action: str
    harmless: str | None
    problem: str | None
    source: list[str]

    @property
    def names(self) -> list[str]:
        """Its own name and the codes in its lines."""
        return list(dict.fromkeys([self.code, *(c for line in self.lines for c in line.codes)]))

    def meant_by(self, wanted: str) -> bool:
        """Whether a code, a log line, or a part of its words (in lower case) is this one's."""
        return wanted in (name.casefold() for name in self.names) or any(
            line.fits(wanted) or (len(wanted) > 5 and any(wanted in word for word in line.words))
            for line in self.lines
        )


class Catalogue(_Entry):
    """All that is known. `modules` are in the order in which they are started, `variables` those of
    the playbooks, `thresholds` the names in campaign_thresholds.
    """

    modules: list[Module]
    variables: list[str]
    thresholds: list[str]
    problems: list[Problem]
    codes: list[Code]
    remedies: list[Remedy]
    terms: list[Term]

    def problem(self, key: str) -> Problem | None:
        """The problem with this key."""
        return next((problem for problem in self.problems if problem.key == key), None)


Explanation = Problem | Code | Remedy | Term


@cache
def catalogue() -> Catalogue:
    """The catalogue as it was when this version was made."""
    return Catalogue.model_validate_json(packaged.catalogue())


def all_terms() -> list[Term]:
    """With the exit codes, which are the command's own."""
    return [*catalogue().terms, *(
        Term(kind="exit code", name=str(code.value), means=f"{code.meaning}.", do=code.answer)
        for code in ExitCode
    )]


def names() -> list[str]:
    """All that can be explained, for completion."""
    known = catalogue()
    codes = (name for code in known.codes for name in code.names)
    return list(dict.fromkeys([
        *(problem.key for problem in known.problems), *codes,
        *(remedy.name for remedy in known.remedies), *(term.name for term in all_terms()),
    ]))


def explain(name: str) -> list[Explanation]:
    """What a key, a code, a wording, a finding's id, a remedy or another word of a report means; case
    does not matter. Raises Unknown.

    The bare name of a problem that several modules share (`not_running`) gives one for each, a code
    whose text decides (PGS-220000) each of its cases.
    """
    wanted = " ".join(name.split()).casefold()
    key = wanted.partition("@")[0]
    known = catalogue()
    word = key.removeprefix("exit code ").replace(" ", "_")
    found: list[Explanation] = [
        *(problem for problem in known.problems if problem.key.casefold() == key),
        *(code for code in known.codes if code.code.casefold() == key),
        *(remedy for remedy in known.remedies if remedy.name.casefold() == word),
        *(term for term in all_terms() if term.name.casefold() == word),
    ] or [problem for problem in known.problems if problem.key.partition(".")[2] == key]
    if any(isinstance(entry, Remedy | Term) for entry in found):
        return found  # a word as common as "unknown" stands in many lines of a log
    found += [code for code in known.codes if code not in found and code.meant_by(wanted)]
    if not found:
        raise Unknown(name, _near(wanted))
    return found


def _near(wanted: str) -> list[str]:
    spelled = {name.casefold(): name for name in names()}
    if CODE.fullmatch(wanted):
        # One figure is a slip of the pen; another code, even of the same letters, is another matter.
        codes = [low for low in spelled if low.startswith(wanted.partition("-")[0] + "-")]
        return [spelled[low] for low in difflib.get_close_matches(wanted, codes, 5, ALIKE_CODE)]
    # A part of a key is as likely as a slip of the pen.
    parts = [full for low, full in spelled.items() if len(wanted) > 2 and wanted in low]
    alike = [spelled[low] for low in difflib.get_close_matches(wanted, spelled, n=5, cutoff=0.6)]
    return list(dict.fromkeys([*alike, *parts]))[:5]
