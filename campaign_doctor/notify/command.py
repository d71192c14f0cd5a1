# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""notify test: whether a message arrives."""

from __future__ import annotations

import typer

from ..base import Command, Group, consoles, examples, warn
from ..errors import DoctorError
from ..options import TargetOptions, takes
from ..outcome import ExitCode
from .message import test as test_message
from .notifier import at_once
from .targets import Target, targets

notify = typer.Typer(
    cls=Group, help="Test the targets of notifications.", no_args_is_help=True,
)


@notify.callback()
def group() -> None:
    """There is one command today."""


@notify.command("test", cls=Command, epilog=examples(
    "notify test", "notify test --notify mailtos://user:password@example.com",
))
@takes(told=TargetOptions)
def send_test(context: typer.Context, told: TargetOptions) -> int:
    """Send a test message to every target, and say which worked. No host is asked."""
    found = targets(context.obj.notify, told.notify, context.obj.folder)
    if not found:
        raise DoctorError("There is no target: set urls or webhook in [notify] of campaign-doctor.toml,"
                          " or give --notify URL.")
    message, sent = test_message(), []

    def send(target: Target) -> None:
        target.send(message)
        sent.append(target.name)

    failed = at_once(found, send, warn)
    out = consoles()[0]
    for target in found:
        if target.name in sent:
            out.print(f"Sent: {target.name}", markup=False, highlight=False, soft_wrap=True)
    return ExitCode.NOT_RUN if failed else ExitCode.HEALTHY
