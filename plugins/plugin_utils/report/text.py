# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The report on the terminal: lines with a tone each. What the tones look like is the caller's."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from . import repair, view, words
from .build import Json, plural

# Up to so many hosts each has its line; beyond, hosts that read the same share one.
HOSTS_APART = 12
# Up to so many, all modules are named, if need be on a second line.
HOSTS_IN_FULL = 3
CAUSES_IN_FULL = 25
EXPLAINED_IN_FULL = 12
ACTIONS_IN_FULL = 50

TONES = {"down": "critical", "degraded": "warning", "unknown": "warning", "healthy": "ok"}
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


def render(report: Mapping[str, Any], *, width: int = 100, unicode: bool = True) -> list[Line]:
    """The whole report. Nothing in it depends on colour."""
    width = max(80, min(120, width))
    found = view.causes(report)
    serious = [cause for cause in found if cause.finding["severity"] != "info"]
    notes = [cause for cause in found if cause.finding["severity"] == "info"]
    lines = [Line(""), Line(f"Hosts, {words.moment(report['finished'])}", "heading")]
    lines.extend(_hosts(report["hosts"], width))
    if serious:
        lines.extend([Line(""), Line("Root causes", "heading")])
        for number, cause in enumerate(serious, 1):
            if number > CAUSES_IN_FULL:
                more = len(serious) - CAUSES_IN_FULL
                lines.extend([Line(""), Line(f"  … and {more} more in the report", "muted")])
                break
            lines.extend(_cause(number, cause, width))
    if notes:
        lines.extend([Line(""), Line("Notes", "heading")])
        for cause in notes[:CAUSES_IN_FULL]:
            lines.extend(_note(cause, width))
        if len(notes) > CAUSES_IN_FULL:
            more = len(notes) - CAUSES_IN_FULL
            lines.append(Line(f"  … and {more} more in the report", "muted"))
    lines.extend(_repairs(report, width))
    lines.extend(_unseen(report["hosts"], width))
    lines.extend(_changes(report["changes"], width))
    lines.append(Line(""))
    lines.extend(_summary(report, width))
    if unicode:
        return lines
    return [Line(_ascii(line.text), line.tone) for line in lines]


def _summary(report: Mapping[str, Any], width: int) -> Iterator[Line]:
    """What a person needs who reads only the end."""
    counts = report["summary"]
    said = [f"{counts['hosts']} {plural('host', counts['hosts'])}"]
    kinds = ("healthy", "degraded", "down", "unknown", "unreachable", "failed", "not_installed")
    told = [f"{counts[kind]} {_KINDS.get(kind, kind)}" for kind in kinds if counts[kind]]
    said.append(", ".join(told) or "nothing diagnosed")
    severities = [
        f"{counts['critical']} critical",
        f"{counts['warning']} {plural('warning', counts['warning'])}",
        f"{counts['roots']} root {plural('cause', counts['roots'])}",
    ]
    repairs = [
        f"{counts[result]} {result.replace('_', ' ')}"
        for result in repair.COUNTED if counts[result]
    ]
    severities.extend(repairs)
    tone = "ok"
    if counts["critical"] or counts["down"] or counts["not_repaired"]:
        tone = "critical"
    elif counts["healthy"] < counts["hosts"] or counts["warning"]:
        tone = "warning"
    text = f"{': '.join(said)}; {', '.join(severities)}."
    yield from _wrapped("Summary: ", text, width, tone, hang=2)


_KINDS = {"failed": "not diagnosed", "not_installed": "without Campaign"}


def _ascii(text: str) -> str:
    return text.translate(ASCII).encode("ascii", "backslashreplace").decode("ascii")


def _hosts(hosts: list[Json], width: int) -> Iterator[Line]:
    if not hosts:
        yield Line("  No host in this run.", "warning")
        return
    apart = len(hosts) <= HOSTS_APART
    groups: dict[tuple[str, ...], list[Json]] = {}
    for host in hosts:
        identity = (host["name"],) if apart else _signature(host)
        groups.setdefault(identity, []).append(host)
    shown = list(groups.values())
    if not apart:
        shown.sort(key=lambda group: _rank(group[0]))
    names = [_host_names(group) for group in shown]
    column = min(30, max(len(name) for name in names))
    word_column = max(len(view.status_word(group[0])) for group in shown)
    for group, name in zip(shown, names, strict=True):
        host = group[0]
        word = view.status_word(host)
        tone = "critical" if host["status"] in ("unreachable", "failed") else TONES[host["verdict"]]
        head = f"  {name:<{column}}  {word:<{word_column}}  "
        room = sys.maxsize if len(hosts) <= HOSTS_IN_FULL else width - len(head)
        yield from _wrapped(head, _host_text(host, room, grouped=not apart), width, tone)
        if len(group) > 1:
            others = _some((other["name"] for other in group), width - len(head) - 2)
            yield Line(f"{'':{len(head)}}{others}", "muted")


def _signature(host: Json) -> tuple[str, ...]:
    if host["status"] == "diagnosed" and host["verdict"] == "healthy":
        return ("healthy",)
    text = _host_text(host, 0, grouped=True)
    return view.status_word(host), text, *view.own_instances(host)


def _rank(host: Json) -> int:
    order = ("DOWN", "DEGRADED", "UNREACHABLE", "NOT DIAGNOSED", "NO CAMPAIGN", "UNKNOWN")
    word = view.status_word(host)
    return order.index(word) if word in order else len(order)


def _host_names(group: list[Json]) -> str:
    if len(group) > 1:
        return f"{len(group)} hosts"
    host = group[0]
    instances = view.own_instances(host)
    name = words.clean(host["name"])
    return f"{name} ({words.clean(instances[0])})" if len(instances) == 1 else name


def _host_text(host: Json, room: int, *, grouped: bool) -> str:
    """A host's modules by verdict; the healthy ones by name where the line has room."""
    if host["status"] == "not_installed":
        home = host["home"]
        where = f"no Campaign installation at {home}" if home else "no Campaign installation"
        return words.clean(host["error"] or where)
    if host["status"] != "diagnosed":
        return words.clean(host["error"] or "no reason given")
    parts = []
    for verdict in view.VERDICTS[:-1]:
        names = view.module_names(host, verdict)
        if names:
            parts.append(f"{verdict}: {', '.join(names)}")
    healthy = view.module_names(host, "healthy")
    if healthy:
        named = ", ".join(healthy)
        # Alone they need no heading: the word before the line says it.
        full = " · ".join([*parts, f"healthy: {named}"]) if parts else named
        if not grouped and len(full) <= room:
            return full
        parts.append(f"{len(healthy)} healthy")
    elif not parts:
        parts.append("no module is expected here")
    return " · ".join(parts) if not (grouped and host["verdict"] == "healthy") else "all modules"


def _cause(number: int, cause: view.Cause, width: int) -> Iterator[Line]:
    finding = cause.finding
    tone = "critical" if finding["severity"] == "critical" else "warning"
    where = cause.hosts[0] if len(cause.hosts) == 1 else f"{len(cause.hosts)} hosts"
    name = words.label(finding["module"], finding["instance"])
    lead = f"{number:>3}. "
    head = f"{lead}{finding['severity'].upper()} "
    pad = " " * len(lead)
    yield Line("")
    yield from _wrapped(head, f"{where} {name}: {finding['title']}", width, tone, hang=len(lead))
    if finding["summary"]:
        yield from _wrapped(pad, finding["summary"], width)
    if len(cause.hosts) > 1:
        yield Line(f"{pad}Hosts     {_some(cause.hosts, width - len(pad) - 10)}")
    facts = " · ".join(f"{key} {value}" for key, value in words.facts(finding["evidence"]))
    if facts:
        first = "" if len(cause.hosts) == 1 else f"({cause.hosts[0]}) "
        yield from _wrapped(f"{pad}Evidence  ", f"{first}{facts}", width)
    yield from _fix(cause, pad, width)
    if cause.explains:
        yield from _explains(cause, pad, width)
    source = finding["source"]
    yield from _whole(f"{pad}Key       ", words.clean(finding["key"]), "muted")
    if source:
        yield from _whole(f"{pad}Source    ", words.clean(source), "muted")


def _fix(cause: view.Cause, pad: str, width: int) -> Iterator[Line]:
    finding = cause.finding
    if finding["fix"]:
        where = f", on {cause.hosts[0]}"
        if len(cause.hosts) > 1:
            where = ", on each" if cause.one_fix else f"{where} (the others: in the report)"
        yield Line(f"{pad}Fix{where}:")
        for line in str(finding["fix"]).splitlines():
            # Never wrapped: it is there to be copied.
            yield Line(f"{pad}  {words.clean(line)}", "heading")
    if finding["reason"]:
        yield from _wrapped(f"{pad}By hand   ", finding["reason"], width)
    elif not finding["fix"]:
        yield Line(f"{pad}Fix       none is documented")


def _explains(cause: view.Cause, pad: str, width: int) -> Iterator[Line]:
    effects = cause.explains
    yield Line(f"{pad}Explains")
    for host, finding in effects[:EXPLAINED_IN_FULL]:
        name = words.label(finding["module"], finding["instance"])
        where = "" if [host] == cause.hosts else f"{host} "
        yield from _wrapped(f"{pad}  ", f"{where}{name}: {finding['title']}", width, hang=9)
    if len(effects) > EXPLAINED_IN_FULL:
        yield Line(f"{pad}  … and {len(effects) - EXPLAINED_IN_FULL} more", "muted")


def _note(cause: view.Cause, width: int) -> Iterator[Line]:
    finding = cause.finding
    name = words.label(finding["module"], finding["instance"])
    where = cause.hosts[0] if len(cause.hosts) == 1 else f"{len(cause.hosts)} hosts"
    text = f"{where} {name}: {finding['summary'] or finding['title']}"
    yield from _wrapped("  ", text, width, hang=4)
    if finding["fix"]:
        for line in str(finding["fix"]).splitlines():
            yield Line(f"      {words.clean(line)}")


def _repairs(report: Mapping[str, Any], width: int) -> Iterator[Line]:
    """What was done, what would be done, and what is left, and why."""
    actions = repair.done(report)
    if actions:
        yield from (Line(""), Line("Repairs", "heading"))
        for host, action in actions[:ACTIONS_IN_FULL]:
            yield from _action(host, action, width)
        yield from _more(len(actions) - ACTIONS_IN_FULL)
    steps = repair.planned(report)
    if steps:
        yield from (Line(""), Line("Planned, not done" if actions else "Plan", "heading"))
        for number, group in enumerate(steps[:CAUSES_IN_FULL], 1):
            yield from _step(number, group, width)
        yield from _more(len(steps) - CAUSES_IN_FULL)
    left = repair.left(report)
    notes = [(host["name"], note) for host in report["hosts"] for note in host["plan_notes"]]
    refused = [host for host in report["hosts"] if host["plan_refused"]]
    if left or notes or refused:
        yield from (Line(""), Line("Left as it is", "heading"))
    for host in refused[:CAUSES_IN_FULL]:
        text = f"{host['name']}: plan refused: {host['plan_refused']}"
        yield from _wrapped("  ", text, width, "warning", hang=4)
    yield from _more(len(refused) - CAUSES_IN_FULL)
    for group in left[:CAUSES_IN_FULL]:
        item = group.item
        until = f", until {words.moment(item['until'])}" if item["until"] else ""
        where = _some(group.hosts, width // 3)
        text = f"{where} {item['id']}: {item['why'].replace('_', ' ')}{until}: {item['reason']}"
        yield from _wrapped("  ", text, width, hang=4)
    yield from _more(len(left) - CAUSES_IN_FULL)
    for host, note in notes[:CAUSES_IN_FULL]:
        yield from _wrapped("  ", f"{host}: {note}", width, hang=4)
    yield from _more(len(notes) - CAUSES_IN_FULL)


def _changes(changes: Json | None, width: int) -> Iterator[Line]:
    """What is otherwise than at an earlier run."""
    if changes is None:
        return
    yield Line("")
    yield Line(f"Changes since {words.moment(changes['since']['finished'])}", "heading")
    told = False
    for host_change, names in changes["hosts"].items():
        if names:
            text = f"{view.HOST_CHANGES[host_change]}: {_some(names, width - 30)}"
            told = True
            yield from _wrapped("  ", text, width, hang=4)
    for kind, tone in view.CHANGES.items():
        for entry in changes[kind][:CAUSES_IN_FULL]:
            told = True
            name = words.label(entry["module"], entry["instance"])
            was = f" (was {entry['was']['severity']})" if entry["was"] else ""
            text = f"{entry['host']} {name}: {entry['title']}{was}"
            yield from _wrapped(f"  {kind:<7} ", text, width, tone, hang=10)
        yield from _more(len(changes[kind]) - CAUSES_IN_FULL)
    if not told:
        yield Line("  None.", "muted")


def _more(count: int) -> Iterator[Line]:
    if count > 0:
        yield Line(f"  … and {count} more in the report", "muted")


def _action(host: str, action: Json, width: int) -> Iterator[Line]:
    tones = {"not_repaired": "critical", "refused": "warning", "unproved": "warning"}
    tones |= {"repaired": "ok", "done": "ok"}
    label = words.label(action["module"], action["instance"])
    seconds = "" if action["seconds"] is None else f", {float(action['seconds']):.1f} s"
    head = f"  {repair.word(action):<12}  "
    text = f"{host} {label}: {repair.title(action)}{seconds}"
    tone = tones.get(action["result"], "muted")
    yield from _wrapped(head, text, width, tone, hang=len(head))
    pad = " " * len(head)
    if action["reason"]:
        yield from _wrapped(f"{pad}Why      ", action["reason"], width)
    for command in words.commands(action):
        yield Line(f"{pad}Command  {words.clean(command)}")
    for name in ("before", "after"):
        facts = " · ".join(f"{key} {value}" for key, value in words.facts(action[name]))
        if facts:
            yield from _wrapped(f"{pad}{name.capitalize():<7}  ", facts, width)
    if action["result"] == "not_repaired":
        yield Line(f"{pad}Left     {repair.LEFT.get(action['left'], action['left'])}")


def _step(number: int, group: repair.Group, width: int) -> Iterator[Line]:
    step = group.item
    pad = " " * 5
    where = group.hosts[0] if len(group.hosts) == 1 else f"{len(group.hosts)} hosts"
    label = words.label(step["module"], step["instance"])
    yield from _wrapped(f"{number:>3}. ", f"{where} {label}: {step['title']}", width, hang=5)
    if len(group.hosts) > 1:
        yield Line(f"{pad}Hosts     {_some(group.hosts, width - 15)}")
    yield from _wrapped(f"{pad}For       ", ", ".join(step["keys"]), width)
    for command in words.commands(step):
        yield Line(f"{pad}Command   {words.clean(command)}")
    yield from _wrapped(f"{pad}Or else   ", repair.further(step), width)
    if step["cancels"]:
        yield from _wrapped(f"{pad}Cuts off  ", step["cancels"], width)
        if len(group.hosts) == 1:
            yield from _wrapped(f"{pad}At work   ", repair.at_work(step), width)
    if step["not_after"]:
        yield Line(f"{pad}Before    {words.moment(step['not_after'])}")


def _unseen(hosts: list[Json], width: int) -> Iterator[Line]:
    """Probes that gave nothing: without them a healthy host might not be one."""
    groups: dict[str, list[str]] = {}
    left_out: set[str] = set()  # what nobody gave the means to look at is told, and is no alarm
    for host in hosts:
        for probe in host["unseen"]:
            text = f"{probe['probe']}: {probe['message'] or probe['kind']}"
            groups.setdefault(text, []).append(host["name"])
            if probe["kind"] == "skipped":
                left_out.add(text)
    if not groups:
        return
    yield Line("")
    yield Line("Could not be looked at", "heading")
    for number, (text, names) in enumerate(groups.items()):
        if number == CAUSES_IN_FULL:
            yield Line(f"  … and {len(groups) - CAUSES_IN_FULL} more in the report", "muted")
            return
        tone = "muted" if text in left_out else "warning"
        yield from _wrapped("  ", f"{_some(names, width // 3)}: {text}", width, tone, hang=4)


def _some(names: Iterable[str], room: int) -> str:
    """As many names as there is room for, then how many are left."""
    listed = [words.clean(name) for name in names]
    text = ""
    for count, name in enumerate(listed, 1):
        longer = f"{text}, {name}" if text else name
        left = len(listed) - count
        tail = f" and {left} more" if left else ""
        if text and len(longer) + len(tail) > room:
            return f"{text} and {len(listed) - count + 1} more"
        text = longer
    return text


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


def _whole(head: str, text: str, tone: str) -> Iterator[Line]:
    yield Line(f"{head}{text}", tone)
