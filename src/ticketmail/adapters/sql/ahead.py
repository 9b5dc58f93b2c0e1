"""How many go before a mail, as far as that can be told: its own tenant's earlier ones, and the others' turns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Executable, Select, and_, func, or_, select

from ticketmail.adapters.sql.picking import TENANTS, Lane, tenants_of
from ticketmail.adapters.sql.schema import Tables
from ticketmail.adapters.sql.transaction import Language, Row, Tx, bound
from ticketmail.domain.ports.reading import DeliveryView


class AheadStatements:
    """Kept statements. Each counts up to a limit, by an index alone."""

    def __init__(self, t: Tables, language: Language) -> None:
        d = t.delivery.c
        queued = select(d.submission_id).where(d.state == "queued", d.route == bound("p_route"), d.lane == bound("p_lane"))
        theirs = queued.where(d.tenant == bound("p_tenant"), d.due_us <= bound("p_due"))
        sooner = or_(d.due_us < bound("p_due"), and_(d.due_us == bound("p_due"), d.submission_id < bound("p_id")))
        self.earlier = _counted(theirs.where(sooner))
        self.due = _counted(theirs)


def _counted(found: Select[Any]) -> Executable:
    return select(func.count()).select_from(found.limit(bound("p_limit")).subquery())


def ahead(tx: Tx, view: DeliveryView, limit: int) -> int:
    """See ``Reading.earlier``."""
    book, lane = tx.book(AheadStatements), (view.route, view.lane)
    own = ahead_of_own(tx, view, limit)
    total = own
    place = {"p_route": view.route, "p_lane": view.lane, "p_due": max(view.due_us or 0, tx.now_us)}
    for tenant in _others(tx, lane, view.tenant):
        if total >= limit:
            break
        total += _count(tx.rows(book.due, **place, p_tenant=tenant, p_limit=own + 1))
    return min(limit, total)


def ahead_of_own(tx: Tx, view: DeliveryView, limit: int) -> int:
    """Those of its own tenant."""
    place = {"p_route": view.route, "p_lane": view.lane, "p_due": view.due_us or 0, "p_tenant": view.tenant}
    return _count(tx.rows(tx.book(AheadStatements).earlier, **place, p_id=view.submission_id.hex, p_limit=limit))


def _others(tx: Tx, lane: Lane, own: str) -> Iterator[str]:
    some = tenants_of(tx, lane, None, TENANTS)
    while some:
        yield from (one for one in some if one != own)
        some = tenants_of(tx, lane, some[-1], TENANTS) if len(some) == TENANTS else []


def _count(rows: Sequence[Row]) -> int:
    return int(rows[0][0])
