# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The report as a page: one file that needs no network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from ansible_collections.campaign.remediation.plugins.module_utils.model import MODULES

from . import repair, view, words
from .build import Json


def render(report: Mapping[str, Any]) -> str:
    """The page's text. Everything that comes from a host is escaped by the template engine."""
    found = view.causes(report)
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    template = environment.from_string(
        Path(__file__).with_name("report.html.j2").read_text(encoding="utf-8")
    )
    page = template.render(
        report=report,
        rows=[_row(host) for host in report["hosts"]],
        columns=_columns(report["hosts"]),
        causes=[cause for cause in found if cause.finding["severity"] != "info"],
        notes=[cause for cause in found if cause.finding["severity"] == "info"],
        actions=repair.done(report),
        steps=repair.planned(report),
        left=repair.left(report),
        repair=repair,
        facts_of=words.facts,
        label=words.label,
        moment=words.moment,
        words=words,
    )
    return page.encode("utf-8", "replace").decode("utf-8")


def _shown(value: object) -> object:
    """Text without what a browser should not get; a macro's output stays what it is."""
    untrusted = isinstance(value, str) and not hasattr(value, "__html__")
    return words.clean(value) if untrusted else value


def _columns(hosts: list[Json]) -> list[str]:
    present = {module["module"] for host in hosts for module in host["modules"]}
    known = [module for module in MODULES if module in present]
    return known + sorted(present.difference(known))


def _row(host: Json) -> Json:
    cells: dict[str, list[Json]] = {}
    for module in host["modules"]:
        cells.setdefault(module["module"], []).append(module)
    return {"host": host, "cells": cells, "word": view.status_word(host)}
