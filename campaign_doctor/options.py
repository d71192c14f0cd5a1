# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Options that several commands share, each written once: a command takes a whole group of them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from . import checking
from .configuration import seconds, state_home
from .formats import RENDERERS
from .modules import names as module_names

# The first is for people; it, html and junit are what the collection itself renders.
FORMATS = ("table", "html", "junit", *RENDERERS)

SERVERS = "Servers"
ANSIBLE = "Ansible"
RESULT = "Result"


def variable(name: str) -> str:
    """The environment variable of an option."""
    return f"CAMPAIGN_DOCTOR_{name.upper()}"


def modules(incomplete: str) -> list[str]:
    """Completion of a module's name."""
    return [name for name in module_names() if name.lower().startswith(incomplete.lower())]


def finding_keys(incomplete: str) -> list[str]:
    """Completion of a finding's key."""
    return [key for key in checking.finding_keys() if key.lower().startswith(incomplete.lower())]


def format_names(incomplete: str) -> list[str]:
    """Completion of a format's name."""
    return [name for name in FORMATS if name.startswith(incomplete)]


def checked_format(name: str) -> str:
    """A format that there is."""
    why = checking.refusal("format", name, FORMATS)
    if why:
        raise typer.BadParameter(why)
    return name


def checked_time(text: str | None) -> str | None:
    """A time such as 5m."""
    if text is not None:
        try:
            seconds(text)
        except ValueError as error:
            raise typer.BadParameter(f"{error}.") from None
    return text


Inventories = Annotated[list[str], typer.Option(
    "--inventory", "-i", envvar=variable("inventory"), metavar="PATH", rich_help_panel=SERVERS,
    help="Inventory, as ansible-playbook takes it: a file, a directory, or 'app1,app2,'."
         " Can be given several times. Without it, the one of Ansible's configuration.",
)]


@dataclass
class AnsibleOptions:
    """Which servers, and how Ansible reaches them."""

    inventory: Inventories = field(default_factory=list)
    limit: Annotated[str | None, typer.Option(
        "--limit", "-l", envvar=variable("limit"), metavar="PATTERN", rich_help_panel=SERVERS,
        help="Only the hosts of this pattern.",
    )] = None
    extra_vars: Annotated[list[str], typer.Option(
        "--extra-vars", "-e", metavar="VARS", rich_help_panel=ANSIBLE,
        help="Variables of the playbooks: name=value, a mapping in JSON or YAML, or @FILE.",
    )] = field(default_factory=list)
    ask_become_pass: Annotated[bool, typer.Option(
        "--ask-become-pass", "-K", rich_help_panel=ANSIBLE, help="Ask for sudo's password.",
    )] = False
    become_password_file: Annotated[Path | None, typer.Option(
        envvar=variable("become_password_file"), metavar="FILE", rich_help_panel=ANSIBLE,
        help="File with sudo's password, or a script that prints it.",
    )] = None
    ask_vault_pass: Annotated[bool, typer.Option(
        "--ask-vault-pass", "-J", rich_help_panel=ANSIBLE, help="Ask for the vault's password.",
    )] = False
    vault_password_file: Annotated[list[Path], typer.Option(
        envvar=variable("vault_password_file"), metavar="FILE", rich_help_panel=ANSIBLE,
        help="File with a vault's password, or a script that prints it.",
    )] = field(default_factory=list)
    vault_id: Annotated[list[str], typer.Option(
        envvar=variable("vault_id"), metavar="ID", rich_help_panel=ANSIBLE,
        help="A vault's password by its identity, such as prod@FILE.",
    )] = field(default_factory=list)
    forks: Annotated[int | None, typer.Option(
        "--forks", envvar=variable("forks"), min=1, metavar="COUNT",
        rich_help_panel=ANSIBLE,
        help="How many hosts at once.",
    )] = None


@dataclass
class InventoryOptions:
    """Which inventory is changed."""

    inventory: Inventories = field(default_factory=list)


@dataclass
class ScopeOptions:
    """What to check on each server."""

    module: Annotated[list[str], typer.Option(
        "--module", "-m", envvar=variable("module"), metavar="MODULE", rich_help_panel=SERVERS,
        autocompletion=modules,
        help="Only this Campaign module, such as mta. Can be given several times.",
    )] = field(default_factory=list)
    instance: Annotated[list[str], typer.Option(
        "--instance", envvar=variable("instance"), metavar="INSTANCE", rich_help_panel=SERVERS,
        help="Only this instance. Can be given several times.",
    )] = field(default_factory=list)

    def variables(self) -> dict[str, Any]:
        """As the playbooks take them. Raises DoctorError for a module that there is not."""
        checking.modules_known(self.module)
        given = {"campaign_modules": self.module, "campaign_instances": self.instance}
        return {name: value for name, value in given.items() if value}


@dataclass
class OutputOptions:
    """How the result is shown."""

    format: Annotated[str, typer.Option(
        "--format", "-f", envvar=variable("format"), metavar="FORMAT", rich_help_panel=RESULT,
        autocompletion=format_names, callback=checked_format,
        help=f"One of {', '.join(FORMATS)}.",
    )] = "table"
    output: Annotated[Path | None, typer.Option(
        "--output", "-o", envvar=variable("output"), metavar="DIR", rich_help_panel=RESULT,
        help="Write report.json, report.html, junit.xml and the format asked for here.",
    )] = None
    utc: Annotated[bool, typer.Option(
        "--utc", envvar=variable("utc"), rich_help_panel=RESULT,
        help="Times in UTC alone, without the local time beside them.",
    )] = False


@dataclass
class TerminalOptions:
    """What is shown during a run."""

    quiet: Annotated[bool, typer.Option(
        "--quiet", "-q", envvar=variable("quiet"), rich_help_panel=RESULT,
        help="No progress, only the result.",
    )] = False
    verbose: Annotated[int, typer.Option(
        "--verbose", "-v", count=True, show_default=False, rich_help_panel=ANSIBLE,
        help="Show Ansible's own output as well; -vv and more show more of it.",
    )] = 0


@dataclass
class HistoryOptions:
    """Where runs are kept."""

    history: Annotated[Path, typer.Option(
        "--history", envvar=variable("history"), metavar="FILE", rich_help_panel=RESULT,
        show_default="history.db in the state directory", help="The file that keeps the runs.",
    )] = field(default_factory=lambda: state_home() / "history.db")
    history_days: Annotated[float, typer.Option(
        "--history-days", envvar=variable("history_days"), min=0.01, metavar="DAYS",
        rich_help_panel=RESULT,
        help="How many days runs are kept.",
    )] = 90.0


@dataclass
class TargetOptions:
    """Whom to tell."""

    notify: Annotated[list[str], typer.Option(
        "--notify", envvar=variable("notify"), metavar="URL", rich_help_panel=RESULT,
        help="Send what is new, worse or fixed to this target, in place of the configured ones: a URL of"
             " apprise, one that begins with cloudevents+https, or @FILE with one URL a line. Can be"
             " given several times.",
    )] = field(default_factory=list)


@dataclass
class NotifyOptions(TargetOptions):
    """Whom to tell of a run."""

    no_notify: Annotated[bool, typer.Option(
        "--no-notify", rich_help_panel=RESULT, help="Send no notification.",
    )] = False


@dataclass
class BrakeOptions:
    """What a repair may do although many hosts have the same finding."""

    accept_storm: Annotated[list[str], typer.Option(
        "--accept-storm", metavar="KEY", autocompletion=finding_keys,
        help="Repair this finding although so many hosts have it at once. Can be given several times.",
    )] = field(default_factory=list)

    def variables(self) -> dict[str, Any]:
        """As the playbooks take them. Raises DoctorError for a finding that there is not."""
        checking.findings_known(self.accept_storm)
        return {"campaign_accept_storm": self.accept_storm} if self.accept_storm else {}


Yes = Annotated[bool, typer.Option(
    "--yes", "-y", help="Do not ask for confirmation (for schedulers).",
)]
Check = Annotated[bool, typer.Option(
    "--check", help="Show what would be done, and change nothing.",
)]


def takes(**groups: type) -> Callable[[Callable[..., int]], Callable[..., None]]:
    """The options of these dataclasses become options of the command, which gets one of each."""

    def decorate(command: Callable[..., int]) -> Callable[..., None]:
        own = get_type_hints(command, include_extras=True)
        parameters = [
            parameter.replace(annotation=own[name])
            for name, parameter in inspect.signature(command).parameters.items()
            if name not in groups
        ]
        for group in groups.values():
            hints, default = get_type_hints(group, include_extras=True), group()
            parameters += [
                inspect.Parameter(
                    each.name, inspect.Parameter.KEYWORD_ONLY, annotation=hints[each.name],
                    default=getattr(default, each.name),
                )
                for each in fields(group)
            ]

        @functools.wraps(command)
        def called(**values: Any) -> None:
            made: Mapping[str, Any] = {
                name: group(**{each.name: values.pop(each.name) for each in fields(group)})
                for name, group in groups.items()
            }
            raise typer.Exit(int(command(**values, **made)))

        called.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in parameters]
        )
        called.__annotations__ = {each.name: each.annotation for each in parameters}
        return called

    return decorate
