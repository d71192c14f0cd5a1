"""tools/generated.py: each writer's file is what it writes, and is another one once its source is."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import declared_docs
import pytest
from common.writer import Writer
from generated import WRITERS

CHECKOUT = Path(__file__).resolve().parents[3]
NO_SOURCES = (".*", "__pycache__", "build", "saved_runs")
IDS = [str(writer.doc).split(": ")[0].rstrip(".") for writer in WRITERS]
# A source, the beginning of a text in it, and what is written from that.
CHANGES = (
    ("plugins/plugin_utils/_campaign/diagnosis/errors.ini", r"^meaning = ",
     {"docs/user/errors.md", "docs/developer/coverage.md"}),
    ("plugins/plugin_utils/_campaign/diagnosis/problems/mta.py", r'title="',
     {"docs/user/problems.md"}),
    ("plugins/plugin_utils/_campaign/planning/ladder.py", r'does="', {"roles/watchdog/README.md"}),
    ("tools/symptoms.yml", r"symptom: ", {"docs/developer/coverage.md"}),
    ("tests/integration/faults.yml", r"^    person: (?=\w)", {"docs/developer/faults.md"}),
    ("tests/hostile/attacks/allowed.py", r'@attack\(\w+, "', {"docs/developer/security.md"}),
    ("molecule/default/test_default.py", r'\A"""', {"docs/developer/molecule.md"}),
    ("campaign_doctor/options.py", 'help="', {"docs/user/campaign-doctor.md"}),
    ("plugins/plugin_utils/_campaign/report/model.py", r'^class Report\(?.*:\n    """',
     {"docs/report.schema.json"}),
    ("plugins/modules/campaign_diagnose.py", r"^    description: ",
     {"roles/campaign/meta/argument_specs.yml", "docs/user/variables.md"}),
)  # fmt: skip


@pytest.mark.parametrize("writer", WRITERS, ids=IDS)
def test_what_is_committed_is_what_is_written(
    writer: Writer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert writer.main(["--check"]) == 0, capsys.readouterr().out + "run make generated"


def marked(name: str) -> bool:
    """What .gitattributes says: the last line that names a file decides."""
    lines = (CHECKOUT / ".gitattributes").read_text(encoding="utf-8").splitlines()
    said = [line.split()[1] for line in lines if fnmatch(name, line.split()[0])]
    return bool(said) and said[-1] == "linguist-generated"


def test_git_knows_what_is_generated() -> None:
    """Whole files only: of the others a part is written by hand. A short task file need not be."""
    names = set[str]()
    for writer in WRITERS:
        for path, text in writer.written().items():
            name = str(path.relative_to(CHECKOUT))
            part = writer is declared_docs.WRITER or "<!-- " in text
            assert marked(name) != part or "/tasks/" in name, name
            names.add(name)
    tasks = {str(path.relative_to(CHECKOUT)) for path in CHECKOUT.glob("roles/*/tasks/*.yml")}
    assert {name for name in tasks if marked(name)} <= names


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkout, in which each source is changed."""
    top = tmp_path_factory.mktemp("copies") / "checkout"
    shutil.copytree(CHECKOUT, top, symlinks=True, ignore=shutil.ignore_patterns(*NO_SOURCES))
    for name, start, _written in CHANGES:
        source = top / name
        text, count = re.subn(f"({start})", r"\g<1>Changed. ", source.read_text(encoding="utf-8"),
                              count=3, flags=re.MULTILINE)  # fmt: skip
        assert count, f"{name} has no {start}"
        source.write_text(text, encoding="utf-8")
    return top


def generated(top: Path, *words: str) -> tuple[int, list[str]]:
    done = subprocess.run([sys.executable, top / "tools" / "generated.py", *words], check=False,
                          capture_output=True, text=True, timeout=300)  # fmt: skip
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout.splitlines()


def test_after_a_change_of_a_source_what_is_written_differs(copy: Path) -> None:
    code, lines = generated(copy, "--check")
    differs = {line.removeprefix("differs: ") for line in lines}
    assert code == 1
    for name, _start, written in CHANGES:
        assert written <= differs, f"{name}: {lines}"
    code, lines = generated(copy)
    assert (code, {line.removeprefix("written: ") for line in lines}) == (0, differs)
    assert generated(copy, "--check") == (0, [])
