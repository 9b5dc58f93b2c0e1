"""What people and programs may see of the spool, and change in it. Synchronous, thread-safe; needs no worker alive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.outbound.suppression import Suppression
from ticketmail.domain.scope import Scope


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """A delivery as people see it. Times are UTC microseconds."""

    submission_id: UUID
    number: int
    recipient: str
    state: DeliveryState
    lane: str
    route: str
    sender: str
    tenant: str
    ticket: str | None
    key: str | None
    message_id: str
    accepted_us: int
    due_us: int | None
    deadline_us: int
    ended_us: int | None
    attempts: int
    unknowns: int
    fence: int
    cause: str
    reason: str
    reply: str
    account: str
    remote_id: str
    worker_id: UUID | None
    behind: tuple[UUID, int] | None  #: the delivery in the same ticket that it waits for
    size_bytes: int
    dismissed: bool = False


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One thing that happened. ``kind``: accepted, attempt, deferred, sent, failed, dead, unknown, lease-lost, evidence,
    resolved, expired, suppressed, cancelled, superseded, replayed, edited, dismissed, erased; for accounts, workers, pauses,
    alarms: account, settings (an account's), worker, pause, resume, alert, adopt, purge, parked. An attempt row has
    ``ended_us`` None while it runs."""

    at_us: int
    kind: str
    submission_id: UUID | None = None
    number: int | None = None
    fence: int | None = None
    scope: str = ""
    state: str = ""
    account: str = ""
    worker_id: UUID | None = None
    outcome: str = ""
    phase: str = ""
    cause: str = ""
    reason: str = ""
    reply: str = ""
    remote_id: str = ""
    ended_us: int | None = None
    actor: str = ""


@dataclass(frozen=True, slots=True)
class WorkerView:
    """A worker's row. ``alive`` by beat or lock; ``retired_us`` set after an orderly end."""

    worker_id: UUID
    host: str
    pid: int
    version: str
    started_us: int
    beat_us: int
    alive: bool
    retired_us: int | None
    stats: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing of ``scope`` is claimed before ``until_us`` (None: until resumed)."""

    scope: Scope
    since_us: int
    until_us: int | None
    reason: str
    actor: str


@dataclass(frozen=True, slots=True)
class CauseGroup:
    """Dead letters that share a cause. ``sample`` is one server line or error."""

    cause: str
    count: int
    oldest_us: int
    newest_us: int
    sample: str
    account: str


@dataclass(frozen=True, slots=True)
class LaneLoad:
    """A lane's (and route's) waiting mail. ``oldest_due_us`` None: nothing due."""

    lane: str
    route: str
    queued: int
    due: int
    oldest_due_us: int | None


#: How long ago mail may have been settled to be counted in an overview (microseconds: a day).
COUNTED_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Overview:
    """One screen of the spool, which takes no longer the more of its past is kept. ``counts``: of what is settled (``SETTLED``)
    only what ended within ``COUNTED_US``. ``last_sent_us`` None: nothing was ever sent. ``events_waiting``/``events_dead``: the
    outbox."""

    now_us: int
    site: str
    counts: Mapping[DeliveryState, int]
    lanes: Sequence[LaneLoad]
    last_sent_us: int | None
    events_waiting: int
    events_dead: int
    oldest_event_us: int | None
    schema_version: int
    free_bytes: int | None
    size_bytes: int | None
    jobs_parked: int = 0  #: jobs from a broker that could not be taken in, and wait for a human


class Reading(Protocol):
    """Questions. Raises SpoolError kin."""

    def now_us(self) -> int: ...
    def overview(self) -> Overview: ...

    def find(
        self,
        scope: Scope,
        *,
        states: Sequence[DeliveryState] = (),
        since_us: int | None = None,
        limit: int = 100,
        after: tuple[UUID, int] | None = None,
    ) -> Sequence[DeliveryView]:
        """Deliveries in ``scope`` accepted since ``since_us``, newest first; ``states`` () means any; ``after`` pages on."""
        ...

    def earlier(self, view: DeliveryView, *, limit: int, own: bool = False) -> int:
        """How many QUEUED deliveries of ``view``'s route and lane go before it, counted up to ``limit``: those of its tenant that
        are due before it, and of each other tenant as many and one more, as far as it has so many due. ``own``: its
        tenant's alone."""
        ...

    def due_of_tenants(self, route: str) -> Mapping[tuple[str, str], int]:
        """How many deliveries of the route are due, by lane and tenant."""
        ...

    def due_bytes(self, route: str, lane: str, *, limit: int) -> float:
        """What a due delivery of the route and lane brings (bytes), on average over the first ``limit``: a mail to several of
        them counts once. 0.0: none is due."""
        ...

    def history(self, submission_id: UUID, number: int | None = None) -> Sequence[HistoryRow]:
        """All rows of a submission (or one delivery), oldest first."""
        ...

    def log(self, *, since_us: int, limit: int = 1000, decisions_only: bool = True) -> Sequence[HistoryRow]:
        """What changed, over all: the newest ``limit``, oldest first. ``decisions_only``: accounts, workers, pauses, alarms,
        human acts."""
        ...

    def body(self, submission_id: UUID) -> bytes | None:
        """The stored body (opaque here), or None if it was purged or never was."""
        ...

    def workers(self) -> Sequence[WorkerView]: ...
    def pauses(self) -> Sequence[Pause]: ...
    def documents(self, kind: str) -> Mapping[str, bytes]:
        """The documents of ``Book`` (account state, alarms)."""
        ...

    def dead_causes(self) -> Sequence[CauseGroup]:
        """Dead letters that nobody has dismissed, by cause, most first."""
        ...

    def suppressions(self, address: str | None = None) -> Sequence[Suppression]: ...


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure reached. Counts."""

    deliveries: int
    bodies: int
    blobs: int
    events: int
    history: int
    suppressions: int
    received: int = 0  #: mails from them, and reports about mails to them


class Operating(Protocol):
    """Acts of people (and hosts). Every act has an actor and a reason and leaves history rows. Compare-and-set throughout, in
    chunks of short transactions: a crash in the middle leaves each delivery either untouched or done, and the same call again
    finishes. Methods return how many deliveries changed. Raises SpoolError kin."""

    def cancel(self, scope: Scope, *, actor: str, reason: str, connection: object | None = None) -> int:
        """QUEUED and CLAIMED (not begun) become CANCELLED, with an event; UNKNOWN too: it will not be sent again."""
        ...

    def pause(self, pause: Pause) -> None: ...
    def resume(self, scope: Scope, *, actor: str, reason: str) -> bool: ...

    def replay(
        self,
        scope: Scope,
        *,
        states: Sequence[DeliveryState],
        lifetime_us: int,
        pace_per_s: float | None,
        actor: str,
        reason: str,
        limit: int | None = None,
    ) -> int:
        """DEAD, FAILED, EXPIRED, SUPPRESSED, or UNKNOWN waiting for a human, become QUEUED with a new deadline (now +
        ``lifetime_us``), due one after another by ``pace_per_s`` (mails a second; None: at once). A suppression of the
        address is not lifted. Dismissed dead letters are left alone."""
        ...

    def dismiss(self, scope: Scope, *, actor: str, reason: str) -> int:
        """Dead letters were read: they leave the list; their bodies live on for the retention."""
        ...

    def edit(self, submission_id: UUID, number: int, *, recipient: str, actor: str, reason: str) -> bool:
        """Correct the recipient of a DEAD or FAILED delivery; the old one stays in the history row."""
        ...

    def settle(self, submission_id: UUID, number: int, *, sent: bool, actor: str, reason: str) -> bool:
        """A human knows what became of an UNKNOWN delivery: SENT, or QUEUED to send once more."""
        ...

    def suppress(self, suppression: Suppression, *, actor: str, reason: str) -> None: ...
    def unsuppress(self, address: str, *, actor: str, reason: str, tenant: str = "") -> bool: ...

    def erase(self, address: str, *, actor: str, reason: str) -> Erased:
        """Forget a person: bodies, blobs, events, suppressions and names of all mail to and from ``address`` (``Address.key``),
        dead letters included; waiting mail to it is cancelled. History stays, with the address replaced by a keyed hash."""
        ...

    def clear_account(self, account: str, *, actor: str, reason: str) -> bool:
        """Delete an account's document (breaker, holds, limits in use): a human says it is well again."""
        ...


class Administering(Protocol):
    """The tables themselves, and whose they are."""

    def upgrade(self) -> Sequence[str]:
        """Bring the tables up to date, online, in short transactions; says what was done ([]: nothing to do). Idempotent."""
        ...

    def ddl(self) -> str:
        """The SQL that ``upgrade`` would run on an empty database."""
        ...

    def check(self) -> Sequence[str]:
        """What is wrong with tables and database settings; [] if all is well. Changes nothing."""
        ...

    def adopt(self, site: str, *, hold: bool, actor: str, reason: str) -> int:
        """Make the spool ``site``'s. ``hold``: all scope is paused first, for review. The history row says from whom, to whom
        and ``reason``. Returns deliveries waiting."""
        ...

    def drop(self) -> None:
        """Drop all our tables. For ``db drop --yes``."""
        ...

    def secrets(self) -> Sequence[bytes]:
        """Token keys kept in the spool, newest first; one is generated where none is. For hosts without ``secret``."""
        ...
