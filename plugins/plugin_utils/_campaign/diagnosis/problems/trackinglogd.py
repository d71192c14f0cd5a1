# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What can be wrong with trackinglogd, which writes a redirection server's tracking logs."""

from __future__ import annotations

from collections.abc import Iterator

from ...snapshot.records import Segment
from ...snapshot.server import Server
from ..model import CRITICAL, WARNING, Evidence, Facts, advice, as_account, as_root
from ..rules import Catalogue
from . import every_module
from .common import named
from .logged import lines, logged, reported

problems = Catalogue("trackinglogd")

REBUILD = advice(
    "stop nlserver and the web server, remove each segment (ipcrm -m) and each semaphore (ipcrm -s)"
    " of {owners}, start nlserver, start the web server"
)


@problems.problem(
    title="The tracking shared memory is stale",
    severity=CRITICAL,
    summary="Shared memory of another version blocks trackinglogd ({shown}): {sample}",
    source="tracking_parameters",
    needs=(),
    remedy="rebuild_shared_memory",
    fix=as_root("ipcs -m -p", "ipcs -s").then(REBUILD),
)
def shared_memory_stale(server: Server) -> Iterator[Evidence]:
    modules = [module for module in server.modules if module.name != "watchdog"]
    groups = reported("trackinglogd.shared_memory_stale", server, modules)
    if groups:
        yield logged({**lines(groups), "orphans": len(_orphans(server)), **held(server)}, groups)


def held(server: Server) -> Facts:
    """Whose segments and semaphores there are: those of the web server's account, too."""
    both = [("segment", one.key, one.owner) for one in server.segments]
    both += [("semaphore", one.key, one.owner) for one in server.semaphores]
    owners = sorted({owner for _kind, _key, owner in both if owner} | {server.user})
    return {
        "owners": " and ".join(owners),
        "shown": named(f"{kind} {key} of {owner or 'unknown'}" for kind, key, owner in both)
        or "segments and semaphores could not be listed",
        "semaphores": len(server.semaphores),
    }


def _orphans(server: Server) -> list[Segment]:
    """Unused segments of a dead process."""
    return [
        segment for segment in server.segments
        if segment.creator_alive is False and segment.attached == 0
    ]


@problems.problem(
    title="The account holds too many shared memory segments",
    severity=WARNING,
    summary="The account holds {segments} shared memory segments; {orphans} of them are orphaned.",
    source="monitoring",
    needs=("shared_memory",),
    remedy="rebuild_shared_memory",
    fix=as_root("ipcs -m -p", "ipcs -s").then(REBUILD),
    causes=("trackinglogd.shared_memory_stale",),
)
def too_many_segments(server: Server) -> Iterator[Evidence]:
    count = len(server.segments)
    if count >= server.limits.shared_memory_segments:
        orphans = _orphans(server)
        shown = ", ".join(f"{s.key} ({s.size_bytes} bytes)" for s in orphans[:5])
        yield Evidence({
            **held(server), "segments": count, "orphans": len(orphans), "shown": shown or None,
        })


@problems.problem(
    title="Tracking logs have stopped growing",
    severity=WARNING,
    summary="The newest tracking log of {instance} is from {newest_at:time}.",
    source="tracking_logs",
    needs=("storage", "tasks"),
    remedy="restart",
    fix=as_account("nlserver restart trackinglogd"),
    causes=(
        "trackinglogd.not_running", "trackinglogd.hung", "trackinglogd.crash_loop",
        "trackinglogd.shared_memory_stale", "trackinglogd.size_limit", "web.front_down",
        "web.redirection_missing", "watchdog.nothing_runs", "host.disk_full",
    ),
)
def files_not_growing(server: Server) -> Iterator[Evidence]:
    module = server.module("trackinglogd")
    if module is None or not (module.expected or module.alive):
        return
    for entry in server.storage.redirection:
        if server.older(entry.newest_at, server.limits.redirection_log_minutes):
            yield Evidence(
                {
                    "instance": entry.instance, "newest_at": entry.newest_at,
                    "files": entry.log_files,
                },
                subject=entry.instance,
            )


@problems.problem(
    title="Tracking logs are at their size limit",
    severity=WARNING,
    summary="The tracking logs of {instance} fill {used_mb} of {limit_mb} MB: the oldest are lost.",
    source="configuration_file",
    needs=("storage", "configuration"),
    reason="run tracking to collect the logs, or raise maxLogsSizeOnDiskMb",
    fix=as_account("nlserver tracking -instance:{instance}"),
    causes=("tracking.consolidation_late", "tracking.workflow_failed"),
)
def size_limit(server: Server) -> Iterator[Evidence]:
    module = server.module("trackinglogd")
    limit = module.number("max_logs_on_disk_mb") if module else None
    for entry in server.storage.redirection:
        used = (entry.log_bytes or 0) / 1048576
        if limit and used >= limit * server.limits.redirection_size_percent / 100:
            yield Evidence(
                {"instance": entry.instance, "used_mb": round(used, 1), "limit_mb": limit},
                subject=entry.instance,
            )


problems.include(
    *every_module.SUPERVISED,
    causes_of_stop=("trackinglogd.shared_memory_stale",),
    causes_of_errors=("trackinglogd.size_limit",),
)
