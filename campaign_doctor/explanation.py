# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What explain says of a finding, an error code, a remedy or another word, as text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from .explain import Code, Explanation, Problem, Remedy, catalogue, explain
from .modules import per_instance

RESTART = {
    "helps": "helps", "no": "does not help", "after_fix": "helps only after the cause is fixed",
    "heals": "is not needed: it recovers by itself", "unknown": "nothing is documented about it",
}
WIDTH = 16  # of the labels
BY_HAND = "By hand"
# What stands in the holes of a template: how the vendor installs it, and what only a finding can tell.
# The others are named in capitals, as in PID.
FILLED = {
    "home": "/usr/local/neolane/nl6", "user": "neolane", "instance": "prod",
    "stop": "kill PID    (or systemctl stop UNIT, if a unit has started it)",
    "restarts_with": "systemctl restart nlserver", "starts_with": "systemctl start nlserver",
    "operator": "the operator", "login": "the operator", "current": "the current build",
    "tells": "its log", "what": "what the finding names", "outcome": "may fail", "note": "",
    "why": "the finding says what it waits for",
}
WHOLE = {
    "<who>: <action>": "the finding says who acts and what to do, and so does campaign-doctor explain"
    " for the code in the log",
    "a restart of <module> <restart>: <action>": "whether a restart helps depends on the code in the"
    " log: campaign-doctor explain says it",
    "watch it: <memory_mb> MB now": "watch it",
}
HOLE = re.compile(r"<(\w+)>")


class Line(NamedTuple):
    """A label and what it says. `literal`: to be copied, so it is never wrapped."""

    label: str
    text: str
    literal: bool = False


def show(console: Console, name: str) -> None:
    """All that is meant by the name. Raises Unknown."""
    for number, entry in enumerate(explain(name)):
        if number:
            console.print()
        console.print(Text(heading(entry), style="bold"), soft_wrap=True)
        for line in lines(entry):
            if line.literal:
                console.print(Text(f"  {line.label:<{WIDTH}} {line.text}"), soft_wrap=True)
            else:
                text = _hanging(line.label, line.text, console.width - 2)
                console.print(Padding(text, (0, 0, 0, 2)))


def heading(entry: Explanation) -> str:
    """What it is."""
    if isinstance(entry, Problem):
        return f"{entry.key}: {entry.title}"
    if isinstance(entry, Code):
        return entry.code
    return f"{entry.name}: {entry.title}" if isinstance(entry, Remedy) else f"{entry.kind} {entry.name}"


def lines(entry: Explanation) -> list[Line]:
    """All that is said of it."""
    if isinstance(entry, Problem):
        return list(_problem(entry))
    if isinstance(entry, Code):
        return list(_code(entry))
    if isinstance(entry, Remedy):
        return list(_remedy(entry))
    return [Line("What it means", entry.means), *([Line("What to do", entry.do)] if entry.do else [])]


def _hanging(word: str, text: str, width: int) -> Text:
    wrapped = Text(text).wrap(Console(width=width), max(30, width - WIDTH - 1))
    return Text("\n").join(
        Text(f"{word if not number else '':<{WIDTH}} ").append_text(line)
        for number, line in enumerate(wrapped)
    )


def _problem(problem: Problem) -> Iterator[Line]:
    yield Line("Severity", f"{problem.severity.value}, module {problem.module}")
    yield Line("What it means", problem.means)
    yield Line("Users notice", problem.users)
    yield Line("How it is seen", problem.seen)
    yield Line("Check by hand", problem.check, literal=True)
    for number, rung in enumerate(problem.remedies):
        cancels = f" It may interrupt work: {rung.cancels}." if rung.cancels else ""
        then = "If that does not help: " if number else ""
        text = f"{then}{filled(rung.title, problem.module)} ({rung.name}).{cancels}"
        yield Line("" if number else "The tool does", text)
    if not problem.remedies:
        reason = filled(problem.reason or "", problem.module)
        yield Line("The tool does", f"nothing by itself: {reason}." if reason else "nothing by itself.")
    for fix in problem.fix:
        label = {"advice": "Advice", "root": f"{BY_HAND}, as root", "account": BY_HAND}[fix.who]
        yield Line(label, filled(fix.text, problem.module), literal=fix.who != "advice")
    yield Line("If that fails", problem.fails)
    for number, key in enumerate(problem.causes):
        cause = catalogue().problem(key)
        yield Line("" if number else "Caused by", f"{cause.title} ({key})" if cause else key)
    yield Line("Source", problem.source, literal=True)


def filled(template: str, module: str) -> str:
    """Without holes: as the vendor installs it, and in capitals what each server has of its own."""
    target = f"{module}@prod" if module in per_instance() else module
    template = WHOLE.get(template, template)
    known = {**FILLED, "target": target, "module": module}
    return HOLE.sub(lambda hole: known.get(hole[1], hole[1].upper()), template)


def _remedy(remedy: Remedy) -> Iterator[Line]:
    yield Line("What it does", f"{remedy.does}.")
    yield Line("Interrupts", f"{remedy.risks}.")
    if remedy.then:
        yield Line("If it fails", f"what is documented for the finding: {', '.join(remedy.then)}.")
    keys = [problem.key for problem in catalogue().problems
            if remedy.name in [rung.name for rung in problem.remedies]]  # fmt: skip
    yield Line("It is for", ", ".join(keys) or "an on-demand action.")


def _code(code: Code) -> Iterator[Line]:
    yield Line("What it means", f"{code.meaning}.")
    yield Line("Logged by", ", ".join(code.modules))
    yield Line("A restart", f"{RESTART[code.restart]}.")
    yield Line("Who acts", code.who)
    yield Line("What to do", f"{code.action}.")
    if code.harmless:
        yield Line("No error", code.harmless)
    if code.problem:
        yield Line("Finding", code.problem)
    for source in code.source:
        yield Line("Source", source, literal=True)
