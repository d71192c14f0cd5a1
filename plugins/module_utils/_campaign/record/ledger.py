# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The state directory on the host, and the ledger in it: what was done to this server.

The ledger is the one place for each fact of the past: the restart budget, interrupted repairs,
raised log precisions and reloads are derived from its lines by the functions at the end.
"""

import json
import os
import time

from ..console import unknown_task
from ..names import DEFAULT
from ..text import clean, mask_arguments
from .lock import is_time, stamp
from .store import MAX_BYTES, Store, StoreError

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Tuple

    Entry = Dict[str, Any]

__all__ = ["Store", "StoreError"]  # for who works with the ledger

NAME = "ledger.jsonl"
KEPT = 5  # rotated files, ledger.1.jsonl being the youngest
END_BYTES = 256 * 1024  # of the ledger, for a quick look
ENTRIES = 20  # in a list of the summary
ANSWERED = 500  # repairs of findings there, the newest
ANSWERED_SECONDS = 30 * 86400.0  # how far they reach back
ID_LIMIT = 300  # of a finding's id
TEXT_LIMIT = 1000
TAKEN = "taken_over"  # `former` lost the host: to the run of the line, or by unlocking
PAUSED, RESUMED = "paused", "resumed"
EVENTS = ("run_opened", "begun", "ended", "refused", "run_closed", TAKEN, PAUSED, RESUMED)
RESULTS = ("done", "failed", "refused", "unchanged", "interrupted")
FIELDS = (
    "at", "run", "event", "module", "instance", "remedy", "state", "because", "who", "from",
    "command", "result", "reason", "before", "after", "seconds", "precision", "restart", "inside",
    "whole_server", "host", "former",
)  # fmt: skip
# From fixed lists, or checked: a password that is the same word must not make them unreadable.
STRUCTURE = ("run", "event", "module", "instance", "result", "state", "precision", "former")


class Ledger:
    """Appends lines, and reads them all, oldest first."""

    def __init__(self, store: Store, clock: "Callable[[], float]" = time.time) -> None:
        self.store = store
        self.cut = False  # the last lines are not all that there are
        self._clock = clock

    def append(self, event: str, scrub: "Callable[[str], str]" = clean, **values: "Any") -> "Entry":
        """Write one line to the disk; StoreError if that cannot be. The line as written."""
        entry: "Entry" = dict((name, None) for name in FIELDS)
        entry.update(at=round(self._clock(), 3), event=event, module="", instance=DEFAULT)
        entry.update(because=[], command=[])
        entry.update(values)
        entry["command"] = [mask_arguments(command) for command in entry["command"]]
        for name in FIELDS:
            if name not in STRUCTURE:
                entry[name] = _scrubbed(entry[name], scrub)
        data = json.dumps(entry, sort_keys=True).encode("ascii") + b"\n"
        with self.store.mutex():
            self._rotate(len(data))
            self._write(data)
        return entry

    def _write(self, data: bytes) -> None:
        path = self.store.join(NAME)
        try:
            descriptor = self.store.open(NAME, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        except OSError as error:
            raise self.store.error("write", error, path) from None
        size = None
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                data = b"\n" + data  # a writer was killed within its line
            written = 0
            while written < len(data):
                written += os.write(descriptor, data[written:])
            os.fsync(descriptor)
        except OSError as error:
            if size is not None:
                os.ftruncate(descriptor, size)
            raise self.store.error("write", error, path) from None
        finally:
            os.close(descriptor)

    def _rotate(self, more: int) -> None:
        try:
            size = os.lstat(self.store.join(NAME)).st_size
        except OSError:
            return
        if size + more <= MAX_BYTES:
            return
        try:
            for number in range(KEPT, 0, -1):
                older = self.store.join(file_name(number))
                younger = self.store.join(file_name(number - 1))
                if os.path.lexists(younger):
                    os.rename(younger, older)
        except OSError as error:
            raise self.store.error("rotate", error, self.store.join(NAME)) from None

    def lines(self) -> "List[Entry]":
        """Every complete line."""
        return _entries(
            self.store.read(file_name(number)) or b"" for number in range(KEPT, -1, -1)
        )

    def last_lines(self, limit: int = END_BYTES) -> "List[Entry]":
        """The last of them: so many bytes, also of rotated files."""
        parts: "List[bytes]" = []
        for number in range(KEPT + 1):
            data = self.store.read(file_name(number), limit, end=True)
            if data is None or limit <= 0:
                break
            parts.insert(0, data)
            limit -= len(data)
        self.cut = limit <= 0
        return _entries(parts)


def _entries(parts: "Iterable[bytes]") -> "List[Entry]":
    """The ledger's lines in the contents of files; foreign lines are left out."""
    found = []
    for data in parts:
        for line in data.splitlines():
            try:
                entry = json.loads(line.decode("utf-8"))
            except (ValueError, RecursionError):
                continue  # cut by a crash
            if is_line(entry):
                found.append(entry)
    return found


def is_line(entry: "Any") -> bool:
    """Is it a line as Ledger.append writes it, as far as the code relies on it?"""
    if not isinstance(entry, dict) or entry.get("event") not in EVENTS:
        return False
    if not is_time(entry.get("at")):
        return False
    texts = [entry.get(name) for name in ("module", "instance")]
    names = ("run", "remedy", "state", "result", "who", "from", "host", "reason", "inside")
    maybe = [entry.get(name) for name in names]
    former = entry.get("former")
    return (
        all(isinstance(text, str) for text in texts)
        and all(text is None or isinstance(text, str) for text in maybe)
        and (entry.get("seconds") is None or is_time(entry["seconds"]))
        and is_precision(entry.get("precision"))
        and (former is None or (isinstance(former, dict) and isinstance(former.get("run"), str)))
    )


def is_precision(value: "Any") -> bool:
    """Nothing, or a log precision with its end and its filters."""
    if value is None:
        return True
    return (
        isinstance(value, dict)
        and isinstance(value.get("value"), str)
        and (value.get("until") is None or is_time(value["until"]))
    )


def _scrubbed(value: "Any", scrub: "Callable[[str], str]") -> "Any":
    """The same without passwords in any text, however deep."""
    if isinstance(value, dict):
        return dict((key, _scrubbed(value[key], scrub)) for key in value)
    if isinstance(value, (list, tuple)):
        return [_scrubbed(each, scrub) for each in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return scrub(str(value))[:TEXT_LIMIT]


def in_words(entry: "Entry") -> str:
    """One line for people, clean of what a terminal would take as a command."""
    where = "%s@%s" % (entry["module"] or "host", entry["instance"])
    words = [stamp(entry["at"]), entry.get("run"), entry["event"], where, entry.get("remedy")]
    words += [entry.get("result"), entry.get("reason")]
    return clean(" ".join(word for word in words if word), 300)


def file_name(number: int) -> str:
    return NAME if number == 0 else "ledger.%d.jsonl" % number


# ----------------------------------------------------------------- derived from the lines


def _key(entry: "Entry") -> "Tuple[str, ...]":
    names = ("run", "host", "module", "instance", "remedy")
    return tuple(entry.get(name) or "" for name in names)


def is_by(entry: "Entry", me: "Entry") -> bool:
    """Is a line by this run? The same run under another name of the host is another."""
    return (entry.get("run"), entry.get("host") or "") == (me["run"], me.get("host") or "")


def lost(lines: "Iterable[Entry]", me: "Entry") -> "Optional[Entry]":
    """The line that says that this run lost the host after opening it, or None."""
    found = None
    for entry in lines:
        if entry["event"] == "run_opened" and is_by(entry, me):
            found = None
        elif entry["event"] == TAKEN and is_by(entry.get("former") or {}, me):
            found = entry
    return found


def done_by(lines: "Iterable[Entry]", me: "Entry") -> "List[Entry]":
    """What the same run has done to this server under other names of it."""
    names = ("module", "instance", "remedy", "host")
    return [
        dict((name, entry.get(name)) for name in names)
        for entry in lines
        if entry["event"] == "ended" and entry.get("result") == "done"
        and entry.get("run") == me["run"] and not is_by(entry, me) and not entry.get("inside")
    ]  # fmt: skip


def is_of(entry: "Entry", module: str, instance: str) -> bool:
    return (entry.get("module"), entry.get("instance")) == (module, instance)


def open_repairs(lines: "Iterable[Entry]") -> "List[Entry]":
    """The `begun` lines that no `ended` line follows. A repair and the steps inside it may differ
    in nothing but that.
    """
    waiting: "List[Entry]" = []
    for entry in lines:
        if entry["event"] == "begun":
            waiting.append(entry)
        elif entry["event"] == "ended":
            same = [begun for begun in reversed(waiting) if _key(begun) == _key(entry)]
            exact = [begun for begun in same if begun.get("inside") == entry.get("inside")]
            for begun in (exact or same)[:1]:
                waiting.remove(begun)
    return waiting


def restarts(lines: "Iterable[Entry]", module: str, instance: str, since: float) -> "List[float]":
    """When we (re)started that module since then. Steps inside a repair count with it, the server's own
    daily restart is not in the ledger, and a step that changed nothing is none."""
    times: "List[float]" = []
    waiting: "List[Entry]" = []
    for entry in lines:
        if not is_of(entry, module, instance) or entry.get("inside"):
            continue
        if entry["event"] == "begun" and entry.get("restart"):
            times.append(entry["at"])
            waiting.append(entry)
        elif entry["event"] == "ended":
            for begun in reversed(waiting):
                if _key(begun) == _key(entry):
                    waiting.remove(begun)
                    if entry.get("result") in ("unchanged", "refused"):
                        times.remove(begun["at"])
                    break
    return [at for at in times if at >= since]


def renewals(lines: "Iterable[Entry]") -> "List[Entry]":
    """The last start of ours that went well, of each module and of the whole server."""
    found: "Dict[Tuple[str, str], Entry]" = {}
    begun: "Dict[Tuple[str, ...], Entry]" = {}
    for entry in lines:
        if entry.get("inside"):
            continue
        if entry["event"] == "begun" and (entry.get("restart") or entry.get("whole_server")):
            begun[_key(entry)] = entry
        elif entry["event"] == "ended":
            start = begun.pop(_key(entry), None)
            if start and entry.get("result") == "done":
                found[(start["module"], start["instance"])] = {
                    "module": start["module"],
                    "instance": start["instance"],
                    "whole_server": bool(start.get("whole_server")),
                    "at": start["at"],
                    "ended_at": entry["at"],
                }
    return [found[key] for key in sorted(found)]


def repairs(lines: "Iterable[Entry]") -> "List[Entry]":
    """The last end of each successful remedy: the problem is over since then."""
    found: "Dict[Tuple[str, ...], Entry]" = {}
    for entry in lines:
        done = entry["event"] == "ended" and entry.get("result") == "done"
        if done and entry.get("remedy") and not entry.get("inside"):
            key = (entry["module"], entry["instance"], entry["remedy"])
            found[key] = {
                "module": key[0], "instance": key[1], "remedy": key[2], "at": entry["at"],
            }  # fmt: skip
    return [found[key] for key in sorted(found)][-ENTRIES:]


def answered(lines: "Iterable[Entry]", since: float) -> "List[Entry]":
    """Which findings runs of ours have repaired since then, the newest last. The rungs of a ladder
    are one repair, that of the last one: a run repairs a finding once.
    """
    found: "Dict[Tuple[str, str], Entry]" = {}
    for entry in lines:
        done = entry["event"] == "ended" and entry.get("result") == "done"
        because = entry.get("because")
        if not done or entry.get("inside") or entry["at"] < since or not isinstance(because, list):
            continue
        for name in because[:ANSWERED]:
            if isinstance(name, str) and len(name) <= ID_LIMIT:
                told = {"id": name, "at": entry["at"], "remedy": entry.get("remedy") or ""}
                found[(name, entry.get("run") or "")] = told
    return sorted(found.values(), key=lambda told: told["at"])[-ANSWERED:]


def precisions(lines: "Iterable[Entry]") -> "List[Entry]":
    """The log precisions that we raised and did not restore: one entry a module."""
    raised: "Dict[Tuple[str, str], Entry]" = {}
    for entry in lines:
        precision = entry.get("precision")
        if entry["event"] != "ended" or not precision or entry.get("result") == "failed":
            continue
        key = (entry["module"], entry["instance"])
        raised.pop(key, None)
        if precision.get("value") != "standard":
            raised[key] = dict(
                precision, module=key[0], instance=key[1], at=entry["at"], who=entry.get("who")
            )
    return list(raised.values())


def reloads(lines: "Iterable[Entry]") -> "Dict[Tuple[str, str], float]":
    """When we last had a module reload: {(module, instance): at}, before it read anything."""
    return dict(
        ((entry["module"], entry["instance"]), entry["at"] - (entry.get("seconds") or 0))
        for entry in lines
        if entry["event"] == "ended"
        and entry.get("state") == "reloaded"
        and entry.get("result") == "done"
    )


def unknown(lines: "Iterable[Entry]", since: float) -> "List[Entry]":
    """The starts of ours that the server answered with not knowing the module, the last of each."""
    found: "Dict[Tuple[str, str], Entry]" = {}
    for entry in lines:
        if entry["event"] != "ended":
            continue
        key = (entry["module"], entry["instance"])
        name = unknown_task(str(entry.get("reason") or ""))
        found.pop(key, None)  # what came later counts
        if name and entry.get("result") == "failed" and entry["at"] >= since:
            found[key] = {"module": key[0], "instance": key[1], "name": name, "at": entry["at"]}
    return [found[key] for key in sorted(found)]


def summary(
    lines: "Sequence[Entry]",
    now: float,
    window_seconds: float = 3600.0,
    running: "Optional[Entry]" = None,
    step: bool = False,
    paused: "Optional[Entry]" = None,
    cut: bool = False,
) -> "Dict[str, List[Any]]":
    """All of it as plain data, for a snapshot. running: the lock's entry of the run that has the
    host, None without one; step: whether a process of it is running; paused: see pause.look; cut:
    whether there are earlier lines.
    """

    def goes_on(entry: "Entry") -> bool:
        # What campaign_module begins, the same process ends. What campaign_guard begins stays open.
        if not running:
            return False
        return is_by(entry, running) and (step or not entry.get("state"))

    keys = sorted(set((e["module"], e["instance"]) for e in lines if e["event"] == "begun"))
    counted = [(key, restarts(lines, key[0], key[1], now - window_seconds)) for key in keys]
    names = ("at", "run", "module", "instance", "remedy", "who", "from")
    return {
        "answered": answered(lines, now - ANSWERED_SECONDS),
        "begins": [lines[0]["at"] if lines else now] if cut else [],
        "interrupted": [
            dict((name, entry.get(name)) for name in names)
            for entry in open_repairs(lines)
            if not entry.get("inside") and not goes_on(entry)
        ][-ENTRIES:],
        "paused": [paused] if paused else [],
        "precisions": precisions(lines),
        "reloads": [
            {"module": key[0], "instance": key[1], "at": at}
            for key, at in sorted(reloads(lines).items())
        ],
        "renewals": renewals(lines),
        "unknown": unknown(lines, now - window_seconds),
        "repairs": repairs(lines),
        "restarts": [
            {"module": key[0], "instance": key[1], "times": times[-ENTRIES:]}
            for key, times in counted
            if times
        ],
    }
