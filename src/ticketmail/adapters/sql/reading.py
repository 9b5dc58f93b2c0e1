"""``Reading``: questions, each in one short transaction that changes nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CompoundSelect,
    and_,
    case,
    cast,
    false,
    func,
    literal,
    literal_column,
    null,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.sql import Select
from sqlalchemy.sql.elements import ColumnElement

from ticketmail.adapters.sql.ahead import ahead, ahead_of_own
from ticketmail.adapters.sql.book import documents
from ticketmail.adapters.sql.claiming import by_id
from ticketmail.adapters.sql.engine import Database
from ticketmail.adapters.sql.rows import HISTORY, to_history, to_uuid
from ticketmail.adapters.sql.schema import Tables
from ticketmail.adapters.sql.transaction import Language, Row, Tx, bound, one_of
from ticketmail.adapters.sql.upgrading import read_meta
from ticketmail.domain.outbound.delivery import SETTLED, DeliveryState
from ticketmail.domain.outbound.suppression import Suppression
from ticketmail.domain.ports.reading import (
    COUNTED_US,
    CauseGroup,
    DeliveryView,
    HistoryRow,
    LaneLoad,
    Overview,
    Pause,
    WorkerView,
)
from ticketmail.domain.scope import Scope, ScopeKind

_S = DeliveryState


class ReadStatements:
    """Kept statements."""

    def __init__(self, t: Tables, language: Language) -> None:
        d, e, h, s = t.delivery.c, t.event.c, t.history.c, t.submission.c
        self.loads = _loads(t)
        self.last_sent = select(func.max(d.ended_us)).where(d.state == "sent", d.ended_us.is_not(None))
        now = bound("p_now")
        due = and_(d.state == "queued", d.route == bound("p_route"), d.due_us <= now)
        self.due_of_tenants = select(d.lane, d.tenant, func.count()).where(due).group_by(d.lane, d.tenant)
        sizes = select(d.submission_id, s.size_bytes).join(t.submission, s.id == d.submission_id)
        sizes = sizes.where(due, d.lane == bound("p_lane")).order_by(d.due_us, d.submission_id)
        self.due_bytes = sizes.limit(bound("p_limit"))
        self.events_waiting = select(func.count(), func.min(e.created_us)).where(e.state == "waiting")
        # Said twice, so that the partial index is seen to fit.
        self.events_dead = select(func.count()).where(e.state == "dead", e.state != "waiting")
        history = select(*(h[name] for name in HISTORY)).where(h.submission_id == bound("p_id"), h.submission_id.is_not(None))
        self.history = history.order_by(h.seq)
        self.history_of = history.where(h.number == bound("p_number")).order_by(h.seq)
        since = select(*(h[name] for name in HISTORY)).where(h.at_us >= bound("p_since"))
        decided = or_(h.scope != "", h.actor != "")
        self.log = since.order_by(h.at_us.desc(), h.seq.desc()).limit(bound("p_limit"))
        self.decisions = since.where(decided).order_by(h.at_us.desc(), h.seq.desc()).limit(bound("p_limit"))
        self.parked = select(func.count()).select_from(t.parked).where(t.parked.c.ended_us.is_(None))
        self.body = select(s.body).where(s.id == bound("p_id"))
        w = t.worker.c
        self.workers = select(w.id, w.host, w.pid, w.version, w.started_us, w.beat_us, w.retired_us, w.dead_us, w.stats).order_by(
            w.started_us, w.id
        )
        p = t.pause.c
        self.pauses = (
            select(p.scope, p.since_us, p.until_us, p.reason, p.actor)
            .where(or_(p.until_us.is_(None), p.until_us > now))
            .order_by(p.since_us, p.scope)
        )
        dead = and_(d.state == "dead", d.dismissed_us.is_(None))
        self.causes = (
            select(d.cause, func.count(), func.min(d.ended_us), func.max(d.ended_us))
            .where(dead)
            .group_by(d.cause)
            .order_by(func.count().desc(), d.cause)
        )
        self.sample = (
            select(d.reply, d.reason, d.account).where(dead, d.cause == bound("p_cause")).order_by(d.ended_us.desc()).limit(1)
        )
        x = t.suppression.c
        listed = select(x.address, x.cause, x.evidence, x.since_us, x.until_us, x.tenant)
        self.suppressions = listed.order_by(x.address, x.tenant)
        self.suppressions_of = listed.where(x.address == bound("p_address")).order_by(x.tenant)
        self.accepted = select(d.accepted_us).where(d.submission_id == bound("p_id"), d.number == bound("p_number"))


def _loads(t: Tables) -> CompoundSelect[Any]:
    """Lanes and states in one statement, which sees one moment everywhere: a mail that is claimed meanwhile counts once.

    Each state (but QUEUED, by lane) by an index of its own: what was settled long ago is not looked at.
    """
    d = t.delivery.c
    now = bound("p_now")
    due = func.coalesce(func.sum(case((d.due_us <= now, 1), else_=0)), 0)
    oldest_us = func.min(case((d.due_us <= now, d.due_us), else_=None))
    waiting = select(literal("queued"), d.lane, d.route, func.count(), due, oldest_us).where(d.state == "queued")
    looks = {state: d.ended_us > bound("p_since") for state in sorted(SETTLED)}
    looks |= {_S.DEAD: d.ended_us.is_not(None), _S.UNKNOWN: true()}
    looks |= dict.fromkeys((_S.CLAIMED, _S.SENDING), d.worker_id.is_not(None))
    none: ColumnElement[str] = literal_column("''")
    rest: list[ColumnElement[Any]] = [none, none, func.count(), literal_column("0"), cast(null(), BigInteger)]
    counts: list[Select[Any]] = [
        select(literal(one.value), *rest).where(d.state == one.value, look) for one, look in looks.items()
    ]
    return union_all(waiting.group_by(d.route, d.lane), *counts)


class SqlReading:
    """``Reading`` on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def now_us(self) -> int:
        return self._database.read(lambda tx: tx.now_us)

    def overview(self) -> Overview:
        return self._database.read(self._overview)

    def find(
        self,
        scope: Scope,
        *,
        states: Sequence[DeliveryState] = (),
        since_us: int | None = None,
        limit: int = 100,
        after: tuple[UUID, int] | None = None,
    ) -> Sequence[DeliveryView]:
        def work(tx: Tx) -> list[DeliveryView]:
            found = in_scope(_views(tx.tables), tx.tables, scope, states)
            d = tx.tables.delivery.c
            if since_us is not None:
                found = found.where(d.accepted_us >= since_us)
            if after is not None:
                found = found.where(_beyond(tx, after))
            newest_first = (d.accepted_us.desc(), d.submission_id.desc(), d.number)
            return [_view(row) for row in tx.rows_once(found.order_by(*newest_first).limit(limit))]

        return self._database.read(work)

    def earlier(self, view: DeliveryView, *, limit: int, own: bool = False) -> int:
        return self._database.read(lambda tx: ahead_of_own(tx, view, limit) if own else ahead(tx, view, limit))

    def due_of_tenants(self, route: str) -> Mapping[tuple[str, str], int]:
        def work(tx: Tx) -> dict[tuple[str, str], int]:
            rows = tx.rows(tx.book(ReadStatements).due_of_tenants, p_route=route, p_now=tx.now_us)
            return {(lane, tenant): count for lane, tenant, count in rows}

        return self._database.read(work)

    def due_bytes(self, route: str, lane: str, *, limit: int) -> float:
        def work(tx: Tx) -> float:
            found = tx.rows(tx.book(ReadStatements).due_bytes, p_route=route, p_lane=lane, p_now=tx.now_us, p_limit=limit)
            return sum({id_: size for id_, size in found}.values()) / len(found) if found else 0.0

        return self._database.read(work)

    def history(self, submission_id: UUID, number: int | None = None) -> Sequence[HistoryRow]:
        def work(tx: Tx) -> list[HistoryRow]:
            book = tx.book(ReadStatements)
            if number is None:
                rows = tx.rows(book.history, p_id=submission_id.hex)
            else:
                rows = tx.rows(book.history_of, p_id=submission_id.hex, p_number=number)
            return [to_history(row) for row in rows]

        return self._database.read(work)

    def log(self, *, since_us: int, limit: int = 1000, decisions_only: bool = True) -> Sequence[HistoryRow]:
        def work(tx: Tx) -> list[HistoryRow]:
            book = tx.book(ReadStatements)
            rows = tx.rows(book.decisions if decisions_only else book.log, p_since=since_us, p_limit=limit)
            return [to_history(row) for row in reversed(rows)]

        return self._database.read(work)

    def body(self, submission_id: UUID) -> bytes | None:
        row = self._database.read(lambda tx: tx.row(tx.book(ReadStatements).body, p_id=submission_id.hex))
        return None if row is None or row[0] is None else bytes(row[0])

    def workers(self) -> Sequence[WorkerView]:
        def work(tx: Tx) -> list[WorkerView]:
            return [self._worker(row, tx.now_us) for row in tx.rows(tx.book(ReadStatements).workers)]

        return self._database.read(work)

    def pauses(self) -> Sequence[Pause]:
        def work(tx: Tx) -> list[Pause]:
            rows = tx.rows(tx.book(ReadStatements).pauses, p_now=tx.now_us)
            return [Pause(Scope.parse(row[0]), *row[1:]) for row in rows]

        return self._database.read(work)

    def documents(self, kind: str) -> Mapping[str, bytes]:
        return self._database.read(lambda tx: documents(tx, kind))

    def dead_causes(self) -> Sequence[CauseGroup]:
        return self._database.read(_dead_causes)

    def suppressions(self, address: str | None = None) -> Sequence[Suppression]:
        def work(tx: Tx) -> list[Suppression]:
            book = tx.book(ReadStatements)
            rows = tx.rows(book.suppressions) if address is None else tx.rows(book.suppressions_of, p_address=address)
            return [Suppression(*row) for row in rows]

        return self._database.read(work)

    def _worker(self, row: Row, now_us: int) -> WorkerView:
        id_, host, pid, version, started_us, beat_us, retired_us, dead_us, stats = row
        over = retired_us is not None or dead_us is not None
        alive = not over and not self._database.store.is_dead(id_, beat_us, now_us)
        return WorkerView(UUID(id_), host, pid, version, started_us, beat_us, alive, retired_us, json.loads(stats))

    def _overview(self, tx: Tx) -> Overview:
        book = tx.book(ReadStatements)
        meta = read_meta(tx)
        waiting, oldest_event_us = tx.rows(book.events_waiting)[0]
        rows = tx.rows(book.loads, p_now=tx.now_us, p_since=tx.now_us - COUNTED_US)
        queued = sorted((row[1:] for row in rows if row[0] == _S.QUEUED), key=lambda row: (row[1], row[0]))
        lanes = [LaneLoad(lane, route, n, int(due), oldest_us) for lane, route, n, due, oldest_us in queued]
        counted = {DeliveryState(row[0]): row[3] for row in rows if row[0] != _S.QUEUED}
        counted[_S.QUEUED] = sum(load.queued for load in lanes)
        return Overview(
            now_us=tx.now_us,
            site=meta.get("site", ""),
            counts={state: count for state, count in counted.items() if count},
            lanes=lanes,
            last_sent_us=tx.rows(book.last_sent)[0][0],
            events_waiting=waiting,
            events_dead=tx.rows(book.events_dead)[0][0],
            oldest_event_us=oldest_event_us,
            schema_version=int(meta.get("schema_version", "0")),
            free_bytes=self._database.store.free_bytes(),
            size_bytes=self._database.store.size_bytes(tx.cursor),
            jobs_parked=tx.rows(book.parked)[0][0],
        )


def in_scope(statement: Select[Any], t: Tables, scope: Scope, states: Sequence[DeliveryState]) -> Select[Any]:
    """``statement`` on delivery, narrowed to a scope and states (() means any)."""
    if states:
        statement = statement.where(one_of(t.delivery.c.state, [state.value for state in states]))
    return statement.where(_selects(t, scope))


def _selects(t: Tables, scope: Scope) -> ColumnElement[bool]:
    d = t.delivery.c
    if scope.kind is ScopeKind.ALL:
        return true()
    if scope.kind is ScopeKind.ID:
        return by_id(t, scope)
    column = {
        ScopeKind.ACCOUNT: d.account,
        ScopeKind.LANE: d.lane,
        ScopeKind.TENANT: d.tenant,
        ScopeKind.TICKET: d.ticket,
        ScopeKind.TO: d.recipient_key,
        ScopeKind.DOMAIN: d.recipient_domain,
        ScopeKind.CAUSE: d.cause,
    }[scope.kind]
    chosen: ColumnElement[bool] = column == scope.value
    # Said once more, so that the partial index on tickets is seen to fit.
    return and_(chosen, d.ticket.is_not(None)) if scope.kind is ScopeKind.TICKET else chosen


def _beyond(tx: Tx, after: tuple[UUID, int]) -> ColumnElement[bool]:
    d = tx.tables.delivery.c
    id_, number = after[0].hex, after[1]
    row = tx.row(tx.book(ReadStatements).accepted, p_id=id_, p_number=number)
    if row is None:
        return false()
    same_time = d.accepted_us == row[0]
    return or_(
        d.accepted_us < row[0],
        and_(same_time, d.submission_id < id_),
        and_(same_time, d.submission_id == id_, d.number > number),
    )


#: Fields of a view that are a column each, in the order of :func:`_views`.
_VIEW = (
    *("submission_id", "number", "recipient", "state", "lane", "route", "sender", "tenant", "ticket", "key", "message_id"),
    *("accepted_us", "due_us", "deadline_us", "ended_us", "attempts", "unknowns", "fence", "cause", "reason", "reply"),
    *("account", "remote_id"),
)


def _views(t: Tables) -> Select[Any]:
    d, s = t.delivery.c, t.submission.c
    columns: list[ColumnElement[Any]] = [
        *(d.submission_id, d.number, d.recipient, d.state, d.lane, d.route, s.sender, d.tenant, d.ticket, s.submit_key),
        *(s.message_id, d.accepted_us, d.due_us, d.deadline_us, d.ended_us, d.attempts, d.unknowns, d.fence, d.cause),
        *(d.reason, d.reply, d.account, d.remote_id, d.worker_id, d.behind_submission_id, d.behind_number, s.size_bytes),
        d.dismissed_us,
    ]
    return select(*columns).join(t.submission, s.id == d.submission_id)


def _view(row: Row) -> DeliveryView:
    *first, worker_id, behind_id, behind_number, size_bytes, dismissed_us = row
    values: dict[str, Any] = dict(zip(_VIEW, first, strict=True))
    return DeliveryView(
        **{**values, "submission_id": UUID(values["submission_id"]), "state": DeliveryState(values["state"])},
        worker_id=to_uuid(worker_id),
        behind=None if behind_id is None else (UUID(behind_id), behind_number),
        size_bytes=size_bytes,
        dismissed=dismissed_us is not None,
    )


def _dead_causes(tx: Tx) -> list[CauseGroup]:
    book = tx.book(ReadStatements)
    groups: list[CauseGroup] = []
    for cause, count, oldest_us, newest_us in tx.rows(book.causes):
        reply, reason, account = tx.row(book.sample, p_cause=cause) or ("", "", "")
        groups.append(CauseGroup(cause, count, oldest_us, newest_us, reply or reason, account))
    return groups
