# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a root cause explains, as a tree from the cause downwards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .shared import view

DEPTH = 6  # deeper effects are beside their cause
NODES_IN_FULL = 14


class Node(NamedTuple):
    """A finding, the same on one or more hosts, and those that follow from it."""

    effect: view.Cause
    below: list[Node]


class Tree(NamedTuple):
    """What follows from a cause at once, with what follows from that."""

    nodes: list[Node]
    size: int


def of(cause: view.Cause) -> Tree:
    """The tree of a root cause; findings that are the same on several hosts are one node."""
    root = cause.finding.id
    nodes: dict[str, Node] = {}
    for host, finding in cause.explains:
        if finding.id not in nodes:
            nodes[finding.id] = Node(view.Cause(finding, [], []), [])
        nodes[finding.id].effect.places.append((host, finding))
    below: dict[str, list[str]] = {}
    for identity, node in nodes.items():
        above = _above(node.effect.finding.caused_by_ids, (root, *nodes))
        below.setdefault(root if above == identity else above or root, []).append(identity)
    top: list[Node] = []
    waiting = [(identity, top, 1) for identity in below.pop(root, [])]
    while waiting or below:
        if not waiting:  # findings that explain each other, and that nothing else leads to
            waiting = [(identity, top, 1) for identity in below.pop(next(iter(below)))]
        identity, beside, depth = waiting.pop(0)
        node = nodes[identity]
        if identity != root:
            beside.append(node)
        under = node.below if depth < DEPTH else beside
        waiting += [(each, under, depth + 1) for each in below.pop(identity, [])]
    return Tree(top, len(nodes))


def _above(causes: Iterable[str], known: Sequence[str]) -> str | None:
    """The cause that is in the tree; one on another host has that host's name before it."""
    return next(
        (identity for cause in causes for identity in known
         if cause == identity or cause.endswith(f":{identity}")), None,
    )
