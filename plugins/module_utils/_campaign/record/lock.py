# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who holds a host, whether that still counts, and until when: the rules, and the file they read.

A run is one ansible-playbook process and one name of the host: the same server under two names of
an inventory is two runs. Its sign of life is the later of two times: that of its last call here,
and that of its sign file, which a process on the controller touches as long as the run lives.
"""

import json
import os
import re
import stat
import time

from ..host import proc
from ..text import clean

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Callable, Dict, Mapping, Optional

    from .store import Store

    Entry = Dict[str, Any]

LOCK = "lock"
SILENCE_SECONDS = 120.0  # without a sign of life, after which a run has lost the host
CONTROLLER = ("host", "boot", "space", "pid", "start")
PLACE = CONTROLLER[:3]  # the machine, since its last boot, and the numbering of its processes
_SIGN = re.compile(r"^alive-[0-9a-f]{16}$")

# What a lock means to a run that wants the host.
FREE, OURS = "free", "ours"
CUT = "cut"  # its process no longer exists
SILENT = "silent"  # no sign of life for too long
AT_WORK = "at work"  # a step of it is running on this host now
HELD = "held"
SIBLING = "sibling"  # held by our own process, under another name of this host
ASK = "ask"  # only our controller knows whether the holder's process still exists
OPEN = (FREE, OURS, CUT, SILENT)


def read(store: "Store") -> "Optional[Entry]":
    """The entry of the run that holds this host, None if there is none, or none that is one."""
    try:
        entry = json.loads((store.read(LOCK) or b"").decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return entry if is_lock(entry) else None


def is_time(value: "Any") -> bool:
    return type(value) in (int, float) and -1e12 < value < 1e12


def is_lock(entry: "Any") -> bool:
    """Is it an entry as a run writes it?"""
    if not isinstance(entry, dict) or not isinstance(entry.get("run"), str) or not entry["run"]:
        return False
    numbers = [entry.get(name) for name in ("pid", "pid_start", "since", "beat")]
    texts = [entry.get(name) for name in ("who", "from", "scope", "host", "boot", "sign", "step")]
    return (
        all(number is None or is_time(number) for number in numbers)
        and all(text is None or isinstance(text, str) for text in texts)
        and (entry.get("controller") is None or is_controller(entry["controller"]))
    )


def is_controller(value: "Any") -> bool:
    """Does it describe an ansible-playbook process, as an action plugin does?"""
    return (
        isinstance(value, dict)
        and all(isinstance(value.get(name), str) for name in PLACE)
        and all(is_time(value.get(name)) for name in CONTROLLER[3:])
    )


def sign_name(entry: "Entry") -> "Optional[str]":
    """The name of its sign file, None without one."""
    name = entry.get("sign") or ""
    return name if _SIGN.match(name) else None


def new_sign() -> str:
    return "alive-" + "".join("%02x" % byte for byte in bytearray(os.urandom(8)))


def last_sign(store: "Store", entry: "Entry") -> float:
    """When the run last showed that it lives, by the clock of this host."""
    at = float(entry.get("beat") or 0)
    name = sign_name(entry)
    if name:
        try:
            status = os.lstat(store.join(name))
        except OSError:
            return at
        if stat.S_ISREG(status.st_mode):
            at = max(at, status.st_mtime)
    return at


def boot() -> str:
    """Which boot of this machine it is."""
    try:
        return proc.read("sys", "kernel", "random", "boot_id").strip()
    except OSError:
        return ""


def step_lives(
    entry: "Entry",
    start_of: "Callable[[int], Optional[int]]" = proc.start_of,
    now_boot: "Optional[str]" = None,
) -> bool:
    """Does the last process of this run on this host still exist?"""
    pid = entry.get("pid")
    if not pid or entry.get("boot", None) not in (None, boot() if now_boot is None else now_boot):
        return False
    return start_of(int(pid)) == entry.get("pid_start")


def same_place(one: "Optional[Mapping[str, Any]]", other: "Optional[Mapping[str, Any]]") -> bool:
    """Are the processes of two controllers to be compared by their numbers?"""
    if not one or not other:
        return False
    return all(one.get(name) and one[name] == other.get(name) for name in PLACE)


def token(controller: "Mapping[str, Any]") -> str:
    """One process among those of its controller."""
    return "%d-%d" % (controller["pid"], controller["start"])


def is_ours(entry: "Entry", me: "Entry") -> bool:
    """Is it the lock of this run? me: its `run`, `host` and `controller`."""
    if entry["run"] != me["run"] or (entry.get("host") or "") != (me.get("host") or ""):
        return False
    theirs: "Any" = entry.get("controller")
    ours: "Any" = me.get("controller")
    if not theirs or not ours:
        return True
    return same_place(theirs, ours) and token(theirs) == token(ours)


def judge(entry: "Optional[Entry]", me: "Entry", now: float, sign: float, lives: bool) -> str:
    """What a lock means to us: one of the words above.

    me: run, host, controller, and of processes on the same controller (as tokens) those that are
    `gone` and those `living`. sign: the last sign of life. lives: the holder's process on this host
    is there.
    """
    if entry is None:
        return FREE
    if is_ours(entry, me):
        return OURS
    if entry.get("scope") == "call" and not lives:
        return CUT  # it was for this one call
    theirs: "Any" = entry.get("controller")
    ours: "Any" = me.get("controller")
    if same_place(theirs, ours) and token(theirs) == token(ours):
        return SIBLING
    if lives and not entry.get("waiting"):
        return AT_WORK
    if same_place(theirs, ours):
        if token(theirs) in me.get("gone", ()):
            return CUT
        return HELD if token(theirs) in me.get("living", ()) else ASK
    # A sign from the future says nothing: the clock was set back.
    return SILENT if abs(now - sign) > SILENCE_SECONDS else HELD


def at_work(store: "Store", entry: "Entry", now: float) -> bool:
    """Is the run that holds a lock still active, as far as this host can know?"""
    nobody = {"run": "", "host": "", "controller": None}
    state = judge(entry, nobody, now, last_sign(store, entry), step_lives(entry))
    return state in (AT_WORK, HELD)


# ------------------------------------------------------------------------------ in words


def stamp(at: "Optional[float]") -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at or 0))


def name_run(entry: "Entry") -> str:
    """`run r1 of anna from ansible1 (process 4711), which calls this host app1`."""
    controller = entry.get("controller") or {}
    process = " (process %d)" % controller["pid"] if controller else ""
    called = ", which calls this host %s" % entry["host"] if entry.get("host") else ""
    said = (entry["run"], entry.get("who") or "?", entry.get("from") or "?", process, called)
    return clean("run %s of %s from %s%s%s" % said, 300)


def describe(entry: "Entry", state: str, now: float, sign: float) -> str:
    """Which run holds the lock of this host, and when it expires."""
    step = "process %d%s" % (
        entry.get("pid") or 0, ", %s," % entry["step"] if entry.get("step") else ""
    )  # fmt: skip
    end = sign + SILENCE_SECONDS
    how = {
        AT_WORK: "%s is running on this host; the lock lasts until that step ends" % step,
        SIBLING: "it is this same ansible-playbook; the lock ends with its last step on this host",
        HELD: "its lock expires at %s (in %d s) unless it shows a sign of life before then"
        % (stamp(end), max(0, end - now)),
        SILENT: "it has shown no sign of life for %d s, so its lock has expired: the next run"
                " takes over this host" % max(0, now - sign),
        CUT: "its process no longer exists, so its lock has expired: the next run takes over this"
             " host",
    }
    return "%s, since %s, last sign of life %d s ago; %s" % (
        name_run(entry), stamp(entry.get("since")), max(0, now - sign), how.get(state, how[HELD])
    )  # fmt: skip


def why_over(entry: "Entry", state: str, now: float, sign: float) -> str:
    """Why a host is taken over, in a sentence."""
    name = name_run(entry)
    name = name[0].upper() + name[1:]
    if state == CUT:
        controller = entry.get("controller") or {}
        if entry.get("scope") != "call" and controller:
            return (
                "%s was interrupted: its process on %s no longer exists."
                % (name, controller["host"])
            )
        return "%s was interrupted: its process on this host no longer exists." % name
    if state == SILENT:
        return "%s has shown no sign of life for %d s." % (name, abs(now - sign))
    return "%s still held the lock, but campaign_accept_other_run is set." % name
