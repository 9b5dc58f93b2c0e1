"""Incoming mail: where it comes from, and the ledger that every one of them is written into before anything else is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol
from uuid import UUID, uuid5

from ticketmail.domain.events import MailEvent, MailReceived
from ticketmail.domain.inbound.acknowledging import Pace
from ticketmail.domain.outbound.suppression import Suppression
from ticketmail.domain.ports.accepting import TokenRef

_IDS = UUID("6b5f5d1e-6f0e-5c39-9a0c-7d3a3c1f6a10")  #: names of incoming mails live below this one (RFC 9562 section 5.5)


class InboundState(StrEnum):
    """Where an incoming mail is. Every one that was stored is in exactly one."""

    STORED = "stored"  #: its bytes are safe; it has not become an event
    DONE = "done"  #: its event stands in the outbox, or has been told
    DUPLICATE = "duplicate"  #: the same mail had an event already
    DEAD = "dead"  #: it could not be read: the host was told with what could be had, and a human may run it again


@dataclass(frozen=True, slots=True)
class RawMail:
    """A mail as a source hands it over.

    ``source`` names it within ``mailbox``, the same each time the source gives it: folder, UIDVALIDITY and UID; a UIDL; a hash.
    ``envelope_to`` are addr-specs of RCPT TO that led here, () where the source knows none; ``envelope_from`` None likewise.
    ``received_us``: when the source had it (UTC microseconds; None: now). ``silent``: old mail; nothing may be answered.
    """

    mailbox: str
    source: str
    content: bytes = field(repr=False)
    tenant: str = ""
    envelope_from: str | None = None
    envelope_to: tuple[str, ...] = ()
    received_us: int | None = None
    silent: bool = False

    @property
    def inbound_id(self) -> UUID:
        """Its id: computed, so that storing it again finds the same row."""
        return uuid5(_IDS, f"{self.tenant}\0{self.mailbox}\0{self.source}")


@dataclass(frozen=True, slots=True)
class Stored:
    """``new`` False: this source key stood already; nothing was written."""

    inbound_id: UUID
    new: bool


@dataclass(frozen=True, slots=True)
class InboundView:
    """An incoming mail as the ledger knows it. Times are UTC microseconds. ``raw`` is the key of its bytes ('' once they were
    deleted). ``category`` and what follows are empty until it has become an event; ``verdict`` is JSON for people."""

    inbound_id: UUID
    tenant: str
    mailbox: str
    source: str
    raw: str
    size_bytes: int
    envelope_from: str | None
    envelope_to: tuple[str, ...]
    received_us: int
    silent: bool
    state: InboundState
    attempts: int
    fence: int
    category: str = ""
    author: str = ""
    subject: str = ""
    event_id: UUID | None = None
    ticket: str | None = None
    strength: str = ""
    verdict: str = ""
    error: str = ""
    rules: str = ""
    settled_us: int | None = None


@dataclass(frozen=True, slots=True)
class InboundItem:
    """A stored mail under lease, with its bytes. ``view.fence`` names this lease, ``view.attempts`` counts failed tries."""

    view: InboundView
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a mail says became of a delivery that was SENT: a fact beside its state. One of a ``kind`` is kept per delivery, the
    first; ``suppress`` takes effect with it, and ``event`` is told with it."""

    submission_id: UUID
    number: int
    kind: str  #: ``bounced``, ``delayed``, ``complained``
    reason: str
    cause: str = ""
    reply: str = ""
    event: MailEvent | None = None
    suppress: Suppression | None = None


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a stored mail has become. ``message_id`` has no brackets. ``blobs`` are keys of content that the event names, put
    before. ``acknowledged``: the host was told that it may answer by itself."""

    event: MailReceived
    message_id: str = ""
    author: str = ""
    subject: str = ""
    strength: str = ""
    verdict: str = ""
    rules: str = ""
    error: str = ""  #: not empty: DEAD
    acknowledged: bool = False
    blobs: tuple[str, ...] = ()
    refs: tuple[TokenRef, ...] = ()
    feedback: tuple[Feedback, ...] = ()


class Ledger(Protocol):
    """Every incoming mail, once. Synchronous, thread-safe, many processes. Raises SpoolError kin throughout."""

    def store(self, mails: Sequence[RawMail]) -> Sequence[Stored]:
        """Write ``mails`` with their bytes, all in one transaction, with a result each, in order. Durable on return: only then
        may a source say that it has handed over. What stands already is left as it is."""
        ...

    def take(self, limit: int, lease_s: float) -> Sequence[InboundItem]:
        """Lease stored mails that are due, the oldest first, for ``lease_s`` seconds."""
        ...

    def settle(self, item: InboundItem, settlement: Settlement) -> InboundState | None:
        """End a lease: row, event, refs, feedback and references to blobs in one transaction. None: the lease was lost, nothing
        was written.

        A mail whose ``event_id`` another one has already becomes DUPLICATE, without an event, whatever ran at the same time. One
        that has another's Message-ID in the same mailbox, and other content, is told with the risk ``message-id-reused``.
        """
        ...

    def failed(self, item: InboundItem, error: str, retry_after_s: float) -> None:
        """It could not be settled: due again in ``retry_after_s`` seconds. A stale fence is ignored."""
        ...

    def assign(self, event_id: UUID, ticket: str, *, connection: object | None = None) -> bool:
        """The host says which ticket a mail became: later mails that name its id belong there too. False: no such event, or it
        has another ticket. ``connection`` as in ``Intake.accept``."""
        ...

    def participants(self, tenant: str, ticket: str) -> frozenset[str]:
        """Address keys that the ticket's mails went to or came from."""
        ...

    def deliveries(self, submission_id: UUID) -> Sequence[tuple[int, str, str]]:
        """(number, recipient key, lane) of what was sent of a submission: what feedback may be about."""
        ...

    def pace(self, tenant: str, author: str, subject: str, ticket: str | None, *, recent_s: float, day_s: float) -> Pace:
        """How an address has written: mails of the last ``recent_s`` seconds, grants of the last ``day_s``."""
        ...

    def has(self, mailbox: str, sources: Sequence[str], *, tenant: str = "") -> frozenset[str]:
        """Which of these source keys are in the ledger."""
        ...

    def cursor(self, mailbox: str, name: str) -> str:
        """Where a source went on reading, '' at first."""
        ...

    def move_cursor(self, mailbox: str, name: str, value: str) -> None:
        """Remember it. Only a hint: what it skips or repeats is met by the ledger."""
        ...

    def find(
        self,
        *,
        mailbox: str | None = None,
        ticket: str | None = None,
        states: Sequence[InboundState] = (),
        since_us: int | None = None,
        limit: int = 100,
    ) -> Sequence[InboundView]:
        """Incoming mails, newest first."""
        ...

    def get(self, inbound_id: UUID) -> InboundView | None:
        """One of them."""
        ...

    def counts(self, mailbox: str) -> dict[InboundState, int]:
        """How many of a mailbox are in each state."""
        ...

    def again(self, inbound_id: UUID) -> bool:
        """A human asks for a DEAD mail to be read once more: STORED, due now; its event will be told anew. False: it is not."""
        ...
