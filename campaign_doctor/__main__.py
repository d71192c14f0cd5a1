# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Where the command begins, before anything that takes time is imported."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

INTERRUPTED = 130  # outcome.ExitCode has it, and takes time to import
SAID = "Interrupted. Nothing was changed.\n"


def main() -> None:
    """The command. Until a run has its own signal handlers, Ctrl-C ends it with one line."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # nohup, or a script's background
        signal.signal(signal.SIGINT, _interrupted)
    from .cli import main as command  # noqa: PLC0415  it takes most of a second

    command()


def _interrupted(_number: int, _frame: FrameType | None) -> None:
    # No exception: there is code that is being imported which would make another error of it.
    os.write(sys.stderr.fileno(), ("\n" * os.isatty(2) + SAID).encode())
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
