"""``Parking`` and ``Tombstones``: jobs that could not be taken in, and cancellations that may come before their mail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update

from ticketmail.adapters.sql.engine import Database
from ticketmail.adapters.sql.rows import add_history, history_row, utf8
from ticketmail.adapters.sql.schema import Tables
from ticketmail.adapters.sql.transaction import Language, Tx, bound
from ticketmail.domain.ports.intaking import ParkedEnd, ParkedJob

_PARKED = ("id", "queue", "job_id", "kind", "cause", "reason", "body", "parked_us", "times")


class ParkingStatements:
    """Kept statements."""

    def __init__(self, t: Tables, language: Language) -> None:
        p, s = t.parked.c, t.tombstone.c
        once_more = {"times": p.times + 1, "ended_us": None}
        self.park = language.upsert(t.parked, _PARKED, ("id",), ("cause", "reason", "parked_us"), once_more)
        columns = [p[name] for name in _PARKED]
        self.waiting = select(*columns).where(p.ended_us.is_(None)).order_by(p.parked_us.desc(), p.id).limit(bound("p_limit"))
        self.count = select(func.count()).select_from(t.parked).where(p.ended_us.is_(None))
        self.one = select(*columns).where(p.id == bound("p_id"))
        self.end = update(t.parked).where(p.id == bound("p_id"), p.ended_us.is_(None)).values(ended_us=bound("p_now"))
        self.bury = language.insert_once(t.tombstone, ("submission_id", "at_us"))
        self.buried = select(s.submission_id).where(language.within(s.submission_id, "p_ids"))


class SqlParking:
    """``Parking`` on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def park(self, jobs: Sequence[ParkedJob]) -> None:
        if jobs:
            self._database.write(lambda tx: tx.each(tx.book(ParkingStatements).park, [_row(job, tx.now_us) for job in jobs]))

    def parked(self, limit: int) -> Sequence[ParkedJob]:
        rows = self._database.read(lambda tx: tx.rows(tx.book(ParkingStatements).waiting, p_limit=max(0, limit)))
        return [_job(row) for row in rows]

    def one(self, ident: UUID) -> ParkedJob | None:
        row = self._database.read(lambda tx: tx.row(tx.book(ParkingStatements).one, p_id=ident.hex))
        return None if row is None else _job(row)

    def waiting(self) -> int:
        row = self._database.read(lambda tx: tx.row(tx.book(ParkingStatements).count))
        return int(row[0]) if row is not None else 0

    def end(self, ident: UUID, how: ParkedEnd, *, actor: str, reason: str) -> bool:
        def work(tx: Tx) -> bool:
            ended = tx.run(tx.book(ParkingStatements).end, p_id=ident.hex, p_now=tx.now_us) == 1
            if ended:
                row = history_row("parked", tx.now_us, scope=f"parked:{ident}", actor=actor, reason=f"{how}: {utf8(reason)}")
                add_history(tx, [row])
            return ended

        return self._database.write(work)


class SqlTombstones:
    """``Tombstones`` on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def bury(self, ids: Sequence[UUID]) -> None:
        def work(tx: Tx) -> None:
            tx.each(tx.book(ParkingStatements).bury, [{"submission_id": id_.hex, "at_us": tx.now_us} for id_ in ids])

        self._database.write(work)

    def buried(self, ids: Sequence[UUID]) -> frozenset[UUID]:
        if not ids:
            return frozenset()

        def work(tx: Tx) -> frozenset[UUID]:
            rows = tx.rows(tx.book(ParkingStatements).buried, p_ids=tx.pack([id_.hex for id_ in ids]))
            return frozenset(UUID(id_) for (id_,) in rows)

        return self._database.read(work)


def _row(job: ParkedJob, now_us: int) -> dict[str, Any]:
    return {
        "id": job.parked_id.hex,
        "queue": job.queue,
        "job_id": utf8(job.job_id, 64),
        "kind": job.kind,
        "cause": job.cause,
        "reason": utf8(job.reason),
        "body": job.body,
        "parked_us": now_us,
        "times": 1,
    }


def _job(row: Any) -> ParkedJob:
    values = dict(zip(_PARKED, row, strict=True))
    ident, body = UUID(values.pop("id")), bytes(values.pop("body"))
    return ParkedJob(parked_id=ident, body=body, **values)
