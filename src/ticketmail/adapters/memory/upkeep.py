"""``Upkeep``: housekeeping, a transaction each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ticketmail.adapters.memory import ends
from ticketmail.adapters.memory.purging import purge
from ticketmail.adapters.memory.state import Delivery
from ticketmail.adapters.memory.store import Access, turn
from ticketmail.adapters.memory.transaction import Tx
from ticketmail.domain.events import MailDeadLettered, MailDelayed, MailEvent, MailExpired
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.ports.delivering import LaneEnd, Retention

_S = DeliveryState
_EXPIRED = "Its deadline passed before it could be sent."


class MemoryUpkeep:
    """``Upkeep`` in memory."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def expire(self, lanes: Sequence[LaneEnd], limit: int) -> int:
        await turn()
        ends_as = {lane.lane: lane.state for lane in lanes}
        with self._access.tx() as tx:
            late = sorted((d for d in _queued(tx) if d.deadline_us <= tx.now_us), key=lambda d: (d.deadline_us, *d.key))
            for delivery in late[: max(0, limit)]:
                _expire(tx, delivery, ends_as.get(delivery.lane, _S.DEAD))
            return len(late[: max(0, limit)])

    async def tell_delayed(self, after_us: int, limit: int) -> int:
        await turn()
        with self._access.tx() as tx:
            untold = (d for d in _queued(tx) if not d.delay_told and d.first_due_us <= tx.now_us - after_us)
            delayed = sorted(untold, key=lambda d: (d.first_due_us, *d.key))[: max(0, limit)]
            for delivery in delayed:
                tx.change(delivery, delay_told=True)
            tx.tell(_delayed(delivery, tx.now_us) for delivery in delayed)
            return len(delayed)

    async def purge(self, retention: Retention, limit: int) -> Mapping[str, int]:
        await turn()
        with self._access.tx() as tx:
            return purge(tx, retention, limit)

    async def reroute(self, route_of: Callable[[str], str], limit: int) -> int:
        await turn()
        with self._access.tx() as tx:
            moving = [d for d in _queued(tx) if route_of(d.submission.sender) != d.route][: max(0, limit)]
            for delivery in moving:
                to = route_of(delivery.submission.sender)
                tx.change(delivery, route=to)
                tx.change(delivery.submission, route=to)
            tx.rings = bool(moving)
            return len(moving)

    async def free_bytes(self) -> int | None:
        return None  # what the machine has left tells nothing about what one process may take


def _queued(tx: Tx) -> list[Delivery]:
    return list(tx.state.by_state[_S.QUEUED].values())


def _expire(tx: Tx, delivery: Delivery, state: DeliveryState) -> None:
    def told(d: Delivery) -> MailEvent:
        if state is _S.EXPIRED:
            return MailExpired(**ends.facts(d, "expired", tx.now_us, _EXPIRED))
        return MailDeadLettered(**ends.facts(d, "dead", tx.now_us, _EXPIRED), cause="expired")

    state = _S.EXPIRED if state is _S.EXPIRED else _S.DEAD
    ends.end(tx, [delivery], state, kind="expired", cause="expired", reason=_EXPIRED, told=told)


def _delayed(delivery: Delivery, now_us: int) -> MailDelayed:
    facts = ends.facts(delivery, "delayed", now_us, delivery.reason or "It is still waiting to be sent.")
    due_us = delivery.due_us
    return MailDelayed(**facts, eta_us=due_us if due_us is not None and due_us > now_us else None)
