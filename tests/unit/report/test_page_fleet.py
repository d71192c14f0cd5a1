"""The page of a fleet: its size, what a browser lays out of it, and axe's verdict."""

from __future__ import annotations

import fleet
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page
from unit.report.browser import DESK, PHONE, Open, needs_browser

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report import html
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report.model import (
    Report,
)

HOSTS, CAUSES, MOST_BYTES = 500, 1250, 1_000_000
LOOKS = {"light": (DESK, "light"), "dark": (DESK, "dark"), "phone": (PHONE, "light")}


@pytest.fixture(scope="module")
def large() -> Report:
    report = fleet.broken(HOSTS, CAUSES)
    assert len(report.hosts) == HOSTS
    assert report.summary.roots >= CAUSES
    return report


@pytest.fixture(scope="module")
def reports(large: Report) -> dict[int, Report]:
    four = (fleet.host("track1", "everything_down"), fleet.host("app1"),
            fleet.host("app2", "stat_unreachable", "workflow_failed"),
            fleet.host("mid1", "workflow_failed", "database_down", "disk_full"))
    return {1: fleet.report(fleet.host("app1", "module_killed_web")), 4: fleet.report(*four),
            HOSTS: large}


def test_500_hosts_have_less_than_a_megabyte(large: Report) -> None:
    assert len(html.render(large).encode()) < MOST_BYTES


@needs_browser
def test_what_is_in_view_alone_is_laid_out(large: Report, open_page: Open) -> None:
    """Else each change of the filter would cost seconds. How long it takes, the benchmark measures."""
    page = open_page(large)
    far = "(all) => all.filter((each) => !each.checkVisibility({contentVisibilityAuto: true})).length"
    for selector in (".matrix tbody td:first-of-type", ".card .head h3"):
        inside = page.locator(selector)
        assert inside.evaluate_all(far) > 0.8 * inside.count(), selector
    assert page.locator("button").count() < 200, "buttons come when they are near"
    page.fill("[name=host]", "campaign01")
    assert page.inner_text(".tools output") == "10 of 500 hosts"


def axe(page: Page) -> None:
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@needs_browser
@pytest.mark.parametrize(("hosts", "look"), [
    (1, "light"), *((4, look) for look in LOOKS), (HOSTS, "phone"),
    *(pytest.param(*rest, marks=pytest.mark.nightly)
      for rest in [(1, "dark"), (1, "phone"), (HOSTS, "light"), (HOSTS, "dark")]),
])  # fmt: skip
def test_axe_finds_nothing(
    hosts: int, look: str, reports: dict[int, Report], open_page: Open
) -> None:
    """With all that opens open; of many hosts those that a filter leaves, without the hidden ones."""
    page = open_page(reports[hosts], *LOOKS[look])
    if hosts == HOSTS:
        page.evaluate("document.querySelector('.tools').classList.add('open')")
        page.fill("[name=host]", "campaign001")
        gone = "document.querySelectorAll('tr[hidden], .card[hidden]')"
        page.evaluate(f"{gone}.forEach((each) => each.remove())")
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    axe(page)


@needs_browser
@pytest.mark.nightly
@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing_in_all_of_a_fleet(look: str, large: Report, open_page: Open) -> None:
    axe(open_page(large, *LOOKS[look]))
