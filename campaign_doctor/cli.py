# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The command line: arguments in, exit code out. What a command does is in doctor.py."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException
from typer.rich_utils import rich_format_error

from . import (
    approving,
    changes_view,
    checking,
    collection,
    configuration,
    explanation,
    first_run,
    holding,
    incident,
    past,
    pausing,
    trends,
    trends_view,
)
from .base import Command, Group, consoles, doctor, examples, warn
from .configuration import Settings, Site, seconds
from .errors import DoctorError
from .explain import Unknown, names
from .history import History, UnknownRun, compare
from .init import init
from .model import InvalidReport
from .mute import mute, unmute
from .notify.command import notify
from .on_demand import precision, relaunch
from .options import (
    AnsibleOptions,
    BrakeOptions,
    Check,
    HistoryOptions,
    InventoryOptions,
    NotifyOptions,
    OutputOptions,
    ScopeOptions,
    TerminalOptions,
    Yes,
    checked_time,
    takes,
    variable,
)
from .outcome import ExitCode
from .runner import sweep

EXIT_CODES = "  ".join(f"{code.value} {code.meaning};" for code in ExitCode).rstrip(";")

# Names in other tools, and common typing errors.
ALIASES = {"status": "diagnose", "fix": "remediate", "repair": "remediate"}


class Verbs(Group):
    """The commands, which can be called by their aliases, too."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the first word means."""
        return super().resolve_command(ctx, [ALIASES.get(args[0], args[0]), *args[1:]])


app = typer.Typer(
    name="campaign-doctor",
    cls=Verbs,
    help="\n\n".join([
        "Finds and repairs what is wrong with Adobe Campaign Classic v7 servers.",
        "  campaign-doctor diagnose -i hosts.yml   what is wrong, and why",
        "  campaign-doctor remediate -i hosts.yml  plan, question, repair, proof",
        "  campaign-doctor explain wfserver.hung   what a finding means, and what to do",
    ]),
    epilog=f"Exit codes, the worst wins: {EXIT_CODES}.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
app.add_typer(precision, name="precision")
app.add_typer(relaunch, name="relaunch")
app.add_typer(notify, name="notify")

Run = Annotated[str, typer.Argument(
    metavar="RUN", help="Number of a run, 'last', or 'last~1' for the one before.",
)]


def version_wanted(wanted: bool) -> None:
    """--version."""
    if wanted:
        print(f"campaign-doctor {version('campaign-doctor')}")
        copy = collection.used()
        print(f"{collection.COLLECTION} {copy.version} ({copy.kind}: {copy.path})" if copy else
              f"{collection.COLLECTION} is not there: ansible-galaxy collection install ARCHIVE")
        raise typer.Exit


@app.callback()
def configured(
    context: typer.Context,
    config: Annotated[Path | None, typer.Option(
        "--config", "-c", envvar=variable("config"), metavar="FILE",
        help="Configuration instead of ./campaign-doctor.toml or ~/.config/campaign-doctor.toml.",
    )] = None,
    _version: Annotated[bool, typer.Option(
        "--version", callback=version_wanted, is_eager=True, help="Show the version.",
    )] = False,
) -> None:
    """Reads the configuration, which has a default for every option of that name."""
    sweep()
    path = config or configuration.find(warn)
    settings = configuration.load(path) if path else Settings()
    folder = path.absolute().parent if path else Path()
    defaults = settings.defaults(folder) if path else {}
    context.obj = Site(settings.extra_vars, settings.notify, folder)
    context.default_map = defaults_for(context.command, defaults)


def defaults_for(group: Any, defaults: dict[str, Any]) -> dict[str, Any]:
    """The configured values by command, for those that it has an option for."""
    found: dict[str, Any] = {}
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            found[name] = defaults_for(command, defaults)
        else:
            own = {parameter.name for parameter in command.params}
            found[name] = {key: value for key, value in defaults.items() if key in own}
    return found


@app.command("init", cls=Command, epilog=examples("init"))
def begin() -> int:
    """Describe your servers: a few questions, then hosts.yml and campaign-doctor.toml."""
    # An exception, so that the terminal shows again what is typed after a question for a password.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        init(consoles()[1])
    except KeyboardInterrupt:
        warn("\nInterrupted. Nothing was written.")
        return ExitCode.INTERRUPTED
    return ExitCode.HEALTHY


@app.command("check", cls=Command, epilog=examples(
    "check -i hosts.yml", "check -i hosts.yml --limit app1",
))
@takes(servers=AnsibleOptions, terminal=TerminalOptions, kept=HistoryOptions)
def check_hosts(
    context: typer.Context, servers: AnsibleOptions, terminal: TerminalOptions,
    kept: HistoryOptions,
) -> int:
    """Check what a diagnosis needs of each host: connection, Python, rights, home, nlserver, API."""
    return doctor(context, servers, terminal, kept, first_run.check)


@app.command(cls=Command, epilog=examples(
    "diagnose -i hosts.yml",
    "diagnose -i hosts.yml --limit app1 --module mta --module stat",
    "diagnose -i hosts.yml --format nagios --quiet",
    "diagnose -i hosts.yml --format openmetrics --output /var/lib/node_exporter",
))
@takes(servers=AnsibleOptions, scope=ScopeOptions, shown=OutputOptions,
       terminal=TerminalOptions, kept=HistoryOptions, told=NotifyOptions)
def diagnose(
    context: typer.Context, servers: AnsibleOptions, scope: ScopeOptions,
    shown: OutputOptions, terminal: TerminalOptions, kept: HistoryOptions, told: NotifyOptions,
) -> int:
    """Find out what is wrong, and why. Changes nothing."""
    return doctor(context, servers, terminal, kept,
                  lambda it: it.diagnose(scope.variables(), shown), told)


@app.command(cls=Command, epilog=examples(
    "plan -i hosts.yml",
    "plan -i hosts.yml --save plan.json",
))
@takes(servers=AnsibleOptions, scope=ScopeOptions, shown=OutputOptions,
       terminal=TerminalOptions, kept=HistoryOptions, told=NotifyOptions, brakes=BrakeOptions)
def plan(
    context: typer.Context, servers: AnsibleOptions, scope: ScopeOptions,
    shown: OutputOptions, terminal: TerminalOptions, kept: HistoryOptions, told: NotifyOptions,
    brakes: BrakeOptions,
    save: Annotated[Path | None, typer.Option(
        "--save", metavar="FILE", help="Save the plan, for remediate --plan.",
    )] = None,
) -> int:
    """Show what would be repaired, how, and what is left to an operator. Changes nothing."""
    return doctor(context, servers, terminal, kept,
                  lambda it: it.plan({**scope.variables(), **brakes.variables()}, save, shown), told)


@app.command(cls=Command, epilog=examples("approve plan.json"))
def approve(
    plan_file: Annotated[Path, typer.Argument(
        metavar="PLAN", help="A plan that another person has saved with plan --save.",
    )],
    yes: Yes = False,
) -> None:
    """Approve a saved plan as a second person: show it, ask, write the approval into its file."""
    raise typer.Exit(int(approving.approve(plan_file, consoles()[1], yes=yes)))


@app.command(cls=Command, epilog=examples(
    "remediate -i hosts.yml",
    "remediate -i hosts.yml --plan plan.json",
    "remediate -i hosts.yml --limit app1 --module mta --yes",
    "remediate -i hosts.yml --check",
))
@takes(servers=AnsibleOptions, scope=ScopeOptions, shown=OutputOptions,
       terminal=TerminalOptions, kept=HistoryOptions, told=NotifyOptions, brakes=BrakeOptions)
def remediate(
    context: typer.Context, servers: AnsibleOptions, scope: ScopeOptions,
    shown: OutputOptions, terminal: TerminalOptions, kept: HistoryOptions, told: NotifyOptions,
    brakes: BrakeOptions,
    plan_file: Annotated[Path | None, typer.Option(
        "--plan", metavar="FILE", help="Apply this plan and nothing else.",
    )] = None,
    yes: Yes = False,
    check: Check = False,
) -> int:
    """Repair: show the plan, ask once, apply the documented fixes, prove that they helped."""
    return doctor(context, servers, terminal, kept, lambda it: it.remediate(
        {**scope.variables(), **brakes.variables()}, plan_file, shown, yes=yes, check=check,
    ), told)


@app.command(cls=Command, epilog=examples(
    "watch -i hosts.yml",
    "watch -i hosts.yml --every 1m --output /var/www/html/campaign",
))
@takes(servers=AnsibleOptions, scope=ScopeOptions, terminal=TerminalOptions, kept=HistoryOptions,
       told=NotifyOptions)
def watch(
    context: typer.Context, servers: AnsibleOptions, scope: ScopeOptions,
    terminal: TerminalOptions, kept: HistoryOptions, told: NotifyOptions,
    every: Annotated[str, typer.Option(
        "--every", envvar=variable("every"), metavar="TIME", callback=checked_time,
        help="Time between two diagnoses, such as 30s, 5m or 1h.",
    )] = "5m",
    output: Annotated[Path | None, typer.Option(
        "--output", "-o", envvar=variable("output"), metavar="DIR",
        help="Write the latest report and its metrics to this directory after each diagnosis.",
    )] = None,
) -> int:
    """Diagnose repeatedly and report only what changed. Ctrl-C ends it."""
    return doctor(context, servers, terminal, kept,
                  lambda it: it.watch(scope.variables(), every, OutputOptions(output=output)), told)


app.command(cls=Command, epilog=examples(
    "mute host.disk_filling -i hosts.yml --host app1 --until 2030-12-31 --reason CHG-4711",
    "mute web.slow -i hosts.yml --until 2030-12-31 --reason OPS-12 --check",
))(takes(files=InventoryOptions)(mute))
app.command(cls=Command, epilog=examples(
    "unmute host.disk_filling -i hosts.yml --host app1", "unmute web.slow -i hosts.yml",
))(takes(files=InventoryOptions)(unmute))


Hosts = Annotated[str, typer.Argument(
    metavar="HOST", help="A host of the inventory, or a pattern of hosts.",
)]


@app.command(cls=Command, epilog=examples("ledger app1 -i hosts.yml"))
@takes(servers=AnsibleOptions, terminal=TerminalOptions, kept=HistoryOptions)
def ledger(
    context: typer.Context, host: Hosts, servers: AnsibleOptions,
    terminal: TerminalOptions, kept: HistoryOptions,
) -> int:
    """Show which run holds a host, and what was done there last. Changes nothing."""
    return doctor(context, replace(servers, limit=host), terminal, kept, holding.ledger)


@app.command(cls=Command, epilog=examples("unlock app1 -i"
                                          " hosts.yml", "unlock app1 -i hosts.yml --check"))
@takes(servers=AnsibleOptions, terminal=TerminalOptions, kept=HistoryOptions)
def unlock(
    context: typer.Context, host: Hosts, servers: AnsibleOptions,
    terminal: TerminalOptions, kept: HistoryOptions,
    yes: Yes = False,
    check: Check = False,
    force: Annotated[bool, typer.Option(
        "--force", help="Remove the lock even while a step of the run that holds it is in"
                        " progress.",
    )] = False,
) -> int:
    """Free a host that another run holds. After a killed run remediate needs no unlocking."""
    how = holding.Freeing(yes=yes, check=check, force=force)
    return doctor(context, replace(servers, limit=host), terminal, kept,
                  lambda it: holding.unlock(it, how))


Several = Annotated[list[str] | None, typer.Argument(
    metavar="[HOST]...", help="Hosts of the inventory, or patterns of hosts; without one, all.",
)]


@app.command(cls=Command, epilog=examples(
    "pause app1 app2 --for 2h --reason 'CHG-4711 replaces the disk' -i hosts.yml",
    "pause --for 30m --reason 'database maintenance' -i hosts.yml",
))
@takes(servers=AnsibleOptions, terminal=TerminalOptions, kept=HistoryOptions)
def pause(
    context: typer.Context, servers: AnsibleOptions,
    terminal: TerminalOptions, kept: HistoryOptions,
    hosts: Several = None,
    lasting: Annotated[str | None, typer.Option(
        "--for", metavar="TIME", callback=checked_time,
        help="How long, such as 30m, 2h or 1d, at most 30d; then it ends by itself.",
    )] = None,
    why: Annotated[str | None, typer.Option(
        "--reason", metavar="TEXT", help="Why: shown to everyone whose repair is refused.",
    )] = None,
    check: Check = False,
) -> int:
    """Pause repairs on hosts: every change is refused there until the pause ends."""
    variables = pausing.ordered(lasting, why)
    return doctor(context, among(servers, hosts), terminal, kept,
                  lambda it: pausing.pause(it, variables, check=check))


@app.command(cls=Command, epilog=examples("resume app1 -i hosts.yml", "resume -i hosts.yml"))
@takes(servers=AnsibleOptions, terminal=TerminalOptions, kept=HistoryOptions)
def resume(
    context: typer.Context, servers: AnsibleOptions,
    terminal: TerminalOptions, kept: HistoryOptions,
    hosts: Several = None, check: Check = False,
) -> int:
    """End the pause of hosts before its time."""
    return doctor(context, among(servers, hosts), terminal, kept,
                  lambda it: pausing.resume(it, check=check))


def among(servers: AnsibleOptions, hosts: list[str] | None) -> AnsibleOptions:
    """The servers of the call, and of them those that are named."""
    return replace(servers, limit=",".join(hosts)) if hosts else servers


@app.command(cls=Command, epilog=examples("history", "history --last 100"))
@takes(kept=HistoryOptions)
def history(
    kept: HistoryOptions,
    last: Annotated[int, typer.Option("--last", "-n", min=1, metavar="COUNT", help="How many runs.")] = 20,
) -> int:
    """List the runs in the history."""
    out, _err = consoles()
    found = History(kept.history, warn).runs(last)
    if not found:
        warn(f"No run is kept in {kept.history}.")
    else:
        out.print(past.listed(found))
    return ExitCode.HEALTHY


@app.command(cls=Command, epilog=examples(
    "show last", "show 17 --format html --output report", "show last --format sarif",
))
@takes(shown=OutputOptions, terminal=TerminalOptions, kept=HistoryOptions)
def show(
    context: typer.Context, run: Run,
    shown: OutputOptions, terminal: TerminalOptions, kept: HistoryOptions,
) -> int:
    """Show a run of the history in any format. Exits with that run's own code."""
    return doctor(context, AnsibleOptions(), terminal, kept, lambda it: it.show(run, shown))


@app.command("compare", cls=Command, epilog=examples("compare last~1 last", "compare 12 17"))
@takes(kept=HistoryOptions)
def compare_runs(
    old: Annotated[str, typer.Argument(metavar="RUN", help="The earlier run.")],
    new: Annotated[str, typer.Argument(metavar="RUN", help="The later run.")],
    kept: HistoryOptions,
    any_inventory: Annotated[bool, typer.Option(
        "--any-inventory", help="Compare runs of different inventories, too.",
    )] = False,
) -> int:
    """Show what is new, gone, worse or better between two runs."""
    runs = History(kept.history, warn)
    earlier, later = runs.find(old), runs.find(new)
    if earlier.inventory != later.inventory and not any_inventory:
        raise DoctorError(
            f"Run {earlier.number} is of the inventory {earlier.inventory or '(none)'}, run"
            f" {later.number} of {later.inventory or '(none)'}. --any-inventory compares them all"
            " the same."
        )
    changes = compare(runs.get(earlier.number), runs.get(later.number))
    changes_view.show(consoles()[0], earlier, later, changes)
    return ExitCode.FINDINGS if changes.new or changes.worse else ExitCode.HEALTHY


def text_or_json(name: str) -> str:
    """A format that trends have."""
    why = checking.refusal("format", name, ("text", "json"))
    if why:
        raise typer.BadParameter(why)
    return name


Since = Annotated[str, typer.Option(
    "--since", metavar="TIME", callback=checked_time, help="How far back, such as 6h or 30d.",
)]


@app.command("trends", cls=Command, epilog=examples("trends", "trends --since 7d --format json"))
@takes(kept=HistoryOptions)
def show_trends(
    kept: HistoryOptions,
    since: Since = "30d",
    valid: Annotated[str, typer.Option(
        "--valid", metavar="TIME", callback=checked_time,
        help="How long a diagnosis says how a module is, if no other follows; then it is unknown.",
    )] = "15m",
    form: Annotated[str, typer.Option(
        "--format", "-f", metavar="FORMAT", callback=text_or_json, help="text or json.",
    )] = "text",
) -> int:
    """Show which findings came how often, what helped, and how available each module was."""
    now = time.time()
    found = trends.of_history(
        History(kept.history, warn), now - seconds(since), now, seconds(valid)
    )
    if not found.runs:
        raise DoctorError(f"The history {kept.history} has no run of the last {since}.")
    if form == "json":
        print(json.dumps(found.as_json(), indent=1))
    else:
        trends_view.show(consoles()[0], found)
    return ExitCode.HEALTHY


@app.command("incident", cls=Command, epilog=examples(
    "incident app1 -i hosts.yml", "incident app1 --since 2d -i hosts.yml",
))
@takes(servers=AnsibleOptions, terminal=TerminalOptions, kept=HistoryOptions)
def show_incident(
    context: typer.Context,
    host: Annotated[str, typer.Argument(metavar="HOST", help="A host of the inventory.")],
    servers: AnsibleOptions, terminal: TerminalOptions, kept: HistoryOptions,
    since: Since = "6h",
) -> int:
    """Write a page in Markdown of what happened to a host, from the history and its ledger."""
    return doctor(context, replace(servers, limit=host), terminal, kept,
                  lambda it: incident.show(it, host, seconds(since)))


def known(incomplete: str) -> list[str]:
    """Completion of a key or a code."""
    return [name for name in names() if name.lower().startswith(incomplete.lower())]


@app.command(cls=Command, epilog=examples(
    "explain wfserver.hung", "explain XSV-350008", "explain 'deadlock detected'", "explain unproved",
))
def explain(
    key: Annotated[str, typer.Argument(
        metavar="WORD", help="Key of a finding, code or words of a log line, remedy, guard, module,"
                             " verdict or exit code.",
        autocompletion=known,
    )],
) -> None:
    """Explain a finding, an error code, a remedy or another word of a report."""
    explanation.show(consoles()[0], key)


@app.command(cls=Command, epilog=examples(
    "replay app1.json", "replay app1.json app2.json --format html -o out",
))
@takes(shown=OutputOptions, terminal=TerminalOptions, kept=HistoryOptions)
def replay(
    context: typer.Context,
    snapshots: Annotated[list[Path], typer.Argument(
        metavar="SNAPSHOT...", help="Saved snapshots; each host is named after its file.",
    )],
    shown: OutputOptions, terminal: TerminalOptions, kept: HistoryOptions,
) -> int:
    """Diagnose saved snapshots with today's rules. No server is needed."""
    return doctor(context, AnsibleOptions(), terminal, kept, lambda it: it.replay(snapshots, shown))


def main() -> None:
    """The command. Any failure before a run is exit code 5: it did not run."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # not every terminal has every sign
            stream.reconfigure(errors="replace")
    sys.exit(call())


def call() -> int:
    """The exit code."""
    try:
        return int(app(standalone_mode=False) or 0)
    except TyperException as error:
        rich_format_error(error)  # type: ignore[arg-type]
        return ExitCode.NOT_RUN
    except (DoctorError, InvalidReport, Unknown, UnknownRun) as error:
        warn(str(error))
        return ExitCode.NOT_RUN
    except (typer.Abort, KeyboardInterrupt):
        warn("Interrupted. Nothing was changed.")
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        with suppress(OSError):  # the reader of our output has ended
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.NOT_RUN
    except Exception:
        traceback.print_exc()
        warn("Internal error (please report it). The operation may be incomplete.")
        return ExitCode.NOT_RUN

