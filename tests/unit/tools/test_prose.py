"""The wording of what users read, and the glossary."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import prose
import pytest
from common import CHECKOUT


def found(text: str) -> list[str]:
    return [phrase for _line, phrase, _better in prose.faults_of(text)]


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ("{target} is to start by itself.", ["is to start"]),
        ("It is in the logs. That are two.", ["That are"]),
        ("Where it\nstands in the ledger", ["stands in"]),
        ("which is for a person to see", ["a person"]),
        ("work in hand is cut off", ["in hand", "cut off"]),
        ("{path} names {pid}, which is no watchdog.", ["is no "]),
        ("{count} errors of {signatures} kinds", ["errors of {signatures} kinds"]),
        ("It said: no. Make room, or go on without.", ["It said", "go on without", "Make room"]),
        ("The next run takes this host over; the import was cut.", ["takes this host over", "was cut"]),
        ("There is no watchdog; it is no longer there.", []),
        ("The operator must find out which process has the active work.", []),
    ],
)
def test_phrases(text: str, phrases: list[str]) -> None:
    assert found(text) == phrases


def test_the_line_of_a_phrase() -> None:
    assert [line for line, _phrase, _better in prose.faults_of("one\ntwo\nit is told")] == [2]


@pytest.mark.parametrize(
    ("reader", "source", "read"),
    [
        (prose.in_python, '"""Docstring."""\nSAID = f"a {1} b"\n', [(2, "a "), (2, " b")]),
        (
            prose.in_yaml,
            "- name: Do it\n  ansible.builtin.fail:\n    msg: in vain\n    other: x\n",
            [(1, "Do it"), (3, "in vain")],
        ),
        (prose.in_table, "[x]\nmeaning = gone\nwho = nobody\n", [(2, "meaning = gone")]),
    ],
)
def test_what_is_read(
    reader: Callable[[str], Iterator[prose.Text]], source: str, read: list[prose.Text]
) -> None:
    assert list(reader(source)) == read


def test_code_in_a_page_is_not_prose() -> None:
    page = "Text `is no code`.\n\n    in vain\n\n```\nin hand\n```\n[a](in vain)\n"
    ((_line, text),) = prose.in_page(page)
    assert not found(text) and text.count("\n") == page.count("\n")


def test_the_names_of_tasks() -> None:
    bad = ("See that one is meant", "Do it", "Have web log a line", "Take the host")
    good = ("Check the guards", "Take a snapshot and diagnose it", "Choose the first step")
    assert [any(each.match(name) for each, _new in prose._TASKS) for name in (*bad, *good)] == [
        True, True, True, True, False, False, False,
    ]


def test_what_users_read_is_all_read() -> None:
    files = {path.relative_to(CHECKOUT).as_posix() for path, _held in prose.texts()}
    assert {
        "plugins/plugin_utils/_campaign/diagnosis/problems/host.py", "roles/campaign/tasks/rung.yml",
        "plugins/plugin_utils/_campaign/diagnosis/errors.ini", "playbooks/remediate.yml",
        "campaign_doctor/cli.py", "docs/user/plan.md", "README.md", "roles/web/README.md",
    } <= files  # fmt: skip


def test_the_glossary_is_short_sorted_and_says_each_term_once() -> None:
    page = (CHECKOUT / "docs" / "user" / "glossary.md").read_text(encoding="utf-8")
    terms = re.findall(r"^\| ([^|]+) \|", page, re.M)[1:]
    assert len(terms) == len(set(terms)) <= 30
    assert terms == sorted(terms)
