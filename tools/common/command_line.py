# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The command line of a tool: --help shows its docstring, a wrong option costs one line.

A paragraph of the docstring that begins with `usage: ` replaces the usage that argparse makes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NoReturn

USAGE = "usage: "


class Parser(argparse.ArgumentParser):
    """Made from the docstring of the tool."""

    def __init__(self, doc: str | None) -> None:
        paragraphs = (doc or "").strip().split("\n\n")
        usage = [text for text in paragraphs if text.startswith(USAGE)]
        super().__init__(
            prog=f"tools/{Path(sys.argv[0]).name}",
            usage=usage[0].removeprefix(USAGE).replace("%", "%%") if usage else None,
            description="\n\n".join(text for text in paragraphs if text not in usage),
            formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False,
        )  # fmt: skip

    def error(self, message: str) -> NoReturn:
        """Exit code 2."""
        self.exit(2, f"{self.prog}: {message} (see --help)\n")
