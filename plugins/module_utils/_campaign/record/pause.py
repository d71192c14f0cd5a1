# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A pause: until when, by whom and why nothing is changed on this host. A file of the state
directory; the clock of this host ends it.
"""

import json
import re

from ..errors import InputError
from ..text import clean
from .lock import is_time, stamp
from .store import StoreError

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Dict, Optional

    from .store import Store

    Entry = Dict[str, Any]

PAUSE = "pause"
MAX_BYTES = 4096
SHORTEST, LONGEST = 60.0, 30 * 86400.0  # seconds
REASON_LIMIT = 200
CLOCK_GRACE = 300.0  # by which a clock may be set back without a word
TEXTS = ("who", "from", "reason")
_UNITS = {"m": 60.0, "h": 3600.0, "d": 86400.0}
_TIME = re.compile(r"^(\d{1,6}(?:\.\d{1,3})?)\s?([mhd])$")


def seconds(text: str) -> float:
    """Of `30m`, `2h` or `1d`. Raises InputError for what is no such time, too short or too long."""
    found = _TIME.match(text.strip())
    lasting = float(found.group(1)) * _UNITS[found.group(2)] if found else 0.0
    if not SHORTEST <= lasting <= LONGEST:
        raise InputError(
            "pause_for (campaign_pause_for) must be 1m to 30d, such as 30m, 2h or 1d, not '%s'."
            % clean(text, 50)
        )
    return lasting


def reason(text: str) -> str:
    """The same in one line. Raises InputError for one that says nothing, or too much."""
    text = " ".join(text.split())
    if not text or len(text) > REASON_LIMIT:
        raise InputError(
            "A pause needs a reason of 1 to %d characters (campaign_pause_reason): it is shown to"
            " everyone whose repair is refused." % REASON_LIMIT
        )
    return text


def look(store: "Store", now: float) -> "Optional[Entry]":
    """The pause that holds, None without one. Where that cannot be known, its `unknown` says why:
    a file that is damaged must neither be taken for none, nor hold without a word.
    """
    store.check()
    try:
        data = store.read(PAUSE, MAX_BYTES + 1)
    except StoreError as error:
        return _unknown(str(error).rstrip("."))
    if data is None:
        return None
    path = store.join(PAUSE)
    try:
        entry = json.loads(data.decode("utf-8")) if len(data) <= MAX_BYTES else None
    except (ValueError, RecursionError):
        entry = None
    if entry is None or not is_pause(entry):
        return _unknown("%s is damaged" % path)
    if entry["since"] > now + CLOCK_GRACE:
        return _unknown(
            "the pause in %s begins at %s, which is in the future by the clock of this host"
            % (path, stamp(entry["since"]))
        )
    if now >= entry["until"]:
        return None
    texts = dict((name, clean(entry[name], REASON_LIMIT)) for name in TEXTS)
    return dict(texts, since=entry["since"], until=entry["until"], unknown=None)


def _unknown(why: str) -> "Entry":
    texts = dict((name, "") for name in TEXTS)
    return dict(texts, since=None, until=None, unknown=clean(why, 300))


def is_pause(entry: "Any") -> bool:
    """Is it an entry as `write` writes it?"""
    return (
        isinstance(entry, dict)
        and all(isinstance(entry.get(name), str) for name in TEXTS)
        and all(is_time(entry.get(name)) for name in ("since", "until"))
        and 0 < entry["until"] - entry["since"] <= LONGEST
    )


def write(store: "Store", entry: "Entry", now: float) -> "Optional[Entry]":
    """Pause this host; the pause that this replaces."""
    with store.mutex():
        before = look(store, now)
        store.replace(PAUSE, json.dumps(entry, sort_keys=True).encode("ascii") + b"\n")
    return before


def end(store: "Store", now: float) -> "Optional[Entry]":
    """End the pause of this host; the one that was ended. Raises StoreError if it stays."""
    with store.mutex():
        before = look(store, now)
        if before:
            store.remove(PAUSE)
            if look(store, now):
                raise StoreError(
                    "%s cannot be removed: remove it by hand." % store.join(PAUSE)
                )
    return before


def in_words(entry: "Optional[Entry]") -> str:
    """The sentence for people."""
    if not entry:
        return "Repairs are not paused on this host."
    if entry["unknown"]:
        return "It is unknown whether repairs are paused on this host: %s." % entry["unknown"]
    return "Repairs are paused on this host %s." % terms(entry)


def terms(entry: "Entry") -> str:
    """Until when it holds, why, by whom, since when."""
    if entry["unknown"]:
        return "until an unknown time (%s)" % entry["unknown"]
    return "until %s: %s (%s, since %s)" % (
        stamp(entry["until"]), entry["reason"].rstrip("."), entry["who"] or "?",
        stamp(entry["since"]),
    )  # fmt: skip
