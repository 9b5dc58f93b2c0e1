"""Deliveries whose fate is unknown: which ones want a look for evidence, and what the look led to."""

from __future__ import annotations

from collections.abc import Sequence

from ticketmail.adapters.memory.claiming import claimed_mail
from ticketmail.adapters.memory.ends import free_next
from ticketmail.adapters.memory.state import Delivery
from ticketmail.adapters.memory.transaction import Tx, utf8
from ticketmail.domain.outbound.delivery import FINAL, DeliveryState
from ticketmail.domain.ports.delivering import Resolution, Unresolved

_SINCE = frozenset({"attempt", "unknown", "lease-lost"})


def unresolved(tx: Tx, limit: int) -> list[Unresolved]:
    """See ``Deliveries.unresolved``."""
    due = [d for d in tx.state.by_state[DeliveryState.UNKNOWN].values() if d.due_us is not None and d.due_us <= tx.now_us]
    due.sort(key=lambda d: (d.due_us or 0, *d.key))
    return [Unresolved(claimed_mail(tx, [d]), d.account, _since_us(tx, d), d.checks) for d in due[:limit]]


def _since_us(tx: Tx, delivery: Delivery) -> int:
    """When the attempt that became unknown began, as far as history still tells."""
    rows = (tx.state.history[seq] for seq in tx.state.history_of.get(delivery.submission.id, ()))
    times = [r.at_us for r in rows if r.kind in _SINCE and (r.number, r.fence) == (delivery.number, delivery.fence)]
    return min(times, default=delivery.accepted_us)


def resolve(tx: Tx, resolutions: Sequence[Resolution]) -> list[bool]:
    """See ``Deliveries.resolve``."""
    return [_resolve(tx, resolution) for resolution in resolutions]


def _resolve(tx: Tx, r: Resolution) -> bool:
    delivery = tx.state.deliveries.get((r.claim.submission_id, r.claim.number))
    if delivery is None or delivery.state is not DeliveryState.UNKNOWN or delivery.fence != r.claim.fence:
        return False
    final = r.state in FINAL
    tx.change(
        delivery,
        state=r.state,
        due_us=None if final else r.due_us,
        checks=delivery.checks + 1,
        cause=r.cause,
        reason=utf8(r.reason),
        remote_id=utf8(r.remote_id),
        ended_us=tx.now_us if final else None,
    )
    more = {"cause": r.cause, "reason": utf8(r.reason), "remote_id": utf8(r.remote_id)}
    tx.note_on(delivery, "resolved", state=r.state.value, **more)
    tx.tell(r.events)
    free_next(tx, [delivery])
    tx.rings = tx.rings or r.state is DeliveryState.QUEUED
    return True
