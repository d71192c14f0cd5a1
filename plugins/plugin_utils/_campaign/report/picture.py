# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a root cause explains, drawn: a tree from the cause downwards, laid out for inline SVG."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from . import view, words
from .model import Finding

WIDTH = 340  # fits a phone without being scaled
ROW = 52
BOX = 42
INDENT = 22
LETTER = 6.4  # average width of a letter of the title
NODES_IN_FULL = 14


class Node(NamedTuple):
    """A finding in the picture."""

    severity: str
    label: str
    title: str
    full_title: str
    x: int
    y: int
    width: int


class Picture(NamedTuple):
    """Boxes, and the lines between them as SVG paths."""

    nodes: list[Node]
    edges: list[str]
    height: int
    left_out: int


class _Effect(NamedTuple):
    finding: Finding
    hosts: list[str]
    below: list[str]


def of(cause: view.Cause) -> Picture:
    """The picture of a root cause; findings that are the same on several hosts are one box."""
    root = cause.finding.id
    effects: dict[str, _Effect] = {root: _Effect(cause.finding, cause.hosts, [])}
    for host, finding in cause.explains:
        effects.setdefault(finding.id, _Effect(finding, [], [])).hosts.append(host)
    for identity, effect in effects.items():
        if identity != root:
            above = _above(effect.finding.caused_by_ids, effects)
            effects[root if above in (None, identity) else str(above)].below.append(identity)
    order: list[tuple[str, int, str]] = []  # id, depth, id above
    waiting = [(root, 0, "")]
    seen: set[str] = set()
    while waiting:
        identity, depth, above_it = waiting.pop()
        if identity in seen:
            continue
        seen.add(identity)
        order.append((identity, depth, above_it))
        waiting.extend((each, depth + 1, identity) for each in reversed(effects[identity].below))
    shown = order[:NODES_IN_FULL]
    places = {identity: (depth, row) for row, (identity, depth, dummy) in enumerate(shown)}
    return Picture(
        nodes=[_node(effects[identity], cause.hosts, depth, row)
               for identity, (depth, row) in places.items()],
        edges=[_edge(places[above_it], places[identity])
               for identity, dummy, above_it in shown if above_it],
        height=len(shown) * ROW - (ROW - BOX) + 2,
        left_out=len(effects) - len(shown),
    )


def _above(causes: Iterable[str], effects: dict[str, _Effect]) -> str | None:
    """The cause that is in the picture; one on another host has that host's name before it."""
    for cause in causes:
        if cause in effects:
            return cause
        for identity in effects:
            if cause.endswith(f":{identity}"):
                return identity
    return None


def _node(effect: _Effect, hosts: list[str], depth: int, row: int) -> Node:
    finding = effect.finding
    x = min(depth, 6) * INDENT + 1
    width = WIDTH - x - 1
    label = words.label(finding.module, finding.instance)
    if len(effect.hosts) > 1:
        label = f"{label} \N{MIDDLE DOT} {len(effect.hosts)} hosts"
    elif effect.hosts != hosts:
        label = f"{label} \N{MIDDLE DOT} {effect.hosts[0]}"
    room = int((width - 26) / LETTER)
    full = words.clean(finding.title)
    title = full if len(full) <= room else f"{full[: room - 1].rstrip()}\N{HORIZONTAL ELLIPSIS}"
    label = words.clean(label)
    if len(label) > room:
        label = f"{label[: room - 1]}\N{HORIZONTAL ELLIPSIS}"
    return Node(finding.severity.value, label, title, f"{label}: {full}", x, row * ROW + 1, width)


def _edge(above: tuple[int, int], below: tuple[int, int]) -> str:
    """From the lower left of a box down and into the left side of another."""
    x = min(above[0], 6) * INDENT + 1 + INDENT // 2
    start = above[1] * ROW + BOX + 1
    end = below[1] * ROW + BOX // 2 + 1
    right = min(below[0], 6) * INDENT + 1
    bend = min(8, right - x)
    return f"M{x} {start}V{end - bend}Q{x} {end} {x + bend} {end}H{right}"
