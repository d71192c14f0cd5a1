"""A browser for the tests of the page; conftest.py has the fixtures."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page

from needs import unless

Json = dict[str, Any]
Open = Callable[..., Page]

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
needs_browser = unless(CHROMIUM, "no Chromium on this machine")
PHONE, DESK = 360, 1280


def until(page: Page, expression: str) -> None:
    """Waits until it is true. The page's policy forbids what wait_for_function does after a first no."""
    deadline = time.monotonic() + 20
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, f"not within 20 s: {expression}"
        page.wait_for_timeout(20)


def visible(page: Page, selector: str) -> list[str]:
    """The texts of those that are to be seen."""
    return [each.inner_text() for each in page.locator(selector).all() if each.is_visible()]


def hosts(page: Page) -> list[str]:
    """The names in the table, as far as they are to be seen."""
    rows = page.locator(".matrix tbody tr").all()
    return [row.locator("th").evaluate("each => each.firstChild.textContent")
            for row in rows if row.is_visible()]


def shown(page: Page) -> list[str]:
    """The headings of the root causes that are to be seen."""
    return visible(page, "section[aria-labelledby=causes] h3")
