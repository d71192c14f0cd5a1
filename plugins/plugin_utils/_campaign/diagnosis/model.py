# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the catalogue is made of: problems, their evidence, and the findings they become."""

from __future__ import annotations

import posixpath
import re
import string
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any, Literal, NamedTuple

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import DEFAULT

from ..snapshot.records import ModuleInstance
from ..snapshot.server import STANDARD_HOME, Server
from . import sources
from .records import Finding, Severity
from .shell import NotShown, Shell, fill, measured, pieces, quoted

Fact = str | int | float | bool | None
Facts = dict[str, Fact]

HOST = "host"


CRITICAL, WARNING, INFO = Severity


@dataclass(frozen=True)
class ByHand:
    """Texts for a finding that the documented remedy of its problem would not help; None means the
    problem's text.
    """

    reason: str | None
    summary: str | None = None
    fix: Fix | None = None


@dataclass(frozen=True)
class Evidence:
    """That a problem holds on an instance, and the facts that show it.

    `subject` distinguishes several findings of one key on one instance, such as two disks.
    `words`: the log lines that show it, by which its causes are known. `began_at`: since when it
    holds. `severity` and `by_hand` are for a case that differs from its entry in the catalogue:
    how bad it is, and why it has no automatic remedy.
    """

    facts: Facts
    instance: str = DEFAULT
    subject: str = ""
    words: str = ""
    began_at: float | None = None
    severity: Severity | None = None
    by_hand: ByHand | None = None


class Step(NamedTuple):
    """A part of a fix: shell commands for root or for the account (see shell.py), or advice.

    `lines`: facts that are themselves lines for a shell, by name, as templates. `owner`: what root
    does to the file `path` only where the account cannot put a link in the way, else the account.
    """

    who: Literal["root", "account", "advice"]
    text: str
    lines: tuple[tuple[str, str], ...] = ()
    owner: bool = False

    @property
    def template(self) -> str:
        """The text with its lines in place, for the documentation."""
        text = self.text
        for name, line in self.lines:
            text = text.replace(f"{{{name}}}", f"'{line}'")
        return text


def general(template: str) -> str:
    """A template as text for any host, with plural forms; values of the host are in angle brackets."""
    return re.sub(r"\{(\w+)(?::([^}]*))?\}", _unfilled, template)


def _unfilled(field: re.Match[str]) -> str:
    name, words = field[1], field[2] or ""
    many = words[2:].partition("|")[2] or f"{words[2:]}s"
    return {"#": f"<{name}> {many}", "?": many}.get(words[:1], f"<{name}>")


@dataclass(frozen=True)
class Fix:
    """What an operator can paste: commands as root or as the account, or advice in words.

    The only place where facts get into commands: each is one quoted word, for root's shell and for
    the account's. Advice is a comment.
    """

    steps: tuple[Step, ...]

    def then(self, other: Fix) -> Fix:
        """This, and after it the other."""
        return Fix(self.steps + other.steps)

    def text(self, facts: Mapping[str, Fact]) -> str:
        """The text with the facts filled in, `user` and `home` among them: always one line."""
        words = [_prose(step.text, facts) for step in self.steps if step.who == "advice"]
        try:
            commands = self.commands(facts)
        except NotShown as error:
            return "; ".join([Shell.missing(str(error)), *words])
        return "  # ".join(filter(None, [commands, "; ".join(words)])) if commands else (
            f"# {'; '.join(words)}"
        )

    def commands(self, facts: Mapping[str, Fact]) -> Shell:
        """The commands alone, for root's shell. Raises NotShown."""
        steps = (_command(step, facts) for step in self.steps if step.who != "advice")
        return Shell(measured(" && ".join(steps)))


def _command(step: Step, facts: Mapping[str, Fact]) -> str:
    """A command line for root's shell; the only place that knows how to become the account."""
    known: dict[str, Fact] = dict(facts)
    known.update((name, fill(line, facts)) for name, line in step.lines)
    if step.who == "root" and not (step.owner and _of_account(facts)):
        return fill(step.text, known)
    text = step.text
    if facts["home"] != STANDARD_HOME:
        text = f". {{home}}/env.sh; {_NLSERVER.sub('{home}/bin/nlserver', text)}"
    return f"{fill('su - {user}', facts)} -c {quoted(fill(text, known))}"


def _of_account(facts: Mapping[str, Fact]) -> bool:
    """Whether `path` is in a directory of the account's."""
    path, home = str(facts["path"] or ""), str(facts["home"])
    path = "/" + posixpath.normpath(path).lstrip("/")
    trees = (home, posixpath.dirname(home), str(facts.get("var_dir") or home))
    return any(f"{path}/".startswith(f"{tree.rstrip('/')}/") for tree in trees)


# The command, not a path or an option that ends in the same letters.
_NLSERVER = re.compile(r"(?<![\w{}./-])nlserver(?![\w{}./-])")


def as_account(*commands: str, **lines: str) -> Fix:
    """Commands to run as the Campaign account: whatever touches a file of the account's."""
    return _fix("account", commands, lines)


def as_root(*commands: str) -> Fix:
    """Commands to run as root. They change nothing below a directory of the account's."""
    return _fix("root", commands, {})


def as_owner(*commands: str) -> Fix:
    """Commands on the file {path}: as root, or as the account where it is in the account's directories."""
    (step,) = as_root(*commands).steps
    return Fix((step._replace(owner=True),))


def _fix(
    who: Literal["root", "account"], commands: tuple[str, ...], lines: Mapping[str, str]
) -> Fix:
    for text in (*commands, *lines.values()):
        pieces(text)  # a template that is wrong is found here, not on a host
    return Fix((Step(who, " && ".join(commands), tuple(lines.items())),))


def advice(text: str) -> Fix:
    """Advice in words."""
    return Fix((Step("advice", text),))


@dataclass(frozen=True)
class ProofCondition:
    """What must have happened since its module started before the absence of a finding that is read
    from logs proves anything. `missing` says so of a module where it has not."""

    missing: str
    met: Callable[[Server, ModuleInstance], bool]


Judge = Callable[[Server], Iterable[Evidence]]


@dataclass(frozen=True)
class Problem:
    """One entry of the catalogue.

    Either `remedy` names the task file of the documented fix, or `reason` says why no
    automatic remedy exists. `needs` are the probes without which nothing is judged; `causes`
    are the keys of problems that explain this one. `down`: with it the module does not work.
    `proof_condition`: what has to happen before a remedy can be proved to have helped.
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
    proof_condition: ProofCondition | None = None

    @property
    def key(self) -> str:
        """The stable name, for example `wfserver.not_running`."""
        return f"{self.module}.{self.name}"


@dataclass(frozen=True)
class LinkedFinding:
    """A problem that holds: the finding as the report has it, and by what its causes are known."""

    problem: Problem
    evidence: Evidence
    finding: Finding
    causes: tuple[LinkedFinding, ...] = ()

    @property
    def id(self) -> str:
        """Unique on the host and the same in every run."""
        return self.finding.id

    def explained(self, causes: tuple[LinkedFinding, ...]) -> LinkedFinding:
        """The same with what explains it."""
        finding = replace(
            self.finding,
            caused_by=tuple(dict.fromkeys(cause.problem.key for cause in causes)),
            caused_by_ids=tuple(cause.id for cause in causes),
        )
        return replace(self, finding=finding, causes=causes)


def linked_finding(problem: Problem, server: Server, evidence: Evidence) -> LinkedFinding:
    """The problem's words with the facts of the evidence."""
    label = problem.module
    if evidence.instance != DEFAULT:
        label += f"@{evidence.instance}"
    facts: dict[str, Fact] = {
        "home": server.home, "user": server.user, "var_dir": server.environment.var_dir or None,
        "instance": evidence.instance, "target": label,
        **evidence.facts,
    }
    return LinkedFinding(problem, evidence, finding_of(problem, evidence, facts))


def finding_of(problem: Problem, evidence: Evidence, facts: Mapping[str, Fact]) -> Finding:
    """The finding, these facts filled into its texts."""
    told = evidence.by_hand or ByHand(problem.reason)
    remedy = problem.remedy if evidence.by_hand is None else None
    id = f"{problem.key}@{evidence.instance}"
    return Finding(
        id=f"{id}#{evidence.subject}" if evidence.subject else id,
        key=problem.key,
        module=problem.module,
        instance=evidence.instance,
        severity=evidence.severity or problem.severity,
        title=problem.title,
        summary=render(told.summary or problem.summary, facts),
        evidence={
            name: str(fact) if isinstance(fact, Shell) else fact
            for name, fact in evidence.facts.items()
        },
        remedy=remedy,
        automatic=remedy is not None,
        reason=None if told.reason is None else render(told.reason, facts),
        fix=(told.fix or problem.fix).text(facts),
        source=sources.url(problem.source),
    )


class _Words(string.Formatter):
    """Fills in facts as people read them: {age:duration}, {at:time}, {count:# error} ("1 error",
    "2 errors") and {count:? is|are} ("is", "are").
    """

    def get_value(self, key: Any, args: Any, kwargs: Any) -> Any:
        value = super().get_value(key, args, kwargs)
        return "unknown" if value is None else value

    def format_field(self, value: Any, format_spec: str) -> str:
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            return self.text(value, format_spec)
        if format_spec == "duration":
            return duration(value)
        if format_spec == "time":
            return moment(value)
        if format_spec.startswith("# "):
            return f"{self.format_field(value, '')} {_numbered(value, format_spec[2:])}"
        if format_spec.startswith("? "):
            return _numbered(value, format_spec[2:])
        return f"{value:g}" if isinstance(value, float) else str(value)

    def text(self, value: Any, format_spec: str) -> str:
        """A fact that is not a number."""
        if format_spec[:2] in ("# ", "? "):
            many = _numbered(None, format_spec[2:])
            return f"{value} {many}" if format_spec[0] == "#" else many
        return str(value)


def _numbered(count: float | None, words: str) -> str:
    """The singular for one, else the plural: `error`, or both forms as in `is|are`."""
    one, _bar, many = words.partition("|")
    return one if count == 1 else many or f"{one}s"


class _Prose(_Words):
    """The same beside commands, where it may be pasted with them; {why:words} are our own."""

    def text(self, value: Any, format_spec: str) -> str:
        text = str(value)[: 600 if format_spec == "words" else 200]
        text = "".join(letter if letter.isprintable() else " " for letter in text)
        return text if format_spec == "words" or _TAME.fullmatch(text) else quoted(text)


_TAME = re.compile(r"[\w @%+=:,./-]*")  # means nothing to any shell


def _prose(template: str, facts: Mapping[str, Fact]) -> str:
    return _Prose().vformat(template, (), facts)


def render(template: str, facts: Mapping[str, Fact]) -> str:
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
