"""Worker rows, their beats, and what becomes of a dead worker's leases."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import exists, insert, select, update

from ticketmail.adapters.sql import ends
from ticketmail.adapters.sql.engine import Database
from ticketmail.adapters.sql.line import free_forgotten, free_next
from ticketmail.adapters.sql.rows import add_events, add_history, history_row
from ticketmail.adapters.sql.schema import Tables
from ticketmail.adapters.sql.thread import SpoolThread
from ticketmail.adapters.sql.transaction import Language, Tx, bound, one_of
from ticketmail.domain.events import MailDeadLettered
from ticketmail.domain.ids import uuid7
from ticketmail.domain.ports.delivering import Beat, Reaped, Registration, WorkerInfo

#: So many deliveries that wait behind nothing are freed in one look.
_FORGOTTEN = 100
#: So many leases lost with nothing else in flight make a mail poison.
POISON = 3


class WorkerStatements:
    """Kept statements."""

    def __init__(self, t: Tables, language: Language) -> None:
        w, d, h = t.worker.c, t.delivery.c, t.history.c
        alive = (w.id == bound("p_id"), w.retired_us.is_(None), w.dead_us.is_(None))
        names = ("id", "host", "pid", "version", "site", "started_us", "beat_us")
        self.add = insert(t.worker).values({name: bound(name) for name in names})
        self.beat = update(t.worker).where(*alive).values(beat_us=bound("p_now"), stats=bound("p_stats"))
        self.retire = update(t.worker).where(*alive).values(retired_us=bound("p_now"))
        self.bury = update(t.worker).where(*alive).values(dead_us=bound("p_now"))
        self.living = select(w.id, w.beat_us).where(w.retired_us.is_(None), w.dead_us.is_(None))
        open_one = exists().where(w.id == d.worker_id, w.retired_us.is_(None), w.dead_us.is_(None))
        self.masterless = (
            select(d.worker_id).where(d.worker_id.is_not(None), one_of(d.state, ("claimed", "sending")), ~open_one).distinct()
        )
        self.leases = (
            select(*ends.brief_columns(t), d.lost_alone)
            .join(t.submission, t.submission.c.id == d.submission_id)
            .where(d.worker_id == bound("p_worker"), d.worker_id.is_not(None))
            .where(one_of(d.state, ("claimed", "sending")))
            .order_by(d.submission_id, d.number)
            .with_for_update(of=t.delivery)
        )
        self.take_back = (
            update(t.delivery)
            .where(d.submission_id == bound("p_id"), d.number == bound("p_number"))
            .where(d.fence == bound("p_fence"), d.state == bound("p_was"))
            .values(
                state=bound("p_state"),
                due_us=bound("p_due"),
                lost=d.lost + bound("p_lost"),
                lost_alone=d.lost_alone + bound("p_alone"),
                unknowns=d.unknowns + bound("p_unknown"),
                checks=0,
                cause=bound("p_cause"),
                reason=bound("p_reason"),
                ended_us=bound("p_ended"),
                worker_id=None,
            )
        )
        self.close_attempt = (
            update(t.history)
            .where(h.submission_id == bound("p_id"), h.submission_id.is_not(None), h.number == bound("p_number"))
            .where(h.fence == bound("p_fence"), h.kind == "attempt", h.ended_us.is_(None))
            .values(state=bound("p_state"), outcome="unclear", reason=bound("p_reason"), ended_us=bound("p_now"))
        )


class SqlWorkers:
    """``Workers`` on a database."""

    def __init__(self, database: Database, thread: SpoolThread) -> None:
        self._database = database
        self._thread = thread
        self._mine: set[str] = set()

    async def register(self, info: WorkerInfo) -> Registration:
        tried: list[str] = []

        def work(tx: Tx) -> Registration:
            self._database.guard_meta(tx)
            for stale in tried:  # of a transaction that was rolled back
                self._let_go(stale)
            worker_id = uuid7(tx.now_us, os.urandom(10))
            tried[:] = [worker_id.hex]
            self._database.store.worker_began(worker_id.hex)
            self._mine.add(worker_id.hex)
            tx.run(
                tx.book(WorkerStatements).add,
                id=worker_id.hex,
                host=info.host,
                pid=info.pid,
                version=info.version,
                site=info.site,
                started_us=tx.now_us,
                beat_us=tx.now_us,
            )
            _note(tx, worker_id.hex, "started", f"Worker {info.host}/{info.pid} started, version {info.version}.")
            return Registration(worker_id, tx.now_us)

        return await self._thread.submit(work)

    async def beat(self, worker_id: UUID, stats: Mapping[str, object]) -> Beat:
        text = json.dumps(dict(stats), default=str)

        def work(tx: Tx) -> Beat:
            alive = tx.run(tx.book(WorkerStatements).beat, p_id=worker_id.hex, p_now=tx.now_us, p_stats=text)
            return Beat(tx.now_us, bool(alive))

        return await self._thread.submit(work)

    async def retire(self, worker_id: UUID) -> None:
        def work(tx: Tx) -> None:
            if tx.run(tx.book(WorkerStatements).retire, p_id=worker_id.hex, p_now=tx.now_us):
                take_back(tx, worker_id.hex, lost=False)
                _note(tx, worker_id.hex, "retired", "The worker ended in good order.")

        await self._thread.submit(work)
        self._let_go(worker_id.hex)

    async def reap(self) -> Sequence[Reaped]:
        reaped = await self._thread.submit(self._reap)
        for found in reaped:
            self._let_go(found.worker_id.hex)
        return reaped

    def close(self) -> None:
        """Whoever was not retired counts as dead from now on."""
        for worker_id in list(self._mine):
            self._let_go(worker_id)

    def _let_go(self, worker_id: str) -> None:
        self._mine.discard(worker_id)
        self._database.store.worker_ended(worker_id)

    def _reap(self, tx: Tx) -> list[Reaped]:
        book = tx.book(WorkerStatements)
        is_dead = self._database.store.is_dead
        dead = [id_ for id_, beat_us in tx.rows(book.living) if is_dead(id_, beat_us, tx.now_us)]
        reaped = [_bury(tx, id_) for id_ in dead if tx.run(book.bury, p_id=id_, p_now=tx.now_us)]
        # A claim that was committed beside the burial of its worker was not seen by it.
        reaped += [_bury(tx, id_) for (id_,) in tx.rows(book.masterless)]
        free_forgotten(tx, _FORGOTTEN)
        return reaped


def _bury(tx: Tx, worker_id: str) -> Reaped:
    reaped = take_back(tx, worker_id, lost=True)
    _note(
        tx,
        worker_id,
        "dead",
        f"The worker gave no sign of life; {reaped.requeued} queued again, {reaped.unknown} unknown, {reaped.dead} dead.",
    )
    return reaped


def take_back(tx: Tx, worker_id: str, *, lost: bool) -> Reaped:
    """End all leases of a worker. ``lost``: it died, and its mails are one loss nearer to poison."""
    rows = tx.rows(tx.book(WorkerStatements).leases, p_worker=worker_id)
    held = [ends.Brief(*row[:-1]) for row in rows]
    alone = lost and len({brief.submission_id for brief in held}) == 1
    states = [_next_state(brief.state, lost_alone=row[-1] + alone, lost=lost) for brief, row in zip(held, rows, strict=True)]
    pairs = list(zip(held, states, strict=True))
    tx.each(tx.book(WorkerStatements).take_back, [_change(tx, b, state, lost=lost, alone=alone) for b, state in pairs])
    _close_attempts(tx, [(b, state) for b, state in pairs if b.state == "sending"])
    add_history(tx, [_row(tx, b, state, worker_id, lost=lost) for b, state in pairs if lost or b.state == "sending"])
    poisoned = [b for b, state in pairs if state == "dead"]
    add_events(tx, (_dead_letter(b, tx.now_us) for b in poisoned))
    free_next(tx, ((b.submission_id, b.number) for b, state in pairs if state != "queued"))
    tx.rings = tx.rings or "queued" in states
    return Reaped(UUID(worker_id), states.count("queued"), states.count("unknown"), states.count("dead"))


def _next_state(state: str, *, lost_alone: int, lost: bool) -> str:
    if lost and lost_alone >= POISON:
        return "dead"
    return "unknown" if state == "sending" else "queued"


_LOST = "The worker that had it died; it may have been sent."
_LEFT = "The worker that was sending it ended; it may have been sent."
_POISON = "Three workers died with nothing else in flight than this mail."


def _reason(brief: ends.Brief, state: str, *, lost: bool) -> str:
    if state == "dead":
        return _POISON
    if brief.state == "claimed":
        return "The worker that had it died before it began." if lost else ""
    return _LOST if lost else _LEFT


def _change(tx: Tx, brief: ends.Brief, state: str, *, lost: bool, alone: bool) -> dict[str, Any]:
    cause = {"dead": "poison", "unknown": "lease-lost"}.get(state, "")
    return {
        "p_id": brief.submission_id,
        "p_number": brief.number,
        "p_fence": brief.fence,
        "p_was": brief.state,
        "p_state": state,
        "p_due": None if state == "dead" else tx.now_us,
        "p_lost": int(lost),
        "p_alone": int(alone),
        "p_unknown": int(state == "unknown"),
        "p_cause": cause,
        "p_reason": _reason(brief, state, lost=lost),
        "p_ended": tx.now_us if state == "dead" else None,
    }


def _close_attempts(tx: Tx, pairs: Sequence[tuple[ends.Brief, str]]) -> None:
    tx.each(
        tx.book(WorkerStatements).close_attempt,
        [
            {
                "p_id": b.submission_id,
                "p_number": b.number,
                "p_fence": b.fence,
                "p_state": state,
                "p_reason": _LOST,
                "p_now": tx.now_us,
            }
            for b, state in pairs
        ],
    )


def _row(tx: Tx, brief: ends.Brief, state: str, worker_id: str, *, lost: bool) -> dict[str, Any]:
    kind = "dead" if state == "dead" else "lease-lost" if lost else "unknown"
    return history_row(
        kind,
        tx.now_us,
        brief.submission_id,
        brief.number,
        fence=brief.fence,
        state=state,
        account=brief.account,
        worker_id=worker_id,
        cause="poison" if state == "dead" else "lease-lost",
        reason=_reason(brief, state, lost=lost),
    )


def _dead_letter(brief: ends.Brief, at_us: int) -> MailDeadLettered:
    return MailDeadLettered(**brief.facts("dead", at_us, _POISON), cause="poison")


def _note(tx: Tx, worker_id: str, state: str, reason: str) -> None:
    whose: dict[str, Any] = {"scope": f"worker:{UUID(worker_id)}", "worker_id": worker_id, "actor": "worker"}
    add_history(tx, [history_row("worker", tx.now_us, state=state, reason=reason, **whose)])
