"""``Outbox``: events for the host under lease. Taking one pushes its due time to the lease's end, so that nothing reaps."""

from __future__ import annotations

import time
from collections.abc import Sequence
from heapq import nsmallest
from uuid import UUID

from ticketmail.adapters.memory.state import Event
from ticketmail.adapters.memory.store import Access, refuse_connection
from ticketmail.adapters.memory.transaction import Tx, utf8
from ticketmail.domain.events import event_from_json
from ticketmail.domain.ports.telling import OutboxItem

_POLL_S = 0.5  #: an event may become due without a ring


class MemoryOutbox:
    """``Outbox`` in memory."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def take(self, limit: int, lease_s: float) -> Sequence[OutboxItem]:
        with self._access.tx() as tx:
            found = nsmallest(limit, _due(tx), key=lambda event: (event.due_us, event.seq))
            for event in found:
                tx.change(event, due_us=tx.now_us + int(lease_s * 1_000_000), fence=event.fence + 1)
            return [OutboxItem(event_from_json(event.payload), event.attempts, event.fence) for event in found]

    def done(self, items: Sequence[OutboxItem]) -> None:
        with self._access.tx() as tx:
            for item in items:
                if (event := _leased(tx, item)) is not None:
                    tx.change(event, state="done")

    def failed(self, item: OutboxItem, error: str, retry_after_s: float | None) -> None:
        with self._access.tx() as tx:
            event = _leased(tx, item)
            if event is not None:
                state = "dead" if retry_after_s is None else "waiting"
                due_us = tx.now_us + int((retry_after_s or 0) * 1_000_000)
                tx.change(event, state=state, due_us=due_us, error=utf8(error), attempts=event.attempts + 1)

    def first_time(self, event_id: UUID, *, connection: object) -> bool:
        """Raises SettingsError: there is no transaction of the host's to note it in."""
        refuse_connection(connection or self)
        return False

    def wait(self, timeout_s: float) -> bool:
        bell = self._access.store.event_bell
        until = time.monotonic() + timeout_s
        while True:
            rung = bell.rung
            with self._access.tx() as tx:
                if _due(tx):
                    return True
            left = until - time.monotonic()
            if left <= 0:
                return False
            bell.wait(rung, min(left, _POLL_S))

    def replay(self, event_ids: Sequence[UUID] | None) -> int:
        with self._access.tx() as tx:
            ids = list(tx.state.events) if event_ids is None else list(dict.fromkeys(event_ids))
            dead = [e for id_ in ids if (e := tx.state.events.get(id_)) is not None and e.state == "dead"]
            for event in dead:
                tx.change(event, state="waiting", due_us=tx.now_us)
            tx.tells = bool(dead)
            return len(dead)


def _due(tx: Tx) -> list[Event]:
    return [event for event in tx.state.events.values() if event.state == "waiting" and event.due_us <= tx.now_us]


def _leased(tx: Tx, item: OutboxItem) -> Event | None:
    event = tx.state.events.get(item.event.event_id)
    return event if event is not None and event.fence == item.fence and event.state == "waiting" else None
