# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Tells each target, after a run, what it has not heard yet."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from ..history import compare
from ..model import InvalidReport, Report
from ..shared import news, webhook
from . import memory, message
from .settings import Notify
from .targets import Target

WHOLE_SECONDS = memory.WAIT_SECONDS + webhook.WHOLE_SECONDS + 15
GLANCE_SECONDS = 0.1

Say = Callable[[str], None]


class Ending(NamedTuple):
    """A run that has ended. `former`: the last complete one before it."""

    report: Report
    former: Report | None
    inventory: str
    limit: str
    scope: str


class Notifier:
    """The targets of a site. `folder` is where the history lies."""

    def __init__(
        self,
        targets: Sequence[Target],
        settings: Notify,
        folder: Path,
        clock: Callable[[], datetime] = datetime.now,
    ) -> None:
        self.targets = list(targets)
        self._settings = settings
        self._folder = folder
        self._clock = clock

    def tell(self, run: Ending, say: Say, stopped: Callable[[], bool] = lambda: False) -> None:
        """Tell all of them at once; what fails is said, and nothing else follows from it."""
        at_once(self.targets, lambda target: self._tell(target, run), say, stopped)

    def _tell(self, target: Target, run: Ending) -> None:
        """Raises whatever keeps it from being told; it is told then after the next run."""
        kept = memory.Memory(self._folder, target.id, run.inventory)
        with kept.alone():
            heard = _recalled(kept, run)
            quiet = self._settings.quiet_hours
            if quiet is not None and quiet.holds(self._clock().time()):
                if not kept.exists:  # the history goes on, and would be compared with later
                    kept.keep(heard)
                return
            changes = compare(heard, run.report) if heard else None
            everything = news.of(run.report, changes, heard)
            told = everything.worth_telling(self._settings.severity, fixed=self._settings.fixed)
            if told:
                target.send(message.of(run.report, everything, told, self._settings.link))
            kept.keep(memory.after(
                heard, run.report, changes, whole=not run.limit, scope=run.scope
            ))


def _recalled(kept: memory.Memory, run: Ending) -> Report | None:
    if not kept.exists:
        return run.former
    try:
        return kept.recall()
    except InvalidReport:  # of a later version, or damaged: as if it were new
        return run.former


def at_once(
    targets: Sequence[Target],
    work: Callable[[Target], None],
    say: Say,
    stopped: Callable[[], bool] = lambda: False,
) -> int:
    """Work for each target, and say what fails; how many that were."""
    failures: dict[int, str] = {}
    ended: set[int] = set()

    def one(number: int, target: Target) -> None:
        try:
            work(target)
        except webhook.Unsent as error:
            failures[number] = str(error)
        except memory.Busy:
            failures[number] = "another run is still sending; the next run tells the rest"
        except OSError as error:
            failures[number] = f"what it has heard cannot be kept: {error.strerror or 'error'}"
        except Exception as error:  # a service's own: its text may hold anything
            failures[number] = f"internal error ({type(error).__name__})"
        ended.add(number)

    threads = [
        threading.Thread(target=one, args=(number, target), daemon=True)
        for number, target in enumerate(targets)
    ]
    for thread in threads:
        thread.start()
    limit = time.monotonic() + WHOLE_SECONDS
    while any(thread.is_alive() for thread in threads):
        if stopped() or time.monotonic() > limit:
            break
        next(thread for thread in threads if thread.is_alive()).join(GLANCE_SECONDS)
    why = "interrupted" if stopped() else "it did not end in time"
    for number, target in enumerate(targets):
        if number not in ended:
            failures.setdefault(number, why)
        if number in failures:
            say(f"Not notified: {target.name}: {failures[number]}.")
    return len(failures)
