"""Deliveries whose fate is unknown: which ones want a look for evidence, and what the look led to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select, update

from ticketmail.adapters.sql.line import free_next
from ticketmail.adapters.sql.mails import claim_columns, mails
from ticketmail.adapters.sql.rows import add_events, add_history, history_row, utf8
from ticketmail.adapters.sql.schema import Tables
from ticketmail.adapters.sql.transaction import Language, Tx, bound, one_of
from ticketmail.domain.outbound.delivery import FINAL, DeliveryState
from ticketmail.domain.ports.delivering import Resolution, Unresolved


class UnknownStatements:
    """Kept statements."""

    def __init__(self, t: Tables, language: Language) -> None:
        d, h = t.delivery.c, t.history.c
        self.due = (
            select(*claim_columns(t), d.checks)
            .where(d.state == "unknown", d.due_us <= bound("p_now"))
            .order_by(d.due_us)
            .limit(bound("p_limit"))
        )
        self.since = select(func.min(h.at_us)).where(
            h.submission_id == bound("p_id"),
            h.submission_id.is_not(None),
            h.number == bound("p_number"),
            h.fence == bound("p_fence"),
            one_of(h.kind, ("attempt", "unknown", "lease-lost")),
        )
        self.resolve = (
            update(t.delivery)
            .where(d.submission_id == bound("p_id"), d.number == bound("p_number"))
            .where(d.fence == bound("p_fence"), d.state == "unknown")
            .values(
                state=bound("p_state"),
                due_us=bound("p_due"),
                checks=d.checks + bound("p_looked"),
                cause=bound("p_cause"),
                reason=bound("p_reason"),
                remote_id=bound("p_remote"),
                ended_us=bound("p_ended"),
            )
        )


def unresolved(tx: Tx, limit: int) -> list[Unresolved]:
    """See ``Deliveries.unresolved``."""
    rows = tx.rows(tx.book(UnknownStatements).due, p_now=tx.now_us, p_limit=limit)
    found: list[Unresolved] = []
    for row in rows:
        *claim, checks = row
        account = claim[-1]
        since_us = tx.row(tx.book(UnknownStatements).since, p_id=row[0], p_number=row[1], p_fence=row[3])
        mail = mails(tx, [tuple(claim)])[0]
        found.append(Unresolved(mail, account, since_us[0] if since_us and since_us[0] else mail.accepted_us, checks))
    return found


def resolve(tx: Tx, resolutions: Sequence[Resolution]) -> list[bool]:
    """See ``Deliveries.resolve``."""
    changed = [count == 1 for count in tx.each(tx.book(UnknownStatements).resolve, [_change(r, tx.now_us) for r in resolutions])]
    done = [r for r, ok in zip(resolutions, changed, strict=True) if ok]
    add_history(tx, (_decision(r, tx.now_us) for r in done))
    add_events(tx, (event for r in done for event in r.events))
    free_next(tx, ((r.claim.submission_id.hex, r.claim.number) for r in done))
    tx.rings = tx.rings or any(r.state is DeliveryState.QUEUED for r in done)
    return changed


def _change(r: Resolution, now_us: int) -> dict[str, Any]:
    final = r.state in FINAL
    return {
        "p_id": r.claim.submission_id.hex,
        "p_number": r.claim.number,
        "p_fence": r.claim.fence,
        "p_state": r.state.value,
        "p_due": None if final else r.due_us,
        "p_looked": 1,
        "p_cause": r.cause,
        "p_reason": utf8(r.reason),
        "p_remote": utf8(r.remote_id),
        "p_ended": now_us if final else None,
    }


def _decision(r: Resolution, at_us: int) -> dict[str, Any]:
    return history_row(
        "resolved",
        at_us,
        r.claim.submission_id.hex,
        r.claim.number,
        fence=r.claim.fence,
        state=r.state.value,
        cause=r.cause,
        reason=utf8(r.reason),
        remote_id=utf8(r.remote_id),
    )
