# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""How what a report holds is written for people: names, numbers, times, commands.

Uses the standard library only and imports nothing of the collection: campaign_doctor has this very
file, by a link.
"""

from __future__ import annotations

import shlex
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone

# Facts that are commands, as a rule gives them to its fix.
COMMANDS = frozenset({"stop", "starts_with", "restarts_with"})


def iso(moment: float) -> str:
    """An epoch as ISO 8601 in UTC, to the second."""
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def label(module: str, instance: str) -> str:
    """`mta@prod`, as Campaign itself writes it; the watchdog and the machine have no instance."""
    return module if module in ("watchdog", "host") or not instance else f"{module}@{instance}"


def titled(module: str, instance: str, title: str) -> str:
    """A finding in a few words: `web@prod is hung` for the title `web is hung`."""
    where, rest = label(module, instance), title.removeprefix(f"{module} ")
    return f"{where}: {title}" if rest == title else f"{where} {rest}"


def commands(command: str | Sequence[object] | None) -> Iterator[str]:
    """Commands of a step or an action as an operator types them, one a line."""
    if isinstance(command, str):
        yield from command.splitlines()
    elif command:
        several = [each for each in command if isinstance(each, (list, tuple))]
        yield from map(_typed, several if len(several) == len(command) else [command])


def _typed(command: Iterable[object]) -> str:
    """A command that was run, quoted; a comment where its words cannot be typed as they were."""
    words = [str(word) for word in command]
    if all(word.isprintable() for word in words):
        return shlex.join(words)
    return f"# holds characters that cannot be typed: {clean(' '.join(words))}"


def facts(data: Mapping[str, object]) -> list[tuple[str, str]]:
    """Names and values as text, without unknown ones and commands: those are in the fix."""
    known = ((key, value) for key, value in _flat(data) if value is not None and key not in COMMANDS)
    return [(_name(key), _value(key, value)) for key, value in known]


def clean(text: object) -> str:
    """Text of a log or a file name, safe to show: no control characters, no lone surrogates."""
    text = str(text)
    if text.isprintable():  # true of nearly all, and quick to check
        return text
    kept = (" " if unicodedata.category(letter) in _UNSAFE else letter for letter in text)
    return "".join(kept).encode("utf-8", "replace").decode("utf-8")


# Control characters, and those that reorder or hide text (Cf holds the soft hyphen, too).
_UNSAFE = {"Cc", "Cf", "Zl", "Zp"}


def moment(text: str) -> str:
    """A time of the report as text."""
    return text.replace("T", " ").replace("Z", " UTC")


def at(value: float) -> str:
    """An epoch as text; as a number where it is no time."""
    try:
        return moment(iso(value))
    except (OverflowError, ValueError, OSError):
        return str(value)


def _flat(data: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    for key, value in data.items():
        if isinstance(value, Mapping):
            for inner, inner_value in value.items():
                yield f"{key} {inner}", inner_value
        else:
            yield str(key), value


def _name(key: str) -> str:
    for ending in ("_at", "_bytes", "_mb", "_percent", "_seconds"):
        if key.endswith(ending) and key != ending:
            key = key[: -len(ending)]
    return clean(key).replace("_", " ")


def _value(key: str, value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        return _number(key, value)
    if isinstance(value, Mapping):
        return ", ".join(f"{clean(k)} {_value(str(k), v)}" for k, v in value.items())
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        return ", ".join(_value("", item) for item in value) or "none"
    return clean(value)


def _number(key: str, value: float) -> str:
    if key == "at" or key.endswith("_at"):
        return at(value)
    if key.endswith("_bytes"):
        for unit in ("bytes", "kB", "MB", "GB"):
            if abs(value) < 1024 or unit == "GB":
                return f"{_short(value)} {unit}"
            value /= 1024
    units = {"_mb": " MB", "_percent": " %", "_seconds": " s", "_minutes": " min", "_hours": " h"}
    unit = next((unit for ending, unit in units.items() if key.endswith(ending)), "")
    return f"{_short(value)}{unit}"


def _short(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.1f}".removesuffix(".0")
