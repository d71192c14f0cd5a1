# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A finding's fix, taken apart: a command that changes, a command that only looks, words.

Uses the standard library only: campaign_doctor has this very file, by a link.
"""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Iterator
from typing import NamedTuple

# Programs that only look, however they are called.
LOOK = frozenset((
    "cat", "du", "getent", "grep", "head", "iostat", "ipcs", "ldd", "ls", "lsattr", "lsof", "nc",
    "ps", "sort", "tail", "uniq", "wc",
))
# Those that only look if the first of their arguments is one of these.
LOOK_WITH = {
    "apachectl": ("-M", "-S", "configtest"),
    "chronyc": ("tracking",),
    "curl": ("-sS",),
    "nlserver": ("pdump",),
    "sed": ("-n",),
    "sh": ("-n", "-x"),
    "timedatectl": ("",),
    "top": ("-b",),
    "xmllint": ("--noout",),
}
LOOK_IN_BATCH = ("gdb",)  # the batch is the catalogue's
_ADVICE = "  # "


class Fix(NamedTuple):
    """What to type, whether that only looks, and what is to be known or done beside it."""

    commands: tuple[str, ...] = ()
    looks: bool = False
    advice: str = ""

    @property
    def label(self) -> str:
        """What the commands are, in a word."""
        return "Look" if self.looks else "Fix"


def of(text: str | None) -> Fix:
    """The parts of what the report has as one text: advice in it is a comment."""
    commands, words = [], []
    for line in (text or "").splitlines():
        command, advice = _split(line)
        if command:
            commands.append(command)
        if advice:
            words.append(advice)
    return Fix(tuple(commands), bool(commands) and all(map(_looks, commands)), "; ".join(words))


def _split(line: str) -> tuple[str, str]:
    """A command and its comment. A sign within quotes begins none."""
    if line.lstrip().startswith("#"):
        return "", line.lstrip("# ")
    end = line.find(_ADVICE)
    while end >= 0:
        if _words(line[:end]) is not None:
            return line[:end].rstrip(), line[end + len(_ADVICE):].strip()
        end = line.find(_ADVICE, end + 1)
    return line, ""


def _words(command: str) -> list[str] | None:
    """What a shell makes of it, operators apart; None where a quote is open."""
    reader = shlex.shlex(command, posix=True, punctuation_chars="&|;<>")
    reader.whitespace_split = True
    reader.commenters = ""
    try:
        return list(reader)
    except ValueError:
        return None


def _looks(command: str) -> bool:
    """Whether it only looks. What is not known to be harmless is taken for a change."""
    words = _words(command)
    if not words or any(">" in word for word in words if set(word) <= set("&|;<>")):
        return False
    return all(map(_part_looks, _parts(words)))


def _parts(words: list[str]) -> Iterator[list[str]]:
    part: list[str] = []
    for word in [*words, ";"]:
        if set(word) <= set("&|;"):
            if part:
                yield part
            part = []
        else:
            part.append(word)


def _part_looks(words: list[str]) -> bool:
    program, arguments = posixpath.basename(words[0]), words[1:]
    if program == "su" and "-c" in arguments:
        return _looks(arguments[-1])
    if program == ".":
        return bool(arguments) and arguments[0].endswith("/env.sh")
    if program in LOOK_IN_BATCH:
        return "-batch" in arguments
    return program in LOOK or (arguments or [""])[0] in LOOK_WITH.get(program, ())
