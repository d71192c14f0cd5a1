"""The page in a browser: what it shows, in light and dark, on a phone, on paper, without JavaScript."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import fleet
import pytest
from axe_playwright_python.sync_playwright import Axe
from unit.report.browser import DESK, PHONE, Json, Open, hosts, needs_browser, visible

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report import timeline
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report.model import (
    Report,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report.shared import (
    changes,
)

CAUSE = "syslogd@default: Another process holds the UDP port"
HOSTILE = "</pre></script><script>window.hit = 1</script><img src=x onerror=window.hit=2>"


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESK])
def test_accessible_and_never_wider_than_the_screen(
    width: int, scheme: str, full: Json, open_page: Open
) -> None:
    page = open_page(full, width, scheme)
    for details in page.locator("details").all():
        details.evaluate("each => each.open = true")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.documentElement.scrollHeight") > 800
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    dark = sum(map(int, background.removeprefix("rgb(").removesuffix(")").split(","))) < 200
    assert dark == (scheme == "dark")


@needs_browser
def test_a_host_with_long_names_fits_a_phone(
    open_page: Open, make_report: Any, make_diagnosis: Any, make_finding: Any
) -> None:
    name = "a" * 90 + ".example.com"
    found = make_finding("mta.hung", fix="x" * 300, evidence={"path": "/" + "y" * 200},
                         summary="z" * 200, caused_by_ids=["stat.hung@prod"], title="t" * 90)
    root = make_finding("stat.hung", title="w" * 120)
    page = open_page(make_report([make_diagnosis(name, findings=[found, root])]), PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE


@needs_browser
def test_all_is_there_without_scripts(full: Json, open_page: Open) -> None:
    page = open_page(full, scripts=False)
    assert visible(page, ".filter") == []
    assert visible(page, "button") == []
    titles = visible(page, "h3")
    assert titles[:2] == [CAUSE, "app1 wfserver@prod: restart, 2.5 s"]
    assert visible(page, ".nothing") == []
    assert visible(page, "#contents a")[:2] == ["Hosts 6", "Root causes 1"]
    assert len(visible(page, ".matrix tbody tr")) == 6
    page.locator(".tree summary").first.click()
    assert page.locator("details .inner").first.is_visible()


@needs_browser
def test_the_worst_hosts_come_first(full: Json, open_page: Open) -> None:
    page = open_page(full)
    assert hosts(page) == ["app2", "app3", "app4", "mid1", "app5", "app1"]
    row = page.locator(".matrix tbody tr").first
    first = row.inner_text()
    assert "down" in first
    assert "35" in first  # a probe of it failed, which costs points, too
    signs = row.locator("td.h, .x, .w, .u, .h, .e")
    assert signs.evaluate_all("all => all.map((each) => each.textContent.trim())") == [
        "healthy", "down", "down", "degraded", "healthy", "not expected"
    ]


@needs_browser
def test_a_change_is_told_in_words(full: Json, open_page: Open) -> None:
    page = open_page(full)
    told = page.locator(".matrix tbody .change").all_inner_texts()
    assert told[0] == "4 new, score down 65"
    assert told[1] == "first seen"


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_one_red_for_what_is_critical_and_nothing_else(
    scheme: str, open_page: Open, make_report: Any, make_fleet: Any, make_action: Any,
    make_finding: Any
) -> None:
    """No host of it is down or has a critical finding, whatever else went wrong."""
    fleet = make_fleet(1, 0)
    fleet[0]["findings"] = [make_finding(f"mta.w{n}", severity="warning") for n in range(9)]
    report = make_report([*fleet, {**fleet[0], "name": "app9", "installed": False, "modules": [],
                                   "error": "no way in", "findings": []}])
    report["hosts"][0]["actions"] = [
        make_action("not_repaired", "2025-11-23T10:39:57Z", "2025-11-23T10:40:01Z")
    ]
    report["summary"]["not_repaired"] = 1
    before = Report.of(make_report(make_fleet(1, 0)))
    report["changes"] = changes.between(before, Report.of(report), {}).as_dict()
    page = open_page(report, scheme=scheme)
    assert "new" in page.inner_text("section[aria-labelledby=changes] .badge")
    reds = """() => {
      const red = getComputedStyle(document.documentElement).getPropertyValue("--critical").trim();
      const probe = document.createElement("i");
      probe.style.color = red;
      document.body.append(probe);
      const wanted = getComputedStyle(probe).color;
      probe.remove();
      const kinds = ["color", "backgroundColor", "borderLeftColor", "stroke"];
      return [...document.querySelectorAll("main *")].filter((each) => {
        const styles = [getComputedStyle(each), getComputedStyle(each, "::before")];
        return kinds.some((kind) => styles.some((style) => style[kind] === wanted));
      }).map((each) => each.className.baseVal ?? each.className);
    }"""
    signs = page.locator(".legend .x").count()
    assert page.evaluate(reds) == ["x"] * signs, "the legend alone shows what red means"


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_critical_has_the_same_red_everywhere(
    scheme: str, full: Json, open_page: Open
) -> None:
    page = open_page(full, scheme=scheme)
    used = page.evaluate("""() => {
      const of = (selector, kind) => getComputedStyle(document.querySelector(selector))[kind];
      return [of(".headline.critical", "color"), of(".badge.t-critical", "color"),
        of(".ring circle.t-critical", "stroke"), of(".card.t-critical", "borderLeftColor"),
        of(".swatch.t-critical", "backgroundColor")];
    }""")
    assert len(set(used)) == 1, used


@needs_browser
def test_the_number_of_500_fits_its_ring(
    open_page: Open, make_report: Any, make_fleet: Any
) -> None:
    page = open_page(make_report(make_fleet(500, 0)))
    assert page.locator(".ring text").all_text_contents() == ["500", "of 500", "healthy"]
    fits = """(texts) => texts.every((text) => {
      const box = text.getBBox();
      const inner = 50 - 13 / 2;
      return [box.x, box.x + box.width].every((x) =>
        [box.y, box.y + box.height].every((y) => Math.hypot(x - 60, y - 60) < inner));
    })"""
    assert page.locator(".ring text").evaluate_all(fits)


@needs_browser
def test_nothing_is_left_white_beside_what_a_cause_explains(open_page: Open) -> None:
    """The explained findings stand below the cause, and use its width."""
    page = open_page(fleet.report(fleet.host("app1", "everything_down")))
    card = page.locator("section[aria-labelledby=causes] .card").first
    box, drawn = card.bounding_box(), card.locator(".explains").bounding_box()
    source = card.locator(".source").first.bounding_box()
    assert box and drawn and source
    assert drawn["y"] >= source["y"] + source["height"]
    assert drawn["width"] > box["width"] * 0.9


@needs_browser
def test_what_a_cause_explains(full: Json, open_page: Open) -> None:
    page = open_page(full)
    effects = page.locator("section[aria-labelledby=causes] .tree summary")
    assert [" ".join(each.split()) for each in effects.all_text_contents()] == [
        "critical stat@prod: The module does not run",
        "warning mta@prod: Statistics server does not answer",
        "warning mta@mid: Statistics server does not answer mid1",
    ]
    lefts = [box["x"] for each in effects.all() if (box := each.bounding_box())]
    assert lefts[0] < lefts[1] == lefts[2]
    effects.first.click()
    assert page.locator(".tree .inner").first.is_visible()
    assert "stat.not_running" in page.locator(".tree .inner").first.inner_text()


@needs_browser
def test_equal_causes_on_several_hosts_are_one_card(
    open_page: Open, make_report: Any, make_diagnosis: Any, make_finding: Any
) -> None:
    ill = [
        make_diagnosis(f"app{number}", findings=[
            make_finding("mta.hung", summary="It hangs.", evidence={"pid": number, "since": "noon"}),
            make_finding("web.slow", severity="warning", summary=f"It takes {number} s.",
                         evidence={"seconds": number}, fix=f"kill {number}"),
            make_finding("stat.hung", evidence={"port": 7777}),
        ])
        for number in (1, 2, 3)
    ]
    page = open_page(make_report(ill))
    titles = visible(page, "section[aria-labelledby=causes] h3")
    assert len(titles) == 3
    names = ("mta.hung", "web.slow", "stat.hung")
    cards = {name: page.locator(f"[id='cause-{name}@prod']") for name in names}
    same = cards["stat.hung"].inner_text()
    assert "Hosts: app1, app2, app3" in same
    assert "port\n7777" in same
    assert cards["stat.hung"].locator("details").count() == 0, "nothing differs"
    mta = cards["mta.hung"]
    assert "since\nnoon" in mta.inner_text(), "the same on all"
    mta.locator("summary").click()
    assert mta.locator(".facts tr").all_inner_texts() == [
        "Host\tpid", "app1\t1", "app2\t2", "app3\t3"
    ]
    web = cards["web.slow"]
    web.locator("summary").click()
    assert web.locator(".facts thead th").all_inner_texts() == ["Host", "what", "seconds", "fix"]
    assert [each.strip() for each in web.locator("pre").all_inner_texts()] == ["kill 1", "kill 2", "kill 3"]


@needs_browser
def test_run_and_versions_stand_in_the_footer(full: Json, open_page: Open) -> None:
    full["run"] = "20251123T104005Z-0badcafe"
    text = open_page(full).inner_text("footer")
    for each in ("20251123T104005Z-0badcafe", "1.0.0", "7.0 build 9356", "schema 1"):
        assert each in text


@needs_browser
def test_on_paper(full: Json, open_page: Open) -> None:
    page = open_page(full, scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(24, 32, 43)"
    assert visible(page, ".tools, #contents, button") == []
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert all(each.is_visible() for each in page.locator(".tree .inner").all())
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator(".tree details[open]").count() == 0
    page.emulate_media(media="screen")
    page.fill("[name=host]", "mid")
    page.emulate_media(media="print")
    assert visible(page, ".filtered") == ["Filtered: 1 of 6 hosts are shown."]


@needs_browser
def test_text_of_a_host_stays_text(
    open_page: Open, make_report: Any, make_diagnosis: Any, make_finding: Any, make_action: Any
) -> None:
    causes = [make_finding("mta.hung", title=HOSTILE, summary=HOSTILE, fix=HOSTILE,
                           reason=HOSTILE, source="javascript:window.hit=3",
                           evidence={HOSTILE: [HOSTILE]})]
    effect = make_finding("mta.spool_stuck", title=HOSTILE, caused_by_ids=["mta.hung@prod"])
    evidence = [make_finding("stat.hung", title=HOSTILE, summary=HOSTILE + name, fix=HOSTILE + name,
                             evidence={HOSTILE: name}) for name in "ab"]
    report = make_report([
        make_diagnosis(HOSTILE, build=HOSTILE, findings=[*causes, effect, evidence[0]]),
        make_diagnosis(HOSTILE + " again", findings=[evidence[1]]),
    ])
    report["hosts"][0]["actions"] = [
        make_action("odd" + HOSTILE, "2025-11-23T10:39:57Z", "2025-11-23T10:40:01Z")
    ]
    page = open_page(report)
    assert page.evaluate("window.hit") is None
    assert page.locator("img, a[href^=javascript]").count() == 0
    assert page.locator("script").count() == 1
    for each in page.locator("[id]").all():
        assert re.fullmatch(r"[A-Za-z0-9._@-]+", each.get_attribute("id") or "")
    assert HOSTILE in page.inner_text("section[aria-labelledby=causes]")


@needs_browser
def test_no_other_script_may_run(full: Json, open_page: Open, tmp_path: Path) -> None:
    """Even if the escaping failed: the page allows its own script alone."""
    page = open_page(full)
    path = tmp_path / "report.html"
    text = path.read_text(encoding="utf-8").replace("</main>", "<script>window.hit=1</script>")
    other = tmp_path / "other.html"
    other.write_text(text, encoding="utf-8")
    context = page.context
    bad = context.new_page()
    bad.goto(other.as_uri())
    assert bad.evaluate("window.hit") is None
    assert bad.locator(".filter").is_visible()


def test_the_time_line(full: Json) -> None:
    line = timeline.of(Report.of(full))
    assert line is not None
    assert [row.host for row in line.rows] == ["app1", "app2", "mid1", "app5"]
    texts = [bar.text for bar in line.rows[0].bars]
    assert texts == [
        "wfserver@prod: restart, NOT REPAIRED, 4 s with its proof", "diagnosis, 0.4 s",
        "wfserver@prod: kill_and_start, repaired, 4 s with its proof",
    ]
    assert (line.start, line.end) == ("2025-11-23T10:39:57Z", "2025-11-23T10:40:10Z")
    lefts = [bar.left for bar in line.rows[0].bars]
    assert lefts == sorted(lefts)
    assert lefts[0] == 0
    assert all(bar.left + bar.width <= 101 for row in line.rows for bar in row.bars)


def test_no_time_line_where_no_time_is_known(make_report: Any, make_diagnosis: Any) -> None:
    unknown = make_report([make_diagnosis("app1", taken_at=None, started_at=None)])
    assert timeline.of(Report.of(unknown)) is None
    replayed = {**make_report([make_diagnosis("app1")]), "mode": "replay"}
    assert timeline.of(Report.of(replayed)) is None


@needs_browser
def test_only_commands_are_for_copying(
    open_page: Open, make_report: Any, make_diagnosis: Any, make_finding: Any
) -> None:
    """A command that changes, one that looks, and words are three things; a badge says whose turn it is."""
    page = open_page(make_report([make_diagnosis("app1", findings=[
        make_finding("mta.hung", fix="nlserver restart mta@prod", automatic=True, remedy="restart"),
        make_finding("host.disk_full", fix="du -xk /var | tail  # delete what is old",
                     reason="you decide what can be deleted"),
        make_finding("web.slow", severity="warning", fix="# ask who is at work"),
    ])]))

    def parts(identity: str) -> tuple[list[str], list[str], list[str], int]:
        card = page.locator(f"[id='cause-{identity}@prod']")
        card.scroll_into_view_if_needed()
        return (card.locator(".k").all_inner_texts(),
                [each.strip() for each in card.locator("pre").all_inner_texts()],
                card.locator(".head .badge").all_inner_texts()[1:], card.locator(".copy").count())

    assert parts("mta.hung") == (["Fix"], ["nlserver restart mta@prod"], ["automatic repair"], 1)
    assert parts("host.disk_full") == (["Look"], ["du -xk /var | tail"], ["needs an operator"], 1)
    assert parts("web.slow") == ([], [], ["needs an operator"], 0)
    text = page.inner_text("section[aria-labelledby=causes]")
    assert "Advice: delete what is old" in text
    assert "Advice: ask who is at work" in text
