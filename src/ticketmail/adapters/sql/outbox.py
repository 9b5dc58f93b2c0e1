"""``Outbox``: events for the host under lease. Taking one pushes its due time to the lease's end, so that nothing reaps."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from uuid import UUID

from sqlalchemy import select, update

from ticketmail.adapters.sql import joining
from ticketmail.adapters.sql.engine import Database
from ticketmail.adapters.sql.rows import add_events, utf8
from ticketmail.adapters.sql.schema import Tables
from ticketmail.adapters.sql.transaction import Language, Tx, bound
from ticketmail.domain.events import MailEvent, event_from_json
from ticketmail.domain.ports.telling import DeadEvent, OutboxItem


class OutboxStatements:
    """Kept statements."""

    def __init__(self, t: Tables, language: Language) -> None:
        e = t.event.c
        self.due = (
            select(e.seq)
            .where(e.state == "waiting", e.due_us <= bound("p_now"))
            .order_by(e.due_us, e.seq)
            .limit(bound("p_limit"))
        )
        self.pick = self.due.with_for_update(skip_locked=True)
        self.take = (
            update(t.event)
            .where(language.within(e.seq, "p_seqs"), e.state == "waiting", e.due_us <= bound("p_now"))
            .values(due_us=bound("p_until"), lease_until_us=bound("p_until"), fence=e.fence + 1)
        )
        # What was picked is ours until the commit: reading it back needs no RETURNING.
        self.taken = select(e.seq, e.payload, e.attempts, e.fence).where(
            language.within(e.seq, "p_seqs"), e.state == "waiting", e.due_us == bound("p_until")
        )
        mine = (e.event_id == bound("p_id"), e.fence == bound("p_fence"), e.state == "waiting")
        self.done = update(t.event).where(*mine).values(state="done", lease_until_us=None)
        self.failed = (
            update(t.event)
            .where(*mine)
            .values(
                state=bound("p_state"),
                due_us=bound("p_due"),
                error=bound("p_error"),
                attempts=e.attempts + 1,
                lease_until_us=None,
            )
        )
        self.told = select(e.attempts).where(e.event_id == bound("p_id"), e.fence == bound("p_fence"), e.state == "done")
        self.returned = (
            update(t.event)
            .where(e.event_id == bound("p_id"), e.fence == bound("p_fence"), e.state == "done")
            .values(state=bound("p_state"), due_us=bound("p_due"), error=bound("p_error"), attempts=e.attempts + 1)
        )
        self.dead = (
            select(e.payload, e.attempts, e.error, e.due_us)
            .where(e.state == "dead")
            .order_by(e.due_us.desc(), e.seq.desc())
            .limit(bound("p_limit"))
        )
        again = update(t.event).where(e.state == "dead").values(state="waiting", due_us=bound("p_now"), lease_until_us=None)
        self.replay_all = again
        self.replay = again.where(e.event_id == bound("p_id"))
        self.first = language.insert_once(t.handled, ("event_id", "at_us"))


class SqlOutbox:
    """``Outbox`` on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, limit: int, lease_s: float) -> Sequence[OutboxItem]:
        if limit <= 0 or not self._database.read(_is_due):
            return []
        return self._database.write(lambda tx: _take(tx, limit, lease_s))

    def done(self, items: Sequence[OutboxItem]) -> None:
        if items:
            params = [{"p_id": item.event.event_id.hex, "p_fence": item.fence} for item in items]
            self._database.write(lambda tx: tx.each(tx.book(OutboxStatements).done, params))

    def failed(self, item: OutboxItem, error: str, retry_after_s: float | None) -> None:
        dead = retry_after_s is None
        wait_us = 0 if retry_after_s is None else int(retry_after_s * 1_000_000)

        def work(tx: Tx) -> None:
            tx.run(
                tx.book(OutboxStatements).failed,
                p_id=item.event.event_id.hex,
                p_fence=item.fence,
                p_state="dead" if dead else "waiting",
                p_due=tx.now_us + wait_us,
                p_error=utf8(error),
            )

        self._database.write(work)

    def returned(self, event_id: UUID, fence: int, error: str, retry_after_s: Callable[[int], float | None]) -> bool:
        def work(tx: Tx) -> bool:
            book, this = tx.book(OutboxStatements), {"p_id": event_id.hex, "p_fence": fence}
            row = tx.row(book.told, **this)
            if row is None:
                return False
            wait_s = retry_after_s(row[0])
            state, due_us = ("dead", tx.now_us) if wait_s is None else ("waiting", tx.now_us + int(wait_s * 1_000_000))
            return tx.run(book.returned, **this, p_state=state, p_due=due_us, p_error=utf8(error)) == 1

        return self._database.write(work)

    def put(self, events: Sequence[MailEvent]) -> None:
        if events:
            self._database.write(lambda tx: add_events(tx, events))

    def first_time(self, event_id: UUID, *, connection: object) -> bool:
        def work(tx: Tx) -> bool:
            return tx.run(tx.book(OutboxStatements).first, event_id=event_id.hex, at_us=tx.now_us) == 1

        return joining.run(self._database, connection, work)

    def wait(self, timeout_s: float) -> bool:
        until = time.monotonic() + timeout_s
        while True:
            rung = self._database.event_bell.rung
            if self._database.read(_is_due):
                return True
            left = until - time.monotonic()
            if left <= 0:
                return False
            self._database.event_bell.wait(rung, min(left, self._database.store.poll_s))

    def dead(self, limit: int) -> Sequence[DeadEvent]:
        rows = self._database.read(lambda tx: tx.rows(tx.book(OutboxStatements).dead, p_limit=max(0, limit)))
        return [DeadEvent(event_from_json(payload), attempts, error, due_us) for payload, attempts, error, due_us in rows]

    def replay(self, event_ids: Sequence[UUID] | None) -> int:
        def work(tx: Tx) -> int:
            book = tx.book(OutboxStatements)
            if event_ids is None:
                count = tx.run(book.replay_all, p_now=tx.now_us)
            else:
                count = sum(tx.each(book.replay, [{"p_id": id_.hex, "p_now": tx.now_us} for id_ in event_ids]))
            tx.tells = count > 0
            return count

        return self._database.write(work)


def _is_due(tx: Tx) -> bool:
    return tx.row(tx.book(OutboxStatements).due, p_now=tx.now_us, p_limit=1) is not None


def _take(tx: Tx, limit: int, lease_s: float) -> list[OutboxItem]:
    book = tx.book(OutboxStatements)
    pick = book.pick if tx.language.locks_rows else book.due
    seqs = [seq for (seq,) in tx.rows(pick, p_now=tx.now_us, p_limit=limit)]
    if not seqs:
        return []
    until_us = tx.now_us + int(lease_s * 1_000_000)
    picked = tx.pack(seqs)
    tx.run(book.take, p_seqs=picked, p_now=tx.now_us, p_until=until_us)
    taken = tx.rows(book.taken, p_seqs=picked, p_until=until_us)
    place = {seq: index for index, seq in enumerate(seqs)}
    return [
        OutboxItem(event_from_json(payload), attempts, fence)
        for _, payload, attempts, fence in sorted(taken, key=lambda row: place[row[0]])
    ]
