"""docs/user/brakes.md: each example is arranged as the page says, and a run ends as it says."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from unit.plan.test_waves import Simulated, fleet

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning import brakes
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning.brakes import (
    Brakes,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning.records import (
    Plan,
)

PAGE = (Path(__file__).parents[3] / "docs" / "user" / "brakes.md").read_text(encoding="utf-8")
TITLES = ("Three hosts", "Thirty hosts", "Three hundred hosts")


class Example(NamedTuple):
    """A section of the page."""

    groups: dict[str, list[str]]
    brakes: dict[str, Any]
    found: dict[str, list[str]]
    shown: list[str]

    def plan(self, **more: Any) -> Plan:
        return fleet(self.found, self.groups, **{**self.brakes, **more})


def example(title: str) -> Example:
    text = PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    hosts = re.search(r"<!-- hosts: (.*?) -->", text)
    finding = re.search(r"<!-- finding: (.*?) -->", text)
    assert hosts and finding
    groups = {}
    for part in hosts[1].split(", "):
        name, count = part.split()
        groups[name] = [f"{name}{n}" for n in range(1, int(count) + 1)]
    found: dict[str, list[str]] = {name: [] for names in groups.values() for name in names}
    for part in finding[1].split("; "):
        key, _on, where = part.partition(" on ")
        count, of, group = where.rpartition(" of ")
        names = groups[group] if of else groups[where]
        for name in names[: int(count) if of else None]:
            found[name].append(f"{key}@prod" if not key.startswith("web.") else f"{key}@default")
    blocks = [re.sub("(?m)^    ", "", block) for block in re.findall(r"(?:^    .*\n)+", text, re.MULTILINE)]
    loaded = yaml.safe_load(blocks[0])
    variables = {name.removeprefix("campaign_"): value for name, value in loaded.items()}
    return Example(groups, variables, found, blocks[1].splitlines())


def arranged(plan: Plan) -> list[str]:
    assert plan.fleet
    return [
        f"wave {n}: {', '.join(sorted(wave.hosts, key=place))}" for n, wave in enumerate(plan.fleet.waves, 1)
    ]


def place(name: str) -> tuple[bool, int]:
    return name.startswith("mail"), int(re.sub(r"\D", "", name))


@pytest.mark.parametrize("title", TITLES[:2])
def test_the_waves_of_the_page(title: str) -> None:
    shown = example(title)
    assert arranged(shown.plan()) == shown.shown


def test_ten_of_twenty_four_are_a_storm() -> None:
    plan = example("Thirty hosts").plan(accept_storm=False)
    assert plan.fleet
    assert [(storm.key, storm.group) for storm in plan.fleet.storms] == [("mta.memory_alert", "mid")]


def test_three_hundred() -> None:
    plan = example("Three hundred hosts").plan(accept_storm=False)
    assert plan.fleet and not plan.fleet.storms
    sizes = [len(wave.hosts) for wave in plan.fleet.waves]
    assert example("Three hundred hosts").shown == [
        f"waves of {', '.join(map(str, sizes[:-1]))} and {sizes[-1]} hosts"
    ]
    bad = {name: "not_repaired" for name in ("mid2", "mid3")}
    run = Simulated(plan, 1, bad, random.Random(1)).run()  # type: ignore[arg-type]
    begun = [event.host for event in run.events if event.kind == "begun"]
    assert begun == ["mid1", "mid2", "mid3"]
    assert len(run.skipped) == 57


def test_every_variable_and_its_default_is_on_the_page() -> None:
    rows = dict(re.findall(r"^\| `campaign_(\w+)` \| (.*?) \|", PAGE, re.MULTILINE))
    assert set(rows) == set(brakes.OPTIONS)
    known = Brakes()
    for name, text in rows.items():
        value = yaml.safe_load(text.strip("`"))
        if name not in ("max_failures", "min_healthy", "accept_storm"):
            assert Brakes.of({name: value}) == known, name
