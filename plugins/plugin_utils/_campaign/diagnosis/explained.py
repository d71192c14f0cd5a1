# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What an operator wants to know of a finding beside its title: the texts in explanations/.

The catalogue has title, cause, remedy, fix and source of each problem; here is what it means, what
users notice, how it is seen, how to check it by hand, and what to do if its fix does not help.
"""

from __future__ import annotations

from configparser import ConfigParser
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

from .model import Problem
from .records import Severity
from .rules import MODULE

FOLDER = Path(__file__).with_name("explanations")
SHARED = "every_module.ini"
TERMS = "terms.ini"


@dataclass(frozen=True)
class Explained:
    """The texts of a problem. None has a hole to fill."""

    means: str
    users: str
    seen: str
    check: str
    fails: str


@dataclass(frozen=True)
class Term:
    """A word of the reports; `kind`: guard, verdict, result, reason or module."""

    kind: str
    name: str
    means: str
    do: str


@cache
def read(name: str) -> dict[str, dict[str, str]]:
    """The sections of a file."""
    parser = ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string((FOLDER / name).read_text(encoding="utf-8"), name)
    return {section: dict(parser[section]) for section in parser.sections()}


def explained(problem: Problem) -> Explained:
    """Its texts. Raises KeyError where one is missing."""
    own = _own(problem.module).get(problem.key)
    texts = own or {
        key: text.replace(MODULE, problem.module)
        for key, text in _shared()[f"{MODULE}.{problem.name}"].items()
    }
    given = {entry.name: texts[entry.name] for entry in fields(Explained) if entry.name in texts}
    if "users" not in given:
        bad = "users_down" if problem.severity is Severity.CRITICAL else "users_degraded"
        given["users"] = _shared()[problem.module][bad]
    return Explained(**given)


def _own(module: str) -> dict[str, dict[str, str]]:
    path = FOLDER / f"{module}.ini"
    return read(path.name) if path.is_file() else {}


def _shared() -> dict[str, dict[str, str]]:
    return read(SHARED)


def terms() -> list[Term]:
    """All words that are explained."""
    found = []
    for section, texts in read(TERMS).items():
        kind, _space, name = section.partition(" ")
        found.append(Term(kind, name, texts["means"], texts.get("do", "")))
    return found


def sections() -> set[str]:
    """All sections about findings, to find those of problems that are no more."""
    names = [path.name for path in FOLDER.glob("*.ini") if path.name != TERMS]
    return {section for name in names for section in read(name) if "." in section}
