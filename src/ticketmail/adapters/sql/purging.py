"""Retention: what is deleted when. Never an unread dead letter, never what still waits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from sqlalchemy import and_, case, delete, or_, select, update
from sqlalchemy.sql import Executable
from sqlalchemy.sql.elements import ColumnElement

from ticketmail.adapters.sql.rows import add_history, history_row
from ticketmail.adapters.sql.schema import Tables
from ticketmail.adapters.sql.thread import SpoolThread
from ticketmail.adapters.sql.transaction import Language, Tx, bound, one_of
from ticketmail.domain.ports.delivering import Retention

_DAY_US = 86_400_000_000
_CHUNK = 50
_WORKER_DAYS = 30.0


class PurgeStatements:
    """Kept statements. Each ``find`` gives at most ``p_limit`` keys, each ``drop`` deletes by them."""

    def __init__(self, t: Tables, language: Language) -> None:
        d, s, h, e, b, r = t.delivery.c, t.submission.c, t.history.c, t.event.c, t.blob.c, t.blob_ref.c
        p, m = t.parked.c, t.tombstone.c
        limit, before = bound("p_limit"), bound("p_before")
        # Over is what ended long enough ago; a dead letter only when it was read long enough ago.
        read_long_ago = and_(d.dismissed_us.is_not(None), d.dismissed_us < bound("p_read_before"))
        over = case((d.state == "dead", read_long_ago), else_=and_(d.ended_us.is_not(None), d.ended_us < before))
        unfinished = select(d.number).where(d.submission_id == s.id, ~over).exists()
        self.bodies = (
            select(s.id)
            .where(s.body_purged_us.is_(None), s.accepted_us < before, ~unfinished)
            .order_by(s.accepted_us)
            .limit(limit)
        )
        self.empty = update(t.submission).where(s.id == bound("p_id")).values(body=None, body_purged_us=bound("p_now"))
        self.unref = delete(t.blob_ref).where(r.submission_id == bound("p_id"))
        age: ColumnElement[bool] = or_(
            and_(s.submit_key.is_not(None), s.accepted_us < bound("p_key_before")), s.accepted_us < bound("p_old_before")
        )
        self.submissions = (
            select(s.id).where(s.body_purged_us.is_not(None), age, ~unfinished).order_by(s.accepted_us).limit(limit)
        )
        self.drop_deliveries = delete(t.delivery).where(d.submission_id == bound("p_id"))
        self.drop_feedback = delete(t.feedback).where(t.feedback.c.submission_id == bound("p_id"))
        self.drop_submission = delete(t.submission).where(s.id == bound("p_id"))
        used = select(r.submission_id).where(r.tenant == b.tenant, r.digest == b.digest).exists()
        self.blobs = select(b.tenant, b.digest).where(b.touched_us < before, ~used).order_by(b.touched_us).limit(limit)
        self.drop_blob = delete(t.blob).where(
            b.tenant == bound("p_tenant"), b.digest == bound("p_digest"), b.touched_us < before, ~used
        )
        i = t.inbound.c
        settled = one_of(i.state, ("done", "duplicate"))
        of = i.category == bound("p_category")
        raw = select(i.id).where(i.raw_purged_us.is_(None), of, settled, i.stored_us < before).order_by(i.stored_us)
        # The server would else walk the rows by their time, through all that were purged before.
        self.raw = raw.limit(limit).with_hint(t.inbound, f"FORCE INDEX (ix_{t.prefix}inbound_unpurged)", "mariadb")
        self.drop_raw = update(t.inbound).where(i.id == bound("p_id")).values(digest="", raw_purged_us=bound("p_now"))
        self.inbound = select(i.id).where(i.raw_purged_us.is_not(None), i.stored_us < before).order_by(i.stored_us).limit(limit)
        self.drop_inbound = delete(t.inbound).where(i.id == bound("p_id"))
        # Rows come in the order of time, or nearly: the oldest tell whether there is anything to do.
        self.history = select(h.seq, h.at_us).order_by(h.seq).limit(limit)
        self.drop_history = delete(t.history).where(h.seq == bound("p_seq"))
        self.events = select(e.seq).where(e.state == "done", e.created_us < before).order_by(e.created_us).limit(limit)
        self.drop_event = delete(t.event).where(e.seq == bound("p_seq"))
        self.parked = select(p.id).where(p.ended_us < before).order_by(p.ended_us).limit(limit)
        self.drop_parked = delete(t.parked).where(p.id == bound("p_id"), p.ended_us < before)
        self.tombstones: Executable = delete(t.tombstone).where(m.at_us < before)
        w, x = t.worker.c, t.handled.c
        gone = or_(w.retired_us < before, w.dead_us < before)
        self.workers: Executable = delete(t.worker).where(gone)
        self.handled: Executable = delete(t.handled).where(x.at_us < before)


_Step = Callable[[Tx, int], int]


async def purge(thread: SpoolThread, retention: Retention, limit: int) -> Mapping[str, int]:
    """See ``Upkeep.purge``."""
    steps: dict[str, _Step] = {
        "bodies": partial(_bodies, retention),
        "submissions": partial(_submissions, retention),
        "inbound": partial(_inbound, retention),
        "blobs": partial(_blobs, retention),
        "events": partial(_events, retention),
        "history": partial(_history, retention),
        "parked": partial(_parked, retention),
    }
    purged = {name: await _in_chunks(thread, step, limit) for name, step in steps.items()}
    purged["workers"] = await thread.submit(partial(_rest, retention))
    if any(purged.values()):
        await thread.submit(partial(_note, purged))
    return purged


def _note(purged: Mapping[str, int], tx: Tx) -> None:
    counts = ", ".join(f"{count} {name}" for name, count in purged.items() if count)
    add_history(tx, [history_row("purge", tx.now_us, scope="all", reason=f"Retention deleted {counts}.", actor="worker")])


async def _in_chunks(thread: SpoolThread, step: _Step, limit: int) -> int:
    total = 0
    while total < limit:
        size = min(_CHUNK, limit - total)
        done = await thread.submit(lambda tx, size=size: step(tx, size))  # type: ignore[misc]
        total += done
        if done < size:
            break
    return total


def _before(tx: Tx, days: float) -> int:
    return tx.now_us - int(days * _DAY_US)


def _bodies(retention: Retention, tx: Tx, limit: int) -> int:
    book = tx.book(PurgeStatements)
    before = {"p_before": _before(tx, retention.sent_body_days), "p_read_before": _before(tx, retention.dead_body_days)}
    ids = [{"p_id": id_} for (id_,) in tx.rows(book.bodies, **before, p_limit=limit)]
    tx.each(book.unref, ids)
    return sum(tx.each(book.empty, [{**params, "p_now": tx.now_us} for params in ids]))


def _submissions(retention: Retention, tx: Tx, limit: int) -> int:
    book = tx.book(PurgeStatements)
    found = tx.rows(
        book.submissions,
        p_before=_before(tx, retention.sent_body_days),
        p_read_before=_before(tx, retention.dead_body_days),
        p_key_before=_before(tx, retention.key_days),
        p_old_before=_before(tx, retention.history_days),
        p_limit=limit,
    )
    ids = [{"p_id": id_} for (id_,) in found]
    tx.each(book.drop_deliveries, ids)
    tx.each(book.drop_feedback, ids)  # a key may be used again: its mail bounces anew
    return sum(tx.each(book.drop_submission, ids))


def _inbound(retention: Retention, tx: Tx, limit: int) -> int:
    """The bytes first; the rows, which know copies, live as long as history."""
    book = tx.book(PurgeStatements)
    ids: list[dict[str, str]] = []
    for category, days in retention.raw_days().items():
        found = tx.rows(book.raw, p_category=category, p_before=_before(tx, days), p_limit=limit - len(ids))
        ids += [{"p_id": id_} for (id_,) in found]
    tx.each(book.unref, ids)
    old = tx.rows(book.inbound, p_before=_before(tx, retention.history_days), p_limit=limit)
    tx.each(book.drop_inbound, [{"p_id": id_} for (id_,) in old])
    return sum(tx.each(book.drop_raw, [{**params, "p_now": tx.now_us} for params in ids]))


def _blobs(retention: Retention, tx: Tx, limit: int) -> int:
    book = tx.book(PurgeStatements)
    before = _before(tx, retention.blob_days)
    found = tx.rows(book.blobs, p_before=before, p_limit=limit)
    return sum(tx.each(book.drop_blob, [{"p_tenant": row[0], "p_digest": row[1], "p_before": before} for row in found]))


def _events(retention: Retention, tx: Tx, limit: int) -> int:
    book = tx.book(PurgeStatements)
    found = tx.rows(book.events, p_before=_before(tx, retention.event_days), p_limit=limit)
    return sum(tx.each(book.drop_event, [{"p_seq": seq} for (seq,) in found]))


def _history(retention: Retention, tx: Tx, limit: int) -> int:
    book = tx.book(PurgeStatements)
    before = _before(tx, retention.history_days)
    old = [seq for seq, at_us in tx.rows(book.history, p_limit=limit) if at_us < before]
    return sum(tx.each(book.drop_history, [{"p_seq": seq} for seq in old]))


def _parked(retention: Retention, tx: Tx, limit: int) -> int:
    book = tx.book(PurgeStatements)
    before = _before(tx, retention.dead_body_days)
    found = tx.rows(book.parked, p_before=before, p_limit=limit)
    return sum(tx.each(book.drop_parked, [{"p_id": id_, "p_before": before} for (id_,) in found]))


def _rest(retention: Retention, tx: Tx) -> int:
    book = tx.book(PurgeStatements)
    tx.run(book.tombstones, p_before=_before(tx, retention.tombstone_days))
    tx.run(book.handled, p_before=_before(tx, max(retention.event_days, _WORKER_DAYS)))
    return tx.run(book.workers, p_before=_before(tx, _WORKER_DAYS))
