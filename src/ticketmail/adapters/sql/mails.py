"""Claimed mails: rows of submission and delivery as the worker's values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.sql.elements import ColumnElement

from ticketmail.adapters.sql.schema import Tables
from ticketmail.adapters.sql.transaction import Language, Row, Tx, bound
from ticketmail.domain.outbound.suppression import Suppression
from ticketmail.domain.ports.delivering import ClaimedDelivery, ClaimedMail


class MailStatements:
    """Kept statements."""

    def __init__(self, t: Tables, language: Language) -> None:
        self.bodies = select(*submission_columns(t)).where(language.within(t.submission.c.id, "p_ids"))
        s = t.suppression.c
        self.suppressed = (
            select(s.address, s.cause, s.evidence, s.since_us, s.until_us, s.tenant)
            .where(language.within(s.address, "p_addresses"))
            .where(or_(s.until_us.is_(None), s.until_us > bound("p_now")))
        )


def submission_columns(t: Tables) -> list[ColumnElement[Any]]:
    """What a worker reads of a submission, in the order of ``ClaimedMail``."""
    s = t.submission.c
    return [
        *(s.id, s.message_id, s.sender, s.route, s.lane, s.return_path, s.body, s.size_bytes, s.accepted_us),
        *(s.tenant, s.ticket, s.submit_key, s.traceparent),
    ]


FENCE = 3  #: the fence's place among them


def claim_columns(t: Tables) -> list[ColumnElement[Any]]:
    """What a worker reads of a delivery that it has claimed."""
    d = t.delivery.c
    return [
        *(d.submission_id, d.number, d.recipient, d.fence, d.attempts, d.unknowns, d.lost, d.lost_alone, d.due_us),
        *(d.delay_told, d.cause, d.tenant, d.recipient_key, d.deadline_us, d.account),
    ]


def mails(tx: Tx, claimed: Iterable[Row]) -> list[ClaimedMail]:
    """Mails of rows of :func:`claim_columns`, in the rows' order, with bodies and suppressions."""
    by_mail: dict[str, list[Row]] = {}
    for row in claimed:
        by_mail.setdefault(row[0], []).append(row)
    if not by_mail:
        return []
    book = tx.book(MailStatements)
    bodies = {row[0]: row for row in tx.rows(book.bodies, p_ids=tx.pack(list(by_mail)))}
    suppressed = _suppressions(tx, by_mail.values())
    return [_mail(bodies[id_], rows, suppressed) for id_, rows in by_mail.items()]


def _suppressions(tx: Tx, groups: Iterable[Sequence[Row]]) -> dict[tuple[str, str], Suppression]:
    addresses = sorted({row[12] for group in groups for row in group})
    found = tx.rows(tx.book(MailStatements).suppressed, p_addresses=tx.pack(addresses), p_now=tx.now_us)
    return {(row[5], row[0]): Suppression(*row) for row in found}


def _mail(body: Row, rows: Sequence[Row], suppressed: dict[tuple[str, str], Suppression]) -> ClaimedMail:
    id_, message_id, sender, route, lane, return_path, content, size_bytes, accepted_us, tenant, ticket, key, trace = body
    return ClaimedMail(
        submission_id=UUID(id_),
        message_id=message_id,
        sender=sender,
        route=route,
        lane=lane,
        return_path=return_path,
        body=bytes(content) if content is not None else b"",
        size_bytes=size_bytes,
        accepted_us=accepted_us,
        deadline_us=min(row[13] for row in rows),
        deliveries=tuple(_delivery(row, suppressed) for row in sorted(rows, key=lambda row: row[1])),
        tenant=tenant,
        ticket=ticket,
        key=key,
        traceparent=trace,
    )


def _delivery(row: Row, suppressed: dict[tuple[str, str], Suppression]) -> ClaimedDelivery:
    _, number, recipient, fence, attempts, unknowns, lost, lost_alone, due_us, told, cause, tenant, key, _, account = row
    return ClaimedDelivery(
        number=number,
        recipient=recipient,
        fence=fence,
        attempts=attempts,
        unknowns=unknowns,
        lost=lost,
        lost_alone=lost_alone,
        due_us=due_us or 0,
        delay_told=bool(told),
        last_cause=cause,
        last_account=account or "",
        suppression=suppressed.get((tenant, key)) or suppressed.get(("", key)),
    )
