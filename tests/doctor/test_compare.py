"""What changed between two reports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.catalogue import (
    CATALOGUE,
)
from campaign_doctor.history import compare
from campaign_doctor.model import Change, Changes, Report
from campaign_doctor.shared import changes
from doctor.samples import Json, finding, host, module, report, unreachable


def between(old: Json, new: Json) -> Changes:
    return compare(Report.of(old), Report.of(new))


def told(entries: Sequence[Change]) -> list[tuple[str, str]]:
    return [(entry.host, entry.id) for entry in entries]


DOWN = finding("wfserver.not_running")
DISK = {"id": "host.disk_filling@default#/var"}


def disk(name: str, path: str, severity: str = "critical") -> Json:
    key = f"host.{name}"
    return finding(key, "default", severity, id=f"{key}@default#{path}")


def test_nothing() -> None:
    same = between(report(host(findings=[DOWN])), report(host(findings=[DOWN])))
    assert not same
    assert same.since.run == "20251123T104005Z-0badcafe"


def test_new_and_gone() -> None:
    found = between(report(host(findings=[DOWN])), report(host(findings=[finding("mta.hung")])))
    assert told(found.new) == [("app1", "mta.hung@prod")]
    assert told(found.gone) == [("app1", "wfserver.not_running@prod")]
    assert found


def test_a_greater_degree_is_worse_and_a_smaller_one_better() -> None:
    mild, grave = disk("disk_filling", "/var", "warning"), disk("disk_almost_full", "/var")
    graver = disk("disk_full", "/var")
    for milder, worse in ((mild, grave), (grave, graver), (mild, graver)):
        up = between(report(host(findings=[milder])), report(host(findings=[worse])))
        assert (told(up.worse), up.new, up.gone) == ([("app1", worse["id"])], (), ())
        assert up.worse[0].was is not None
        assert up.worse[0].was.id == milder["id"]
        down = between(report(host(findings=[worse])), report(host(findings=[milder])))
        assert (told(down.better), down.new, down.gone) == ([("app1", milder["id"])], (), ())


def test_another_disk_is_another_trouble() -> None:
    found = between(
        report(host(findings=[disk("disk_filling", "/var", "warning")])),
        report(host(findings=[disk("disk_full", "/opt")])),
    )
    assert told(found.new) == [("app1", "host.disk_full@default#/opt")]
    assert told(found.gone) == [("app1", "host.disk_filling@default#/var")]


def test_another_severity_of_the_same_finding() -> None:
    found = between(
        report(host(findings=[finding("mta.spool_stuck", severity="warning")])),
        report(host(findings=[finding("mta.spool_stuck")])),
    )
    assert told(found.worse) == [("app1", "mta.spool_stuck@prod")]


def test_hosts_that_come_and_go() -> None:
    old = report(host("a"), host("b", findings=[DOWN]), unreachable("c"), host("d"))
    new = report(host("a"), unreachable("b"), host("c", findings=[DOWN]), host("e"))
    found = between(old, new)
    hosts = found.hosts
    assert (hosts.appeared, hosts.vanished) == (("e",), ("d",))
    assert (hosts.lost, hosts.back) == (("b",), ("c",))
    # What cannot be seen is not gone.
    assert told(found.unseen) == [("b", "wfserver.not_running@prod")]
    assert found.gone == ()
    assert told(found.new) == [("c", "wfserver.not_running@prod")]


@pytest.mark.parametrize(
    ("finding_", "now"),
    [
        (DOWN, {"modules": [module("mta")]}),
        (disk("disk_full", "/var"), {"modules": [module("mta")]}),
        (disk("disk_full", "/var"), {
            "unseen": [{"probe": "storage", "kind": "timeout", "message": "no answer"}],
        }),
    ],
    ids=["another module was asked for", "one module was asked for", "its probe failed"],
)
def test_what_was_not_looked_at_is_not_gone(finding_: Json, now: dict[str, Any]) -> None:
    found = between(report(host(findings=[finding_])), report(host(**now)))
    assert (told(found.unseen), found.gone) == ([("app1", finding_["id"])], ())


def test_scores() -> None:
    found = between(
        report(host("a", score=60), host("b", score=100), unreachable("c")),
        report(host("a", score=100), host("b", score=100), host("c", score=50)),
    )
    assert [(each.host, each.score, each.was) for each in found.scores] == [("a", 100, 60)]


def test_the_gravest_first() -> None:
    both = [finding("mta.memory_warning", severity="warning"), DOWN]
    found = between(report(host()), report(host(findings=both)))
    assert [entry.severity.value for entry in found.new] == ["critical", "warning"]


def test_the_degrees_are_those_of_the_catalogue() -> None:
    names = {problem.key.partition(".")[2]: problem for problem in CATALOGUE}
    order = [severity.value for severity in reversed(type(CATALOGUE[0].severity))]
    for row in changes.DEGREES:
        ranks = [order.index(names[name].severity.value) for name in row]
        assert ranks == sorted(ranks), row
