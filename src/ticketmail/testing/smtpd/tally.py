"""What a limited server took, refused and delayed, second by second, and what of its limits was used. No I/O."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final, Self

#: Windows longer than this (seconds) are measured whole: a span begins and ends where one of them begins.
_WHOLE_ABOVE_S: Final = 5.0
KINDS: Final = ("taken", "refused", "delayed", "neighbour")


@dataclass(frozen=True, slots=True)
class Usage:
    """A span, in seconds since the first mail. ``allowed`` is what the limits left to us: their whole, less what the other
    client was given. Infinite without limits."""

    from_s: float
    to_s: float
    allowed: float
    taken: int
    refused: int
    delayed: int
    neighbour: int

    @property
    def used(self) -> float:
        """The part of what was allowed that was taken; more than 1 where a burst was left from before."""
        return self.taken / self.allowed if self.allowed and not math.isinf(self.allowed) else 0.0

    @property
    def refused_per_100(self) -> float:
        """Refusals for each hundred mails taken."""
        return 100 * self.refused / self.taken if self.taken else 100.0 * bool(self.refused)


@dataclass
class Tally:
    """Counts by second since the first mail. ``changes``: (second, allowed in a second from then on)."""

    allowed_per_s: float = math.inf
    period_s: float = 0.0
    changes: list[tuple[float, float]] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)  #: of windows of ``period_s``
    seconds: dict[str, Counter[int]] = field(default_factory=lambda: {kind: Counter() for kind in KINDS})

    def count(self, kind: str, at_s: float) -> None:
        """One more, at that second."""
        self.seconds[kind][int(at_s)] += 1

    def total(self, kind: str) -> int:
        """From the first mail on."""
        return self.seconds[kind].total()

    def usage(self, from_s: float, to_s: float) -> Usage:
        """What was used between the two, widened or narrowed to whole windows where these are long."""
        from_s, to_s = self._whole(math.floor(from_s), math.floor(to_s))
        counts = [sum(self.seconds[kind][second] for second in range(int(from_s), int(to_s))) for kind in KINDS]
        taken, refused, delayed, neighbour = counts
        allowed = max(0.0, self._allowed(from_s, to_s) - neighbour)
        return Usage(from_s, to_s, allowed, taken, refused, delayed, neighbour)

    def rate_at(self, at_s: float) -> float:
        """Allowed in a second, then."""
        return next((rate for since_s, rate in reversed(self.changes) if since_s <= at_s), self.allowed_per_s)

    def to_json(self) -> dict[str, Any]:
        """For a file. JSON has no infinity: None."""
        return {
            "allowed_per_s": None if math.isinf(self.allowed_per_s) else self.allowed_per_s,
            "period_s": self.period_s,
            "changes": self.changes,
            "starts": self.starts,
            "seconds": {kind: dict(counts) for kind, counts in self.seconds.items()},
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """What :meth:`to_json` made."""
        allowed = content["allowed_per_s"]
        seconds = {kind: Counter({int(second): count for second, count in content["seconds"][kind].items()}) for kind in KINDS}
        changes = [(at_s, rate) for at_s, rate in content["changes"]]
        return cls(math.inf if allowed is None else allowed, content["period_s"], changes, content["starts"], seconds)

    def _whole(self, from_s: float, to_s: float) -> tuple[float, float]:
        if self.period_s <= _WHOLE_ABOVE_S:
            return from_s, to_s
        inside = [start for start in self.starts if from_s - 1 <= start <= to_s + 1]
        return (math.floor(inside[0]), math.floor(inside[-1])) if len(inside) > 1 else (from_s, to_s)

    def _allowed(self, from_s: float, to_s: float) -> float:
        edges = [from_s, *(at_s for at_s, _ in self.changes if from_s < at_s < to_s), to_s]
        return sum((end - begin) * self.rate_at(begin) for begin, end in pairwise(edges))
