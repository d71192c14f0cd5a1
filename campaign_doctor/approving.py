# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The approval of a saved plan by a second person. No server is asked."""

from __future__ import annotations

import json
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pydantic import AwareDatetime, BaseModel
from rich.console import Console
from rich.text import Text

from . import questions, saved_plan
from .digest import APPROVAL, digest
from .doctor import who
from .errors import DoctorError
from .files import write_whole
from .model import Step
from .outcome import ExitCode
from .shared import words

TIME = "%Y-%m-%dT%H:%M:%SZ"


class _Host(BaseModel):
    name: str
    steps: tuple[Step, ...]


class _Plan(BaseModel):
    """What is shown of a plan; all else is checked when it is applied."""

    made_at: str
    expires_at: AwareDatetime
    made_by: str | None = None
    hosts: tuple[_Host, ...]


def approve(path: Path, console: Console, *, yes: bool) -> int:
    """Show the plan, ask, and write the approval into its file."""
    content, plan = read(path)
    now = datetime.now(timezone.utc)
    if now >= plan.expires_at:
        raise DoctorError(f"{path} expired at {content['expires_at']}. Make a new plan, for what the"
                          " servers are like now.")
    steps = show(plan, console)
    if not steps:
        raise DoctorError(f"{path} has no steps: there is nothing to approve.")
    if plan.made_by in (None, "", who()):
        maker = f"You ({who()}) made this plan" if plan.made_by else \
            "The plan does not say who made it"
        _say(console, f"{maker}: where campaign_approval is required, it will be refused. Let a"
                      " second person approve it.", "yellow")
    if not yes and not _agrees(console, f"Approve {'this step' if steps == 1 else 'these steps'}?"):
        _say(console, "Nothing was changed.")
        return ExitCode.NOT_RUN
    content[APPROVAL] = {"by": who(), "at": now.strftime(TIME), "sha256": digest(content)}
    try:
        write_whole(path, (json.dumps(content, indent=2) + "\n").encode())
    except OSError as error:
        raise DoctorError(f"{path} cannot be written: {error.strerror or error}.") from None
    _say(console, f"Approved by {who()}, until {content['expires_at']}: {path}. Any change of the"
                  " plan makes the approval invalid.")
    return ExitCode.HEALTHY


def read(path: Path) -> tuple[dict[str, Any], _Plan]:
    """The plan of a file, as it is and as it is shown."""
    return saved_plan.read(path, lambda content: (content, _Plan.model_validate(content)))


def show(plan: _Plan, console: Console) -> int:
    """Show each step with its commands; how many there are."""
    _say(console, f"Plan of {plan.made_at}, made by {plan.made_by or '(unknown)'}:", "bold")
    for host in plan.hosts:
        for step in host.steps:
            _say(console, f"{host.name}: {step.order}. {step.title}, for {', '.join(step.because)}")
            if step.command:
                for line in step.command.splitlines():
                    _say(console, f"  $ {line}")
            if step.cancels:
                _say(console, f"  {step.cancels}", "yellow")
            if len(step.rungs) > 1:
                _say(console, f"  if that does not help: {', then '.join(step.rungs[1:])}")
    return sum(len(host.steps) for host in plan.hosts)


def _agrees(console: Console, question: str) -> bool:
    if not sys.stdin.isatty():
        raise DoctorError(
            "There is no terminal to ask at, so nothing is approved. --yes approves the plan unseen."
        )
    return questions.agrees(console, question)


def _say(console: Console, text: str, style: str = "") -> None:
    console.print(Text(words.clean(text), style=style), soft_wrap=True)
