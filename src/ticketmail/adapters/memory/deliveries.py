"""``Deliveries``: a worker's claims and outcomes, done inline under the lock."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from uuid import UUID

from ticketmail.adapters.memory import claiming, outcomes, unknowns
from ticketmail.adapters.memory.store import Access, turn
from ticketmail.domain.ports.delivering import ClaimedMail, Completion, Fenced, Resolution, Unresolved, Want


class MemoryDeliveries:
    """``Deliveries`` in memory."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._heard = access.store.mail_bell.rung

    async def claim(self, worker_id: UUID, wants: Sequence[Want]) -> Sequence[ClaimedMail]:
        await turn()
        with self._access.tx() as tx:
            return claiming.claim(tx, worker_id, wants)

    async def begin(self, worker_id: UUID, account: str, claims: Sequence[Fenced]) -> Sequence[bool]:
        await turn()
        with self._access.tx() as tx:
            return outcomes.begin(tx, worker_id, account, claims)

    async def record(self, worker_id: UUID, completions: Sequence[Completion]) -> Sequence[bool]:
        await turn()
        with self._access.tx() as tx:
            return outcomes.record(tx, worker_id, completions)

    async def release(self, worker_id: UUID, claims: Sequence[Fenced], *, due_us: int | None = None) -> None:
        await turn()
        with self._access.tx() as tx:
            outcomes.release(tx, worker_id, claims, due_us)

    async def unresolved(self, limit: int) -> Sequence[Unresolved]:
        await turn()
        with self._access.tx() as tx:
            return unknowns.unresolved(tx, limit)

    async def resolve(self, resolutions: Sequence[Resolution]) -> Sequence[bool]:
        await turn()
        with self._access.tx() as tx:
            return unknowns.resolve(tx, resolutions)

    async def routes(self) -> Sequence[tuple[str, str]]:
        await turn()
        with self._access.tx() as tx:
            return tx.state.queued_pairs()

    async def wait(self, timeout_s: float) -> bool:
        """One waiter a worker side: what was rung since it last woke wakes it at once."""
        bell = self._access.store.mail_bell
        loop, woken = asyncio.get_running_loop(), asyncio.Event()

        def ear() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(woken.set)

        with bell.heard_by(ear):
            if bell.rung == self._heard:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(woken.wait(), timeout_s)
            rung, self._heard = bell.rung != self._heard, bell.rung
        return rung
