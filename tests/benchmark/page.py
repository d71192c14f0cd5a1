"""Measure the report's page of a fleet in headless Chromium: its size, to open it, to filter it.

Medians of some rounds are compared with what docs/developer/benchmark.md aims at.

usage: page.py [--hosts 500] [--causes 1250] [--rounds 9]
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Page, sync_playwright

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(CHECKOUT / "playbooks" / "collections"), str(CHECKOUT / "tests")]

import fleet  # noqa: E402

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report import html  # noqa: E402

MOST_MB = 1.0
OPEN_MS = 1000
FILTER_MS = 100
# What is typed, one after the other: few hosts, none, and all of them again.
TYPED = {"few hosts": "campaign01", "no host": "none", "all hosts": ""}

# From the start of the navigation to the first frame in which the page's script has run.
OPENED = """new Promise((done) => requestAnimationFrame(() => setTimeout(
    () => done(document.querySelector('.filter').hidden ? Infinity : performance.now()))))"""
# From a key to the frame that shows its effect.
FILTERED = """(text) => new Promise((done) => {
  const field = document.querySelector("[name=host]");
  field.value = text;
  const began = performance.now();
  field.dispatchEvent(new Event("input", { bubbles: true }));
  requestAnimationFrame(() => setTimeout(() => done(performance.now() - began)));
})"""


class Took(NamedTuple):
    """Milliseconds by the clock, and of the processor in the page's own thread."""

    clock: float
    processor: float


def a_round(page: Page, address: str) -> dict[str, Took]:
    """What it took to open the page, and to filter it."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def spent() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return 1000 * float(next(m["value"] for m in metrics if m["name"] == "TaskDuration"))

    page.goto(address, wait_until="commit")
    page.wait_for_load_state("domcontentloaded")
    took = {"open": Took(float(page.evaluate(OPENED)), spent())}
    page.wait_for_load_state()
    for name, text in TYPED.items():
        before = spent()
        clock = float(page.evaluate(FILTERED, text))
        took[name] = Took(clock, spent() - before)
    return took


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure the report's page of a fleet.")
    parser.add_argument("--hosts", type=int, default=500)
    parser.add_argument("--causes", type=int, default=1250)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if chromium is None:
        sys.exit("no Chromium on this machine: tools/browser installs it")
    text = html.render(fleet.broken(options.hosts, options.causes))
    rounds = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "report.html"
        path.write_text(text, encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=chromium)
        for _number in range(options.rounds + 1):
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            rounds.append(a_round(page, path.as_uri()))
            page.close()
        browser.close()
    size = len(text.encode()) / 1e6
    met = [size <= MOST_MB]
    print(f"{'size':10} {size:8.2f} MB, at most {MOST_MB:g}")
    for name in rounds[0]:  # the first round warms caches up
        aim = OPEN_MS if name == "open" else FILTER_MS
        clock = statistics.median(each[name].clock for each in rounds[1:])
        processor = statistics.median(each[name].processor for each in rounds[1:])
        met.append(clock <= aim)
        print(f"{name:10} {clock:8.0f} ms, at most {aim}; {processor:.0f} ms of the processor")
    print("as aimed at" if all(met) else "MISSED")
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
