"""The report's files: the page, the test results, and how they are written."""

from __future__ import annotations

import json
import re
import stat
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import xmlschema

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report import (
    files,
    html,
    junit,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report.model import (
    Report,
)

Json = dict[str, Any]
HOSTILE = "</pre><script>alert(1)</script><img src=x onerror=alert(2)>&amp;\x00\x1b[31m\ud800\uffff"
JUNIT = xmlschema.XMLSchema(Path(__file__).with_name("junit.xsd"))
VOID = {"meta", "link", "br", "img", "hr", "input"}
ENDED_BY_OTHERS = {"tr", "td", "th", "thead", "tbody", "li", "dt", "dd"}  # HTML asks for no end tag


class Page(HTMLParser):
    """The elements of a page, and whether they are well nested."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.links.extend(str(value) for key, value in attrs if key in ("href", "src"))
        assert not any(key.startswith("on") for key, _ in attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self.open[-1] != tag and self.open[-1] in ENDED_BY_OTHERS:
            self.open.pop()
        assert self.open.pop() == tag


@pytest.fixture
def hostile(make_report: Any, make_diagnosis: Any, make_finding: Any) -> Json:
    found = make_finding(
        "mta.hung",
        title=HOSTILE,
        summary=HOSTILE,
        fix=HOSTILE,
        reason=HOSTILE,
        source="javascript:alert(3)",
        evidence={HOSTILE: HOSTILE, "list": [HOSTILE]},
    )
    unseen = [{"probe": "http", "kind": "failed", "message": HOSTILE}]
    report: Json = make_report(
        [
            make_diagnosis(HOSTILE, findings=[found], unseen=unseen),
            make_diagnosis("app2", error=HOSTILE),
        ]
    )
    return report


def test_page(report: Json) -> None:
    text = html.render(Report.of(report))
    page = Page(text)
    assert page.names.count("article") == 2
    assert page.names.count("tr") == 1 + len(report["hosts"])
    assert page.names.count("script") == 1
    fix = "systemctl stop rsyslog\nsu - neolane -c &#39;nlserver start syslogd@default&#39;\n"
    assert f"<pre>\n{fix}</pre>" in text


def test_page_needs_no_network(report: Json) -> None:
    text = html.render(Report.of(report))
    pages = [link for link in Page(text).links if not link.startswith("#")]
    assert pages == ["https://experienceleague.adobe.com/docs/page"] * 5  # one for each finding
    assert "@import" not in text
    assert "url(" not in text


def test_page_escapes_what_a_host_says(hostile: Json) -> None:
    text = html.render(Report.of(hostile))
    page = Page(text)
    assert "img" not in page.names
    assert page.names.count("script") == 1
    assert [link for link in page.links if not re.fullmatch(r"#[A-Za-z0-9._@-]+", link)] == []
    assert "\x1b" not in text
    assert "\x00" not in text


def test_page_of_nothing(make_report: Any) -> None:
    assert "nothing is wrong" in html.render(Report.of(make_report([])))


def test_test_results(report: Json) -> None:
    root = ElementTree.fromstring(junit.render(Report.of(report)))
    assert {suite.get("name") for suite in root} == {each["name"] for each in report["hosts"]}
    cases = {(case.get("classname"), case.get("name")): case for case in root.iter("testcase")}
    failure = cases["app2", "syslogd@default"].find("failure")
    assert failure is not None
    assert failure.get("type") == "syslogd.port_taken"
    assert "fix: systemctl stop rsyslog" in str(failure.text)
    assert cases["app2", "export@prod"].find("skipped") is not None
    assert cases["app2", "web@default"].find("failure") is None
    assert "Log precision" in str(cases["app2", "web@default"].findtext("system-out"))
    assert cases["app2", "probe http"].find("error") is not None
    for name in ("app3", "app4", "app5"):
        assert cases[name, "diagnosis"].find("error") is not None
    assert not list(cases["app1", "mta@prod"])


def test_test_results_are_valid(report: Json, hostile: Json, make_report: Any) -> None:
    """By the schema; the numbers, which no schema can check, by counting."""
    report["hosts"][0]["actions"] = [
        {"module": "mta", "instance": "prod", "remedy": "restart", "rung": None, "subject": None,
         "because": ["mta.hung@prod"], "command": [], "result": result, "reason": None,
         "guard": None, "before": {}, "after": {}, "left": "unknown", "seconds": 1.5,
         "started": None, "finished": None, "evidence": None}
        for result in ("repaired", "not_repaired")
    ]
    for each in (report, hostile, make_report([])):
        text = junit.render(Report.of(each))
        JUNIT.validate(text)
        root = ElementTree.fromstring(text)
        for part in (root, *root):
            assert int(part.get("tests", "")) == len(list(part.iter("testcase")))
            for count, element in (
                ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")
            ):
                assert int(part.get(count, "")) == len(list(part.iter(element)))


@pytest.mark.parametrize(
    ("before", "after"),
    [('tests="', 'tests="x'), ("<testcase ", "<case "), ('time="0"', 'time="soon"'),
     ("</testcase>", "<failure message='' type=''/></testcase>")],
)
def test_the_schema_is_strict(before: str, after: str, report: Json) -> None:
    text = junit.render(Report.of(report))
    assert before in text
    assert not JUNIT.is_valid(text.replace(before, after, 1))


def test_files_are_private_and_whole(report: Json, tmp_path: Path) -> None:
    directory = tmp_path / "new" / "report"
    written = files.write(Report.of(report), directory, ["json", "html", "junit"])
    assert [path.name for path in written] == ["report.json", "report.html", "junit.xml"]
    assert sorted(path.name for path in directory.iterdir()) == sorted(p.name for p in written)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in written} == {0o600}
    assert json.loads(written[0].read_text(encoding="utf-8")) == report


def test_files_are_replaced(report: Json, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("old", encoding="utf-8")
    files.write(Report.of(report), tmp_path, ["json"])
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8")) == report


def test_odd_text_can_be_written(hostile: Json, tmp_path: Path) -> None:
    files.write(Report.of(hostile), tmp_path, ["json", "html", "junit"])
    again = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert again["hosts"][0]["findings"][0]["title"] == HOSTILE


def test_a_failure_leaves_nothing_behind(report: Json, tmp_path: Path) -> None:
    (tmp_path / "report.json").mkdir()
    with pytest.raises(OSError, match=r"report\.json"):
        files.write(Report.of(report), tmp_path, ["json"])
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_500_hosts_are_quick(make_report: Any, make_fleet: Any, tmp_path: Path) -> None:
    report = make_report(make_fleet(500, 40))
    began = time.process_time()
    files.write(Report.of(report), tmp_path, ["json", "html", "junit"])
    assert time.process_time() - began < 5
