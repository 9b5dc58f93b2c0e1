"""Time, injected."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Clock(Protocol):
    """Two clocks: the wall's for what people read, the monotonic one for durations. Thread-safe."""

    def now_us(self) -> int:
        """UTC microseconds since 1970. May jump."""
        ...

    def monotonic_s(self) -> float:
        """Seconds since some moment. Never jumps back."""
        ...


class Sleeper(Protocol):
    """Waiting, injected, so that tests do not wait."""

    async def sleep(self, seconds: float) -> None: ...


class Threads(Protocol):
    """Runs blocking calls off the event loop; inline in simulations, where no thread may be."""

    async def run(self, call: Callable[[], T]) -> T:
        """``call()``'s result, or what it raises."""
        ...

    async def apart(self, call: Callable[[], T]) -> T:
        """The same, of what may never end: it takes no other call's thread, and nobody waits for it when the process ends."""
        ...
