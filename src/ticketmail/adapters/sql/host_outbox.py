"""``HostOutbox``: jobs of a host under a relay's lease. Taking one pushes its due time to the lease's end: nothing reaps."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, func, insert, or_, select, update

from ticketmail.adapters.sql import joining
from ticketmail.adapters.sql.commits import CommitInDoubt
from ticketmail.adapters.sql.engine import Database
from ticketmail.adapters.sql.rows import utf8
from ticketmail.adapters.sql.schema import RoadTables
from ticketmail.adapters.sql.transaction import Language, Tx, bound
from ticketmail.domain.errors import SubmitInDoubt
from ticketmail.domain.ports.queueing import Job
from ticketmail.domain.ports.relaying import Backlog, OutboxRow

_ERROR_CHARS = 300


class OutboxBook:
    """Kept statements."""

    def __init__(self, t: RoadTables, language: Language) -> None:
        o = t.leaving.c
        names = ("job_id", "body", "at_us", "due_us", "error")
        self.put = insert(t.leaving).values({name: bound(name) for name in names})
        columns = (o.number, o.job_id, o.body, o.at_us, o.tries, o.due_us)
        # One that the broker refused does not hold up those behind it.
        in_turn = or_(o.error == "", o.due_us <= bound("p_now"))
        self.first = select(*columns).where(in_turn).order_by(o.number).limit(bound("p_limit"))
        self.due = select(*columns).where(o.due_us <= bound("p_now")).order_by(o.due_us, o.number).limit(bound("p_limit"))
        self.pick = self.due.with_for_update(skip_locked=True)
        self.pick_first = self.first.with_for_update()
        mine = language.within(o.number, "p_numbers")
        self.lease = update(t.leaving).where(mine).values(due_us=bound("p_until"), tries=o.tries + 1)
        self.gone = delete(t.leaving).where(mine)
        self.await_word = update(t.leaving).where(mine).values(due_us=bound("p_until"), published_us=bound("p_now"), error="")
        self.again = update(t.leaving).where(mine).values(due_us=bound("p_until"), error=bound("p_error"))
        self.spooled = delete(t.leaving).where(language.within(o.job_id, "p_ids"))
        self.any = select(o.number).limit(1)
        waits = o.published_us.is_(None)
        self.waiting = select(func.count(), func.min(o.at_us)).where(waits)
        self.awaited = select(func.count(), func.min(o.at_us)).where(o.published_us.is_not(None))
        self.stuck = select(func.count(), func.max(o.error)).where(waits, o.error != "")


class SqlHostOutbox:
    """``HostOutbox`` on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def __repr__(self) -> str:
        return f"SqlHostOutbox({self._database!r})"

    def prepare(self) -> None:
        self._database.ready()

    def put(self, jobs: Sequence[Job], *, connection: object | None = None) -> None:
        def work(tx: Tx) -> None:
            now = {"at_us": tx.now_us, "due_us": tx.now_us, "error": ""}
            tx.each(tx.book(OutboxBook).put, [{"job_id": job.job_id, "body": job.body, **now} for job in jobs])

        if connection is not None:
            return joining.run(self._database, connection, work)
        try:
            return self._database.write_or_doubt(work)
        except CommitInDoubt as doubt:
            raise SubmitInDoubt(
                "The database broke off while it committed; the mail may or may not be stored.", retry=lambda: self.put(jobs)
            ) from doubt

    def take(self, limit: int, lease_s: float, *, in_order: bool = False) -> Sequence[OutboxRow]:
        if self.is_empty():
            return []
        return self._database.write(lambda tx: _take(tx, limit, lease_s, in_order=in_order))

    def published(self, rows: Sequence[OutboxRow], *, again_s: float | None) -> None:
        def work(tx: Tx) -> None:
            book, numbers = tx.book(OutboxBook), tx.pack([row.number for row in rows])
            if again_s is None:
                tx.run(book.gone, p_numbers=numbers)
            else:
                tx.run(book.await_word, p_numbers=numbers, p_now=tx.now_us, p_until=_later_us(tx, again_s))

        self._database.write(work)

    def failed(self, rows: Sequence[OutboxRow], error: str, *, again_s: float) -> None:
        def work(tx: Tx) -> None:
            numbers, text = tx.pack([row.number for row in rows]), utf8(error[:_ERROR_CHARS])
            tx.run(tx.book(OutboxBook).again, p_numbers=numbers, p_until=_later_us(tx, again_s), p_error=text)

        self._database.write(work)

    def spooled(self, job_ids: Sequence[UUID]) -> None:
        def work(tx: Tx) -> None:
            tx.run(tx.book(OutboxBook).spooled, p_ids=tx.pack([one.hex for one in job_ids]))

        if job_ids:
            self._database.write(work)

    def is_empty(self) -> bool:
        return self._database.read(lambda tx: tx.row(tx.book(OutboxBook).any)) is None

    def backlog(self) -> Backlog:
        return self._database.read(_backlog)

    def close(self) -> None:
        self._database.close()


def _take(tx: Tx, limit: int, lease_s: float, *, in_order: bool) -> list[OutboxRow]:
    rows = _oldest(tx, limit) if in_order else _any_due(tx, limit)
    if rows:
        numbers = tx.pack([row.number for row in rows])
        tx.run(tx.book(OutboxBook).lease, p_numbers=numbers, p_until=_later_us(tx, lease_s))
    return rows


def _any_due(tx: Tx, limit: int) -> list[OutboxRow]:
    book = tx.book(OutboxBook)
    pick = book.pick if tx.language.locks_rows else book.due
    found = [_row(*values) for values in tx.rows(pick, p_now=tx.now_us, p_limit=limit)]
    return sorted(found, key=lambda row: row.number)


def _oldest(tx: Tx, limit: int) -> list[OutboxRow]:
    """The oldest, as far as all of them are due: one that is not is held by another relay, and what follows it must wait."""
    book = tx.book(OutboxBook)
    pick = book.pick_first if tx.language.locks_rows else book.first
    found: list[OutboxRow] = []
    for values in tx.rows(pick, p_now=tx.now_us, p_limit=limit):
        if values[-1] > tx.now_us:
            break
        found.append(_row(*values))
    return found


def _row(number: int, job_id: str, body: bytes, at_us: int, tries: int, due_us: int) -> OutboxRow:
    return OutboxRow(number, Job(job_id, bytes(body)), at_us, tries)


def _later_us(tx: Tx, seconds: float) -> int:
    return tx.now_us + int(seconds * 1_000_000)


def _backlog(tx: Tx) -> Backlog:
    book = tx.book(OutboxBook)
    (waiting, oldest_us), (awaited, oldest_awaited_us) = tx.rows(book.waiting)[0], tx.rows(book.awaited)[0]
    stuck, error = tx.rows(book.stuck)[0]
    return Backlog(tx.now_us, waiting, awaited, stuck, oldest_us, oldest_awaited_us, error or "")
