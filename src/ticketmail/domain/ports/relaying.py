"""Jobs that wait in a host's own database until a relay has brought them to the broker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from ticketmail.domain.ports.queueing import Job
from ticketmail.domain.ports.timing import Clock


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A job under a relay's lease. ``number`` counts up in the order of handing over. ``at_us``: when that was (UTC
    microseconds, the database's clock). ``tries``: how often it was taken before."""

    number: int
    job: Job
    at_us: int
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is in a host's outbox. ``waiting`` was not published yet, ``awaited`` was and waits for the service's word,
    ``stuck`` are those of the waiting that the broker refused. Times are UTC microseconds."""

    now_us: int
    waiting: int = 0
    awaited: int = 0
    stuck: int = 0
    oldest_us: int | None = None  #: of the waiting
    oldest_awaited_us: int | None = None
    error: str = ""  #: what the broker said of one that is stuck


class HostOutbox(Protocol):
    """``create(url, HostOutboxOptions) -> HostOutbox``. Synchronous, thread-safe, safe after a fork; nothing is opened before it
    is used. Several relays may take at once. Whatever a relay took and did not settle is due again after its lease.

    All methods raise SpoolError kin: the host's database cannot be used now.
    """

    def prepare(self) -> None:
        """Open it; make the tables if need be."""
        ...

    def put(self, jobs: Sequence[Job], *, connection: object | None = None) -> None:
        """Keep ``jobs``: durable on return, or with the host's own commit where ``connection`` is given (as
        ``Intake.accept`` takes it). The same job again is kept again: the mail service knows it by its id.

        Raises SubmitInDoubt: the commit's answer was lost.
        """
        ...

    def take(self, limit: int, lease_s: float, *, in_order: bool = False) -> Sequence[OutboxRow]:
        """Up to ``limit`` that are due, the oldest first. ``in_order``: nothing while another relay holds older ones."""
        ...

    def published(self, rows: Sequence[OutboxRow], *, again_s: float | None) -> None:
        """The broker has confirmed these: forget them; or, with ``again_s``, keep them until the service's word and let them
        be due again after so many seconds without it."""
        ...

    def failed(self, rows: Sequence[OutboxRow], error: str, *, again_s: float) -> None:
        """Not confirmed: due again after so many seconds. ``error`` is what the broker refused them with, '' if it was away."""
        ...

    def spooled(self, job_ids: Sequence[UUID]) -> None:
        """The mail service's word: forget these. Unknown ids are nothing."""
        ...

    def is_empty(self) -> bool:
        """Whether nothing waits. Cheap."""
        ...

    def backlog(self) -> Backlog:
        """How much waits, and since when."""
        ...

    def close(self) -> None:
        """Release connections. Idempotent; the next use opens again."""
        ...


@dataclass(frozen=True, slots=True)
class HostOutboxOptions:
    """Settings of a host's outbox. ``prefix`` begins the names of its tables. Durations in seconds."""

    prefix: str = "ticketmail_road_"
    busy_timeout_s: float = 30.0
    allow_lossy: bool = False
    create: bool = True  #: make the tables at first use
    pool_size: int = 5
    clock: Clock | None = None  #: None: the database's own
