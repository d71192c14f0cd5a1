"""docs/user/notifications.md: its tables have the keys that an event has."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.campaign.remediation.plugins.action import campaign_report
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report.model import (
    Report,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report.shared import (
    event,
    news,
    webhook,
)

PAGE = Path(__file__).resolve().parents[3] / "docs" / "user" / "notifications.md"


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


def keys(page: str, heading: str) -> set[str]:
    """The keys in the first column of a table."""
    table = page.partition(f"| {heading} |")[2].partition("\n\n")[0]
    rows = [line.split("|")[1] for line in table.splitlines()[2:]]
    return {key for row in rows for key in re.findall(r"`(\w+)`", row)}


def test_the_tables_have_the_keys_of_an_event(page: str, report: dict[str, Any]) -> None:
    latest = Report.of(report)
    made = event.of(latest, news.of(latest, None), campaign_report._fixes)
    assert keys(page, "attribute") == set(made)
    assert keys(page, "key of `data`") == set(made["data"])
    assert keys(page, "key of an entry in `causes`") == set(made["data"]["causes"][0])


def test_the_variables_are_those_of_the_module(page: str) -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", page, re.S)
    set_here = yaml.safe_load(block)
    assert keys(page, "variable") == set(set_here)
    options = {name for name in campaign_report.ARGUMENTS if name.startswith("notify_")}
    assert {f"campaign_{name}" for name in options} == set(set_here)
    assert webhook.endpoint(set_here["campaign_notify_url"]).name == "https://aap.example.com"


def test_the_limits_are_those_of_the_code(page: str) -> None:
    assert f"{event.LARGEST_BYTES // 1024} KiB" in page
    assert f"all but {event.HOSTS_OF_A_CUT_EVENT} hosts" in page
    assert f"has {webhook.ANSWER_SECONDS:.0f} seconds" in page
    assert f"after {webhook.WHOLE_SECONDS:.0f} seconds" in page
    assert f"`{event.TYPE}`" in page
