# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Metrics for the textfile collector of node_exporter.

Gauges only and no time stamps: what this writes is valid OpenMetrics and valid in Prometheus' older
text format, which that collector reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from ..model import Report

STATUSES = ("diagnosed", "unreachable", "failed", "not_installed")
VERDICTS = {"healthy": 0, "unknown": 1, "degraded": 2, "down": 3}
SEVERITIES = ("critical", "warning", "info")

Sample = tuple[dict[str, str], float]


class Metric(NamedTuple):
    """A family of samples."""

    name: str
    help: str
    samples: Iterable[Sample]


def render(report: Report) -> str:
    """The file's text."""
    lines: list[str] = []
    for metric in _metrics(report):
        lines.append(f"# HELP {metric.name} {metric.help}")
        lines.append(f"# TYPE {metric.name} gauge")
        lines.extend(
            f"{metric.name}{_labels(labels)} {_number(value)}" for labels, value in metric.samples
        )
    return "\n".join([*lines, "# EOF", ""])


def _metrics(report: Report) -> Iterator[Metric]:
    finished = datetime.fromisoformat(report.finished.replace("Z", "+00:00")).timestamp()
    hosts = report.hosts
    yield Metric("campaign_report_timestamp_seconds", "When the run ended.", [({}, finished)])
    yield Metric(
        "campaign_host_status", "How the diagnosis of a host went: 1 for the one that is true.",
        [({"host": host.name, "status": status}, float(host.status == status))
         for host in hosts for status in STATUSES],
    )
    yield Metric(
        "campaign_host_score", "Health of a host from 0 to 100.",
        [({"host": host.name}, host.score) for host in hosts if host.score is not None],
    )
    yield Metric(
        "campaign_module_verdict",
        "A module that should run: 0 healthy, 1 unknown, 2 degraded, 3 down.",
        [(_module(host.name, module.module, module.instance), VERDICTS[module.verdict])
         for host in hosts for module in host.modules if module.verdict in VERDICTS],
    )
    yield Metric(
        "campaign_module_memory_bytes", "Memory of a module's process.",
        [(_module(host.name, module.module, module.instance), module.memory_mb * 1024 * 1024)
         for host in hosts for module in host.modules if module.memory_mb is not None],
    )
    yield Metric(
        "campaign_module_start_time_seconds", "When a module's process started.",
        [(_module(host.name, module.module, module.instance), module.started_at)
         for host in hosts for module in host.modules if module.started_at is not None],
    )
    yield Metric(
        "campaign_findings", "Findings of a host that was diagnosed, by severity.",
        [({"host": host.name, "severity": severity},
          sum(1 for finding in host.findings if finding.severity.value == severity))
         for host in hosts if host.status == "diagnosed" for severity in SEVERITIES],
    )
    roots = {(root.host, root.id) for root in report.roots}
    yield Metric(
        "campaign_finding", "A finding that holds; root: whether no other explains it.",
        [({**_module(host.name, finding.module, finding.instance), "key": finding.key,
           "id": finding.id, "severity": finding.severity.value,
           "root": str((host.name, finding.id) in roots).lower()}, 1)
         for host, finding in report.findings()],
    )
    yield Metric(
        "campaign_repairs", "Steps of the last remediation, by how they ended.",
        [({"result": result}, getattr(report.summary, result))
         for result in ("repaired", "done", "unproved", "not_repaired", "refused")],
    )


def _module(host: str, module: str, instance: str) -> dict[str, str]:
    return {"host": host, "module": module, "instance": instance}


def _labels(labels: dict[str, str]) -> str:
    told = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{told}}}" if told else ""


def _escaped(value: str) -> str:
    text = value.encode("utf-8", "replace").decode("utf-8")
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))
