"""``Outbox``: events for the host under lease. Taking one pushes its due time to the lease's end, so that nothing reaps."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from uuid import UUID

from ticketmail.adapters.memory.state import Event
from ticketmail.adapters.memory.store import Access, no_transaction
from ticketmail.adapters.memory.transaction import Tx, utf8
from ticketmail.domain.events import MailEvent, event_from_json
from ticketmail.domain.ports.telling import DeadEvent, OutboxItem

_SECOND_US = 1_000_000
_LOOK_S = 0.05  #: how often a wait looks for events that became due by themselves


class MemoryOutbox:
    """``Outbox`` in memory."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def take(self, limit: int, lease_s: float) -> Sequence[OutboxItem]:
        with self._access.tx() as tx:
            due = sorted(_due(tx), key=lambda event: (event.due_us, event.seq))[: max(0, limit)]
            for event in due:
                tx.change(event, due_us=tx.now_us + int(lease_s * _SECOND_US), fence=event.fence + 1)
            return [OutboxItem(event_from_json(event.payload), event.attempts, event.fence) for event in due]

    def done(self, items: Sequence[OutboxItem]) -> None:
        with self._access.tx() as tx:
            for item in items:
                event = _leased(tx, item)
                if event is not None:
                    tx.change(event, state="done")

    def failed(self, item: OutboxItem, error: str, retry_after_s: float | None) -> None:
        with self._access.tx() as tx:
            event = _leased(tx, item)
            if event is not None:
                due_us = tx.now_us + int((retry_after_s or 0) * _SECOND_US)
                state = "dead" if retry_after_s is None else "waiting"
                tx.change(event, state=state, due_us=due_us, error=utf8(error), attempts=event.attempts + 1)

    def returned(self, event_id: UUID, fence: int, error: str, retry_after_s: Callable[[int], float | None]) -> bool:
        with self._access.tx() as tx:
            event = tx.state.events.get(event_id)
            if event is None or event.state != "done" or event.fence != fence:
                return False
            wait_s = retry_after_s(event.attempts)
            state, due_us = ("dead", tx.now_us) if wait_s is None else ("waiting", tx.now_us + int(wait_s * _SECOND_US))
            tx.change(event, state=state, due_us=due_us, error=utf8(error), attempts=event.attempts + 1)
            return True

    def put(self, events: Sequence[MailEvent]) -> None:
        with self._access.tx() as tx:
            tx.tell(events)

    def first_time(self, event_id: UUID, *, connection: object) -> bool:
        raise no_transaction()

    def wait(self, timeout_s: float) -> bool:
        clock, bell = self._access.clock, self._access.store.event_bell
        real_end, clock_end = time.monotonic() + timeout_s, clock.monotonic_s() + timeout_s
        while True:
            rung = bell.rung
            with self._access.tx() as tx:
                if _due(tx):
                    return True
            left = min(real_end - time.monotonic(), clock_end - clock.monotonic_s())
            if left <= 0:
                return False
            bell.wait(rung, min(left, _LOOK_S))

    def dead(self, limit: int) -> Sequence[DeadEvent]:
        with self._access.tx() as tx:
            dead = [event for event in tx.state.events.values() if event.state == "dead"]
            dead.sort(key=lambda event: (event.due_us, event.seq), reverse=True)
            found = dead[: max(0, limit)]
            return [DeadEvent(event_from_json(e.payload), e.attempts, e.error, e.due_us) for e in found]

    def replay(self, event_ids: Sequence[UUID] | None) -> int:
        with self._access.tx() as tx:
            named = None if event_ids is None else set(event_ids)
            dead = [e for e in tx.state.events.values() if e.state == "dead" and (named is None or e.event_id in named)]
            for event in dead:
                tx.change(event, state="waiting", due_us=tx.now_us)
            tx.tells = bool(dead)
            return len(dead)


def _due(tx: Tx) -> list[Event]:
    return [event for event in tx.state.events.values() if event.state == "waiting" and event.due_us <= tx.now_us]


def _leased(tx: Tx, item: OutboxItem) -> Event | None:
    """The event, if this lease of it still holds."""
    event = tx.state.events.get(item.event.event_id)
    return event if event is not None and event.state == "waiting" and event.fence == item.fence else None
