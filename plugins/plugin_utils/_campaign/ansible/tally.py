# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What has happened on all hosts of a run so far, for its brakes.

Ansible repairs each host in a process of its own, so it is a file, in the directory that Ansible makes
for itself and removes at the end. Whoever decides holds it meanwhile: two hosts never take the last
free place.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from ansible import constants

from ..planning.admission import Event, Run
from ..planning.records import FleetPlan


class Tally:
    """The events of a run."""

    def __init__(self, run: str, fleet: FleetPlan) -> None:
        self._fleet = fleet
        name = re.sub(r"[^\w.-]", "_", run)
        self._path = Path(constants.DEFAULT_LOCAL_TMP) / f"campaign-run-{name}.jsonl"

    @contextmanager
    def held(self) -> Iterator[Held]:
        """Nobody else reads or writes it meanwhile. Raises OSError."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "r+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            events = [Event.of(json.loads(line)) for line in file]
            yield Held(Run(self._fleet, events), file)


class Held:
    """The tally while it is held."""

    def __init__(self, run: Run, file: TextIO) -> None:
        self.run = run
        self._file = file

    def add(self, *events: Event) -> None:
        """Write down what happened."""
        for event in events:
            self._file.write(json.dumps(event.as_dict()) + "\n")
        self._file.flush()
