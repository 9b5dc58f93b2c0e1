"""When to try again."""

from __future__ import annotations

from typing import Protocol


class RetryPolicy(Protocol):
    """The wait before the next try. Pure."""

    def delay_s(self, attempts: int, jitter: float) -> float:
        """Seconds to wait after ``attempts`` spent attempts (1 = after the first). ``jitter`` is a number in [0, 1)."""
        ...
