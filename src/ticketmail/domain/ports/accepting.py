"""The host's side of the spool: what accepts mail. Synchronous, for it runs inside the host's own request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from ticketmail.domain.errors import KeyReused


@dataclass(frozen=True, slots=True)
class TokenRef:
    """A row that leads from an id in a mail back to its ticket. ``ref`` has 9 bytes (72 bits); no submission: the root."""

    ref: bytes
    tenant: str
    ticket: str | None
    submission_id: UUID | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One submission, checked and compiled, as the spool stores it.

    ``sender`` is the ``Address.key`` of From; ``return_path`` an addr-spec or '' (null sender); ``recipients`` are addr-specs
    in envelope order, numbered from 0. ``body`` is opaque to the spool. ``fingerprint`` (32 bytes) is equal for equal content.
    ``not_before_us`` None: now. ``deadline_us`` None: now + ``lifetime_us``, both by the spool's clock; all microseconds.
    ``blobs`` are the hashes of content put before. ``supersedes`` is the submission that this one replaces if it has not
    begun. ``lane_weight`` orders lanes within a ticket.
    """

    submission_id: UUID
    message_id: str
    sender: str
    route: str
    lane: str
    lane_weight: int
    return_path: str
    recipients: tuple[str, ...]
    body: bytes
    fingerprint: bytes
    size_bytes: int
    lifetime_us: int
    tenant: str = ""
    ticket: str | None = None
    key: str | None = None
    not_before_us: int | None = None
    deadline_us: int | None = None
    supersedes: UUID | None = None
    blobs: tuple[str, ...] = ()
    refs: tuple[TokenRef, ...] = ()
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class Accepted:
    """``new`` False: the same submission with the same fingerprint stood already; nothing was written."""

    submission_id: UUID
    new: bool
    accepted_us: int


class Intake(Protocol):
    """Accepts entries. Thread-safe; safe after a fork (handles are reopened by pid); opens nothing before the first call."""

    def accept(self, entries: Sequence[Entry], *, connection: object | None = None) -> Sequence[Accepted | KeyReused]:
        """Store ``entries`` durably, all in one transaction, with a result each, in order.

        A new delivery is QUEUED, due at ``max(not_before, now)``. If an earlier delivery of the same (tenant, ticket,
        recipient key), of the same or a higher lane weight and due no later, has not made its first attempt, the new one
        waits behind it: due when that attempt is over (whatever its outcome), or ``order_wait`` (10 min) after acceptance.
        A superseded submission's QUEUED deliveries become SUPERSEDED with a history row and an event.
        Equal ids within one call count as repeated. History gets an ``accepted`` row per delivery.

        With ``connection`` (SQLAlchemy Connection or Session, Django connection wrapper, sqlite3, psycopg 2 or 3) the rows
        are written there: no commit, no other connection, and never an aborted host transaction. Without it, it is
        durable on return.

        Raises:
            SpoolBusy, SpoolFull, SpoolUnreachable: nothing was stored.
            SubmitInDoubt: the commit's answer was lost.
            HostTransactionMustBeImmediate: see there (SQLite, ``connection`` only).
            SchemaMismatch, SiteMismatch: see there.
        """
        ...


class Blobs(Protocol):
    """Large content, addressed by hash, apart per tenant. Thread-safe, synchronous."""

    def put(self, tenant: str, content: bytes, *, connection: object | None = None) -> str:
        """Store ``content`` (bytes) if it is not there, and say its hash (``sha256:hex``). Content already there is touched,
        so that it lives at least 7 more days without a reference. Raises SpoolError kin."""
        ...

    def get(self, tenant: str, digest: str) -> bytes:
        """The content. Raises KeyError if it is gone, SpoolError if it is corrupt (its hash no longer fits)."""
        ...


class Directory(Protocol):
    """Where an id found in a mail leads. Synchronous."""

    def resolve(self, ref: bytes) -> TokenRef | None:
        """The row of ``ref``, or None."""
        ...
