"""``Upkeep``: housekeeping in short transactions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import and_, select, update

from ticketmail.adapters.sql import ends
from ticketmail.adapters.sql.engine import Database
from ticketmail.adapters.sql.purging import purge
from ticketmail.adapters.sql.rows import add_events
from ticketmail.adapters.sql.schema import Tables
from ticketmail.adapters.sql.selecting import CHUNK, Key, parts
from ticketmail.adapters.sql.thread import SpoolThread
from ticketmail.adapters.sql.transaction import Language, Tx, bound
from ticketmail.domain.events import MailDeadLettered, MailDelayed, MailExpired
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.ports.delivering import LaneEnd, Retention
from ticketmail.domain.ports.reading import Pause


class UpkeepStatements:
    """Kept statements."""

    def __init__(self, t: Tables, language: Language) -> None:
        d, s = t.delivery.c, t.submission.c
        brief = select(*ends.brief_columns(t)).join(t.submission, s.id == d.submission_id)
        limit = bound("p_limit")
        now = bound("p_now")
        self.expired = brief.where(d.state == "queued", d.deadline_us <= now).order_by(d.deadline_us).limit(limit)
        untold = and_(d.state == "queued", d.delay_told == 0)
        self.delayed = (
            select(*ends.brief_columns(t), d.due_us, d.reason)
            .join(t.submission, s.id == d.submission_id)
            .where(untold, d.first_due_us <= bound("p_before"))
            .order_by(d.first_due_us)
            .limit(limit)
        )
        self.tell = (
            update(t.delivery).where(d.submission_id == bound("p_id"), d.number == bound("p_number"), untold).values(delay_told=1)
        )
        self.senders = select(s.sender, d.route).join(t.delivery, s.id == d.submission_id).where(d.state == "queued").distinct()
        self.moving = (
            select(d.submission_id, d.number)
            .join(t.submission, s.id == d.submission_id)
            .where(d.state == "queued", d.route == bound("p_from"), s.sender == bound("p_sender"))
            .limit(limit)
        )
        self.move = (
            update(t.delivery)
            .where(d.submission_id == bound("p_id"), d.number == bound("p_number"))
            .where(d.state == "queued", d.route == bound("p_from"))
            .values(route=bound("p_to"))
        )
        self.move_mail = update(t.submission).where(s.id == bound("p_id")).values(route=bound("p_to"))


class SqlUpkeep:
    """``Upkeep`` on a database."""

    def __init__(self, database: Database, thread: SpoolThread) -> None:
        self._database = database
        self._thread = thread

    async def expire(self, lanes: Sequence[LaneEnd], limit: int) -> int:
        ends_as = {lane.lane: lane.state for lane in lanes}
        return await self._in_chunks(limit, lambda tx, size: _expire(tx, ends_as, size))

    async def tell_delayed(self, after_us: int, limit: int) -> int:
        return await self._in_chunks(limit, lambda tx, size: _tell_delayed(tx, after_us, size))

    async def purge(self, retention: Retention, limit: int) -> Mapping[str, int]:
        return await purge(self._thread, retention, limit)

    async def reroute(self, route_of: Callable[[str], str], limit: int) -> int:
        # Looking through what waits takes its time: on a connection of its own, so that outcomes need not wait.
        moves = await asyncio.to_thread(self._database.read, lambda tx: _moves(tx, route_of, limit))
        moved = 0
        for (route, to), keys in moves.items():
            for part in parts(keys):
                moved += await self._thread.submit(partial(_move, route, to, part))
        return moved

    async def free_bytes(self) -> int | None:
        return self._database.store.free_bytes()

    async def _in_chunks(self, limit: int, step: Callable[[Tx, int], int]) -> int:
        """Run ``step`` until it finds less than it may, in a transaction each."""
        total = 0
        while total < limit:
            size = min(CHUNK, limit - total)
            done = await self._thread.submit(lambda tx, size=size: step(tx, size))  # type: ignore[misc]
            total += done
            if done < size:
                break
        return total


_EXPIRED = "Its deadline passed before it could be sent."


def _expire(tx: Tx, ends_as: Mapping[str, DeliveryState], limit: int) -> int:
    found = ends.briefs(tx.rows(tx.book(UpkeepStatements).expired, p_now=tx.now_us, p_limit=limit))
    dead = [b for b in found if ends_as.get(b.lane, DeliveryState.DEAD) is not DeliveryState.EXPIRED]
    gone = [b for b in found if b not in dead]
    more: dict[str, Any] = {"kind": "expired", "cause": "expired", "reason": _EXPIRED}
    ended = ends.end(
        tx, dead, "dead", told=lambda b: MailDeadLettered(**b.facts("dead", tx.now_us, _EXPIRED), cause="expired"), **more
    )
    ended += ends.end(tx, gone, "expired", told=lambda b: MailExpired(**b.facts("expired", tx.now_us, _EXPIRED)), **more)
    return len(ended)


def _tell_delayed(tx: Tx, after_us: int, limit: int) -> int:
    book = tx.book(UpkeepStatements)
    rows = tx.rows(book.delayed, p_before=tx.now_us - after_us, p_limit=limit)
    counts = tx.each(book.tell, [{"p_id": row[0], "p_number": row[1]} for row in rows])
    told = [row for row, count in zip(rows, counts, strict=True) if count]
    add_events(tx, (_delayed(ends.Brief(*row[:-2]), row[-2], row[-1], tx.now_us) for row in told))
    return len(told)


def _delayed(brief: ends.Brief, due_us: int, reason: str, now_us: int) -> MailDelayed:
    facts = brief.facts("delayed", now_us, reason or "It is still waiting to be sent.")
    return MailDelayed(**facts, eta_us=due_us if due_us > now_us else None)


def _moves(tx: Tx, route_of: Callable[[str], str], limit: int) -> dict[tuple[str, str], list[Key]]:
    """Which deliveries belong to another route now: (from, to) -> keys, at most ``limit``."""
    book = tx.book(UpkeepStatements)
    moves: dict[tuple[str, str], list[Key]] = {}
    left = limit
    for sender, route in tx.rows(book.senders):
        to = route_of(sender)
        if to != route and left > 0:
            keys = tx.rows(book.moving, p_from=route, p_sender=sender, p_limit=left)
            moves.setdefault((route, to), []).extend((id_, number) for id_, number in keys)
            left -= len(keys)
    return moves


def _move(route: str, to: str, keys: Sequence[Key], tx: Tx) -> int:
    book = tx.book(UpkeepStatements)
    counts = tx.each(book.move, [{"p_id": id_, "p_number": number, "p_from": route, "p_to": to} for id_, number in keys])
    tx.each(book.move_mail, [{"p_id": id_, "p_to": to} for id_ in dict.fromkeys(id_ for id_, _ in keys)])
    tx.rings = tx.rings or any(counts)
    return sum(counts)


class PauseStatements:
    """Kept statements."""

    def __init__(self, t: Tables, language: Language) -> None:
        names = ("scope", "since_us", "until_us", "reason", "actor")
        self.put = language.upsert(t.pause, names, ("scope",), names[1:])


def put_pause(tx: Tx, pause: Pause) -> None:
    """Write a pause; the later word holds."""
    tx.run(
        tx.book(PauseStatements).put,
        scope=str(pause.scope),
        since_us=pause.since_us,
        until_us=pause.until_us,
        reason=pause.reason,
        actor=pause.actor,
    )
