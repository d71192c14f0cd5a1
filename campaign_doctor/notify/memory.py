# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a target has heard: the state of each host when it was last told.

It lies beside the history, in a file for each target and inventory. A run that ends while another
one sends waits for it and then tells only what that one did not. In quiet hours nothing is told and
so nothing is written: the first run after them tells all that has changed since they began.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..files import write_whole
from ..model import Changes, InvalidReport, Report

WAIT_SECONDS = 60.0
GLANCE_SECONDS = 0.1

Json = dict[str, Any]

# Of a finding, what is compared; the rest may be personal, and is not kept.
_FINDING = ("id", "key", "module", "instance", "severity", "title", "caused_by", "caused_by_ids")
_HOST = ("name", "reachable", "status", "verdict")


class Busy(Exception):
    """Another run has not ended its sending."""


class Memory:
    """Of one target, for one inventory."""

    def __init__(self, folder: Path, target: str, inventory: str) -> None:
        name = hashlib.sha256(f"{target}\n{inventory}".encode("utf-8", "replace")).hexdigest()[:16]
        self._path = folder / f"notified-{name}.json"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While no other run tells this target anything. Raises Busy and OSError."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        end = time.monotonic() + WAIT_SECONDS
        with self._path.with_suffix(".lock").open("w") as file:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > end:
                        raise Busy from None
                    time.sleep(GLANCE_SECONDS)
            yield

    @property
    def exists(self) -> bool:
        """Whether anything is known of this target."""
        return self._path.exists()

    def recall(self) -> Report | None:
        """What it has heard; None: nothing. Raises InvalidReport and OSError."""
        try:
            data = json.loads(self._path.read_text(encoding="utf-8"))
        except ValueError:
            raise InvalidReport(f"{self._path} is damaged") from None
        return None if data is None else Report.of(data, str(self._path))

    def keep(self, heard: Report | None) -> None:
        """From now on it has heard this. Raises OSError."""
        data = None if heard is None else _kept(heard)
        write_whole(self._path, json.dumps(data, separators=(",", ":")).encode())


def after(
    heard: Report | None, report: Report, changes: Changes | None, *, whole: bool, scope: str
) -> Report:
    """What a target has heard once it is told of a report. `whole`: of all hosts of the inventory.

    What was not looked at is as it was.
    """
    before = {host["name"]: host for host in _kept(heard)["hosts"]} if heard else {}
    unseen = {(change.host, change.id) for change in changes.unseen} if changes else set()
    data = _kept(report)
    for host in data["hosts"]:
        former = before.get(host["name"])
        if former is None:
            continue
        if host["status"] != "diagnosed":
            host.update(findings=former["findings"], modules=former["modules"])
            continue
        there = {each["id"] for each in host["findings"]}
        host["findings"] += [each for each in former["findings"] if each["id"] not in there
                             and (host["name"], each["id"]) in unseen]  # fmt: skip
        if scope:
            host["modules"] += [each for each in former["modules"] if each not in host["modules"]]
    if not whole:
        names = {host["name"] for host in data["hosts"]}
        data["hosts"] += [host for name, host in before.items() if name not in names]
    return Report.of(data)


def _kept(report: Report) -> Json:
    """What the next comparison needs of a report."""
    data = report.as_json()
    hosts = [
        {
            **{name: host.get(name) for name in _HOST},
            "modules": [{"module": each["module"], "instance": each["instance"], "state": "", "verdict": ""}
                        for each in host.get("modules", ())],
            "findings": [{name: each[name] for name in _FINDING if name in each}
                         for each in host.get("findings", ())],
        }
        for host in data["hosts"]
    ]  # fmt: skip
    kept = {name: data[name] for name in ("schema", "started", "finished", "collection", "summary")}
    return {**kept, "run": data.get("run"), "hosts": hosts, "roots": []}
