"""Fresh labs without the wait: the next one starts and does its first jobs while a test runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from integration.harness import Lab, wait_until

FIRST_JOBS_SECONDS = 20
AGE_SECONDS = 6  # until what happens later is later by the clock, too


class Nursery:
    """Hands out labs, one at a time; who takes one also stops it."""

    def __init__(
        self, folder: Callable[[], Path], servers: Sequence[str], instances: Sequence[str]
    ) -> None:
        self._folder, self._servers, self._instances = folder, servers, instances
        self._thread = ThreadPoolExecutor(1)
        self._next: Future[tuple[Lab, float]] | None = None

    def take(self) -> Lab:
        """The lab that is ready; the next one is begun."""
        waiting = self._next or self._thread.submit(self._grown)
        self._next = None
        lab, born = waiting.result()
        self._next = self._thread.submit(self._grown)
        time.sleep(max(0.0, AGE_SECONDS - (time.monotonic() - born)))
        return lab

    def close(self) -> None:
        """Stop what nobody took."""
        if self._next:
            self._next.result()[0].down()
        self._thread.shutdown()

    def _grown(self) -> tuple[Lab, float]:
        lab = Lab(self._folder() / "lab")
        try:
            lab.up(*self._servers, instances=self._instances)
            born = time.monotonic()
            jobs = [
                lab.home(server) / "var" / instance / pattern
                for server in self._servers
                for instance in self._instances
                for pattern in ("export/contacts_export*.csv", "import/contacts_import*.done")
            ]
            assert wait_until(
                lambda: all(any(path.parent.glob(path.name)) for path in jobs), FIRST_JOBS_SECONDS
            ), "the first export and import did not end"
        except BaseException:
            lab.down()
            raise
        return lab, born
