"""The table of log lines: its form, which section a line belongs to, and what one event is."""

from __future__ import annotations

import re
from pathlib import Path

import errors_docs
import pytest
from common import CHECKOUT

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.account import logs
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis import (
    knowledge,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.catalogue import (
    BY_KEY,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.knowledge import (
    MEANINGS,
    Kind,
    Meaning,
    Restart,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.sources import (
    SOURCES,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.snapshot.records import (
    LogGroup,
)

SECTIONS = list(knowledge.sections(knowledge.FILE.read_text(encoding="utf-8")))
NEEDED = {"match", "restart", "modules", "meaning", "who", "action", "source"}
OPTIONAL = {"kind", "harmless", "finding", "within"}
WHO = {
    "Campaign administrator", "client", "database administrator", "mail administrator", "nobody",
    "operator", "system administrator", "vendor", "workflow developer",
}
MODULES = {
    "any", "client console", "export", "import", "inMail", "mta", "mtachild", "pipelined",
    "postupgrade", "runwf", "stat", "syslogd", "tracking", "trackinglogd", "watchdog", "web",
    "webmdl", "wfserver",
}


@pytest.mark.parametrize(("name", "values"), SECTIONS, ids=[name for name, _ in SECTIONS])
def test_a_section(name: str, values: dict[str, str]) -> None:
    assert set(values) >= NEEDED
    assert set(values) <= NEEDED | OPTIONAL
    assert all(value == value.strip() and value for value in values.values())
    row = knowledge.BY_CODE[name]
    assert row.who in WHO
    assert set(row.modules) <= MODULES
    assert not row.problem or row.problem in BY_KEY
    assert not row.within or knowledge.BY_CODE[row.within].decides
    assert all(s in SOURCES or s.startswith("KA-") or " " in s for s in row.sources)
    assert row.kind is not Kind.NOTE or row.restart is Restart.NO
    assert not row.text.endswith(".")
    assert not row.action.endswith(".")
    assert len(row.action) < 400  # with who acts, it is shown in full beside commands
    assert "{" not in row.action  # it becomes a template where an entry of its own shows it


def test_names_are_used_once_and_each_section_is_the_first_for_a_line_of_its_own() -> None:
    assert len({name for name, _ in SECTIONS}) == len(SECTIONS)
    for row in MEANINGS:
        for each in row.alternatives:
            line = " ".join([*sorted(each.codes), *each.words])
            if not each.patterns and row.kind is not Kind.WRAPPER:
                assert knowledge.rows(frozenset(), line)[0] is row, line


def test_a_pattern_is_not_tried_on_every_line() -> None:
    """But for that of the database, words or a code stand before it."""
    bare = [
        row.code for row in MEANINGS for each in row.alternatives
        if each.patterns and not each.codes and not each.words
    ]
    assert bare == ["database"]


def test_both_sides_know_the_same_codes() -> None:
    assert knowledge.CODE.pattern == logs._CODE.pattern


def test_what_is_no_section() -> None:
    with pytest.raises(ValueError, match="match twice"):
        list(knowledge.sections("[a]\nmatch = x\nmatch = y\n"))


def group(text: str, level: str = "error", event: str = "") -> LogGroup:
    return LogGroup(signature=text, level=level, sample=text, event=event)


def meaning(text: str) -> Meaning:
    found = knowledge.meaning_of(group(text))
    assert found is not None, text
    return found


@pytest.mark.parametrize(
    ("text", "code", "restart"),
    [
        ('PGS-220000 PostgreSQL error: ERROR: relation "t1" does not exist\nLINE 1: …',
         "PGS-220000/relation", Restart.NO),
        ("PGS-220000 PostgreSQL error: ERROR: deadlock detected", "deadlock", Restart.HEALS),
        ("Transaction (Process ID 9) was deadlocked on lock resources", "deadlock", Restart.HEALS),
        ('PGS-220000 ERROR: duplicate key value violates unique constraint "xtkworkflowlog_id"',
         "PGS-220000/xtkworkflowlog_id", Restart.AFTER_FIX),
        ('PostgreSQL error: ERROR: duplicate key value violates unique constraint "cus_id"',
         "PGS-220000/duplicate", Restart.NO),
        ("PGS-220000 ERROR: function truncdate(x) does not exist", "PGS-220000/function",
         Restart.AFTER_FIX),
        ('PGS-220000 ERROR: table "cusorder" does not exist', "PGS-220000/table", Restart.NO),
        ("PGS-220000 PostgreSQL error: could not connect to server", "database", Restart.NO),
        ("PGS-220000 ERROR: something new", "PGS-220000", Restart.NO),
        ("ORA-210000 Oracle error: ORA-01805: possible error in date/time operation.",
         "ORA-01805", Restart.AFTER_FIX),
        ("HTTP code 500 'XSV-350014 The '192.0.2.20' IP address … Connection refused.'",
         "XSV-350014", Restart.NO),
        ("SOP-330011 Error while … XSV-350012 Invalid login or password", "XSV-350012", Restart.NO),
        ("SOP-330011 Error while executing the method", "SOP-330011", Restart.NO),
        ("BAS-010015 Cannot open file '/tmp/x' (errno=13, Permission denied)", "BAS-010015",
         Restart.AFTER_FIX),
        ("BAS-010015 Cannot open file '/x/y' (errno=2, No such file or directory)",
         "BAS-010015/missing", Restart.AFTER_FIX),
        ("BAS-010015 Cannot write (errno=28, No space left on device)", "no-space",
         Restart.AFTER_FIX),
        ("Unable to rename file (errno=18, Invalid cross-device link) (iRc=-52)", "iRc=-52",
         Restart.AFTER_FIX),
        ("INT-150012 … (413) Request Entity Too Large", "INT-150012/large", Restart.AFTER_FIX),
        ("INT-150012 … error (401)", "INT-150012/refused", Restart.AFTER_FIX),
        ("INT-150012 … error (503)", "INT-150012", Restart.NO),
        ("SCR-160012 Error while evaluating script 'operationMgt/scheduler'.",
         "SCR-160012/operationMgt", Restart.AFTER_FIX),
        ("PU-0007 raw SQL", "PU-0005", Restart.AFTER_FIX),
        ("The Maximum Number of connections has been reached (50) by connections pool 'default'",
         "pool-full", Restart.AFTER_FIX),
        ("There is no index on the sourceId field", "missing-index", Restart.AFTER_FIX),
    ],
)
def test_what_a_line_means(text: str, code: str, restart: Restart) -> None:
    row = meaning(text)
    assert (row.code, row.restart) == (code, restart)


@pytest.mark.parametrize(
    "text",
    ["ODB-240007 Teradata: will use 'Europe Central'", "XSV-350201 Execute the command 'pwd'",
     'PGS-220000 ERROR: table "wkf123_1" does not exist', "WDB-200001 … DROP TABLE wk1",
     "JST-310034 …", "PInstanceSlot not found for Vault token rotate"],
)
def test_what_is_no_error_at_any_level(text: str) -> None:
    assert meaning(text).kind is Kind.NOTE


def test_what_nobody_documents() -> None:
    assert knowledge.meaning_of(group("XYZ-000001 something odd errno=1800")) is None


def test_in_one_event_a_line_that_wraps_another_says_nothing_more() -> None:
    texts = (
        "BAS-010003 Unable to complete operation in current status.",
        "DLV-490118 Error during preparation.",
        "SCR-160012 JavaScript: Error while evaluating script 'operationMgt/scheduler'.",
        "XSV-350012 Invalid login or password. Connection denied.",
    )
    together = knowledge.distinct_events([group(text, event="runwf:1") for text in texts])
    assert [each.sample for each in together] == [texts[2]]
    alone = knowledge.distinct_events([group(text, event=f"runwf:{n}") for n, text in enumerate(texts)])
    assert len(alone) == len(texts)


def test_two_errors_of_one_event_are_two() -> None:
    held = [group("IOB-090013 x", event="a:1"), group("QUE-370030 y", event="a:1")]
    assert knowledge.distinct_events(held) == held


def test_a_code_on_a_line_of_information_belongs_to_no_finding() -> None:
    line = group("Messages queued (connection quotas met)", "info")
    assert knowledge.reported_by("mta.quota_met", [line]) == []
    line = group("Messages queued (connection quotas met)", "warning")
    assert knowledge.reported_by("mta.quota_met", [line]) == [line]


def test_the_page_is_the_tables() -> None:
    assert errors_docs.WRITER.main(["--check"]) == 0


def test_the_page_has_every_section(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = errors_docs.page()
    anchors = set(re.findall(r"\(#([^)]+)\)", text))
    headings = re.findall(r"^## (.+)$", text, re.M)
    assert headings == [row.code for row in MEANINGS]
    assert anchors == {errors_docs._anchor(heading) for heading in headings}
    monkeypatch.setattr(errors_docs, "FILE", CHECKOUT / "build" / "knowledge.md")
    assert errors_docs.WRITER.main(["--check"]) == 1
