"""docs/developer/molecule.md tells what each scenario proves, and no more than that."""

from __future__ import annotations

import re

import scenario_docs


def rows() -> dict[str, str]:
    """The table as a reader sees it: scenario -> what it proves."""
    _, _, rest = scenario_docs.FILE.read_text().partition(scenario_docs.BEGIN)
    lines = re.findall(r"^\| `(\w+)` \|(.*)\|$", rest.partition(scenario_docs.END)[0], re.M)
    return {name: rest.rpartition("|")[2].strip() for name, rest in lines}


def test_the_table_is_what_the_scenarios_say() -> None:
    written = scenario_docs.FILE.read_text(encoding="utf-8")
    assert scenario_docs.BEGIN in written and scenario_docs.END in written
    assert written == scenario_docs.page(written), "run tools/scenario_docs.py"


def test_every_scenario_and_every_test_is_in_it() -> None:
    folders = {path.parent.name for path in scenario_docs.SCENARIOS.glob("*/test_*.py")}
    assert set(rows()) == folders
    for name, proves in rows().items():
        tests = re.findall(
            r"^def test_(\w+)\(",
            "".join(path.read_text() for path in scenario_docs.SCENARIOS.glob(f"{name}/test_*.py")),
            re.M,
        )
        assert tests and proves.split("; ") == [test.replace("_", " ") for test in tests]


def test_every_scenario_is_documented_in_one_sentence() -> None:
    for scenario in scenario_docs.scenarios():
        assert re.search(rf"^\| `{scenario}` \| \S[^|]+[.:] \|", scenario_docs.FILE.read_text(),
                         re.M), scenario  # fmt: skip
