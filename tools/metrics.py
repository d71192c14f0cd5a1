#!/usr/bin/env python3
# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Writes the dashboard for Grafana, and the table of metrics in docs/user/automation.md.

Both come from the families of metrics in plugin_utils/_campaign/report/shared/openmetrics.py: each
has a row of the table and a panel.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from common import CHECKOUT
from common.writer import Writer

from campaign_doctor.shared.openmetrics import FAMILIES, Family

PAGE = CHECKOUT / "docs" / "user" / "automation.md"
DASHBOARD = CHECKOUT / "contrib" / "grafana" / "campaign.json"
BEGIN, END = "<!-- metrics: written by tools/metrics.py -->\n", "<!-- end of metrics -->\n"

SOURCE = {"type": "prometheus", "uid": "${source}"}
WIDTH, HEIGHT, COLUMNS = 12, 8, 24
MOMENT = "dateTimeFromNow"

Json = dict[str, Any]


def table() -> str:
    """A row for each family."""
    rows = [
        f"| `{family.sample}` | {family.kind} | {', '.join(f'`{each}`' for each in family.labels) or '–'} |"
        f" {family.help} |\n"
        for family in FAMILIES
    ]
    return "".join(["| metric | type | labels | meaning |\n|---|---|---|---|\n", *rows])


def page(text: str) -> str:
    """The page with the table of today in it."""
    before, begin, rest = text.partition(BEGIN)
    _old, end, after = rest.partition(END)
    assert begin and end, f"{PAGE} has no place for the table"
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def query(family: Family) -> str:
    """What a panel shows: of a counter, how much it has grown in a day."""
    chosen = f"{family.sample}{{host=~\"$host\"}}" if "host" in family.labels else family.sample
    if family.kind == "counter":
        return f"increase({chosen}[1d])"
    return f"{chosen} * 1000" if family.unit == MOMENT else chosen  # Grafana counts milliseconds


def panel(number: int, family: Family) -> Json:
    """Lists and moments are a table of now, numbers are lines over time."""
    listed = family.unit == MOMENT or len(family.labels) > 4
    target: Json = {
        "refId": "A", "datasource": SOURCE, "expr": query(family),
        "legendFormat": " ".join(f"{{{{{label}}}}}" for label in family.labels) or family.name,
    }
    if listed:
        target |= {"instant": True, "range": False, "format": "table"}
    across = COLUMNS // WIDTH
    return {
        "id": number + 1,
        "type": "table" if listed else "timeseries",
        "title": family.sample,
        "description": family.help,
        "datasource": SOURCE,
        "gridPos": {"h": HEIGHT, "w": WIDTH, "x": number % across * WIDTH, "y": number // across * HEIGHT},
        "targets": [target],
        "fieldConfig": {"defaults": {"unit": family.unit}, "overrides": []},
    }


def dashboard() -> Json:
    """All panels, for one source of metrics and some hosts."""
    return {
        "uid": "campaign-remediation",
        "title": "Adobe Campaign",
        "description": "What campaign-doctor and the playbooks of campaign.remediation find and repair.",
        "tags": ["adobe-campaign"],
        "editable": True,
        "graphTooltip": 1,
        "schemaVersion": 36,
        "refresh": "1m",
        "time": {"from": "now-24h", "to": "now"},
        "templating": {"list": [
            {"name": "source", "label": "Source", "type": "datasource", "query": "prometheus"},
            {"name": "host", "label": "Host", "type": "query", "datasource": SOURCE,
             "query": "label_values(campaign_host_status, host)", "refresh": 2, "sort": 1,
             "multi": True, "includeAll": True, "allValue": ".*"},
        ]},
        "panels": [panel(number, family) for number, family in enumerate(FAMILIES)],
    }


def written() -> dict[Any, str]:
    return {
        DASHBOARD: json.dumps(dashboard(), indent=1) + "\n",
        PAGE: page(PAGE.read_text(encoding="utf-8")),
    }


WRITER = Writer(__doc__, written)

if __name__ == "__main__":
    sys.exit(WRITER.main())
