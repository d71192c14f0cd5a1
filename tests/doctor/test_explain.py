"""A finding or an error code, explained; the data is what the catalogue says."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args

import catalogue_docs
import pytest
from rich.console import Console

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis import (
    records,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning import (
    ladder,
    records as plan,
)
from campaign_doctor import explanation, modules, packaged
from campaign_doctor.errors import DoctorError
from campaign_doctor.explain import (
    Code,
    Problem,
    Remedy,
    Term,
    Unknown,
    all_terms,
    catalogue,
    explain,
    names,
)
from campaign_doctor.explanation import lines
from campaign_doctor.outcome import ExitCode

TARGET = Path(__file__).resolve().parents[2] / "plugins"
PACKAGE = Path(__file__).resolve().parents[2] / "campaign_doctor"


def test_the_data_is_the_collection_s() -> None:
    assert json.loads(packaged.catalogue()) == catalogue_docs.data()


def test_in_a_checkout_it_is_made_again_after_a_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "catalogue.json"
    monkeypatch.setattr(packaged, "FILE", file)
    made = packaged.catalogue()
    assert file.read_bytes() == made and b"mta.hung" in made
    file.write_text("kept")
    assert packaged.catalogue() == b"kept"
    newest = packaged.TOP / "plugins" / "plugin_utils" / "_campaign" / "diagnosis" / "errors.ini"
    os.utime(file, (0, newest.stat().st_mtime - 1))
    assert packaged.catalogue() == made


def test_what_cannot_be_made_costs_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = tmp_path / "catalogue_docs.py"
    writer.write_text("raise SystemExit('broken\\nfor a reason')\n")
    monkeypatch.setattr(packaged, "FILE", tmp_path / "catalogue.json")
    monkeypatch.setattr(packaged, "WRITER", writer)
    with pytest.raises(DoctorError, match=r"^.* cannot make the catalogue: for a reason$"):
        packaged.catalogue()


def test_elsewhere_than_in_a_checkout_a_missing_file_costs_one_line(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / PACKAGE.name,
                    ignore=shutil.ignore_patterns("catalogue.json", "__pycache__"))
    for words in (["explain", "mta.hung"], ["explain", "no.such_thing"]):
        done = subprocess.run(
            [sys.executable, "-P", "-m", "campaign_doctor", *words], check=False, cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True,
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (ExitCode.NOT_RUN, "")
        assert done.stderr == (f"{tmp_path}/campaign_doctor/catalogue.json: No such file or "
                               "directory. Install campaign-doctor again.\n")


@pytest.mark.parametrize("name", ["stat.not_running", "STAT.NOT_RUNNING", "stat.not_running@prod"])
def test_a_key(name: str) -> None:
    (problem,) = explain(name)
    assert isinstance(problem, Problem)
    assert problem.key == "stat.not_running"
    assert problem.severity.value == "critical"
    assert problem.remedies[0].name == "start"
    assert problem.remedies[0].title == "Start stat"
    assert "watchdog.nothing_runs" in problem.causes
    assert problem.source.startswith("https://experienceleague.adobe.com/")


def test_a_key_without_a_remedy_says_why() -> None:
    (problem,) = explain("host.disk_full")
    assert isinstance(problem, Problem)
    assert problem.remedies == []
    assert problem.reason


def test_a_code() -> None:
    (code,) = explain("xsv-350012")
    assert isinstance(code, Code)
    assert (code.code, code.restart, code.who) == ("XSV-350012", "no", "Campaign administrator")
    assert code.meaning.startswith("a login was refused")
    assert code.harmless


def test_a_code_whose_text_decides() -> None:
    codes = [code.code for code in explain("PGS-220000") if isinstance(code, Code)]
    assert codes[0] == "PGS-220000"
    assert {"PGS-220000/duplicate", "PGS-220000/function"} <= set(codes)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("XTK-170037", "XTK-170036"),
        ("No task corresponds to the mask pipelined@prod", "unknown-module"),
        ("failed to process jar", "class-path"),
        ("PGS-220000 PostgreSQL error: ERROR: deadlock  detected", "deadlock"),
        ("SEVERE: Failed to process JAR found at URL [x@y]", "class-path"),
    ],
)
def test_another_code_of_a_section_and_the_words_of_a_line(line: str, code: str) -> None:
    assert code in [each.code for each in explain(line) if isinstance(each, Code)]


def test_a_name_that_many_modules_share() -> None:
    found = explain("not_running")
    assert {"stat.not_running", "mta.not_running"} <= {
        problem.key for problem in found if isinstance(problem, Problem)
    }


@pytest.mark.parametrize(
    ("name", "near"),
    [("stat.not_runing", "stat.not_running"), ("XSV-35001", "XSV-350012"),
     ("quota", "mta.quota_met")],
)
def test_what_is_nearly_known(name: str, near: str) -> None:
    with pytest.raises(Unknown) as raised:
        explain(name)
    assert near in raised.value.near
    assert f"'{name}'" in str(raised.value)
    assert near in str(raised.value)


def test_a_code_that_is_not_published_suggests_no_other_matter() -> None:
    with pytest.raises(Unknown) as raised:
        explain("ORA-01017")
    assert raised.value.near == []


def test_what_causes_it_is_told_with_its_title() -> None:
    console = Console(file=io.StringIO(), width=200)
    explanation.show(console, "stat.not_running")
    assert isinstance(console.file, io.StringIO)
    nothing = catalogue().problem("watchdog.nothing_runs")
    assert nothing is not None
    assert f"{nothing.title} (watchdog.nothing_runs)" in console.file.getvalue()
    assert "What it means" in console.file.getvalue()


def test_what_is_not_known_at_all() -> None:
    with pytest.raises(Unknown) as raised:
        explain("zzzzzzzzzz")
    assert raised.value.near == []
    assert "Did you mean" not in str(raised.value)


def test_every_name_is_explained() -> None:
    assert len(set(names())) == len(names())
    assert len(names()) > len(catalogue().problems) + len(catalogue().codes)
    for name in names():
        assert explain(name)


@pytest.mark.parametrize("problem", catalogue().problems, ids=lambda problem: problem.key)
def test_a_finding_is_explained_without_holes(problem: Problem) -> None:
    said = lines(problem)
    labels = [line.label for line in said if line.label]
    assert labels[:6] == ["Severity", "What it means", "Users notice", "How it is seen",
                          "Check by hand", "The tool does"]  # fmt: skip
    assert "If that fails" in labels and labels[-1] == "Source"
    for line in said:
        assert line.text.strip() and not re.search(r"<[a-z_]+>|\\{\\w+\\}", line.text), line
    for key in problem.causes:
        cause = catalogue().problem(key)
        assert cause and f"{cause.title} ({key})" in [line.text for line in said]


@pytest.mark.parametrize(("name", "kind", "part"), [
    ("budget", "guard", "campaign_restart_budget"), ("IN_FLIGHT", "guard", "in progress"),
    ("degraded", "verdict", "root causes"), ("not expected", "verdict", "Nothing"),
    ("unknown", "verdict", "checked completely"), ("unproved", "result", "shown it again"),
    ("muted", "reason", "campaign_muted"), ("mta", "module", "e-mail"),
    ("6", "exit code", "refused"), ("exit code 4", "exit code", "campaign-doctor check"),
])  # fmt: skip
def test_a_word_of_a_report(name: str, kind: str, part: str) -> None:
    (term,) = explain(name)
    assert isinstance(term, Term) and term.kind == kind
    assert part in " ".join(line.text for line in lines(term))


def test_every_remedy_guard_verdict_result_and_exit_code_is_explained() -> None:
    terms = {(term.kind, term.name) for term in all_terms()}
    assert {("exit code", str(code.value)) for code in ExitCode} <= terms
    assert {("module", name) for name in modules.names()} <= terms
    kinds = {"verdict": records.ModuleVerdict, "result": plan.Result, "reason": plan.Why}
    for kind, words in kinds.items():
        assert {(kind, word) for word in get_args(words)} <= terms
    refusals = {
        name for path in TARGET.rglob("*.py")
        for name in re.findall(r'Refused\(\s*"([a-z_]+)"', path.read_text())
    }
    assert {name for kind, name in terms if kind == "guard"} >= refusals > {"lock", "budget"}
    for name in ladder.REMEDIES:
        (remedy,) = explain(name)
        assert isinstance(remedy, Remedy) and all(line.text for line in lines(remedy))


def test_what_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    explanation.show(Console(width=80), "syslogd.port_taken")
    shown = capsys.readouterr().out
    assert shown.startswith("syslogd.port_taken: Another process holds the syslog port\n")
    assert "kill PID" in shown and "  By hand, as root" in shown
