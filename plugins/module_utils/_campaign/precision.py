# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How much a module logs, by its arguments.

The configured arguments are its standard; additional ones raise it.
"""

from collections import Counter

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Collection, Iterable, List, Set

FILTER = "-tracefilter"
# Shipped in the arguments of mta: it is not a debug mode.
HARMLESS = ("nlmta",)


def added(arguments: "Iterable[str]", configured: str = "") -> "List[str]":
    """The arguments without the configured ones, each as often as it occurs there."""
    standard = Counter(configured.split())
    rest = []
    for argument in arguments:
        if standard[argument]:
            standard[argument] -= 1
        else:
            rest.append(argument)
    return rest


def filters(arguments: "Iterable[str]") -> "List[str]":
    """The trace filters in the arguments, sorted."""
    found: "Set[str]" = set()
    for argument in arguments:
        if argument.startswith(FILTER):
            names = argument[len(FILTER) :].lstrip(":").split(",")
            found.update(name for name in names if name and name not in HARMLESS)
    return sorted(found)


def traces(arguments: "Collection[str]") -> bool:
    """Do they contain a trace filter? One without names counts."""
    return bool(filters(arguments)) or FILTER in arguments


def precision(arguments: "Iterable[str]", configured: str = "") -> str:
    """standard, verbose or trace."""
    rest = added(arguments, configured)
    if traces(rest):
        return "trace"
    return "verbose" if "-verbose" in rest else "standard"
