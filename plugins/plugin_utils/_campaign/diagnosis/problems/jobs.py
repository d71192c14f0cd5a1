# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What can be wrong with a job, which export and import share: with one that the inventory declares,
and with one that only the database has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from ...snapshot.server import Server
from ...snapshot.work import DeclaredJob, Job, RecordedJob
from ..knowledge import permanent_error
from ..model import CRITICAL, WARNING, ByHand, Evidence, Facts, advice, as_account, moment
from ..rules import SharedRules

USUAL_RUNS = 3  # from this many finished runs on, the usual time is known

TROUBLE = ("host.database_unreachable", "host.disk_full", "host.configuration_unreadable")
RELAUNCH = {
    kind: {"fix": advice(
        f"ask {{operator}}, who scheduled it; then launch {kind} {{job}} again {how}"
    )}
    for kind, how in (
        ("export", "as a delta or in full"), ("import", "once there are no duplicates"),
    )
}

DeclaredJudge = Callable[[Server, Job], "Facts | None"]
RecordedJudge = Callable[[Server, list[RecordedJob]], "Facts | None"]
Declared = Callable[[Server, DeclaredJob], object]


class JobRules(SharedRules):
    """Rules for the jobs of a kind: the name of the module that includes them."""

    def declared(self, **entry: Any) -> Callable[[DeclaredJudge], DeclaredJudge]:
        """Enter a function that looks at one declared job after the other."""

        def enter(judge: DeclaredJudge) -> DeclaredJudge:
            self.enter(judge.__name__, partial(_declared, judge), entry)
            return judge

        return enter

    def recorded(
        self, unless: Declared = lambda _server, _job: False, **entry: Any
    ) -> Callable[[RecordedJudge], RecordedJudge]:
        """Enter a function that looks at the records of one job after the other, newest first.

        `unless`: whether a finding on a declared job says the same.
        """

        def enter(judge: RecordedJudge) -> RecordedJudge:
            self.enter(judge.__name__, partial(_recorded, judge, unless), entry)
            return judge

        return enter


def _declared(judge: DeclaredJudge, server: Server, kind: str) -> Iterator[Evidence]:
    for job in server.jobs:
        facts = judge(server, job) if job.kind == kind else None
        if facts is not None:
            who = {"job": job.name, "operator": job.operator or "the operator"}
            row = permanent_error(str(facts.get("sample") or ""))
            again = f"it would fail again before this is done: {row.action}" if row else ""
            yield Evidence(
                {**who, **facts}, job.instance, job.name, by_hand=ByHand(again) if row else None,
            )


def _recorded(
    judge: RecordedJudge, unless: Declared, server: Server, kind: str
) -> Iterator[Evidence]:
    declared = {
        (job.instance, job.name): job for job in server.header.jobs_declared if job.kind == kind
    }
    for instance, runs in _records(server, kind):
        job = declared.get((instance, runs[0].name))
        if job and unless(server, job):
            continue
        facts = judge(server, runs)
        if facts is not None:
            who = {"job": runs[0].name, "operator": runs[0].operator or "the operator"}
            yield Evidence({**who, "id": runs[0].id, **facts}, instance, runs[0].name)


def _records(server: Server, kind: str) -> Iterator[tuple[str, list[RecordedJob]]]:
    """Each job of the database with its instance; its newest run first."""
    for answers in server.api_answers:
        runs: dict[str, list[RecordedJob]] = {}
        for run in sorted(answers.jobs or (), key=lambda run: run.id, reverse=True):
            if run.kind == kind:
                runs.setdefault(run.name, []).append(run)
        for held in runs.values():
            yield answers.instance, held


JOBS = JobRules()


@JOBS.declared(
    title="MODULE job failed",
    severity=CRITICAL,
    summary="The MODULE {job} of {operator} failed at {at:time}: {sample}",
    source="modules",
    needs=("jobs",),
    remedy="relaunch",
    causes=TROUBLE,
    by_module=RELAUNCH,
)
def failed(server: Server, job: Job) -> Facts | None:
    error, record = job.last_error, _record(server, job)
    if job.running:
        return None
    if error is not None and not _later(job, error.at):
        told: Facts = {
            "at": error.at, "sample": error.sample[:300],
            "codes": " ".join(error.codes) or None,
        }
        return {**told, "record": record.id if record else None}
    if record is None or not record.is_in("error") or _later(job, record.ended_at):
        return None
    sample = "the database marks it as failed"
    return {"at": record.ended_at, "sample": sample, "codes": None, "record": record.id}


@JOBS.declared(
    title="MODULE job result is out of date",
    severity=WARNING,
    summary="The MODULE {job} of {operator} last produced a result: {made} (the limit is"
    " {max_age_hours:g} h).",
    source="imports_exports",
    needs=("jobs",),
    remedy="relaunch",
    causes=(
        "MODULE.failed", "MODULE.running_too_long", "wfserver.not_running",
        "watchdog.nothing_runs", *TROUBLE,
    ),
    by_module=RELAUNCH,
)
def stale(server: Server, job: Job) -> Facts | None:
    if job.running or not job.max_age_hours:
        return None
    made = job.result.mtime_at if job.result else None
    if made is None:
        return {"made_at": None, "made": "never", "max_age_hours": job.max_age_hours}
    if not server.older(made, 60 * job.max_age_hours):
        return None
    return {"made_at": made, "made": moment(made), "max_age_hours": job.max_age_hours}


@JOBS.declared(
    title="MODULE job has been running too long",
    severity=WARNING,
    summary="The MODULE {job} of {operator} has been running since {started_at:time} (the limit is"
    " {max_minutes:g} minutes).",
    source="imports_exports",
    needs=("jobs",),
    reason="stopping it loses its work so far: {operator} decides",
    fix=as_account("nlserver pdump -who"),
    causes=(*TROUBLE, "host.load_high"),
)
def running_too_long(server: Server, job: Job) -> Facts | None:
    begun = job.running.started_at if job.running else None
    if not job.max_minutes or not server.older(begun, job.max_minutes):
        return None
    return {
        "pid": job.running.pid if job.running else None, "started_at": begun,
        "max_minutes": job.max_minutes,
    }


@JOBS.declared(
    title="MODULE job rejected lines",
    severity=WARNING,
    summary="The MODULE {job} of {operator} rejected {rejects:# line}: {path}",
    source="imports_exports",
    needs=("jobs",),
    reason="correct the data, and look for duplicates before it runs again",
    fix=as_account("tail -50 {path}"),
)
def rejects(_server: Server, job: Job) -> Facts | None:
    file = job.rejects
    if file is None or not file.lines:
        return None
    count = f"more than {file.lines}" if file.more else file.lines
    return {"rejects": count, "path": file.path}


@JOBS.recorded(
    title="MODULE job ended in error",
    severity=WARNING,
    summary="The MODULE {job} of {operator} ended in error at {at:time}, according to the"
    " database.",
    source="imports_exports",
    needs=("api",),
    reason="{operator}, who scheduled it, must launch it again; declare it in campaign_jobs to"
    " relaunch it automatically",
    fix=advice("open its journal in the console; ask {operator}"),
    causes=TROUBLE,
    unless=lambda _server, _job: True,
)
def in_error(_server: Server, runs: list[RecordedJob]) -> Facts | None:
    return {"at": runs[0].ended_at or runs[0].started_at} if runs[0].is_in("error") else None


@JOBS.recorded(
    title="MODULE job is paused",
    severity=WARNING,
    summary="The MODULE {job} of {operator}, started at {started_at:time}, is paused.",
    source="imports_exports",
    needs=("api",),
    reason="it was paused on purpose: {operator} resumes or cancels it",
    fix=advice("resume or cancel it in the console; ask {operator}"),
)
def paused(_server: Server, runs: list[RecordedJob]) -> Facts | None:
    if not (runs[0].is_in("paused") or runs[0].is_in("pausing")):
        return None
    return {"started_at": runs[0].started_at}


def _runs_too_long(server: Server, declared: DeclaredJob) -> bool:
    key = (declared.kind, declared.instance, declared.name)
    return any(
        running_too_long(server, job) for job in server.jobs
        if (job.kind, job.instance, job.name) == key
    )


@JOBS.recorded(
    title="MODULE job is running far longer than usual",
    severity=WARNING,
    summary="The MODULE {job} of {operator} has been running since {started_at:time}; it usually"
    " takes {usual_seconds:duration}.",
    source="imports_exports",
    needs=("api",),
    reason="stopping it loses its work so far: {operator} decides",
    fix=as_account("nlserver pdump -who"),
    causes=(*TROUBLE, "host.load_high"),
    unless=_runs_too_long,
)
def running_long(server: Server, runs: list[RecordedJob]) -> Facts | None:
    begun = runs[0].started_at
    times = sorted(
        run.ended_at - run.started_at for run in runs[1:]
        if run.is_in("finished") and run.ended_at and run.started_at
    )
    if not runs[0].is_in("running") or begun is None or len(times) < USUAL_RUNS:
        return None
    if process_gone(server, runs):
        return None
    usual = times[len(times) // 2]
    longest = max(60 * server.limits.job_minutes, usual * server.limits.job_times)
    if not server.older(begun, longest / 60):
        return None
    return {"started_at": begun, "usual_seconds": round(usual), "pid": runs[0].process_id}


@JOBS.recorded(
    title="MODULE job is marked as running but has no process",
    severity=WARNING,
    summary="The MODULE {job} of {operator} has been running since {started_at:time} according to"
    " the database, but process {pid} does not exist.",
    source="imports_exports",
    needs=("api", "processes"),
    reason="it may be running on another host of the instance; if not, {operator} cancels it in"
    " the console and launches it again",
    fix=advice("cancel it in the console; ask {operator}"),
    causes=(*TROUBLE, "host.memory_exhausted"),
)
def process_gone(server: Server, runs: list[RecordedJob]) -> Facts | None:
    seen = server.processes
    alive = {p.pid for p in (*seen.modules, *seen.children, *seen.others) if not p.dead}
    run = runs[0]
    if not run.is_in("running") or not run.process_id or run.process_id in alive:
        return None
    if not server.older(run.started_at, 1):  # younger, one probe saw it and the other not
        return None
    return {"started_at": run.started_at, "pid": run.process_id}


@JOBS.recorded(
    title="MODULE job recorded rejected lines",
    severity=WARNING,
    summary="The MODULE {job} of {operator} rejected {rejects:# line}.",
    source="imports_exports",
    needs=("api",),
    reason="correct the data, and look for duplicates before it runs again",
    fix=advice("open its journal in the console; ask {operator}"),
    unless=lambda _server, job: job.rejects,
)
def rejected(_server: Server, runs: list[RecordedJob]) -> Facts | None:
    run = runs[0]
    if not run.is_in("finished") or not run.rejected:
        return None
    return {"rejects": run.rejected, "processed": run.processed, "at": run.ended_at}


def _record(server: Server, job: Job) -> RecordedJob | None:
    """The last run of a declared job by its record in the database."""
    answers = server.api_answers_of(job.instance)
    runs = (answers.jobs if answers else None) or ()
    same = [run for run in runs if (run.kind, run.name) == (job.kind, job.name)]
    return max(same, key=lambda run: run.id, default=None)


def _later(job: Job, at: float | None) -> bool:
    """Whether the job succeeded after its last error."""
    made = job.result.mtime_at if job.result else None
    return at is not None and made is not None and made > at
