"""Telling the host: events out of the spool's outbox into its handler, at least once.

An event is done when the handler has returned, and due again when it has raised. What a handler raises never stops the
listener. For exactly once the handler notes the event in its own transaction: ``Outbox.first_time``.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Protocol
from uuid import UUID

from ticketmail.domain.errors import SpoolError
from ticketmail.domain.ports.telling import Outbox, OutboxItem, TicketHandler

#: Seconds before the second, third, ... try.
RETRY_AFTER_S = (5.0, 30.0, 120.0, 600.0, 3600.0)
#: After so many failed tries an event is dead: kept until a human replays it.
MAX_TRIES = 20
LEASE_S = 120.0
#: A batch that takes longer than this is halved: events beyond the lease would be told twice.
SLOW_BATCH_S = 10.0
MAX_BATCH = 64
#: How long a wait for events may take before ``stop`` is looked at again.
WAIT_S = 0.5
_ERROR_CHARS = 500

_log = logging.getLogger("ticketmail.tell")


def retry_after_s(failed: int) -> float | None:
    """Seconds until the next try of an event that had failed ``failed`` times before it did now; None: it is dead."""
    return None if failed + 1 >= MAX_TRIES else RETRY_AFTER_S[min(failed, len(RETRY_AFTER_S) - 1)]


class Tell:
    """Takes from ``outbox`` and calls a handler. One instance serves any number of listeners."""

    def __init__(self, outbox: Outbox, *, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._outbox = outbox
        self._monotonic_s = monotonic_s

    def listen(self, handler: TicketHandler, *, stop: threading.Event) -> None:
        """Tell events until ``stop`` is set; what was taken by then is still told, or it would lie under its lease.

        Sync handlers run in this thread, async ones on a loop of its own.
        """
        pause = _Pause()
        batch = _Batch(self._monotonic_s)
        with Caller(handler) as call:
            while not stop.is_set():
                try:
                    batch.took(self._turn(batch.size, call))
                    pause.well()
                except SpoolError as error:
                    stop.wait(pause.sick(error))

    def _turn(self, size: int, call: Callable[[Any], None]) -> int:
        """Tell what is due, or wait for something. How many were told."""
        items = self._outbox.take(size, LEASE_S)
        if items:
            return self._round(items, call)
        self._outbox.wait(WAIT_S)
        return 0

    async def alisten(self, handler: TicketHandler, *, stop: asyncio.Event, together: int = 1) -> None:
        """The same for a running loop: async handlers are awaited here, sync ones and the spool run in threads. ``together``:
        so many at once; those of one mail still one after another."""
        pause = _Pause()
        batch = _Batch(self._monotonic_s)
        while not stop.is_set():
            try:
                items = await asyncio.to_thread(self._outbox.take, batch.size, LEASE_S)
                told = await self._around(items, handler, together) if items else 0
                if not items:
                    await asyncio.to_thread(self._outbox.wait, WAIT_S)
                batch.took(told)
                pause.well()
            except SpoolError as error:
                await _wait_for(stop, pause.sick(error))

    def tell_due(self, handler: TicketHandler, *, limit: int = MAX_BATCH) -> int:
        """Tell what is due now, once, and say how many the handler took. Raises SpoolError kin."""
        with Caller(handler) as call:
            return self._round(self._outbox.take(limit, LEASE_S), call)

    def _round(self, items: Sequence[OutboxItem], call: Callable[[Any], None]) -> int:
        done: list[OutboxItem] = []
        try:
            for item in items:
                try:
                    call(item.event)
                except Exception as error:
                    self._failed(item, error)
                else:
                    done.append(item)
        finally:  # a KeyboardInterrupt must not make the host see again what it has handled
            self._outbox.done(done)
        return len(done)

    async def _around(self, items: Sequence[OutboxItem], handler: TicketHandler, together: int) -> int:
        done: list[OutboxItem] = []
        free = asyncio.Semaphore(together)

        async def tell(line: Sequence[OutboxItem]) -> None:
            async with free:
                for item in line:
                    try:
                        await acall(handler, item.event)
                    except Exception as error:
                        await asyncio.to_thread(self._failed, item, error)
                    else:
                        done.append(item)

        try:
            await asyncio.gather(*(tell(line) for line in ([items] if together == 1 else _lines(items))))
        finally:
            await asyncio.shield(asyncio.to_thread(self._outbox.done, done))
        return len(done)

    def _failed(self, item: OutboxItem, error: Exception) -> None:
        tries = item.attempts + 1
        after_s = retry_after_s(item.attempts)
        if after_s is not None:
            after_s = min(max(after_s, float(getattr(error, "retry_after_s", 0.0))), RETRY_AFTER_S[-1])
        again = (
            f"again in {after_s:g} s"
            if after_s is not None
            else "it is a dead event now; `ticketmail events replay` tells it again"
        )
        text = f"{type(error).__name__}: {error}"[:_ERROR_CHARS]
        _log.warning(
            "the handler failed for event %s (%s, try %d), %s: %s", item.event.event_id, item.event.kind, tries, again, text
        )
        self._outbox.failed(item, text, after_s)


def _lines(items: Sequence[OutboxItem]) -> list[list[OutboxItem]]:
    """Those of one mail together, in their order."""
    lines: dict[UUID, list[OutboxItem]] = {}
    for item in items:
        lines.setdefault(item.event.about, []).append(item)
    return list(lines.values())


class _Batch:
    """How many events are taken at once: many of a quick handler, one of a slow one."""

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self.size = 1
        self._monotonic_s = monotonic_s
        self._since_s = monotonic_s()

    def took(self, told: int) -> None:
        now_s = self._monotonic_s()
        if now_s - self._since_s > SLOW_BATCH_S:
            self.size = max(1, self.size // 2)
        elif told == self.size:
            self.size = min(MAX_BATCH, self.size * 2)
        self._since_s = now_s


class _Pause:
    """The wait while the spool cannot be used: 1 s, doubling to 30 s, said once."""

    def __init__(self) -> None:
        self._wait_s = 0.0

    def well(self) -> None:
        if self._wait_s:
            _log.info("the spool answers again")
        self._wait_s = 0.0

    def sick(self, error: SpoolError) -> float:
        if not self._wait_s:
            _log.warning("events cannot be told while the spool is out of reach: %s", error)
        self._wait_s = min(max(self._wait_s * 2, 1.0), 30.0)
        return self._wait_s


class Caller:
    """Calls a handler from a thread without a loop. The loop for async handlers is made when the first awaitable comes:
    a sync handler must see no running loop (Django's ORM refuses to work inside one)."""

    def __init__(self, handler: TicketHandler) -> None:
        self._handler = handler
        self._runner: asyncio.Runner | None = None

    def __enter__(self) -> Callable[[Any], None]:
        return self._call

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._runner is not None:
            self._runner.close()

    def _call(self, event: Any) -> None:
        result = self._handler(event)
        if not inspect.isawaitable(result):
            return
        if self._runner is None:
            self._runner = asyncio.Runner()
        self._runner.run(_awaited(result))


async def _awaited(result: Awaitable[None]) -> None:
    await result


async def acall(handler: TicketHandler, event: Any) -> None:
    """Call ``handler`` from a running loop: an async one here, a sync one in a thread."""
    if inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(getattr(handler, "__call__", None)):  # noqa: B004 (the method is asked for, not callability)
        await _awaited(handler(event))  # type: ignore[arg-type]
        return
    result = await asyncio.to_thread(handler, event)
    if inspect.isawaitable(result):
        await result


async def _wait_for(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        pass


class Stop(Protocol):
    """What ends a listener."""

    def set(self) -> None:
        """Thread-safe."""
        ...


class OnLoop:
    """Sets an asyncio event from whichever thread closes."""

    def __init__(self, event: asyncio.Event) -> None:
        self._event = event
        self._loop = asyncio.get_running_loop()

    def set(self) -> None:
        """As :class:`Stop` says."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._event.set)


class Stops:
    """What ends each listener of this process. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stops: set[Stop] = set()

    def __len__(self) -> int:
        return len(self._stops)

    @contextmanager
    def among(self, stop: Stop) -> Iterator[None]:
        """``stop`` is one of them meanwhile."""
        with self._lock:
            self._stops.add(stop)
        try:
            yield
        finally:
            with self._lock:
                self._stops.discard(stop)

    def all(self) -> None:
        """End them."""
        with self._lock:
            for stop in self._stops:
                stop.set()
