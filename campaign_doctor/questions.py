# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Questions at the terminal that Ctrl-C ends at any moment.

Python handles a signal between two of its own steps: one that comes just before it begins to read is
only heard when a line was typed. So it reads when there is one.
"""

from __future__ import annotations

import select
import sys
from typing import TextIO

from rich import prompt
from rich.console import Console
from rich.text import TextType

GLANCE_SECONDS = 0.2  # after which a signal is heard at the latest


class _Patient(prompt.PromptBase):  # type: ignore[type-arg]  # of both below
    @classmethod
    def get_input(
        cls, console: Console, prompt: TextType, password: bool, stream: TextIO | None = None
    ) -> str:
        """The line that was typed. Raises EOFError at its end."""
        if password or stream is not None:
            return super().get_input(console, prompt, password, stream)
        console.print(prompt, end="")
        while not select.select([sys.stdin], [], [], GLANCE_SECONDS)[0]:
            pass
        return input()


class Confirm(_Patient, prompt.Confirm):
    """Yes or no."""


class Prompt(_Patient, prompt.Prompt):
    """A line of text."""


def agrees(console: Console, question: str) -> bool:
    """Ask; anything but yes means no."""
    try:
        return Confirm.ask(question, console=console, default=False)
    except EOFError:
        console.print()  # the question stays open, so what follows starts on a new line
        return False
