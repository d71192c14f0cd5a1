# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""One page in Markdown of what happened to a host: for a ticket, or for who takes over.

It names findings, repairs and times. It holds no evidence, no reason and no account, because those may
name people or what they work on: the reports have them.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

from .doctor import Doctor
from .errors import DoctorError
from .history import Run
from .holding import answers, failures
from .outcome import ExitCode
from .shared import words
from .trends import HELPED, Json, Look, epoch, looks_of

# A line of the ledger in words, up to its result: what follows is a reason.
LINE = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ) (?:[\w.:@+-]{1,100} )?(begun|ended|refused|taken_over)"
    r" (\S{1,200})(?: ((?!(?:done|failed|refused|unchanged|interrupted)\b)[a-z_]{1,60})\b)?"
    r"(?: (done|failed|refused|unchanged|interrupted)\b)?"
)
WORDS = {"begun": "was begun", "refused": "was refused by a guard", "taken_over": "changed hands"}


def show(doctor: Doctor, host: str, seconds: float) -> int:
    """Print the page. Raises DoctorError for a host that the history does not know."""
    until = time.time()
    seen = looks_of(doctor.history, until - seconds, host)
    if not seen:
        raise DoctorError(
            f"The history {doctor.history.path} has no run with the host {host} since"
            f" {words.moment(words.iso(until - seconds))}. campaign-doctor history lists the runs;"
            " --since 7d goes back further."
        )
    code, lines = _ledger(doctor, host)
    doctor.out.file.write("\n".join(page(host, until - seconds, until, seen, lines)) + "\n")
    doctor.out.file.flush()
    return code


def _ledger(doctor: Doctor, host: str) -> tuple[ExitCode, list[str] | None]:
    """The last lines of the host's ledger; None where it could not be read, which is reported."""
    result = answers(doctor)
    code = failures(doctor, result)
    answer = result.ended.answers.get(host)
    return code, None if answer is None else [str(line) for line in answer.get("text") or ()]


def page(
    host: str, since: float, until: float, seen: list[tuple[Run, Look]], ledger: list[str] | None
) -> Iterator[str]:
    """The lines of the page."""
    last_run, last = seen[-1]
    yield f"# Incident on {_plain(host)}"
    yield ""
    yield f"From {_at(since)} to {_at(until)}, {len(seen)} run{'' if len(seen) == 1 else 's'}."
    yield ""
    yield f"## State at {_at(last.ended)} (run {last_run.number})"
    yield ""
    yield from _state(last.host)
    yield ""
    yield "## What happened"
    yield ""
    yield from _events(seen)
    yield ""
    yield "## The ledger of the host"
    yield ""
    yield from _lines(ledger, since)


def _state(host: Json) -> Iterator[str]:
    if host["status"] != "diagnosed":
        yield f"* **unknown**: no diagnosis ({host['status'].replace('_', ' ')})"
        return
    yield f"* **{host['verdict']}**"
    for finding in host["findings"]:
        if finding["severity"] != "info":
            yield f"* {_finding(finding)}"


def _events(seen: list[tuple[Run, Look]]) -> Iterator[str]:
    """What changed from run to run; the first one says what there was."""
    before: dict[str, Json] | None = None
    dark = False
    for run, look in seen:
        told = [_action(action) for action in look.host.get("actions", ())]
        if not look.diagnosed:
            if not dark:
                told.append(f"no diagnosis ({look.host['status'].replace('_', ' ')}): unknown from here on")
            dark = True
        else:
            there = {each["id"]: each for each in look.host["findings"] if each["severity"] != "info"}
            told += ["diagnosed again"] if dark else []
            new = [each for key, each in there.items() if key not in (before or {})]
            told += [f"{'found' if before is None else 'new'}: {_finding(each)}" for each in new]
            told += [f"gone: {_finding(each)}" for key, each in (before or {}).items()
                     if key not in there]
            if before is None and not there:
                told.append("nothing was wrong")
            before, dark = there, False
        for text in told:
            yield f"* {_at(look.ended)}, run {run.number}: {text}"


def _lines(ledger: list[str] | None, since: float) -> Iterator[str]:
    if ledger is None:
        yield "It could not be read: what was done there last is unknown."
        return
    found = [line for each in ledger if (line := LINE.match(each)) and epoch(line[1]) >= since]
    if not found:
        yield "None of its last lines is of this time."
    for line in found:
        what = f"{line[4] or 'a change'} of {line[3]}"
        ended = line[5] or WORDS.get(line[2], line[2])
        yield f"* {_at(epoch(line[1]))}: {_plain(what)} {'ended: ' if line[5] else ''}{ended}"


def _finding(finding: Json) -> str:
    label = words.label(finding["module"], finding["instance"])
    return f"{finding['severity']} `{_code(finding['key'])}` on {_plain(label)}"


def _action(action: Json) -> str:
    label = words.label(action["module"], action["instance"])
    guard = f" by the guard {_plain(action['guard'])}" if action.get("guard") else ""
    helped = "**" if action["result"] in HELPED else ""
    result = action["result"].replace("_", " ")
    return f"{_plain(action['remedy'])} of {_plain(label)}: {helped}{_plain(result)}{helped}{guard}"


def _at(moment: float) -> str:
    return words.moment(words.iso(moment))


def _plain(text: object) -> str:
    """Text of a host, in which nothing is Markdown or HTML."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~&-])", r"\\\1", words.clean(text))


def _code(text: object) -> str:
    return words.clean(text).replace("`", "'")
