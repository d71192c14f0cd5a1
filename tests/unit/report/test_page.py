"""The page in a browser: light and dark, on a phone, without JavaScript, with 500 hosts."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report import (
    changes,
    html,
    picture,
    timeline,
    view,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report.model import (
    Report,
)
from needs import unless

Json = dict[str, Any]
Open = Callable[..., Page]

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
needs_browser = unless(CHROMIUM, "no Chromium on this machine")
PHONE, DESK = 360, 1280
PAINTED = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
CAUSE = "syslogd@default: Another process holds the UDP port"
HOSTILE = "</pre></script><script>window.hit = 1</script><img src=x onerror=window.hit=2>"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM)
        yield started
        started.close()


@pytest.fixture
def open_page(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """Opens a report; afterwards the page must have been silent and alone."""
    contexts = []
    said: list[str] = []
    asked: list[str] = []

    def open_(
        report: Json, width: int = DESK, scheme: str = "light", scripts: bool = True
    ) -> Page:
        path = tmp_path / "report.html"
        path.write_text(html.render(Report.of(report)), encoding="utf-8")
        context = browser.new_context(
            viewport={"width": width, "height": 800},
            color_scheme=scheme,  # type: ignore[arg-type]
            java_script_enabled=scripts,
            permissions=["clipboard-read", "clipboard-write"],
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri())
        return page

    yield open_
    for context in contexts:
        context.close()
    assert said == []
    assert set(asked) <= {(tmp_path / "report.html").as_uri()}


def action(result: str, started: str, finished: str, **more: Any) -> Json:
    return {
        "module": "wfserver", "instance": "prod", "remedy": "restart", "rung": "restart",
        "subject": None, "because": ["wfserver.hung@prod"], "result": result, "reason": None,
        "command": [["nlserver", "restart", "wfserver@prod", "-noconsole"]], "guard": None,
        "left": "changed",
        "before": {"state": "hung", "pid": 100}, "after": {"state": "running", "pid": 200},
        "seconds": 2.5, "started": started, "finished": finished,
        "evidence": "/var/evidence/1", **more,
    }


@pytest.fixture
def full(report: Json, make_report: Any, make_diagnosis: Any) -> Json:
    """A report in which every part of the page has something to say."""
    report["hosts"][0]["actions"] = [
        action("not_repaired", "2025-11-23T10:39:57Z", "2025-11-23T10:40:01Z",
               reason="It still hangs."),
        action("repaired", "2025-11-23T10:40:06Z", "2025-11-23T10:40:10Z",
               remedy="kill_and_start", rung=None),
    ]
    report["hosts"][2]["left"] = [
        {"id": "a@b", "key": "a", "module": "mta", "instance": "b", "why": "policy",
         "reason": "not allowed", "until": None},
    ]
    old = make_report([make_diagnosis("app2"), make_diagnosis("gone1")])
    report["changes"] = changes.between(Report.of(old), Report.of(report), {}).as_dict()
    return report


def visible(page: Page, selector: str) -> list[str]:
    return [each.inner_text() for each in page.locator(selector).all() if each.is_visible()]


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
    assert len(visible(page, ".matrix tbody tr")) == 6
    page.locator("summary").first.click()
    assert page.locator("details .inner").first.is_visible()


@needs_browser
def test_the_worst_hosts_come_first(full: Json, open_page: Open) -> None:
    rows = open_page(full).locator(".matrix tbody tr")
    names = [row.locator("th").inner_text() for row in rows.all()]
    assert names == ["app2", "app3", "app4", "mid1", "app5", "app1"]
    first = rows.first.inner_text()
    assert "down" in first
    assert "35" in first  # a probe of it failed, which costs points, too
    signs = rows.first.locator(".sign")
    assert signs.evaluate_all("all => all.map((each) => each.getAttribute('aria-label'))") == [
        "healthy", "down", "down", "degraded", "healthy", "not expected"
    ]


@needs_browser
def test_filter(full: Json, open_page: Open) -> None:
    page = open_page(full)

    def rows() -> list[str]:
        return [
            row.locator("th").inner_text()
            for row in page.locator(".matrix tbody tr").all() if row.is_visible()
        ]

    def causes() -> list[str]:
        return visible(page, "section[aria-labelledby=causes] h3")

    everything = (rows(), causes())
    assert page.inner_text("output") == "6 of 6 hosts"
    page.fill("[name=host]", "MID")
    assert rows() == ["mid1"]
    assert causes() == [CAUSE], "it explains a finding on mid1"
    assert page.inner_text("output") == "1 of 6 hosts"
    page.fill("[name=host]", "nothing")
    assert rows() == []
    assert "None that fits the filter." in visible(page, "section[aria-labelledby=causes]")[0]
    page.click("button[type=reset]")
    page.wait_for_function("document.querySelector('output').textContent === '6 of 6 hosts'")
    assert (rows(), causes()) == everything
    page.select_option("[name=module]", "syslogd")
    assert rows() == ["app2"]
    assert causes() == [CAUSE]
    page.select_option("[name=module]", "wfserver")
    assert (rows(), causes()) == ([], [])
    page.select_option("[name=module]", "")
    page.uncheck("[value=critical]")
    page.uncheck("[value=info]")
    assert rows() == ["app2", "mid1"], "those with a warning"
    assert causes() == [CAUSE], "it explains a warning"


@needs_browser
def test_copies_the_fix(full: Json, open_page: Open) -> None:
    page = open_page(full)
    button = page.locator("section[aria-labelledby=causes] .code button").first
    button.focus()
    page.keyboard.press("Enter")
    page.wait_for_function(
        "[...document.querySelectorAll('.code button')].some((b) => b.textContent === 'Copied')"
    )
    assert page.evaluate("navigator.clipboard.readText()") == (
        "systemctl stop rsyslog\nsu - neolane -c 'nlserver start syslogd@default'"
    )


@needs_browser
def test_by_keyboard(full: Json, open_page: Open) -> None:
    page = open_page(full)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the root causes"
    assert page.locator(".skip").is_visible()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.name") == "host"


@needs_browser
def test_text_of_a_host_stays_text(
    open_page: Open, make_report: Any, make_diagnosis: Any, make_finding: Any
) -> None:
    causes = [make_finding("mta.hung", title=HOSTILE, summary=HOSTILE, fix=HOSTILE,
                           reason=HOSTILE, source="javascript:window.hit=3",
                           evidence={HOSTILE: [HOSTILE]})]
    effect = make_finding("mta.spool_stuck", title=HOSTILE, caused_by_ids=["mta.hung@prod"])
    report = make_report([make_diagnosis(HOSTILE, findings=[*causes, effect])])
    report["hosts"][0]["actions"] = [
        action("odd" + HOSTILE, "2025-11-23T10:39:57Z", "2025-11-23T10:40:01Z")
    ]
    page = open_page(report)
    assert page.evaluate("window.hit") is None
    assert page.locator("img, a[href^=javascript]").count() == 0
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


@needs_browser
def test_the_picture_of_causes(full: Json, open_page: Open) -> None:
    page = open_page(full)
    drawing = page.locator(".picture svg").first
    assert drawing.locator("g .name").all_text_contents() == [
        "syslogd@default", "stat@prod", "mta@prod", "mta@mid · mid1"
    ]
    boxes = [box.bounding_box() for box in drawing.locator("rect.box").all()]
    assert drawing.locator("path").count() == 3
    for above, below in pairwise(boxes):
        assert above and below and above["y"] + above["height"] < below["y"]
    lefts = [box["x"] for box in boxes if box]
    assert lefts[0] < lefts[1] < lefts[2] == lefts[3]
    inside = "all => all.every((g) => g.querySelector('.what').getBBox().width < " \
             "g.querySelector('.box').getBBox().width - 14)"
    assert drawing.locator("g").evaluate_all(inside)


@needs_browser
def test_500_hosts_open_within_two_seconds(
    browser: Browser, make_report: Any, make_fleet: Any, tmp_path: Path
) -> None:
    """In time of the processor: what else the machine does at that moment is not the page's."""
    path = tmp_path / "report.html"
    report = make_report(make_fleet(500, 200))
    began = time.process_time()
    path.write_text(html.render(Report.of(report)), encoding="utf-8")
    assert time.process_time() - began < 2
    page = browser.new_page(viewport={"width": DESK, "height": 800})
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def spent() -> float:
        found = session.send("Performance.getMetrics")["metrics"]
        return float(next(each["value"] for each in found if each["name"] == "TaskDuration"))

    page.goto(path.as_uri())
    page.evaluate(PAINTED)
    opened = spent()
    assert 0 < opened < 2
    page.fill("[name=host]", "app01")
    page.evaluate(PAINTED)
    assert page.inner_text("output") == "10 of 500 hosts"
    assert spent() - opened < 1
    page.close()


def test_a_picture_of_many_hosts(make_report: Any, make_fleet: Any, make_finding: Any) -> None:
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
    drawn = picture.of(cause)
    assert [(node.label, node.x) for node in drawn.nodes] == [
        ("watchdog · 3 hosts", 1), ("stat@prod · 3 hosts", 23), ("mta@prod · 3 hosts", 45),
        ("mta@mid · app003", 45),
    ]
    assert len(drawn.edges) == 3


def test_a_picture_has_an_end(make_report: Any, make_diagnosis: Any, make_finding: Any) -> None:
    effects = [make_finding(f"mta.f{n:02}", caused_by_ids=["mta.root@prod"]) for n in range(40)]
    report = make_report([make_diagnosis("app1", findings=[make_finding("mta.root"), *effects])])
    drawn = picture.of(view.causes(Report.of(report))[0])
    assert len(drawn.nodes) + drawn.left_out == 41
    assert drawn.left_out > 0


def test_findings_that_explain_each_other_are_drawn(
    make_report: Any, make_diagnosis: Any, make_finding: Any
) -> None:
    both = [make_finding("mta.a", caused_by_ids=["mta.b@prod"]),
            make_finding("mta.b", caused_by_ids=["mta.a@prod"])]
    (cause,) = view.causes(Report.of(make_report([make_diagnosis("app1", findings=both)])))
    assert len(picture.of(cause).nodes) == 2


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
