# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the playbooks ask of a host around their remedies: see campaign_guard."""

import time

from ..errors import InputError
from ..names import DEFAULT
from ..record import evidence, ledger, lock as rules, pause
from . import control, guard, in_flight
from .interrupted import FINISH

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Dict, List, Optional

    Entry = Dict[str, Any]

STATES = ["looked", "opened", "begun", "ended", "closed", "shown", "freed", "paused", "resumed"]
WITHOUT_RUN = ("looked", "opened", "shown", "freed", "paused", "resumed")
LAST_LINES = 10


def blank_result() -> "Entry":
    """The result when nothing has been done yet."""
    return {"changed": False, "refused": False, "guard": None, "evidence": None}


class Call:
    """One call, with what all of them share."""

    def __init__(self, options: "Entry", check_mode: bool, result: "Entry") -> None:
        self.options = options
        self.result = result
        self.module, self.instance = options["module"], options["instance"]
        if options["state"] not in WITHOUT_RUN and not options["run"]:
            raise InputError("state: %s needs run, as state: opened returned it."
                             % options["state"])
        if options["state"] in ("begun", "ended") and not options["remedy"]:
            raise InputError("state: %s needs remedy, the name of the remedy." % options["state"])
        self.pause_seconds = 0.0
        if options["state"] == "paused":
            self.pause_seconds = pause.seconds(options["pause_for"])
            options["reason"] = pause.reason(options["reason"])
        self.difference = "", ""  # before and after, of what belongs to the guards themselves
        self.state_before, self.seconds = options["before"], options["seconds"]
        self.state_after = options["after"]
        self.context = guard.open_context(options)
        if self.module:
            guard.check_subject(self.context, self.module, self.instance)
        self.guarded = guard.GuardedChange(self.context, check_mode)
        result.update(
            run=self.guarded.run,
            state_dir=self.guarded.store.path,
            interrupted=self.guarded.interrupted,
        )

    def line(self) -> "Entry":
        """What every line of the ledger says of this remedy."""
        options = self.options
        names = ("module", "instance", "remedy", "because")
        line = dict((name, options[name]) for name in names)
        line.update(before=self.state_before, after=self.state_after, seconds=self.seconds)
        line["command"] = [[str(word) for word in command] for command in options["commands"]]
        return line

    def run(self) -> None:
        """Do it."""
        guarded = self.guarded
        try:
            self.result["msg"] = getattr(self, self.options["state"])()
        except guard.Refused as refused:
            if self.options["state"] == "begun":
                guarded.note("refused", result="refused", reason=str(refused), **self.line())
            raise
        finally:
            self.result.update(evidence=guarded.evidence, taken_over=guarded.taken_over)
        now = time.time()
        self.result["precisions"] = [
            dict(entry, expired=bool(entry.get("until") and entry["until"] < now))
            for entry in ledger.precisions(guarded.lines())
        ]

    def looked(self) -> str:
        """Nothing begins."""
        work = in_flight.in_flight(self.context, "watchdog", DEFAULT)
        for entry in work:
            entry["what"] = self.guarded.scrub(entry["what"])
        self.result["work"] = work
        found = in_flight.describe_work(work)
        return "Work in progress: %s." % found if found else "No work in progress."

    def opened(self) -> str:
        """The run begins."""
        self.result["sibling"] = False
        siblings = self.options["other_names"] == "wait"
        try:
            self.result["waited"] = round(self.guarded.enter("run", siblings), 3)
        except guard.Refused as refused:
            self.result["sibling"] = (refused.holder or {}).get("state") == rules.SIBLING
            raise
        self.result["done_elsewhere"] = ledger.done_by(self.guarded.lines(), self.guarded.me)
        try:
            self.result["meanwhile"] = self.others_since(self.options["since"])
            if self.options["evidence"] and not self.guarded.check_mode:
                self.guarded.keep_evidence("", DEFAULT)
            self.guarded.write(
                "run_opened", because=self.options["because"], reason=self.options["reason"]
            )
        except guard.Refused:
            self.guarded.leave()
            raise
        self.guarded.leave(keep=True)
        self.result["sign"] = None if self.guarded.check_mode else self.guarded.lock.sign_path()
        return "The run %s has this host." % self.guarded.run

    def others_since(self, since: "Optional[float]") -> "List[str]":
        """Other runs that have changed something here since then."""
        if since is None:
            return []
        return sorted(set(
            line["run"] for line in self.guarded.lines()
            if line["at"] > since and line["run"] and line.get("result") != "interrupted"
            and not ledger.is_by(line, self.guarded.me)
        ))  # fmt: skip

    def shown(self) -> str:
        """Who has this host."""
        return self.guarded.show(self.result, LAST_LINES)

    def freed(self) -> str:
        """Remove the lock."""
        self.shown()
        entry = self.guarded.free()
        self.result["changed"] = bool(entry)
        if not entry:
            return "No run holds the lock of this host."
        self.difference = "held by %s\n" % rules.name_run(entry), "free\n"
        verb = "would be" if self.guarded.check_mode else "was"
        return "The lock of %s %s removed." % (rules.name_run(entry), verb)

    def paused(self) -> str:
        """Nothing more begins here for a while. No lock is needed: a run that is at work here must
        not keep an operator from it."""
        guarded, now = self.guarded, time.time()
        guarded.settle(write=False)
        entry = {
            "since": now, "until": now + self.pause_seconds, "who": guarded.who,
            "from": guarded.origin, "reason": guarded.scrub(self.options["reason"]),
        }  # fmt: skip
        if guarded.check_mode:
            before = pause.look(guarded.store, now)
        else:
            guarded.store.prepare()
            before = pause.write(guarded.store, entry, now)
        after = dict(entry, unknown=None)
        verb = "would be" if guarded.check_mode else "are"
        said = "Repairs %s paused on this host %s." % (verb, pause.terms(after))
        guarded.note(ledger.PAUSED, reason=said)
        self.result.update(changed=True, pause=after, replaced=before)
        self.difference = pause.in_words(before) + "\n", said + "\n"
        if before:
            said += " This replaces the pause %s." % pause.terms(before)
        holder = guarded.lock.holder()
        if holder:
            said += (
                " This host is held by %s: a repair that it has begun goes on to its end, and no"
                " other begins." % rules.name_run(holder)
            )
        if any(entry["unfinished"] for entry in guarded.interrupted):
            said += " What an interrupted repair has stopped is not started again until then."
        return said

    def resumed(self) -> str:
        """The pause ends."""
        guarded, now = self.guarded, time.time()
        before = pause.look(guarded.store, now)
        if before and not guarded.check_mode:
            before = pause.end(guarded.store, now)
        self.result.update(changed=bool(before), pause=None, replaced=before)
        if not before:
            return pause.in_words(None)
        verb = "would be" if guarded.check_mode else "was"
        said = "The pause of this host %s ended. It held %s." % (verb, pause.terms(before))
        self.difference = pause.in_words(before) + "\n", pause.in_words(None) + "\n"
        guarded.note(ledger.RESUMED, reason=said)
        return said

    def begun(self) -> str:
        """A remedy begins."""
        guarded = self.guarded
        whole = self.options["whole_server"]
        restart = self.options["restart"] and bool(self.module)
        guarded.enter("run")
        self.state_before = self.result["before"] = self.state_before or self.look()
        try:
            if not guarded.inside(self.module, self.instance):
                self.ask(restart, whole)
            guarded.write("begun", restart=restart, whole_server=whole, **self.line())
        except guard.Refused:
            guarded.leave()
            raise
        guarded.leave(keep=True)
        return "%s of %s@%s has begun." % (
            self.options["remedy"], self.module or "host", self.instance
        )  # fmt: skip

    def look(self) -> "Optional[Entry]":
        """The module as it is; the host has no process."""
        if not self.module:
            return None
        return control.observe(self.context, self.module, self.instance)

    def ask(self, restart: bool, whole: bool) -> None:
        """The guards: first the whole server's work, so that evidence is taken once."""
        guarded = self.guarded
        if whole:
            guarded.check_in_flight("watchdog", DEFAULT)
        runs = restart and guarded.present(self.module, self.instance)["pid"]
        guarded.check(self.module, self.instance, restart, bool(runs) and not whole)

    def ended(self) -> str:
        """A remedy has ended. A failure to record it is only a warning."""
        begun = self.guarded.open_repair(self.module, self.instance, self.options["remedy"])
        if begun:
            self.state_before = self.state_before or begun.get("before")
            if self.seconds is None:
                self.seconds = round(max(0.0, time.time() - begun["at"]), 3)
        before, after = self.state_before, self.state_after or self.look()
        self.state_after = after
        self.result.update(before=before, after=after, seconds=self.seconds, left="unknown")
        seen = [state for state in (before, after) if state and set(control.KEPT) <= set(state)]
        if len(seen) == 2:
            self.result["left"] = control.state_after(*seen)
        line = dict(self.line(), result=self.options["result"], reason=self.options["reason"])
        self.guarded.note("ended", **line)
        if self.options["remedy"] == FINISH and self.options["result"] == "done":
            self.guarded.settle(write=not self.guarded.check_mode, finished=True)
        self.guarded.leave(keep=True)
        return "%s of %s@%s has ended: %s." % (
            self.options["remedy"], self.module or "host", self.instance, self.options["result"]
        )  # fmt: skip

    def closed(self) -> str:
        """The run ends."""
        self.guarded.settle(own=True)
        self.guarded.note("run_closed", reason=self.options["reason"])
        self.guarded.leave(close=True)
        if self.options["fetch"]:
            self.result["packed"] = evidence.packed(self.guarded.store, self.options["fetch"])
        return "The run %s gave this host back." % self.guarded.run

    def diff(self) -> "Dict[str, str]":
        """What a lock that is removed or a pause changes; all else changes nothing."""
        return dict(zip(("before", "after"), self.difference))
