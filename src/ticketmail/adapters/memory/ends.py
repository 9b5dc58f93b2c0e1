"""What follows when a delivery ends outside a worker's hands, and who moves up in its ticket."""

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


def line_of(delivery: Delivery, in_ticket: Iterable[Delivery]) -> list[Delivery]:
    """What waits for its first attempt to the same recipient."""
    return [one for one in in_ticket if one.recipient_key == delivery.recipient_key and one.waits_for_first_attempt]


def ahead_of(delivery: Delivery, line: Iterable[Delivery]) -> Delivery | None:
    """One that goes before it, of its own lane rather, the last one. Lanes do not wait for lower ones; there may be more."""
    ahead = [
        one
        for one in line
        if one.lane_weight >= delivery.lane_weight
        and one.accepted_us < delivery.accepted_us
        and one.first_due_us <= max(one.accepted_us, delivery.first_due_us)  # not wanted later, whatever clocks say
    ]
    return min(ahead, key=lambda one: (one.lane_weight, -one.accepted_us), default=None)


def free_next(tx: Tx, ended: Iterable[Delivery]) -> None:
    """The first attempts of these are over: what waits behind them is due now, or waits for another."""
    for delivery in ended:
        in_ticket = tx.state.in_ticket(delivery.submission.tenant, delivery.submission.ticket)
        for waiting in in_ticket:
            if waiting.behind == delivery.key and waiting.state is DeliveryState.QUEUED:
                _move_up(tx, waiting, in_ticket)


def _move_up(tx: Tx, waiting: Delivery, in_ticket: Iterable[Delivery]) -> None:
    ahead = ahead_of(waiting, line_of(waiting, in_ticket))
    if ahead is not None:
        tx.change(waiting, behind=ahead.key)
    else:
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
