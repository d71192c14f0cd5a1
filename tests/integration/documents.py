"""The commands of a page of docs/user, taken from it to be run as they stand there.

What a reader types is a fenced block of `sh`. Comments before a block, which no reader sees, say
what the test has to know:

    not run here: REASON     leave it out
    in the checkout          in the folder of the checkout, otherwise in the site's own
    lab: break FAULT         what has happened to the server, one comment for each fault
    exit CODE or CODE        what the last command may return; the others may return 0, too
    shows: TEXT              what the commands print; does not show: TEXT, what they do not
    file: NAME               the block is the content of a file
    editor                   the block is what is written into an editor
    on a terminal            the commands need one
    cron                     a line of a crontab
    ended by the test        the command runs until it is interrupted
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PIECE = re.compile(
    r"^(?P<indent> *)(?:<!-- (?P<note>.+?) -->|```(?P<kind>\w+)\n(?P<text>.*?)^(?P=indent)```)$",
    re.MULTILINE | re.DOTALL,
)
HEREDOC = re.compile(r"<<'(\w+)'")


class Block(NamedTuple):
    """A fenced block, with the comments that stand before it."""

    kind: str
    text: str
    notes: tuple[str, ...]
    line: int

    def note(self, name: str) -> str | None:
        """What a comment says behind its name; empty where it is only the name."""
        for note in self.notes:
            first, _space, rest = note.partition(" ") if name == "exit" else note.partition(": ")
            if first == name:
                return rest
        return None

    def all_notes(self, name: str) -> list[str]:
        """The same of comments that may come several times."""
        return [note.partition(": ")[2] for note in self.notes if note.startswith(f"{name}: ")]

    @property
    def codes(self) -> set[int]:
        """What the last command may return."""
        return {int(code) for code in (self.note("exit") or "0").split(" or ")}

    @property
    def commands(self) -> list[str]:
        """Its commands: a line each, or a line with its here-document."""
        lines, commands = iter(self.text.splitlines()), list[str]()
        for line in lines:
            command, here = line, HEREDOC.search(line)
            while here and not command.endswith(f"\n{here[1]}"):
                command += "\n" + next(lines)
            commands.append(command)
        return commands


def blocks(page: Path) -> Iterator[Block]:
    """All of a page, in their order."""
    text, notes = page.read_text(encoding="utf-8"), list[str]()
    for piece in PIECE.finditer(text):
        if piece["note"]:
            notes.append(piece["note"])
            continue
        indent = piece["indent"]
        body = "".join(
            line.removeprefix(indent) for line in piece["text"].splitlines(keepends=True)
        )
        yield Block(piece["kind"], body, tuple(notes), text.count("\n", 0, piece.start()) + 1)
        notes = []


def script(commands: list[str], codes: Path, place: Path) -> str:
    """For bash: each command, its exit code into a file, and at the end where it stands."""
    noted = "".join(f"{command}\necho $? >> '{codes}'\n" for command in commands)
    return f"{noted}pwd > '{place}'\n"


TYPED = re.compile(
    r"^    (?:\$ )?((?:campaign-doctor|ansible-playbook) [a-z\-].*?)(?:  +#.*|  +\(.*)?$", re.MULTILINE
)


def reference(page: Path) -> list[str]:
    """The commands of a page that shows them as examples, without what is said beside them; a
    synopsis is none.
    """
    found = TYPED.findall(page.read_text(encoding="utf-8"))
    return [command for command in dict.fromkeys(found) if not re.search(r"\[OPTIONS\]", command)]
