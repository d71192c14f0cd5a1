# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the operator is asked to confirm: the steps, and the work that they would interrupt now."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rich.console import Console
from rich.text import Text

from . import times
from .formats import table
from .model import Host, Report, Step
from .shared import outline, words


def show(console: Console, report: Report, *, utc: bool = False) -> int:
    """Show the plan of all hosts and what remains; the number of steps that can be applied. Times have
    the local one beside them, unless utc.

    Without steps nothing is shown, because the report that follows has everything.
    """
    steps = [(host, step) for host in report.hosts for step in host.plan]
    if not steps:
        return 0
    local: Callable[[outline.Section], outline.Section] = (lambda told: told) if utc else times.section
    for section in (outline.storms(report), outline.paused(report)):
        if section.entries:
            _section(console, local(section))
    _section(console, local(outline.plan(report)))
    waves = outline.waves(report)
    if waves.entries:
        _section(console, waves)
    at_work = [line for host, step in steps for line in _at_work(host, step)]
    if at_work:
        table.show(console, table.heading("Running now"))
        for line in at_work:
            _line(console, f"  {line}", "yellow")
    blind = [host for host in report.hosts if host.status != "diagnosed"]
    if blind:
        table.show(console, table.heading("Not diagnosed"))
        for host in blind:
            _line(console, f"  {host.name}: {host.status.replace('_', ' ')}: {host.error}")
    unplanned = outline.unplanned(report)
    if unplanned.entries:
        _section(console, local(unplanned))
    return sum(not step.held for _host, step in steps)


def _section(console: Console, section: outline.Section) -> None:
    for part in table.section(section):
        table.show(console, part)


def show_order(console: Console, report: Report) -> None:
    """What an on-demand action would do on each host."""
    for host in report.hosts:
        for action in host.actions:
            subject = f" {action.subject}" if action.subject else ""
            title = f"{host.name}: {action.remedy.replace('_', ' ')} {action.label}{subject}"
            _line(console, title, "bold")
            for command in words.commands(action.command):
                _line(console, f"  $ {command}")
            if action.result == "refused":
                _line(console, f"  refused: {action.reason}", "red")
        if host.status != "diagnosed":
            _line(console, f"{host.name}: {host.status.replace('_', ' ')}: {host.error}", "red")


def _at_work(host: Host, step: Step) -> Iterator[str]:
    """What a step that cuts something off would interrupt: of pdump -who and the processes."""
    if not step.cancels:
        return
    if step.work is None:
        yield f"{host.name} {step.label}: could not be checked"
        return
    for each in step.work:
        where = f"from {each.origin}" if each.origin else f"pid {each.pid}"
        yield f"{host.name} {step.label}: {each.kind} {each.what} ({where})"


def _line(console: Console, text: str, style: str = "") -> None:
    console.print(Text(words.clean(text), style=style), soft_wrap=True)
