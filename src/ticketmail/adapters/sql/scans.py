"""Claims under narrow pauses: a pick that finds little has scanned all that is due, and need not do so at every turn.

A pause of a tenant or ticket is no part of the claim's index, so a pick steps over each paused delivery. When all of a long
backlog is paused that takes a tenth of a second and more. So after a long look that found all there was, only what has become due
since is looked at, until twenty times as long has passed: looking through takes a twentieth of the time at most.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ticketmail.domain.ports.delivering import Want
from ticketmail.domain.scope import Scope

CHEAP_S = 0.01  #: who takes no longer may look each time
_REST = 20
_MOST_S = 5.0
#: Hosts' transactions commit later than their mails are due.
_BACK_US = 2_000_000


@dataclass(frozen=True, slots=True)
class _Look:
    paused: frozenset[str]
    floor_us: int
    until_s: float


class Scans:
    """One worker's memory of long looks."""

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._monotonic_s = monotonic_s
        self._looks: dict[tuple[str, str], _Look] = {}

    def floor_us(self, want: Want, paused: Sequence[Scope]) -> int:
        """What is due before this has been looked through, under the same pauses. 0: all is to be looked at."""
        look = self._looks.get((want.route, want.lane))
        if look is None or look.until_s < self._monotonic_s() or look.paused != _names(paused):
            return 0
        return look.floor_us

    def looked_through(self, want: Want, paused: Sequence[Scope], *, now_us: int, seconds: float) -> None:
        """All that was due at ``now_us`` was looked at, which took so long."""
        if seconds > CHEAP_S:
            until_s = self._monotonic_s() + min(_REST * seconds, _MOST_S)
            self._looks[want.route, want.lane] = _Look(_names(paused), now_us - _BACK_US, until_s)


def _names(paused: Sequence[Scope]) -> frozenset[str]:
    return frozenset(map(str, paused))
