# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What can be wrong with mta, which sends mail through its children."""

from __future__ import annotations

from collections.abc import Iterator

from ...snapshot.records import ModuleInstance, Target
from ...snapshot.server import Server
from ...snapshot.work import Delivery
from ..model import CRITICAL, WARNING, Evidence, Facts, advice, as_account, as_root
from ..rules import Catalogue
from . import every_module
from .common import RESTART, named, turning_away, unreachable
from .logged import DEATH, lines, logged, reported

problems = Catalogue("mta")

DYING_SECONDS = 60.0
"""So long ago at most the last child died where they die one after the other."""
YOUNG_SECONDS = 5.0

NOT_SENDING = (
    "mta.not_running", "mta.hung", "mta.crash_loop", "mta.stat_address_missing",
    "mta.stat_unreachable", "mta.temporary_device", "mta.relay_unreachable", "mta.relay_error",
    "mta.dns_failed",
)


@problems.per_instance(
    title="mta has no statistics server address",
    severity=CRITICAL,
    summary="statServerAddress of {target} is empty: mta does not start without it, and no mail"
    " goes out.",
    source="deliverability",
    needs=("configuration",),
    reason="your site decides which statistics server to use",
    fix=advice(
        'set statServerAddress="localhost:7777" (or the shared one) in'
        " {home}/conf/config-{instance}.xml"
    ).then(as_account("nlserver start {target}")),
)
def stat_address_missing(_server: Server, module: ModuleInstance) -> Facts | None:
    if module.setting("stat_address") != "" or not (module.expected or module.alive):
        return None
    return {"stat_address": "", "running": module.alive}


@problems.per_instance(
    title="mta only simulates sending (verifyMode)",
    severity=CRITICAL,
    summary="verifyMode is on for {target} in {file}: deliveries end as sent, but no recipient"
    " gets any mail.",
    source="configuration_file",
    needs=("configuration",),
    reason="verifyMode is for simulations and tests: whoever set it must turn it off, then restart"
    " mta",
    fix=advice('set verifyMode="false" in {home}/conf/{file}').then(
        as_account("nlserver restart {target}")
    ),
)
def verify_mode(_server: Server, module: ModuleInstance) -> Facts | None:
    known = module.configuration
    if known is None or not known.flag("verify_mode") or not (module.expected or module.alive):
        return None
    return {"file": known.origin("verify_mode"), "verify_mode": True}


@problems.per_instance(
    title="Copies of sent messages are filling the disk",
    severity=WARNING,
    summary="With {attributes} set for {target} in {file}, mta writes a copy of what it sends to"
    " {path}, and nothing deletes the copies.",
    source="configuration_file",
    needs=("configuration",),
    reason="the copies are for troubleshooting: whoever set {attributes} must clear it, then"
    " restart mta; a restart alone changes nothing",
    fix=advice("empty {attributes} in {home}/conf/{file}").then(
        as_account("nlserver restart {target}")
    ),
)
def messages_dumped(_server: Server, module: ModuleInstance) -> Facts | None:
    known = module.configuration
    if known is None or not (module.expected or module.alive):
        return None
    names = {"debug_path": "debugPath", "data_log_path": "dataLogPath"}
    paths = {name: path for name in names if (path := known.text(name))}
    if not paths:
        return None
    return {
        "attributes": " and ".join(names[name] for name in paths),
        "file": known.origin(next(iter(paths))), "path": " and ".join(paths.values()),
    }


@problems.problem(
    title="An mtachild exceeds its memory limit (maxWorkingSetMb)",
    severity=WARNING,
    summary="mtachild {pid} of {target} uses {memory_mb:g} MB; at maxWorkingSetMb ({limit_mb} MB)"
    " it stops sending until it is replaced.",
    source="deliverability",
    needs=("processes", "configuration"),
    reason="a restart only starts the same cycle again: raise maxWorkingSetMb, or lower"
    " maxWaitingMessages ({waiting})",
    fix=advice(
        "raise maxWorkingSetMb, or lower maxWaitingMessages, in the child element of mta, then"
        " restart {target}"
    ),
)
def working_set_reached(server: Server) -> Iterator[Evidence]:
    for module in server.instances_of("mta"):
        limit = module.number("working_set_mb")
        children = [
            child for child in server.children_of(module, "mtachild")
            if limit and (child.memory_mb or 0.0) >= limit
        ]
        if children:
            largest = max(children, key=lambda child: (child.memory_mb or 0.0, child.pid))
            facts: Facts = {
                "pid": largest.pid, "memory_mb": round(largest.memory_mb or 0.0, 1),
                "limit_mb": limit, "waiting": module.number("waiting_messages"),
                "children": len(children),
            }
            yield Evidence(facts, module.instance)


@problems.problem(
    title="mta cannot reach its statistics server",
    severity=CRITICAL,
    summary="{target} cannot reach stat on {stat_host}:{stat_port} ({error}): no mail goes out.",
    source="modules",
    needs=("network",),
    reason="fix stat on {stat_host}",
    fix=advice(
        "check stat on {stat_host} (nlserver pdump), and that {stat_port}/udp is open between the"
        " two hosts"
    ),
    causes=(
        "stat.not_running", "stat.hung", "stat.crash_loop", "stat.port_taken",
        "stat.port_not_held", "watchdog.nothing_runs",
    ),
)
def stat_unreachable(server: Server) -> Iterator[Evidence]:
    for target in server.targets("stat"):
        module = server.module("mta", target.instance)
        if target.reachable is not False and not _served_by_sick_stat(server, target):
            continue
        if module is None or not (module.expected or module.alive):
            continue
        local = server.local(target)
        yield Evidence(
            {
                "stat_host": target.host,
                "stat_port": target.port,
                "stat_addresses": " ".join(target.resolved) or None,
                "stat_local": local,
                "stat_instance": _serving(server, target) if local else None,
                "error": target.error or "no answer",
            },
            target.instance,
        )


def _serving(server: Server, target: Target) -> str:
    """The instance whose stat serves an mta of this host: its own, or the one it shares."""
    own = server.module("stat", target.instance)
    if own and (own.expected or own.alive):
        return target.instance
    shared = [module for module in server.instances_of("stat") if module.expected or module.alive]
    return shared[0].instance if shared else target.instance


def _served_by_sick_stat(server: Server, target: Target) -> bool:
    """A missing UDP answer proves nothing, unless that stat is known to hang."""
    if target.reachable is True or not server.local(target):
        return False
    stat = server.module("stat", _serving(server, target))
    return stat is not None and stat.state == "hung"


@problems.per_instance(
    title="The temporary directory is on another device",
    severity=CRITICAL,
    summary="{target} cannot move its temporary files ({count:# time}): {sample}",
    source="temporary_files",
    needs=("logs",),
    remedy="move_tmp",
    fix=as_account(
        "mkdir -p {var_dir}/tmp",
        "printf '%s\\n' {line} >> {home}/customer.sh",
        "nlserver restart {target}",
        line="export TMPDIR={var_dir}/tmp",
    ),
)
def temporary_device(server: Server, module: ModuleInstance) -> Evidence | None:
    groups = reported("mta.temporary_device", server, [module])
    if not groups:
        return None
    var_dir = server.environment.var_dir or f"{server.header.home}/var"
    tmp_dir = server.environment.tmp_dir or None
    return logged({**lines(groups), "tmp_dir": tmp_dir, "var_dir": var_dir}, groups)


@problems.per_instance(
    title="A quota is holding back mail",
    severity=WARNING,
    summary="MX rules are holding back mail of {target} ({count:# time}): {sample}",
    source="deliverability",
    needs=("logs",),
    reason="a quota is policy, not a failure: a restart only loses the statistics",
    fix=advice("review the MX rules; after a change: nlserver stat -reload"),
    causes=("stat.quotas_not_loaded",),
)
def quota_met(server: Server, module: ModuleInstance) -> Evidence | None:
    groups = reported("mta.quota_met", server, [module])
    return logged(lines(groups), groups) if groups else None


@problems.problem(
    title="The mail relay is unreachable",
    severity=CRITICAL,
    summary="{target} cannot reach the relay {relay} ({error}): no mail goes out.",
    source="network",
    needs=("network",),
    reason="the relay and the network to it are not part of Campaign",
    fix=as_root("nc -vz {host} {port}"),
)
def relay_unreachable(server: Server) -> Iterator[Evidence]:
    return unreachable(
        server, "relay",
        lambda target: target.error not in ("dns", "protocol") and not _relayed(server, target),
    )


@problems.problem(
    title="The mail relay rejects the server",
    severity=CRITICAL,
    summary="The relay {relay} answers {target} with an error ({answer}): no mail goes out.",
    source="network",
    needs=("network",),
    reason="the relay is not part of Campaign: its administrator can see why it refuses this host",
    fix=as_root("nc -v {host} {port}"),
)
def relay_error(server: Server) -> Iterator[Evidence]:
    return turning_away(server, "relay")


def _relayed(server: Server, target: Target) -> bool:
    """Whether another relay of the same mta answers."""
    return any(
        other.reachable and other.instance == target.instance for other in server.targets("relay")
    )


@problems.problem(
    title="One of several mail relays is unreachable",
    severity=WARNING,
    summary="{target} cannot reach the relay {relay} ({error}); another one answers.",
    source="network",
    needs=("network",),
    reason="the relay and the network to it are not part of Campaign",
    fix=as_root("nc -vz {host} {port}"),
)
def relay_missing(server: Server) -> Iterator[Evidence]:
    return unreachable(server, "relay", lambda target: _relayed(server, target))


@problems.problem(
    title="The name of the mail relay cannot be resolved",
    severity=CRITICAL,
    summary="{target} cannot resolve {host} (DNS): no mail goes out.",
    source="network",
    needs=("network",),
    reason="DNS is not part of Campaign",
    fix=as_root("getent hosts {host}", "cat /etc/resolv.conf"),
)
def dns_failed(server: Server) -> Iterator[Evidence]:
    return unreachable(
        server, "relay", lambda target: target.error == "dns" and not _relayed(server, target)
    )


@problems.per_instance(
    title="mta has no child process although mail is waiting",
    severity=CRITICAL,
    summary="{target} has no mtachild: no mail goes out, and {files:# message} {files:? is|are}"
    " waiting, the oldest since {oldest_at:time}.",
    source="modules",
    needs=("processes", "storage", "logs"),
    remedy="restart",
    fix=RESTART,
    causes=NOT_SENDING,
)
def no_children(server: Server, module: ModuleInstance) -> Facts | None:
    deaths = [group for group in server.history.errors(module, "mta") if DEATH.search(group.sample)]
    last_death = max((group.last_at or 0.0 for group in deaths), default=0.0)
    dying = server.now - last_death < DYING_SECONDS
    # Of children that die at their start the next one may be there for a moment.
    children = [
        child for child in server.children_of(module, "mtachild")
        if not (dying and server.now - (child.started_at or 0.0) < YOUNG_SECONDS)
    ]
    if module.state != "running" or children:
        return None
    waiting = _waiting(server, module, 0 if deaths else server.limits.spool_minutes)
    return {**waiting, **lines(deaths)} if waiting and deaths else waiting


@problems.per_instance(
    title="The mail spool is not moving",
    severity=WARNING,
    summary="{files:# message} of {target} {files:? is|are} waiting, the oldest since"
    " {oldest_at:time}.",
    source="performance",
    needs=("storage",),
    reason="find what holds the mail back first: quotas, the relay, the domains",
    fix=advice("read mtachild.log; nlserver pdump -who"),
    causes=(
        *NOT_SENDING, "mta.no_children", "mta.quota_met", "mta.working_set_reached",
        "watchdog.nothing_runs",
    ),
)
def spool_stuck(server: Server, module: ModuleInstance) -> Facts | None:
    return _waiting(server, module, server.limits.spool_minutes)


def _waiting(server: Server, module: ModuleInstance, minutes: float) -> Facts | None:
    """What waits in the spool for longer than that."""
    for spool in server.storage.spool:
        if spool.instance == module.instance and spool.files and server.older(
            spool.oldest_at, minutes
        ):
            return {"files": spool.files, "oldest_at": spool.oldest_at, "path": spool.path}
    return None


@problems.problem(
    title="Deliveries are waiting past their contact date",
    severity=WARNING,
    summary="{count:# delivery|deliveries} of {instance} {count:? is|are} waiting past the contact"
    " date ({to_send:# message}), the oldest since {oldest_at:time}: {deliveries}",
    source="delivery_statuses",
    needs=("api",),
    reason="find what holds them back first: quotas, the volume, the mta of another host",
    fix=as_account("nlserver pdump").then(advice(
        "open the audit of the deliveries in the console"
    )),
    causes=(
        *NOT_SENDING, "mta.no_children", "mta.quota_met", "mta.working_set_reached",
        "mta.spool_stuck", "stat.quotas_not_loaded", "watchdog.nothing_runs",
        "host.database_unreachable",
    ),
)
def deliveries_waiting(server: Server) -> Iterator[Evidence]:
    for answers in server.api_answers:
        late = [
            delivery for delivery in answers.deliveries or ()
            if delivery.is_in("waiting")
            and server.older(delivery.contact_at, server.limits.delivery_minutes)
        ]
        if late:
            oldest = min(delivery.contact_at or 0.0 for delivery in late)
            yield Evidence({**_deliveries(late), "oldest_at": oldest}, answers.instance)


@problems.problem(
    title="Delivery preparation failed",
    severity=WARNING,
    summary="Preparation failed for {count:# delivery|deliveries} of {instance}"
    " ({to_send:# message}): {deliveries}",
    source="delivery_failures",
    needs=("api",),
    reason="the audit of the delivery says why; its author must correct it and prepare it again",
    fix=advice("open the audit of the deliveries in the console"),
    causes=("host.database_unreachable", "host.disk_full"),
)
def deliveries_failed(server: Server) -> Iterator[Evidence]:
    for answers in server.api_answers:
        failed = [d for d in answers.deliveries or () if d.is_in("preparation_failed")]
        if failed:
            yield Evidence(_deliveries(failed), answers.instance)


def _deliveries(found: list[Delivery]) -> Facts:
    """How many deliveries, how many messages, and their names."""
    return {
        "count": len(found),
        "to_send": sum(delivery.to_send or 0 for delivery in found),
        "deliveries": named(f"{d.label or d.name} ({d.id})" for d in found),
    }


problems.include(
    *every_module.SUPERVISED,
    causes_of_stop=("mta.stat_address_missing",),
    causes_of_errors=(
        "mta.stat_unreachable", "mta.relay_unreachable", "mta.dns_failed",
        "mta.temporary_device", "mta.no_children",
    ),
)
