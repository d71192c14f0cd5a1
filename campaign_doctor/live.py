# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Live progress of a run: a table that fills in, or lines without a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from .formats.table import VERDICTS
from .modules import columns
from .progress import Host, Progress
from .runner import Event, plain

WIDE_COLUMNS = 120
NAME_COLUMNS = 24
VERDICT_COLUMNS = 10
RESULT_COLUMNS = VERDICT_COLUMNS + len("Score") + 2  # with a blank behind each
SAID_COLUMNS = 20  # columns kept free after the modules, if there are as many
CHROME_LINES = 7  # title, head of the table, its rules, legend
GRACE_SECONDS = 2.0
NEWS_SECONDS = 15.0  # without a terminal: how often pending hosts are listed


class Quiet:
    """Shows only what must be shown."""

    def __init__(
        self,
        console: Console,
        *,
        verbose: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.console = console
        self.verbose = verbose
        self.progress = Progress()
        self.clock = clock
        self.began = clock()

    def __enter__(self) -> Quiet:
        return self

    def __exit__(self, *_error: object) -> None:
        return None

    def event(self, event: Event) -> None:
        """Take notice of an event."""
        if self.verbose:
            ansible_output(self.console, event)
        host = self.progress.event(event, self.clock())
        if host is not None:
            self.news(host)

    def play_started(self, hosts: list[str], wait: Mapping[str, float | None]) -> None:
        """Take notice of the hosts."""
        self.progress.play_started(hosts, wait)

    def news(self, host: Host) -> None:
        """Something happened on a host that the operator should see."""

    def tick(self) -> None:
        """Time has passed."""

    def stopping(self) -> None:
        """Say what a first Ctrl-C does to a repair."""
        busy = self.progress.changing
        what = (
            f"{', '.join(busy)} {'finishes' if len(busy) == 1 else 'finish'} the current step"
            if busy else "what is being checked is finished"
        )
        self.console.print(
            f"Stopping: {what}, nothing else is started. Ctrl-C again kills the run and leaves "
            "the state unknown.",
            markup=False, highlight=False,
        )


class Lines(Quiet):
    """Without a terminal: a line for each host with its result, and from time to time the pending hosts."""

    def __init__(self, console: Console, **options: Any) -> None:
        super().__init__(console, **options)
        self.told_at = self.began
        self.fresh: list[Host] = []

    def news(self, host: Host) -> None:
        # Its present state is shown at the next tick, which knows the settling times; more may
        # happen before that.
        self.fresh.append(replace(host))

    def __exit__(self, *_error: object) -> None:
        self.tick()

    def tick(self) -> None:
        now = self.clock()
        waiting = []
        for host in self.fresh:
            if self.incomplete(host, now):
                waiting.append(host)
                continue
            if said := self.said(host, now):
                self.line(f"{host.name}: {said}")
            self.told_at = now
        self.fresh = waiting
        if now - self.told_at < NEWS_SECONDS:
            return
        self.told_at = now
        self.line(headline(self.progress, now, now - self.began))

    def incomplete(self, host: Host, now: float) -> bool:
        """Whether its settling time must still be shown: it arrives shortly after the event."""
        return (
            host.settles and host.name not in self.progress.settle
            and now - host.since < GRACE_SECONDS
        )

    def said(self, host: Host, now: float) -> str:
        """What is news of a host."""
        if not host.changing:
            return result(host)
        step = f"step {host.step} of {len(host.steps)}, {host.title}" if host.title else ""
        doing = activity(host, self.progress, now, seconds=False)
        return ": ".join(part for part in (step, doing) if part)

    def line(self, text: str) -> None:
        """One line with the time."""
        self.console.print(
            f"{time.strftime('%H:%M:%S')} {text}", markup=False, highlight=False, soft_wrap=True
        )


class LiveTable(Quiet):
    """On a terminal: hosts by modules, in place, gone when the run has ended."""

    def __init__(self, console: Console, **options: Any) -> None:
        super().__init__(console, **options)
        self.live = Live(
            console=console, get_renderable=self.render, refresh_per_second=5, transient=True
        )

    def __enter__(self) -> LiveTable:
        self.live.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.live.stop()

    def render(self) -> RenderableType:
        """The whole picture, not higher than the terminal."""
        now = self.clock()
        hosts = list(self.progress.hosts.values())
        busy = [host for host in self.progress.pending if host.changing]
        wide = self.console.width >= WIDE_COLUMNS
        heads = [name if wide else column for name, column in columns().items()]
        # The same columns as in the result, which takes its place; the score comes with the report.
        own = RESULT_COLUMNS if wide else 0
        rest = self.console.width - sum(len(head) + 1 for head in heads) - own
        widest = max((len(host.name) for host in hosts), default=4)
        names = max(min(8, widest), min(NAME_COLUMNS, widest, rest - SAID_COLUMNS), 4)
        room = max(3, self.console.height - CHROME_LINES - min(len(busy), 5))
        table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
        table.add_column("Host", no_wrap=True, width=names, overflow="ellipsis")
        if wide:
            table.add_column("", no_wrap=True, width=VERDICT_COLUMNS)
            table.add_column("Score", justify="right", no_wrap=True)
        for head in heads:
            table.add_column(head, no_wrap=True, min_width=len(head))
        table.add_column("", no_wrap=True, overflow="ellipsis", width=max(1, rest - names - 1))
        shown = sorted(hosts, key=_interest)[:room]
        for host in shown:
            verdict = [_word(host), Text()] if wide else []
            table.add_row(Text(host.name), *verdict, *_cells(host), _said(host, self.progress, now))
        parts: list[RenderableType] = [
            Text(headline(self.progress, now, now - self.began), style="bold", no_wrap=True,
                 overflow="ellipsis"),
            table,
        ]
        if len(hosts) > len(shown):
            parts.append(Text(_others(hosts, shown), style="dim"))
        for host in busy[:5]:
            words = f"{host.name} {host.step}/{len(host.steps)} {host.title}" if host.title else \
                host.name
            doing = activity(host, self.progress, now)
            parts.append(Text.assemble((words, "bold"), f": {doing}" if doing else ""))
        parts.append(_legend())
        return Group(*parts)


def headline(progress: Progress, now: float, seconds: float) -> str:
    """How many hosts are done, which are pending and for how long."""
    hosts = len(progress.hosts)
    if not hosts:
        return f"Starting, {clock_time(seconds)}"
    noun = "host" if hosts == 1 else "hosts"
    parts = [
        f"{progress.play or 'Run'}: {progress.count('diagnosed', 'failed', 'unreachable')}"
        f" of {hosts} {noun}"
    ]
    done, steps = progress.steps
    if progress.changing:
        parts = [f"{progress.play}: {done} of {steps} {'step' if steps == 1 else 'steps'} done"]
    unreachable, failed = progress.count("unreachable"), progress.count("failed")
    parts += [f"{unreachable} unreachable"] if unreachable else []
    parts += [f"{failed} without a diagnosis"] if failed else []
    parts.append(clock_time(seconds))
    pending = [host for host in progress.pending if not host.changing]
    if pending:
        names = [f"{host.name} {now - host.since:.0f} s" for host in pending[:3]]
        more = ", …" if len(pending) > 3 else ""
        parts.append(f"{len(pending)} pending: {', '.join(names)}{more}")
    return " · ".join(parts)


def activity(host: Host, progress: Progress, now: float, *, seconds: bool = True) -> str:
    """The current action on a host, for how long, and the end of a settling time."""
    if not host.doing:
        return ""
    spent = max(0.0, now - host.since)
    words = host.doing
    if host.settles and host.name in progress.settle:
        words += f", then it must stay up for {progress.settle[host.name]:.0f} s"
    return f"{words} · {spent:.0f} s" if seconds else words


def result(host: Host) -> str:
    """What was found on a host, in words."""
    if host.state == "unreachable":
        return f"unreachable: {host.message}"
    if host.state == "failed":
        return f"no diagnosis: {host.message}"
    if host.state != "diagnosed":
        return ""
    counts = [f"{host.critical} critical"] if host.critical else []
    counts += [f"{host.warnings} warning{'s' if host.warnings != 1 else ''}"] if host.warnings \
        else []
    return ", ".join([host.worst or "no module", *counts])


def clock_time(seconds: float) -> str:
    """Minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def ansible_output(console: Console, event: Event) -> None:
    """Ansible's own words, for -v."""
    text = event.get("stdout")
    if not text:
        return
    if console.is_terminal:
        console.print(Text.from_ansi(text.replace("\r", "")), soft_wrap=True)
    else:
        console.print(plain(text), markup=False, highlight=False, soft_wrap=True)


def _interest(host: Host) -> tuple[int, float]:
    """Which rows a small terminal shows: hosts being changed, problems, the longest pending."""
    if host.changing:
        return 0, host.since
    if host.state in ("unreachable", "failed"):
        return 1, 0.0
    if host.state == "pending":
        return 2, host.since
    if host.worst in ("down", "degraded", "unknown"):
        return 3, float(("down", "degraded", "unknown").index(host.worst))
    return (4, 0.0) if host.state == "diagnosed" else (5, 0.0)


def _cells(host: Host) -> Iterable[Text]:
    for module in columns():
        sign, style = VERDICTS.get(host.verdict(module) or "", ("", ""))
        yield Text(sign, style=style)


def _word(host: Host) -> Text:
    if host.state != "diagnosed":
        return Text()
    sign, style = VERDICTS.get(host.worst or "", ("", ""))
    if host.worst == "degraded" and host.critical:
        style = "red"
    return Text(f"{sign} {host.worst or ''}".strip(), style=style)


def _said(host: Host, progress: Progress, now: float) -> Text:
    if host.changing:
        return Text(f"repair {host.step}/{len(host.steps)}", style="cyan")
    if host.doing:
        return Text(activity(host, progress, now), style="cyan")
    if host.state == "waiting":
        return Text("waiting", style="dim")
    style = {"down": "red", "degraded": "red" if host.critical else "yellow"}.get(
        host.worst or "", ""
    )
    return Text(result(host), style="red" if host.state != "diagnosed" else style)


def _others(hosts: list[Host], shown: list[Host]) -> str:
    names = {host.name for host in shown}
    counts: dict[str, int] = {}
    for host in hosts:
        if host.name not in names:
            word = host.state if host.state != "diagnosed" else host.worst or "diagnosed"
            counts[word] = counts.get(word, 0) + 1
    words = ", ".join(f"{count} {word}" for word, count in counts.items())
    return f"… and {len(hosts) - len(shown)} more: {words}"


def _legend() -> Text:
    text = Text("")
    for verdict, (sign, style) in VERDICTS.items():
        text.append(sign, style=style)
        text.append(f" {verdict.replace('_', ' ')}   ", style="dim")
    return text


def watcher(console: Console, *, quiet: bool, verbose: bool) -> Quiet:
    """The one that fits the terminal and the options."""
    draws = console.is_terminal and not console.is_dumb_terminal
    kind = Quiet if quiet else LiveTable if draws else Lines
    return kind(console, verbose=verbose)
