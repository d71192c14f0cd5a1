#!/usr/bin/env python3
# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Writes docs/user/findings/: a page for each finding, with what `campaign-doctor explain` says of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from common import CHECKOUT
from common.writer import Writer

from campaign_doctor.explain import Problem, catalogue
from campaign_doctor.explanation import BY_HAND, Line, heading, lines

FOLDER = CHECKOUT / "docs" / "user" / "findings"


def written() -> dict[Path, str]:
    """Each page."""
    return {FOLDER / f"{problem.key}.md": page(problem) for problem in catalogue().problems}


def gone() -> list[str]:
    """Pages of findings that are no more."""
    kept = set(written())
    return [f"no such finding: {path.relative_to(CHECKOUT)}, delete it"
            for path in sorted(FOLDER.glob("*.md")) if path not in kept]


def page(problem: Problem) -> str:
    """One page."""
    return "\n".join([f"# {_plain(heading(problem))}\n", *_parts(problem)])


def _parts(problem: Problem) -> Iterator[str]:
    for line in lines(problem):
        if line.label:
            yield f"**{line.label}**\n"
        yield f"{_written(line)}\n"
    yield f"`campaign-doctor explain {problem.key}` says the same. [All findings](../problems.md)\n"


def _written(line: Line) -> str:
    if line.text.startswith("https://"):
        return f"<{line.text}>"
    if line.label.startswith(BY_HAND):
        return "\n".join(f"    {row}" for row in line.text.splitlines())
    return _plain(line.text)


def _plain(text: str) -> str:
    """Text that Markdown shows as it is."""
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>#|" else letter for letter in text)


WRITER = Writer(__doc__, written, gone)

if __name__ == "__main__":
    sys.exit(WRITER.main())
