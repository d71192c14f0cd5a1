# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Where a run is, from the events of Ansible. Pure: the time is given, nothing is shown here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .model import label
from .runner import one_line

State = Literal["waiting", "pending", "diagnosed", "unreachable", "failed"]

WORST_FIRST = ("down", "degraded", "unknown", "healthy", "not_expected")

# How long a module has to stay up where the inventory says nothing: campaign_module's default.
SETTLE_SECONDS = 30.0

DIAGNOSING = "Diagnose"  # how the plays begin that look at all hosts
# What looks, plans and records. Every other module of the collection changes something.
_LOOKING = {
    "campaign_info", "campaign_diagnose", "campaign_guard", "campaign_plan", "campaign_report",
    "campaign_step",
}

_ROLE = re.compile(r"/roles/(?P<role>[a-z]+)/tasks/(?P<file>\w+)\.yml(:\d+)?$")


@dataclass
class Host:
    """A host of the run. `since`: when its current action began, in seconds of the given clock."""

    name: str
    state: State = "waiting"
    since: float = 0.0
    modules: dict[str, dict[str, str]] = field(default_factory=dict)
    critical: int = 0
    warnings: int = 0
    message: str = ""
    steps: list[str] = field(default_factory=list)
    step: int = 0
    doing: str = ""
    remedy: bool = False  # whether its current action is a remedy
    settles: bool = False  # whether its current action ends with a settling time
    changing: bool = False  # whether its repair has begun and not ended
    changed: bool = False  # whether it has started

    def verdict(self, module: str) -> str | None:
        """The worst of a module's instances; None while it is not known."""
        return min(self.modules.get(module, {}).values(), key=WORST_FIRST.index, default=None)

    @property
    def worst(self) -> str | None:
        """The worst of all its modules."""
        verdicts = [verdict for module in self.modules.values() for verdict in module.values()]
        return min(verdicts, key=WORST_FIRST.index, default=None)

    @property
    def title(self) -> str:
        """The step that it is at."""
        return self.steps[self.step - 1] if 0 < self.step <= len(self.steps) else ""


class Progress:
    """All hosts of the run, kept up to date by `event` and `told`."""

    def __init__(self) -> None:
        self.hosts: dict[str, Host] = {}
        self.play = ""
        self.settle: dict[str, float] = {}

    def play_started(self, names: Iterable[str], wait: Mapping[str, float | None]) -> None:
        """The hosts of the play that has begun, and their settling times."""
        for name in names:
            self.hosts.setdefault(name, Host(name))
        for name, seconds in wait.items():
            self.settle[name] = SETTLE_SECONDS if seconds is None else seconds

    def count(self, *states: State) -> int:
        """How many hosts are in one of these states."""
        return sum(host.state in states for host in self.hosts.values())

    @property
    def pending(self) -> list[Host]:
        """The hosts that something is being done on, the longest first."""
        busy = [host for host in self.hosts.values() if host.state == "pending" or host.doing]
        return sorted(busy, key=lambda host: host.since)

    @property
    def changing(self) -> list[str]:
        """The hosts whose repair has begun and not ended."""
        return [host.name for host in self.hosts.values() if host.changing]

    @property
    def steps(self) -> tuple[int, int]:
        """How many steps are done, and how many there are."""
        done = sum(max(0, host.step - host.changing) for host in self.hosts.values())
        return done, sum(len(host.steps) for host in self.hosts.values())

    @property
    def changed(self) -> list[str]:
        """The hosts whose repair has begun, ended or not."""
        return [host.name for host in self.hosts.values() if host.changed]

    def event(self, event: Mapping[str, Any], now: float) -> Host | None:
        """Process an event; the host that has news for the operator."""
        data = event.get("event_data") or {}
        kind = event.get("event")
        if kind == "playbook_on_play_start":
            self.play = str(data.get("name") or "")
            if self.play.startswith(DIAGNOSING):  # it may be for the second time
                for known in self.hosts.values():
                    known.state = "waiting"
            return None
        name = data.get("host")
        if not isinstance(name, str):
            return None
        host = self.hosts.setdefault(name, Host(name))
        task = _Task.of(data)
        if kind == "runner_on_start":
            return self._started(host, task, now)
        if kind in ("runner_on_ok", "runner_on_failed", "runner_on_unreachable",
                    "runner_on_skipped"):
            return self._ended(host, task, str(kind), data.get("res") or {}, now)
        return None

    def _started(self, host: Host, task: _Task, now: float) -> Host | None:
        if task.action == "campaign_step":
            host.doing, host.remedy, host.settles = "", False, False
            return None
        if task.changes:
            return self._remedy(host, task, now)
        doing = task.looks()
        if doing:
            host.doing, host.remedy, host.settles, host.since = doing, False, False, now
            if host.state == "waiting":
                host.state = "pending"
        return None

    def _remedy(self, host: Host, task: _Task, now: float) -> Host | None:
        """A task of a remedy has begun; all of them together are one thing."""
        known = (host.remedy, host.settles)
        if not host.remedy:
            host.doing, host.since = task.file.replace("_", " "), now
        host.remedy = host.changing = host.changed = True
        host.settles = host.settles or task.action == "campaign_module"
        if host.state == "waiting":
            host.state = "pending"
        return host if (host.remedy, host.settles) != known else None

    def _ended(
        self, host: Host, task: _Task, kind: str, result: Mapping[str, Any], now: float
    ) -> Host | None:
        if task.looks() or (task.changes and not task.role_of_module):
            host.doing, host.remedy, host.since, host.settles = "", False, now, False
        if task.gives_host_back:
            host.changing = False
        if task.action == "campaign_plan":
            self._planned(result)
        if task.action == "campaign_step":
            return self._step_chosen(host, result, now)
        diagnosis = result.get("diagnosis")
        if isinstance(diagnosis, Mapping):
            self._diagnosed(host, diagnosis, whole=not task.role)
            return None if task.role else host
        if kind == "runner_on_unreachable":
            host.state, host.message = "unreachable", _message(result)
            return host
        if kind == "runner_on_failed" and task.action == "campaign_diagnose" and not task.role:
            host.state, host.message = "failed", _message(result)
            return host
        return None

    def _planned(self, result: Mapping[str, Any]) -> None:
        """All hosts have their steps; one without any is not repaired."""
        for name, steps in (result.get("steps") or {}).items():
            if steps:
                self.hosts.setdefault(str(name), Host(str(name))).steps = _titles(steps)

    def _step_chosen(self, host: Host, result: Mapping[str, Any], now: float) -> Host | None:
        """It was decided which step is in progress."""
        steps, number = result.get("steps"), result.get("number")
        if not isinstance(steps, list) or not isinstance(number, int):
            return None
        news = (host.step, host.changing) != (number, True)
        host.steps = _titles(steps)
        host.step = number
        host.changing = host.changed = True
        host.since = now
        return host if news else None

    def _diagnosed(self, host: Host, diagnosis: Mapping[str, Any], *, whole: bool) -> None:
        """`whole`: of all requested modules; the proof of a repair checks only one."""
        host.state, host.message = "diagnosed", str(diagnosis.get("error") or "")
        if host.message:
            host.state = "failed"
        if whole:
            host.modules = {}
            severities = [finding["severity"] for finding in diagnosis.get("findings") or ()]
            host.critical = severities.count("critical")
            host.warnings = severities.count("warning")
        for module in diagnosis.get("modules") or ():
            host.modules.setdefault(module["module"], {})[module["instance"]] = module["verdict"]


@dataclass(frozen=True)
class _Task:
    """What an event says of its task."""

    name: str
    action: str
    role: str
    file: str

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> _Task:
        found = _ROLE.search(str(data.get("task_path") or ""))
        return cls(
            name=str(data.get("task") or ""),
            action=str(data.get("task_action") or "").rpartition(".")[2],
            role=found["role"] if found else "",
            file=found["file"] if found else "",
        )

    @property
    def gives_host_back(self) -> bool:
        """Whether a repair of the host ends; what comes before it in that file changes nothing."""
        return (self.action, self.role, self.file) == ("campaign_guard", "campaign", "main")

    @property
    def role_of_module(self) -> bool:
        """Whether it is in the file of a remedy, in the role of a Campaign module."""
        return self.role not in ("", "campaign") and self.file not in ("main", "diagnose")

    @property
    def changes(self) -> bool:
        """Whether it is part of a remedy."""
        own = self.action.startswith("campaign_") and self.action not in _LOOKING
        return self.role_of_module or own

    def looks(self) -> str:
        """What it checks or records, in words; empty for what takes no noticeable time."""
        if self.action == "campaign_diagnose" and not self.changes:
            return "proof" if self.file == "rung" else "diagnosis"
        return "guards, evidence and record" if self.action == "campaign_guard" else ""


def _titles(steps: Iterable[object]) -> list[str]:
    return [_title(step) for step in steps if isinstance(step, Mapping)]


def _title(step: Mapping[str, Any]) -> str:
    """A step in a few words; an on-demand action has its remedy as title."""
    title, remedy = str(step.get("title") or ""), str(step.get("remedy") or "")
    if title and title != remedy:
        return title
    where = label(str(step.get("module") or ""), str(step.get("instance") or ""))
    subject = f" {step['subject']}" if step.get("subject") else ""
    return f"{remedy.replace('_', ' ')} {where}{subject}"


def _message(result: Mapping[str, Any]) -> str:
    return one_line(str(result.get("msg") or ""))
