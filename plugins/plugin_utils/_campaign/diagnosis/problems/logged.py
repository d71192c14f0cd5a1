# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The problems that show in a module's log, by what its lines mean."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from ...snapshot.history import START_LINE_SECONDS
from ...snapshot.records import Log, LogGroup, ModuleInstance
from ...snapshot.server import Server
from ..aftermath import sorted_out
from ..knowledge import BY_CODE, Kind, Meaning, Restart, distinct_events, meaning_of, reported_by
from ..model import INFO, WARNING, ByHand, Evidence, Facts, advice
from ..rules import Catalogue, Inclusion, SharedRules
from .common import INSTALLATION, MACHINE, RESTART, SUPERVISION

# The end of a child, in whatever words a build has for it.
DEATH = re.compile(
    r"\b(?:workflow|runwf|mtachild|child)\b.{0,120}?"
    r"(?:ended unexpectedly|ended with -?[1-9]|killed by|died|signal \d+|crashed"
    r"|exited with (?:code|status) -?[1-9])",
    re.IGNORECASE,
)


def unknown_errors(groups: Iterable[LogGroup]) -> list[LogGroup]:
    """Errors without a documented meaning."""
    return [
        group for group in groups
        if group.level == "error"
        and ((row := meaning_of(group)) is None or row.restart is Restart.UNKNOWN)
    ]


def recovered(server: Server, module: ModuleInstance, group: LogGroup) -> bool:
    """Whether a line is of a workflow that has begun again since, without an error."""
    answers = server.api_answers_of(module.instance) if module.name == "wfserver" else None
    return any(
        workflow.name in group.sample and not workflow.failed
        and (workflow.last_start_at or 0.0) > (group.last_at or server.now)
        for workflow in (answers.workflows if answers else None) or ()
    )


def _newest(groups: list[LogGroup]) -> LogGroup:
    return max(groups, key=lambda group: (group.last_at or 0.0, group.signature))


def lines(groups: list[LogGroup]) -> Facts:
    """The facts of some groups of log lines: how many, the last of them, its words."""
    last = _newest(groups)
    return {
        "count": sum(group.count for group in groups),
        "last_at": last.last_at,
        "sample": last.sample[:300],
    }


DIED = re.compile(
    r"died|dead|crash|kill|signal|core|ended|exit|abort|segfault|start(?:ed|ing)? again|restart"
    r"|cannot|unable|fail|error", re.IGNORECASE,
)


def telling(server: Server, module: ModuleInstance, since: float) -> Facts:
    """Which log says why a module dies: its own, or the watchdog's, which has seen it die."""
    own, watchdog = server.log(module.name, module.instance), server.log("watchdog")
    target = rf"{re.escape(module.name)}(?:@{re.escape(module.instance)}\b|(?![\w@]))"
    name = re.compile(rf"(?<![\w.-]){target}")

    def last(log: Log | None, about: re.Pattern[str] | None) -> LogGroup | None:
        found = [
            group for group in (log.groups if log else ())
            if (group.last_at or 0.0) >= since - START_LINE_SECONDS and group.level != "info"
            and (about is None or (about.search(group.sample) and DIED.search(group.sample)))
        ]
        return _newest(found) if found else None

    told = [
        (log.path, group.sample[:200]) for log, about in ((own, None), (watchdog, name))
        if log and (group := last(log, about))
    ]
    paths = [path for path, _sample in told] or [log.path for log in (own, watchdog) if log]
    says = "; ".join(f"{posixpath.basename(path)} says: {sample}" for path, sample in told)
    return {"tells": " and ".join(paths) or "its log", "says": f" ({says})" if says else ""}


def reported(problem: str, server: Server, modules: Iterable[ModuleInstance]) -> list[LogGroup]:
    """The groups in the logs of some modules that belong to an entry of the catalogue."""
    return [group for module in modules for group in reported_by(problem, server.history.errors(module))]


def logged(facts: Facts, groups: list[LogGroup]) -> Evidence:
    """Evidence from log lines, which identifies causes: their words, and since when it holds.

    Of several kinds of lines that is the time of the kind that is shown.
    """
    words = "\n".join(group.sample for group in groups)
    return Evidence(facts, words=words, began_at=_newest(groups).first_at)


LOGGED = SharedRules()  # for all that writes a log

# Unknown lines of these modules' children have their own entry.
OWN_CHILD_ERRORS = ("wfserver",)


def troubles(own: Inclusion) -> tuple[str, ...]:
    """What can be behind the errors of a module."""
    states = SUPERVISION if own.module == "watchdog" else (
        "MODULE.not_running", "MODULE.hung", "MODULE.crash_loop",
    )
    return tuple(dict.fromkeys((
        *states, *own.causes_of_stop, *own.causes_of_errors, *INSTALLATION, *MACHINE,
        "web.api_database",
    )))  # fmt: skip


def _reported_here(module: str, row: Meaning, group: LogGroup) -> bool:
    """Whether a line is an error of this module that no other entry reports: one of the module's
    own, or one of those that read all logs.
    """
    elsewhere = (module, "host", "watchdog", "trackinglogd", "tracking")
    if row.kind is Kind.NOTE or row.problem.split(".")[0] in elsewhere:
        return False
    return group.level == "error" or (group.level == "warning" and row.kind is Kind.ERROR)


def _known_errors(server: Server, name: str, *answers: Restart) -> Iterator[Evidence]:
    for module in server.instances_of(name):
        rows: dict[str, list[LogGroup]] = {}
        held, _over = sorted_out(server, module, distinct_events(server.history.errors(module)))
        for group in held:
            row = meaning_of(group)
            if row is None or row.restart not in answers or recovered(server, module, group):
                continue
            if _reported_here(name, row, group):
                rows.setdefault(row.code, []).append(group)
        for code, known in sorted(rows.items()):
            yield _known(module, BY_CODE[code], known)


@LOGGED.problem(
    title="MODULE logs errors that a restart fixes",
    severity=WARNING,
    summary="{target} logged {count:# time}: {meaning} ({code}). {sample}",
    source="modules",
    needs=("logs",),
    reason="a different module needs the restart: {action}",
    fix=advice("{who:words}: {action:words}"),
    causes=troubles,
    by_module={"web": {"remedy": "restart", "reason": None, "fix": RESTART}},
)
def errors_restart_helps(server: Server, module: str) -> Iterator[Evidence]:
    for evidence in _known_errors(server, module, Restart.HELPS):
        peer = _elsewhere(server, evidence.words)
        yield evidence if peer is None else replace(
            evidence, by_hand=ByHand(f"{peer} is another host: restart web there, not here"),
        )


@LOGGED.problem(
    title="MODULE logs errors that a restart does not fix",
    severity=WARNING,
    summary="{target} logged {count:# time}: {meaning} ({code}). {sample}",
    source="modules",
    needs=("logs",),
    reason="a restart of {target} {restart}: {action}",
    fix=advice("{who:words}: {action:words}"),
    causes=troubles,
)
def errors_restart_useless(server: Server, module: str) -> Iterator[Evidence]:
    return _known_errors(server, module, Restart.NO, Restart.AFTER_FIX, Restart.HEALS)


def meaning_facts(row: Meaning) -> Facts:
    """What a finding says of a section of the table."""
    return {
        "code": row.code, "meaning": row.text, "restart": row.restart.words, "who": row.who,
        "action": row.action, "harmless": row.harmless or None,
    }


def _known(module: ModuleInstance, row: Meaning, groups: list[LogGroup]) -> Evidence:
    """A finding of lines with a known meaning. A problem that has recovered by itself is not a finding."""
    facts = {**meaning_facts(row), **lines(groups)}
    healed = row.restart is Restart.HEALS and all(group.went_on for group in groups)
    return replace(
        logged(facts, groups), instance=module.instance, subject=row.code,
        severity=INFO if healed else None,
    )


def as_documented(code: str) -> dict[str, Any]:
    """Reason and fix of an entry of the catalogue for lines of one section of the table."""
    row = BY_CODE[code]
    return {
        "reason": f"a restart {row.restart.words}: {row.action}",
        "fix": advice(f"{row.who}: {row.action}"),
    }


def add_line(problems: Catalogue, name: str, **entry: Any) -> None:
    """Enter a problem that shows in lines of the module's log, which name it as their finding."""

    def find(server: Server) -> Iterator[Evidence]:
        for module in server.instances_of(problems.module):
            groups = reported(f"{problems.module}.{name}", server, [module])
            if groups:
                yield replace(logged(lines(groups), groups), instance=module.instance)

    problems.enter(name, find, needs=("logs",), **entry)


def is_note(group: LogGroup) -> bool:
    """Whether lines only look like an error."""
    row = meaning_of(group)
    return row is not None and row.kind is Kind.NOTE


def _elsewhere(server: Server, text: str) -> str | None:
    """The other host that an address in a line names."""
    found = ADDRESS.search(text)
    host = found.group(1).lower() if found else ""
    return host if host and host not in server.names else None


ADDRESS = re.compile(r"https?://([^\s/:'\"]+)")


def _unknown_errors(server: Server, name: str, few: bool) -> Iterator[Evidence]:
    own = name if name in OWN_CHILD_ERRORS else ""
    for module in server.instances_of(name):
        held = unknown_errors(distinct_events(server.history.errors(module, own)))
        held, _over = sorted_out(server, module, held)
        count = sum(group.count for group in held)
        if held and (count < server.limits.log_errors) is few:
            facts: Facts = {**lines(held), "signatures": len(held)}
            yield replace(logged(facts, held), instance=module.instance)


UNKNOWN_ERRORS: dict[str, Any] = {
    "summary": "{target} logged {count:# error} ({signatures:# kind}). The last: {sample}",
    "source": "log_precision",
    "needs": ("logs",),
    "reason": "it is not documented what these lines mean, or whether a restart helps",
    "fix": advice("read its log; if the error comes back: nlserver restart {target} -verbose"),
    "causes": troubles,
}


@LOGGED.problem(
    title="MODULE logs many unknown errors", severity=WARNING, **UNKNOWN_ERRORS
)
def errors_many(server: Server, module: str) -> Iterator[Evidence]:
    return _unknown_errors(server, module, few=False)


@LOGGED.problem(title="MODULE logs a few unknown errors", severity=INFO, **UNKNOWN_ERRORS)
def errors_few(server: Server, module: str) -> Iterator[Evidence]:
    return _unknown_errors(server, module, few=True)


def _past(server: Server, module: ModuleInstance, kind: str) -> Evidence | None:
    """Lines that are over: reported as such, never as a current problem."""
    # Lines from before our restart of the module are ignored.
    seen = server.history.errors(module) if kind == "repaired" else (
        group for log in server.history.logs_of(module) for group in log.groups
    )
    groups = [group for group in distinct_events(seen) if group.level == "error" and not is_note(group)]
    _now, over = sorted_out(server, module, groups)
    if kind not in over:
        return None
    what, held = over[kind]
    return logged({
        "whose": what.whose, "at": what.at, "restart_time": what.restart_time or None,
        **lines(held),
    }, held)


@LOGGED.per_instance(
    title="MODULE logged errors during a daily restart",
    severity=INFO,
    summary="{target} logged {count:# error} within minutes of the daily restart of {whose}"
    " ({restart_time}), and none of the same kind since: {sample}",
    source="workflow",
    needs=("logs", "configuration"),
    reason="they were caused by that restart and are over",
    fix=advice(
        "if they are a nuisance: start what was running 5 to 10 minutes after processRestartTime"
        " ({restart_time}), or move that time"
    ),
    causes=troubles,
)
def daily_restart_errors(server: Server, module: ModuleInstance) -> Evidence | None:
    return _past(server, module, "daily")


@LOGGED.per_instance(
    title="MODULE logged errors before a repair",
    severity=INFO,
    summary="{target} logged {count:# error} before {whose} was repaired at {at:time}, and none of"
    " the same kind since: {sample}",
    source="modules",
    needs=("logs", "ledger"),
    reason="they belong to the problem that was repaired",
    fix=advice("no action needed"),
    causes=troubles,
)
def errors_before_repair(server: Server, module: ModuleInstance) -> Evidence | None:
    return _past(server, module, "repaired")
