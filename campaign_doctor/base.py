# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the commands have in common: how they are run, and where they write."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import typer
from rich.console import Console
from typer.core import TyperCommand, TyperGroup

from . import checking
from .doctor import Doctor
from .interrupts import Interrupts
from .notify.notifier import Notifier
from .notify.targets import targets
from .options import AnsibleOptions, HistoryOptions, NotifyOptions, TerminalOptions
from .outcome import ExitCode
from .runner import private_directory


class _Plain:
    """Its help fits in 80 columns: without the type of a flag or an argument, and without the
    variable of an option, which the page has.
    """

    def get_params(self, ctx: Any) -> list[Any]:
        """The options and arguments."""
        found: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for each in found:
            if getattr(each, "is_flag", False) or getattr(each, "count", False):
                each.metavar = each.metavar or ""
            if each.param_type_name == "argument":
                each.display_type_rich = lambda **_more: ""
            each.show_envvar = False
        return found


class Command(_Plain, TyperCommand):
    """A command."""


class Group(_Plain, TyperGroup):
    """Several commands."""


LOG_WIDTH = 120  # of a table that goes to a file or a mail


def examples(*commands: str) -> str:
    """The end of a command's help."""
    return "\n\n".join(["Examples:", *(f"  campaign-doctor {command}" for command in commands)])


def doctor(
    context: typer.Context,
    servers: AnsibleOptions,
    terminal: TerminalOptions,
    kept: HistoryOptions,
    work: Callable[[Doctor], int],
    notify: NotifyOptions | None = None,
) -> int:
    """Run a command with its temporary resources."""
    out, err = consoles()
    checking.variables(context.obj.extra_vars, servers.extra_vars)
    told = notifier(context, kept, notify) if notify else None
    with Interrupts() as interrupts, private_directory() as private:
        try:
            return work(Doctor(
                servers, terminal, kept, variables=context.obj.extra_vars, private=private,
                interrupts=interrupts, out=out, err=err,
                config=context.find_root().params.get("config"), notifier=told,
            ))
        except KeyboardInterrupt:  # at a question; typer would end silently
            err.print("\n" * err.is_terminal + "Interrupted. Nothing was changed.")
            return ExitCode.INTERRUPTED


def notifier(context: typer.Context, kept: HistoryOptions, wanted: NotifyOptions) -> Notifier:
    """Whom this command tells. Raises DoctorError for a target that cannot be used."""
    settings = context.obj.notify
    found = [] if wanted.no_notify else targets(settings, wanted.notify, context.obj.folder)
    return Notifier(found, settings, kept.history.absolute().parent)


def consoles() -> tuple[Console, Console]:
    """For the result, and for messages beside it."""
    found = Console(), Console(stderr=True)
    for console in found:
        if not console.is_terminal and "COLUMNS" not in os.environ:
            console.width = LOG_WIDTH
    return found


def warn(text: str) -> None:
    """Print a message to standard error."""
    consoles()[1].print(text, markup=False, highlight=False, soft_wrap=True)
