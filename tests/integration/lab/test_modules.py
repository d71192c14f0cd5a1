"""The lab's modules as seen from outside: HTTP, UDP, mail, processes, shared memory, files."""

from __future__ import annotations

import os
import poplib
import re
import shutil
import signal
import socket
import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from campaign_lab import database, outside
from campaign_lab.layout import LAB_PASSWORD
from campaign_lab.modules import frontend, stat, trackinglogd, web
from campaign_lab.outside import Outside
from integration.harness import Lab, wait_until
from integration.lab.module_site import Site, add_workflow, ask, changed, job, last_job, workflow
from needs import needs


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server of these tests' own; a test that breaks it also heals it."""
    lab = Lab(tmp_path_factory.mktemp("modules"))
    try:
        lab.up()
        started = Site(lab)
        first_import = started.home / "var" / "prod" / "import" / "contacts_import.done"
        assert wait_until(first_import.exists, 20)
        yield started
    finally:
        lab.down()


# ---------------------------------------------------------------------------- web, front end


def test_redirection_test_page_has_the_documented_form(site: Site) -> None:
    answer = site.get("/r/test")
    assert answer.status == 200
    attributes = dict(re.findall(r"(\w+)='([^']*)'", answer.body))
    assert answer.body.startswith("<redir status='OK' ")
    assert attributes["instance"] == "prod"
    assert attributes["build"] == "9356"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\+00", attributes["date"])
    assert site.get("/r/test", "http").status == 404  # Tomcat knows nothing of it


@pytest.mark.parametrize("port", ["front", "http"])
def test_logon_page_is_a_form(site: Site, port: str) -> None:
    answer = site.get("/nl/jsp/logon.jsp", port)
    assert answer.status == 200
    assert "<form" in answer.body
    assert 'type="password"' in answer.body


def test_an_emptied_page_is_blank(site: Site) -> None:
    page = Path(web.logon_page(site.server.home))
    with changed(page, page.read_text(), ""):
        assert site.get("/nl/jsp/logon.jsp")[:2] == (200, "")
    assert "<form" in site.get("/nl/jsp/logon.jsp").body


def test_a_jdk_that_is_not_there_shows_a_java_trace(site: Site) -> None:
    customer = site.home / "customer.sh"
    text = customer.read_text()
    with changed(customer, text, text + "export JDK_HOME=/nowhere/jdk\n"):
        site.restart("web")
        answer = site.get("/nl/jsp/logon.jsp")
        assert answer.status == 500
        assert "java.lang.UnsatisfiedLinkError" in answer.body
        assert site.logged("web", "JVM-510037", instance="default")
    site.restart("web")
    assert site.get("/nl/jsp/logon.jsp").status == 200


def test_logon_then_ping_then_pdump_who(site: Site) -> None:
    answer = site.soap()
    assert answer.status == 200
    response = ElementTree.fromstring(answer.body)[0][0]
    assert response.tag == "{urn:xtk:session}LogonResponse"
    tokens = {e.tag.rpartition("}")[2]: e.text or "" for e in response}
    assert len(tokens["pstrSessionToken"]) == 39
    assert tokens["pstrSecurityToken"].startswith("@")
    assert len(tokens["pstrSecurityToken"]) == 109
    ping = site.get(f"/nl/jsp/ping.jsp?sessiontoken={tokens['pstrSessionToken']}")
    assert ping.status == 200
    assert re.fullmatch(r"OK\n\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", ping.body)
    cookie = site.get("/nl/jsp/ping.jsp", Cookie=f"__sessiontoken={tokens['pstrSessionToken']}")
    assert cookie.status == 200
    who = site.lab.nlserver("pdump", "-who").output
    assert re.search(r"\d\d:\d\d:\d\d 127\.\S+ prod admin$", who, re.MULTILINE)
    assert tokens["pstrSessionToken"] not in who
    assert site.get("/nl/jsp/ping.jsp").status == 403
    assert site.get("/nl/jsp/ping.jsp?sessiontoken=___0").status == 403
    pending = site.get(f"/nl/jsp/mcPing.jsp?sessiontoken={tokens['pstrSessionToken']}")
    assert pending.body == "Ok\n0/400 pending events"
    assert site.get("/nl/jsp/ping.jsp?zones=true").body == "OK\nzone: lan\n"
    assert site.get("/nl/jsp/schemawsdl.jsp").status == 302


def test_without_its_session_directory_web_answers_xtk_session_faults_until_restarted(
    site: Site,
) -> None:
    shutil.rmtree(web.session_directory(site.server.home))
    for answer in (site.soap(), site.get("/nl/jsp/soaprouter.jsp")):
        assert answer.status == 200
        assert "xtk:session" in answer.body
        assert "faultstring" in answer.body
    assert site.get("/nl/jsp/logon.jsp").status == 200
    site.restart("web")
    assert site.soap().status == 200


def test_ping_fails_when_the_database_is_gone_and_recovers(site: Site) -> None:
    token = ElementTree.fromstring(site.soap().body)[0][0][0].text
    away = site.database_file.with_suffix(".away")
    site.database_file.rename(away)
    try:
        answer = site.get(f"/nl/jsp/ping.jsp?sessiontoken={token}")
        assert answer.status == 500
        assert "unable to open database file (iRc=-2006)" in answer.body
        assert "unable to open database file (iRc=-2006)" in site.soap().body
        assert not site.database_file.exists()  # nobody made a new, empty one
        assert site.logged("wfserver", "(iRc=-2006)")
    finally:
        away.rename(site.database_file)
    assert site.get(f"/nl/jsp/ping.jsp?sessiontoken={token}").status == 200


def test_a_locked_database_is_an_error_too(site: Site) -> None:
    holder = sqlite3.connect(site.database_file, isolation_level=None)
    try:
        holder.execute("BEGIN EXCLUSIVE")
        answer = site.soap()
    finally:
        holder.close()
    assert "database is locked (iRc=-2006)" in answer.body
    assert "pstrSessionToken" in site.soap().body


def test_the_relay_says_502_and_504(site: Site) -> None:
    conf = Path(frontend.conf_path(site.server.home))
    (front,) = site.pids("apache2")
    with changed(conf, "ProxyTimeout 10", "ProxyTimeout 1"):
        os.kill(front, signal.SIGHUP)
        web_pid = site.pid("web")
        os.kill(web_pid, signal.SIGSTOP)
        try:
            assert wait_until(lambda: site.get("/nl/jsp/logon.jsp").status == 504, 15)
            assert site.get("/r/test").status == 200
        finally:
            os.kill(web_pid, signal.SIGCONT)
    os.kill(front, signal.SIGHUP)
    site.lab.nlserver("stop", "web")
    try:
        assert site.get("/nl/jsp/logon.jsp").status == 502
        assert site.get("/r/test").status == 200
    finally:
        site.lab.nlserver("start", "web")
    assert site.get("/nl/jsp/logon.jsp").status == 200


def test_without_the_redirection_module_there_is_no_test_page(site: Site) -> None:
    (front,) = site.pids("apache2")
    conf = Path(frontend.conf_path(site.server.home))
    with changed(conf, frontend.MODULE_LINE, "#"):
        os.kill(front, signal.SIGHUP)
        assert wait_until(lambda: site.get("/r/test").status == 404, 5)
        assert site.get("/nl/jsp/logon.jsp").status == 200
    os.kill(front, signal.SIGHUP)
    assert wait_until(lambda: site.get("/r/test").status == 200, 5)


def test_web_holds_its_control_port_and_the_front_end_is_no_module(site: Site) -> None:
    address = (site.server.address, site.server.ports["control"])
    socket.create_connection(address, 2).close()
    assert "front" not in site.lab.nlserver("pdump").output


# --------------------------------------------------------------------------------- stat, mta


def test_stat_counts_against_the_quotas_and_keeps_its_statistics_at_a_reload(site: Site) -> None:
    quotas = Path(stat.quota_path(site.server.home, "prod"))
    assert ask(site, "hello") == "stat 9356"
    pid = site.pid("stat")
    with changed(quotas, "example.com", "capped.example 2\nexample.com"):
        assert [ask(site, "ask capped.example 1") for _ in range(3)] == ["grant"] * 3
        assert site.lab.nlserver("stat", "-reload").code == 0
        assert site.logged("stat", "Quotas reloaded")
        assert ask(site, "ask capped.example 1").startswith("queue ")
        assert ask(site, "ask other.example 1") == "grant"
        assert site.pid("stat") == pid
    site.lab.nlserver("stat", "-reload")


def test_mta_does_not_start_without_the_address_of_stat(site: Site) -> None:
    conf = site.home / "conf" / "config-prod.xml"
    before = len(site.log("mta"))
    text = conf.read_text()
    (old,) = re.findall(r'statServerAddress="[^"]+"', text)
    try:
        with changed(conf, old, 'statServerAddress=""'):
            site.lab.nlserver("restart", "mta@prod")
            assert site.logged("mta", "statServerAddress is empty", before)
            assert "Mail server start" not in site.log("mta")[before:]
    finally:
        site.lab.nlserver("start", "mta@prod")
    assert wait_until(lambda: len(site.pids("nlserver", "mta")) == 1, 35)


def test_a_mail_goes_all_the_way_and_its_click_comes_back(site: Site) -> None:
    broad_log = site.deliver("reader@test.example")
    assert site.sent(broad_log)
    (child, *_) = site.pids(
        "nlserver", "mtachild", "-tracefile:mtachild@prod", "-instance:prod", "-detach")
    parent = int(Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[1])
    assert parent == site.pid("mta")
    box = site.outside.mailbox("reader@test.example")
    (mail,) = [path.read_text() for path in box.iterdir()]
    assert "Subject: Hello" in mail
    (link,) = re.findall(r"http://\S+(/r/\?id=\S+)", mail)
    logs = site.home / "var" / "prod" / "redir" / "log"
    mark = f"\t{broad_log:x}\t"
    assert wait_until(lambda: any(mark in f.read_text() for f in logs.glob("*")), 10)
    answer = site.get(link)
    assert answer.status == 302
    assert answer.headers["Location"].startswith("https://")
    time.sleep(trackinglogd.PERIOD_SECONDS + 0.5)
    assert site.lab.nlserver("tracking", "-instance:prod").code == 0
    count = "SELECT count(*) FROM nms_trackingLog WHERE broadLogId = ?"
    assert site.sql(count, broad_log) == [(2,)]
    site.lab.nlserver("tracking", "-instance:prod")
    assert site.sql(count, broad_log) == [(2,)]  # nothing twice
    assert site.get("/r/?id=hffffff,1,1").status == 404
    assert site.logged("webmdl", "Requested URL '/r/ id=hffffff,1,1' cannot be found", 0, "default")


def test_the_files_of_a_redirection_server_have_the_documented_form(site: Site) -> None:
    redir = site.home / "var" / "prod" / "redir"
    assert wait_until(lambda: any((redir / "log").iterdir()), 90)
    for file in (redir / "url").rglob("*.xml"):
        assert re.fullmatch(r"\d{4}/\d+\.xml", str(file.relative_to(redir / "url")))
        assert file.stat().st_mode & 0o777 == 0o644
    numbers = []
    for file in sorted((redir / "log").iterdir()):
        assert re.fullmatch(r"0x[0-9A-F]{16}\.log", file.name)
        for line in file.read_text().splitlines():
            fields = line.split("\t")
            assert len(fields) == 11
            assert re.fullmatch(r"50x[0-9A-F]{16}", fields[0])
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d", fields[1])
            assert fields[7] == "h"
            numbers.append(int(fields[0][1:], 16))
    first = numbers[0]
    assert numbers == list(range(first, first + len(numbers)))
    pointer = site.sql("SELECT value FROM xtk_option WHERE name = 'NmsTracking_Pointer'")
    assert int(pointer[0][0]) in numbers


def test_a_corrupt_line_stops_tracking(site: Site) -> None:
    logs = site.home / "var" / "prod" / "redir" / "log"
    newest = sorted(logs.iterdir())[-1]
    before = newest.read_text()
    number = int(before.splitlines()[-1].split("\t")[0][1:], 16) + 1
    with newest.open("a") as stream:
        stream.write(f"50x{number:016X}\t2026-08-27T06:00:51.02\t1f506d71\t1aeab4b6\n")
    try:
        assert site.lab.nlserver("tracking", "-instance:prod").code == 1
        assert site.logged("tracking", f"Corrupt line in the tracking logs: '50x{number:016X}", 0)
    finally:
        lines = newest.read_text().splitlines(keepends=True)
        newest.write_text("".join(line for line in lines if line.count("\t") > 3))
    assert site.lab.nlserver("tracking", "-instance:prod").code == 0


def test_a_spent_quota_queues_the_mail(site: Site) -> None:
    quotas = Path(stat.quota_path(site.server.home, "prod"))
    before = len(site.log("mtachild"))
    with changed(quotas, "example.com", "full.example 0\nexample.com"):
        site.lab.nlserver("stat", "-reload")
        broad_log = site.deliver("a@full.example")
        assert site.logged("mtachild", "Messages queued (connection quotas met)", before)
        assert site.status(broad_log) == database.LOG_PENDING
        assert list((site.home / "var/prod/mta").glob(f"*-{broad_log}.eml*"))
    site.lab.nlserver("stat", "-reload")
    assert site.sent(broad_log)


def test_a_relay_that_is_down_leaves_the_mail_in_the_spool(site: Site) -> None:
    before = len(site.log("mtachild"))
    site.outside.close("smtp")
    try:
        broad_log = site.deliver("b@test.example")
        assert site.logged("mtachild", "SMTP connection to the relay", before)
        assert list((site.home / "var/prod/mta").glob(f"*-{broad_log}.eml*"))
    finally:
        site.outside.open("smtp")
    assert site.sent(broad_log)
    assert not list((site.home / "var/prod/mta").glob(f"*-{broad_log}.eml*"))


def test_mta_sends_nothing_without_stat(site: Site) -> None:
    before = len(site.log("mta"))
    site.lab.nlserver("stop", "stat@prod")
    try:
        broad_log = site.deliver("c@test.example")
        assert site.logged("mta", "Unable to reach the statistics server", before)
        assert site.status(broad_log) == database.LOG_PENDING
    finally:
        site.lab.nlserver("start", "stat@prod")
    assert site.sent(broad_log)


def test_a_temporary_directory_on_another_device_is_errno_18(site: Site) -> None:
    other = Path("/dev/shm")
    needs(other.is_dir() and other.stat().st_dev != (site.home / "var").stat().st_dev,
          "no second device to write to")
    before = len(site.log("mta"))
    customer = site.home / "customer.sh"
    text = customer.read_text()
    with changed(customer, text, f"{text}export TMPDIR={other}\n"):
        site.restart("mta@prod")
        broad_log = site.deliver("d@test.example")
        assert site.logged("mta", "errno=18 (iRc=-52)", before)
        assert "Unable to rename '/dev/shm/" in site.log("mta")[before:]
        assert site.status(broad_log) == database.LOG_PENDING
        assert not list(other.glob("nl-*"))
    site.restart("mta@prod")
    assert site.sent(broad_log)


# ------------------------------------------------------------------------------------ inMail


def test_a_bounce_is_read_and_recorded(site: Site) -> None:
    assert site.sent(site.deliver("gone@bounce.example"))
    site.hurry("inMail")
    recorded = "SELECT text FROM nms_broadLogMsg WHERE address = 'gone@bounce.example'"
    assert wait_until(lambda: bool(site.sql(recorded)), 20)
    assert "550 5.1.1" in site.sql(recorded)[0][0]
    box = site.outside.mailbox(site.server.mailbox("prod"))
    assert wait_until(lambda: not list(box.iterdir()), 10)


def test_the_mailbox_wants_its_password(site: Site) -> None:
    login = site.server.mailbox("prod")
    for password, welcome in ((LAB_PASSWORD, True), ("wrong", False)):
        client = poplib.POP3(site.server.outside["address"], site.server.outside["pop3_port"], 5)
        client.user(login)
        try:
            client.pass_(password)
            assert welcome
            assert client.stat()[0] >= 0
        except poplib.error_proto:
            assert not welcome
        finally:
            client.close()


def test_a_mailbox_that_is_down_is_logged_and_read_later(site: Site) -> None:
    before = len(site.log("inMail"))
    login = site.server.mailbox("prod")
    site.outside.close("pop3")
    try:
        site.outside.put(login, b"Message-ID: <x@test>\r\n\r\n<x@y>: 550 no\r\n", copies=45)
        site.hurry("inMail")
        assert site.logged("inMail", "Unable to read the mailbox", before)
        assert len(list(site.outside.mailbox(login).iterdir())) == 45
    finally:
        site.outside.open("pop3")
    site.hurry("inMail")
    assert wait_until(lambda: not list(site.outside.mailbox(login).iterdir()), 20)
    assert site.sql("SELECT count(*) FROM nms_broadLogMsg WHERE messageId = '<x@test>'") == [(1,)]


# ------------------------------------------------------------------------------ trackinglogd


def test_trackinglogd_owns_a_segment_that_outlives_it(site: Site) -> None:
    segment = site.segment()
    assert segment is not None
    assert int(segment[3]) > 25000 * 64
    assert int(segment[4]) == site.pid("trackinglogd")  # who made it
    assert int(segment[6]) >= 1  # attached
    site.restart("trackinglogd")
    again = site.segment()
    assert again is not None
    assert again[1] == segment[1]


def test_a_segment_of_another_version_is_refused(site: Site) -> None:
    key = site.server.shared_memory_key
    before = len(site.log("trackinglogd", "default"))
    site.lab.nlserver("stop", "trackinglogd")
    trackinglogd.remove_segment(key)
    trackinglogd.make_segment(key, 65536, version=1)
    try:
        site.lab.nlserver("start", "trackinglogd")
        assert site.logged("trackinglogd", "SRV-810031 Bad version for the shared memory block",
                           before, "default")
        assert "trackinglogd@default" in site.lab.nlserver("monitor", "-missing").output
    finally:
        site.lab.nlserver("stop", "trackinglogd")
        trackinglogd.remove_segment(key)
        site.lab.nlserver("start", "trackinglogd")
    assert wait_until(lambda: bool(site.pids("nlserver", "trackinglogd")), 10)


def test_tracking_names_a_redirection_server_that_is_away_or_misconfigured(site: Site) -> None:
    (front,) = site.pids("apache2")
    conf = Path(frontend.conf_path(site.server.home))
    with changed(conf, frontend.MODULE_LINE, "#"):
        os.kill(front, signal.SIGHUP)
        assert wait_until(lambda: site.get("/r/test").status == 404, 5)
        assert site.lab.nlserver("tracking", "-instance:prod").code == 1
        assert site.logged("tracking", "RED-520005")
    os.kill(front, signal.SIGHUP)
    assert wait_until(lambda: site.get("/r/test").status == 200, 5)
    ((url,),) = site.sql("SELECT server FROM nms_extAccount WHERE type = 'redirection'")
    site.sql("UPDATE nms_extAccount SET server = ? WHERE type = 'redirection'", url + ":9")
    try:
        assert site.lab.nlserver("tracking", "-instance:prod").code == 1
        assert site.logged("tracking", "RED-520025")
    finally:
        site.sql("UPDATE nms_extAccount SET server = ? WHERE type = 'redirection'", url)
    assert site.lab.nlserver("tracking", "-instance:prod").code == 0


# ---------------------------------------------------------------------------------- wfserver


def test_a_workflow_runs_as_a_child_of_wfserver(site: Site) -> None:
    pipe = site.home / "var" / "prod" / "upload" / "pipe"
    os.mkfifo(pipe)
    add_workflow(site, "reading", "load:upload/pipe")
    started = ("nlserver", "runwf", "-tracefile:runwf@prod", "-instance:prod", "-detach",
               "-wf:reading")
    assert wait_until(lambda: bool(site.pids(*started)), 20)
    (pid,) = site.pids(*started)
    parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    assert parent == site.pid("wfserver")
    assert wait_until(lambda: tuple(workflow(site, "reading")) == (database.STARTED, 0, pid), 5)
    pipe.write_text("one\ntwo\n")
    assert wait_until(lambda: tuple(workflow(site, "reading")) == (database.STOPPED, 0, 0), 10)
    assert site.logged("runwf", "reading: 2 lines of 'pipe' read")


def test_a_failing_workflow_is_paused_and_failed(site: Site) -> None:
    add_workflow(site, "failing", "load:upload/absent.csv")
    assert wait_until(lambda: workflow(site, "failing")[1] == 1, 20)
    assert workflow(site, "failing")[0] == database.PAUSED
    assert site.logged("runwf", "absent.csv' errno=2 (iRc=-52)")
    assert site.sql("SELECT count(*) FROM xtk_workflowLog WHERE logType = 3"
                    " AND message LIKE '%absent.csv%'") == [(1,)]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_workflow_server_that_ends_fails_no_workflow(site: Site, number: int) -> None:
    """What it was in the middle of is run again; the job that it had started ends well."""
    name, load = f"importing{number}", f"piped{number}"
    source = site.home / "var" / "prod" / "import" / f"{load}.csv"
    os.mkfifo(source)
    try:
        add_workflow(site, name, f"job:import {load} paul.roux")
        assert wait_until(lambda: bool(site.pids("nlserver", "import")), 20)
        (importing,) = site.pids("nlserver", "import")
        (running,) = (pid for pid in site.pids("nlserver", "runwf")
                      if f"-wf:{name}" in Path(f"/proc/{pid}/cmdline").read_text())
        os.kill(site.pid("wfserver"), number)
        assert wait_until(lambda: workflow(site, name)[2] != running, 20)
        assert workflow(site, name)[:2] in {(database.START_PENDING, 0), (database.STARTED, 0)}
        assert site.logged("runwf", f"{name}: interrupted")
        assert f"{name}: import did not end" not in site.log("runwf")
        # The watchdog starts wfserver, and that the workflow: both read what is written here.
        assert wait_until(lambda: len(site.pids("nlserver", "import")) == 2, 30)
        assert importing in site.pids("nlserver", "import")
        os.rename(source, f"{source}.pipe")
        source.write_text("email\nlate@example.com\n")
        Path(f"{source}.pipe").write_text("email\nlate@example.com\n")
        assert wait_until(lambda: tuple(workflow(site, name)) == (database.STOPPED, 0, 0), 20)
        finished = "SELECT count(*) FROM xtk_job WHERE name = ? AND status = ?"
        assert wait_until(lambda: site.sql(finished, load, database.JOB_FINISHED) == [(2,)], 20)
    finally:
        site.lab.nlserver("stop", "import@prod")  # should it still read
        site.sql("DELETE FROM nms_recipient WHERE email = 'late@example.com'")


def test_the_limit_of_concurrency_leaves_campaigns_waiting(site: Site) -> None:
    limit = "UPDATE xtk_option SET value = ? WHERE name = 'NmsOperation_LimitConcurrency'"
    site.sql(limit, "0")
    try:
        add_workflow(site, "waiting", "load:upload/catalogue.csv")
        time.sleep(3)
        assert workflow(site, "waiting")[0] == database.START_PENDING
    finally:
        site.sql(limit, "10")
        site.hurry("wfserver")
    assert wait_until(lambda: workflow(site, "waiting")[0] == database.STOPPED, 20)


# ---------------------------------------------------------------------------- export, import


def test_an_export_in_full_and_as_a_delta(site: Site) -> None:
    target = site.home / "var" / "prod" / "export" / "all.csv"
    ((total,),) = site.sql("SELECT count(*) FROM nms_recipient")
    assert job(site, "export", "-job:all", "-operator:anna.berg", "-mode:full") == 0
    assert len(target.read_text().splitlines()) == total + 1
    assert last_job(site) == ("all", database.JOB_FINISHED, total, 0)
    site.sql("UPDATE nms_recipient SET lastModified = ? WHERE id = 3", time.time())
    assert job(site, "export", "-job:all", "-mode:delta") == 0
    assert len(target.read_text().splitlines()) == 2
    assert site.logged("export", "Job 'all' finished: 1 lines processed")


def test_jobs_that_fail_say_so(site: Site) -> None:
    assert job(site, "export", "-job:x", "-operator:nobody") == 1
    assert site.logged("export", "the operator 'nobody' does not exist")
    assert job(site, "export", "-job:x", "-file:/nowhere/x.csv") == 1
    assert last_job(site)[:2] == ("x", database.JOB_ERROR)
    assert job(site, "import", "-job:x") == 1
    assert site.logged("import", "import/x.csv' errno=2 (iRc=-52)")
    assert job(site, "import") == 2
    assert job(site, "export", "-job:x", "-mode:wrong") == 2


def test_an_import_rejects_updates_and_duplicates(site: Site) -> None:
    directory = site.home / "var" / "prod" / "import"
    header = "externalId;email;firstName;lastName\n"
    good = "Z1;zoe@example.org;Zoe;Z\n"
    (directory / "some.csv").write_text(f"{header}{good}broken line\n;no address;A;B\n")
    for _ in range(2):
        assert job(site, "import", "-job:some", "-operator:paul.roux") == 0
        assert last_job(site) == ("some", database.JOB_FINISHED, 1, 2)
    assert (directory / "rejects-some.csv").read_text().splitlines() == [
        "3;broken line", "4;;no address;A;B"]
    assert (directory / "some.done").exists()
    count = "SELECT count(*) FROM nms_recipient WHERE email = 'zoe@example.org'"
    assert site.sql(count) == [(1,)]
    assert job(site, "import", "-job:some", "-mode:delta") == 0
    assert last_job(site) == ("some", database.JOB_FINISHED, 0, 0)
    assert job(site, "import", "-job:some", "-key:none") == 0
    assert site.sql(count) == [(2,)]


def test_an_import_stops_when_its_first_100_lines_are_rejected(site: Site) -> None:
    directory = site.home / "var" / "prod" / "import"
    lines = ["externalId;email;firstName;lastName", *["bad"] * 150]
    (directory / "bad.csv").write_text("\n".join(lines) + "\n")
    assert job(site, "import", "-job:bad") == 1
    assert last_job(site) == ("bad", database.JOB_ERROR, 0, 100)
    lines[1] = "Y1;yves@example.org;Yves;Y"
    (directory / "bad.csv").write_text("\n".join(lines) + "\n")
    assert job(site, "import", "-job:bad") == 0
    assert last_job(site) == ("bad", database.JOB_FINISHED, 1, 149)


# -------------------------------------------------------------------------------------- cost


def test_an_idle_module_costs_next_to_nothing(site: Site) -> None:
    def ticks() -> dict[int, int]:
        found = {}
        for name in ("stat", "web", "trackinglogd", "mta", "inMail", "wfserver"):
            fields = Path(f"/proc/{site.pid(name)}/stat").read_text().rpartition(")")[2].split()
            found[site.pid(name)] = int(fields[11]) + int(fields[12])
        return found

    before, seconds = ticks(), 10
    time.sleep(seconds)
    after = ticks()
    used = sum(after[pid] - before[pid] for pid in before) / os.sysconf("SC_CLK_TCK")
    assert used / seconds < 0.02


def test_without_twisted_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outside, "CHECKOUT", tmp_path)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CAMPAIGN_LAB_PEERS_PYTHON", raising=False)
    with pytest.raises(outside.OutsideError, match=r"\.venv/bin/pip install Twisted$"):
        Outside(str(tmp_path), "127.0.0.1", 1, 2).start()
