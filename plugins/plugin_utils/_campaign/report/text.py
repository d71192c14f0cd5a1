# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The report on the terminal: lines with a tone each. What the tones look like is the caller's."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .model import Host, Report
from .shared import outline, view, words

# Up to so many hosts each has its line; beyond, hosts that read the same share one.
HOSTS_LISTED = 12
# Up to so many, all modules are named, if need be on a second line.
HOSTS_IN_FULL = 3

TONES = {"down": "critical", "degraded": "warning", "unknown": "warning", "healthy": "ok"}
TEXT_TONES = {"info": "plain"}
ASCII = str.maketrans(
    {
        "·": "-",
        "…": "...",
        "–": "-",
        "—": "-",
        "→": "->",
        "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    }
)


class Line(NamedTuple):
    """A line, and its tone: plain, heading, critical, warning, ok or muted."""

    text: str
    tone: str = "plain"


class Layout(NamedTuple):
    """The layout of a section's entries."""

    lead: str = "  "  # before the head; with the number and the mark
    hang: int = 4  # what of the head is below its first line
    pad: int = 4  # before the lines below the head
    column: int = 0  # of the labels
    spaced: bool = False  # a line between two entries


LAYOUTS = {
    "causes": Layout("{number:>3}. {mark} ", 5, 5, 10, spaced=True),
    "repairs": Layout("  {mark:<12}  ", 16, 16, 9),
    "plan": Layout("{number:>3}. ", 5, 5, 10),
    "changes": Layout("  {mark:<7} ", 10),
}


def render(report: Report, *, width: int = 100, unicode: bool = True) -> list[Line]:
    """The whole report. Nothing in it depends on colour."""
    width = max(80, min(120, width))
    lines = [Line(""), Line(f"Hosts, {words.moment(report.finished)}", "heading")]
    lines.extend(_hosts(report.hosts, width))
    for section in outline.sections(report).values():
        lines.extend(_section(section, width))
    lines.append(Line(""))
    end = outline.summary(report.summary)
    lines.extend(_wrapped("Summary: ", end.head, width, end.tone, hang=2))
    if unicode:
        return lines
    return [Line(_ascii(line.text), line.tone) for line in lines]


def _section(section: outline.Section, width: int) -> Iterator[Line]:
    layout = LAYOUTS.get(section.name, Layout())
    yield from (Line(""), Line(section.title, "heading"))
    for number, entry in enumerate(section.shown, 1):
        if layout.spaced:
            yield Line("")
        plain = not entry.mark and "mark" in layout.lead
        used = Layout() if plain else layout
        lead = used.lead.format(number=number, mark=entry.mark)
        yield from _wrapped(lead, entry.head, width, TEXT_TONES.get(entry.tone, entry.tone),
                            hang=used.hang)
        yield from _below(entry, used, width)
    if section.left_out:
        if layout.spaced:
            yield Line("")
        yield Line(f"  … and {section.left_out} more in the report", "muted")


def _below(entry: outline.Entry, layout: Layout, width: int) -> Iterator[Line]:
    """The details of an entry."""
    for detail in entry.body:
        yield from _detail(detail, layout, width)
    pad = " " * layout.pad
    if entry.effects:
        yield Line(f"{pad}Explains")
        for effect in entry.effects[: outline.EXPLAINED_IN_FULL]:
            yield from _wrapped(f"{pad}  ", effect.text, width, hang=layout.pad + 4)
        more = len(entry.effects) - outline.EXPLAINED_IN_FULL
        if more > 0:
            yield Line(f"{pad}  … and {more} more in the report", "muted")
    for label, facts in (("Before", entry.before), ("After", entry.after)):
        if facts:
            detail = outline.Detail(label, outline.facts_line(facts))
            yield from _detail(detail, layout, width)
    for detail in entry.foot:
        tone = "muted" if detail.whole else "plain"
        yield from _detail(detail, layout, width, tone)


def _detail(
    detail: outline.Detail, layout: Layout, width: int, tone: str = "plain"
) -> Iterator[Line]:
    pad = " " * layout.pad
    head = f"{pad}{detail.label:<{layout.column}}" if detail.label else pad
    if detail.whole:
        # Never wrapped, because it is meant to be copied.
        yield Line(f"{head}{words.clean(detail.text)}", tone)
    elif detail.label or detail.text:
        yield from _wrapped(head, detail.text, width, tone)
    for line in detail.lines:
        yield Line(f"{pad}  {words.clean(line)}", "heading")


def _ascii(text: str) -> str:
    return text.translate(ASCII).encode("ascii", "backslashreplace").decode("ascii")


def _hosts(hosts: Sequence[Host], width: int) -> Iterator[Line]:
    if not hosts:
        yield Line("  No host in this run.", "warning")
        return
    listed = len(hosts) <= HOSTS_LISTED
    groups: dict[tuple[str, ...], list[Host]] = {}
    for host in hosts:
        identity = (host.name,) if listed else _signature(host)
        groups.setdefault(identity, []).append(host)
    shown = list(groups.values())
    if not listed:
        shown.sort(key=lambda group: _rank(group[0]))
    names = [_host_names(group) for group in shown]
    column = min(30, max(len(name) for name in names))
    word_column = max(len(view.status_word(group[0])) for group in shown)
    for group, name in zip(shown, names, strict=True):
        host = group[0]
        word = view.status_word(host)
        tone = "critical" if host.status in ("unreachable", "failed") else TONES[host.verdict]
        head = f"  {name:<{column}}  {word:<{word_column}}  "
        room = sys.maxsize if len(hosts) <= HOSTS_IN_FULL else width - len(head)
        yield from _wrapped(head, _host_text(host, room, grouped=not listed), width, tone)
        if len(group) > 1:
            others = outline.some((other.name for other in group), width - len(head) - 2)
            yield Line(f"{'':{len(head)}}{others}", "muted")


def _signature(host: Host) -> tuple[str, ...]:
    if host.status == "diagnosed" and host.verdict == "healthy":
        return ("healthy",)
    text = _host_text(host, 0, grouped=True)
    return view.status_word(host), text, *view.own_instances(host)


def _rank(host: Host) -> int:
    order = ("DOWN", "DEGRADED", "UNREACHABLE", "NOT DIAGNOSED", "NO CAMPAIGN", "UNKNOWN")
    word = view.status_word(host)
    return order.index(word) if word in order else len(order)


def _host_names(group: list[Host]) -> str:
    if len(group) > 1:
        return f"{len(group)} hosts"
    host = group[0]
    instances = view.own_instances(host)
    name = words.clean(host.name)
    return f"{name} ({words.clean(instances[0])})" if len(instances) == 1 else name


def _host_text(host: Host, room: int, *, grouped: bool) -> str:
    """A host's modules by verdict; the healthy ones by name where the line has room."""
    if host.status == "not_installed":
        home = host.home
        where = f"no Campaign installation at {home}" if home else "no Campaign installation"
        return words.clean(host.error or where)
    if host.status != "diagnosed":
        return words.clean(host.error or "no reason given")
    parts = []
    for verdict in view.VERDICTS[:-1]:
        names = view.module_names(host, verdict)
        if names:
            parts.append(f"{verdict}: {', '.join(names)}")
    healthy = view.module_names(host, "healthy")
    if healthy:
        named = ", ".join(healthy)
        # Alone they need no heading: the first word of the line says it.
        full = " · ".join([*parts, f"healthy: {named}"]) if parts else named
        if not grouped and len(full) <= room:
            return full
        parts.append(f"{len(healthy)} healthy")
    elif not parts:
        parts.append("no module is expected here")
    return " · ".join(parts) if not (grouped and host.verdict == "healthy") else "all modules"


def _wrapped(
    head: str, text: object, width: int, tone: str = "plain", hang: int | None = None
) -> Iterator[Line]:
    following = " " * (len(head) if hang is None else hang)
    lines = textwrap.wrap(
        words.clean(text),
        width,
        initial_indent=head,
        subsequent_indent=following,
        break_on_hyphens=False,
        break_long_words=False,
    )
    for line in lines or [head.rstrip()]:
        yield Line(line, tone)
