"""What a process of a lab does when the lab's folder is deleted while it runs: it ends.

It sees that its working directory is gone; it cannot do more, for its library is gone, too
(leftovers.py does the rest).
"""

from __future__ import annotations

import os

CHECK_SECONDS = 4.0
"""Between two looks of an idle process; ten seconds after the deletion all is over."""


def gone() -> bool:
    """Is the working directory of this process deleted?"""
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False


def make(directory: str) -> None:
    """``os.makedirs``; of a deleted lab nothing is made again."""
    if gone():
        raise FileNotFoundError(2, "the lab is deleted", directory)
    os.makedirs(directory, exist_ok=True)
