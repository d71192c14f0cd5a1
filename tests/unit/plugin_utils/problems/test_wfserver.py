"""inMail, wfserver and the jobs."""

from __future__ import annotations

from unit.plugin_utils.builder import (
    Snapshot,
    ago,
    configured,
    data,
    job,
    log,
    needs,
    restarts,
    says,
    target,
)
from unit.plugin_utils.problems.cases import holds, near


@holds("inMail.mailbox_unreachable@prod#pop:110")
def the_mailbox_refuses(s: Snapshot) -> None:
    needs(s, target("mailbox", "pop", 110, reachable=False, error="refused"))


@holds("inMail.mailbox_login_refused@prod#pop:110")
def the_mailbox_refuses_the_login(s: Snapshot) -> None:
    needs(s, target("mailbox", "pop", 110, reachable=False, error="login"))


@holds("inMail.mailbox_error@prod#pop:110")
def the_mailbox_answers_with_an_error(s: Snapshot) -> None:
    needs(s, target("mailbox", "pop", 110, error="protocol", answer="-ERR [SYS/TEMP] later"))


@near("inMail.mailbox_error")
def the_login_is_another_error(s: Snapshot) -> None:
    needs(s, target("mailbox", "pop", 110, error="login"))


@holds("mta.relay_error@prod#relay1:25")
def the_relay_turns_away(s: Snapshot) -> None:
    needs(s, target("relay", "relay1", 25, error="protocol", answer="554 no access"))


@holds("inMail.mailbox_backlog@prod#pop:110")
def many_mails_wait(s: Snapshot) -> None:
    needs(s, target("mailbox", "pop", 110, messages=900))


@near("inMail.mailbox_backlog")
def few_mails_wait(s: Snapshot) -> None:
    needs(s, target("mailbox", "pop", 110, messages=3))


@holds("inMail.log_silent@prod")
def inmail_says_nothing(s: Snapshot) -> None:
    log(s, "inMail").update(mtime_at=ago(hours=5), last_at=ago(hours=5))


@holds("wfserver.children_dying@prod")
def workflows_die(s: Snapshot) -> None:
    says(s, "wfserver", "Workflow process 77 ended unexpectedly (signal 11)", count=4)


@near("wfserver.children_dying")
def a_workflow_ended(s: Snapshot) -> None:
    says(s, "wfserver", "Workflow process 77 ended (code 0)", level="info")


@holds("wfserver.workflow_errors@prod")
def a_file_for_a_workflow_is_missing(s: Snapshot) -> None:
    says(s, "runwf", "nightlyLoad: Unable to open file 'x' errno=2 (iRc=-52)", "iRc=-52")


@holds("wfserver.daily_restart_errors@prod")
def workflows_are_cut_at_the_daily_restart(s: Snapshot) -> None:
    configured(s, "wfserver")["restart_time"] = "11:56:00"
    restarts(s, "wfserver", ago(minutes=4))
    says(s, "runwf", "SCR-160012 script interrupted", "SCR-160012", at=ago(minutes=5))


for kind in ("export", "import"):

    @holds(f"{kind}.failed@prod#contacts_{kind}")
    def the_job_failed(s: Snapshot, kind: str = kind) -> None:
        error = {"sample": "file not found", "codes": [], "at": ago(minutes=30)}
        data(s, "jobs")["jobs"] = [job(kind, last_error=error)]

    @near(f"{kind}.failed")
    def it_did_well_since(s: Snapshot, kind: str = kind) -> None:
        error = {"sample": "file not found", "codes": [], "at": ago(hours=3)}
        data(s, "jobs")["jobs"] = [job(kind, last_error=error)]

    @holds(f"{kind}.stale@prod#contacts_{kind}")
    def its_result_is_old(s: Snapshot, kind: str = kind) -> None:
        data(s, "jobs")["jobs"] = [job(kind, result={"path": "/r", "mtime_at": ago(hours=40)})]
        s["jobs_declared"] = [{"name": f"contacts_{kind}", "kind": kind, "instance": "prod",
                               "max_age_hours": 24, "max_minutes": 60}]

    @holds(f"{kind}.running_too_long@prod#contacts_{kind}")
    def it_runs_for_hours(s: Snapshot, kind: str = kind) -> None:
        data(s, "jobs")["jobs"] = [job(kind, running={"pid": 5, "started_at": ago(hours=4)})]

    @holds(f"{kind}.rejects@prod#contacts_{kind}")
    def it_rejected_lines(s: Snapshot, kind: str = kind) -> None:
        data(s, "jobs")["jobs"] = [job(kind, rejects={"path": "/r", "lines": 12})]
