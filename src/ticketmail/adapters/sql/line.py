"""Order in a ticket: who waits behind whom for its first attempt, and who moves up when one is over.

A delivery names one that goes before it: accepted before, of no lower lane, and not wanted later. (Whose first due time is no
later than its acceptance was due at once, whatever clocks say.) Lanes do not wait for lower ones, so there may be several: when
the one is over, the others are looked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import or_, select, update
from sqlalchemy.sql.elements import ColumnElement

from ticketmail.adapters.sql.schema import BEFORE_END, Tables
from ticketmail.adapters.sql.transaction import Language, Tx, bound, one_of


class Waiting(NamedTuple):
    """A delivery that waits behind another of its ticket."""

    submission_id: str
    number: int
    behind_submission_id: str
    behind_number: int
    tenant: str
    ticket: str
    recipient_key: str
    lane_weight: int
    first_due_us: int
    accepted_us: int


class LineStatements:
    """Kept statements."""

    def __init__(self, t: Tables, language: Language) -> None:
        d = t.delivery.c
        waits = (d.state == "queued", d.behind_submission_id.is_not(None))
        waiting = select(*(d[name] for name in Waiting._fields)).where(*waits)
        self.waiting = waiting.where(d.behind_submission_id == bound("p_id"), d.behind_number == bound("p_number"))
        self.forgotten = waiting.where(~_still_ahead(t)).limit(bound("p_limit"))
        self.ahead = (
            select(d.submission_id, d.number)
            .where(d.tenant == bound("p_tenant"), d.ticket == bound("p_ticket"), d.ticket.is_not(None))
            .where(d.recipient_key == bound("p_key"), *before_first_attempt(t.delivery))
            .where(d.lane_weight >= bound("p_weight"), d.accepted_us < bound("p_accepted"))
            .where(or_(d.first_due_us <= bound("p_first_due"), d.first_due_us <= d.accepted_us))
            .order_by(d.lane_weight, d.accepted_us.desc())
            .limit(1)
        )
        this = (d.submission_id == bound("p_id"), d.number == bound("p_number"), *waits)
        still = (d.behind_submission_id == bound("p_old_id"), d.behind_number == bound("p_old_number"))
        moved = update(t.delivery).where(*this, *still)
        # Its own first due time, not now: it keeps its place before what was handed over after it.
        self.free = moved.values(due_us=d.first_due_us, behind_submission_id=None, behind_number=None)
        self.wait_on = moved.values(behind_submission_id=bound("p_new_id"), behind_number=bound("p_new_number"))


def before_first_attempt(delivery: Any) -> tuple[ColumnElement[bool], ...]:
    """Deliveries (of the table, or of an alias) that others may wait behind."""
    c = delivery.c
    return one_of(c.state, BEFORE_END), c.attempts == 0, c.unknowns == 0


def _still_ahead(t: Tables) -> ColumnElement[bool]:
    d, ahead = t.delivery.c, t.delivery.alias("ahead")
    this = (ahead.c.submission_id == d.behind_submission_id, ahead.c.number == d.behind_number)
    return select(ahead.c.number).where(*this, *before_first_attempt(ahead)).exists()


def free_next(tx: Tx, ends: Iterable[tuple[str, int]]) -> None:
    """The first attempts of these (submission, number) are over: what waits behind them is due now, or waits for another."""
    found = tx.each_rows(tx.book(LineStatements).waiting, [{"p_id": id_, "p_number": number} for id_, number in ends])
    _move_up(tx, [Waiting(*row) for rows in found for row in rows])


def free_forgotten(tx: Tx, limit: int) -> None:
    """Frees what waits behind nothing: its own transaction was still open while its predecessor ended."""
    _move_up(tx, [Waiting(*row) for row in tx.rows(tx.book(LineStatements).forgotten, p_limit=limit)])


def _move_up(tx: Tx, waiting: Sequence[Waiting]) -> None:
    statements = tx.book(LineStatements)
    for one, ahead in zip(waiting, tx.each_rows(statements.ahead, [_place(one) for one in waiting]), strict=True):
        this = {
            "p_id": one.submission_id,
            "p_number": one.number,
            "p_old_id": one.behind_submission_id,
            "p_old_number": one.behind_number,
        }
        if ahead:
            tx.run(statements.wait_on, **this, p_new_id=ahead[0][0], p_new_number=ahead[0][1])
        elif tx.run(statements.free, **this):
            tx.rings = True


def _place(one: Waiting) -> dict[str, Any]:
    return {
        "p_tenant": one.tenant,
        "p_ticket": one.ticket,
        "p_key": one.recipient_key,
        "p_weight": one.lane_weight,
        "p_first_due": one.first_due_us,
        "p_accepted": one.accepted_us,
    }
