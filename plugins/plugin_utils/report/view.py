# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the terminal and the page show alike: hosts in a few words, equal root causes together."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from .build import Json, iso

STATUS_WORDS = {
    "unreachable": "UNREACHABLE",
    "failed": "NOT DIAGNOSED",
    "not_installed": "NO CAMPAIGN",
}
VERDICT_WORDS = {
    "down": "DOWN",
    "degraded": "DEGRADED",
    "unknown": "UNKNOWN",
    "healthy": "healthy",
}
# Of module verdicts, the order in which a person wants them.
VERDICTS = ("down", "degraded", "unknown", "healthy")
# Kinds of change with their tone, and those of hosts in words.
CHANGES = {
    "new": "critical", "worse": "critical", "better": "ok", "gone": "ok", "unseen": "warning",
}
HOST_CHANGES = {
    "appeared": "Hosts that were not in that run",
    "vanished": "Hosts that are not in this run",
    "lost": "Hosts without a diagnosis now",
    "back": "Hosts that have a diagnosis again",
}


class Cause(NamedTuple):
    """Root causes that are the same on one or more hosts."""

    finding: Json  # of the first host
    places: list[tuple[str, Json]]  # host and its finding
    explains: list[tuple[str, Json]]

    @property
    def hosts(self) -> list[str]:
        """The hosts, each once."""
        return list(dict.fromkeys(host for host, _finding in self.places))

    @property
    def one_fix(self) -> bool:
        """Whether the fix reads the same everywhere."""
        return len({str(finding["fix"]) for _host, finding in self.places}) == 1


def causes(report: Mapping[str, Any]) -> list[Cause]:
    """The root causes; those of the same id are one entry with several hosts."""
    findings = {
        (host["name"], finding["id"]): finding
        for host in report["hosts"]
        for finding in host["findings"]
    }
    groups: dict[str, Cause] = {}
    for root in report["roots"]:
        finding = findings[(root["host"], root["id"])]
        group = groups.setdefault(finding["id"], Cause(finding, [], []))
        group.places.append((root["host"], finding))
        for effect in root["explains"]:
            item = (effect["host"], findings[(effect["host"], effect["id"])])
            if item not in group.explains:
                group.explains.append(item)
    return list(groups.values())


def status_word(host: Mapping[str, Any]) -> str:
    """The verdict on a host in one or two words."""
    return STATUS_WORDS.get(host["status"]) or VERDICT_WORDS[host["verdict"]]


def module_names(host: Mapping[str, Any], verdict: str) -> list[str]:
    """Names of a host's modules with this verdict; the instance only where it tells something."""
    alone = len(own_instances(host)) <= 1
    return [
        module["module"] if alone else label(module["module"], module["instance"])
        for module in host["modules"]
        if module["verdict"] == verdict
    ]


def own_instances(host: Mapping[str, Any]) -> list[str]:
    """A host's instances without the one that shared modules are said to belong to."""
    return [instance for instance in host["instances"] if instance != "default"]


def label(module: str, instance: str) -> str:
    """`mta@prod`, as Campaign itself writes it; the watchdog and the machine have no instance."""
    return module if module in ("watchdog", "host") or not instance else f"{module}@{instance}"


def evidence(finding: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names and values as a person reads them; what is not known is left out."""
    return facts(finding["evidence"])


def facts(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The same of any small mapping."""
    known = ((key, value) for key, value in _flat(data) if value is not None)
    return [(_name(key), _value(key, value)) for key, value in known]


def clean(text: object) -> str:
    """Text of a log or a file name, safe to show: no control characters, no lone surrogates."""
    kept = (" " if unicodedata.category(letter) in _UNSAFE else letter for letter in str(text))
    return "".join(kept).encode("utf-8", "replace").decode("utf-8")


# Control characters, and those that reorder or hide text (Cf holds the soft hyphen, too).
_UNSAFE = {"Cc", "Cf", "Zl", "Zp"}


def moment(text: str) -> str:
    """A time of the report as a person reads it."""
    return text.replace("T", " ").replace("Z", " UTC")


def _flat(data: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
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
    if key.endswith("_at"):
        try:
            return moment(iso(value))
        except (OverflowError, ValueError, OSError):
            return str(value)
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
