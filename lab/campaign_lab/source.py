"""Where the lab's own code is."""

from __future__ import annotations

import os


def checkout() -> str:
    """The repository's root."""
    return os.path.dirname(lab_source())


def lab_source() -> str:
    """The directory that holds the campaign_lab package."""
    return os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
