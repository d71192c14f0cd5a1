# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What can be wrong with stat, which keeps the connection statistics and quotas of mta."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.campaign.remediation.plugins.plugin_utils.model import (
    CRITICAL,
    WARNING,
    Catalogue,
    Evidence,
    Facts,
    as_account,
    as_root,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils.problems.common import (
    RESTART,
    add_to,
    other_holder,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils.snapshot import (
    Server,
    Task,
)

problems = Catalogue("stat")


@problems.each(
    title="Another process holds the port of stat",
    severity=CRITICAL,
    summary="{port}/udp is held by {holder} (process {pid}): mta gets no quotas.",
    source="network",
    needs=("sockets", "configuration"),
    reason="the process that holds it must give the port up",
    fix=as_root("{stop}").then(RESTART),
)
def port_taken(server: Server, task: Task) -> Facts | None:
    return other_holder(server, "udp", _port(server, task)) if task.expected else None


def _port(server: Server, task: Task) -> int | None:
    return task.number("port") or server.port(f"stat@{task.instance}")


@problems.each(
    title="Does not hold its port",
    severity=CRITICAL,
    summary="{target} runs, but nobody listens on {port}/udp: mta gets no quotas.",
    source="network",
    needs=("sockets", "tasks", "configuration"),
    remedy="restart",
    fix=RESTART,
    causes=("stat.hung", "stat.crash_loop"),
)
def port_not_held(server: Server, task: Task) -> Facts | None:
    port = _port(server, task)
    if not task.alive or port is None or any(server.listening("udp", port)):
        return None
    return {"port": port, "pid": task.pid}


@problems.problem(
    title="Quotas changed and were not reloaded",
    severity=WARNING,
    summary="{path} changed at {changed_at:time}; {target} read its quotas before.",
    source="deliverability",
    needs=("storage", "processes"),
    remedy="reload",
    fix=as_account("nlserver stat -reload"),
)
def quotas_not_loaded(server: Server) -> Iterator[Evidence]:
    for file in server.storage.quota_files:
        for task in server.tasks_of("stat"):
            begun, changed = task.started_at, file.mtime_at
            if begun is None or changed is None or not task.alive:
                continue
            read_at = max(begun, server.reloaded_at(task) or 0.0)
            late = changed > read_at and changed > begun + server.limits.clock_grain_seconds
            if late and (_named(file.path, task) or not _named_any(server, file.path)):
                yield Evidence(
                    {"path": file.path, "changed_at": changed, "read_at": read_at},
                    task.instance, file.path,
                )


def _named(path: str, task: Task) -> bool:
    return task.instance in path.rsplit("/", 1)[-1].replace(".", "-").split("-")


def _named_any(server: Server, path: str) -> bool:
    """Whether a file's name says the instance that it is for."""
    return any(_named(path, task) for task in server.tasks)


add_to(problems, stopped_by=("stat.port_taken",))
