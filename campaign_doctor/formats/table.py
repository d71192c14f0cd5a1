# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The report on a terminal: hosts by modules, root causes and what they explain, repairs, changes.

Each part is a renderable of rich; nothing in them depends on colour alone. Text that comes from a
host is never read as markup and holds no control characters. Commands are longer than a line: print
with `show`, which does not crop them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.segment import Segment
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from .. import words
from ..model import Action, Change, Changes, Finding, Host, Report, Severity, Step

# In the order in which modules are started.
MODULES = (
    "watchdog", "syslogd", "stat", "mta", "web", "trackinglogd", "tracking", "inMail", "wfserver",
    "export", "import",
)
# Beyond so many hosts the healthy ones share a line.
HOSTS_APART = 20
CAUSES_IN_FULL = 25
EFFECTS_IN_FULL = 15

VERDICTS = {
    "down": ("\N{MULTIPLICATION SIGN}", "bold red"),
    "degraded": ("!", "yellow"),
    "unknown": ("?", "yellow"),
    "healthy": ("\N{CHECK MARK}", "green"),
    "not_expected": ("-", "dim"),
}
STATUSES = {"unreachable": "unreachable", "failed": "not diagnosed", "not_installed": "no Campaign"}
SEVERITIES = {Severity.CRITICAL: "bold red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}
# What did not work comes first.
RESULTS = {
    "not_repaired": "bold red", "refused": "yellow", "unproved": "yellow", "repaired": "green",
    "done": "green", "skipped": "dim",
}
LEFT = {
    "as_before": "Left as it was found.", "changed": "Left otherwise than it was found.",
    "unknown": "The state afterwards could not be seen.",
}
CHANGES = {"new": "bold red", "worse": "bold red", "better": "green", "gone": "green",
           "unseen": "yellow"}
HOST_CHANGES = {
    "appeared": "not in that run: ", "vanished": "not in this run: ",
    "lost": "no diagnosis now: ", "back": "diagnosed again: ",
}


def show(console: Console, part: RenderableType) -> None:
    """Print a part; what is there to be copied stays whole."""
    console.print(part, crop=False, highlight=False)


def render(report: Report) -> RenderableType:
    """All of it, what matters most at the end, where the eye is."""
    serious = [cause for cause in causes(report) if cause.finding.severity is not Severity.INFO]
    notes = [cause for cause in causes(report) if cause.finding.severity is Severity.INFO]
    parts: list[RenderableType] = [hosts(report)]
    if notes:
        parts += [heading("Notes"), *(note(cause) for cause in notes[:CAUSES_IN_FULL])]
        parts += more(len(notes) - CAUSES_IN_FULL)
    if any(host.unseen for host in report.hosts):
        parts += [heading("Could not be looked at"), *unseen(report)]
    if serious:
        parts.append(heading("Root causes"))
        for number, cause in enumerate(serious[:CAUSES_IN_FULL], 1):
            parts.append(in_full(number, cause))
        parts += more(len(serious) - CAUSES_IN_FULL)
    if any(host.actions for host in report.hosts):
        parts += [heading("Repairs"), actions(report)]
    elif any(host.plan for host in report.hosts):
        parts += [heading("Plan"), plan(report)]
    if report.changes is not None:
        since = words.moment(report.changes.since.finished)
        parts += [heading(f"Changes since {since}"), changes(report.changes)]
    return Group(*parts, Text(), summary(report))


class Indented:
    """Parts some columns to the right, without blanks after them; commands go beyond the edge."""

    def __init__(self, columns: int, *parts: RenderableType) -> None:
        self.columns = columns
        self.parts = parts

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        room = options.update(width=max(20, options.max_width - self.columns))
        for part in self.parts:
            for line in console.render_lines(part, room, pad=False) if not _is_whole(part) \
                    else [list(console.render(part, options.update(width=10_000)))[:-1]]:
                yield Segment(" " * self.columns)
                yield from line
                yield Segment.line()


def _is_whole(part: RenderableType) -> bool:
    return isinstance(part, Text) and bool(part.no_wrap)


def heading(text: str) -> Text:
    """A heading with room above it."""
    return Text(f"\n{text}", style="bold")


def plain(text: object, style: str = "") -> Text:
    """Text as it is."""
    return Text(words.clean(text), style=style)


def more(count: int) -> list[Text]:
    """How many are left out, if any."""
    return [Text(f"\N{HORIZONTAL ELLIPSIS} and {count} more in the report", style="dim")] \
        if count > 0 else []


def hosts(report: Report) -> RenderableType:
    """Hosts by modules where there is room, else each host's modules by verdict."""
    return _Hosts(report)


class _Hosts:
    """Decides by the width that it is printed with."""

    def __init__(self, report: Report) -> None:
        found = {module.module for host in report.hosts for module in host.modules}
        self.columns = [name for name in MODULES if name in found]
        self.columns += sorted(found.difference(MODULES))
        apart = len(report.hosts) <= HOSTS_APART
        self.hosts = [host for host in report.hosts if apart or host.verdict != "healthy"]
        self.healthy = len(report.hosts) - len(self.hosts)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not self.hosts and not self.healthy:
            yield Text("No host in this run.", style="yellow")
            return
        grid = self._matrix()
        fits = grid.__rich_measure__(console, options.update(width=1000)).minimum
        yield grid if fits <= options.max_width else self._list()
        if self.healthy:
            yield Text(f"and {self.healthy} healthy hosts", style="green")
        signs = [f"{sign} {verdict.replace('_', ' ')}" for verdict, (sign, _) in VERDICTS.items()]
        yield Text("  ".join(signs), style="dim")

    def _matrix(self) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
        table.add_column("Host", overflow="fold", min_width=8, max_width=30)
        table.add_column("", no_wrap=True)
        table.add_column("Score", justify="right", no_wrap=True)
        for name in self.columns:
            table.add_column(name, no_wrap=True)
        for host in self.hosts:
            told = host.error if host.status != "diagnosed" else None
            cells = [_cell(host, name) for name in self.columns]
            table.add_row(plain(host.name), _word(host), _score(host), *cells)
            if told:
                table.add_row("", plain(f"  {told}", "dim"))
        return table

    def _list(self) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), show_header=False)
        table.add_column(overflow="fold", max_width=30)
        table.add_column(no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
        table.add_column(overflow="fold")
        for host in self.hosts:
            text = plain(host.error) if host.status != "diagnosed" else _by_verdict(host)
            table.add_row(plain(host.name), _word(host), _score(host), text)
        return table


def _word(host: Host) -> Text:
    if host.status != "diagnosed":
        style = "dim" if host.status == "not_installed" else "bold red"
        return Text(STATUSES.get(host.status, host.status), style=style)
    sign, style = VERDICTS.get(host.verdict, ("", ""))
    return Text(f"{sign} {host.verdict}", style=style)


def _score(host: Host) -> Text:
    return Text("" if host.score is None else f"{host.score} {host.grade or ''}".rstrip())


def _own_instances(host: Host) -> set[str]:
    return {instance for instance in host.instances if instance != "default"}


def _cell(host: Host, name: str) -> Text:
    several = len(_own_instances(host)) > 1
    lines = []
    for module in (module for module in host.modules if module.module == name):
        sign, style = VERDICTS.get(module.verdict, (module.verdict, ""))
        named = several and module.instance != "default"
        lines.append(plain(f"{sign} {module.instance}" if named else sign, style))
    return Text("\n").join(lines)


def _by_verdict(host: Host) -> Text:
    several = len(_own_instances(host)) > 1
    parts = []
    for verdict, (sign, style) in VERDICTS.items():
        named = [module.label if several else module.module
                 for module in host.modules if module.verdict == verdict]
        if named and verdict != "not_expected":
            told = ", ".join(named) if verdict != "healthy" else f"{len(named)} healthy"
            parts.append(plain(f"{sign} {told}", style))
    return Text("  ").join(parts) if parts else Text("no module is expected here", style="dim")


class Cause(NamedTuple):
    """Root causes that are the same on one or more hosts."""

    finding: Finding  # of the first host
    hosts: list[str]
    effects: list[tuple[str, Finding]]


def causes(report: Report) -> list[Cause]:
    """The root causes, the gravest first; the same one on several hosts is one."""
    found: dict[str, Cause] = {}
    for root in report.roots:
        cause = found.setdefault(root.id, Cause(report.finding(root), [], []))
        cause.hosts.append(root.host)
        for node in root.explains:
            effect = (node.host, report.finding(node))
            if effect not in cause.effects:
                cause.effects.append(effect)
    return list(found.values())


def in_full(number: int, cause: Cause) -> RenderableType:
    """A root cause with its evidence, its fix and what it explains."""
    finding = cause.finding
    style = SEVERITIES[finding.severity]
    head = Text.assemble(
        (f"{number}. ", "bold"), (finding.severity.value.upper(), style), " ",
        (words.clean(f"{_where(cause.hosts)} {finding.label}: {finding.title}"), "bold"),
    )
    parts: list[RenderableType] = []
    if finding.summary:
        parts.append(plain(finding.summary))
    if len(cause.hosts) > 1:
        parts.append(plain(f"on {', '.join(cause.hosts)}", "dim"))
    facts = " \N{MIDDLE DOT} ".join(f"{name} {value}" for name, value in _facts(finding))
    if facts:
        parts.append(plain(facts, "dim"))
    if finding.fix:
        where = cause.hosts[0] if len(cause.hosts) == 1 else f"each; here for {cause.hosts[0]}"
        parts.append(plain(f"Fix, on {where}:", "green"))
        parts += [whole(f"  {line}") for line in finding.fix.splitlines()]
    if finding.reason:
        parts.append(plain(f"By hand: {finding.reason}"))
    if cause.effects:
        parts.append(_tree(cause))
    parts.append(whole(f"{finding.key}  {finding.source or ''}".rstrip(), "dim"))
    return Group(Text(), head, Indented(3, *parts))


def whole(text: str, style: str = "") -> Text:
    """A line that is not wrapped: it is there to be copied."""
    return Text(words.clean(text), style=style, no_wrap=True, overflow="ignore")


def _facts(finding: Finding) -> list[tuple[str, str]]:
    return words.facts(finding.evidence)


def _where(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{len(names)} hosts"


def _tree(cause: Cause) -> Tree:
    """What it explains, each below what explains it."""
    tree = Tree(Text("explains", style="dim"), guide_style="dim")
    place = {f"{host}:{cause.finding.id}": tree for host in cause.hosts}
    waiting = list(cause.effects[:EFFECTS_IN_FULL])
    while waiting:
        left = []
        for host, finding in waiting:
            ids = [*(f"{host}:{cause}" for cause in finding.caused_by_ids), *finding.caused_by_ids]
            above = next((place[each] for each in ids if each in place), None)
            if above is None:
                left.append((host, finding))
                continue
            where = "" if cause.hosts == [host] else f"{host} "
            text = plain(f"{where}{finding.label}: {finding.title}", SEVERITIES[finding.severity])
            place[f"{host}:{finding.id}"] = above.add(text)
        if len(left) == len(waiting):
            # Whatever explains them is not shown.
            for host, finding in left:
                tree.add(plain(f"{host} {finding.label}: {finding.title}"))
            break
        waiting = left
    for text in more(len(cause.effects) - EFFECTS_IN_FULL):
        tree.add(text)
    return tree


def note(cause: Cause) -> RenderableType:
    """A remark, in a line."""
    finding = cause.finding
    text = f"{_where(cause.hosts)} {finding.label}: {finding.summary or finding.title}"
    return plain(text, SEVERITIES[Severity.INFO])


def unseen(report: Report) -> Iterator[Text]:
    """The probes that failed, what is the same on several hosts once."""
    groups: dict[str, list[str]] = {}
    for host in report.hosts:
        for probe in host.unseen:
            text = f"{probe.probe}: {probe.message or probe.kind}"
            groups.setdefault(text, []).append(host.name)
    for text, names in list(groups.items())[:CAUSES_IN_FULL]:
        yield plain(f"{_where(names)} {text}", "yellow")
    yield from more(len(groups) - CAUSES_IN_FULL)


def actions(report: Report) -> RenderableType:
    """What was done, with the state before and after."""
    parts: list[RenderableType] = []
    order = list(RESULTS)
    done = [(host, action) for host in report.hosts for action in host.actions]
    done.sort(key=lambda each: order.index(each[1].result) if each[1].result in order else 0)
    for host, action in done:
        parts.append(_action(host, action))
    return Group(*parts)


def _action(host: Host, action: Action) -> RenderableType:
    style = RESULTS.get(action.result, "")
    took = "" if action.seconds is None else f", {action.seconds:.1f} s"
    subject = f" {action.subject}" if action.subject else ""
    title = f" {host.name} {action.label}: {action.rung or action.remedy}{subject}{took}"
    head = Text.assemble((action.result.replace("_", " "), style), words.clean(title))
    parts: list[RenderableType] = []
    if action.reason:
        parts.append(plain(action.reason))
    for command in words.commands({"command": action.command}):
        parts.append(whole(f"$ {command}"))
    before, after = words.facts(action.before), words.facts(action.after)
    if before or after:
        parts.append(_before_and_after(dict(before), dict(after)))
    if action.result == "not_repaired" and action.left in LEFT:
        parts.append(Text(LEFT[action.left], style="bold red"))
    return Group(head, Indented(4, *parts))


def _before_and_after(before: dict[str, str], after: dict[str, str]) -> RenderableType:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), show_header=False)
    for name in dict.fromkeys([*before, *after]):
        was, now = before.get(name, ""), after.get(name, "")
        if was != now:
            arrow = "\N{RIGHTWARDS ARROW}"
            table.add_row(plain(name, "dim"), plain(was), arrow, plain(now))
    return table


def plan(report: Report) -> RenderableType:
    """What would be done, on which host, and what it cuts off."""
    groups: dict[str, tuple[Step, list[str]]] = {}
    for host in report.hosts:
        for step in host.plan:
            told = repr((step.module, step.instance, step.subject, step.title, step.command))
            groups.setdefault(told, (step, []))[1].append(host.name)
    parts: list[RenderableType] = []
    for number, (step, names) in enumerate(groups.values(), 1):
        title = words.clean(f"{_where(names)} {step.label}: {step.title}")
        below: list[RenderableType] = []
        if len(names) > 1:
            below.append(plain(f"on {', '.join(names)}", "dim"))
        below.append(plain(f"for {', '.join(step.keys)}", "dim"))
        below += [whole(f"$ {line}") for line in words.commands({"command": step.command})]
        if step.cancels:
            below.append(plain(f"cuts off: {step.cancels}", "yellow"))
        if step.not_after:
            below.append(plain(f"not after {words.moment(step.not_after)}", "dim"))
        parts += [Text.assemble((f"{number}. ", "bold"), (title, "bold")),
                  Indented(3, *below)]
    return Group(*parts)


def changes(found: Changes) -> RenderableType:
    """What is otherwise than at an earlier run."""
    parts: list[RenderableType] = []
    for kind, text in HOST_CHANGES.items():
        names = getattr(found.hosts, kind)
        if names:
            parts.append(plain(f"{text}{', '.join(names)}", "yellow"))
    for kind, style in CHANGES.items():
        entries: list[Change] = getattr(found, kind)
        for change in entries[:CAUSES_IN_FULL]:
            was = f" (was {change.was.severity.value})" if change.was else ""
            line = words.clean(f" {change.host} {change.label}: {change.title}{was}")
            parts.append(Text.assemble((f"{kind:<6}", style), line))
        parts += more(len(entries) - CAUSES_IN_FULL)
    return Group(*parts) if parts else Text("none", style="dim")


def summary(report: Report) -> Text:
    """The numbers, for whoever reads only the end."""
    counts = report.summary
    kinds = {
        "healthy": counts.healthy, "degraded": counts.degraded, "down": counts.down,
        "unknown": counts.unknown, "unreachable": counts.unreachable,
        "not diagnosed": counts.failed, "without Campaign": counts.not_installed,
    }
    told = ", ".join(f"{count} {kind}" for kind, count in kinds.items() if count)
    problems = [_counted(counts.critical, "critical finding"), _counted(counts.warning, "warning"),
                _counted(counts.roots, "root cause")]
    problems += [
        f"{count} {word}" for word, count in (
            ("repaired", counts.repaired), ("done", counts.done), ("not proved", counts.unproved),
            ("not repaired", counts.not_repaired), ("refused", counts.refused),
        ) if count
    ]
    style = "green"
    if counts.critical or counts.down or counts.not_repaired:
        style = "bold red"
    elif counts.healthy < counts.hosts or counts.warning:
        style = "yellow"
    head = f"{_counted(counts.hosts, 'host')}: {told or 'nothing diagnosed'}"
    return Text(f"{head}; {', '.join(problems)}.", style=style)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun if count == 1 else f'{noun}s'}"


def as_text(report: Report, width: int = 100, *, colour: bool = False) -> str:
    """The same as text, for a file."""
    console = Console(
        width=width, force_terminal=colour, color_system="standard" if colour else None,
        highlight=False,
    )
    with console.capture() as captured:
        show(console, render(report))
    return captured.get()


