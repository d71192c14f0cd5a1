"""What the server's API tells."""

from __future__ import annotations

from typing import Any

from unit.plugin_utils.builder import (
    Snapshot,
    ago,
    answers,
    check,
    configured,
    data,
    database,
    job,
    kill,
    log,
    needs,
    recorded,
    refuses,
    says,
    target,
    workflow,
)
from unit.plugin_utils.problems.cases import holds, near


@holds("wfserver.technical_workflow_failed@prod#cleanup")
def a_technical_workflow_is_in_error(s: Snapshot) -> None:
    workflow(s, "cleanup", state=13, failed=True)


@holds("wfserver.technical_workflow_failed@prod#welcomeMail")
def one_of_the_site_that_it_lists_as_safe(s: Snapshot) -> None:
    workflow(s, "welcomeMail", state=13, failed=True)
    s["asked"]["restartable_workflows"] = ["welcomeMail"]


@near("wfserver.technical_workflow_failed")
@holds("wfserver.workflow_failed@prod")
def one_of_the_site_is_in_error(s: Snapshot) -> None:
    workflow(s, "welcomeMail", state=13, failed=True)


@near("wfserver.workflow_failed")
@holds("wfserver.workflow_paused@prod")
def a_person_paused_it(s: Snapshot) -> None:
    workflow(s, "welcomeMail", state=13)


@holds("wfserver.technical_workflow_stopped@prod")
def a_person_stopped_the_cleanup(s: Snapshot) -> None:
    workflow(s, "cleanup", state=20)


@near("wfserver.technical_workflow_stopped")
def one_of_the_site_came_to_its_end(s: Snapshot) -> None:
    workflow(s, "welcomeMail", state=20)


@holds("wfserver.technical_workflow_late@prod#cleanup")
def the_cleanup_has_not_run_for_days(s: Snapshot) -> None:
    workflow(s, "cleanup", last_start_at=ago(hours=100))


@near("wfserver.technical_workflow_late")
def it_began_long_ago_and_writes_its_journal(s: Snapshot) -> None:
    workflow(s, "cleanup", last_start_at=ago(hours=100))
    database(s)["journal"].append({"workflow": "cleanup", "last_at": ago(hours=10)})


@near("wfserver.technical_workflow_late")
def it_missed_one_day(s: Snapshot) -> None:
    workflow(s, "cleanup", last_start_at=ago(hours=40))


@holds("wfserver.technical_workflow_late@prod#cleanup", root=False)
def nothing_runs_workflows_for_days(s: Snapshot) -> None:
    workflow(s, "cleanup", last_start_at=ago(hours=100))
    kill(s, "wfserver")


@holds("wfserver.concurrency_reached@prod")
def none_may_run(s: Snapshot) -> None:
    database(s)["concurrency"] = 0
    workflow(s, "welcomeMail", state=1, last_start_at=ago(hours=3))


@near("wfserver.errors_restart_useless")
def its_workflow_was_started_again_and_runs(s: Snapshot) -> None:
    says(s, "runwf", "cleanup: SCR-160012 it was so", "SCR-160012", at=ago(minutes=40))


@holds("wfserver.errors_restart_useless@prod#SCR-160012")
def its_workflow_was_started_again_and_fails(s: Snapshot) -> None:
    says(s, "runwf", "cleanup: SCR-160012 it is so", "SCR-160012", at=ago(minutes=20))


@holds("wfserver.workflow_pending@prod")
def it_is_to_start_and_nobody_starts_it(s: Snapshot) -> None:
    workflow(s, "welcomeMail", state=1, last_start_at=ago(hours=3))


@holds("wfserver.workflow_pending@prod", root=False)
def it_waits_because_wfserver_is_down(s: Snapshot) -> None:
    workflow(s, "welcomeMail", state=1, last_start_at=ago(hours=3))
    kill(s, "wfserver")


@near("wfserver.workflow_pending")
def it_was_started_a_minute_ago(s: Snapshot) -> None:
    workflow(s, "welcomeMail", state=1, last_start_at=ago(minutes=1))


@holds("wfserver.concurrency_reached@prod")
def as_many_run_as_may(s: Snapshot) -> None:
    database(s)["concurrency"] = 1
    rows = database(s)["workflows"]
    rows.append({**rows[2], "id": 9, "name": "newsletter", "process_id": 1004})
    workflow(s, "welcomeMail", state=1, last_start_at=ago(hours=3))


@near("wfserver.concurrency_reached")
def as_many_run_as_may_and_none_waits(s: Snapshot) -> None:
    database(s)["concurrency"] = 1
    workflow(s, "welcomeMail", process_id=1004)


@holds("wfserver.workflow_process_gone@prod")
def its_process_is_none_of_the_machine(s: Snapshot) -> None:
    workflow(s, "welcomeMail", process_id=4711)


@near("wfserver.workflow_process_gone")
def its_process_began_while_the_probes_looked(s: Snapshot) -> None:
    workflow(s, "welcomeMail", process_id=4711, last_start_at=ago(seconds=1))


@near("wfserver.workflow_process_gone")
def the_workflows_run_on_another_host(s: Snapshot) -> None:
    kill(s, "wfserver")
    configured(s, "wfserver")["auto_start"] = False
    workflow(s, "welcomeMail", process_id=4711)


@holds("host.operator_disabled@prod#anna.berg")
@holds("wfserver.owner_disabled@prod#anna.berg", root=False)
def whose_workflow_it_is_may_not_log_on(s: Snapshot) -> None:
    database(s)["disabled_owners"] = [{"name": "welcomeMail", "operator": "anna.berg"}]


@near("host.operator_disabled")
def whose_workflow_is_at_its_end_may_not_log_on(s: Snapshot) -> None:
    database(s)["disabled_owners"] = [{"name": "welcomeMail", "operator": "anna.berg"}]
    workflow(s, "welcomeMail", state=20)


@holds("tracking.workflow_in_error@prod")
def the_tracking_workflow_is_in_error(s: Snapshot) -> None:
    workflow(s, "tracking", state=13, failed=True)
    says(s, "runwf", "tracking: SCR-160012 no such activity", "SCR-160012", count=3)


@near("tracking.workflow_failed")
def the_database_knows_it_better_than_the_log(s: Snapshot) -> None:
    says(s, "runwf", "tracking: something odd happened", at=ago(minutes=40))


@holds("tracking.workflow_late@prod")
def the_tracking_workflow_does_nothing(s: Snapshot) -> None:
    workflow(s, "tracking", last_start_at=ago(hours=6))
    database(s)["journal"] = None


@near("tracking.workflow_late")
def the_tracking_workflow_missed_an_hour(s: Snapshot) -> None:
    workflow(s, "tracking", last_start_at=ago(hours=1.5))


@holds("tracking.workflow_stopped@prod")
def a_person_stopped_the_tracking(s: Snapshot) -> None:
    workflow(s, "tracking", state=20)


@holds("tracking.consolidated_logs_old@prod")
def no_tracking_log_was_consolidated_for_days(s: Snapshot) -> None:
    database(s)["last_consolidation_at"] = ago(hours=60)


@near("tracking.consolidated_logs_old")
def a_consolidation_was_left_out(s: Snapshot) -> None:
    database(s)["last_consolidation_at"] = ago(hours=2)


@near("tracking.consolidated_logs_old")
def the_log_says_so_already(s: Snapshot) -> None:
    database(s)["last_consolidation_at"] = ago(hours=5)
    log(s, "tracking").update(last_at=ago(hours=5), mtime_at=ago(hours=5))


def _delivery(**changes: Any) -> dict[str, Any]:
    return {"id": 7, "name": "DM7", "label": "News", "state": 51, "contact_at": ago(hours=2),
            "to_send": 5000, **changes}


@holds("mta.deliveries_waiting@prod")
def a_delivery_waits_past_its_date(s: Snapshot) -> None:
    database(s)["deliveries"] = [_delivery()]


@holds("mta.deliveries_waiting@prod", root=False)
def a_quota_holds_the_delivery_back(s: Snapshot) -> None:
    database(s)["deliveries"] = [_delivery()]
    says(s, "mtachild", "Messages queued (connection quotas met)", level="warning", count=20)


@near("mta.deliveries_waiting")
def its_contact_date_is_tomorrow(s: Snapshot) -> None:
    database(s)["deliveries"] = [_delivery(contact_at=ago(hours=-24))]


@holds("mta.deliveries_failed@prod")
def a_delivery_failed_in_its_preparation(s: Snapshot) -> None:
    database(s)["deliveries"] = [_delivery(state=37)]


@holds("inMail.account_missing@prod")
def no_bounce_account_is_active(s: Snapshot) -> None:
    database(s)["accounts"][0]["active"] = False


@near("inMail.account_missing")
def inmail_is_not_to_run_here(s: Snapshot) -> None:
    database(s)["accounts"] = []
    kill(s, "inMail")
    configured(s, "inMail")["auto_start"] = False


@holds("inMail.bounces_stale@prod")
def no_bounce_for_days(s: Snapshot) -> None:
    database(s)["last_bounce"] = [{"at": ago(hours=100)}]


@holds("inMail.bounces_stale@prod", root=False)
def no_bounce_because_inmail_is_down(s: Snapshot) -> None:
    database(s)["last_bounce"] = [{"at": ago(hours=100)}]
    kill(s, "inMail")


@holds("host.ids_run_short@prod")
def most_numbers_are_given(s: Snapshot) -> None:
    workflow(s, "welcomeMail", id=1_800_000_000)


@near("host.ids_run_short")
@holds("host.ids_nearly_used_up@prod")
def nearly_all_numbers_are_given(s: Snapshot) -> None:
    database(s)["last_id"] = [{"id": 2_100_000_000}]


for _kind in ("export", "import"):

    @holds(f"{_kind}.in_error@prod#site_{_kind}")
    def a_job_nobody_declared_is_in_error(s: Snapshot, kind: str = _kind) -> None:
        database(s)["jobs"] = [recorded(1, kind), recorded(2, kind, status=6)]

    @near(f"{_kind}.in_error")
    def it_went_well_afterwards(s: Snapshot, kind: str = _kind) -> None:
        database(s)["jobs"] = [recorded(1, kind, status=6), recorded(2, kind)]

    @near(f"{_kind}.in_error")
    @holds(f"{_kind}.failed@prod#contacts_{_kind}")
    def a_declared_job_failed_by_its_record(s: Snapshot, kind: str = _kind) -> None:
        data(s, "jobs")["jobs"] = [job(kind, result=None)]
        name = "contacts_" + kind
        s["jobs_declared"] = [{"name": name, "kind": kind, "instance": "prod"}]
        database(s)["jobs"] = [recorded(1, kind, name=name, status=6)]

    @holds(f"{_kind}.paused@prod#site_{_kind}")
    def a_job_is_paused(s: Snapshot, kind: str = _kind) -> None:
        database(s)["jobs"] = [recorded(1, kind, status=8, ended_at=None)]

    @holds(f"{_kind}.running_long@prod#site_{_kind}")
    def a_job_takes_ten_times_as_long(s: Snapshot, kind: str = _kind) -> None:
        runs = [recorded(n, kind) for n in (1, 2, 3)]
        running = recorded(9, kind, status=2, started_at=ago(hours=2), ended_at=None,
                           process_id=1004)
        database(s)["jobs"] = [*runs, running]

    @near(f"{_kind}.running_long")
    @holds(f"{_kind}.process_gone@prod#site_{_kind}")
    def a_job_whose_process_is_gone(s: Snapshot, kind: str = _kind) -> None:
        runs = [recorded(n, kind) for n in (1, 2, 3)]
        lost = recorded(9, kind, status=2, started_at=ago(hours=2), ended_at=None, process_id=4711)
        database(s)["jobs"] = [*runs, lost]

    @near(f"{_kind}.running_long")
    def a_job_of_which_nobody_knows_what_is_usual(s: Snapshot, kind: str = _kind) -> None:
        running = recorded(9, kind, status=2, started_at=ago(hours=2), ended_at=None)
        database(s)["jobs"] = [recorded(1, kind), running]

    @holds(f"{_kind}.rejected@prod#site_{_kind}")
    def a_job_rejected_lines_by_its_record(s: Snapshot, kind: str = _kind) -> None:
        database(s)["jobs"] = [recorded(1, kind, rejected=3)]


REFUSED = {
    "web.logon_password": ("password", "XSV-350012"), "web.logon_zone": ("zone", "XSV-350013"),
    "web.session_expired": ("expired", "XSV-350008"), "web.api_database": ("database", None),
    "web.api_unreachable": ("refused", None), "web.api_tls": ("tls", None),
    "web.api_no_answer": ("html", None),
    "web.api_unreadable": ("too_big", None), "web.logon_failed": ("fault", "SOP-330011"),
}
for _key, (_word, _code) in REFUSED.items():

    @holds(f"{_key}@prod")
    def the_api_refuses(s: Snapshot, word: str = _word, code: str | None = _code) -> None:
        refuses(s, word, "so it is", code)


@holds("web.api_query_refused@prod")
def the_api_refuses_one_query(s: Snapshot) -> None:
    database(s)["unanswered"] = [
        {"question": "jobs", "kind": "fault", "code": "XTK-170006", "message": "no such attribute"}
    ]


@holds("web.api_unreachable@prod", root=False)
def the_api_does_not_answer_because_tomcat_is_down(s: Snapshot) -> None:
    refuses(s, "refused")
    answers(s, check("tomcat_logon", error="refused"))


@holds("web.api_database@prod", root=False)
def the_api_meets_a_database_that_is_down(s: Snapshot) -> None:
    refuses(s, "database")
    needs(s, target("database", "db1", 5432, reachable=False, error="refused"))
