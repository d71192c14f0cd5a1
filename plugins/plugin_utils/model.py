# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the catalogue is made of: problems, their evidence, and the findings they become."""

from __future__ import annotations

import shlex
import string
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum
from typing import Any

from ansible_collections.campaign.remediation.plugins.module_utils.model import DEFAULT
from ansible_collections.campaign.remediation.plugins.plugin_utils import sources
from ansible_collections.campaign.remediation.plugins.plugin_utils.snapshot import (
    STANDARD_HOME,
    Server,
    Task,
)

Fact = str | int | float | bool | None
Facts = dict[str, Fact]

HOST = "host"


class Severity(str, Enum):
    """How bad it is. Critical: a service does not work. Info: good to know."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 is the worst."""
        return list(Severity).index(self)


CRITICAL, WARNING, INFO = Severity


@dataclass(frozen=True)
class Evidence:
    """That a problem holds on an instance, and the facts that show it.

    `subject` tells apart several findings of one key on one instance, such as two disks.
    """

    facts: Facts
    instance: str = DEFAULT
    subject: str = ""


@dataclass(frozen=True)
class Fix:
    """What an operator can paste: commands as root or as the account, or advice in words."""

    steps: tuple[tuple[str, str], ...]

    def then(self, other: Fix) -> Fix:
        """This, and after it the other."""
        return Fix(self.steps + other.steps)

    def text(self, server: Server, facts: Mapping[str, Fact]) -> str:
        """The text with the facts filled in."""
        parts = [(who, say(template, facts)) for who, template in self.steps]
        commands = [_command(server, who, text) for who, text in parts if who != "advice"]
        advice = [text for who, text in parts if who == "advice"]
        return "  # ".join(filter(None, [" && ".join(commands), "; ".join(advice)]))


def _command(server: Server, who: str, command: str) -> str:
    """A command line for root's shell; the only place that knows how to become the account."""
    if who == "root":
        return command
    if server.home != STANDARD_HOME:
        nlserver = f"{shlex.quote(server.home)}/bin/nlserver"
        command = command.replace("nlserver", nlserver) if "nlserver" in command else command
        command = f". {shlex.quote(server.home)}/env.sh; {command}"
    return f"su - {server.user} -c {shlex.quote(command)}"


def as_account(*commands: str) -> Fix:
    """Commands to run as the Campaign account."""
    return Fix((("account", " && ".join(commands)),))


def as_root(*commands: str) -> Fix:
    """Commands to run as root."""
    return Fix((("root", " && ".join(commands)),))


def advice(text: str) -> Fix:
    """Words for a person."""
    return Fix((("advice", text),))


@dataclass(frozen=True)
class Chance:
    """What must have happened since its module began before the absence of a finding that is read
    from logs proves anything. `missing` says so of a module where it has not."""

    missing: str
    was: Callable[[Server, Task], bool]


Judge = Callable[[Server], Iterable[Evidence]]
TaskJudge = Callable[[Server, Task], Facts | None]


@dataclass(frozen=True)
class Problem:
    """One entry of the catalogue.

    Either `remedy` names the task file of the documented fix, or `reason` says why no
    automatic remedy exists. `needs` are the probes without which nothing is judged; `causes`
    are the keys of problems that explain this one. `down`: with it the module does not work.
    `chance`: what has to happen before a remedy can be proved to have helped.
    """

    module: str
    name: str
    title: str
    severity: Severity
    summary: str
    source: str
    find: Judge
    needs: tuple[str, ...]
    fix: Fix
    remedy: str | None = None
    reason: str | None = None
    causes: tuple[str, ...] = ()
    down: bool = False
    chance: Chance | None = None

    @property
    def key(self) -> str:
        """The stable name, for example `wfserver.not_running`."""
        return f"{self.module}.{self.name}"


@dataclass(frozen=True)
class Finding:
    """A problem that holds."""

    problem: Problem
    instance: str
    subject: str
    facts: Facts
    summary: str
    fix: str
    reason: str | None
    causes: tuple[Finding, ...] = field(default=(), compare=False)

    @property
    def key(self) -> str:
        """The key of the problem."""
        return self.problem.key

    @property
    def id(self) -> str:
        """Unique on the host and the same in every run."""
        return f"{self.key}@{self.instance}" + (f"#{self.subject}" if self.subject else "")

    def as_dict(self) -> dict[str, Any]:
        """The finding as the report's JSON has it."""
        problem = self.problem
        return {
            "id": self.id,
            "key": self.key,
            "module": problem.module,
            "instance": self.instance,
            "severity": problem.severity.value,
            "title": problem.title,
            "summary": self.summary,
            "evidence": dict(self.facts),
            "caused_by": list(dict.fromkeys(cause.key for cause in self.causes)),
            "caused_by_ids": [cause.id for cause in self.causes],
            "remedy": problem.remedy,
            "automatic": problem.remedy is not None,
            "reason": self.reason,
            "fix": self.fix,
            "source": sources.url(problem.source),
        }


def found(problem: Problem, server: Server, evidence: Evidence) -> Finding:
    """The finding: the problem's words with the facts of the evidence."""
    label = problem.module
    if evidence.instance != DEFAULT:
        label += f"@{evidence.instance}"
    facts: dict[str, Fact] = {
        "home": server.home, "user": server.user, "instance": evidence.instance, "target": label,
        **evidence.facts,
    }
    return Finding(
        problem=problem,
        instance=evidence.instance,
        subject=evidence.subject,
        facts=evidence.facts,
        summary=say(problem.summary, facts),
        fix=problem.fix.text(server, facts),
        reason=None if problem.reason is None else say(problem.reason, facts),
    )


class Catalogue:
    """The problems of one Campaign module; the decorators below enter functions into it.

    A function's name is the name of its problem.
    """

    def __init__(self, module: str) -> None:
        self.module = module
        self.problems: list[Problem] = []

    def __iter__(self) -> Iterator[Problem]:
        return iter(self.problems)

    def problem(self, **entry: Any) -> Callable[[Judge], Judge]:
        """Enter a function that looks at the whole server."""

        def enter(find: Judge) -> Judge:
            self.problems.append(
                Problem(module=self.module, name=_name(find), find=find, **entry)
            )
            return find

        return enter

    def each(self, **entry: Any) -> Callable[[TaskJudge], TaskJudge]:
        """Enter a function that looks at this module on one instance after the other."""

        def enter(judge: TaskJudge) -> TaskJudge:
            module = self.module

            def find(server: Server) -> Iterator[Evidence]:
                for task in server.tasks_of(module):
                    facts = judge(server, task)
                    if facts is not None:
                        yield Evidence(facts, task.instance)

            self.problems.append(
                Problem(module=self.module, name=_name(judge), find=find, **entry)
            )
            return judge

        return enter


def _name(function: Callable[..., Any]) -> str:
    return str(getattr(function, "__name__", ""))


class _Words(string.Formatter):
    """Fills in facts as people read them: {age:duration}, {at:time}."""

    def get_value(self, key: Any, args: Any, kwargs: Any) -> Any:
        value = super().get_value(key, args, kwargs)
        return "unknown" if value is None else value

    def format_field(self, value: Any, format_spec: str) -> str:
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            return str(value)
        if format_spec == "duration":
            return duration(value)
        if format_spec == "time":
            return moment(value)
        return f"{value:g}" if isinstance(value, float) else str(value)


def say(template: str, facts: Mapping[str, Fact]) -> str:
    """A sentence with the facts filled in."""
    return _Words().vformat(template, (), facts)


def duration(seconds: float) -> str:
    """`95` → "95 s", `7300` → "2 h"."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"


def moment(at: float) -> str:
    """Epoch seconds as a time in UTC."""
    try:
        return datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, OSError, ValueError):
        return "an impossible time"
