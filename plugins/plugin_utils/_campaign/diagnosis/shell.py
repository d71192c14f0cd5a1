# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Shell commands for an operator to paste, with facts of a host in them.

A command is shell text with the names of facts in braces, such as `nlserver restart {target}`. A
fact always becomes a quoted word, or a part of one: nothing in it is read by the shell. What
cannot be made safe that way is not shown as a command at all: `NotShown` says why.
"""

from __future__ import annotations

import re
import shlex
import string
from collections.abc import Mapping
from functools import cache

Facts = Mapping[str, object]

LONGEST_FACT = 1000  # characters
LONGEST_COMMAND = 4000  # bytes: a terminal takes 4095 in a line
_ENDS_WORD = " \t;|&("


class NotShown(Exception):
    """That a command cannot be shown with these facts, and why; of a fact it says only the name."""


class Shell(str):
    """A command that this module has made: it goes into another one as it is.

    `why_not`: why there is none; the text is a comment then.
    """

    why_not: str = ""

    @classmethod
    def of(cls, template: str, facts: Facts) -> Shell:
        """The command with the facts filled in, or the comment that says why there is none."""
        try:
            return cls(fill(template, facts))
        except NotShown as error:
            return cls.missing(str(error))

    @classmethod
    def missing(cls, why_not: str) -> Shell:
        """The comment in the place of a command."""
        text = cls(f"# no command can be shown: {why_not}")
        text.why_not = why_not
        return text


def fill(template: str, facts: Facts) -> str:
    """The command with the facts filled in. Raises NotShown."""
    text = "".join(
        literal if name is None else literal + _fact(name, facts[name], first)
        for literal, name, first in pieces(template)
    )
    return measured(text)


def measured(command: str) -> str:
    """The command, unless it is too long. Raises NotShown."""
    if len(command.encode()) > LONGEST_COMMAND:
        raise NotShown(f"it is longer than {LONGEST_COMMAND} bytes")
    return command


@cache
def pieces(template: str) -> tuple[tuple[str, str | None, bool], ...]:
    """A command in pieces: literal text, the fact after it, and whether the fact begins a word.

    Raises ValueError where the template is wrong: a fact inside quotes, or formatted.
    """
    found: list[tuple[str, str | None, bool]] = []
    before = ""
    for literal, name, spec, conversion in string.Formatter().parse(template):
        before += literal
        if name is None:
            found.append((literal, None, False))
            continue
        if not name.isidentifier() or spec or conversion:
            raise ValueError(f"{{{name}}} must be the bare name of a fact: {template}")
        if not _plain(before):
            raise ValueError(f"{{{name}}} is quoted by itself, outside other quotes: {template}")
        found.append((literal, name, not before or before[-1] in _ENDS_WORD))
        before += "x"
    if not _plain(before):
        raise ValueError(f"Quotes that nothing closes, or a comment: {template}")
    return tuple(found)


# What a shell reads outside quotes: no comment, no substitution by backquotes, no second line.
_OUTSIDE = re.compile(r"(?:[^'\"\\`#\n]|'[^']*'|\"[^\"\\`$]*\"|\\[^\n])*")


def _plain(text: str) -> bool:
    return _OUTSIDE.fullmatch(text) is not None


def _fact(name: str, value: object, first: bool) -> str:
    """A fact as part of a command; `first`: it begins a word."""
    if isinstance(value, Shell):
        if value.why_not:
            raise NotShown(value.why_not)
        return value
    text = "" if value is None else str(value)
    if not text:
        raise NotShown(f"{name} is not known")
    if len(text) > LONGEST_FACT:
        raise NotShown(f"{name} is longer than {LONGEST_FACT} characters")
    if not text.isprintable():  # nor would a terminal or a report show these as they are
        raise NotShown(f"{name} holds characters that cannot be typed")
    if first and text.startswith("-"):
        raise NotShown(f"{name} begins with a dash, which makes it an option")
    return quoted(text)


def quoted(text: str) -> str:
    """One word of a shell, quoted only if necessary."""
    if text.startswith("="):  # zsh puts a program's path there
        return f"'{text[0]}'{quoted(text[1:])}" if len(text) > 1 else "'='"
    return shlex.quote(text)
