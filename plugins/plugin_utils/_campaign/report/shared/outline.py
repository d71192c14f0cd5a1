# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a report says, in sentences: its sections, their entries, and the facts of each.

The playbook's text, the command's terminal and the page take their sentences from here, and differ
only in how they look. The table of hosts is made by each of them.

Uses the standard library only: campaign_doctor has this very file, by a link, and reads its own
model.py with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from . import fixes, repair, view, words

if TYPE_CHECKING:
    from ..model import (
        Action,
        Change,
        Changes,
        Finding,
        NotLookedAt,
        Pause,
        Report,
        Step,
        Storm,
        Summary,
        Unplanned,
    )

CAUSES_IN_FULL = 25
EXPLAINED_IN_FULL = 15
ACTIONS_IN_FULL = 50
# Room for names of hosts, in characters: within a sentence, and in one of their own.
ROOM_WITHIN = 33
ROOM_ALONE = 85

RESULT_TONES = {
    "not_repaired": "critical", "refused": "warning", "unproved": "warning", "repaired": "ok",
    "done": "ok",
}
_KINDS = {"failed": "not diagnosed", "not_installed": "without Campaign"}


class Detail(NamedTuple):
    """A fact of an entry; a label, a text, and lines that are there to be copied."""

    label: str
    text: str = ""
    lines: tuple[str, ...] = ()
    whole: bool = False  # not to be wrapped


class Effect(NamedTuple):
    """A finding that a root cause explains."""

    host: str
    id: str
    causes: tuple[str, ...]
    text: str
    tone: str


class Entry(NamedTuple):
    """A sentence, its details, and its tone.

    A tone is plain, critical, warning, ok, info or muted.
    """

    tone: str
    head: str
    mark: str = ""  # a word or two before the head
    body: tuple[Detail, ...] = ()
    effects: tuple[Effect, ...] = ()
    before: tuple[tuple[str, str], ...] = ()
    after: tuple[tuple[str, str], ...] = ()
    foot: tuple[Detail, ...] = ()
    hosts: tuple[str, ...] = ()
    item: Finding | Action | Step | Unplanned | Change | None = None  # of the report


class Section(NamedTuple):
    """A heading and its entries."""

    name: str
    title: str
    entries: list[Entry]
    limit: int = CAUSES_IN_FULL

    @property
    def shown(self) -> list[Entry]:
        """The entries where there is not room for all."""
        return self.entries[: self.limit]

    @property
    def left_out(self) -> int:
        """How many more there are."""
        return max(0, len(self.entries) - self.limit)


def sections(report: Report) -> dict[str, Section]:
    """Those that have something to say, by name, in the order in which they are read."""
    every = (
        storms(report), *findings(report), repairs(report), paused(report), plan(report), waves(report),
        unplanned(report), unseen(report),
    )
    told = {section.name: section for section in every if section.entries}
    if report.changes is not None:
        told["changes"] = changes(report.changes)
    return told


def undiagnosed(report: Report) -> Section:
    """The hosts without a diagnosis, with what to do; those that say the same share an entry."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for host in report.hosts:
        if host.status != "diagnosed":
            told = host.error or "no reason is known"
            word = view.STATUS_WORDS.get(host.status, host.status)
            what = view.advice(host)
            groups.setdefault((word, told, what), []).append(host.name)
    entries = [
        Entry(
            "critical", f"{some(names, ROOM_ALONE)}: {told}", mark=word,
            body=(Detail("", what),), hosts=tuple(names),
        )
        for (word, told, what), names in groups.items()
    ]
    return Section("undiagnosed", "Hosts without a diagnosis", entries)


def findings(report: Report) -> tuple[Section, Section]:
    """The root causes, and the notes."""
    causes: list[Entry] = []
    notes: list[Entry] = []
    for cause in view.causes(report):
        if cause.finding.severity.value == "info":
            notes.append(_note(cause))
        else:
            causes.append(_cause(cause))
    return Section("causes", "Root causes", causes), Section("notes", "Notes", notes)


def _cause(cause: view.Cause) -> Entry:
    finding = cause.finding
    severity = finding.severity.value
    body = [Detail("", finding.summary)] if finding.summary else []
    if len(cause.hosts) > 1:
        body.append(Detail("Hosts", some(cause.hosts, ROOM_ALONE)))
    facts = facts_line(_beyond(finding.summary, words.facts(finding.evidence)))
    if facts:
        first = "" if len(cause.hosts) == 1 else f"({cause.hosts[0]}) "
        body.append(Detail("Evidence", f"{first}{facts}"))
    foot = [Detail("Key", finding.key, whole=True)]
    if finding.source:
        foot.append(Detail("Source", finding.source, whole=True))
    return Entry(
        severity, f"{_where(cause.hosts)} {_titled(finding)} ({_badge(finding)})",
        mark=severity.upper(), body=(*body, *_fix(cause)), effects=tuple(_effects(cause)),
        foot=tuple(foot), hosts=tuple(cause.hosts), item=finding,
    )


def _beyond(summary: str, facts: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """The facts that the sentence has not said."""
    for name, value in facts:
        if not value or not re.search(rf"(?<!\w){re.escape(value)}(?!\w)", words.clean(summary)):
            yield name, value


def _badge(finding: Finding) -> str:
    """Who repairs it."""
    return "automatic repair" if finding.automatic else "needs an operator"


def _fix(cause: view.Cause) -> Iterator[Detail]:
    finding = cause.finding
    fix = fixes.of(finding.fix)
    if fix.commands:
        where = f"on {cause.hosts[0]}"
        if len(cause.hosts) > 1:
            where = "on each" if cause.one_fix else f"{where} (the others: in the report)"
        yield Detail("", f"{fix.label}, {where}:", fix.commands)
    if fix.advice:
        yield Detail("Advice", fix.advice)
    if finding.reason:
        yield Detail("By hand", finding.reason)
    elif not finding.fix:
        yield Detail("Fix", "none is documented")


def _effects(cause: view.Cause) -> Iterator[Effect]:
    for host, finding in cause.explains:
        where = "" if [host] == cause.hosts else f"{host} "
        # Which workflow, file or error it is: several of them may be explained.
        _place, of, subject = finding.id.partition("#")
        yield Effect(
            host, finding.id, finding.caused_by_ids,
            f"{where}{_titled(finding)}{f' ({subject})' if of else ''}", finding.severity.value,
        )


def _note(cause: view.Cause) -> Entry:
    finding = cause.finding
    text = f"{_where(cause.hosts)} {_subject(finding)}: {finding.summary or finding.title}"
    lines = tuple(str(finding.fix or "").splitlines())
    body = (Detail("", "", lines),) if lines else ()
    return Entry("info", text, body=body, hosts=tuple(cause.hosts), item=finding)


def repairs(report: Report) -> Section:
    """What was done and how it ended; failures come first."""
    entries = [_action(host, action) for host, action in repair.done(report)]
    return Section("repairs", "Repairs", entries, ACTIONS_IN_FULL)


def _action(host: str, action: Action) -> Entry:
    seconds = "" if action.seconds is None else f", {action.seconds:.1f} s"
    body = [Detail("Why", action.reason)] if action.reason else []
    foot: tuple[Detail, ...] = ()
    if action.result == "not_repaired":
        foot = (Detail("Left", repair.LEFT.get(action.left, action.left)),)
    return Entry(
        RESULT_TONES.get(action.result, "muted"),
        f"{host} {_subject(action)}: {repair.title(action)}{seconds}",
        mark=repair.word(action), body=(*body, *_commands(action.command)), foot=foot,
        before=tuple(words.facts(action.before)), after=tuple(words.facts(action.after)),
        hosts=(host,), item=action,
    )


def paused(report: Report) -> Section:
    """The hosts on which nothing is repaired for now, until when, why and by whom."""
    groups: dict[str, list[str]] = {}
    for host in report.hosts:
        if host.paused is not None:
            groups.setdefault(_pause(host.paused), []).append(host.name)
    entries = [
        Entry("warning", f"{some(names, ROOM_ALONE)}: {text}", hosts=tuple(names))
        for text, names in groups.items()
    ]
    return Section("paused", "Repairs are paused", entries)


def _pause(pause: Pause) -> str:
    if pause.unknown or pause.until is None:
        return f"it is unknown whether they are: {pause.unknown}; every change is refused"
    since = "" if pause.since is None else f", since {words.at(pause.since)}"
    return f"until {words.at(pause.until)}: {pause.reason} ({pause.who or '?'}{since})"


def storms(report: Report) -> Section:
    """Findings that so many hosts have at once that their cause is hardly on the hosts."""
    entries = []
    for storm in report.fleet.storms if report.fleet else ():
        end = (
            "It is repaired all the same, as campaign_accept_storm says" if storm.accepted
            else "It is not repaired. To repair it all the same: campaign-doctor remediate"
            f" --accept-storm {storm.key}, in playbooks campaign_accept_storm: [{storm.key}]"
        )
        text = (
            f"{storm.title} ({storm.key}) on {_share(storm)}: {some(storm.hosts, ROOM_WITHIN)}."
            f" Look for a cause outside the hosts. {end}"
        )
        entries.append(Entry("critical", text, hosts=storm.hosts))
    return Section("storms", "Many hosts at once", entries)


def _share(storm: Storm) -> str:
    hosts = f"{len(storm.hosts)} of {storm.diagnosed} hosts"
    return hosts if storm.group == "all" else f"{hosts} of the group {storm.group}"


def waves(report: Report) -> Section:
    """In which order hosts are repaired, and what ends the run; nothing if they go together."""
    fleet = report.fleet
    entries: list[Entry] = []
    if fleet is None or (len(fleet.waves) < 2 and not fleet.groups):
        return Section("waves", "Order of the hosts", entries)
    for number, wave in enumerate(fleet.waves, 1):
        tried = "".join(
            f"; {', '.join(trial.canaries)} must prove that {trial.remedy} helps against {trial.key}"
            for trial in fleet.trials if set(trial.canaries) & set(wave.hosts)
        )
        text = f"wave {number}, {_counted(len(wave.hosts), 'host')}: {some(wave.hosts, ROOM_WITHIN)}{tried}"
        entries.append(Entry("plain", text, hosts=wave.hosts))
    entries += [
        Entry(
            "plain", f"{group.name} keeps {_counted(group.minimum, 'healthy host')};"
            f" {len(group.healthy)} of {len(group.hosts)} are healthy now", hosts=group.hosts,
        )
        for group in fleet.groups
    ]
    if fleet.waves:
        entries.append(Entry("plain", (
            f"no further host is begun after {_counted(fleet.max_failures, 'repair')} that failed or"
            " could not be proved to help"
        )))
    return Section("waves", "Order of the hosts", entries)


def plan(report: Report) -> Section:
    """What would be done, what it interrupts, and what follows if it does not help."""
    begun = any(host.actions for host in report.hosts)
    entries = [_step(group) for group in repair.planned(report)]
    return Section("plan", "Planned, not done" if begun else "Plan", entries)


def _step(group: repair.Group[Step]) -> Entry:
    step = group.item
    body = []
    if len(group.hosts) > 1:
        body.append(Detail("Hosts", some(group.hosts, ROOM_ALONE)))
    body.append(Detail("For", ", ".join(step.keys)))
    body.extend(_commands(step.command))
    if step.held:
        body.append(Detail("Held", step.held))
    if step.refused_unless:
        body.append(Detail("Guard", step.refused_unless))
    body.append(Detail("Or else", repair.further(step)))
    if step.cancels:
        body.append(Detail("Affects", step.cancels))
        if len(group.hosts) == 1:
            body.append(Detail("Running", repair.at_work(step)))
    if step.not_after:
        body.append(Detail("Before", words.moment(step.not_after)))
    return Entry(
        "plain", f"{_where(group.hosts)} {_subject(step)}: {step.title}", body=tuple(body),
        hosts=tuple(group.hosts), item=step,
    )


def unplanned(report: Report) -> Section:
    """Refused plans, notes of plans, and findings without a step, with the reason."""
    entries = [
        Entry("warning", f"{host.name}: plan refused: {host.plan_refused}", hosts=(host.name,))
        for host in report.hosts if host.plan_refused
    ]
    entries += [
        Entry("plain", f"{host.name}: {note}", hosts=(host.name,))
        for host in report.hosts for note in host.plan_notes
    ]
    for group in repair.unplanned(report):
        item = group.item
        until = f", until {words.moment(item.until)}" if item.until else ""
        why = item.why.replace("_", " ")
        where = some(group.hosts, ROOM_WITHIN)
        text = f"{where} {item.id}: {why}{until}: {item.reason}"
        entries.append(Entry("plain", text, hosts=tuple(group.hosts), item=item))
    return Section("left", "Left as it is", entries)


def unseen(report: Report) -> Section:
    """Probes without a result: without them a host may only seem healthy. Hosts without a diagnosis that
    may have the cause of a finding.
    """
    groups: dict[str, list[str]] = {}
    skipped: set[str] = set()  # a probe without credentials is reported, but not as a problem
    for host in report.hosts:
        for probe in host.unseen:
            text = f"{probe.probe}: {probe.message or probe.kind}"
            groups.setdefault(text, []).append(host.name)
            if probe.kind == "skipped":
                skipped.add(text)
    entries = [
        Entry("muted" if text in skipped else "warning", f"{some(names, ROOM_WITHIN)}: {text}",
              hosts=tuple(names))
        for text, names in groups.items()
    ]
    return Section("unseen", "Could not be checked", [*entries, *_not_looked_at(report)])


def _not_looked_at(report: Report) -> Iterator[Entry]:
    groups: dict[tuple[str, str, str], list[NotLookedAt]] = {}
    for each in report.not_looked_at:
        groups.setdefault((each.host, each.why, each.serves), []).append(each)
    for (host, why, serves), several in groups.items():
        needing = some(dict.fromkeys(each.needed_by for each in several), ROOM_WITHIN)
        keys = ", ".join(dict.fromkeys(each.finding.partition("@")[0] for each in several))
        state, so = "not diagnosed", "a cause there is not seen"
        if why == "not_in_run":
            state, so = "not in this run", "run without --limit to see a cause there"
        text = f"{host}: {state}. It is the {serves} of {needing} ({keys}): {so}."
        yield Entry("warning", text, hosts=(host,))


def changes(found: Changes) -> Section:
    """Differences from an earlier run."""
    entries = [
        Entry("plain", f"{text}: {some(names, ROOM_ALONE)}", hosts=tuple(names))
        for kind, text in view.HOST_CHANGES.items() if (names := getattr(found.hosts, kind))
    ]
    for kind, tone in view.CHANGES.items():
        entries += [_change(kind, tone, change) for change in getattr(found, kind)]
    since = words.moment(found.since.finished)
    return Section(
        "changes", f"Changes since {since}", entries or [Entry("muted", "None.")], ACTIONS_IN_FULL
    )


def _change(kind: str, tone: str, change: Change) -> Entry:
    was = f" (was {change.was.severity.value})" if change.was else ""
    text = f"{change.host} {_titled(change)}{was}"
    mark = view.CHANGE_WORDS.get(kind, kind)
    return Entry(tone, text, mark=mark, hosts=(change.host,), item=change)


def summary(counts: Summary) -> Entry:
    """The most important numbers of the report's `summary`, for readers who only look at the end."""
    kinds = ("healthy", "degraded", "down", "unknown", "unreachable", "failed", "not_installed")
    told = ", ".join(
        f"{count} {_KINDS.get(kind, kind)}" for kind in kinds if (count := getattr(counts, kind))
    )
    numbers = [
        _counted(counts.critical, "critical finding"), _counted(counts.warning, "warning"),
        _counted(counts.roots, "root cause"),
    ]
    numbers += [
        f"{count} {repair.WORDS[result].lower()}"
        for result in repair.COUNTED if (count := getattr(counts, result))
    ]
    tone = "ok"
    if counts.critical or counts.down or counts.not_repaired:
        tone = "critical"
    elif counts.healthy < counts.hosts or counts.warning:
        tone = "warning"
    head = f"{_counted(counts.hosts, 'host')}: {told or 'nothing diagnosed'}"
    return Entry(tone, f"{head}; {', '.join(numbers)}.")


def some(names: Iterable[str], room: int) -> str:
    """As many names as there is room for, then how many are left."""
    listed = [words.clean(name) for name in names]
    text = ""
    for count, name in enumerate(listed, 1):
        longer = f"{text}, {name}" if text else name
        others = len(listed) - count
        tail = f" and {others} more" if others else ""
        if text and len(longer) + len(tail) > room:
            return f"{text} and {len(listed) - count + 1} more"
        text = longer
    return text


def facts_line(facts: Iterable[tuple[str, str]]) -> str:
    """Names and values in a line."""
    return " \N{MIDDLE DOT} ".join(f"{name} {value}" for name, value in facts)


def _commands(command: str | Sequence[object] | None) -> list[Detail]:
    return [Detail("Command", text, whole=True) for text in words.commands(command)]


def _subject(entry: Finding | Action | Step) -> str:
    return words.label(entry.module, entry.instance)


def _titled(entry: Finding | Change) -> str:
    return words.titled(entry.module, entry.instance, entry.title)


def _where(hosts: list[str]) -> str:
    return hosts[0] if len(hosts) == 1 else f"{len(hosts)} hosts"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun if count == 1 else f'{noun}s'}"
