"""Claims under narrow pauses: a pick steps over each paused delivery, and need not step over the same ones at every turn.

A pause of a ticket, recipient or domain is no part of the claim's indexes. Where a long backlog is paused, a pick that looks past
it takes a tenth of a second and more. So after a long look the next ones begin where it found the first that may go, until twenty
times as long has passed: stepping over takes a twentieth of the time at most. What becomes due before that place meanwhile (a
retry, a successor in a ticket) waits so long, five seconds at most; a change of pauses begins anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

from ticketmail.domain.scope import Scope

Place: TypeAlias = tuple[str, ...]  #: of an index: route, lane, and the tenant where it is one's
CHEAP_S = 0.01  #: who takes no longer may look each time
_REST = 20
_MOST_S = 5.0
#: Hosts' transactions commit later than their mails are due.
_BACK_US = 2_000_000


class Scans:
    """One worker's memory of long looks: where to begin, and until when."""

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._monotonic_s = monotonic_s
        self._paused: frozenset[str] = frozenset()
        self._looks: dict[Place, tuple[int, float]] = {}

    def under(self, paused: Sequence[Scope]) -> Scans:
        """This memory, if the pauses are the same as before; else it is empty now."""
        names = frozenset(map(str, paused))
        if names != self._paused:
            self._paused, self._looks = names, {}
        return self

    def floor_us(self, place: Place) -> int:
        """What is due before this was paused when it was looked at. 0: begin at the beginning."""
        floor_us, until_s = self._looks.get(place, (0, 0.0))
        return floor_us if self._monotonic_s() < until_s else 0

    def looked(self, place: Place, *, first_us: int | None, now_us: int, seconds: float) -> None:
        """A pick took ``seconds``. ``first_us``: when the first that it found was due; None: it found none up to ``now_us``."""
        _, until_s = self._looks.get(place, (0, 0.0))
        now_s = self._monotonic_s()
        if now_s >= until_s:
            if seconds <= CHEAP_S:
                return
            until_s = now_s + min(_REST * seconds, _MOST_S)
        self._looks[place] = (min(first_us if first_us is not None else now_us, now_us - _BACK_US), until_s)
