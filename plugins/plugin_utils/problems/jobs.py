# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What can be wrong with a job that the inventory declares: the entries of export and import."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ansible_collections.campaign.remediation.plugins.plugin_utils.model import (
    CRITICAL,
    WARNING,
    Catalogue,
    Evidence,
    Facts,
    advice,
    as_account,
    moment,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils.problems.common import (
    add_to,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils.snapshot import (
    Job,
    Server,
)


def add_jobs(problems: Catalogue) -> None:
    """Enter the problems of declared jobs for export or import."""
    kind = problems.module
    relaunch = advice(
        f"ask {{operator}}, who scheduled it; then launch {kind} {{job}} again"
        + (" as a delta or in full" if kind == "export" else " once there are no duplicates")
    )
    trouble = (
        "host.database_unreachable", "host.disk_full", "host.configuration_unreadable",
    )

    def judged(
        judge: Callable[[Server, Job], Facts | None],
    ) -> Callable[[Server], Iterator[Evidence]]:
        def find(server: Server) -> Iterator[Evidence]:
            for job in server.jobs:
                facts = judge(server, job) if job.kind == kind else None
                if facts is not None:
                    who = {"job": job.name, "operator": job.operator or "the operator"}
                    yield Evidence({**who, **facts}, job.instance, job.name)

        find.__name__ = judge.__name__
        return find

    def failed(server: Server, job: Job) -> Facts | None:
        error = job.last_error
        if error is None or job.running or _later(job, error.at):
            return None
        del server
        return {
            "at": error.at, "sample": error.sample[:300], "codes": " ".join(error.codes) or None,
        }

    def stale(server: Server, job: Job) -> Facts | None:
        if job.running or not job.max_age_hours:
            return None
        made = job.result.mtime_at if job.result else None
        if made is None:
            return {"made_at": None, "made": "never", "max_age_hours": job.max_age_hours}
        if not server.older(made, 60 * job.max_age_hours):
            return None
        return {"made_at": made, "made": moment(made), "max_age_hours": job.max_age_hours}

    def running_too_long(server: Server, job: Job) -> Facts | None:
        begun = job.running.started_at if job.running else None
        if not job.max_minutes or not server.older(begun, job.max_minutes):
            return None
        return {
            "pid": job.running.pid if job.running else None, "started_at": begun,
            "max_minutes": job.max_minutes,
        }

    def rejects(server: Server, job: Job) -> Facts | None:
        del server
        file = job.rejects
        return {"rejects": file.lines, "path": file.path} if file and file.lines else None

    problems.problem(
        title="A job failed",
        severity=CRITICAL,
        summary=f"The {kind} {{job}} of {{operator}} failed at {{at:time}}: {{sample}}",
        source="modules",
        needs=("jobs",),
        remedy="relaunch",
        fix=relaunch,
        causes=trouble,
    )(judged(failed))
    problems.problem(
        title="A job's result is stale",
        severity=WARNING,
        summary=f"The {kind} {{job}} of {{operator}} last gave a result: {{made}}"
        " (at most {max_age_hours:g} h old is asked for).",
        source="imports_exports",
        needs=("jobs",),
        remedy="relaunch",
        fix=relaunch,
        causes=(
            f"{kind}.failed", f"{kind}.running_too_long", "wfserver.not_running",
            "watchdog.nothing_runs", *trouble,
        ),
    )(judged(stale))
    problems.problem(
        title="A job runs too long",
        severity=WARNING,
        summary=f"The {kind} {{job}} of {{operator}} runs since {{started_at:time}}"
        " (at most {max_minutes:g} minutes are asked for).",
        source="imports_exports",
        needs=("jobs",),
        reason="what it is doing is lost when it is stopped: {operator} decides",
        fix=as_account("nlserver pdump -who"),
        causes=(*trouble, "host.load_high"),
    )(judged(running_too_long))
    problems.problem(
        title="A job rejected lines",
        severity=WARNING,
        summary=f"The {kind} {{job}} of {{operator}} rejected {{rejects}} lines: {{path}}",
        source="imports_exports",
        needs=("jobs",),
        reason="the data must be corrected; duplicates must be looked for before it runs again",
        fix=as_account("tail -50 {path}"),
    )(judged(rejects))
    add_to(problems, works_by=(f"{kind}.failed",))


def _later(job: Job, at: float | None) -> bool:
    """Whether the job came to a good end after its last error."""
    made = job.result.mtime_at if job.result else None
    return at is not None and made is not None and made > at
