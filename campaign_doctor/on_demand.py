# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Commands for one module or one job: precision, relaunch."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from . import checking
from .base import Command, Group, doctor, examples
from .errors import DoctorError
from .options import (
    AnsibleOptions,
    Check,
    HistoryOptions,
    NotifyOptions,
    OutputOptions,
    TerminalOptions,
    Yes,
    checked_time,
    modules,
    takes,
)

precision = typer.Typer(
    cls=Group, help="Raise or restore a module's log precision.", no_args_is_help=True,
)
relaunch = typer.Typer(
    cls=Group, help="Launch a declared export or import job again.", no_args_is_help=True,
)


def target(text: str) -> dict[str, str]:
    """The variables of MODULE or MODULE@INSTANCE."""
    module, at, instance = text.partition("@")
    if not module or (at and not instance):
        raise DoctorError(f"'{text}' is neither MODULE nor MODULE@INSTANCE, such as mta@prod.")
    checking.modules_known([module])
    return {"campaign_module": module} | ({"campaign_instance": instance} if instance else {})


Target = Annotated[str, typer.Argument(
    metavar="MODULE[@INSTANCE]", help="A Campaign module, such as mta or mta@prod.",
    autocompletion=modules,
)]


@precision.command("raise", cls=Command, epilog=examples(
    "precision raise wfserver@prod -i hosts.yml --limit app1",
    "precision raise mta -i hosts.yml --limit app1 --filters soap,wdbc --for 15m",
))
@takes(servers=AnsibleOptions, shown=OutputOptions, terminal=TerminalOptions, kept=HistoryOptions,
       told=NotifyOptions)
def raise_precision(
    context: typer.Context, servers: AnsibleOptions,
    shown: OutputOptions, terminal: TerminalOptions, kept: HistoryOptions, told: NotifyOptions,
    module: Target,
    filters: Annotated[str, typer.Option(
        "--filters", metavar="LIST",
        help="Trace these as well: wdbc (SQL), soap, ldap, xtkquery …; * is all, !x without x.",
    )] = "",
    lasting: Annotated[str | None, typer.Option(
        "--for", metavar="TIME", callback=checked_time,
        help="How long, such as 30m or 2h; the next remediation after that restores it.",
    )] = None,
    yes: Yes = False,
    check: Check = False,
) -> int:
    """Raise a module's log precision for a while. This restarts the module."""
    variables: dict[str, Any] = target(module)
    wanted = [word.strip() for word in filters.split(",") if word.strip()]
    if wanted:
        variables |= {"campaign_log_precision": "trace", "campaign_trace_filters": wanted}
    if lasting:
        variables["campaign_precision_for"] = lasting
    return doctor(context, servers, terminal, kept, lambda it: it.on_demand(
        "raise_log_precision", "precision raise", variables, shown, yes=yes, check=check,
    ), told)


@precision.command("restore", cls=Command, epilog=examples(
    "precision restore -i hosts.yml --limit app1",
    "precision restore wfserver@prod -i hosts.yml --limit app1",
))
@takes(servers=AnsibleOptions, shown=OutputOptions, terminal=TerminalOptions, kept=HistoryOptions,
       told=NotifyOptions)
def restore_precision(
    context: typer.Context, servers: AnsibleOptions,
    shown: OutputOptions, terminal: TerminalOptions, kept: HistoryOptions, told: NotifyOptions,
    module: Annotated[str | None, typer.Argument(
        metavar="[MODULE[@INSTANCE]]", help="Only this module; by default every module whose"
                                            " precision is raised.",
        autocompletion=modules,
    )] = None,
    yes: Yes = False,
    check: Check = False,
) -> int:
    """Restore the log precision. This restarts the module."""
    variables = target(module) if module else {}
    return doctor(context, servers, terminal, kept, lambda it: it.on_demand(
        "restore_log_precision", "precision restore", variables, shown, yes=yes, check=check,
    ), told)


Job = Annotated[str, typer.Argument(metavar="NAME", help="The job's name in campaign_jobs.")]
Mode = Annotated[bool | None, typer.Option(
    "--delta/--full", rich_help_panel="What is launched",  # beside it the others have no room
    help="Only what is new since the last time, or all of it.",
)]
Operator = Annotated[str | None, typer.Option(
    "--operator", metavar="NAME", help="The operator who scheduled the job and agrees.",
)]
TakenOver = Annotated[str | None, typer.Option(
    "--taken-over-by", metavar="NAME", help="Instead: who takes the job over.",
)]
OfInstance = Annotated[str | None, typer.Option(
    "--instance", metavar="INSTANCE", help="The instance, if there are several.",
)]


def job(
    name: str, delta: bool | None, operator: str | None, taken_over_by: str | None,
    instance: str | None, **more: Any,
) -> dict[str, Any]:
    """The variables of a job to launch."""
    if not (operator or taken_over_by):
        raise DoctorError(
            "Whose job is it? --operator names the one who scheduled it and agrees,"
            " --taken-over-by the operator who takes it over."
        )
    given = {
        "campaign_job": name,
        "campaign_mode": None if delta is None else "delta" if delta else "full",
        "campaign_operator": operator,
        "campaign_taken_over_by": taken_over_by,
        "campaign_instance": instance,
        **more,
    }
    return {key: value for key, value in given.items() if value}


@relaunch.command("export", cls=Command, epilog=examples(
    "relaunch export contacts_export --delta --operator anna.berg -i hosts.yml --limit app1",
))
@takes(servers=AnsibleOptions, shown=OutputOptions, terminal=TerminalOptions, kept=HistoryOptions,
       told=NotifyOptions)
def relaunch_export(
    context: typer.Context, servers: AnsibleOptions,
    shown: OutputOptions, terminal: TerminalOptions, kept: HistoryOptions, told: NotifyOptions,
    name: Job, delta: Mode = None, operator: Operator = None, taken_over_by: TakenOver = None,
    instance: OfInstance = None, yes: Yes = False, check: Check = False,
) -> int:
    """Launch an export again and follow it to its end. It never runs twice at once."""
    if delta is None:
        raise DoctorError("Add --delta or --full: an export needs one of them.")
    variables = job(name, delta, operator, taken_over_by, instance)
    return doctor(context, servers, terminal, kept, lambda it: it.on_demand(
        "relaunch_export", "relaunch export", variables, shown, yes=yes, check=check,
    ), told)


@relaunch.command("import", cls=Command, epilog=examples(
    "relaunch import contacts_import --delta --operator paul.roux"
    " --no-duplicates-confirmed-by paul.roux -i hosts.yml --limit app1",
))
@takes(servers=AnsibleOptions, shown=OutputOptions, terminal=TerminalOptions, kept=HistoryOptions,
       told=NotifyOptions)
def relaunch_import(
    context: typer.Context, servers: AnsibleOptions,
    shown: OutputOptions, terminal: TerminalOptions, kept: HistoryOptions, told: NotifyOptions,
    name: Job, delta: Mode = None, operator: Operator = None, taken_over_by: TakenOver = None,
    confirmed_by: Annotated[str | None, typer.Option(
        "--no-duplicates-confirmed-by", metavar="NAME",
        help="Who checked the database for duplicates and found none.",
    )] = None,
    accept_duplicates: Annotated[bool, typer.Option(
        "--accept-duplicates", help="Launch it although there may be duplicates.",
    )] = False,
    instance: OfInstance = None, yes: Yes = False, check: Check = False,
) -> int:
    """Launch an import again, after an operator has checked for duplicates."""
    variables = job(
        name, delta, operator, taken_over_by, instance,
        campaign_no_duplicates_confirmed_by=confirmed_by,
        campaign_accept_duplicates=accept_duplicates,
    )
    return doctor(context, servers, terminal, kept, lambda it: it.on_demand(
        "relaunch_import", "relaunch import", variables, shown, yes=yes, check=check,
    ), told)
