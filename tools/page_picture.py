#!/usr/bin/env python3
"""Make docs/user/report.png: the page of a small fleet, of the snapshots that are kept of the lab's faults.

usage: tools/page_picture.py

Needs Chromium (tools/browser). Run it after a change of how the page looks.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from common import CHECKOUT
from common.command_line import Parser
from fleet import host, report
from playwright.sync_api import sync_playwright

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report import html
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report.model import (
    Report,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report.shared import (
    changes,
)

PICTURE = CHECKOUT / "docs" / "user" / "report.png"
WIDTH, HEIGHT, SHARPNESS = 1260, 1420, 1.25


def shown() -> Report:
    """Four servers, three of them ill, compared with an earlier run."""
    before = report(
        host("track1"), host("app2", "quota_met"), host("mid1"), host("app1"),
    )
    now = report(
        host("track1", "everything_down"),
        host("app2", "module_stopped_by_hand", "workflow_failed"),
        host("mid1", "workflow_failed"),
        host("app1"),
    )
    return replace(now, changes=changes.between(before, now, {}))


def main() -> int:
    Parser(__doc__).parse_args()
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if chromium is None:
        sys.exit("no Chromium on this machine: tools/browser installs it")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "report.html"
        path.write_text(html.render(shown()), encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=chromium)
        page = browser.new_page(
            viewport={"width": WIDTH, "height": HEIGHT}, device_scale_factor=SHARPNESS
        )
        page.goto(path.as_uri())
        page.locator(".copy").first.wait_for()
        page.screenshot(path=PICTURE)
        browser.close()
    print(PICTURE.relative_to(CHECKOUT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
