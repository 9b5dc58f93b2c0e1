"""``Deliveries``: claims and outcomes, each a wish to the spool thread."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from ticketmail.adapters.sql import claiming, outcomes, unknowns
from ticketmail.adapters.sql.engine import Database
from ticketmail.adapters.sql.scans import Scans
from ticketmail.adapters.sql.thread import SpoolThread
from ticketmail.adapters.sql.waiting import Listener
from ticketmail.domain.errors import SpoolError
from ticketmail.domain.ports.delivering import ClaimedMail, Completion, Fenced, Resolution, Unresolved, Want

#: So many completions, or claims, make one wish: a bigger one would hold the write lock for longer than others should wait.
_CHUNK = 64
_CLAIMS = 100


class SqlDeliveries:
    """``Deliveries`` on a database."""

    def __init__(self, database: Database, thread: SpoolThread) -> None:
        self._database = database
        self._thread = thread
        self._listener = Listener(database, thread)
        self._turns: dict[tuple[str, str], str] = {}
        self._scans = Scans()

    async def claim(self, worker_id: UUID, wants: Sequence[Want]) -> Sequence[ClaimedMail]:
        found: list[ClaimedMail] = []
        for portion in _portions(wants):
            try:
                found += await self._claim(worker_id, portion)
            except SpoolError:
                if not found:
                    raise
                break  # what was claimed before must be known
        return found

    async def _claim(self, worker_id: UUID, wants: Sequence[Want]) -> list[ClaimedMail]:
        turns = dict(self._turns)
        found = await self._thread.submit(lambda tx: claiming.claim(tx, worker_id, wants, turns, self._scans), undo=claiming.undo)
        if found is None:
            picked = await asyncio.to_thread(self._database.read, lambda tx: claiming.picks(tx, wants, turns, self._scans))
            if not picked.ids:
                return []
            found = await self._thread.submit(lambda tx: claiming.take_picked(tx, worker_id, picked), undo=claiming.undo)
        self._turns.update(found.turns)
        return found.mails

    async def begin(self, worker_id: UUID, account: str, claims: Sequence[Fenced]) -> Sequence[bool]:
        if not claims:
            return []
        return await self._thread.submit_items(outcomes.begin, [outcomes.Beginning(c, worker_id.hex, account) for c in claims])

    async def record(self, worker_id: UUID, completions: Sequence[Completion]) -> Sequence[bool]:
        items = [(worker_id.hex, completion) for completion in completions]
        chunks = [items[at : at + _CHUNK] for at in range(0, len(items), _CHUNK)]
        wishes = [self._thread.submit_items(outcomes.record, chunk, patient=True) for chunk in chunks]
        results = await asyncio.gather(*wishes)
        return [result for chunk in results for result in chunk]

    async def release(self, worker_id: UUID, claims: Sequence[Fenced], *, due_us: int | None = None) -> None:
        if claims:
            await self._thread.submit(lambda tx: outcomes.release(tx, worker_id, claims, due_us))

    async def unresolved(self, limit: int) -> Sequence[Unresolved]:
        return await self._thread.submit(lambda tx: unknowns.unresolved(tx, limit), reads=True)

    async def resolve(self, resolutions: Sequence[Resolution]) -> Sequence[bool]:
        if not resolutions:
            return []
        return await self._thread.submit(lambda tx: unknowns.resolve(tx, resolutions))

    async def routes(self) -> Sequence[tuple[str, str]]:
        return await self._thread.submit(claiming.routes, reads=True)

    async def wait(self, timeout_s: float) -> bool:
        return await self._listener.wait(timeout_s)

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()


def _portions(wants: Sequence[Want]) -> list[list[Want]]:
    """Wants cut and grouped so that each group is for about as many mails as one transaction should claim."""
    portions: list[list[Want]] = []
    room = 0
    for want in wants:
        left = want.limit
        while left > 0:
            if room == 0:
                portions.append([])
                room = _CLAIMS
            size = min(left, room)
            portions[-1].append(replace(want, limit=size))
            left, room = left - size, room - size
    return portions
