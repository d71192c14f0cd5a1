# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What can be wrong with the command nlserver and with its environment."""

from __future__ import annotations

from collections.abc import Iterator

from ...snapshot.records import ProbeError
from ...snapshot.server import Server
from ..model import CRITICAL, WARNING, Evidence, as_account, as_root
from ..rules import Catalogue

problems = Catalogue("watchdog")

LIBRARY = "cannot open shared object file"


def environment_failure(server: Server) -> ProbeError | None:
    """Why the environment could not be read."""
    return server.failures.get("environment")


@problems.problem(
    title="The Campaign environment is broken",
    severity=CRITICAL,
    summary="{why}: no module can be started, and nlserver was not run.",
    source="configuration",
    needs=(),
    reason="whoever edited env.sh or customer.sh must correct it; whatever depends on it is"
    " unknown",
    fix=as_account("sh -n {home}/customer.sh", "sh -x {home}/env.sh"),
    causes=("host.disk_full", "host.memory_exhausted"),
)
def environment_broken(server: Server) -> Iterator[Evidence]:
    failure = environment_failure(server)
    if failure:
        yield Evidence({"why": failure.message[:300], "error": failure.kind})


@problems.problem(
    title="The nlserver command does not work",
    severity=CRITICAL,
    summary="nlserver fails: {why}",
    source="usual_commands",
    needs=(),
    reason="every remedy needs nlserver itself; a restart would stop modules and start none",
    fix=as_account("ls -l {home}/bin/nlserver", "nlserver pdump"),
    causes=("host.disk_full", "host.memory_exhausted"),
)
def nlserver_fails(server: Server) -> Iterator[Evidence]:
    failure = server.failures.get("pdump")
    if failure is None or failure.kind == "timeout" or environment_failure(server):
        return
    if LIBRARY not in failure.message:
        yield Evidence({"why": failure.message[:300]})


@problems.problem(
    title="The nlserver command is slow",
    severity=WARNING,
    summary="nlserver pdump took {seconds:g} s.",
    source="usual_commands",
    needs=("pdump",),
    reason="it still answers: find what it is waiting for, often CPU load or disk",
    fix=as_root("top -b -n 1 | head -20", "iostat -x 1 3"),
    causes=("host.load_high", "host.memory_exhausted", "host.disk_full"),
)
def nlserver_slow(server: Server) -> Iterator[Evidence]:
    seconds = server.probe_seconds("pdump")
    if seconds is not None and seconds >= server.limits.nlserver_slow_seconds:
        yield Evidence({"seconds": round(seconds, 1)})
