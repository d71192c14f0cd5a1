# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What `watch` tells systemd, if that has started it: sd_notify(3), in as few lines as it takes."""

from __future__ import annotations

import os
import socket
from contextlib import suppress

from .shared import words

SEND_SECONDS = 1.0


class Manager:
    """The service manager that NOTIFY_SOCKET names; without one, nothing is told to anybody."""

    def __init__(self) -> None:
        self._address = os.environ.pop("NOTIFY_SOCKET", "")  # Ansible has nothing to tell it

    def alive(self, status: str) -> None:
        """That the watch does not hang, and what it does. A thread could say so even if it did."""
        self.tell("WATCHDOG=1", f"STATUS={words.clean(status)}")

    def tell(self, *states: str) -> None:
        """One message. What it cannot take is no reason to stop."""
        if not self._address:
            return
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        with suppress(OSError, ValueError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.settimeout(SEND_SECONDS)
            out.sendto("\n".join(states).encode("utf-8", "replace"), address)
