"""A host may lie: whatever its snapshot holds is read or refused, in linear time."""

from __future__ import annotations

import copy
import json
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings, strategies as st
from unit.growth import check_linear
from unit.plugin_utils.builder import NOW, Snapshot, healthy
from unit.plugin_utils.problems.servers import HOLDS

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.diagnose import (
    diagnose,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.records import (
    Diagnosis,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report import (
    build,
    files,
    text,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.snapshot.server import (
    InvalidSnapshot,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.snapshot.thresholds import (
    Thresholds,
)

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda children: st.lists(children, max_size=4)
    | st.dictionaries(st.text(max_size=10), children, max_size=4),
    max_leaves=30,
)
TEXTS = st.sampled_from([
    "\x1b[2J\x1b]0;title\x07", "\ud800", "\u202e", "\x00", "a\nb\r\nc", "$(touch x)", "`id`",
    "{{ lookup('pipe', 'id') }}", "{% for x in range(10**9) %}", "-rf", "'\"\\", "x" * 5000, "",
    "<script>alert(1)</script>", "../" * 50, "\u00b2:\u00b3", "9" * 5000, "9" * 5000 + ":00",
])  # fmt: skip
NUMBERS = st.sampled_from(
    [0, -1, 2**31, 2**63, 10**400, 1e308, -1e308, float("inf"), float("nan"), 0.1, True]
)
TERMINAL = set(map(chr, [*range(32), 127, *range(128, 160), *range(0x202A, 0x202F)]))
FREE = {"path", "sample", "header", "build", "message", "signature", "detail", "error", "label",
        "host", "command", "user", "body", "url", "arguments", "var_dir", "tmp_dir",
        "jdk_home"}  # fmt: skip
LISTS = {
    "configuration": ("modules", "files", "databases", "instances"),
    "pdump": ("tasks", "unrecognised"),
    "processes": ("modules", "children", "others"),
    "sockets": ("listening",),
    "shared_memory": ("segments",),
    "logs": ("logs", "directories"),
    "storage": ("mounts",),
    "network": ("targets",),
    "http": ("checks",),
}


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every text and number."""
    if isinstance(value, dict):
        return [found for key in value for found in leaves(value[key], (*path, key))]
    if isinstance(value, list):
        return [found for key, item in enumerate(value) for found in leaves(item, (*path, key))]
    return [path] if path and value is not None else []


LEAVES = leaves(healthy("prod", "prod2"))


def judged(snapshot: Any) -> dict[str, Any] | None:
    """The diagnosis as the report gets it; None if the snapshot is refused."""
    try:
        result: dict[str, Any] = diagnose(
            snapshot, "app1", thresholds=Thresholds()
        ).as_dict()
    except InvalidSnapshot as error:
        assert len(str(error)) < 1000
        assert "\n" not in str(error)
        return None
    json.dumps(result)
    shown(result)
    return result


def shown(diagnosis: dict[str, Any]) -> None:
    """Every form of the report can be made, and is what it has to be."""
    report = build.build([Diagnosis.of(diagnosis)], finished=NOW + 5, collection="1.0.0")
    for line in text.render(report):
        assert "\n" not in line.text
        assert not set(line.text) & TERMINAL, line.text
    assert json.loads(files.render(report, "json"))["hosts"]
    ElementTree.fromstring(files.render(report, "junit"))
    page = files.render(report, "html")
    assert "<script>alert(1)" not in page
    assert "\x1b" not in page


@settings(max_examples=200, deadline=None)
@given(ANYTHING)
def test_anything_is_read_or_refused(value: Any) -> None:
    judged(value)


@settings(max_examples=100, deadline=None)
@given(ANYTHING, st.sampled_from(sorted(healthy()["probes"])), st.booleans())
def test_anything_in_the_place_of_a_probe_is_read(value: Any, probe: str, data: bool) -> None:
    snapshot = healthy()
    if data:
        snapshot["probes"][probe]["data"] = value
    else:
        snapshot["probes"][probe] = value
    assert judged(snapshot) is not None


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_hostile_texts_and_numbers_anywhere_are_read(source: Any) -> None:
    snapshot = healthy("prod", "prod2")
    for path in source.draw(st.lists(st.sampled_from(LEAVES), max_size=25)):
        at: Any = snapshot
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = source.draw(TEXTS | NUMBERS)
    judged(snapshot)


@pytest.mark.parametrize("change", [change for _name, _keys, change in HOLDS])
def test_no_finding_shows_a_control_character(change: Any) -> None:
    """A terminal's commands at the end of every text that a rule does not look for itself."""
    snapshot = healthy("prod", "prod2")
    change(snapshot)
    for path in leaves(snapshot["probes"]):
        at: Any = snapshot["probes"]
        for key in path[:-1]:
            at = at[key]
        if isinstance(at[path[-1]], str) and path[-1] in FREE:
            at[path[-1]] += " \x1b[2J\u202e"
    judged(snapshot)


@pytest.mark.parametrize("depth", [100, 900])
def test_depth_is_no_matter(depth: int) -> None:
    nested: Any = []
    for _level in range(depth):
        nested = [nested]
    snapshot = healthy()
    for probe in snapshot["probes"].values():
        probe["data"] = nested
    judged(snapshot)
    judged(nested)


@pytest.mark.parametrize("at", [-1, 1e300, 10**400, float("nan"), "now"])
def test_a_time_that_is_none_is_refused(at: Any) -> None:
    snapshot = healthy()
    snapshot["taken_at"] = at
    assert judged(snapshot) is None


def many(probe: str, name: str, size: int) -> Snapshot:
    """A snapshot with a list of so many: copies of its first entry, each a little different."""
    snapshot = healthy("prod")
    entries = snapshot["probes"][probe]["data"].get(name)
    assert isinstance(entries, list), (probe, name)
    first = entries[0] if entries else {}
    made = []
    for number in range(size):
        entry = copy.deepcopy(first)
        if isinstance(entry, dict):
            entry.update({"pid": number, "path": f"/x{number}", "signature": f"s{number}",
                          "instance": f"i{number}", "id": number, "server": f"h{number}:5432",
                          "provider": "PostgreSQL", "port": number,
                          "name": f"n{number}"})  # fmt: skip
        else:
            entry = f"i{number}"
        made.append(entry)
    snapshot["probes"][probe]["data"][name] = made
    return snapshot


@pytest.mark.parametrize(
    ("probe", "name"), [(probe, name) for probe, names in LISTS.items() for name in names]
)
def test_the_time_grows_with_the_length_of_a_list(probe: str, name: str) -> None:
    check_linear(judged, lambda size: many(probe, name, size), 300)
