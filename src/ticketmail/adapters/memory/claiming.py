"""The claim: due mails from the head of the queues, with all their due deliveries."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice, takewhile
from uuid import UUID

from ticketmail.adapters.memory.selecting import matches
from ticketmail.adapters.memory.state import Delivery, Submission
from ticketmail.adapters.memory.transaction import Tx
from ticketmail.adapters.memory.workers import is_alive
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.outbound.suppression import Suppression
from ticketmail.domain.outbound.turns import from_there, in_turn
from ticketmail.domain.ports.delivering import ClaimedDelivery, ClaimedMail, Want
from ticketmail.domain.scope import Scope, ScopeKind

#: Scopes that a pause of single mails may have; ``all`` and ``lane`` are looked at before, an account's by the worker.
_SINGLE = frozenset(ScopeKind) - {ScopeKind.ALL, ScopeKind.LANE, ScopeKind.ACCOUNT}


def claim(tx: Tx, worker_id: UUID, wants: Sequence[Want], turns: dict[tuple[str, str], str]) -> list[ClaimedMail]:
    """See ``Deliveries.claim``. ``turns`` goes on: who was served last. A worker whose row is closed gets nothing: nobody would
    ever take its leases back."""
    if not is_alive(tx, worker_id):
        return []
    paused = [p.scope for p in tx.state.pauses.values() if p.until_us is None or p.until_us > tx.now_us]
    single = [scope for scope in paused if scope.kind in _SINGLE]
    found: list[ClaimedMail] = []
    for want in wants:
        if not _is_paused(want, paused):
            found += [_take(tx, worker_id, mail, single) for mail in _pick(tx, want, single, turns)]
    return found


def _is_paused(want: Want, paused: Sequence[Scope]) -> bool:
    return any(scope.kind is ScopeKind.ALL or (scope.kind is ScopeKind.LANE and scope.value == want.lane) for scope in paused)


def _pick(tx: Tx, want: Want, paused: Sequence[Scope], turns: dict[tuple[str, str], str]) -> list[Submission]:
    """The mails of the deliveries that are due first, the tenants in turn, ``limit`` of them at most."""
    queues = tx.state.queues(want.route, want.lane)
    tenants = from_there(sorted(set(queues) - want.but), turns.get((want.route, want.lane)))
    picked = in_turn([_due_of(tx, queues[tenant], want.limit, paused) for tenant in tenants], want.limit)
    if picked:
        turns[want.route, want.lane] = picked[-1].tenant
    return list(dict.fromkeys(picked))


def _due_of(tx: Tx, queue: Sequence[tuple[int, UUID, int]], limit: int, paused: Sequence[Scope]) -> list[Submission]:
    """Of one tenant, soonest first."""
    places = takewhile(lambda place: place[0] <= tx.now_us, queue)
    due = (tx.state.deliveries[id_, number] for _, id_, number in places)
    may_go = (delivery.submission for delivery in due if _may_go(tx, delivery, paused))
    return list(islice(may_go, max(0, limit)))


def _may_go(tx: Tx, delivery: Delivery, paused: Sequence[Scope]) -> bool:
    return delivery.deadline_us > tx.now_us and not any(matches(delivery, scope) for scope in paused)


def _take(tx: Tx, worker_id: UUID, mail: Submission, paused: Sequence[Scope]) -> ClaimedMail:
    due = [d for d in tx.state.of(mail) if _is_due(tx, d) and _may_go(tx, d, paused)]
    for delivery in due:
        fence = delivery.fence + 1
        tx.change(delivery, state=DeliveryState.CLAIMED, fence=fence, worker_id=worker_id, behind=None)
    return claimed_mail(tx, due)


def _is_due(tx: Tx, delivery: Delivery) -> bool:
    return delivery.state is DeliveryState.QUEUED and delivery.due_us is not None and delivery.due_us <= tx.now_us


def claimed_mail(tx: Tx, deliveries: Sequence[Delivery]) -> ClaimedMail:
    """Deliveries of one mail as the worker's values, with body and suppressions."""
    mail = deliveries[0].submission
    return ClaimedMail(
        submission_id=mail.id,
        message_id=mail.message_id,
        sender=mail.sender,
        route=mail.route,
        lane=mail.lane,
        return_path=mail.return_path,
        body=mail.body or b"",
        size_bytes=mail.size_bytes,
        accepted_us=mail.accepted_us,
        deadline_us=min(delivery.deadline_us for delivery in deliveries),
        deliveries=tuple(_claimed(tx, delivery) for delivery in deliveries),
        tenant=mail.tenant,
        ticket=mail.ticket,
        key=mail.key,
        traceparent=mail.traceparent,
    )


def _claimed(tx: Tx, delivery: Delivery) -> ClaimedDelivery:
    tenant, key = delivery.submission.tenant, delivery.recipient_key
    return ClaimedDelivery(
        number=delivery.number,
        recipient=delivery.recipient,
        fence=delivery.fence,
        attempts=delivery.attempts,
        unknowns=delivery.unknowns,
        lost=delivery.lost,
        lost_alone=delivery.lost_alone,
        due_us=delivery.due_us or 0,
        delay_told=delivery.delay_told,
        last_cause=delivery.cause,
        last_account=delivery.account,
        suppression=_suppression(tx, tenant, key) or _suppression(tx, "", key),
    )


def _suppression(tx: Tx, tenant: str, address: str) -> Suppression | None:
    found = tx.state.suppressions.get((tenant, address))
    return found if found and (found.until_us is None or found.until_us > tx.now_us) else None
