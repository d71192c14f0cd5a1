# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a person is asked about: the steps, what they cut off, and who is in their way."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from .model import Action, Host, Report, Step


def show(console: Console, report: Report) -> int:
    """The plan of all hosts; how many steps there are."""
    count = 0
    for host in report.hosts:
        if host.plan_refused:
            _line(console, f"{host.name}: the plan does not hold: {host.plan_refused}", "yellow")
        if not host.plan:
            continue
        _line(console, host.name, "bold")
        for step in host.plan:
            count += 1
            _step(console, host, step)
    for host in report.hosts:
        if host.status != "diagnosed":
            _line(console, f"{host.name}: {host.status.replace('_', ' ')}: {host.error}", "red")
        for left in host.left:
            if left.why != "caused_by":
                _line(console, f"{host.name}: left to a person: {left.id}: {left.reason}", "dim")
    return count


def show_order(console: Console, report: Report) -> None:
    """What an order would do on each host."""
    for host in report.hosts:
        for action in host.actions:
            _line(console, f"{host.name}: {action.remedy.replace('_', ' ')} {action.label}"
                           f"{f' {action.subject}' if action.subject else ''}", "bold")
            for command in _commands(action):
                _line(console, f"     Command   {command}")
            if action.result == "refused":
                _line(console, f"     Refused   {action.reason}", "red")


def _step(console: Console, host: Host, step: Step) -> None:
    _line(console, f"  {step.order}. {step.title or step.remedy}")
    _line(console, f"     For       {', '.join(step.because)}")
    if step.command:
        _line(console, f"     Command   {step.command}")
    if step.cancels:
        _line(console, f"     Cuts off  {step.cancels}", "yellow")
    if len(step.rungs) > 1:
        then = ", ".join(rung.replace("_", " ") for rung in step.rungs[1:])
        _line(console, f"     If in vain  {then}")
    for action in _tried(host, step):
        if action.result == "refused":
            _line(console, f"     Refused   {action.reason}", "red")


def _tried(host: Host, step: Step) -> list[Action]:
    """What a run in check mode learned about the step, from the guards too."""
    return [
        action for action in host.actions
        if (action.module, action.instance) == (step.module, step.instance)
        and set(action.because) == set(step.because)
    ]


def _commands(action: Action) -> list[str]:
    if isinstance(action.command, str):
        return [action.command]
    return [
        " ".join(map(str, command)) if isinstance(command, list) else str(command)
        for command in action.command
    ]


def _line(console: Console, text: str, style: str = "") -> None:
    console.print(Text(text, style=style), soft_wrap=True)
