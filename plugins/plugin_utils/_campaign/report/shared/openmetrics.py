# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Metrics for the textfile collector of node_exporter.

No time stamps: what this writes is valid OpenMetrics and valid in Prometheus' older text format,
which that collector reads. What is not known is absent, never zero.

Uses the standard library only: campaign_doctor has this very file, by a link, and reads its own
model.py with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from . import repair

if TYPE_CHECKING:
    from ..model import Host, Report

FILE = "campaign.prom"
MODE = 0o644  # other programs run as other accounts; what they read holds names and numbers only

STATUSES = ("diagnosed", "unreachable", "failed", "not_installed")
VERDICTS = {"healthy": 0, "unknown": 1, "degraded": 2, "down": 3}
SEVERITIES = ("critical", "warning", "info")
REPAIRS = "campaign_repair_steps"
FIRST_SEEN = "campaign_root_first_seen_timestamp_seconds"

Sample = tuple[dict[str, str], float]


class Memory(NamedTuple):
    """What one report cannot know: it is carried on from run to run."""

    steps: Mapping[tuple[str, str, str], int]  # by host, remedy and result, all that ever ended
    since: Mapping[tuple[str, str], float]  # host and id of a root cause: when it was first seen


NOTHING = Memory({}, {})


class Family(NamedTuple):
    """Samples of one name. `unit` is how a dashboard shows them, in Grafana's words."""

    name: str
    help: str
    labels: tuple[str, ...]
    samples: Callable[[Report, Memory], Iterable[Sample]]
    unit: str = "none"
    kind: str = "gauge"

    @property
    def sample(self) -> str:
        """The name that its samples have, and that queries use."""
        return f"{self.name}_total" if self.kind == "counter" else self.name


def render(report: Report, memory: Memory = NOTHING) -> str:
    """The file's text."""
    lines: list[str] = []
    for family in FAMILIES:
        lines += _lines(family, family.samples(report, memory))
    return "\n".join([*lines, "# EOF", ""])


def carried(memory: Memory, report: Report) -> Memory:
    """The memory after a run: its repairs are counted, and its root causes are known."""
    steps = dict(memory.steps)
    for host in () if report.check else report.hosts:
        for action in repair.outcomes(host):
            if action.result != "skipped":
                key = host.name, action.remedy, action.result
                steps[key] = steps.get(key, 0) + 1
    found = _roots(report)
    checked = {host.name: _checked(host) for host in report.hosts}
    since = {
        (host, identity): at for (host, identity), at in memory.since.items()
        if (host, identity) in found or not covers(checked.get(host, set()), identity)
    }
    for root in found:
        since.setdefault(root, _epoch(report.finished))
    return Memory(steps, since)


def as_text(memory: Memory) -> str:
    """The memory alone, to be kept; `remembered` reads it."""
    families = ((REPAIRS, _all_steps(memory)), (FIRST_SEEN, _all_since(memory)))
    named = {family.name: family for family in FAMILIES}
    return "\n".join(line for name, each in families for line in _lines(named[name], each))


def remembered(text: str) -> Memory:
    """The memory in a text that was written before; what it is not sure of is left out."""
    steps: dict[tuple[str, str, str], int] = {}
    since: dict[tuple[str, str], float] = {}
    for name, given, number in _LINE.findall(text):
        labels = {key: _unescaped(value) for key, value in _LABEL.findall(given)}
        try:
            if name == f"{REPAIRS}_total":
                steps[labels["host"], labels["remedy"], labels["result"]] = int(number)
            elif name == FIRST_SEEN:
                since[labels["host"], labels["id"]] = float(number)
        except (KeyError, ValueError):
            continue
    return Memory(steps, since)


_LINE = re.compile(r'^(\w+)\{((?:[^"\n}]|"(?:[^"\\\n]|\\.)*")*)\} (\d{1,15}(?:\.\d{1,9})?)$', re.M)
_LABEL = re.compile(r'(\w+)="((?:[^"\\\n]|\\.)*)"')


def _checked(host: Host) -> set[str]:
    """The modules that a run has looked at."""
    return {module.module for module in host.modules} if host.status == "diagnosed" else set()


def covers(modules: set[str], identity: str) -> bool:
    """Whether a look at these modules would have found it again. A look at all of them includes the
    watchdog, and the machine.
    """
    return identity.partition(".")[0] in modules or "watchdog" in modules


# -- Samples --------------------------------------------------------------------------------------


def _finished(report: Report, _memory: Memory) -> Iterable[Sample]:
    return [({}, _epoch(report.finished))]


def _duration(report: Report, _memory: Memory) -> Iterable[Sample]:
    return [({}, max(0.0, _epoch(report.finished) - _epoch(report.started)))]


def _hosts(report: Report, _memory: Memory) -> Iterable[Sample]:
    statuses: list[str] = [host.status for host in report.hosts]
    return [({"status": status}, statuses.count(status)) for status in STATUSES]


def _status(report: Report, _memory: Memory) -> Iterable[Sample]:
    return [({"host": host.name, "status": status}, float(host.status == status))
            for host in report.hosts for status in STATUSES]


def _score(report: Report, _memory: Memory) -> Iterable[Sample]:
    return [({"host": host.name}, host.score) for host in report.hosts if host.score is not None]


def _verdict(report: Report, _memory: Memory) -> Iterable[Sample]:
    return [(_module(host.name, module.module, module.instance), VERDICTS[module.verdict])
            for host in report.hosts for module in host.modules if module.verdict in VERDICTS]


def _memory_bytes(report: Report, _memory: Memory) -> Iterable[Sample]:
    return [(_module(host.name, module.module, module.instance), module.memory_mb * 1024 * 1024)
            for host in report.hosts for module in host.modules if module.memory_mb is not None]


def _started(report: Report, _memory: Memory) -> Iterable[Sample]:
    return [(_module(host.name, module.module, module.instance), module.started_at)
            for host in report.hosts for module in host.modules if module.started_at is not None]


def _budget(report: Report, _memory: Memory) -> Iterable[Sample]:
    return [(_module(host.name, module.module, module.instance), module.restart_budget_left)
            for host in report.hosts for module in host.modules
            if module.restart_budget_left is not None]


def _findings(report: Report, _memory: Memory) -> Iterable[Sample]:
    return [({"host": host.name, "severity": severity},
             sum(1 for finding in host.findings if finding.severity.value == severity))
            for host in report.hosts if host.status == "diagnosed" for severity in SEVERITIES]


def _finding(report: Report, _memory: Memory) -> Iterable[Sample]:
    roots = {(root.host, root.id) for root in report.roots}
    return [({**_module(host.name, finding.module, finding.instance), "key": finding.key,
              "id": finding.id, "severity": finding.severity.value,
              "root": str((host.name, finding.id) in roots).lower()}, 1)
            for host in report.hosts for finding in host.findings]


def _first_seen(report: Report, memory: Memory) -> Iterable[Sample]:
    hosts = {host.name for host in report.hosts}
    there = {key: at for key, at in memory.since.items() if key[0] in hosts}
    return _all_since(Memory({}, there))


def _last_repairs(report: Report, _memory: Memory) -> Iterable[Sample]:
    return [({"result": result}, getattr(report.summary, result)) for result in repair.COUNTED]


def _repair_steps(_report: Report, memory: Memory) -> Iterable[Sample]:
    return _all_steps(memory)


def _all_steps(memory: Memory) -> list[Sample]:
    return [({"host": host, "remedy": remedy, "result": result}, count)
            for (host, remedy, result), count in sorted(memory.steps.items())]


def _all_since(memory: Memory) -> list[Sample]:
    return [({"host": host, "id": identity}, at)
            for (host, identity), at in sorted(memory.since.items())]


def _roots(report: Report) -> set[tuple[str, str]]:
    """Host and id of each root cause that needs an answer."""
    grave = {(host.name, finding.id) for host in report.hosts for finding in host.findings
             if finding.severity.value != "info"}
    return {(root.host, root.id) for root in report.roots} & grave


_PLACE = ("host", "module", "instance")

FAMILIES = (
    Family("campaign_report_timestamp_seconds", "When the run ended.", (), _finished, "dateTimeFromNow"),
    Family("campaign_run_duration_seconds", "How long the run took.", (), _duration, "s"),
    Family("campaign_hosts", "Hosts of the run, by how their diagnosis went.", ("status",), _hosts),
    Family("campaign_host_status", "How the diagnosis of a host went: 1 for the one that is true.",
           ("host", "status"), _status),
    Family("campaign_host_score", "Health of a host from 0 to 100.", ("host",), _score),
    Family("campaign_module_verdict",
           "A module that should run: 0 healthy, 1 unknown, 2 degraded, 3 down.", _PLACE, _verdict),
    Family("campaign_module_memory_bytes", "Memory of a module's process.", _PLACE, _memory_bytes, "bytes"),
    Family("campaign_module_start_time_seconds", "When a module's process started.", _PLACE, _started,
           "dateTimeFromNow"),
    Family("campaign_restart_budget_left",
           "How often a repair may still restart a module now; absent where the ledger does not say.",
           _PLACE, _budget),
    Family("campaign_findings", "Findings of a host that was diagnosed, by severity.",
           ("host", "severity"), _findings),
    Family("campaign_finding", "A finding that holds; root: whether no other explains it.",
           (*_PLACE, "key", "id", "severity", "root"), _finding),
    Family(FIRST_SEEN, "When a root cause (warning or critical) that still holds was first seen; on a host"
           " without a diagnosis, the last that is known.", ("host", "id"), _first_seen, "dateTimeFromNow"),
    Family("campaign_repairs", "Steps of this run, by how they ended.", ("result",), _last_repairs),
    Family(REPAIRS, "Repairs of all runs so far, by host, remedy and result.",
           ("host", "remedy", "result"), _repair_steps, kind="counter"),
)  # fmt: skip


# -- Text -----------------------------------------------------------------------------------------


def _lines(family: Family, samples: Iterable[Sample]) -> list[str]:
    head = [f"# HELP {family.name} {family.help}", f"# TYPE {family.name} {family.kind}"]
    return head + [f"{family.sample}{_labels(labels)} {_number(value)}" for labels, value in samples]


def _module(host: str, module: str, instance: str) -> dict[str, str]:
    return {"host": host, "module": module, "instance": instance}


def _labels(labels: dict[str, str]) -> str:
    told = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{told}}}" if told else ""


def _escaped(value: str) -> str:
    text = value.encode("utf-8", "replace").decode("utf-8")
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: {"n": "\n"}.get(found[1], found[1]), text)


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def _epoch(moment: str) -> float:
    return datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp()
