"""What an Ansible module saves that runs from an archive: tried in an archive, in a new process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from ansible_collections.campaign.remediation.plugins.module_utils import zipped

PACKAGE = "ansible_collections.campaign.remediation.plugins.module_utils"
COUNT = f"""
import sys
compiled = []
sys.addaudithook(lambda event, words: compiled.append(words[1]) if event == "compile" else None)
if sys.argv[1] == "once":
    from {PACKAGE} import zipped
from {PACKAGE} import parsers
assert parsers.decode(b"x") == "x"
print(sum(str(name).endswith("parsers.py") for name in compiled))
"""
LEAVE = f"""
import sys
from {PACKAGE} import zipped
class Memory:
    def __del__(self):
        print("given back")
memory = Memory()
zipped.leave_at_once()
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
        for source in Path(zipped.__file__).parent.glob("*.py"):
            packed.write(source, folder + source.name)
    return path


def run(script: str, archive: Path, *words: str) -> str:
    """What a script prints that imports from the archive."""
    script = f"import sys; sys.path.insert(0, {str(archive)!r})" + script
    return subprocess.run(
        [sys.executable, "-c", script, *words],
        check=True, stdout=subprocess.PIPE, text=True, timeout=60,
    ).stdout


def test_each_file_is_compiled_once(archive: Path) -> None:
    assert run(COUNT, archive, "once") == "1\n"
    assert int(run(COUNT, archive, "plain")) >= 1, "the count does not count"


def test_everything_is_said_before_it_leaves(archive: Path) -> None:
    assert run(LEAVE, archive) == "x" * 300000 + "\n"


def test_nothing_is_done_outside_an_archive() -> None:
    assert zipped.Finder not in sys.meta_path
