# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Ctrl-C and similar signals: counted here; the code that runs something acts on them."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

# A terminal that is closed and a scheduler that gives up mean the same as Ctrl-C.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GLANCE_SECONDS = 0.2


class Interrupts:
    """A context in which these signals are counted; the handlers before it are put back."""

    def __init__(self) -> None:
        self.count = 0
        self._asking = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interrupts:
        for number in SIGNALS:
            handler = signal.getsignal(number)
            if handler is not signal.SIG_IGN:  # nohup, or in the background of a script
                self._before[number] = handler
                signal.signal(number, self._heard)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def asking(self) -> Iterator[None]:
        """While a question is open, the signals end the command."""
        self._asking = True
        try:
            if self.count:
                raise KeyboardInterrupt
            yield
        finally:
            self._asking = False

    def pause(self, seconds: float) -> bool:
        """Wait until that time is over or a signal has come; whether one has."""
        end = time.monotonic() + seconds
        while not self.count and (rest := end - time.monotonic()) > 0:
            time.sleep(min(rest, GLANCE_SECONDS))
        return self.count > 0

    def _heard(self, number: int, frame: FrameType | None) -> None:
        # Nothing but this: a handler may interrupt whatever holds a lock.
        self.count += 1
        if self._asking:
            raise KeyboardInterrupt
