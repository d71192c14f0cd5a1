"""A finding or an error code, explained; the data is what the catalogue says."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import catalogue_docs
import pytest
from rich.console import Console

from campaign_doctor import explanation, packaged
from campaign_doctor.errors import DoctorError
from campaign_doctor.explain import Code, Problem, Unknown, catalogue, explain, names
from campaign_doctor.outcome import ExitCode

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
    assert "Meaning     stat should be running" in console.file.getvalue()


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


def test_words_of_a_host_stand_in_angle_brackets() -> None:
    texts = [problem.meaning for problem in catalogue().problems]
    texts += [fix.text for problem in catalogue().problems for fix in problem.fix]
    assert not [text for text in texts if "{" in text]
