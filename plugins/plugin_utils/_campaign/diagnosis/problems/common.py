# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the rules of several modules need: usual fixes and causes, and looks at ports and peers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from ...snapshot.records import ConfigurationFile, ModuleInstance, Target
from ...snapshot.server import Server
from ..model import Evidence, Facts, as_account, as_root
from ..shell import Shell

START = as_account("nlserver start {target}")
RESTART = as_account("nlserver restart {target}")
KILL_AND_START = as_account("nlserver stop {target} -immediate", "nlserver start {target}")

RESTART_ALL = as_root("{restarts_with}")

SUPERVISION = ("watchdog.nothing_runs", "watchdog.stopped", "watchdog.hung")
INSTALLATION = (
    "host.disk_full", "host.configuration_unreadable", "watchdog.environment_broken",
    "watchdog.wrong_library", "watchdog.shared_memory_version", "watchdog.nlserver_fails",
)
# With its sockets, which would start it again.
STOP_UNIT = "systemctl stop $(systemctl show --value -p TriggeredBy {unit}) {unit}"
KILL = "kill {pid}"
UNIT = re.compile(r"[\w:.\\@-]+", re.ASCII)  # with a * in it, systemctl would stop others, too
MACHINE = ("host.disk_full", "host.memory_exhausted", "host.database_unreachable")


def other_holder(server: Server, proto: str, port: int | None) -> Facts | None:
    """Who else holds a port that is this server's, and the command that stops it."""
    held = list(server.listening(proto, port))
    if not held or any(socket.ours for socket in held):
        return None
    socket = held[0]
    unit = socket.unit if socket.unit and UNIT.fullmatch(socket.unit) else None
    return {
        "port": port,
        "holder": socket.command or "an unknown process",
        "pid": socket.pid,
        "holder_user": socket.user,
        "unit": socket.unit,
        "stop": Shell.of(STOP_UNIT if unit else KILL, {"unit": unit, "pid": socket.pid or "PID"}),
    }


def unreachable(
    server: Server, name: str, wanted: Callable[[Target], bool] = lambda _target: True
) -> Iterator[Evidence]:
    """Peers of a kind that do not answer: the fact `name` is the address."""
    for target in server.targets(name):
        if target.reachable is False and wanted(target):
            facts: Facts = {
                name: target.address, "host": target.host, "port": target.port,
                "error": target.error or "unreachable",
            }
            yield Evidence(facts, target.instance, target.address)


def turning_away(server: Server, name: str) -> Iterator[Evidence]:
    """Peers of a kind that answer, but with an error: the fact `name` is the address."""
    for target in server.targets(name):
        if target.error == "protocol":
            said = target.detail.get("answer")
            answer = said if isinstance(said, str) and said else "nothing"
            facts: Facts = {
                name: target.address, "host": target.host, "port": target.port, "answer": answer,
            }
            yield Evidence(facts, target.instance, target.address)


def named(names: Iterable[str], most: int = 5) -> str:
    """The first names of some, and how many more there are."""
    known = list(names)
    more = f" and {len(known) - most} more" if len(known) > most else ""
    return ", ".join(known[:most]) + more


def operators_disabled(server: Server) -> Iterator[Evidence]:
    """Disabled operators who own workflows that should run."""
    for answers in server.api_answers:
        held: dict[str, list[str]] = {}
        for owner in answers.disabled_owners or ():
            workflow = answers.workflow(owner.name)
            if workflow and not workflow.idle:
                held.setdefault(owner.operator, []).append(workflow.shown)
        for operator, workflows in sorted(held.items()):
            facts: Facts = {
                "operator": operator, "count": len(workflows), "workflows": named(workflows),
            }
            yield Evidence(facts, answers.instance, operator)


def newer_files(server: Server, module: ModuleInstance) -> Iterator[ConfigurationFile]:
    """The files that changed after the module last read them."""
    if module.started_at is None or not module.alive:
        return
    read_at = max(module.started_at, server.history.reloaded_at(module) or 0.0)
    grace = server.limits.configuration_grace_seconds
    for file in server.configuration.files:
        changed = file.mtime_at
        if file.error or changed is None or not file.concerns(module):
            continue
        if changed > module.started_at + grace and changed > read_at:
            yield file
