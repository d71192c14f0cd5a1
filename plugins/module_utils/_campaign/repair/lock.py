# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Taking, keeping and giving back the lock of a host; the rules are in record/lock.py."""

import json
import os
import time

from ..host import proc
from ..record import lock as rules

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Callable, Dict, Optional, Tuple

    from ..record.store import Store

    Entry = Dict[str, Any]
    Held = Tuple[Entry, str, float]  # entry, state, last sign of life

BEAT_SECONDS = 20.0


class Lock:
    """One run at a time on this host. A file, so that it outlasts the module's process between the
    steps of a run.

    me: the run, its name for this host, and its controller: see rules.judge.
    """

    def __init__(
        self,
        store: "Store",
        me: "Entry",
        who: str,
        origin: str,
        clock: "Callable[[], float]" = time.time,
    ) -> None:
        self.store = store
        self.me = me
        self.who = who
        self.origin = origin
        self.step = ""  # the current step, for runs that wait
        self.mine = False  # this call took it
# From which run (its entry) this call took over, and why.
        self.over: "Optional[Tuple[Entry, str]]" = None
        self._clock = clock
        self._beaten = 0.0

    def look(self) -> "Tuple[Optional[Entry], str, float]":
        """(entry, state, last sign of life) of the lock as it is."""
        entry = rules.read(self.store)
        sign = rules.last_sign(self.store, entry) if entry else 0.0
        lives = entry is not None and rules.step_lives(entry)
        return entry, rules.judge(entry, self.me, self._clock(), sign, lives), sign

    def holder(self) -> "Optional[Entry]":
        """The entry of another run that holds it, None if it is free or ours."""
        entry, state, dummy = self.look()
        return None if state in rules.OPEN else entry

    def describe(self, entry: "Entry", state: str, sign: float) -> str:
        return rules.describe(entry, state, self._clock(), sign)

    def take(self, scope: str, force: bool = False) -> "Optional[Held]":
        """Take or join it; (entry, state, sign) of who holds it if that cannot be."""
        with self.store.mutex():
            entry, state, sign = self.look()
            if entry and state not in rules.OPEN and not force:
                return entry, state, sign
            if entry is None or state != rules.OURS:
                if entry:
                    self.over = entry, rules.why_over(entry, state, self._clock(), sign)
                    self._forget_sign(entry)
                self.mine = True
                entry = self._new(scope)
            self._write(dict(entry, **self._process()))
        return None

    def _new(self, scope: str) -> "Entry":
        entry: "Entry" = {
            "run": self.me["run"], "host": self.me.get("host") or "", "who": self.who,
            "from": self.origin, "controller": self.me.get("controller"), "scope": scope,
            "since": self._clock(), "sign": None,
        }  # fmt: skip
        if scope == "run":
            entry["sign"] = rules.new_sign()
            self.store.replace(entry["sign"], b"")
        return entry

    def _process(self) -> "Entry":
        """What a step that begins writes into it."""
        return {
            "pid": os.getpid(), "pid_start": proc.start_of(os.getpid()), "boot": rules.boot(),
            "step": self.step, "waiting": False,
        }  # fmt: skip

    def _write(self, entry: "Entry") -> None:
        self._beaten = self._clock()
        entry["beat"] = self._beaten
        self.store.replace(rules.LOCK, json.dumps(entry, sort_keys=True).encode("ascii") + b"\n")

    def _forget_sign(self, entry: "Entry") -> None:
        name = rules.sign_name(entry)
        if name:
            self.store.remove(name)

    def _change(self, **values: "Any") -> bool:
        """Change our entry; False if it is no longer ours."""
        with self.store.mutex():
            entry = rules.read(self.store)
            if not entry or not rules.is_ours(entry, self.me):
                return False
            self._write(dict(entry, **values))
        return True

    def beat(self) -> bool:
        """A sign of life, now and then; False if the lock is no longer ours."""
        if self._clock() - self._beaten < BEAT_SECONDS:
            return True
        return self._change()

    def rest(self) -> bool:
        """From here on this call only waits: a run that may take over need not wait for its end."""
        return self._change(waiting=True)

    def resume(self) -> bool:
        """About to change something again; False if the lock is no longer ours."""
        return self._change(**self._process())

    def sign_path(self) -> "Optional[str]":
        """Where a sign of life of this run can be given, None if it cannot."""
        entry = rules.read(self.store)
        name = rules.sign_name(entry) if entry and rules.is_ours(entry, self.me) else None
        return self.store.join(name) if name else None

    def leave(self, close: bool) -> None:
        """This call ends; the lock ends with it (close), or stays with the run."""
        with self.store.mutex():
            entry = rules.read(self.store)
            if not entry or not rules.is_ours(entry, self.me):
                return
            if close:
                self.store.remove(rules.LOCK)
                self._forget_sign(entry)
            else:
                # From here on the run has it, and no longer this one call.
                kept = {"pid": None, "pid_start": None, "waiting": False, "step": ""}
                self._write(dict(entry, scope="run", **kept))

    def free(self) -> "Optional[Entry]":
        """Remove it, whichever run holds it; its entry, or None."""
        with self.store.mutex():
            entry = rules.read(self.store)
            if entry:
                self.store.remove(rules.LOCK)
                self._forget_sign(entry)
        return entry


def identity(controller: "Optional[Entry]", run: str) -> "Entry":
    """Who this run is for the lock and the ledger: see rules.judge."""
    told = controller or {}
    process = dict((name, told.get(name)) for name in rules.CONTROLLER)
    return {
        "run": run,
        "host": told.get("called") or "",
        "controller": process if rules.is_controller(process) else None,
        "gone": told.get("gone") or [],
        "living": told.get("living") or [],
    }


def told_of(entry: "Entry") -> "Entry":
    """What the controller learns about the run that has the host."""
    names = ("run", "host", "who", "from", "since", "controller", "scope")
    return dict((name, entry.get(name)) for name in names)
