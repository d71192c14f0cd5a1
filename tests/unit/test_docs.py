"""The documents: what they link to is there, and each page is in the index."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
DOCS = CHECKOUT / "docs"
USER = DOCS / "user"
PAGES = sorted([*CHECKOUT.glob("*.md"), *DOCS.rglob("*.md"), *CHECKOUT.glob("roles/*/README.md")])
CODE = ("plugins", "campaign_doctor", "playbooks", "inventories", "lab", "molecule", "tools", "tests")
FILE = re.compile(r"`((?:[\w.-]+/)*[\w-]+\.(?:py|ini|j2))`")
NAME = re.compile(r"(?<![\w/.-])docs/[\w/-]+\.(?:md|png|json)")


def anchors(page: Path) -> set[str]:
    """What a link can name after #, by the rules of the usual readers."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page: Path) -> Iterator[tuple[str, str]]:
    """The file and the anchor of each link within the checkout; code has none."""
    text = re.sub(r"^ *```.*?^ *```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" not in target:
            file, _, anchor = target.partition("#")
            yield file, anchor


@pytest.mark.parametrize("page", PAGES, ids=[str(path.relative_to(CHECKOUT)) for path in PAGES])
def test_a_link_leads_somewhere(page: Path) -> None:
    for file, anchor in links(page):
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), file
        assert not anchor or anchor in anchors(target), f"{file}#{anchor}"


def test_each_page_is_in_the_index() -> None:
    index = {(DOCS / file).resolve() for file, _anchor in links(DOCS / "README.md")}
    findings = {(USER / file).resolve() for file, _anchor in links(USER / "problems.md")}
    pages = {path for path in DOCS.rglob("*") if path.suffix in (".md", ".json")}
    assert pages - index - findings == {DOCS / "README.md"}
    assert {path.parent.name for path in pages} == {"docs", "user", "developer", "findings"}


def test_a_page_that_is_named_is_there() -> None:
    for path in (*PAGES, *(file for part in CODE for file in (CHECKOUT / part).rglob("*"))):
        if path.suffix in (".md", ".py", ".yml", ".ini") and "collections" not in path.parts:
            for name in NAME.findall(path.read_text(encoding="utf-8")):
                assert (CHECKOUT / name).is_file(), f"{path} names {name}"


def test_a_file_that_developers_are_sent_to_is_there() -> None:
    files = [path.as_posix() for part in CODE for path in (CHECKOUT / part).rglob("*.*")]
    files += [path.as_posix() for path in CHECKOUT.glob("*.py")]
    for page in (DOCS / "developer").glob("*.md"):
        for name in FILE.findall(page.read_text(encoding="utf-8")):
            assert any(file.endswith(f"/{name}") for file in files), f"{page.name} names {name}"
