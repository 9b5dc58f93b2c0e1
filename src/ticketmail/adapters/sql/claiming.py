"""The claim: what was picked (see ``picking``) is taken with all its due deliveries, compare-and-set."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Select, Update, and_, exists, not_, or_, select, true, tuple_, update
from sqlalchemy.sql import Executable
from sqlalchemy.sql.elements import ColumnElement

from ticketmail.adapters.sql.mails import FENCE, claim_columns, mails
from ticketmail.adapters.sql.picking import Lane, Picker
from ticketmail.adapters.sql.scans import Scans
from ticketmail.adapters.sql.schema import Tables
from ticketmail.adapters.sql.transaction import Language, Row, Tx, bound
from ticketmail.domain.ports.delivering import ClaimedMail, Want
from ticketmail.domain.scope import Scope, ScopeKind

_Build = Callable[[Tables, Language, ColumnElement[bool]], Executable]


class ClaimStatements:
    """Kept statements."""

    def __init__(self, t: Tables, language: Language) -> None:
        if language.returns:
            self.take = take(t, language, true())
        else:
            self.held, self.take_held = held(t, language, true()), take_held(t, language)
        p = t.pause.c
        self.pauses = select(p.scope).where(or_(p.until_us.is_(None), p.until_us > bound("p_now")))
        d = t.delivery.c
        self.first_pair = _pair(t, true())
        # By the lane alone: MariaDB would sort all rows of the route by both.
        self.next_lane = _pair(t, and_(d.route == bound("p_route"), d.lane > bound("p_lane"))).order_by(None).order_by(d.lane)
        self.next_route = _pair(t, d.route > bound("p_route"))
        self.undo = (
            update(t.delivery)
            .where(d.submission_id == bound("p_id"), d.number == bound("p_number"), d.fence == bound("p_fence"))
            .where(d.state == "claimed")
            .values(state="queued", worker_id=None)
        )


def take(t: Tables, language: Language, allowed: ColumnElement[bool]) -> Executable:
    """All due deliveries of picked submissions. What changed since the pick fails the comparison; so does a worker whose row is
    closed, for nobody would take its leases back."""
    return _taking(t).where(_may_be_taken(t, language, allowed)).returning(*claim_columns(t))


def held(t: Tables, language: Language, allowed: ColumnElement[bool]) -> Executable:
    """The same, locked only: for databases whose UPDATE does not return rows. :func:`take_held` takes them."""
    return select(*claim_columns(t)).where(_may_be_taken(t, language, allowed)).with_for_update()


def take_held(t: Tables, language: Language) -> Executable:
    """What was locked, and nothing that has become due since: nobody would know of it."""
    d = t.delivery.c
    these = tuple_(d.submission_id, d.number).bool_op("IN")(bound("p_keys"))
    return _taking(t).where(language.within(d.submission_id, "p_ids"), these)


def _taking(t: Tables) -> Update:
    d = t.delivery.c
    return update(t.delivery).values(
        state="claimed", fence=d.fence + 1, worker_id=bound("p_worker"), behind_submission_id=None, behind_number=None
    )


def _may_be_taken(t: Tables, language: Language, allowed: ColumnElement[bool]) -> ColumnElement[bool]:
    d, w = t.delivery.c, t.worker.c
    is_open = exists().where(w.id == bound("p_worker"), w.retired_us.is_(None), w.dead_us.is_(None))
    due = and_(d.state == "queued", d.due_us <= bound("p_now"), d.deadline_us > bound("p_now"))
    return and_(language.within(d.submission_id, "p_ids"), due, allowed, is_open)


def _pair(t: Tables, beyond: ColumnElement[bool]) -> Select[Any]:
    d = t.delivery.c
    return select(d.route, d.lane).where(d.state == "queued", beyond).order_by(d.route, d.lane).limit(1)


@dataclass(slots=True)
class Claimed:
    """What a claim led to. ``turns``: whom it served last, by (route, lane)."""

    mails: list[ClaimedMail]
    turns: dict[Lane, str]


@dataclass(slots=True)
class Picked:
    """Submissions that may be claimed, by reading alone."""

    ids: list[str]
    turns: dict[Lane, str]


def claim(tx: Tx, worker_id: UUID, wants: Sequence[Want], turns: Mapping[Lane, str], scans: Scans) -> Claimed | None:
    """See ``Deliveries.claim``. None: pauses may make the pick scan, so it should not be done under a file's write lock; ask
    :func:`picks`, then :func:`take_picked`."""
    paused = _pauses(tx)
    allowed = _allowed(tx.tables, paused)
    if allowed is not None and not tx.language.locks_rows:
        return None
    picker = Picker(tx, paused, allowed, turns, scans)
    found: list[ClaimedMail] = []
    for want in wants:
        if not _is_paused(want, paused):
            found += _take(tx, worker_id, picker.pick(want), allowed)
    return Claimed(found, picker.turns)


def picks(tx: Tx, wants: Sequence[Want], turns: Mapping[Lane, str], scans: Scans) -> Picked:
    """Submissions that may be claimed now, by reading alone."""
    paused = _pauses(tx)
    picker = Picker(tx, paused, _allowed(tx.tables, paused), turns, scans)
    ids = [id_ for want in wants if not _is_paused(want, paused) for id_ in picker.pick(want)]
    return Picked(ids, picker.turns)


def take_picked(tx: Tx, worker_id: UUID, picked: Picked) -> Claimed:
    """Claim what was picked, as far as it still may be."""
    return Claimed(_take(tx, worker_id, picked.ids, _allowed(tx.tables, _pauses(tx))), picked.turns)


def _pauses(tx: Tx) -> list[Scope]:
    return [Scope.parse(text) for (text,) in tx.rows(tx.book(ClaimStatements).pauses, p_now=tx.now_us)]


def _take(tx: Tx, worker_id: UUID, ids: Sequence[str], allowed: ColumnElement[bool] | None) -> list[ClaimedMail]:
    if not ids:
        return []
    params = {"p_ids": tx.pack(ids), "p_now": tx.now_us, "p_worker": worker_id.hex}
    taken = _rows(tx, "take", take, allowed, params) if tx.language.returns else _held_and_taken(tx, allowed, params)
    place = {id_: index for index, id_ in enumerate(ids)}
    return mails(tx, sorted(taken, key=lambda row: (place[row[0]], row[1])))


def _held_and_taken(tx: Tx, allowed: ColumnElement[bool] | None, params: dict[str, Any]) -> list[Row]:
    rows = _rows(tx, "held", held, allowed, params)
    if rows:
        keys = tx.pack([(row[0], row[1]) for row in rows])
        tx.run(tx.book(ClaimStatements).take_held, p_ids=params["p_ids"], p_keys=keys, p_worker=params["p_worker"])
    return [(*row[:FENCE], row[FENCE] + 1, *row[FENCE + 1 :]) for row in rows]


def _rows(tx: Tx, name: str, build: _Build, allowed: ColumnElement[bool] | None, params: dict[str, Any]) -> list[Row]:
    """Rows of the kept statement, or of one built for the pauses of the moment."""
    if allowed is None:
        return tx.rows(getattr(tx.book(ClaimStatements), name), **params)
    return tx.rows_with(build(tx.tables, tx.language, allowed), **params)


def _is_paused(want: Want, paused: Sequence[Scope]) -> bool:
    return any(scope.kind is ScopeKind.ALL or (scope.kind is ScopeKind.LANE and scope.value == want.lane) for scope in paused)


def _allowed(t: Tables, paused: Sequence[Scope]) -> ColumnElement[bool] | None:
    """What no pause forbids; ``all`` and ``lane`` are looked at before. None: no pause looks at single mails."""
    d = t.delivery.c
    columns = {
        ScopeKind.TENANT: d.tenant,
        ScopeKind.TICKET: d.ticket,
        ScopeKind.TO: d.recipient_key,
        ScopeKind.DOMAIN: d.recipient_domain,
        ScopeKind.CAUSE: d.cause,
    }
    parts = [not_(by_id(t, scope)) for scope in paused if scope.kind is ScopeKind.ID]
    for kind, column in columns.items():
        values = [scope.value for scope in paused if scope.kind is kind]
        if values:
            parts.append(or_(column.is_(None), and_(*(column != value for value in values))))
    return and_(*parts) if parts else None


def by_id(t: Tables, scope: Scope) -> ColumnElement[bool]:
    """The deliveries of an ``id:`` scope."""
    id_, number = scope.delivery
    chosen = t.delivery.c.submission_id == id_
    return chosen if number is None else and_(chosen, t.delivery.c.number == number)


def routes(tx: Tx) -> list[tuple[str, str]]:
    """(route, lane) pairs with queued deliveries: a loose index scan, one probe or two a pair."""
    book = tx.book(ClaimStatements)
    found: list[tuple[str, str]] = []
    at = tx.row(book.first_pair)
    while at is not None:
        found.append((at[0], at[1]))
        at = tx.row(book.next_lane, p_route=at[0], p_lane=at[1]) or tx.row(book.next_route, p_route=at[0])
    return found


def undo(tx: Tx, claimed: Claimed | None) -> None:
    """Give back a claim whose commit's answer was lost, for nobody knows of it."""
    tx.each(
        tx.book(ClaimStatements).undo,
        [
            {"p_id": mail.submission_id.hex, "p_number": delivery.number, "p_fence": delivery.fence}
            for mail in (claimed.mails if claimed else ())
            for delivery in mail.deliveries
        ],
    )
