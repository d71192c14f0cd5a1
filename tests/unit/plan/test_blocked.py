"""Remedies that are not tried: what stops now would not start again."""

from __future__ import annotations

import pytest
from unit.plan.builder import finding, plan_of, steps

BROKEN = "host.configuration_unreadable@{}#config.xml"


@pytest.mark.parametrize(
    "key", ["environment_broken", "nlserver_fails", "wrong_library"],
)
def test_where_nothing_can_start_nothing_is_stopped(key: str) -> None:
    host = plan_of(f"watchdog.{key}@default", "wfserver.memory_alert@prod")
    assert steps(host) == []
    left = {entry["id"]: entry for entry in host["left"]}
    entry = left["wfserver.memory_alert@prod"]
    assert entry["why"] == "no_automatic_remedy"
    assert entry["reason"].startswith("no module could be started: ")


@pytest.mark.parametrize(
    ("instance", "other", "planned"),
    [
        ("default", "wfserver.memory_alert@prod", False),
        ("prod", "wfserver.memory_alert@prod", False),
        ("prod2", "wfserver.memory_alert@prod", True),
        ("prod2", "web.memory_alert@default", False),
        ("prod", "watchdog.hung@default", False),
        ("default", "watchdog.service_not_enabled@default", True),
    ],
)
def test_a_broken_file_keeps_what_reads_it_from_a_restart(
    instance: str, other: str, planned: bool
) -> None:
    host = plan_of(finding(BROKEN.format(instance)), other)
    assert bool(steps(host)) is planned
