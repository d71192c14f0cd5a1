"""The report on the terminal."""

from __future__ import annotations

import time
from typing import Any

import pytest

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report import text
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report.model import (
    Report,
)

Json = dict[str, Any]

SMALL = """\

Hosts, 2025-11-23 10:40:05 UTC
  app1 (prod)  healthy        watchdog, syslogd, stat, mta, web, trackinglogd, inMail, wfserver
  app2 (prod)  DOWN           down: syslogd, stat · degraded: mta · healthy: watchdog, web
  mid1         DEGRADED       degraded: mta@mid · healthy: watchdog, mta@mid2
  app3         UNREACHABLE    Failed to connect to the host via ssh: timed out
  app4         NOT DIAGNOSED  Unknown module 'foo'.
  app5         NO CAMPAIGN    no Campaign installation at /usr/local/neolane/nl6

Root causes

  1. CRITICAL app2 syslogd@default: Another process holds the UDP port (needs an operator)
     rsyslogd (pid 612, rsyslog.service) holds UDP port 666.
     Evidence  seen 2025-11-23 10:40:00 UTC
     Fix, on app2:
       systemctl stop rsyslog
       su - neolane -c 'nlserver start syslogd@default'
     By hand   What holds the port is not part of Campaign.
     Explains
       stat@prod: The module does not run
       mta@prod: Statistics server does not answer
       mid1 mta@mid: Statistics server does not answer
     Key       syslogd.port_taken
     Source    https://experienceleague.adobe.com/docs/page

Notes
  app2 web@default: Log precision is still raised
      su - neolane -c 'nlserver restart web@default -tomcat -noconsole'

Could not be checked
  app2: http: no answer within 8 s

Summary: 6 hosts: 1 healthy, 1 degraded, 1 down, 1 unreachable, 1 not diagnosed, 1 without Campaign;
  2 critical findings, 2 warnings, 1 root cause."""

LARGE = """\

Hosts, 2025-11-23 10:40:05 UTC
  40 hosts   DOWN     down: wfserver · 7 healthy
                      app000, app001, app002, app003, app004, app005, app006, app007 and 32 more
  460 hosts  healthy  all modules
                      app040, app041, app042, app043, app044, app045, app046, app047 and 452 more

Root causes

  1. CRITICAL 40 hosts wfserver@prod: The module does not run (needs an operator)
     Hosts     app000, app001, app002, app003, app004, app005, app006, app007, app008 and 31 more
     Evidence  (app000) pid 0
     Fix, on each:
       nlserver start x
     Key       wfserver.not_running
     Source    https://experienceleague.adobe.com/docs/page

Summary: 500 hosts: 460 healthy, 40 down; 40 critical findings, 0 warnings, 40 root causes."""


def shown(report: Json, **options: Any) -> str:
    return "\n".join(line.text for line in text.render(Report.of(report), **options))


def test_a_small_fleet(report: Json) -> None:
    assert shown(report, width=100) == SMALL


def test_tones_only_repeat_words(report: Json) -> None:
    tones = {line.text.split()[1]: line.tone for line in text.render(Report.of(report))[2:8]}
    assert tones == {"(prod)": "critical", "DEGRADED": "warning"} | {
        "UNREACHABLE": "critical",
        "NOT": "critical",
        "NO": "warning",
    }


@pytest.mark.parametrize("width", [20, 80, 120, 400])
def test_width(report: Json, width: int) -> None:
    """Between 80 and 120 columns; only what is to be copied may be longer."""
    room = max(80, min(120, width))
    fixes = {line for host in report["hosts"] for each in host["findings"] for line in lines(each)}
    for line in shown(report, width=width).splitlines():
        assert len(line) <= room or line.strip() in fixes


def lines(finding: Json) -> list[str]:
    return str(finding["fix"] or "").splitlines()


def test_commands_are_not_wrapped(make_report: Any, make_diagnosis: Any, make_finding: Any) -> None:
    command = "su - neolane -c '" + "nlserver start wfserver@prod && " * 10 + "true'"
    found = make_finding("wfserver.not_running", fix=command)
    assert command in shown(make_report([make_diagnosis("app1", findings=[found])]), width=80)


def test_without_unicode(report: Json, make_report: Any, make_diagnosis: Any) -> None:
    assert shown(report, unicode=False).isascii()
    odd = make_report([make_diagnosis("app1", error="café")])
    assert "caf\\xe9" in shown(odd, unicode=False)


def test_terminal_codes_of_a_log_are_harmless(
    make_report: Any, make_diagnosis: Any, make_finding: Any
) -> None:
    hostile = "\x1b[2J\x1b]0;owned\x07\u202ereversed\r\n\x9b31m"
    found = make_finding("mta.hung", summary=hostile, fix=hostile, evidence={"sample": hostile})
    output = shown(make_report([make_diagnosis("app1", error=None, findings=[found])]))
    assert not set(output) & set("\x1b\x07\x9b\r\u202e")


def test_500_hosts_stay_readable(make_report: Any, make_fleet: Any) -> None:
    began = time.process_time()
    assert shown(make_report(make_fleet(500, 40)), width=100) == LARGE
    assert time.process_time() - began < 2


def test_many_different_causes_are_cut(
    make_report: Any, make_diagnosis: Any, make_finding: Any
) -> None:
    found = [make_finding(f"wfserver.problem_{number}") for number in range(60)]
    output = shown(make_report([make_diagnosis("app1", findings=found)]))
    assert "… and 35 more in the report" in output


def test_fixes_that_differ_say_so(make_report: Any, make_diagnosis: Any, make_finding: Any) -> None:
    hosts = [
        make_diagnosis(name, findings=[make_finding("mta.hung", fix=f"kill {pid}")])
        for name, pid in (("app1", 1), ("app2", 2))
    ]
    assert "Fix, on app1 (the others: in the report):\n       kill 1" in shown(make_report(hosts))


def test_no_hosts(make_report: Any) -> None:
    output = shown(make_report([]))
    assert "No host in this run." in output
    assert "0 hosts: nothing diagnosed" in output
