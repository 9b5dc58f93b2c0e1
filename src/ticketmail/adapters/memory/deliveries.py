"""``Deliveries``: claims and outcomes, done at once under the lock, and the doorbell's ear."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar
from uuid import UUID

from ticketmail.adapters.memory import claiming, outcomes, unknowns
from ticketmail.adapters.memory.store import Access, turn
from ticketmail.adapters.memory.transaction import Tx
from ticketmail.domain.ports.delivering import ClaimedMail, Completion, Fenced, Resolution, Unresolved, Want

T = TypeVar("T")
#: How often (seconds) a wait looks at a clock that is not the event loop's own.
_LOOK_S = 0.02


class MemoryDeliveries:
    """``Deliveries`` in memory."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._listener = Listener(access)
        self._turns: dict[tuple[str, str], str] = {}

    async def claim(self, worker_id: UUID, wants: Sequence[Want]) -> Sequence[ClaimedMail]:
        return await self._do(lambda tx: claiming.claim(tx, worker_id, wants, self._turns))

    async def begin(self, worker_id: UUID, account: str, claims: Sequence[Fenced]) -> Sequence[bool]:
        return await self._do(lambda tx: outcomes.begin(tx, worker_id, account, claims))

    async def record(self, worker_id: UUID, completions: Sequence[Completion]) -> Sequence[bool]:
        return await self._do(lambda tx: outcomes.record(tx, worker_id, completions))

    async def release(self, worker_id: UUID, claims: Sequence[Fenced], *, due_us: int | None = None) -> None:
        await self._do(lambda tx: outcomes.release(tx, worker_id, claims, due_us))

    async def unresolved(self, limit: int) -> Sequence[Unresolved]:
        return await self._do(lambda tx: unknowns.unresolved(tx, limit))

    async def resolve(self, resolutions: Sequence[Resolution]) -> Sequence[bool]:
        return await self._do(lambda tx: unknowns.resolve(tx, resolutions))

    async def routes(self) -> Sequence[tuple[str, str]]:
        return await self._do(lambda tx: tx.state.queued_pairs())

    async def wait(self, timeout_s: float) -> bool:
        return await self._listener.wait(timeout_s)

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()

    async def _do(self, work: Callable[[Tx], T]) -> T:
        await turn()
        with self._access.tx() as tx:
            return work(tx)


class Listener:
    """Waits for new mail. One per worker side. What rings while nobody waits ends the next wait."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._rung = threading.Event()
        self._ends: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        access.store.mail_bell.attach(self._ring)

    async def wait(self, timeout_s: float) -> bool:
        """True as soon as new mail may be there, else False after ``timeout_s`` seconds by the spool's clock or the event
        loop's, whichever is over first: a clock that a test moves must not keep a waiter, nor one that stands still."""
        loop, woken = asyncio.get_running_loop(), asyncio.Event()
        place = (loop, woken)
        self._ends.add(place)
        try:
            await self._until(timeout_s, woken)
        finally:
            self._ends.discard(place)
        return self._take_ring()

    def close(self) -> None:
        """Stop listening. Idempotent."""
        self._access.store.mail_bell.detach(self._ring)

    async def _until(self, timeout_s: float, woken: asyncio.Event) -> None:
        loop, clock = asyncio.get_running_loop(), self._access.clock
        loop_end, clock_end = loop.time() + timeout_s, clock.monotonic_s() + timeout_s
        same = abs(loop.time() - clock.monotonic_s()) < _LOOK_S
        while not self._rung.is_set():
            left = min(loop_end - loop.time(), clock_end - clock.monotonic_s())
            if left <= 0:
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left if same else min(left, _LOOK_S)):
                    await woken.wait()

    def _ring(self) -> None:
        """From any thread."""
        self._rung.set()
        for loop, woken in list(self._ends):
            with contextlib.suppress(RuntimeError):  # that loop is closed
                loop.call_soon_threadsafe(woken.set)

    def _take_ring(self) -> bool:
        rung = self._rung.is_set()
        self._rung.clear()
        return rung
