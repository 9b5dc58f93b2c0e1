"""The real clock, the real sleep, real threads and real chance; and all of them together, as the engine is given them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from ticketmail.domain.ports.timing import Clock, Sleeper, Threads

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

    async def apart(self, call: Callable[[], T]) -> T:
        """As the port says."""
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[T] = loop.create_future()

        def work() -> None:
            try:
                tell = partial(_settle, answered, call())
            except BaseException as error:
                tell = partial(_fail, answered, error)
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(tell)

        threading.Thread(target=work, name="ticketmail-host", daemon=True).start()
        return await answered


def _settle(answered: asyncio.Future[T], result: T) -> None:
    if not answered.done():
        answered.set_result(result)


def _fail(answered: asyncio.Future[T], error: BaseException) -> None:
    if not answered.done():
        answered.set_exception(error)


@dataclass(frozen=True)
class Timing:
    """All that makes one run differ from another. Bound in the injector: an override moves the whole engine to other time.

    ``chance`` gives a float in [0, 1), ``random_bytes(n)`` unpredictable bytes for ids. A loop of its own kind
    (``ticketmail.testing.virtual_time``) moves time-outs, too.
    """

    clock: Clock = field(default_factory=SystemClock)
    sleeper: Sleeper = field(default_factory=SystemSleeper)
    threads: Threads = field(default_factory=LoopThreads)
    chance: Callable[[], float] = random.random
    random_bytes: Callable[[int], bytes] = os.urandom

    @property
    def spool_clock(self) -> Clock | None:
        """The clock for spools that would else ask this machine. None where it is the machine's: databases have their own."""
        return None if isinstance(self.clock, SystemClock) else self.clock
