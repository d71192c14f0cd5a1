# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The report on a terminal: hosts by modules, then the outline of the report, painted.

Each part is a renderable of rich; nothing in them depends on colour alone. Text that comes from a
host is never read as markup and holds no control characters. Commands are longer than a line: print
with `show`, which does not crop them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.segment import Segment
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from .. import modules, times
from ..model import Finding, Host, Report, Severity
from ..shared import outline, words

# Beyond so many hosts the healthy ones share a line.
HOSTS_LISTED = 20

VERDICTS = {
    "down": ("\N{MULTIPLICATION SIGN}", "bold red"),
    "degraded": ("!", "yellow"),
    "unknown": ("?", "yellow"),
    "healthy": ("\N{CHECK MARK}", "green"),
    "not_expected": ("-", "dim"),
}
STATUSES = {"unreachable": "unreachable", "failed": "not diagnosed", "not_installed": "no Campaign"}
# How the tones of the outline look.
STYLES = {
    "plain": "", "critical": "bold red", "warning": "yellow", "ok": "green", "muted": "dim",
    "info": "cyan",
}
# What matters most at the end, where the eye is.
RANKS = ("critical", "warning", "plain", "ok", "info", "muted")
ORDER = ("notes", "unseen", "causes", "repairs", "paused", "waves", "plan", "left", "changes")
NUMBERED = ("causes", "plan")
NAME_COLUMNS = 30
COLUMN = 10  # of the labels
MARKS = {"changes": 6}  # columns before the sentences, where they are aligned


def show(console: Console, part: RenderableType) -> None:
    """Print a part; lines that are meant to be copied are not wrapped."""
    console.print(part, crop=False, highlight=False)


def render(report: Report, *, utc: bool = False) -> RenderableType:
    """A cause outside the hosts, a line for each of the others, the hosts, then the details, with what
    matters most at the end, where the eye is. Times have the local one beside them, unless utc.
    """
    told = outline.sections(report)
    if not utc:
        told = {name: times.section(each) for name, each in told.items()}
    parts = [part for name in ORDER if name in told for part in section(told[name])]
    dark = outline.undiagnosed(report)
    errors = section(dark) if dark.entries else []
    first = [*section(told["storms"]), Text()] if "storms" in told else []
    return Group(*first, *brief(report), hosts(report), *errors, *parts, Text(), summary(report))


def brief(report: Report) -> list[RenderableType]:
    """A line for each cause, the worst first: how bad, which module, where, what."""
    found, _notes = outline.findings(report)
    entries = sorted(found.entries, key=lambda entry: RANKS.index(entry.tone))
    if not entries:
        return []
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), show_header=False)
    for width in (None, None, NAME_COLUMNS, None):
        table.add_column(overflow="fold", no_wrap=width is None, max_width=width)
    table.columns[-1].no_wrap = False
    for entry in entries[: found.limit]:
        if isinstance(entry.item, Finding):
            where = outline.some(entry.hosts, outline.ROOM_WITHIN)
            table.add_row(plain(entry.mark, STYLES[entry.tone]), plain(entry.item.label),
                          plain(where), plain(entry.item.title))
    return [table, *more(len(entries) - found.limit), Text()]


def section(told: outline.Section) -> list[RenderableType]:
    """A section with its heading."""
    return [heading(told.title), *entries(told)]


def entries(told: outline.Section) -> list[RenderableType]:
    """The content below a heading."""
    parts: list[RenderableType] = []
    for number, entry in enumerate(told.shown, 1):
        if told.name == "causes":
            parts.append(Text())
        parts += _entry(entry, number if told.name in NUMBERED else None, MARKS.get(told.name, 0))
    return [*parts, *more(told.left_out)]


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
        self.columns = [name for name in modules.names() if name in found]
        self.columns += sorted(found.difference(self.columns))
        listed = len(report.hosts) <= HOSTS_LISTED
        self.hosts = [host for host in report.hosts if listed or host.verdict != "healthy"]
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
        if not self.columns:
            return
        signs = [f"{sign} {verdict.replace('_', ' ')}" for verdict, (sign, _) in VERDICTS.items()]
        yield Text("  ".join(signs), style="dim")

    def _host_column(self, table: Table, heading: str) -> None:
        """Wide enough for the names, whatever the other columns want."""
        longest = max(len(words.clean(host.name)) for host in self.hosts)
        width = min(NAME_COLUMNS, max(4, longest))
        table.add_column(heading, overflow="fold", min_width=width, max_width=width)

    def _matrix(self) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
        self._host_column(table, "Host")
        table.add_column("", no_wrap=True)
        table.add_column("Score", justify="right", no_wrap=True)
        for name in self.columns:
            table.add_column(name, no_wrap=True)
        for host in self.hosts:
            cells = [_cell(host, name) for name in self.columns]
            table.add_row(plain(host.name), _word(host), _score(host), *cells)
        return table

    def _list(self) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), show_header=False)
        self._host_column(table, "")
        table.add_column(no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
        table.add_column(overflow="fold")
        for host in self.hosts:
            text = _by_verdict(host) if host.status == "diagnosed" else Text()
            table.add_row(plain(host.name), _word(host), _score(host), text)
        return table


def _word(host: Host) -> Text:
    if host.status != "diagnosed":
        style = "dim" if host.status == "not_installed" else "bold red"
        return Text(STATUSES.get(host.status, host.status), style=style)
    sign, style = VERDICTS.get(host.verdict, ("", ""))
    if host.verdict == "degraded" and _is_critical(host.findings):
        style = STYLES["critical"]  # its users cannot work: no yellow
    return Text(f"{sign} {host.verdict}", style=style)


def _is_critical(findings: Iterable[Finding]) -> bool:
    return any(finding.severity is Severity.CRITICAL for finding in findings)


def _score(host: Host) -> Text:
    return Text("" if host.score is None else f"{host.score} {host.grade or ''}".rstrip())


def _own_instances(host: Host) -> set[str]:
    return {instance for instance in host.instances if instance != "default"}


def _cell(host: Host, name: str) -> Text:
    several = len(_own_instances(host)) > 1
    lines = []
    for module in (module for module in host.modules if module.module == name):
        sign, style = VERDICTS.get(module.verdict, (module.verdict, ""))
        own = (each for each in host.findings if each.label == module.label)
        if module.verdict == "degraded" and _is_critical(own):
            style = STYLES["critical"]
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


def _entry(entry: outline.Entry, number: int | None, columns: int) -> list[RenderableType]:
    """A sentence, and its details below it."""
    style = STYLES[entry.tone]
    lead = "" if number is None else f"{number}. "
    bold = "bold" if entry.mark or lead else style
    mark = f"{entry.mark:<{columns}} " if entry.mark else ""
    head = Text.assemble((lead, "bold"), (mark, style), (words.clean(entry.head), bold))
    below = [part for detail in entry.body for part in _detail(detail)]
    if entry.effects:
        below.append(_tree(entry))
    if entry.before or entry.after:
        below.append(_before_and_after(dict(entry.before), dict(entry.after)))
    below += [part for detail in entry.foot for part in _detail(detail)]
    return [head, Indented(3, *below)] if below else [head]


def _detail(detail: outline.Detail) -> Iterator[RenderableType]:
    label = f"{detail.label:<{COLUMN}}" if detail.label else ""
    if label or detail.text:
        text = Text.assemble((label, "dim"), words.clean(detail.text))
        if detail.whole:
            text.no_wrap, text.overflow = True, "ignore"
        yield text
    for line in detail.lines:
        yield whole(f"  {line}", "green")


def whole(text: str, style: str = "") -> Text:
    """A line that is not wrapped, because it is meant to be copied."""
    return Text(words.clean(text), style=style, no_wrap=True, overflow="ignore")


def _tree(entry: outline.Entry) -> Tree:
    """Its effects, each below its cause."""
    tree = Tree(Text("Explains", style="dim"), guide_style="dim")
    root = entry.item.id if isinstance(entry.item, Finding) else ""
    place = {f"{host}:{root}": tree for host in entry.hosts}
    waiting = list(entry.effects[: outline.EXPLAINED_IN_FULL])
    while waiting:
        left = []
        for effect in waiting:
            ids = [*(f"{effect.host}:{cause}" for cause in effect.causes), *effect.causes]
            above = next((place[each] for each in ids if each in place), None)
            if above is None:
                left.append(effect)
                continue
            text = plain(effect.text, STYLES[effect.tone])
            place[f"{effect.host}:{effect.id}"] = above.add(text)
        if len(left) == len(waiting):
            # Whatever explains them is not shown.
            for effect in left:
                tree.add(plain(effect.text, STYLES[effect.tone]))
            break
        waiting = left
    for text in more(len(entry.effects) - outline.EXPLAINED_IN_FULL):
        tree.add(text)
    return tree


def _before_and_after(before: dict[str, str], after: dict[str, str]) -> RenderableType:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), show_header=False)
    for name in dict.fromkeys([*before, *after]):
        was, now = before.get(name, ""), after.get(name, "")
        if was != now:
            arrow = "\N{RIGHTWARDS ARROW}"
            table.add_row(plain(name, "dim"), plain(was), arrow, plain(now))
    return table


def summary(report: Report) -> Text:
    """The numbers, for readers who only look at the end."""
    entry = outline.summary(report.summary)
    return plain(entry.head, STYLES[entry.tone])


def as_text(
    report: Report, width: int = 100, *, colour: bool = False, utc: bool = False
) -> str:
    """The same as text, for a file."""
    console = Console(
        width=width, force_terminal=colour, color_system="standard" if colour else None,
        highlight=False,
    )
    with console.capture() as captured:
        show(console, render(report, utc=utc))
    return captured.get()


