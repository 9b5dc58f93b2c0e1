"""A clock that goes on when a test says so."""

from __future__ import annotations

import asyncio
import threading

_US = 1_000_000


class FakeClock:
    """A ``Clock`` and a ``Sleeper`` in one: sleeping takes no time but moves the clock. Thread-safe.

    Starts at ``now_us`` (UTC microseconds; a fixed day in 2027 unless told).
    """

    def __init__(self, *, now_us: int = 1_800_000_000 * _US) -> None:
        self._now_us = now_us
        self._passed_us = 0
        self._lock = threading.Lock()

    def now_us(self) -> int:
        """The wall's time, UTC microseconds."""
        return self._now_us

    def monotonic_s(self) -> float:
        """Seconds that have passed since the clock was made; jumps of the wall do not count."""
        return self._passed_us / _US

    def advance(self, seconds: float) -> None:
        """Time passes, on both clocks. Raises ValueError for time that would run back."""
        if seconds < 0:
            raise ValueError("time does not run back; jump() sets the wall's clock")
        with self._lock:
            self._now_us += round(seconds * _US)
            self._passed_us += round(seconds * _US)

    def jump(self, seconds: float) -> None:
        """The wall's clock is set forward, or back (negative); no time passes."""
        with self._lock:
            self._now_us += round(seconds * _US)

    async def sleep(self, seconds: float) -> None:
        """``seconds`` pass at once; other tasks get a turn."""
        self.advance(max(0.0, seconds))
        await asyncio.sleep(0)
