"""tracking, trackinglogd, and the front-end web server."""

from __future__ import annotations

from typing import Any

import pytest
from unit.plugin_utils.builder import (
    HOME,
    Snapshot,
    ago,
    answers,
    check,
    data,
    database,
    fail,
    findings,
    healthy,
    keys,
    log,
    needs,
    remembers,
    restarts,
    says,
    target,
    workflow,
)
from unit.plugin_utils.problems.cases import holds, near


@holds("trackinglogd.shared_memory_stale@default")
def the_segment_has_another_version(s: Snapshot) -> None:
    says(s, "trackinglogd", "Bad version for the shared memory block", "SRV-810031")


@near("trackinglogd.shared_memory_stale")
def a_segment_of_a_dead_process(s: Snapshot) -> None:
    data(s, "shared_memory")["segments"].append(
        {"id": 2, "key": "0x1", "attached": 0, "creator_alive": False, "size_bytes": 9}
    )


@near("trackinglogd.shared_memory_stale")
def a_dead_process_s_segment_in_use(s: Snapshot) -> None:
    data(s, "shared_memory")["segments"][0]["creator_alive"] = False


@holds("trackinglogd.too_many_segments@default")
def three_segments(s: Snapshot) -> None:
    data(s, "shared_memory")["segments"] *= 3


@holds("host.build_deprecated@default")
def a_build_that_the_vendor_withdrew(s: Snapshot) -> None:
    data(s, "pdump")["build"] = "7.4.3 build 9395@8f3ef8e"


@near("host.build_deprecated")
def the_current_build(s: Snapshot) -> None:
    data(s, "pdump")["build"] = "7.4.4 build 9400@8f3ef8e"


@holds("syslogd.log_read_in_part@prod#mta")
def a_log_larger_than_what_is_read(s: Snapshot) -> None:
    log(s, "mta").update(truncated=True, size_bytes=10_000_000, first_at=ago(minutes=12))


@holds("watchdog.module_unknown@default#pipelined@prod")
def an_operator_starts_what_there_is_not(s: Snapshot) -> None:
    s["given_command"] = {
        "command": "nlserver start pipelined@prod", "code": 0, "why": None,
        "said": "12:09:54 >   No task corresponds to the mask pipelined@prod",
    }


@holds("watchdog.module_unknown@default#inMail@test")
def a_start_of_ours_that_the_server_does_not_know(s: Snapshot) -> None:
    data(s, "ledger")["unknown"] = [
        {"module": "inMail", "instance": "test", "name": "inMail@test", "at": ago(minutes=5)}
    ]


@near("watchdog.module_unknown")
def a_start_that_went_well(s: Snapshot) -> None:
    s["given_command"] = {
        "command": "nlserver start web", "code": 0, "why": None,
        "said": "12:09:54 >   Launching task 'web@default' ('nlserver web') in a new process",
    }


def _front(s: Snapshot, build: str | None, **web_server: object) -> None:
    answers(s, check("front_test", redir={"status": "OK", "build": build}))
    data(s, "service")["web_server"] = {"processes": [], "includes": [], **web_server}


REPLACED = {"pid": 700, "library": f"{HOME}/lib/libnlsrvmod.so", "deleted": True}


@holds("web.front_library_old@default")
def the_web_server_answers_with_the_build_before(s: Snapshot) -> None:
    _front(s, "9346")


@holds("web.front_library_old@default")
def its_library_was_replaced_and_it_does_not_tell_its_build(s: Snapshot) -> None:
    _front(s, None, processes=[REPLACED])


@near("web.front_library_old")
def the_same_build_was_installed_again(s: Snapshot) -> None:
    _front(s, "9356", processes=[REPLACED])


@near("web.front_library_old")
def a_newer_web_server_in_front(s: Snapshot) -> None:
    _front(s, "9400")


def _includes(s: Snapshot, file: str, *there: str) -> None:
    line = {"path": "/etc/apache2/mods-enabled/nlsrv.conf", "line": 3, "file": file}
    _front(s, None, includes=[line])
    data(s, "storage")["front_files"] = list(there)


NEW_FILE, OLD_FILE = (f"{HOME}/{place}/apache_neolane.conf" for place in ("conf", "tomcat-7/conf"))
INCLUDED = "web.front_include_old@default#/etc/apache2/mods-enabled/nlsrv.conf:3"


@holds(INCLUDED)
def it_includes_a_file_that_the_upgrade_removed(s: Snapshot) -> None:
    _includes(s, OLD_FILE, NEW_FILE)


@near("web.front_include_old")
def it_includes_the_file_of_now(s: Snapshot) -> None:
    _includes(s, NEW_FILE, NEW_FILE)


@near("web.front_include_old")
def an_old_tomcat_with_its_file(s: Snapshot) -> None:
    _includes(s, OLD_FILE, OLD_FILE)


@near("web.front_include_old")
def nobody_saw_which_files_there_are(s: Snapshot) -> None:
    _includes(s, OLD_FILE)
    data(s, "storage")["front_files"] = None


LOST = "Requested URL '/r/ id=h787bc0,281a4d8,281a4da&p1=1' cannot be found"


def _links(s: Snapshot, number: int, line: str = LOST) -> None:
    path = f"{HOME}/var/prod/redir/url/2026/{number}.xml"
    _redirection(s, unreadable_files=1, unreadable=[{"path": path, "mode": "0600"}])
    says(s, "webmdl", line, instance="default")


@holds("web.link_file_unreadable@prod")
def the_file_of_the_delivery_is_closed(s: Snapshot) -> None:
    _links(s, 0x787BC0)


@near("web.link_file_unreadable")
def the_file_of_another_delivery_is_closed(s: Snapshot) -> None:
    _links(s, 0x787BC1)


@near("web.link_file_unreadable")
def a_closed_file_that_nobody_asked_for(s: Snapshot) -> None:
    _links(s, 0x787BC0, "All is well")


def _corrupt(s: Snapshot, **changes: object) -> None:
    path = f"{HOME}/var/prod/redir/log/0x000000000FD7E000.log"
    line = {"path": path, "line": 2, "mtime_at": ago(minutes=40), **changes}
    _redirection(s, corrupt_lines=1, corrupt=[line], unread_bytes=0)


@holds("tracking.corrupt_line@prod")
def a_line_lost_its_tail(s: Snapshot) -> None:
    _corrupt(s)


def test_a_corrupt_line_explains_the_paused_workflow() -> None:
    s = healthy()
    _corrupt(s)
    workflow(s, "tracking", state=13, failed=True)
    held = findings(s)
    assert held["tracking.workflow_in_error@prod"]["caused_by"] == ["tracking.corrupt_line"]
    assert held["tracking.corrupt_line@prod"]["severity"] == "warning"


def test_a_corrupt_line_explains_what_tracking_logs() -> None:
    s = healthy()
    _corrupt(s)  # the workflow has begun since: it tries again before it fails
    says(s, "tracking", "Corrupt line in the tracking logs: '50x000000000FD7E000'")
    says(s, "runwf", "tracking: tracking ended with 1, see tracking.log")
    held = findings(s)
    assert held["wfserver.workflow_errors@prod"]["caused_by"] == ["tracking.corrupt_line"]
    assert held["tracking.errors_few@prod"]["caused_by"] == ["tracking.corrupt_line"]
    assert held["tracking.corrupt_line@prod"]["severity"] == "warning"


def test_a_workflow_that_is_past_a_corrupt_line() -> None:
    s = healthy()
    _corrupt(s)  # the workflow has begun since and did not fail
    assert findings(s)["tracking.corrupt_line@prod"]["severity"] == "info"
    workflow(s, "tracking", last_start_at=ago(minutes=50))
    assert findings(s)["tracking.corrupt_line@prod"]["severity"] == "warning"


def test_segments_and_semaphores_are_told_with_their_owners() -> None:
    s = healthy()
    the_segment_has_another_version(s)
    data(s, "shared_memory")["segments"][0].update(owner="www-data", key="0x52020679")
    data(s, "shared_memory")["semaphores"] = [
        {"id": 7, "key": "0x52020678", "owner": "www-data", "count": 1, "stale": False}
    ]
    held = findings(s)["trackinglogd.shared_memory_stale@default"]
    shown = "segment 0x52020679 of www-data, semaphore 0x52020678 of www-data"
    assert held["evidence"]["shown"] == shown
    assert "of neolane and www-data" in held["fix"]
    assert "ipcrm -s" in held["fix"]


@pytest.mark.parametrize(
    ("own", "watchdog", "says_", "read"),
    [
        (None, None, "", ["mta.log", "watchdog.log"]),
        ("Unable to bind", None, "mta.log says: Unable to bind", ["mta.log"]),
        (None, "mta@prod ended: signal 11", "watchdog.log says: mta@prod ended", ["watchdog.log"]),
        (None, "mta@test ended: signal 11", "", ["mta.log", "watchdog.log"]),
    ],
)
def test_a_crash_loop_points_to_the_log_that_tells(
    own: str | None, watchdog: str | None, says_: str, read: list[str]
) -> None:
    s = healthy()
    restarts(s, "mta", *(ago(minutes=m) for m in (40, 30, 20, 10, 1)))
    if own:
        says(s, "mta", own)
    if watchdog:
        says(s, "watchdog", watchdog)
    held = findings(s)["mta.crash_loop@prod"]
    assert says_ in held["summary"] and ("says:" in held["summary"]) is bool(says_)
    told = held["evidence"]["tells"]
    assert [path.rpartition("/")[2] for path in told.split(" and ")] == read


POP = "pop.example.com"


@pytest.mark.parametrize(
    ("asked", "account", "held"),
    [
        ({"port": 110}, {"port": 995, "encryption": "POP3S"}, False),
        ({"port": 110}, {"encryption": "POP3S"}, False),
        ({"port": 110}, {"port": 110}, True),
        ({"port": 110}, {}, True),
        ({"port": 110, "ports": [110, 995]}, {"port": 995}, True),
        ({"port": 110}, {"port": 995, "server": "other.example.com"}, True),
        ({"port": 110}, {"port": 995, "active": False}, True),
    ],
)
def test_a_mailbox_is_judged_by_the_port_of_its_account(
    asked: dict[str, Any], account: dict[str, Any], held: bool
) -> None:
    s = healthy()
    database(s)["accounts"][0].update(account)
    needs(s, target("mailbox", POP, reachable=False, error="refused", **asked))
    assert ("inMail.mailbox_unreachable" in keys(s)) is held


def test_a_refusal_of_an_account_with_oauth_is_its_token() -> None:
    s = healthy()
    database(s)["accounts"][0].update(oauth="Microsoft OAuth 2.0")
    says(s, "inMail", "Authentication failure: unknown user name or bad password")
    held = findings(s)["inMail.mailbox_login_refused@prod"]
    assert "refresh token has expired; build 9356 does not keep it" in held["summary"]
    assert held["evidence"]["known_bug"].startswith("known bug of build 9356: the OAuth token")


def _redirection(s: Snapshot, **changes: object) -> None:
    data(s, "storage")["redirection"] = [{
        "instance": "prod", "log_files": 3, "log_bytes": 10, "newest_at": ago(minutes=5),
        "url_newest_at": None, **changes,
    }]


@holds("trackinglogd.files_not_growing@default#prod")
def no_line_for_five_hours(s: Snapshot) -> None:
    _redirection(s, newest_at=ago(hours=5))


@near("trackinglogd.files_not_growing")
def a_line_five_minutes_ago(s: Snapshot) -> None:
    _redirection(s)


@holds("trackinglogd.size_limit@default#prod")
def the_logs_are_as_big_as_they_may(s: Snapshot) -> None:
    _redirection(s, log_bytes=490 * 1048576)


@holds("tracking.redirection_unreachable@prod#www.example.com:443")
def the_redirection_server_is_down(s: Snapshot) -> None:
    needs(s, target("redirection", "www.example.com", 443, reachable=False, error="refused"))


@holds("tracking.redirection_unreachable@prod")
def the_log_says_so(s: Snapshot) -> None:
    says(s, "tracking", "RED-520025 unreachable", "RED-520025")


@near("tracking.redirection_unreachable")
def the_server_of_the_line_answers_now(s: Snapshot) -> None:
    says(s, "tracking", "RED-520025 http://T1 cannot be reached", "RED-520025")
    needs(s, target("redirection", "t1", 80, "default"))


@holds("tracking.redirection_unreachable@prod")
def another_server_answers(s: Snapshot) -> None:
    says(s, "tracking", "RED-520025 http://t2 cannot be reached", "RED-520025")
    needs(s, target("redirection", "t1", 80, "default"))


@near("tracking.redirection_unreachable")
def it_is_long_over(s: Snapshot) -> None:
    says(s, "tracking", "RED-520025 unreachable", "RED-520025", at=ago(minutes=50))


@holds("tracking.redirection_misconfigured@prod")
def the_alias_is_wrong(s: Snapshot) -> None:
    says(s, "tracking", "RED-520005 misconfigured", "RED-520005")


@holds("tracking.workflow_failed@prod#runwf")
def the_workflow_stopped(s: Snapshot) -> None:
    fail(s, "api", "skipped")  # without credentials the logs must do
    says(s, "runwf", "Workflow 'tracking' (1001) stopped on an error")


@holds("tracking.workflow_failed@prod#runwf")
def a_script_of_it_failed(s: Snapshot) -> None:
    fail(s, "api", "skipped")  # without credentials the logs must do
    says(s, "runwf", "tracking: SCR-160012 Unknown activity", "SCR-160012")


@near("tracking.workflow_failed")
def it_met_the_server_that_a_remedy_of_ours_had_stopped(s: Snapshot) -> None:
    says(s, "runwf", "tracking: tracking ended with 1, see tracking.log", at=ago(minutes=5))
    remembers(s, "renewals", "trackinglogd", at=ago(minutes=7),
              ended_at=ago(minutes=5), whole_server=True)


@holds("tracking.workflow_failed@prod#runwf")
def it_failed_before_that_remedy_too(s: Snapshot) -> None:
    fail(s, "api", "skipped")
    says(s, "runwf", "tracking: tracking ended with 1, see tracking.log", at=ago(minutes=20))
    remembers(s, "renewals", "trackinglogd", at=ago(minutes=7),
              ended_at=ago(minutes=5), whole_server=True)


@near("tracking.workflow_failed")
def another_workflow_stopped(s: Snapshot) -> None:
    says(s, "runwf", "Workflow 'cleanup' (1002) stopped on an error")


@holds("tracking.consolidation_late@prod")
def it_last_ran_this_morning(s: Snapshot) -> None:
    log(s, "tracking").update(mtime_at=ago(hours=5), last_at=ago(hours=5))


@near("tracking.consolidation_late")
def it_never_ran(s: Snapshot) -> None:
    log(s, "tracking").update(exists=False, mtime_at=None, last_at=None)
