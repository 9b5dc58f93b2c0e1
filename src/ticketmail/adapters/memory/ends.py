"""What follows when a delivery ends outside a worker's hands, and what frees the next one in its ticket."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from ticketmail.adapters.memory.state import Delivery
from ticketmail.adapters.memory.transaction import Tx
from ticketmail.domain.events import MailCancelled, MailEvent
from ticketmail.domain.ids import event_id
from ticketmail.domain.outbound.delivery import DeliveryState


def facts(delivery: Delivery, kind: str, at_us: int, reason: str = "") -> dict[str, Any]:
    """The fields that all mail events share."""
    mail = delivery.submission
    return {
        "event_id": event_id(mail.id, delivery.number, kind, delivery.fence),
        "at_us": at_us,
        "submission_id": mail.id,
        "recipient": delivery.recipient,
        "recipient_number": delivery.number,
        "tenant": mail.tenant,
        "ticket": mail.ticket,
        "lane": delivery.lane,
        "key": mail.key,
        "message_id": mail.message_id,
        "account": delivery.account or None,
        "reason": reason,
    }


def free_next(tx: Tx, ended: Iterable[Delivery]) -> None:
    """The first attempts of these are over: what waits behind them is due now."""
    for delivery in ended:
        for waiting in tx.state.in_ticket(delivery.submission.tenant, delivery.submission.ticket):
            if waiting.behind == delivery.key and waiting.state is DeliveryState.QUEUED:
                free(tx, waiting)


def free(tx: Tx, waiting: Delivery) -> None:
    """It waits for nobody any more."""
    tx.change(waiting, due_us=waiting.first_due_us, behind=None)
    tx.rings = True


def end(
    tx: Tx,
    found: Iterable[Delivery],
    state: DeliveryState,
    *,
    kind: str,
    cause: str,
    reason: str,
    actor: str = "",
    told: Callable[[Delivery], MailEvent] | None,
) -> int:
    """End deliveries that nobody is sending, with history row and event. Says how many."""
    ended = list(found)
    for delivery in ended:
        tx.change(
            delivery,
            state=state,
            due_us=None,
            ended_us=tx.now_us,
            cause=cause,
            reason=reason,
            worker_id=None,
            behind=None,
        )
        tx.note_on(delivery, kind, state=state.value, cause=cause, reason=reason, actor=actor)
    if told:
        tx.tell(map(told, ended))
    free_next(tx, ended)
    return len(ended)


def supersede(tx: Tx, submission_id: UUID, *, by: UUID) -> int:
    """End what is QUEUED of a submission, for a later one takes its place."""
    submission = tx.state.submissions.get(submission_id)
    if submission is None:
        return 0
    # A delivery may not be there yet: the later submission came in the same call.
    numbers = range(submission.recipients)
    there = [d for n in numbers if (d := tx.state.deliveries.get((submission_id, n))) is not None]
    reason = f"Replaced by {by} before it was sent."
    return end(
        tx,
        [d for d in there if d.state is DeliveryState.QUEUED],
        DeliveryState.SUPERSEDED,
        kind="superseded",
        cause="superseded",
        reason=reason,
        told=lambda d: MailCancelled(**facts(d, "cancelled", tx.now_us, reason)),
    )
