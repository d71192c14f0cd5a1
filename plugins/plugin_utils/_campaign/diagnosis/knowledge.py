# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What log lines mean, and whether a restart answers them: the table is errors.ini.

Its head says what its keys are. The first section that fits decides; one that only wraps another
error decides where no other fits.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from pathlib import Path

from ..snapshot.records import LogGroup

FILE = Path(__file__).with_name("errors.ini")

CODE = re.compile(r"\b(?:[A-Z]{3}-\d{6}|ORA-\d{5}|PU-\d{4})\b|\b(?:iRc|errno)\s*=\s*-?\d+")


class Restart(str, Enum):
    """Does a restart of the module help?"""

    HELPS = "helps"
    NO = "no"
    AFTER_FIX = "after_fix"
    HEALS = "heals"
    UNKNOWN = "unknown"

    @property
    def words(self) -> str:
        """The same in words."""
        return {
            "helps": "helps", "no": "does not help", "unknown": "may or may not help",
            "after_fix": "helps only after the cause is fixed",
            "heals": "is not needed: it recovers by itself",
        }[self.value]


class Kind(str, Enum):
    """The kind of a line: an error, one that only wraps another, a note, or a passing one."""

    ERROR = "error"
    WRAPPER = "wrapper"
    NOTE = "note"
    PASSING = "passing"


@dataclass(frozen=True)
class Alternative:
    """Codes, words and patterns that must all be there."""

    codes: frozenset[str]
    words: tuple[str, ...]
    patterns: tuple[re.Pattern[str], ...]

    def fits(self, codes: frozenset[str], text: str) -> bool:
        """Whether a line has all of them; its text is in lower case."""
        return (
            self.codes <= codes
            and all(word in text for word in self.words)
            and all(pattern.search(text) for pattern in self.patterns)
        )


@dataclass(frozen=True)
class Meaning:
    """A section of the table."""

    code: str
    alternatives: tuple[Alternative, ...]
    text: str
    restart: Restart
    who: str
    action: str
    modules: tuple[str, ...]
    sources: tuple[str, ...]
    kind: Kind = Kind.ERROR
    harmless: str = ""
    problem: str = ""
    within: str = ""

    @property
    def decides(self) -> bool:
        """Whether it is an error itself, and not only a wrapper of another one."""
        return self.kind in (Kind.ERROR, Kind.PASSING)

    @property
    def names(self) -> tuple[str, ...]:
        """Its name and the codes that identify it."""
        codes = [code for each in self.alternatives for code in sorted(each.codes)]
        return tuple(dict.fromkeys([self.code, *codes]))


def sections(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The sections of an ini file with their keys."""
    name, values = "", dict[str, str]()
    for line in text.splitlines():
        if line.startswith("["):
            if name:
                yield name, values
            name, values = line.strip()[1:-1], {}
        elif line and line[0] != "#":
            key, _equals, value = line.partition(" = ")
            if key in values:
                raise ValueError(f"[{name}] has {key} twice")
            values[key] = value
    yield name, values


def _alternative(text: str) -> Alternative:
    codes, words, patterns = set[str](), list[str](), list[re.Pattern[str]]()
    for part in text.split(" & "):
        if CODE.fullmatch(part):
            codes.add(part)
        elif part[0] == part[-1] == "/" and len(part) > 2:
            patterns.append(re.compile(part[1:-1], re.IGNORECASE))
        else:
            words.append(part.lower())
    return Alternative(frozenset(codes), tuple(words), tuple(patterns))


def _meaning(code: str, values: dict[str, str]) -> Meaning:
    return Meaning(
        code=code,
        alternatives=tuple(_alternative(text) for text in values["match"].split(" | ")),
        text=values["meaning"],
        restart=Restart(values["restart"]),
        who=values["who"],
        action=values["action"],
        modules=tuple(values["modules"].split(", ")),
        sources=tuple(values["source"].split(", ")),
        kind=Kind(values.get("kind", "error")),
        harmless=values.get("harmless", ""),
        problem=values.get("finding", ""),
        within=values.get("within", ""),
    )


MEANINGS: tuple[Meaning, ...] = tuple(
    _meaning(*section) for section in sections(FILE.read_text(encoding="utf-8"))
)
BY_CODE = {row.code: row for row in MEANINGS}

# Found by a code that the line must have, else by trying: few have only a pattern.
_Place = tuple[int, Alternative]
_CODED: dict[str, list[_Place]] = {}
_WORDED: list[_Place] = []
for _number, _row in enumerate(MEANINGS):
    for _each in _row.alternatives:
        if _each.codes:
            _CODED.setdefault(min(_each.codes), []).append((_number, _each))
        else:
            _WORDED.append((_number, _each))


def codes_in(text: str) -> frozenset[str]:
    """The codes in a text."""
    return frozenset(code.replace(" ", "") for code in CODE.findall(text))


@lru_cache(maxsize=4096)
def rows(codes: frozenset[str], text: str) -> tuple[Meaning, ...]:
    """All that fit a text with these codes, the deciding one first."""
    codes |= codes_in(text)
    text = " ".join(text.lower().split())
    places = [place for code in codes for place in _CODED.get(code, ())] + _WORDED
    fitting = {number for number, each in places if each.fits(codes, text)}
    return tuple(sorted(
        (MEANINGS[number] for number in sorted(fitting)), key=lambda row: row.kind is Kind.WRAPPER
    ))


def meaning_of(group: LogGroup) -> Meaning | None:
    """What a group of log lines means; None if that is not known."""
    found = rows(frozenset(group.codes), f"{group.sample}\n{group.signature}")
    return found[0] if found else None


def permanent_error(text: str) -> Meaning | None:
    """What a line says is wrong, if that is documented and no new start can change it."""
    found = rows(frozenset(), text)
    if found and found[0].decides and found[0].restart in (Restart.NO, Restart.AFTER_FIX):
        return found[0]
    return None


def distinct_events(groups: Iterable[LogGroup]) -> list[LogGroup]:
    """The groups that are separate events.

    A line that only wraps another error, or that says in other words what another line says, is
    left out where that other line was logged in the same event.
    """
    held = list(groups)
    events: dict[str, set[str]] = {}
    for group in held:
        row = meaning_of(group)
        if group.event and row and row.decides and group.level != "info":
            events.setdefault(group.event, set()).add(row.code)

    def told_by_another(group: LogGroup) -> bool:
        others, row = events.get(group.event, set()), meaning_of(group)
        return row is not None and (
            row.within in others if row.within else row.kind is Kind.WRAPPER and bool(others)
        )

    return [group for group in held if not told_by_another(group)]


def reported_by(problem: str, groups: Iterable[LogGroup]) -> list[LogGroup]:
    """The groups whose lines belong to an entry of the catalogue; no line of information does."""
    return [
        group for group in distinct_events(groups)
        if group.level != "info"
        and (row := meaning_of(group)) is not None and row.problem == problem
    ]
