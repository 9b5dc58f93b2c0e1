"""The real clock and the real sleep."""

from __future__ import annotations

import asyncio
import time


class SystemClock:
    """This machine's clocks."""

    def now_us(self) -> int:
        """As the port says."""
        return time.time_ns() // 1000

    def monotonic_s(self) -> float:
        """As the port says."""
        return time.monotonic()


class SystemSleeper:
    """Sleeps on the running loop."""

    async def sleep(self, seconds: float) -> None:
        """As the port says."""
        await asyncio.sleep(seconds)
