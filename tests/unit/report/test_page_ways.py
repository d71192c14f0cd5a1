"""Ways through the page: links, contents, filter, keyboard, copying."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page
from unit.report.browser import PHONE, Json, Open, hosts, needs_browser, shown, until, visible

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report import anchors
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report.model import (
    Report,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report.shared import (
    view,
)

CAUSE = "syslogd@default: Another process holds the UDP port"
NOTHING = "None that fits the filter."


def in_view(page: Page, selector: str) -> bool:
    """Whether the top of it is to be seen, below the bar that stays."""
    return bool(page.locator(selector).evaluate(
        "(each) => { const top = each.getBoundingClientRect().top;"
        " const bar = document.querySelector('.tools').getBoundingClientRect();"
        " return top < innerHeight && top >= (bar.top <= 0 ? bar.bottom : 0) - 1; }"
    ))


@needs_browser
def test_cells_lead_to_their_causes(full: Json, open_page: Open) -> None:
    page = open_page(full)
    for host, word in (("app2", "down"), ("mid1", "degraded")):
        page.evaluate("scrollTo(0, 0)")
        link = page.locator(f"#host-{host} td[data-module] a").first
        assert link.text_content() == word
        assert link.get_attribute("title") == CAUSE, "also where another host has the cause"
        link.click()
        assert page.url.endswith("#cause-syslogd.port_taken@default")
        until(page, "scrollY > 0")
        page.locator("#cause-syslogd\\.port_taken\\@default:target").wait_for()
    targets = page.locator(".matrix a[href^='#']").evaluate_all(
        "all => all.map((each) => document.getElementById(each.getAttribute('href').slice(1)))"
        ".filter((each) => !each).length"
    )
    assert targets == 0


@needs_browser
def test_a_cell_with_several_causes_leads_to_each(
    open_page: Open, make_report: Any, make_diagnosis: Any, make_finding: Any
) -> None:
    findings = [make_finding("mta.slow", severity="warning"), make_finding("mta.hung")]
    page = open_page(make_report([make_diagnosis("app1", findings=findings)]))
    links = page.locator("#host-app1 td[data-module] a")
    assert links.evaluate_all("all => all.map((each) => each.getAttribute('href'))") == [
        "#cause-mta.hung@prod", "#cause-mta.slow@prod"
    ], "the worst first"
    assert links.all_text_contents() == ["healthy", "2"]


@needs_browser
def test_a_link_to_what_the_filter_hides_shows_it(full: Json, open_page: Open) -> None:
    page = open_page(full)
    page.fill("[name=host]", "app1")
    assert shown(page) == []
    page.evaluate("location.hash = 'cause-syslogd.port_taken@default'")
    until(page, "document.querySelector('.card:target').hidden === false")
    assert shown(page) == [CAUSE]
    assert page.input_value("[name=host]") == ""


@needs_browser
def test_copies_links(full: Json, open_page: Open, tmp_path: Path) -> None:
    page = open_page(full)
    address = (tmp_path / "report.html").as_uri()
    page.locator("section[aria-labelledby=causes] .link").first.click()
    page.get_by_text("Link copied.").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == (
        f"{address}#cause-syslogd.port_taken@default"
    )
    page.get_by_role("button", name="Copy the link to mid1").click()
    until(page, "navigator.clipboard.readText().then((text) => text.endsWith('#host-mid1'))"
    )


@needs_browser
def test_copies_the_fix(full: Json, open_page: Open) -> None:
    """Its clock stands still: what is said is not gone before anybody looks."""
    page = open_page(full, clock=True)
    button = page.locator("section[aria-labelledby=causes] .code button").first
    button.focus()
    page.keyboard.press("Enter")
    page.get_by_text("Command copied.").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == (
        "systemctl stop rsyslog\nsu - neolane -c 'nlserver start syslogd@default'"
    )
    page.clock.run_for(2600)
    assert page.get_by_text("Command copied.").count() == 0
    assert button.evaluate("each => each === document.activeElement")


@needs_browser
def test_copies_where_the_browser_has_no_clipboard(full: Json, open_page: Open) -> None:
    page = open_page(full)
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }")
    button = page.locator("section[aria-labelledby=causes] .code button").first
    button.focus()
    page.keyboard.press("Enter")
    page.get_by_text("Command copied.").wait_for()
    assert page.evaluate("navigator.clipboard.readText()").startswith("systemctl stop rsyslog")
    assert button.evaluate("each => each === document.activeElement"), "not thrown to the top"


@needs_browser
def test_filter(full: Json, open_page: Open) -> None:
    page = open_page(full)
    everything = (hosts(page), shown(page))
    assert page.inner_text(".tools output") == "6 of 6 hosts"
    page.fill("[name=host]", "MID")
    assert hosts(page) == ["mid1"]
    assert shown(page) == [CAUSE], "it explains a finding on mid1"
    assert page.inner_text(".tools output") == "1 of 6 hosts"
    page.click("button[type=reset]")
    until(page, "document.querySelector('.tools output').textContent === '6 of 6 hosts'")
    assert (hosts(page), shown(page)) == everything
    page.select_option("[name=module]", "syslogd")
    assert hosts(page) == ["app2"]
    assert shown(page) == [CAUSE]
    page.select_option("[name=module]", "wfserver")
    assert (hosts(page), shown(page)) == ([], [])
    page.select_option("[name=module]", "")
    page.uncheck("[value=critical]")
    page.uncheck("[value=info]")
    assert hosts(page) == ["app2", "mid1"], "those with a warning"
    assert shown(page) == [CAUSE], "it explains a warning"


@needs_browser
def test_every_section_says_when_nothing_fits(full: Json, open_page: Open) -> None:
    full["hosts"][0]["plan"] = [{
        "order": 1, "module": "mta", "instance": "prod", "remedy": "restart", "rungs": ["restart"],
        "because": ["mta.hung@prod"], "keys": ["mta.hung"], "title": "Restart mta@prod",
        "command": None, "cancels": None, "limit": None, "subject": None, "not_after": None,
    }]
    page = open_page(full)
    sections = page.locator("main > section")
    names = sections.evaluate_all("all => all.map((each) => each.getAttribute('aria-labelledby'))")
    assert names == ["hosts", "causes", "changes", "repairs", "plan", "left", "notes", "unseen", "time"]
    assert visible(page, ".nothing") == []
    page.fill("[name=host]", "no host is called so")
    for section in sections.all():
        assert NOTHING in section.inner_text()
    page.fill("[name=host]", "app1")
    told = dict(zip(names, [NOTHING in each.inner_text() for each in sections.all()], strict=True))
    assert [name for name, nothing in told.items() if nothing] == ["causes", "left", "notes", "unseen"]


@needs_browser
def test_the_filter_stays_and_leads_back_to_the_top(full: Json, open_page: Open) -> None:
    for width in (1280, PHONE):
        page = open_page(full, width)
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        until(page, "scrollY > 500")
        bar = page.locator(".tools").bounding_box()
        assert bar
        assert -1 <= bar["y"] < 5
        page.locator(".up").click()
        until(page, "scrollY === 0")


@needs_browser
def test_on_a_phone_contents_and_filter_are_a_touch_away(full: Json, open_page: Open) -> None:
    page = open_page(full, PHONE)
    assert visible(page, "#contents a") == [
        "Hosts 6", "Root causes 1", "Changes", "Repairs 2", "Left as it is 1", "Notes 1",
        "Could not be checked 1", "Time line",
    ]
    for link in page.locator("#contents a").all():
        box = link.bounding_box()
        assert box
        assert box["height"] >= 24
        link.click()
        until(page, "scrollY > 0")
        assert in_view(page, f"{link.get_attribute('href')}")
        page.locator(".tools .to").click()
        until(page, "document.getElementById('contents').getBoundingClientRect().top >= 0")
    assert not page.locator("[name=host]").is_visible()
    page.get_by_role("button", name="Filter").click()
    page.fill("[name=host]", "mid1")
    assert hosts(page) == ["mid1"]


@needs_browser
def test_by_keyboard(full: Json, open_page: Open) -> None:
    """All that can be clicked is reached in the order of the page, and seen when it is."""
    page = open_page(full)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the root causes"
    assert page.locator(".skip").is_visible()
    for _link in page.locator("#contents a").all():
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.closest('#contents') !== null")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.name") == "host"
    seen = ["host"]
    while len(seen) < 200:
        page.keyboard.press("Tab")
        outlined, name, hidden = page.evaluate(
            "() => { const each = document.activeElement; const box = each.getBoundingClientRect();"
            " const bar = document.querySelector('.tools').getBoundingClientRect();"
            " return [getComputedStyle(each).outlineStyle, each.className || each.name || each.tagName,"
            " !each.closest('.tools') && box.bottom <= bar.bottom && bar.top <= 0]; }"
        )
        if name == "BODY":
            break
        assert outlined != "none", name
        assert not hidden, f"{name} is behind the bar"
        seen.append(name)
    for each in ("up", "link", "copy", "SUMMARY", "A"):
        assert each in seen


@needs_browser
@pytest.mark.parametrize("width", [640, 320])
def test_at_twice_and_four_times_the_size(width: int, full: Json, open_page: Open) -> None:
    """1280 at 200 % is 640 wide, at 400 % it is 320."""
    page = open_page(full, width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("button", name="Filter").click()
    page.fill("[name=host]", "mid1")
    assert hosts(page) == ["mid1"]
    bar = page.locator(".tools").bounding_box()
    assert bar
    assert bar["height"] < 800, "what is found stays in view"


def test_two_hosts_never_have_the_same_anchor(make_report: Any, make_diagnosis: Any) -> None:
    names = ["app 1", "app/1", "app-1", '"><script>', "x" * 300]
    report = Report.of(make_report([make_diagnosis(name) for name in names]))
    found = anchors.of(report, view.causes(report)).hosts
    assert list(found.values())[:3] == ["host-app-1", "host-app-1-2", "host-app-1-3"]
    assert found['"><script>'] == "host--script-"
    assert len(found["x" * 300]) < 120
