# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the commands do: run the playbooks, show the results, and set the exit code."""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from . import baseline, changes_view, hints, live, outcome, plan_view, questions, saved_plan
from .configuration import seconds
from .errors import DoctorError
from .files import PRIVATE, write_whole
from .formats import FILES, RENDERERS, nagios, table
from .history import History, compare
from .interrupts import Interrupts
from .model import InvalidReport, Report
from .notify.notifier import Ending, Notifier
from .options import AnsibleOptions, HistoryOptions, OutputOptions, TerminalOptions
from .outcome import ExitCode
from .reasons import reason
from .runner import BECOME_PROMPT, VAULT_PROMPT, Access, Ended, PlaybookRun, run
from .service import Manager
from .shared import openmetrics, words

Decide = Callable[[Report], ExitCode]


@dataclass
class Result:
    """A run that is over. `folder` holds what the playbook wrote, while the command lasts."""

    code: ExitCode
    report: Report | None
    ended: Ended


class Doctor:
    """One command: its servers, its terminal and its private directory."""

    def __init__(
        self,
        servers: AnsibleOptions,
        terminal: TerminalOptions,
        kept: HistoryOptions,
        *,
        variables: Mapping[str, Any],
        private: Path,
        interrupts: Interrupts,
        out: Console,
        err: Console,
        config: Path | None = None,
        notifier: Notifier | None = None,
    ) -> None:
        self.servers = servers
        self.config = config
        self.notifier = notifier
        self.terminal = terminal
        self.kept = kept
        self.private = private
        self.interrupts = interrupts
        self.out = out
        self.err = err
        self._warned: list[str] = []
        self._scope = ""
        self.history = History(kept.history, self.say)
        self.access = Access(
            inventory=tuple(servers.inventory),
            limit=servers.limit,
            forks=servers.forks,
            variables=variables,
            extra=tuple(servers.extra_vars),
            vault_ids=tuple(servers.vault_id),
            vault_password_files=tuple(servers.vault_password_file),
            become_password_file=servers.become_password_file,
            passwords=self._passwords(),
            verbosity=max(0, terminal.verbose - 1),
            colour=err.is_terminal,
        )

    # -- Commands -----------------------------------------------------------------------------

    def diagnose(self, scope: Mapping[str, Any], shown: OutputOptions) -> int:
        """Find out what is wrong."""
        playbook_run = PlaybookRun("diagnose", {**self._scoped(scope), **self._previous()})
        return self._finish("diagnose", self.perform(playbook_run, outcome.of_diagnosis), shown)

    def plan(self, scope: Mapping[str, Any], save: Path | None, shown: OutputOptions) -> int:
        """Say what a remediation would do, and save it."""
        draft = self.private / "plan.json"
        playbook_run = PlaybookRun("remediate", {
            **self._scoped(scope), **self._previous(), "campaign_plan_only": True,
            "campaign_plan_write": str(draft),
        })
        result = self.perform(playbook_run, outcome.of_diagnosis)
        code = self._finish("plan", result, shown)
        if save is not None and draft.is_file():
            try:
                write_whole(save, draft.read_bytes())
            except OSError as error:
                self.say(f"The plan cannot be saved as {save}: {error.strerror or error}.",
                         style="bold red")
                return max(code, ExitCode.NOT_RUN)
            words = [f"--{key.removeprefix('campaign_').rstrip('s')}={value}"
                     for key, values in scope.items() for value in values]
            apply = self.command("remediate", "--plan", str(save), *words)
            self.say(f"Plan saved: {save}. Apply it with: {apply}")
        return code

    def remediate(
        self,
        scope: Mapping[str, Any],
        plan: Path | None,
        shown: OutputOptions,
        *,
        yes: bool,
        check: bool,
    ) -> int:
        """Repair, after the operator has seen the plan and agreed."""
        # One answer covers all steps: nobody could answer Ansible's own prompt.
        variables = {**self._scoped(scope), **self._previous(), "campaign_ask": False}
        if plan is not None:
            variables["campaign_plan_file"] = str(self._agreed_to(plan))
        if check or yes:
            playbook_run = PlaybookRun("remediate", variables, check=check, changes=not check)
            command = "remediate --check" if check else "remediate"
            return self._finish(command, self.perform(playbook_run, outcome.of_diagnosis), shown)
        self.must_ask()
        draft = self.private / "plan.json"
        planning = {"campaign_plan_only": True, "campaign_plan_write": str(draft)}
        first = self.perform(PlaybookRun("remediate", {**variables, **planning}), outcome.of_diagnosis)
        if first.report is None or first.code is ExitCode.INTERRUPTED:
            return self._finish("remediate", first, shown)
        steps = plan_view.show(self.err, first.report, utc=shown.utc)
        if not steps:
            self.say("Nothing can be repaired automatically.")
            return self._finish("remediate", first, shown)
        if not self.agrees(f"Do {'this' if steps == 1 else f'these {steps} steps'}?"):
            self.say("Nothing was changed.")
            return first.code
        if plan is None:
            variables["campaign_plan_file"] = str(self._agreed_to(draft))
        playbook_run = PlaybookRun("remediate", variables, changes=True)
        return self._finish("remediate", self.perform(playbook_run, outcome.of_diagnosis), shown)

    def on_demand(
        self,
        playbook: str,
        command: str,
        variables: Mapping[str, Any],
        shown: OutputOptions,
        *,
        yes: bool,
        check: bool,
    ) -> int:
        """An on-demand action for one module or job, with its own playbook."""
        if not (check or yes):
            self.must_ask()
            first = self.perform(PlaybookRun(playbook, variables, check=True), outcome.of_on_demand)
            if first.report is None or first.code in (ExitCode.INTERRUPTED, ExitCode.NOT_RUN):
                return self._finish(command, first, shown)
            plan_view.show_order(self.err, first.report)
            if not self.agrees("Do this?"):
                self.say("Nothing was changed.")
                return ExitCode.NOT_RUN
        playbook_run = PlaybookRun(
            playbook, {**variables, **self._previous()}, check=check, changes=not check
        )
        command = f"{command} --check" if check else command
        return self._finish(command, self.perform(playbook_run, outcome.of_on_demand), shown)

    def replay(self, snapshots: list[Path], shown: OutputOptions) -> int:
        """Diagnose saved snapshots; no server is contacted."""
        for path in snapshots:
            if not path.is_file():
                raise DoctorError(f"{path} is not a file. Where is the snapshot?")
        names = [str(path.absolute()) for path in snapshots]
        local = replace(self.access, inventory=("localhost,",), limit=None)
        playbook_run = PlaybookRun("replay", {"campaign_snapshot_file": names})
        return self._finish(
            "replay", self.perform(playbook_run, outcome.of_diagnosis, local), shown, keep=False
        )

    def show(self, name: str, shown: OutputOptions) -> int:
        """A run of the history again, in any format."""
        kept = self.history.find(name)
        report = self.history.get(kept.number)
        variables = {"campaign_report_file": str(self._saved(report, "report"))}
        former = baseline.find(
            self.history, kept.inventory, kept.limit, kept.scope, before=kept.number
        )
        if former is not None:
            variables["campaign_report_previous"] = str(self._saved(former, "previous"))
        local = replace(self.access, inventory=("localhost,",), limit=None)
        result = self.perform(
            PlaybookRun("show_report", variables), outcome.of_diagnosis, local, progress=False
        )
        result.code = ExitCode(kept.exit_code)
        return self._finish("show", result, shown, keep=False)

    def watch(self, scope: Mapping[str, Any], every: str, shown: OutputOptions) -> int:
        """Diagnose repeatedly and show only changes, until interrupted."""
        variables = {**self._scoped(scope), **self._memory()}
        before, seen = self._last(), False
        dark: set[str] = set()  # what has been told is not told again
        manager = Manager()
        manager.tell("READY=1")
        while True:
            began = time.monotonic()
            manager.alive("diagnosing")
            result = self.perform(
                PlaybookRun("diagnose", variables), outcome.of_diagnosis, progress=False
            )
            if result.ended.stopped:
                break
            report = result.report
            if report is None:
                self._tell(f"no diagnosis: {reason(result.ended, self.access)} Trying again in"
                           f" {every}.")
            else:
                changes = compare(before, report) if before else None
                if changes is not None and seen:
                    changes = baseline.since_then(changes, dark, report)
                told = [] if seen else [changes_view.numbers(report)]
                told += changes_view.causes(report) if changes is None else \
                    changes_view.lines(changes)
                for line in told:
                    self._tell(line)
                seen = True
                self._notify(report, before)
                if changes is None or changes:
                    self._keep("watch", report, result.code)
                    self.history.remember(self._inventory(), report)
                if shown.output is not None:
                    self._deliver(result, report, replace(shown, format="openmetrics"))
                before = baseline.merged(before, report)
                dark = {host.name for host in report.hosts if host.status != "diagnosed"}
            manager.alive(changes_view.numbers(report) if report else "no diagnosis")
            if self._wait(max(0.0, seconds(every) - (time.monotonic() - began)), every):
                break
        manager.tell("STOPPING=1")
        self.say("Watching has ended.")
        return ExitCode.HEALTHY

    # -- Their parts --------------------------------------------------------------------------

    def perform(
        self,
        playbook_run: PlaybookRun,
        decide: Decide,
        access: Access | None = None,
        *,
        progress: bool = True,
    ) -> Result:
        """Run a playbook: show its progress, and report how it ended."""
        watcher = live.watcher(
            self.err,
            quiet=self.terminal.quiet or not progress,
            verbose=self.terminal.verbose > 0,
        )
        with watcher:
            ended = run(
                playbook_run, access or self.access, self.private, watcher, self.interrupts
            )
        for text in ended.warnings:
            if text not in self._warned:
                self._warned.append(text)
                self.say(f"Warning: {text}", style="yellow")
        report, fault = read_report(ended)
        if fault:
            ended.errors.append(fault)
        begun = watcher.progress.changed if playbook_run.changes else []
        code = outcome.of_run(ended, report, decide, changed=begun)
        if ended.stopped and not playbook_run.changes:
            self.say("Interrupted. Nothing was changed.")
        elif ended.stopped and not ended.killed:
            self.say("Interrupted: not everything was checked or done; the report says what was.")
        if playbook_run.changes and (ended.killed or report is None):
            unknown = watcher.progress.changing or begun
            if unknown:
                self.say(
                    f"{'Killed. ' if ended.killed else ''}State unknown: {', '.join(unknown)}. To"
                    f" see what was started there: {self.command('ledger', unknown[0])}. The next"
                    " remediate takes over the host and finishes it.", style="bold red",
                )
            elif ended.killed:
                self.say("Killed. No repair had started.")
        return Result(code, report, ended)

    def _finish(self, command: str, result: Result, shown: OutputOptions, *, keep: bool = True) -> int:
        """Show, write and keep the result of a run."""
        if result.report is None:
            why = reason(result.ended, self.access)
            if shown.format == "nagios":
                self.out.file.write(f"CAMPAIGN UNKNOWN - {why}\n")
                return int(nagios.State.UNKNOWN)
            if not result.ended.killed:  # then it has been said
                self.say(why, style="bold red")
            return int(result.code)
        if keep:  # first: the metrics count this run, too
            self.history.remember(self._inventory(), result.report)
        code = self._deliver(result, result.report, shown)
        if keep:
            if not result.ended.stopped:
                self._notify(result.report)
            self._keep(command, result.report, result.code)
        return code

    def _notify(self, report: Report, former: Report | None = None) -> None:
        """Tell the targets what they have not heard; `former` is the last complete run, by default
        that of the history.
        """
        if self.notifier is not None and self.notifier.targets:
            ended = Ending(
                report, former or self._last(), self._inventory(), self.servers.limit or "", self._scope
            )
            self.notifier.tell(ended, self.say, lambda: self.interrupts.count > 0)

    def _keep(self, command: str, report: Report, code: ExitCode) -> None:
        self.history.add(
            report.as_json(), command, int(code),
            inventory=self._inventory(), limit=self.servers.limit or "", who=who(),
            scope=self._scope,
        )
        self.history.prune(self.kept.history_days)

    def _inventory(self) -> str:
        return " ".join(
            name if "," in name else str(Path(name).absolute()) for name in self.servers.inventory
        )

    def _scoped(self, scope: Mapping[str, Any]) -> dict[str, Any]:
        """The variables of what is looked at; the history keeps what that was."""
        self._scope = json.dumps(scope, sort_keys=True) if scope else ""
        return dict(scope)

    def _last(self) -> Report | None:
        """What this run is compared with."""
        return baseline.find(
            self.history, self._inventory(), self.servers.limit or "", self._scope
        )

    def _previous(self) -> dict[str, str]:
        """For the playbooks: what the report is compared with."""
        last = self._last()
        if last is None:
            return self._memory()
        return {**self._memory(), "campaign_report_previous": str(self._saved(last, "previous"))}

    def _memory(self) -> dict[str, str]:
        """For the playbooks: where it is kept how long muted findings are gone, unless the site says so."""
        name = hashlib.sha256(self._inventory().encode()).hexdigest()[:12]
        return {"_campaign_mute_memory": str(self.kept.history.parent / f"mutes-{name}.json")}

    def _saved(self, report: Report, name: str) -> Path:
        path = self.private / f"{name}.json"
        path.write_text(json.dumps(report.as_json()), encoding="utf-8")
        return path

    def _agreed_to(self, plan: Path) -> Path:
        """A copy of the plan in which no step asks again."""
        content = saved_plan.read(plan, _asking_nothing)
        copy = self.private / "agreed.json"
        copy.write_text(json.dumps(content), encoding="utf-8")
        return copy

    def _passwords(self) -> dict[str, str]:
        """The passwords that Ansible needs; the operator is asked before anything is shown."""
        asked: dict[str, str] = {}
        wanted = {
            BECOME_PROMPT: (self.servers.ask_become_pass, "BECOME password: "),
            VAULT_PROMPT: (self.servers.ask_vault_pass, "Vault password: "),
        }
        for pattern, (ask, prompt) in wanted.items():
            if not ask:
                continue
            if not sys.stdin.isatty():
                raise DoctorError(
                    "There is no terminal to ask for a password: use --become-password-file or "
                    "--vault-password-file."
                )
            with self.interrupts.asking():
                asked[pattern] = getpass.getpass(prompt)
        return asked

    def must_ask(self) -> None:
        """Refuse if there is no terminal for the question."""
        if not sys.stdin.isatty():
            raise DoctorError(
                "There is no terminal to ask for confirmation, so nothing is changed. --yes agrees "
                "beforehand, --check only shows what would be done."
            )

    def agrees(self, question: str) -> bool:
        """Ask; anything but yes means no."""
        with self.interrupts.asking():
            return questions.agrees(self.err, question)

    def _tell(self, text: str) -> None:
        self.out.print(
            f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}", markup=False, highlight=False,
            soft_wrap=True,
        )
        self.out.file.flush()

    def _wait(self, rest: float, every: str) -> bool:
        """Wait for the next round; whether it was interrupted meanwhile."""
        if self.err.is_terminal and not self.terminal.quiet:
            with self.err.status(f"Next diagnosis in at most {every}; Ctrl-C ends this."):
                return self.interrupts.pause(rest)
        return self.interrupts.pause(rest)

    def command(self, *words: str) -> str:
        """A command of ours for the same servers, complete, to be copied."""
        return hints.command(self.servers, self.config, *words)

    def say(self, text: str, style: str = "") -> None:
        """Print a message, apart from the result."""
        self.err.print(text, style=style, markup=False, highlight=False, soft_wrap=True)

    def line(self, text: str, style: str = "") -> None:
        """Print lines of the result; what came from a host is made safe to show."""
        kept = "\n".join(words.clean(line) for line in text.split("\n"))
        self.out.print(Text(kept, style=style), soft_wrap=True)

    # -- What is delivered --------------------------------------------------------------------

    def _deliver(self, result: Result, report: Report, shown: OutputOptions) -> int:
        """Print the result in the format asked for, and write the files; the code after that."""
        code = result.code
        if shown.output is not None:
            try:
                self._write(result, report, shown)
            except OSError as error:
                self.say(
                    f"The report cannot be written to {shown.output}: {error.strerror or error}.",
                    style="bold red",
                )
                code = outcome.worst([code, ExitCode.NOT_RUN])
        if shown.format == "table":
            table.show(self.out, table.render(report, utc=shown.utc))
        elif shown.output is None or shown.format == "nagios":
            text = self._rendered(result, report, shown.format)
            self.out.file.write(text)
            self.out.file.flush()
        if shown.format == "nagios" and code is not ExitCode.INTERRUPTED:
            return int(nagios.state(report))
        return int(code)

    def _rendered(self, result: Result, report: Report, name: str) -> str:
        if name == "openmetrics":
            return openmetrics.render(report, self.history.memory(self._inventory()))
        if name in RENDERERS:
            return RENDERERS[name](report)
        if name == "table":
            return table.as_text(report)
        return (result.ended.folder / FILES[name]).read_text(encoding="utf-8")

    def _write(self, result: Result, report: Report, shown: OutputOptions) -> None:
        """All that the run wrote, evidence included, and the format asked for."""
        folder = shown.output
        assert folder is not None
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in sorted(result.ended.folder.rglob("*")):
            if path.is_file():
                write_whole(folder / path.relative_to(result.ended.folder), path.read_bytes())
        if shown.format in FILES and not (result.ended.folder / FILES[shown.format]).exists():
            mode = openmetrics.MODE if shown.format == "openmetrics" else PRIVATE
            text = self._rendered(result, report, shown.format)
            write_whole(folder / FILES[shown.format], text.encode(), mode)


def read_report(ended: Ended) -> tuple[Report | None, str | None]:
    """The report of a run (None if it wrote none), and why it cannot be read."""
    if not ended.report_file.exists():
        return None, None
    try:
        return Report.load(ended.report_file), None
    except InvalidReport as error:
        return None, str(error)


def who() -> str:
    """The person who called, behind sudo, too."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # an account without a name
        return str(os.getuid())


def _asking_nothing(plan: Any) -> Any:
    for host in plan["hosts"]:
        for step in host["steps"]:
            step["asks"] = False
    return plan
