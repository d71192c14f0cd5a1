# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The guards before a change (lock of the host, pause, restart budget, work in flight,
evidence) and its lines in the ledger. Every refusal says what would let it pass."""

import os
import re
import socket
import time

from .. import options as shared_options
from ..account import child as account_child, probes as account_probes
from ..errors import InputError, ProbeError
from ..host import proc
from ..names import DEFAULT, PER_INSTANCE, SHARED, UTILITIES
from ..record import evidence, journal, ledger, lock as rules, pause
from ..record.state_dir import default_state_dir
from ..snapshot import collect as snapshot, shapes
from ..snapshot.probes import Context
from ..text import user_name
from .in_flight import describe_work, in_flight
from .interrupted import FINISH, unfinished
from .lock import Lock, identity, told_of

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Callable, Dict, List, Optional, TypeVar

    from .lock import Held

    Entry = Dict[str, Any]
    T = TypeVar("T")

INSTALLATION = dict((name, shapes.ACCOUNT[name]) for name in ("environment", "configuration"))
LOCK = rules.LOCK
POLL_SECONDS = 0.25
PROBE_SECONDS = 10.0  # for read-only probes
CONTROLLER = {
    "host": dict(type="str", required=True),
    "boot": dict(type="str", required=True),
    "space": dict(type="str", required=True),
    "pid": dict(type="int", required=True),
    "start": dict(type="int", required=True),
    "called": dict(type="str", required=True),
    "gone": dict(type="list", elements="str", default=[]),
    "living": dict(type="list", elements="str", default=[]),
}
_RUN = re.compile(r"^[\w.:@+-]{1,100}$")
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class Refused(Exception):
    """A guard refuses: which, why, and what would let it pass. holder: the run that has the host."""

    def __init__(
        self, guard: str, why: str, way_out: str, holder: "Optional[Entry]" = None
    ) -> None:
        super().__init__("%s %s" % (why, way_out))
        self.holder = holder
        self.guard = guard
        self.why = why
        self.way_out = way_out


def argument_spec() -> "Dict[str, Entry]":
    """The options of every module that changes something (doc fragments `server`, `guards`)."""
    spec = shared_options.server()
    spec.update({
        "in_flight": dict(type="str", default="refuse", choices=["refuse", "wait", "ignore"]),
        "in_flight_timeout": dict(type="float", default=300),
        "restart_budget": dict(type="int", default=3),
        "restart_budget_minutes": dict(type="float", default=60),
        "lock_timeout": dict(type="float", default=20),
        "command_timeout": dict(type="float", default=60),
        "evidence": dict(type="bool", default=True),
        "evidence_keep": dict(type="int", default=20),
        "evidence_days": dict(type="float", default=30),
        "evidence_max_mb": dict(type="float", default=5),
        "remedy": dict(type="str", default=""),
        "because": dict(type="list", elements="str", default=[]),
        "who": dict(type="str", default=""),
        "from": dict(type="str", default="", aliases=["origin"]),
        "run": dict(type="str", default=""),
        "accept_lost_work": dict(type="bool", default=False),
        "accept_restart_loop": dict(type="bool", default=False),
        "accept_no_evidence": dict(type="bool", default=False),
        "accept_no_record": dict(type="bool", default=False),
        "accept_other_run": dict(type="bool", default=False),
        "accept_pause": dict(type="bool", default=False),
        "controller": dict(type="dict", options=CONTROLLER),
    })  # fmt: skip
    return spec


def check_options(options: "Entry") -> None:
    """What an argument specification cannot say."""
    for name in ("home", "state_dir"):
        if options[name] and not os.path.isabs(options[name]):
            raise InputError("%s must be an absolute path, not '%s'." % (name, options[name]))
    bounds = (
        ("in_flight_timeout", 0, 86400),
        ("restart_budget", 0, 1000),
        ("restart_budget_minutes", 1, 10080),
        ("lock_timeout", 0, 3600),
        ("command_timeout", 1, 3600),
        ("evidence_keep", 1, 10000),
        ("evidence_days", 0.01, 3650),
        ("evidence_max_mb", 0.1, 5),
    )
    for name, low, high in bounds:
        if not low <= options[name] <= high:
            raise InputError("%s must be %g to %g." % (name, low, high))
    if options["run"] and not _RUN.match(options["run"]):
        raise InputError("run must be up to 100 letters, digits and . : @ + - _.")


def check_subject(context: Context, module: str, instance: str) -> None:
    """Is that module of that instance one that this server can have?"""
    known = context.configuration["instances"]
    if module in SHARED:
        if instance != DEFAULT:
            raise InputError(
                "%s runs once for all instances: leave out instance (it is '%s', not '%s')."
                % (module, DEFAULT, instance)
            )
    elif module in PER_INSTANCE + UTILITIES:
        others = [name for name in known if name != DEFAULT]
        if instance not in others:
            raise InputError(
                "%s belongs to an instance: set instance to one of this server's instances (%s)."
                % (module, ", ".join(others) or "none has a configuration file")
            )


def duration(text: str) -> "Optional[float]":
    """Seconds of `30m`, `2h`, `90s`, `1d`; None for nothing."""
    text = text.strip()
    if not text:
        return None
    found = re.match(r"^(\d+(?:\.\d+)?)\s*([smhd])$", text)
    if not found or not float(found.group(1)):
        raise InputError("precision_for must be like 90s, 30m, 2h or 1d, not '%s'." % text)
    return float(found.group(1)) * _UNITS[found.group(2)]


def open_context(options: "Entry") -> Context:
    """The server as the probes of campaign_info see it: environment and configuration read.

    Raises InputError for what the caller must put right, ProbeError where the host does not
    answer.
    """
    check_options(options)
    missing = InputError(
        "There is no Campaign server in %s (no bin/nlserver): check the option home."
        % options["home"]
    )
    try:
        account = snapshot.find_account(options)
    except InputError:
        if not snapshot.installed(options):
            raise missing from None
        raise
    probing = {"probe_timeout": min(options["command_timeout"], PROBE_SECONDS)}
    probing.update(syslogd_port=0, front_service="")
    context = Context(dict(options, **probing), account)
    there = context.ask(lambda dummy: account_child.installed(options), ready=False)
    if there is None:
        raise snapshot.hidden(options, account.name)
    if not there:
        raise missing
    found = context.ask(account_probes.read_installation, context.limit, INSTALLATION, ready=False)
    context.environment = found["environment"]
    context.configuration = found["configuration"]
    context.instances = context.configuration["instances"]
    return context


def store_of(context: Context) -> ledger.Store:
    return ledger.Store(context.options["state_dir"] or default_state_dir(context.home))


# ---------------------------------------------------------------------- a guarded change


def new_run(now: float) -> str:
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    return "%s-%s" % (stamp, "".join("%02x" % byte for byte in os.urandom(3)))


class GuardedChange:
    """A change within a run: guards before it, lines of the ledger around it. In check mode it only looks."""

    def __init__(
        self,
        context: Context,
        check_mode: bool = False,
        clock: "Callable[[], float]" = time.time,
        sleep: "Callable[[float], object]" = time.sleep,
    ) -> None:
        self.context = context
        self.options = context.options
        self.check_mode = check_mode
        self.store = store_of(context)
        self.ledger = ledger.Ledger(self.store, clock)
        self.scrub = evidence.Scrubber(context)
        self.run: str = self.options["run"] or new_run(clock())
        self.who = self.options["who"] or os.environ.get("SUDO_USER") or user_name(os.getuid())
        self.origin = self.options["from"] or _origin()
        self.me = identity(self.options.get("controller"), self.run)
        self.lock = Lock(self.store, self.me, self.who, self.origin, clock)
        self.warnings: "List[str]" = []
        self.taken_over = ""
        self.interrupted: "List[Entry]" = []
        self.evidence: "Optional[str]" = None
        self._clock = clock
        self._sleep = sleep

    # ------------------------------------------------------------------ record, or not

    def _recorded(self, function: "Callable[[], T]") -> "Optional[T]":
        """Call a function that needs the state directory; its failure is a refusal, unless accepted."""
        try:
            return function()
        except ledger.StoreError as error:
            if self.options["accept_no_record"]:
                self.warnings.append("Not recorded: %s" % error)
                return None
            raise Refused(
                "record", "The ledger and the lock of this host cannot be written: %s" % error,
                "Fix this, choose another state_dir, or set accept_no_record: true to continue"
                " without ledger, restart budget and lock.",
            ) from None  # fmt: skip

    def lines(self) -> "List[Entry]":
        """All lines of the ledger."""
        return self._recorded(self.ledger.lines) or []

    def write(self, event: str, **values: "Any") -> None:
        """A line of the ledger of this run."""
        if self.check_mode:
            return
        values.setdefault("who", self.who)
        values.setdefault("run", self.run)
        values.setdefault("host", self.me["host"])
        values["from"] = self.origin
        self.scrub.many(evidence.texts_of(values))
        try:
            self._recorded(lambda: self.ledger.append(event, self.scrub, **values))
        finally:  # what was done is done, recorded or not
            if event == "ended" and not values.get("inside"):
                journal.tell(journal.line(values, self.scrub), values.get("result"))

    def note(self, event: str, **values: "Any") -> None:
        """The same when it is too late to refuse: a failure is a warning."""
        try:
            self.write(event, **values)
        except Refused as refused:
            self.warnings.append("The result could not be written to the ledger: %s" % refused.why)

    # ------------------------------------------------------------------------- the lock

    def enter(self, scope: str = "call", siblings: bool = True) -> float:
        """Take the lock, settle what a killed run left open, and ask whether repairs are paused.
        Returns the seconds that it waited for another run. siblings: whether to wait for this
        same run under another name of the host.
        """
        began = time.monotonic()
        end = began + self.options["lock_timeout"]
        waited = 0.0
        self.lock.step = self.options["remedy"]
        if not self.check_mode:
            self._recorded(self.store.prepare)
        while True:
            self._check_not_lost(scope)
            held = self._recorded(lambda: self._try(scope))
            if not held:
                break
            at_once = held[1] == rules.ASK or (held[1] == rules.SIBLING and not siblings)
            if at_once or time.monotonic() >= end:
                raise self._held(*held)
            self._sleep(min(POLL_SECONDS, max(0.01, end - time.monotonic())))
            waited = time.monotonic() - began
        try:
            self._tell_taken_over()
            self.settle()
            self.check_pause()
        except Exception:
            self.leave()
            raise
        return waited

    def _try(self, scope: str) -> "Optional[Held]":
        force = self.options["accept_other_run"]
        if not self.check_mode:
            return self.lock.take(scope, force)
        entry, state, sign = self.lock.look()
        if entry is None or state in rules.OPEN or force:
            if entry and state != rules.OURS:
                self.lock.over = entry, rules.why_over(entry, state, self._clock(), sign)
            return None
        return entry, state, sign

    def _held(self, entry: "Entry", state: str, sign: float) -> Refused:
        """The refusal because another run has this host."""
        why = "Another run is working on this host: %s." % self.lock.describe(entry, state, sign)
        way_out = (
            "Wait until it ends. If you know that it is dead, set campaign_accept_other_run=true,"
            " or remove its lock with playbooks/unlock.yml."
        )
        if state == rules.SIBLING:
            way_out = "Run the playbook again, or list the server only once in the inventory."
        return Refused("lock", why, way_out, dict(told_of(entry), state=state))

    def _check_not_lost(self, scope: str) -> None:
        """A run that lost this host to another one must not continue in the middle of a step."""
        if scope == "run" or not self.options["run"] or self.options["accept_other_run"]:
            return
        entry = self._recorded(lambda: rules.read(self.store))
        if entry and rules.is_ours(entry, self.me):
            return
        line = ledger.lost(self._recorded(self.ledger.last_lines) or [], self.me)
        if line:
            raise Refused(
                "lock",
                "Run %s lost the lock of this host at %s: %s"
                % (self.run, rules.stamp(line["at"]), line.get("reason") or "it was removed."),
                "It changes nothing more on this host. Run the playbook again.",
            )

    def _tell_taken_over(self) -> None:
        """Report and record that this run took over the host."""
        if not self.lock.over:
            return
        entry, why = self.lock.over
        verb = "would take" if self.check_mode else "takes"
        self.taken_over = "%s This run (%s) %s over the host." % (why, self.run, verb)
        self.warnings.append(self.taken_over)
        former = {"run": entry["run"], "host": entry.get("host") or ""}
        self.note(ledger.TAKEN, reason=self.taken_over, former=former)
        self.lock.over = None

    def check_ours(self, ours: "Optional[bool]") -> None:
        """Raises Refused if the lock is no longer ours after a wait."""
        if not ours and not self.options["accept_no_record"]:
            raise Refused(
                "lock",
                "Another run took over this host while run %s was waiting." % self.run,
                "It changes nothing more on this host. Run the playbook again.",
            )

    def leave(self, close: bool = False, keep: bool = False) -> None:
        """Release the lock, if this call took it for itself or the run ends (close); the
        steps of a run that is to go on keep it."""
        if self.check_mode:
            return
        try:
            self.lock.leave(close or (self.lock.mine and not keep))
        except ledger.StoreError as error:
            self.warnings.append(str(error))

    def show(self, result: "Entry", count: int) -> str:
        """Which run has this host, in a sentence; the last lines of the ledger go into the result."""
        entry, state, sign = self._recorded(self.lock.look) or (None, rules.FREE, 0.0)
        said = "No run holds the lock of this host."
        if entry:
            told = self.lock.describe(entry, state, sign)
            said = "The lock of this host is held by %s." % told
        paused = self.pause()
        lines = (self._recorded(self.ledger.last_lines) or [])[-count:]
        result.update(holder=entry and dict(told_of(entry), state=state), pause=paused)
        result["text"] = [said] + ([pause.in_words(paused)] if paused else [])
        result["text"] += ["The last lines of the ledger (%s):" % self.store.path]
        result["text"] += [ledger.in_words(line) for line in lines] or ["(none)"]
        return said

    def free(self) -> "Optional[Entry]":
        """Remove the lock, whichever run has it; the entry of that run."""
        entry, state, sign = self._recorded(self.lock.look) or (None, rules.FREE, 0.0)
        if entry and state == rules.AT_WORK and not self.options["accept_other_run"]:
            raise self._held(entry, state, sign)
        if not entry or self.check_mode:
            return entry
        entry = self._recorded(self.lock.free)
        if entry:
            name = rules.name_run(entry)
            former = {"run": entry["run"], "host": entry.get("host") or ""}
            self.note(ledger.TAKEN, former=former, reason="%s lost the lock: it was removed by"
                                                          " hand." % name)
        return entry

    def settle(self, own: bool = False, write: bool = True, finished: bool = False) -> None:
        """Repairs that were begun and never ended, by runs that are no longer at work: told, and
        written down as interrupted, so that they are told once. What such a repair has stopped and
        not started again leaves it open, until this run has done so (finished). A step inside a
        repair is written down, too, but not told: the repair is.
        """
        holder = self._recorded(self.lock.holder)
        running = None
        repairs = ledger.open_repairs(self.lines())
        for begun in repairs:
            if ledger.is_by(begun, self.me) != own:
                continue
            if holder and ledger.is_by(begun, holder):
                continue
            if running is None:
                if write and not (own or finished or self.check_mode):
                    self._wait_for_commands(repairs)
                groups = proc.processes(proc.scan(self.context.home))
                running = set((p["name"], p["instance"]) for p in groups["modules"])
            inside = begun.get("inside")
            open_ends = [] if own or finished or inside else unfinished(begun, running)
            names = ("run", "host", "module", "instance", "remedy", "state", "before", "inside")
            same = dict((name, begun.get(name)) for name in names)
            present = self.present(begun["module"], begun["instance"])
            told = dict((name, begun.get(name)) for name in ("at", "who", "from", "command"))
            if not finished and not inside:
                self.interrupted.append(dict(same, present=present, unfinished=open_ends, **told))
            if write and not open_ends:
                reason = "The run ended before this repair did; %s it is %s." % (
                    "run %s finished it: now" % self.run if finished else "now",
                    "running (pid %d)" % present["pid"] if present["pid"] else "stopped",
                )
                self.write("ended", result="interrupted", reason=reason, after=present, **same)

    def _wait_for_commands(self, repairs: "List[Entry]") -> None:
        """A killed run may have left a command at work: what it stops still runs, for a moment."""
        begun = [command for line in repairs for command in line.get("command") or ()]
        end = time.monotonic() + self.options["command_timeout"]
        while True:
            at_work = proc.control_commands(self.context.home, begun)
            if not at_work:
                return
            if time.monotonic() >= end:
                pid, called = at_work[0]
                raise Refused(
                    "lock",
                    "A repair was interrupted on this host, and `%s` (pid %d) is still at work."
                    % (called, pid),
                    "Wait until it has ended, or end it, and run the playbook again.",
                )
            self._sleep(POLL_SECONDS)

    def present(self, module: str, instance: str) -> "Entry":
        """The short state of a module now."""
        groups = proc.processes(proc.scan(self.context.home))
        for process in groups["modules"]:
            if evidence.matches(process, module, instance):
                return {"state": "running", "pid": process["pid"]}
        return {"state": "stopped", "pid": None}

    # ------------------------------------------------------------------------ the guards

    def pause(self) -> "Optional[Entry]":
        """The pause of this host that holds, None without one."""
        return self._recorded(lambda: pause.look(self.store, self._clock()))

    def check_pause(self) -> None:
        """Nothing begins while repairs are paused. What this run has begun goes on to its end:
        half a repair is worse than all of it."""
        found = self.pause()
        if not found or any(ledger.is_by(b, self.me) for b in ledger.open_repairs(self.lines())):
            return
        if self.options["accept_pause"]:
            self.warnings.append("%s campaign_accept_pause is set." % pause.in_words(found))
            return
        raise Refused(
            "pause", pause.in_words(found),
            "To end the pause: campaign-doctor resume %s. To change this host in spite of it, set"
            " campaign_accept_pause=true." % (self.me["host"] or "HOST"),
        )  # fmt: skip

    def open_repair(self, module: str, instance: str, remedy: str) -> "Optional[Entry]":
        """The line with which this remedy of this run began, None if it is not open."""
        for begun in reversed(ledger.open_repairs(self.lines())):
            mine = ledger.is_by(begun, self.me) and begun.get("remedy") == remedy
            if mine and ledger.is_of(begun, module, instance):
                return begun
        return None

    def inside(self, module: str, instance: str) -> "Optional[str]":
        """The remedy of this run that is open on this module (or on the whole server): its
        guards have spoken."""
        for begun in ledger.open_repairs(self.lines()):
            whole = begun.get("whole_server") or begun.get("remedy") == FINISH
            mine = whole or ledger.is_of(begun, module, instance)
            if ledger.is_by(begun, self.me) and mine:
                return begun.get("remedy") or "repair"
        return None

    def check(self, module: str, instance: str, restart: bool, ends_work: bool) -> None:
        """Budget, in-flight work, evidence, in that order; raises Refused."""
        if restart:
            self.check_budget(module, instance)
        if ends_work:
            self.check_in_flight(module, instance)
        if self.options["evidence"] and not self.check_mode:
            self.keep_evidence(module, instance)

    def check_budget(self, module: str, instance: str) -> None:
        minutes, budget = self.options["restart_budget_minutes"], self.options["restart_budget"]
        times = ledger.restarts(self.lines(), module, instance, self._clock() - minutes * 60.0)
        if len(times) < budget or self.options["accept_restart_loop"]:
            return
        if not times:
            when = "the budget is 0"
        else:
            free = times[len(times) - budget] + minutes * 60.0 if budget else times[-1]
            when = "the next restart is allowed in %d min" % (max(0, free - self._clock()) // 60 + 1)
        raise Refused(
            "budget",
            "The restart budget of %s@%s is used up: %d of %d restarts in %g minutes; %s."
            % (module, instance, len(times), budget, minutes, when),
            "Find out why restarting does not help (evidence and ledger are in %s), raise"
            " restart_budget, or set accept_restart_loop: true." % self.store.path,
        )

    def check_in_flight(self, module: str, instance: str) -> None:
        mode = self.options["in_flight"]
        if mode == "ignore" or self.options["accept_lost_work"]:
            return
        limit = self.options["in_flight_timeout"] if mode == "wait" else 0
        end = time.monotonic() + (0 if self.check_mode else limit)
        rested = False
        while True:
            try:
                found = in_flight(self.context, module, instance)
            except ProbeError as error:
                raise Refused(
                    "in_flight",
                    "It is unknown whether %s@%s has work in progress: %s."
                    % (module, instance, self.scrub(error.message)),
                    "Set accept_lost_work: true to continue; work in progress is then lost.",
                ) from None
            if not found:
                if rested:
                    self.check_ours(self._recorded(self.lock.resume))
                return
            if time.monotonic() >= end:
                break
            self.check_ours(self._recorded(self.lock.beat if rested else self.lock.rest))
            rested = True
            self._sleep(min(2 * POLL_SECONDS, max(0.01, end - time.monotonic())))
        if self.check_mode and mode == "wait":
            self.warnings.append("Would first wait for %s." % self.scrub(describe_work(found)))
            return
        waited = "" if mode == "refuse" else " after %g s" % limit
        raise Refused(
            "in_flight",
            "%s@%s has work in progress%s, which this would cancel: %s."
            % (module, instance, waited, self.scrub(describe_work(found))),
            "Wait until it ends, set in_flight: wait%s, or set accept_lost_work: true to cancel it."
            % (" with a longer in_flight_timeout" if waited else ""),
        )

    def keep_evidence(self, module: str, instance: str) -> None:
        about = {"run": self.run, "who": self.who, "from": self.origin}
        about.update((name, self.options[name]) for name in ("remedy", "because"))
        try:
            self._evidence(module, instance, about)
        except evidence.EvidenceError as error:
            if not self.options["accept_no_evidence"]:
                raise Refused(
                    "evidence",
                    "Evidence could not be saved: %s" % error,
                    "Free disk space there (or choose another state_dir), lower evidence_max_mb"
                    " or evidence_keep, or set accept_no_evidence: true to continue without it.",
                ) from None
            self.warnings.append(str(error))

    def _evidence(self, module: str, instance: str, about: "Entry") -> None:
        self.evidence = evidence.collect(
            self.context, self.store, (module, instance), about, self.options, self._clock()
        )


def _origin() -> str:
    """The machine of the caller, as far as the host knows."""
    client = os.environ.get("SSH_CLIENT", "").split()
    return client[0] if client else socket.gethostname()
