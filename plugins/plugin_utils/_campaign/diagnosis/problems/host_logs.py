# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the logs say of the machine, and of the last upgrade, and not of one module."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import MODULES

from ...snapshot.history import CHILD_LOGS, UPGRADE_LOG
from ...snapshot.records import LogGroup
from ...snapshot.server import Server
from ..knowledge import BY_CODE, Kind, Meaning, Restart, distinct_events, meaning_of
from ..model import INFO, WARNING, Evidence, advice, as_account, as_root, duration
from ..rules import Catalogue
from .logged import as_documented, lines, logged, meaning_facts, reported

problems = Catalogue("host")

STOPPED = "stopped"  # the category of what a post-upgrade stopped at


def _upgrade(
    server: Server, wanted: Callable[[LogGroup, Meaning | None], bool]
) -> Iterator[Evidence]:
    """What the log of the last post-upgrade has of a kind, instance by instance."""
    for log in server.logs.logs:
        if log.module == UPGRADE_LOG:
            groups = [
                group for group in log.groups
                if group.level != "info" and wanted(group, meaning_of(group))
            ]
            if groups:
                facts = {**lines(groups), "path": log.path}
                yield replace(logged(facts, groups), instance=log.instance)


@problems.problem(
    title="The post-upgrade failed",
    severity=WARNING,
    summary="The post-upgrade of {instance} stopped: {sample}",
    source="usual_commands",
    needs=("logs",),
    reason="correct the error first, then run it again; a restart does not run it",
    fix=advice("correct the error that {path} reports").then(
        as_account("nlserver config -postupgrade -allinstances")
    ),
)
def upgrade_failed(server: Server) -> Iterator[Evidence]:
    return _upgrade(server, _stopped)


def _stopped(group: LogGroup, row: Meaning | None) -> bool:
    return group.category == STOPPED or (row is not None and row.problem == "host.upgrade_failed")


@problems.problem(
    title="Customised resources conflict with the new build",
    severity=INFO,
    summary="The post-upgrade of {instance} left {count:# conflict}. The last: {sample}",
    source="usual_commands",
    needs=("logs",),
    **as_documented("upgrade-conflict"),
)
def upgrade_conflicts(server: Server) -> Iterator[Evidence]:
    return _upgrade(
        server, lambda _group, row: row is not None and row.problem == "host.upgrade_conflicts"
    )


@problems.problem(
    title="The post-upgrade left notes to review",
    severity=INFO,
    summary="The post-upgrade of {instance} left {count:# note}. The last: {sample}",
    source="usual_commands",
    needs=("logs",),
    reason="the upgrade itself worked; a restart does not change the notes",
    fix=advice("read {path}"),
)
def upgrade_notes(server: Server) -> Iterator[Evidence]:
    return _upgrade(server, lambda group, row: not _stopped(group, row) and (
        row is None or row.problem == "host.upgrade_notes"
        or (row.kind is not Kind.NOTE and row.problem != "host.upgrade_conflicts")
    ))


@problems.problem(
    title="Oracle time zone files differ",
    severity=WARNING,
    summary="The Oracle client and the database of {instance} use different time zone files"
    " ({count:# time}): {sample}",
    source="workflow",
    needs=("logs",),
    **as_documented("ORA-01805"),
)
def database_time_zone_files(server: Server) -> Iterator[Evidence]:
    for instance in sorted({module.instance for module in server.modules}):
        modules = [module for module in server.modules if module.instance == instance]
        groups = reported("host.database_time_zone_files", server, modules)
        if groups:
            yield replace(logged(lines(groups), groups), instance=instance)


@problems.problem(
    title="Log lines are dated in the future",
    severity=WARNING,
    summary="{count:# log line} {count:? is|are} dated up to {ahead} in the future ({modules}): a"
    " clock is or was wrong.",
    source="log_files",
    needs=("logs",),
    reason="the machine's clock is not part of Campaign; these lines are ignored, because it is"
    " unknown when they were written",
    fix=as_root("timedatectl", "chronyc tracking"),
    causes=("host.clock_skew",),
)
def logs_in_future(server: Server) -> Iterator[Evidence]:
    held = [log for log in server.logs.logs if log.future_lines and log.future_at]
    if held:
        last = max(log.future_at or 0.0 for log in held)
        yield Evidence({
            "count": sum(log.future_lines for log in held), "last_at": last,
            "ahead": duration(last - server.now),
            "modules": ", ".join(sorted({log.module for log in held})),
        })


OWN_LOGS = frozenset((*MODULES, *(child for each in CHILD_LOGS.values() for child in each)))


@problems.problem(
    title="Another Campaign module logs errors",
    severity=WARNING,
    summary="{module} of {instance} logged {count:# time}: {meaning} ({code}). {sample}",
    source="log_files",
    needs=("logs",),
    reason="a restart of {module} {restart}: {action}",
    fix=advice("{who:words}: {action:words}"),
    causes=("host.disk_full", "host.memory_exhausted", "host.database_unreachable"),
)
def other_module_errors(server: Server) -> Iterator[Evidence]:
    """Documented errors of other Campaign modules, such as pipelined."""
    for log in server.logs.logs:
        name = log.module.removesuffix("_debug")  # of a module with raised precision
        if name in OWN_LOGS or log.module == UPGRADE_LOG:
            continue
        rows: dict[str, list[LogGroup]] = {}
        for group in distinct_events(log.groups):
            row = meaning_of(group)
            if row and row.decides and not row.problem and group.level == "error" and not (
                row.restart is Restart.HEALS and group.went_on
            ):
                rows.setdefault(row.code, []).append(group)
        for code, groups in sorted(rows.items()):
            facts = {"module": log.module, **meaning_facts(BY_CODE[code]), **lines(groups)}
            yield replace(
                logged(facts, groups), instance=log.instance, subject=f"{log.module}:{code}"
            )
