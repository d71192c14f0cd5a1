"""Every targeted playbook once, as an operator runs it, with its outcome seen on the host."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from integration.site import ACCOUNT, HOME, PLAYBOOKS, RESULTS, Machine, Site, eventually, others

REMEDIATION = "/var/lib/campaign_remediation/usr-local-neolane-nl6"
UNTARGETED = {"diagnose", "remediate", "event", "show_report", "replay", "unlock"}
"""Playbooks that are no order for one thing."""


@pytest.fixture(scope="module")
def app(site: Site) -> Machine:
    """The host, once its jobs have run for the first time."""
    app = site["app1"]
    assert eventually(lambda: app.has(*RESULTS))
    return app


def order(site: Site, playbook: str, **variables: Any) -> None:
    """Run a targeted playbook, which ends well."""
    done = site.run(playbook, **{"campaign_accept_lost_work": True, **variables})
    assert done.code == 0, str(done)
    assert "failed=0" in done.output


def test_check(site: Site, app: Machine) -> None:
    before = app.modules()
    done = site.run("check")
    assert done.code == 0, str(done)
    for said in ("reachable: passed, ssh", "python: passed", "becomes root", f"home: passed, {HOME}"):
        assert said in done.output, f"{said}: {done}"
    assert not others(before, app.modules(), ())


def test_restart_wfserver(site: Site, app: Machine) -> None:
    before = app.modules()
    order(site, "restart_wfserver", campaign_instance="prod")
    after = app.modules()
    assert after["wfserver@prod"].pid != before["wfserver@prod"].pid
    assert not others(before, after, {"wfserver@prod"})


def test_restart_module(site: Site, app: Machine) -> None:
    before = app.modules()
    order(site, "restart_module", campaign_module="web")
    after = app.modules()
    assert after["web@default"].pid != before["web@default"].pid
    assert not others(before, after, {"web@default"})
    assert app.http("/nl/jsp/logon.jsp")[0] == 200


def test_stop_module_then_start_module(site: Site, app: Machine) -> None:
    before = app.modules()
    order(site, "stop_module", campaign_module="inMail")
    assert set(before) - set(app.modules()) == {"inMail@prod"}
    order(site, "start_module", campaign_module="inMail")
    assert app.runs("inMail@prod")
    assert not others(before, app.modules(), {"inMail@prod"})


def test_raise_and_restore_log_precision(site: Site, app: Machine) -> None:
    before = app.modules()
    order(site, "raise_log_precision", campaign_module="mta", campaign_log_precision="trace",
          campaign_trace_filters=["wdbc"], campaign_precision_for="15m")  # fmt: skip
    assert "-tracefilter:wdbc" in app.modules()["mta@prod"].arguments
    log = f"{HOME}/var/prod/log/mta_debug.log"
    assert eventually(lambda: app.host.file(log).exists and app.host.file(log).size > 0)
    order(site, "restore_log_precision")
    mta = app.modules()["mta@prod"]
    shipped = ("-tracefile:mta@prod", "-tracefilter:nlmta")
    assert not [word for word in mta.arguments.split() if "-trace" in word and word not in shipped]
    assert mta.parent == app.modules()["watchdog@default"].pid, "not supervised any more"
    assert not others(before, app.modules(), {"mta@prod"})


def test_check_syslogd(site: Site, app: Machine) -> None:
    before, lines = app.modules(), app.log_lines("default", "web")
    order(site, "check_syslogd")
    assert app.log_lines("default", "web") > lines
    assert not others(before, app.modules(), ())


def test_check_syslogd_fails_when_rsyslog_holds_the_port(site: Site, app: Machine) -> None:
    app.shell("printf 'module(load=\"imudp\")\\ninput(type=\"imudp\" port=\"666\")\\n'"
              " > /etc/rsyslog.d/network.conf")  # fmt: skip
    app.run("systemctl", "stop", "nlserver")
    app.run("systemctl", "enable", "--now", "rsyslog")
    app.run("systemctl", "start", "nlserver")
    assert eventually(lambda: app.runs("wfserver@prod") and app.holder("udp", 666) == "rsyslogd")
    try:
        done = site.run("check_syslogd", campaign_line_within=5)
        assert done.code == 2, str(done)
        assert "rsyslogd" in done.output and "syslogd.port_taken" in done.output, str(done)
    finally:
        app.run("systemctl", "stop", "syslog.socket", "rsyslog")
        app.run("systemctl", "restart", "nlserver")
    assert eventually(lambda: app.holder("udp", 666) == "nlserver" and app.runs("wfserver@prod"))


@pytest.mark.parametrize(
    ("kind", "result"),
    [("export", "export/contacts_export.csv"), ("import", "import/contacts_import.done")],
)
def test_relaunch_of_a_job(site: Site, app: Machine, kind: str, result: str) -> None:
    path = f"{HOME}/var/prod/{result}"
    app.run("touch", "-d", "3 days ago", path)
    order(site, f"relaunch_{kind}", campaign_job=f"contacts_{kind}", campaign_mode="full",
          campaign_taken_over_by="Berta Lang",
          **({"campaign_no_duplicates_confirmed_by": "Berta Lang"} if kind == "import" else {}))
    assert app.shell(f"find {path} -mmin -5"), "no new result"
    newest = app.sql(f"SELECT status FROM prod.xtk_job WHERE name = 'contacts_{kind}'"
                     " ORDER BY id DESC LIMIT 1")  # fmt: skip
    assert newest.strip() == "5", "the database does not say: finished"


def test_start_workflow(site: Site, app: Machine) -> None:
    """One that stopped on an error: that is a state in the database."""
    before = app.modules()
    app.sql("UPDATE prod.xtk_workflow SET state = 13, failed = 1 WHERE internalName = 'tracking'")
    consolidated = f"grep -c consolidated {HOME}/var/prod/log/tracking.log"
    runs = int(app.shell(consolidated))
    order(site, "start_workflow", campaign_workflow="tracking")
    assert app.sql("SELECT state, failed FROM prod.xtk_workflow"
                   " WHERE internalName = 'tracking'").strip() == "11|0"  # fmt: skip
    assert int(app.shell(consolidated)) > runs
    assert not others(before, app.modules(), ())


def test_reload_configuration(site: Site, app: Machine) -> None:
    before = app.modules()
    order(site, "reload_configuration")
    assert "Configuration reloaded" in app.shell(f"tail -n 5 {HOME}/var/default/log/web.log")
    order(site, "reload_configuration", campaign_module="stat")
    assert "reloaded" in app.shell(f"tail -n 3 {HOME}/var/prod/log/stat.log")
    assert not others(before, app.modules(), ())


def test_collect_evidence(site: Site, app: Machine) -> None:
    before = app.modules()
    done = site.run("collect_evidence")
    assert done.code == 0, str(done)
    fetched = [path for path in Path(done.report_dir, "evidence", "app1").rglob("*")
               if path.is_file()]
    assert fetched, "nothing was brought here"  # that it holds no password: see playbook()
    kept = app.shell(f"find {REMEDIATION}/evidence -type f").split()
    assert any(Path(path).name == fetched[0].name for path in kept)
    assert not others(before, app.modules(), ())


def test_rebuild_tracking_memory(site: Site, app: Machine) -> None:
    segments = "ipcs -m | awk '$3 == \"{}\" {{ print $2 }}'"
    before, old = app.modules(), app.shell(segments.format(ACCOUNT)).split()
    of_others = app.shell(segments.format("postgres"))
    order(site, "rebuild_tracking_memory")
    after = app.modules()
    assert set(after) == set(before)
    assert others(before, after, ()) == set(before), "something was not restarted"
    new = app.shell(segments.format(ACCOUNT)).split()
    assert new and not set(old) & set(new), "the segment is still the old one"
    assert of_others and app.shell(segments.format("postgres")) == of_others
    assert app.host.service("apache2").is_running and app.host.service("nlserver").is_running
    assert eventually(lambda: app.http("/r/test")[0] == 200)


def test_pause_then_resume(site: Site, app: Machine) -> None:
    before = app.modules()
    order(site, "pause", campaign_pause_for="1h", campaign_pause_reason="a new disk")
    refused = site.run("restart_module", campaign_module="web", campaign_accept_lost_work=True)
    assert refused.code != 0 and "a new disk" in refused.output, str(refused)
    assert not others(before, app.modules(), ())
    order(site, "resume")
    order(site, "reload_configuration")


def test_start_campaign(site: Site, app: Machine) -> None:
    expected = set(app.modules())
    app.run("systemctl", "stop", "nlserver")
    assert not app.modules()
    order(site, "start_campaign")
    assert app.host.service("nlserver").is_running
    assert eventually(lambda: set(app.modules()) == expected)


def test_what_was_ordered_is_in_the_ledger(site: Site, app: Machine) -> None:
    done = [line for line in app.ledger() if line["event"] == "ended"]
    assert {line["result"] for line in done} == {"done"}, json.dumps(done, indent=1)


def test_every_targeted_playbook_was_run(site: Site) -> None:
    playbooks = {path.stem for path in PLAYBOOKS.glob("*.yml") if ".meta" not in path.suffixes}
    assert playbooks - UNTARGETED == site.ran - UNTARGETED
