"""Incoming mail: where it comes from, and the ledger that every one of them is written into before anything else is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol
from uuid import UUID, uuid5

from ticketmail.domain.events import MailEvent, MailReceived
from ticketmail.domain.inbound.acknowledging import Pace
from ticketmail.domain.inbound.conversation import Earlier
from ticketmail.domain.inbound.reading import Reading
from ticketmail.domain.outbound.suppression import Suppression
from ticketmail.domain.ports.accepting import TokenRef
from ticketmail.domain.received import Signature

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
    trouble: str = ""  #: why there is no content: the source cannot give it

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
    deleted). ``category`` and what follows are empty until it has become an event; ``verdict`` is JSON for people,
    ``signatures`` JSON of what was checked when it came ('' if nothing was)."""

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
    signatures: str = ""
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
    """What a stored mail has become. ``message_id`` has no brackets. ``contents`` is content that the event names, by
    key: it is stored with it. ``acknowledged``: the host was told that it may answer by itself."""

    event: MailReceived
    message_id: str = ""
    author: str = ""
    subject: str = ""
    strength: str = ""
    verdict: str = ""
    signatures: str = ""
    rules: str = ""
    error: str = ""  #: not empty: DEAD
    acknowledged: bool = False
    contents: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    refs: tuple[TokenRef, ...] = ()
    marks: tuple[bytes, ...] = ()  #: refs that lead to its ticket, too, once the host names one
    feedback: tuple[Feedback, ...] = ()


class Reader(Protocol):
    """Reads a mail's bytes, bounded in time and memory. Thread-safe, blocking."""

    def read(self, raw: bytes) -> Reading:
        """All that the bytes say by themselves. Never raises for what a mail is: what could not be read, ``Reading.error``
        says."""
        ...

    def close(self) -> None:
        """Release what is held. Idempotent."""
        ...


class SignatureCheck(Protocol):
    """Checks a mail's signatures, bounded in time, however slow DNS is. Thread-safe, blocking."""

    def __call__(self, raw: bytes, author: bytes) -> tuple[Signature, ...]:
        """DKIM from the top, then seals of the ARC chain, the newest first. ``author`` is the value of From as it was read: a
        signature of another one is no proof. Never raises for what a mail, a key or DNS is."""
        ...

    def close(self) -> None:
        """Release what is held. Idempotent."""
        ...


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail that a source has. ``source`` is its key there. ``trouble``: why its content cannot be had."""

    source: str
    content: bytes = field(default=b"", repr=False)
    received_us: int | None = None
    trouble: str = ""


class Inbox(Protocol):
    """What a source hands its mail to: the ledger, seen from one mailbox. Raises SpoolError kin."""

    def has(self, sources: Sequence[str]) -> frozenset[str]:
        """Which of these keys are stored already."""
        ...

    def store(self, letters: Sequence[Letter]) -> None:
        """Durable on return: only then may the source mark, move or delete."""
        ...

    def cursor(self, name: str) -> str:
        """Where it went on reading, '' at first. A hint only."""
        ...

    def move_cursor(self, name: str, value: str) -> None: ...


@dataclass(frozen=True, slots=True)
class MailboxCapabilities:
    """What a source can do."""

    watches: bool  #: ``wait`` returns as soon as something came
    keeps: bool  #: mail stays there after it was stored, so that ``census`` can be compared with the ledger


@dataclass(frozen=True, slots=True)
class MailboxOptions:
    """Settings of a source. Durations in seconds. ``token(force)`` gives an OAuth2 access token, blocking. ``read_only``: nothing
    there is marked, moved or deleted, whatever else is set."""

    user: str = ""
    password: str = field(default="", repr=False)
    token: Callable[[bool], str] | None = None
    folders: tuple[str, ...] = ("INBOX",)
    processed: str = ""
    history_s: float = 7 * 86_400.0
    idle_s: float = 540.0
    max_size_bytes: int = 64 * 1024 * 1024
    allow_plaintext: bool = False
    ca_file: str = ""
    read_only: bool = False
    options: Mapping[str, str] = field(default_factory=dict)


class Mailbox(Protocol):
    """A source that is polled or watched: an entry point in ``ticketmail.mailboxes`` is ``create(url, MailboxOptions)``.

    Used by one thread at a time, blocking; opens nothing before the first call, and again after an error. All raise MailboxError
    kin for what a server says or a network does, and let SpoolError through.
    """

    @property
    def capabilities(self) -> MailboxCapabilities: ...

    def poll(self, inbox: Inbox) -> int:
        """Hand over all that is new, each durable before it is marked; how many. What was handed over and not marked comes again,
        and the ledger knows it. MailboxFolderError, once the rest is handed over, if one of several folders fails: ``wait`` may
        follow, as after a poll that went well."""
        ...

    def wait(self, timeout_s: float) -> bool:
        """True as soon as something may have come, False after ``timeout_s`` seconds, or at once where it cannot watch."""
        ...

    def census(self) -> Iterator[str]:
        """The source keys of all mail that is there now."""
        ...

    def abort(self) -> None:
        """Cut the connection, from any thread: a call that hangs raises."""
        ...

    def close(self) -> None:
        """Log out. Idempotent, never raises; the next call logs in again."""
        ...


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

    def settle_all(self, settlements: Sequence[tuple[InboundItem, Settlement]]) -> Sequence[InboundState | None]:
        """As ``settle``, in order, all in one transaction: if it raises, none was settled."""
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

    def earlier(self, tenant: str, *, ticket: str, limit: int) -> Sequence[Earlier]:
        """The mails of a ticket, newest first: what came in, and the newest that we sent (its subject is not known)."""
        ...

    def written(self, tenant: str, mailbox: str, author: str, *, within_s: float, limit: int) -> Sequence[Earlier]:
        """What an address has written to a mailbox in the last ``within_s`` seconds, newest first."""
        ...

    def is_familiar(self, tenant: str, author: str) -> bool:
        """Whether an address took part in anything: we wrote to it, or a mail of it belongs to a ticket."""
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
