"""``Parking`` and ``Tombstones``: jobs that could not be taken in, and cancellations that may come before their mail."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from ticketmail.adapters.memory.state import Parked
from ticketmail.adapters.memory.store import Access
from ticketmail.adapters.memory.transaction import Tx, utf8
from ticketmail.domain.ports.intaking import ParkedEnd, ParkedJob


class MemoryParking:
    """``Parking`` in memory."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def park(self, jobs: Sequence[ParkedJob]) -> None:
        with self._access.tx() as tx:
            for job in jobs:
                _park(tx, job)

    def parked(self, limit: int) -> Sequence[ParkedJob]:
        with self._access.tx() as tx:
            waiting = [one for one in tx.state.parked.values() if one.ended_us is None]
            waiting.sort(key=lambda one: (-one.parked_us, one.id))
            return [_job(one) for one in waiting[: max(0, limit)]]

    def one(self, ident: UUID) -> ParkedJob | None:
        with self._access.tx() as tx:
            found = tx.state.parked.get(ident)
            return None if found is None else _job(found)

    def waiting(self) -> int:
        with self._access.tx() as tx:
            return sum(one.ended_us is None for one in tx.state.parked.values())

    def end(self, ident: UUID, how: ParkedEnd, *, actor: str, reason: str) -> bool:
        with self._access.tx() as tx:
            found = tx.state.parked.get(ident)
            if found is None or found.ended_us is not None:
                return False
            tx.change(found, ended_us=tx.now_us)
            tx.note("parked", scope=f"parked:{ident}", actor=actor, reason=f"{how}: {utf8(reason)}")
            return True


class MemoryTombstones:
    """``Tombstones`` in memory."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def bury(self, ids: Sequence[UUID]) -> None:
        with self._access.tx() as tx:
            for id_ in ids:
                if id_ not in tx.state.tombstones:
                    tx.put(tx.state.tombstones, id_, tx.now_us)

    def buried(self, ids: Sequence[UUID]) -> frozenset[UUID]:
        with self._access.tx() as tx:
            return frozenset(id_ for id_ in ids if id_ in tx.state.tombstones)


def _park(tx: Tx, job: ParkedJob) -> None:
    found, reason = tx.state.parked.get(job.parked_id), utf8(job.reason)
    if found is not None:
        tx.change(found, cause=job.cause, reason=reason, parked_us=tx.now_us, times=found.times + 1, ended_us=None)
        return
    row = Parked(job.parked_id, job.queue, utf8(job.job_id, 64), job.kind, job.cause, reason, tx.now_us, job.body)
    tx.put(tx.state.parked, job.parked_id, row)


def _job(row: Parked) -> ParkedJob:
    return ParkedJob(
        parked_id=row.id,
        queue=row.queue,
        job_id=row.job_id,
        cause=row.cause,
        reason=row.reason,
        body=row.body,
        kind=row.kind,
        parked_us=row.parked_us,
        times=row.times,
    )
