# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What can be wrong with stat, which keeps the connection statistics and quotas of mta."""

from __future__ import annotations

from collections.abc import Iterator

from ...snapshot.records import ModuleInstance
from ...snapshot.server import Server
from ..model import CRITICAL, WARNING, Evidence, Facts, advice, as_account, as_root
from ..rules import Catalogue
from . import every_module
from .common import RESTART, other_holder

problems = Catalogue("stat")


@problems.per_instance(
    title="Another process holds the port of stat",
    severity=CRITICAL,
    summary="{port}/udp is held by {holder} (process {pid}): mta gets no quotas.",
    source="network",
    needs=("sockets", "configuration"),
    reason="the process that holds the port must release it",
    fix=as_root("{stop}").then(RESTART),
)
def port_taken(server: Server, module: ModuleInstance) -> Facts | None:
    if not module.expected or _sharing(server, module):
        return None
    return other_holder(server, "udp", _port(server, module))


def _port(server: Server, module: ModuleInstance) -> int | None:
    return module.number("port") or server.port(f"stat@{module.instance}")


def _sharing(server: Server, module: ModuleInstance) -> list[ModuleInstance]:
    """Other instances here whose statistics server is configured for the same port."""
    port = _port(server, module)
    return [
        other for other in server.instances_of("stat")
        if other.instance != module.instance and port is not None
        and (other.expected or other.alive) and _port(server, other) == port
    ]


@problems.problem(
    title="Two statistics servers are set to the same port",
    severity=WARNING,
    summary="stat of {instances} are set to {port}/udp, but only one can hold it: the others serve"
    " no mta.",
    source="deliverability",
    needs=("configuration", "tasks"),
    reason="a restart does not help: instances that share a machine need one statistics server;"
    " switch the others off",
    fix=advice(
        'set autoStart="false" for stat of all instances but one, and point every mta at that one'
        " (statServerAddress); or give each its own port"
    ),
)
def port_wanted_twice(server: Server) -> Iterator[Evidence]:
    told: set[int | None] = set()
    for module in server.instances_of("stat"):
        others = _sharing(server, module) if module.expected or module.alive else []
        port = _port(server, module)
        if others and port not in told:
            told.add(port)
            names = [module.instance, *(other.instance for other in others)]
            yield Evidence(
                {"port": port, "instances": " and ".join(names), "count": len(names)},
                subject=str(port),
            )


@problems.per_instance(
    title="stat is not listening on its port",
    severity=CRITICAL,
    summary="{target} is running, but nothing is listening on {port}/udp: mta gets no quotas.",
    source="network",
    needs=("sockets", "tasks", "configuration"),
    remedy="restart",
    fix=RESTART,
    causes=("stat.hung", "stat.crash_loop"),
)
def port_not_held(server: Server, module: ModuleInstance) -> Facts | None:
    port = _port(server, module)
    if not module.alive or port is None or any(server.listening("udp", port)):
        return None
    return {"port": port, "pid": module.pid}


@problems.problem(
    title="The changed quotas are not loaded",
    severity=WARNING,
    summary="{path} changed at {changed_at:time}; {target} still uses the quotas from before.",
    source="deliverability",
    needs=("storage", "processes"),
    remedy="reload",
    fix=as_account("nlserver stat -reload"),
)
def quotas_not_loaded(server: Server) -> Iterator[Evidence]:
    for file in server.storage.quota_files:
        for module in server.instances_of("stat"):
            begun, changed = module.started_at, file.mtime_at
            if begun is None or changed is None or not module.alive:
                continue
            read_at = max(begun, server.history.reloaded_at(module) or 0.0)
            late = changed > read_at and changed > begun + server.limits.clock_grain_seconds
            if late and (_named(file.path, module) or not _named_any(server, file.path)):
                yield Evidence(
                    {"path": file.path, "changed_at": changed, "read_at": read_at},
                    module.instance, file.path,
                )


def _named(path: str, module: ModuleInstance) -> bool:
    return module.instance in path.rsplit("/", 1)[-1].replace(".", "-").split("-")


def _named_any(server: Server, path: str) -> bool:
    """Whether a file's name says the instance that it is for."""
    return any(_named(path, module) for module in server.modules)


problems.include(*every_module.SUPERVISED, causes_of_stop=(
    "stat.port_taken", "stat.port_wanted_twice",
))
