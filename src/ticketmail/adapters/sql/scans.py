"""Claims under narrow pauses: a pick steps over each paused delivery, and need not step over the same ones at every turn.

A pause of a tenant or ticket is no part of the claim's index. Where a long backlog is paused, a pick that looks past it takes a
tenth of a second and more. So after a long look the next ones begin where it found the first that may go, until twenty times as
long has passed: stepping over takes a twentieth of the time at most. What becomes due before that place meanwhile (a retry, a
successor in a ticket) waits so long, five seconds at most; a change of pauses begins anew.
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
        """Where to begin: what is due before this was paused when it was looked at. 0: at the beginning."""
        look = self._known(want, paused)
        return 0 if look is None else look.floor_us

    def looked(self, want: Want, paused: Sequence[Scope], *, first_us: int | None, now_us: int, seconds: float) -> None:
        """A pick took ``seconds``. ``first_us``: when the first that it found was due; None: it found none up to ``now_us``."""
        look = self._known(want, paused)
        if look is None and seconds <= CHEAP_S:
            return
        until_s = look.until_s if look is not None else self._monotonic_s() + min(_REST * seconds, _MOST_S)
        floor_us = min(first_us if first_us is not None else now_us, now_us - _BACK_US)
        self._looks[want.route, want.lane] = _Look(_names(paused), floor_us, until_s)

    def _known(self, want: Want, paused: Sequence[Scope]) -> _Look | None:
        look = self._looks.get((want.route, want.lane))
        return None if look is None or look.until_s < self._monotonic_s() or look.paused != _names(paused) else look


def _names(paused: Sequence[Scope]) -> frozenset[str]:
    return frozenset(map(str, paused))
