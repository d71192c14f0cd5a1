"""What a cause explains, as a tree."""

from __future__ import annotations

from typing import Any

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report import tree
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report.model import (
    Report,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report.shared import (
    view,
)


def told(nodes: list[tree.Node]) -> list[Any]:
    """Key and hosts of each node, and what is below it."""
    return [(node.effect.finding.key, len(node.effect.hosts), told(node.below)) for node in nodes]


def test_equal_findings_of_several_hosts_are_one(
    make_report: Any, make_fleet: Any, make_finding: Any
) -> None:
    fleet = make_fleet(4, 0)
    for host in fleet[:3]:
        host["findings"] = [
            make_finding("watchdog.nothing_runs", "default"),
            make_finding("stat.not_running", caused_by_ids=["watchdog.nothing_runs@default"]),
            make_finding("mta.stat_unreachable", caused_by_ids=["stat.not_running@prod"]),
        ]
    fleet[3]["findings"] = [
        make_finding("mta.stat_unreachable", "mid", caused_by_ids=["app000:stat.not_running@prod"])
    ]
    (cause,) = view.causes(Report.of(make_report(fleet)))
    drawn = tree.of(cause)
    assert told(drawn.nodes) == [
        ("stat.not_running", 3, [("mta.stat_unreachable", 3, []), ("mta.stat_unreachable", 1, [])])
    ]
    assert drawn.size == 3


def test_a_deep_chain_is_not_drawn_deeper_than_a_screen(
    make_report: Any, make_diagnosis: Any, make_finding: Any
) -> None:
    chain = [make_finding("mta.f0")] + [
        make_finding(f"mta.f{n}", caused_by_ids=[f"mta.f{n - 1}@prod"]) for n in range(1, 20)
    ]
    report = make_report([make_diagnosis("app1", findings=chain)])
    drawn = tree.of(view.causes(Report.of(report))[0])

    def depth(nodes: list[tree.Node]) -> int:
        return max((1 + depth(node.below) for node in nodes), default=0)

    def count(nodes: list[tree.Node]) -> int:
        return sum(1 + count(node.below) for node in nodes)

    assert depth(drawn.nodes) == tree.DEPTH
    assert count(drawn.nodes) == drawn.size == 19


def test_findings_that_explain_each_other_are_drawn(
    make_report: Any, make_diagnosis: Any, make_finding: Any
) -> None:
    both = [make_finding("mta.a", caused_by_ids=["mta.b@prod"]),
            make_finding("mta.b", caused_by_ids=["mta.a@prod"])]
    (cause,) = view.causes(Report.of(make_report([make_diagnosis("app1", findings=both)])))
    assert told(tree.of(cause).nodes) == [("mta.b", 1, [])]
