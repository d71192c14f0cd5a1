"""What leaves the machine of a report: chosen, grouped by root cause, and without anything personal."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.campaign.remediation.plugins.action import campaign_report
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report.model import (
    Report,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report.shared import (
    changes,
    event,
    news,
)

Json = dict[str, Any]
PERSONAL = "anna.berg-of-the-log"


def of(new: Json, old: Json | None = None) -> news.News:
    latest = Report.of(new)
    if old is None:
        return news.of(latest, None)
    before = Report.of(old)
    return news.of(latest, changes.between(before, latest, campaign_report.NEEDS), before)


def told(found: news.News, severity: str = "warning", **options: bool) -> list[tuple[str, str, int]]:
    chosen = found.worth_telling(severity, **options)
    return [(item.kind, item.key, len(item.hosts)) for item in (*chosen.causes, *chosen.fixed)]


@pytest.fixture
def healthy(make_diagnosis: Any, make_report: Any) -> Json:
    names = ("app1", "app2", "mid1", "app3", "app4", "app5")
    return dict(make_report([make_diagnosis(name) for name in names]))


def test_a_chain_is_one_item_also_across_hosts(report: Json, healthy: Json) -> None:
    found = of(report, healthy)
    assert told(found) == [("new", "syslogd.port_taken", 1)]
    (cause,) = found.worth_telling("warning").causes
    assert cause.headline == "syslogd@default: Another process holds the UDP port"
    assert [(each.key, each.hosts) for each in cause.effects] == [
        ("stat.not_running", ("app2",)), ("mta.stat_unreachable", ("app2",)),
        ("mta.stat_unreachable", ("mid1",)),
    ]
    assert cause.changed == ("app2", "mid1")


def test_without_an_earlier_run_everything_is_new(report: Json) -> None:
    assert told(of(report), "info") == [
        ("new", "syslogd.port_taken", 1), ("new", "web.log_precision_raised", 1),
    ]


def test_nothing_is_told_twice(report: Json) -> None:
    assert not of(report, report).worth_telling("info")


def test_the_same_on_many_hosts_is_one_item(make_report: Any, make_fleet: Any) -> None:
    found = of(make_report(make_fleet(60, 50)), make_report(make_fleet(60, 10)))
    assert told(found) == [("new", "wfserver.not_running", 50)]
    assert len(found.causes[0].changed) == 40


def test_an_effect_that_is_new_tells_its_cause(
    make_report: Any, make_diagnosis: Any, make_finding: Any
) -> None:
    cause = make_finding("stat.not_running", severity="warning")
    effect = make_finding("mta.stat_unreachable", caused_by=["stat.not_running"],
                          caused_by_ids=["stat.not_running@prod"])  # fmt: skip
    old = make_report([make_diagnosis("app1", findings=[cause])])
    new = make_report([make_diagnosis("app1", findings=[cause, effect])])
    assert told(of(new, old), "critical") == [("new", "stat.not_running", 1)]
    # What went with its cause is not told beside it.
    empty = make_report([make_diagnosis("app1")])
    assert told(of(empty, new)) == [("fixed", "stat.not_running", 1)]


def test_worse_and_better(make_report: Any, make_diagnosis: Any, make_finding: Any) -> None:
    mild, grave = (
        make_report([make_diagnosis("app1", findings=[make_finding("mta.x", severity=severity)])])
        for severity in ("warning", "critical")
    )
    assert told(of(grave, mild)) == [("worse", "mta.x", 1)]
    assert told(of(mild, grave)) == [], "it is still there"
    assert told(of(mild, grave), "critical") == [("better", "mta.x", 1)], "whoever heard of it is told"
    assert told(of(mild, grave), "critical", fixed=False) == []


def test_the_threshold(make_report: Any, make_diagnosis: Any, make_finding: Any) -> None:
    empty = make_report([make_diagnosis("app1")])
    new = make_report([make_diagnosis("app1", findings=[
        make_finding(f"mta.{severity}", severity=severity) for severity in news.SEVERITIES
    ])])  # fmt: skip
    for count, severity in enumerate(news.SEVERITIES, 1):
        assert len(told(of(new, empty), severity)) == count
        assert len(told(of(empty, new), severity)) == count
        assert told(of(empty, new), severity, fixed=False) == []


def test_a_host_without_a_diagnosis_is_told_once(report: Json, healthy: Json) -> None:
    first = of(report, healthy).worth_telling("critical")
    assert [(each.status, each.changed) for each in first.silent] == [
        ("unreachable", ("app3",)), ("failed", ("app4",)), ("not_installed", ("app5",)),
    ]
    assert not of(report, report).worth_telling("info").silent
    back = of(healthy, report).worth_telling("critical")
    assert back.back == ("app3", "app4", "app5")
    assert not of(healthy, report).worth_telling("critical", fixed=False).back


def personal(make_finding: Any, make_diagnosis: Any, make_report: Any) -> Json:
    found = make_finding(
        "export.in_error", summary=f"Started by {PERSONAL}", reason=f"ask {PERSONAL}",
        fix=f"# ask {PERSONAL}", evidence={"operator": PERSONAL, "line": PERSONAL},
        id=f"export.in_error@prod#{PERSONAL}",
    )
    silent = make_diagnosis("app2", reachable=False, error=f"{PERSONAL}@10.0.0.1: no")
    return dict(make_report([make_diagnosis("app1", findings=[found]), silent]))


def sent(new: Json, old: Json | None = None) -> Json:
    made = event.of(Report.of(new), of(new, old), campaign_report._fixes, "https://x/report.html")
    return dict(json.loads(event.as_bytes(made)))


def test_an_event_holds_nothing_personal(
    make_finding: Any, make_diagnosis: Any, make_report: Any
) -> None:
    report = personal(make_finding, make_diagnosis, make_report)
    assert PERSONAL in json.dumps(report)
    told = sent(report)
    assert PERSONAL not in json.dumps(told)
    assert told["data"]["causes"][0]["fix"] == [
        {"who": "advice", "text": "open its journal in the console; ask <operator>"}
    ]


def test_an_event(report: Json, healthy: Json) -> None:
    made = sent(report, healthy)
    assert made["specversion"] == "1.0"
    assert (made["type"], made["subject"]) == ("campaign.remediation.report", "6 hosts")
    assert made["id"] == (report["run"] or made["id"])
    assert made["time"] == report["finished"]
    data = made["data"]
    assert data["summary"] == {name: report["summary"][name] for name in data["summary"]}
    cause = data["causes"][0]
    assert (cause["change"], cause["changed_hosts"]) == ("new", ["app2", "mid1"])
    assert [each["change"] for each in sent(report)["data"]["causes"]] == [None, None]
    assert data["truncated"] is False
    assert [host["verdict"] for host in data["hosts"]][:2] == ["healthy", "down"]


def test_a_fix_names_the_module_unless_that_would_need_a_quote(
    make_report: Any, make_diagnosis: Any, make_finding: Any
) -> None:
    for instance, shown in (("prod", "stat@prod"), ("p;rm", "<target>")):
        finding = make_finding("stat.not_running", instance)
        (cause,) = sent(make_report([make_diagnosis("a", findings=[finding])]))["data"]["causes"]
        assert shown in cause["fix"][0]["text"]


def test_the_fingerprint_is_of_the_problem_alone(make_report: Any, make_fleet: Any) -> None:
    few, many = (sent(make_report(make_fleet(9, count)))["data"]["causes"][0] for count in (1, 8))
    assert few["fingerprint"] == many["fingerprint"]


def test_an_event_stays_within_its_limit(
    make_report: Any, make_diagnosis: Any, make_finding: Any
) -> None:
    hosts = [
        make_diagnosis(f"host-with-a-long-name-{number:04}", findings=[
            make_finding(f"mta.problem{number % 40}"), make_finding(f"mta.own{number}"),
        ])
        for number in range(600)
    ]  # fmt: skip
    made = sent(make_report(hosts))
    assert len(json.dumps(made, separators=(",", ":"))) <= event.LARGEST_BYTES
    assert made["data"]["truncated"] is True
    assert made["data"]["causes"][0]["host_count"] == 15
    assert made["data"]["summary"]["hosts"] == 600
