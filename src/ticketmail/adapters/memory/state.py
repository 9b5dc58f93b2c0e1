"""What a spool in memory holds: records that change in place, and the indexes that find them."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.outbound.suppression import Suppression
from ticketmail.domain.ports.accepting import TokenRef
from ticketmail.domain.ports.reading import HistoryRow, Pause
from ticketmail.domain.ports.receiving import InboundState

Key = tuple[UUID, int]  #: submission, number
BEFORE_END = frozenset({DeliveryState.QUEUED, DeliveryState.CLAIMED, DeliveryState.SENDING})


@dataclass(slots=True, eq=False)
class Submission:
    """What was handed over. ``recipients``: how many deliveries it has. ``blobs``: hashes that it still refers to."""

    id: UUID
    tenant: str
    key: str | None
    fingerprint: bytes
    ticket: str | None
    lane: str
    route: str
    sender: str
    return_path: str
    message_id: str
    traceparent: str
    size_bytes: int
    accepted_us: int
    body: bytes | None = field(repr=False)
    recipients: int
    blobs: tuple[str, ...] = ()
    body_purged_us: int | None = None


@dataclass(slots=True, eq=False)
class Delivery:
    """The state machine's row. Times are UTC microseconds."""

    submission: Submission
    number: int
    route: str
    lane: str
    lane_weight: int
    recipient: str
    recipient_key: str
    recipient_domain: str
    due_us: int | None
    first_due_us: int
    deadline_us: int
    accepted_us: int
    behind: Key | None = None
    state: DeliveryState = DeliveryState.QUEUED
    fence: int = 0
    attempts: int = 0
    unknowns: int = 0
    checks: int = 0
    lost: int = 0
    lost_alone: int = 0
    worker_id: UUID | None = None
    delay_told: bool = False
    cause: str = ""
    reason: str = ""
    reply: str = ""
    account: str = ""
    remote_id: str = ""
    ended_us: int | None = None
    dismissed_us: int | None = None

    @property
    def key(self) -> Key:
        """Its place in the spool."""
        return (self.submission.id, self.number)

    @property
    def waits_for_first_attempt(self) -> bool:
        """Others of its ticket may have to wait behind it."""
        return self.state in BEFORE_END and not self.attempts and not self.unknowns


@dataclass(slots=True, eq=False)
class Worker:
    """A worker's row. ``stats`` is JSON. ``beat_s``: its last beat by the monotonic clock, which no jump makes old."""

    id: UUID
    host: str
    pid: int
    version: str
    site: str
    started_us: int
    beat_us: int
    beat_s: float
    retired_us: int | None = None
    dead_us: int | None = None
    stats: str = "{}"

    @property
    def is_over(self) -> bool:
        """It retired, or was declared dead."""
        return self.retired_us is not None or self.dead_us is not None


@dataclass(slots=True, eq=False)
class Event:
    """A row of the outbox. ``payload`` is JSON, ``state`` is waiting, done or dead."""

    seq: int
    event_id: UUID
    submission_id: UUID
    payload: str
    created_us: int
    due_us: int
    fence: int = 0
    attempts: int = 0
    state: str = "waiting"
    error: str = ""


@dataclass(slots=True, eq=False)
class Incoming:
    """A mail that came in. ``blobs``: keys of content that it still refers to, its own bytes first."""

    id: UUID
    tenant: str
    mailbox: str
    source: str
    digest: str
    size_bytes: int
    envelope_from: str | None
    envelope_to: tuple[str, ...]
    stored_us: int
    received_us: int
    due_us: int
    silent: bool
    state: InboundState = InboundState.STORED
    fence: int = 0
    attempts: int = 0
    category: str = ""
    event_id: UUID | None = None
    message_key: str = ""
    author: str = ""
    subject: str = ""
    ticket: str | None = None
    strength: str = ""
    verdict: str = ""
    signatures: str = ""
    error: str = ""
    rules: str = ""
    marks: tuple[bytes, ...] = ()
    acknowledged: bool = False
    settled_us: int | None = None
    blobs: tuple[str, ...] = ()


@dataclass(slots=True, eq=False)
class Blob:
    """Large content."""

    content: bytes = field(repr=False)
    touched_us: int


@dataclass(slots=True, eq=False)
class Parked:
    """A job that could not be taken in. Waits for a human until ``ended_us``."""

    id: UUID
    queue: str
    job_id: str
    kind: str
    cause: str
    reason: str
    parked_us: int
    body: bytes = field(repr=False)
    times: int = 1
    ended_us: int | None = None


class State:
    """All of a spool. Changed through ``Tx`` alone, which can take back what it did."""

    def __init__(self) -> None:
        self.site = ""
        self.token_keys: tuple[bytes, ...] = ()
        self.submissions: dict[UUID, Submission] = {}
        self.deliveries: dict[Key, Delivery] = {}
        self.history: dict[int, HistoryRow] = {}
        self.history_of: dict[UUID, list[int]] = {}
        self.events: dict[UUID, Event] = {}
        self.parked: dict[UUID, Parked] = {}
        self.tombstones: dict[UUID, int] = {}
        self.blobs: dict[tuple[str, str], Blob] = {}
        self.blob_uses: dict[tuple[str, str], int] = {}
        self.refs: dict[bytes, TokenRef] = {}
        self.workers: dict[UUID, Worker] = {}
        self.documents: dict[tuple[str, str], bytes] = {}
        self.pauses: dict[str, Pause] = {}
        self.suppressions: dict[tuple[str, str], Suppression] = {}
        self.inbound: dict[UUID, Incoming] = {}
        self.cursors: dict[tuple[str, str], str] = {}
        self.feedback: dict[tuple[UUID, int, str], UUID] = {}  #: (submission, number, kind) to the incoming mail that says so
        self.seq = 0
        self.by_state: dict[DeliveryState, dict[Key, Delivery]] = {state: {} for state in DeliveryState}
        self._by_ticket: dict[tuple[str, str], dict[Key, Delivery]] = {}
        self._queues: dict[tuple[str, str], dict[str, list[tuple[int, UUID, int]]]] = {}

    def next_seq(self) -> int:
        """The next place in the order in which things happened."""
        self.seq += 1
        return self.seq

    def of(self, submission: Submission) -> list[Delivery]:
        """A submission's deliveries by number."""
        return [self.deliveries[submission.id, number] for number in range(submission.recipients)]

    def in_ticket(self, tenant: str, ticket: str | None) -> list[Delivery]:
        """The deliveries of a ticket, as they were entered."""
        return [] if ticket is None else list(self._by_ticket.get((tenant, ticket), {}).values())

    def queues(self, route: str, lane: str) -> Mapping[str, Sequence[tuple[int, UUID, int]]]:
        """By tenant: (due, submission, number) of what is QUEUED in a route and lane, soonest first. Do not change it."""
        return self._queues.get((route, lane), {})

    def queued_pairs(self) -> list[tuple[str, str]]:
        """(route, lane) of all that is QUEUED."""
        return sorted(self._queues)

    def enter(self, delivery: Delivery) -> None:
        """A new delivery."""
        self.deliveries[delivery.key] = delivery
        if delivery.submission.ticket is not None:
            self._by_ticket.setdefault((delivery.submission.tenant, delivery.submission.ticket), {})[delivery.key] = delivery
        self.index(delivery)

    def leave(self, delivery: Delivery) -> None:
        """A delivery goes for good."""
        self.unindex(delivery)
        del self.deliveries[delivery.key]
        if delivery.submission.ticket is not None:
            place = (delivery.submission.tenant, delivery.submission.ticket)
            del self._by_ticket[place][delivery.key]
            if not self._by_ticket[place]:
                del self._by_ticket[place]

    def index(self, delivery: Delivery) -> None:
        """Find it by what it is now."""
        self.by_state[delivery.state][delivery.key] = delivery
        if delivery.state is DeliveryState.QUEUED and delivery.due_us is not None:
            tenants = self._queues.setdefault((delivery.route, delivery.lane), {})
            insort(tenants.setdefault(delivery.submission.tenant, []), _place(delivery))

    def unindex(self, delivery: Delivery) -> None:
        """Before it changes."""
        del self.by_state[delivery.state][delivery.key]
        if delivery.state is DeliveryState.QUEUED and delivery.due_us is not None:
            tenants = self._queues[delivery.route, delivery.lane]
            queue = tenants[delivery.submission.tenant]
            del queue[bisect_left(queue, _place(delivery))]
            if not queue:
                del tenants[delivery.submission.tenant]
            if not tenants:
                del self._queues[delivery.route, delivery.lane]


def _place(delivery: Delivery) -> tuple[int, UUID, int]:
    return (delivery.due_us or 0, delivery.submission.id, delivery.number)
