# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A writer of generated files: what it writes, and the command line that each of them has."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import CHECKOUT
from .command_line import Parser


@dataclass(frozen=True)
class Writer:
    """`written` gives the text of each file, `wrong` a line for each error in what they come from."""

    doc: str | None
    written: Callable[[], Mapping[Path, str]]
    wrong: Callable[[], Sequence[str]] = tuple

    def run(self, check: bool) -> Iterator[str]:
        """Write the files that differ, or only look at them; a line for each, and for each error."""
        yield from self.wrong()
        for path, text in self.written().items():
            if path.is_file() and path.read_text(encoding="utf-8") == text:
                continue
            if not check:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            yield f"{'differs' if check else 'written'}: {path.relative_to(CHECKOUT)}"

    def main(self, arguments: Sequence[str] | None = None) -> int:
        """The tool itself; its exit code."""
        return main(self.doc, [self], arguments)


def main(doc: str | None, writers: Sequence[Writer], arguments: Sequence[str] | None = None) -> int:
    """Run them; 1 if something is wrong, or with --check if a file is not as it would be written."""
    parser = Parser(doc)
    parser.add_argument("--check", action="store_true", help="change nothing, name what differs")
    check = parser.parse_args(arguments).check
    lines = [line for writer in writers for line in writer.run(check)]
    for line in lines:
        print(line, flush=True)
    if any(line.startswith("written: ") and line.endswith(".py") for line in lines):
        os.execv(sys.executable, [sys.executable, *sys.argv])  # what it has imported has changed
    return int(any(check or not line.startswith("written: ") for line in lines))
