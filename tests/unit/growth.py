"""How the time of a function grows when its input doubles: linear is 2, quadratic is 4."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

QUICK = 0.004
"""Seconds in which nothing can be measured, and nothing is wrong."""
SLOW = 0.5
"""Seconds that no input of a test may take: it does not even have to be doubled."""
LIMIT = 3.2
ROUNDS = 3


def seconds(function: Callable[[T], object], value: T) -> float:
    """The least of some rounds: what else the machine does only adds."""
    best = float("inf")
    for _round in range(ROUNDS):
        began = time.process_time()
        function(value)
        best = min(best, time.process_time() - began)
        if best < QUICK or best > SLOW:
            break
    return best


def growth(function: Callable[[T], object], make: Callable[[int], T], size: int) -> float:
    """How many times longer twice the input takes."""
    double = seconds(function, make(2 * size))
    if double <= QUICK:
        return 0.0
    if double > 2 * SLOW:
        return double / QUICK
    return double / max(seconds(function, make(size)), QUICK / 4)


def check_linear(function: Callable[[T], object], make: Callable[[int], T], size: int) -> None:
    """No more than about twice as long for twice the input; a busy machine gets a second look."""
    found = 0.0
    for _look in range(3):
        found = growth(function, make, size)
        if found < LIMIT:
            return
    raise AssertionError(f"twice the input takes {found:.1f} times as long")
