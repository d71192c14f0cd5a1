# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A finding or an error code, as text."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from .explain import Code, Problem, catalogue, explain

RESTART = {
    "helps": "helps", "no": "does not help", "after_fix": "helps only after the cause is fixed",
    "heals": "is not needed: it heals by itself", "unknown": "nothing is documented about it",
}


def show(console: Console, name: str) -> None:
    """All that is meant by the name. Raises Unknown."""
    for number, entry in enumerate(explain(name)):
        if number:
            console.print()
        heading = entry.key if isinstance(entry, Problem) else entry.code
        console.print(Text(heading, style="bold"), soft_wrap=True)
        for word, text in _problem(entry) if isinstance(entry, Problem) else _code(entry):
            if word in ("As root", "As account", "Source"):  # to be copied: never wrapped
                console.print(Text(f"  {word:<11} {text}"), soft_wrap=True)
            else:
                console.print(Padding(_hanging(word, text, console.width - 2), (0, 0, 0, 2)))


def _hanging(word: str, text: str, width: int) -> Text:
    wrapped = Text(text).wrap(Console(width=width), max(30, width - 12))
    return Text("\n").join(
        Text(f"{word if not number else '':<11} ").append_text(line)
        for number, line in enumerate(wrapped)
    )


def _problem(problem: Problem) -> Iterator[tuple[str, str]]:
    yield "Title", problem.title
    yield "Module", problem.module
    yield "Severity", problem.severity.value
    yield "Meaning", problem.meaning.replace("<target>", problem.module)
    for number, key in enumerate(problem.causes):
        cause = catalogue().problem(key)
        yield "" if number else "Caused by", f"{cause.title} ({key})" if cause else key
    for number, remedy in enumerate(problem.remedies):
        cancels = f" It may interrupt work: {remedy.cancels}." if remedy.cancels else ""
        yield "Then" if number else "Remedy", f"{remedy.title} ({remedy.name}).{cancels}"
    if problem.reason:
        yield "By hand", problem.reason.replace("<target>", problem.module)
    for fix in problem.fix:
        yield {"advice": "Advice", "root": "As root", "account": "As account"}[fix.who], fix.text
    yield "Source", problem.source


def _code(code: Code) -> Iterator[tuple[str, str]]:
    yield "Meaning", code.meaning
    yield "Logged by", ", ".join(code.modules)
    yield "A restart", RESTART[code.restart]
    yield "Who acts", code.who
    yield "What to do", code.action
    if code.harmless:
        yield "No error", code.harmless
    if code.problem:
        yield "Finding", code.problem
    for source in code.source:
        yield "Source", source
