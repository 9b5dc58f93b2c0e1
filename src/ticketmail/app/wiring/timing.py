"""The real clock and the real sleep."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


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


class LoopThreads:
    """Runs blocking calls in the loop's thread pool."""

    async def run(self, call: Callable[[], T]) -> T:
        """As the port says."""
        return await asyncio.to_thread(call)
