"""The worker's side of the spool: claims, outcomes, leases, shared account state. Asynchronous; writes are group-committed.

Every method raises SpoolError kin and nothing else for what a database does; awaits resolve after the commit.
All times are UTC microseconds by the spool's clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar
from uuid import UUID

from ticketmail.domain.events import MailEvent
from ticketmail.domain.inbound.verdict import MailKind
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.outbound.suppression import Suppression

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """Who a worker is, for people. ``pid`` and ``host`` name its process."""

    host: str
    pid: int
    version: str
    site: str


@dataclass(frozen=True, slots=True)
class Registration:
    """A worker's row. Its leases hang on it. ``now_us`` is the spool's clock."""

    worker_id: UUID
    now_us: int


@dataclass(frozen=True, slots=True)
class Beat:
    """``alive`` False: the worker was declared dead and its leases were taken; it must start no body and register anew."""

    now_us: int
    alive: bool


@dataclass(frozen=True, slots=True)
class Want:
    """At most ``limit`` mails of one route and lane, but none of the tenants ``but`` (those that are held)."""

    route: str
    lane: str
    limit: int
    but: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ClaimedDelivery:
    """One recipient of a claimed mail. ``fence`` names this claim; ``attempts`` counts spent ones; ``unknowns`` how often the
    delivery has been UNKNOWN; ``lost`` how many leases of it were lost, ``lost_alone`` those with nothing else in flight."""

    number: int
    recipient: str
    fence: int
    attempts: int = 0
    unknowns: int = 0
    lost: int = 0
    lost_alone: int = 0
    due_us: int = 0
    delay_told: bool = False
    last_cause: str = ""
    last_account: str = ""  #: by which the last attempt went
    suppression: Suppression | None = None


@dataclass(frozen=True, slots=True)
class ClaimedMail:
    """A submission with those of its deliveries that were due and are now claimed: one SMTP transaction."""

    submission_id: UUID
    message_id: str
    sender: str
    route: str
    lane: str
    return_path: str
    body: bytes = field(repr=False)
    size_bytes: int
    accepted_us: int
    deadline_us: int
    deliveries: tuple[ClaimedDelivery, ...]
    tenant: str = ""
    ticket: str | None = None
    key: str | None = None
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class Fenced:
    """Names one claim of one delivery."""

    submission_id: UUID
    number: int
    fence: int


@dataclass(frozen=True, slots=True)
class Completion:
    """What became of one claimed delivery, decided by the domain.

    ``state`` is one that ``LEGAL`` allows; QUEUED and UNKNOWN need ``due_us`` (UNKNOWN with None: waits for a human).
    ``spends``: the attempt counts. ``account`` '' if no gateway was involved. ``outcome`` is ``taken``, ``refused``,
    ``not-reached``, ``unclear`` or '' (no attempt: suppressed, expired). ``reply`` is the server's line, ``reason`` a sentence.
    ``began``/``ended`` are when the attempt ran. ``events`` go to the outbox in the same transaction, ``suppress`` too.
    """

    claim: Fenced
    state: DeliveryState
    due_us: int | None = None
    spends: bool = False
    account: str = ""
    outcome: str = ""
    phase: str = ""
    cause: str = ""
    reason: str = ""
    reply: str = ""
    remote_id: str = ""
    began_us: int = 0
    ended_us: int = 0
    delay_told: bool = False
    suppress: Suppression | None = None
    events: tuple[MailEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class Unresolved:
    """An UNKNOWN delivery whose next look for evidence is due. ``checks`` counts the looks already taken."""

    mail: ClaimedMail  #: exactly one delivery, with the fence of the attempt that became unknown
    account: str
    unknown_since_us: int
    checks: int


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a look for evidence led to: SENT, QUEUED (send once more), DEAD, or UNKNOWN again (``due_us`` None: a human)."""

    claim: Fenced
    state: DeliveryState
    due_us: int | None = None
    cause: str = ""
    reason: str = ""
    remote_id: str = ""
    events: tuple[MailEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class Reaped:
    """What a dead worker left behind. Counts of deliveries."""

    worker_id: UUID
    requeued: int
    unknown: int
    dead: int


class Deliveries(Protocol):
    """Claims and outcomes. One instance serves one worker process; concurrent calls from one event loop are welcome."""

    async def claim(self, worker_id: UUID, wants: Sequence[Want]) -> Sequence[ClaimedMail]:
        """Claim due QUEUED deliveries, compare-and-set, in one transaction: within a want the tenants in turn, one mail each,
        and of each tenant the oldest due first. The next claim of this instance goes on behind the tenant that was served last.

        All due QUEUED deliveries of a picked submission are claimed together. Never returns what lies in an active pause
        (scopes all, id, lane, tenant, ticket, to, domain, cause), is past its deadline, or waits behind a predecessor.
        A lane or route with nothing due costs an index probe, whatever the backlog elsewhere; a tenant likewise. Where there
        are more tenants than an adapter looks at in one claim, those that it did not reach are served by age, and are next.
        """
        ...

    async def begin(self, worker_id: UUID, account: str, claims: Sequence[Fenced]) -> Sequence[bool]:
        """CLAIMED -> SENDING with an attempt row each, durable on return. False: that claim is stale or was cancelled, do
        not send. A worker whose row was declared dead gets False for all."""
        ...

    async def record(self, worker_id: UUID, completions: Sequence[Completion]) -> Sequence[bool]:
        """Complete claims (from CLAIMED or SENDING, fence and worker must fit): state, attempt row, history, events,
        suppression, in one transaction. The first attempt's end frees the next delivery in the ticket.

        False: the fence was stale; the outcome was kept as an ``evidence`` row, and a ``taken`` one has turned UNKNOWN,
        QUEUED or CLAIMED (not begun) into SENT.
        """
        ...

    async def release(self, worker_id: UUID, claims: Sequence[Fenced], *, due_us: int | None = None) -> None:
        """CLAIMED -> QUEUED without an attempt or a history row (a claim is no history). ``due_us`` None: due as before."""
        ...

    async def unresolved(self, limit: int) -> Sequence[Unresolved]:
        """UNKNOWN deliveries whose look for evidence is due, oldest first."""
        ...

    async def resolve(self, resolutions: Sequence[Resolution]) -> Sequence[bool]:
        """Change UNKNOWN deliveries (fence must fit), with a history row and events. False: no longer UNKNOWN."""
        ...

    async def routes(self) -> Sequence[tuple[str, str]]:
        """The (route, lane) pairs that have QUEUED deliveries now. Cheap: a loose index scan."""
        ...

    async def wait(self, timeout_s: float) -> bool:
        """Return True as soon as new mail may be there (doorbell), else False after ``timeout_s`` seconds."""
        ...


class Workers(Protocol):
    """Worker rows and their leases."""

    async def register(self, info: WorkerInfo) -> Registration:
        """A new row with a new id. Raises SiteMismatch if the spool is another site's, SchemaMismatch, SpoolUnsafe."""
        ...

    async def beat(self, worker_id: UUID, stats: Mapping[str, object]) -> Beat:
        """Every 5 s. ``stats`` (JSON values) is what ``ticketmail workers`` shows."""
        ...

    async def retire(self, worker_id: UUID) -> None:
        """An orderly end: what is still CLAIMED goes back, what is SENDING becomes UNKNOWN, the row is closed."""
        ...

    async def reap(self) -> Sequence[Reaped]:
        """Take the leases of workers whose last beat is over 30 s old (SQLite: whose file lock is free).

        CLAIMED -> QUEUED, due at once; SENDING -> UNKNOWN with a ``lease lost`` history row, due for evidence at once;
        ``lost`` counts up. The third lease lost with nothing else in flight makes a delivery DEAD, cause ``poison``.
        """
        ...


@dataclass(frozen=True, slots=True)
class Change:
    """A document's new content (JSON bytes; None: delete it) and, if people should know, a note for the history."""

    content: bytes | None
    note: str = ""
    scope: str = ""  #: what the note is about, such as ``account:support``
    actor: str = ""


class Book(Protocol):
    """Small shared documents with atomic changes: account state (breaker, limits, connection leases), alarms.

    A document has a ``kind`` (``account``, ``alert``) and a ``name``; its content is JSON bytes of the domain's making."""

    async def load(self, kind: str) -> Mapping[str, bytes]:
        """All documents of a kind."""
        ...

    async def change(self, kind: str, name: str, step: Callable[[bytes | None, int], tuple[Change | None, T]]) -> T:
        """Read (None if absent), call ``step(content, now_us)``, write its Change (None: leave), return its result.

        Serialised per document over all workers (row lock). ``step`` must be pure: it may run more than once.
        """
        ...


@dataclass(frozen=True, slots=True)
class LaneEnd:
    """How a lane ends mail whose deadline has passed: DEAD (cause ``expired``) or EXPIRED."""

    lane: str
    state: DeliveryState


@dataclass(frozen=True, slots=True)
class Retention:
    """Days that things are kept."""

    sent_body_days: float = 14
    dead_body_days: float = 30  #: after a human dismissed it
    history_days: float = 400
    event_days: float = 30  #: events that the host has taken
    key_days: float = 90
    tombstone_days: float = 7  #: cancellations that came before their mail
    blob_days: float = 7  #: without a reference
    inbound_days: float = 90  #: the bytes of incoming mail that became an event
    inbound_days_by: Mapping[str, float] = field(default_factory=dict)  #: the same, by category, where it differs

    def raw_days(self) -> Mapping[str, float]:
        """How long the bytes of each category of incoming mail are kept; '' is mail that was never read."""
        return {kind: self.inbound_days_by.get(kind, self.inbound_days) for kind in (*MailKind, "")}


class Upkeep(Protocol):
    """Housekeeping that any worker may do at any time, in short transactions."""

    async def expire(self, lanes: Sequence[LaneEnd], limit: int) -> int:
        """End QUEUED deliveries past their deadline (history row, event), at most ``limit``. Unlisted lanes end as DEAD."""
        ...

    async def tell_delayed(self, after_us: int, limit: int) -> int:
        """Write a MailDelayed event once for each QUEUED delivery that is ``after_us`` past its first due time."""
        ...

    async def purge(self, retention: Retention, limit: int) -> Mapping[str, int]:
        """Delete what retention allows, at most ``limit`` rows a kind; says how many of each. Never an unread dead letter."""
        ...

    async def reroute(self, route_of: Callable[[str], str], limit: int) -> int:
        """Give QUEUED deliveries whose sender now belongs to another route that route. Returns how many changed."""
        ...

    async def free_bytes(self) -> int | None:
        """Bytes free where the spool lives; None if it cannot be known (a server)."""
        ...


class WorkerSide(Protocol):
    """All that a worker uses, on one connection and one spool thread."""

    @property
    def deliveries(self) -> Deliveries: ...
    @property
    def workers(self) -> Workers: ...
    @property
    def book(self) -> Book: ...
    @property
    def upkeep(self) -> Upkeep: ...

    async def aclose(self) -> None:
        """Commit what is queued, then close. Idempotent."""
        ...
