"""What follows when a delivery ends outside a worker's hands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.sql.elements import ColumnElement

from ticketmail.adapters.sql.line import free_next
from ticketmail.adapters.sql.rows import add_events, add_history, history_row
from ticketmail.adapters.sql.schema import Tables
from ticketmail.adapters.sql.transaction import Language, Row, Tx, bound
from ticketmail.domain.events import MailCancelled, MailEvent
from ticketmail.domain.ids import event_id


@dataclass(frozen=True, slots=True)
class Brief:
    """What an event or a history row needs to know of a delivery. ``state`` is the one before the change."""

    submission_id: str
    number: int
    state: str
    fence: int
    recipient: str
    tenant: str
    ticket: str | None
    lane: str
    account: str
    key: str | None
    message_id: str

    def facts(self, kind: str, at_us: int, reason: str = "") -> dict[str, Any]:
        """The fields that all mail events share."""
        submission_id = UUID(self.submission_id)
        return {
            "event_id": event_id(submission_id, self.number, kind, self.fence),
            "at_us": at_us,
            "submission_id": submission_id,
            "recipient": self.recipient,
            "recipient_number": self.number,
            "tenant": self.tenant,
            "ticket": self.ticket,
            "lane": self.lane,
            "key": self.key,
            "message_id": self.message_id,
            "account": self.account or None,
            "reason": reason,
        }


def brief_columns(t: Tables) -> list[ColumnElement[Any]]:
    """The columns of a :class:`Brief`, from delivery joined with submission."""
    d, s = t.delivery.c, t.submission.c
    return [
        *(d.submission_id, d.number, d.state, d.fence, d.recipient, d.tenant, d.ticket, d.lane, d.account),
        *(s.submit_key, s.message_id),
    ]


def briefs(rows: Iterable[Row]) -> list[Brief]:
    """Rows of :func:`brief_columns`."""
    return [Brief(*row) for row in rows]


class EndStatements:
    """Kept statements."""

    def __init__(self, t: Tables, language: Language) -> None:
        d = t.delivery
        self.lock = select(t.submission.c.id).where(t.submission.c.id == bound("p_id")).with_for_update()
        self.queued_of = (
            select(*brief_columns(t))
            .join(t.submission, t.submission.c.id == d.c.submission_id)
            .where(d.c.submission_id == bound("p_id"), d.c.state == "queued")
            .order_by(d.c.number)
        )
        self.end = (
            update(d)
            .where(d.c.submission_id == bound("p_id"), d.c.number == bound("p_number"))
            .where(d.c.state == bound("p_was"), d.c.fence == bound("p_fence"))
            .values(
                state=bound("p_state"),
                due_us=None,
                ended_us=bound("p_now"),
                cause=bound("p_cause"),
                reason=bound("p_reason"),
                worker_id=None,
                behind_submission_id=None,
                behind_number=None,
            )
        )


def end(
    tx: Tx,
    found: Sequence[Brief],
    state: str,
    *,
    kind: str,
    cause: str,
    reason: str,
    actor: str = "",
    told: Callable[[Brief], MailEvent] | None,
) -> list[Brief]:
    """End deliveries that nobody is sending, compare-and-set, with history row and event. Says which it reached."""
    changed = tx.each(
        tx.book(EndStatements).end,
        [
            {
                "p_id": b.submission_id,
                "p_number": b.number,
                "p_was": b.state,
                "p_fence": b.fence,
                "p_state": state,
                "p_now": tx.now_us,
                "p_cause": cause,
                "p_reason": reason,
            }
            for b in found
        ],
    )
    ended = [brief for brief, count in zip(found, changed, strict=True) if count]
    add_history(
        tx,
        (
            history_row(
                kind, tx.now_us, b.submission_id, b.number, fence=b.fence, state=state, cause=cause, reason=reason, actor=actor
            )
            for b in ended
        ),
    )
    if told:
        add_events(tx, map(told, ended))
    free_next(tx, ((b.submission_id, b.number) for b in ended))
    return ended


def supersede(tx: Tx, submission_id: UUID, *, by: UUID) -> int:
    """End what is QUEUED of a submission, for a later one takes its place."""
    statements = tx.book(EndStatements)
    tx.rows(statements.lock, p_id=submission_id.hex)  # so that claims skip it while a host's transaction is open
    found = briefs(tx.rows(statements.queued_of, p_id=submission_id.hex))
    reason = f"Replaced by {by} before it was sent."
    ended = end(
        tx,
        found,
        "superseded",
        kind="superseded",
        cause="superseded",
        reason=reason,
        told=lambda b: MailCancelled(**b.facts("cancelled", tx.now_us, reason)),
    )
    return len(ended)
