"""Virtual time: an event loop whose time is a :class:`FakeClock`. Hours pass in milliseconds, in the same order each time."""

from __future__ import annotations

import asyncio
import math
import selectors
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from ticketmail.testing.clock import FakeClock

T = TypeVar("T")
#: How long (real seconds) a loop with nothing to do waits for a thread or a socket before it says that it is stuck.
_PATIENCE_S = 5.0
#: Turns of a loop within one moment of virtual time, after which it is said to turn without end.
_MOST_TURNS = 200_000


class StuckInTime(RuntimeError):
    """Every task waits, and nothing will ever wake one: no timer, no thread, no socket."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A loop on ``clock``: when nothing is ready, the clock goes on to the next timer at once.

    While a call runs in an executor (``asyncio.to_thread``) time stands still, so that a thread is never overtaken. Sockets
    work when both ends are in this loop; with a server elsewhere, time would overtake its answer.

    Raises:
        StuckInTime: from ``run_*``, when every task waits for ever.
    """

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._busy_threads = 0
        super().__init__(_Jumping(self._pass))
        self._clock_resolution = 2e-6  # the clock counts in microseconds

    def time(self) -> float:
        """The clock's seconds."""
        return self._clock.monotonic_s()

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]
        """As ever; time waits for it."""
        self._busy_threads += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._thread_done)
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """As ever, without the limit that Python sets since 3.12: in virtual time it would be over at once."""
        self._busy_threads += 1
        try:
            await super().shutdown_default_executor()
        finally:
            self._busy_threads -= 1

    def _thread_done(self, future: object) -> None:
        self._busy_threads -= 1

    def _pass(self, timeout: float | None) -> float:
        """Nothing is ready: go on by ``timeout`` seconds. Says how long to wait in real time instead."""
        if timeout is None or self._busy_threads:
            return _PATIENCE_S
        self._clock.advance(math.ceil(timeout * 1_000_000) / 1_000_000)
        return 0.0


class _Jumping(selectors.BaseSelector):
    """A real selector that does not wait for time."""

    def __init__(self, passes: Callable[[float | None], float]) -> None:
        self._real = selectors.DefaultSelector()
        self._pass = passes
        self._turns = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self._real.select(0)
        if ready or (timeout is not None and timeout <= 0):
            self._turns += 1
            if self._turns > _MOST_TURNS:
                raise StuckInTime("Tasks wake one another without end, and time does not pass.")
            return ready
        self._turns = 0
        patience_s = self._pass(timeout)
        ready = self._real.select(patience_s)
        if not ready and timeout is None:
            raise StuckInTime("Every task waits, and no timer, thread or socket will wake one.")
        return ready

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def close(self) -> None:
        self._real.close()

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()


def run_virtual(main: Coroutine[Any, Any, T], *, clock: FakeClock) -> T:
    """``asyncio.run(main)`` in virtual time. Not within a running loop.

    Raises:
        StuckInTime: every task waits for ever.
    """
    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(clock)) as runner:
        return runner.run(main)
