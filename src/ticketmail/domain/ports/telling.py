"""Events for the host: the spool's outbox, and what handles them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from ticketmail.domain.events import MailEvent

#: A host's handler. Returning means handled; raising means: again later. May be async.
TicketHandler = Callable[[MailEvent], Awaitable[None] | None]


@dataclass(frozen=True, slots=True)
class OutboxItem:
    """An event under lease. ``fence`` names this lease; ``attempts`` counts failed tries before it."""

    event: MailEvent
    attempts: int
    fence: int


@dataclass(frozen=True, slots=True)
class DeadEvent:
    """An event that the host would not take. ``attempts`` counts the failed tries, ``error`` is what the last one raised,
    ``dead_us`` when it was given up."""

    event: MailEvent
    attempts: int
    error: str
    dead_us: int


class Outbox(Protocol):
    """Events on their way to the host, at least once, in order per submission as far as retries allow. Thread-safe, sync."""

    def take(self, limit: int, lease_s: float) -> Sequence[OutboxItem]:
        """Lease due events, oldest first, for ``lease_s`` seconds. Raises SpoolError kin."""
        ...

    def done(self, items: Sequence[OutboxItem]) -> None:
        """Handled. A stale fence is ignored."""
        ...

    def failed(self, item: OutboxItem, error: str, retry_after_s: float | None) -> None:
        """Not handled: due again in ``retry_after_s`` seconds, or None: a dead event, kept until a human replays it."""
        ...

    def returned(self, event_id: UUID, fence: int, error: str, retry_after_s: Callable[[int], float | None]) -> bool:
        """The host would not take what was told under ``fence`` and noted as done: due again after ``retry_after_s(failed tries
        before this one)`` seconds, or (None) dead. False: it is not there, or was told under another lease since."""
        ...

    def put(self, events: Sequence[MailEvent]) -> None:
        """Write ``events``, due now. One that is there already stays as it is."""
        ...

    def first_time(self, event_id: UUID, *, connection: object) -> bool:
        """In the host's own transaction: note ``event_id``, and say whether it is new there. What a handler does in that same
        transaction happens exactly once. ``connection`` as in ``Intake.accept``."""
        ...

    def wait(self, timeout_s: float) -> bool:
        """True as soon as an event may be there, else False after ``timeout_s`` seconds."""
        ...

    def dead(self, limit: int) -> Sequence[DeadEvent]:
        """At most ``limit`` dead events, those given up last first. Raises SpoolError kin."""
        ...

    def replay(self, event_ids: Sequence[UUID] | None) -> int:
        """Make dead events (None: all) due again. Returns how many."""
        ...
