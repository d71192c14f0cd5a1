"""docs/developer/extending.md: each recipe is followed in a copy of the checkout, and the tests run there."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PAGE = CHECKOUT / "docs" / "developer" / "extending.md"
BLOCK = re.compile(r"^```\w+ (new|edit)=(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RECIPE = re.compile(r"^## (A .*)\n", re.MULTILINE)
ROW = re.compile(r"^\| an? .* \| (\d+) \|$", re.MULTILINE)
LEFT_BEHIND = shutil.ignore_patterns(
    ".git", ".venv", "build", ".lab", ".ansible", ".*_cache", ".hypothesis", "__pycache__",
    "output", "campaign-report",
)
# In the order of the page: what else may be touched by hand, as the issue of the house asks for it.
MOST = {"A problem": 4, "A remedy": 5, "A Campaign module": 10, "A format": 6, "A probe": 8}
TESTS = (
    "tests/unit/plan/test_ladder.py", "tests/unit/plan/test_fault_matrix.py",
    "tests/unit/roles/test_remedies.py", "tests/unit/roles/test_argument_specs.py",
    "tests/unit/plugin_utils/test_entropy.py", "tests/unit/plugin_utils/problems/test_problems.py",
    "tests/doctor/test_tsv.py", "tests/doctor/test_formats.py",
)  # fmt: skip
# Of the tests that are entered for every problem, remedy and module: those of the recipes.
CHOSEN = (
    "sms or inMail.busy or front or entropy or tsv or every or healthy or matrix or playbooks or name"
)


@dataclass(frozen=True)
class Block:
    """A file that is written by hand, or a change of one."""

    kind: str
    path: str
    text: str

    def apply(self, checkout: Path) -> None:
        path = checkout / self.path
        if self.kind == "new":
            assert not path.exists(), self.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.text, encoding="utf-8")
            return
        lines = self.text.splitlines(keepends=True)
        # The last line may be the beginning of one.
        old = "".join(line[1:] for line in lines if line[0] in " -").rstrip("\n")
        new = "".join(line[1:] for line in lines if line[0] in " +").rstrip("\n")
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{self.path} has {text.count(old)} times:\n{old}"
        path.write_text(text.replace(old, new), encoding="utf-8")


def recipes() -> dict[str, list[Block]]:
    """The blocks of each recipe by its heading."""
    _, *parts = RECIPE.split(PAGE.read_text(encoding="utf-8"))
    return {
        heading: [Block(*found) for found in BLOCK.findall(text)]
        for heading, text in zip(parts[::2], parts[1::2], strict=True)
    }


def run(checkout: Path, *command: str) -> None:
    done = subprocess.run(
        [sys.executable, *command], cwd=checkout, capture_output=True, text=True, check=False,
        env={"PATH": "/usr/bin:/bin", "PYTHONPYCACHEPREFIX": str(CHECKOUT / "build" / "pycache"),
             "LC_ALL": "C.UTF-8", "HOME": str(checkout.parent)},
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-6000:]}\n{done.stderr[-3000:]}"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    checkout = tmp_path_factory.mktemp("extending") / "checkout"
    shutil.copytree(CHECKOUT, checkout, symlinks=True, ignore=LEFT_BEHIND)
    return checkout


def test_each_recipe_is_short() -> None:
    told = [int(number) for number in ROW.findall(PAGE.read_text(encoding="utf-8"))]
    found = recipes()
    assert len(told) == len(found) == len(MOST)
    for by_hand, (heading, blocks), most in zip(
        told, found.items(), MOST.values(), strict=True
    ):
        assert len({block.path for block in blocks}) == by_hand <= most, heading


def test_the_recipes_lead_to_what_they_promise(copy: Path) -> None:
    """All in the same copy; then what is generated, and the tests that they concern."""
    for blocks in recipes().values():
        for block in blocks:
            block.apply(copy)
    run(copy, "tools/generated.py")
    run(copy, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-k", CHOSEN, *TESTS)
