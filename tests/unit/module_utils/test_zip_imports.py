"""What an Ansible module saves that runs from an archive: tried in an archive, in a new process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.payload import (
    zip_imports,
)

PACKAGE = "ansible_collections.campaign.remediation.plugins.module_utils._campaign"
COUNT = f"""
import sys
compiled = []
sys.addaudithook(lambda event, words: compiled.append(words[1]) if event == "compile" else None)
if sys.argv[1] == "once":
    from {PACKAGE}.payload import zip_imports
from {PACKAGE}.account import parsers
assert parsers.environment(b"a=x") == {{"a": "x"}}
print(sum(str(name).endswith("parsers.py") for name in compiled))
"""
LEAVE = f"""
import sys
from {PACKAGE}.payload import zip_imports
class Memory:
    def __del__(self):
        print("given back")
memory = Memory()
zip_imports.leave_at_once()
print("x" * 300000)
sys.exit(0)
"""


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """The files of module_utils, packed as Ansible packs them."""
    path = tmp_path / "module.zip"
    with ZipFile(path, "w") as packed:
        folder = ""
        for part in PACKAGE.split("."):
            folder += part + "/"
            packed.writestr(folder + "__init__.py", "")
        root = Path(zip_imports.__file__).parents[1]
        for source in root.rglob("*.py"):
            if source != root / "__init__.py":
                packed.write(source, folder + str(source.relative_to(root)))
    return path


def run(script: str, archive: Path, *words: str) -> str:
    """What a script prints that imports from the archive."""
    script = f"import sys; sys.path.insert(0, {str(archive)!r})" + script
    return subprocess.run(
        [sys.executable, "-I", "-c", script, *words],  # no cache of compiled archives
        check=True, stdout=subprocess.PIPE, text=True, timeout=60,
    ).stdout


def test_each_file_is_compiled_once(archive: Path) -> None:
    assert run(COUNT, archive, "once") == "1\n"
    assert int(run(COUNT, archive, "plain")) >= 1, "the count does not count"


def test_everything_is_said_before_it_leaves(archive: Path) -> None:
    assert run(LEAVE, archive) == "x" * 300000 + "\n"


def test_nothing_is_done_outside_an_archive() -> None:
    assert zip_imports.Finder not in sys.meta_path
