"""Tenants in turn: one mail of each, round by round, whatever each has waiting. Pure.

Who was served last is kept by each worker for itself, per route and lane: its next claim begins with the tenant behind that one.
Within a tenant the oldest due goes first, so the order within a ticket (a ticket is one tenant's) is not touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def from_there(tenants: Sequence[str], last: str | None) -> list[str]:
    """``tenants`` (sorted) in the order of their turns: first those behind ``last``, then from the beginning."""
    if last is None:
        return list(tenants)
    return [*(one for one in tenants if one > last), *(one for one in tenants if one <= last)]


def in_turn(due: Sequence[Sequence[T]], limit: int) -> list[T]:
    """The first ``limit`` of what waits: a first one from each queue, then a second one, ... Queues are in the order of turns."""
    rounds = range(max(map(len, due), default=0))
    return [queue[place] for place in rounds for queue in due if place < len(queue)][: max(0, limit)]
