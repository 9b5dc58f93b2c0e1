"""A spool adapter as a whole: what an entry point in ``ticketmail.spools`` makes."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from ticketmail.domain.ports.accepting import Blobs, Directory, Intake
from ticketmail.domain.ports.delivering import WorkerSide
from ticketmail.domain.ports.intaking import Parking, Tombstones
from ticketmail.domain.ports.reading import Administering, Operating, Reading
from ticketmail.domain.ports.receiving import Ledger
from ticketmail.domain.ports.telling import Outbox
from ticketmail.domain.ports.timing import Clock


@dataclass(frozen=True, slots=True)
class SpoolCapabilities:
    """What a spool can do. The contract suite skips by it, the docs matrix is made from it."""

    survives_process: bool  #: what was accepted is there after the process ends
    joins_transactions: bool  #: ``connection=`` is understood
    many_processes: bool  #: worker processes on one spool scale
    rings: bool  #: new mail from another process wakes a worker without polling
    server_clock: bool  #: times are the server's


@dataclass(frozen=True, slots=True)
class SpoolOptions:
    """Settings of a spool. ``clock`` None: the spool's own (a server's clock, or the system's). Durations in seconds."""

    site: str = "default"
    prefix: str = "ticketmail_"
    order_wait_s: float = 600.0
    busy_timeout_s: float = 30.0
    allow_lossy: bool = False
    listen_url: str = field(default="", repr=False)  #: it may hold a password
    create: bool = True  #: make or upgrade the tables at first use
    pool_size: int = 5
    clock: Clock | None = None


class SpoolAdapter(Protocol):
    """One spool, cut by role. Nothing is opened before it is used. ``create(url, options) -> SpoolAdapter``."""

    @property
    def capabilities(self) -> SpoolCapabilities: ...
    @property
    def intake(self) -> Intake: ...
    @property
    def blobs(self) -> Blobs: ...
    @property
    def directory(self) -> Directory: ...
    @property
    def ledger(self) -> Ledger: ...
    @property
    def outbox(self) -> Outbox: ...
    @property
    def parking(self) -> Parking: ...
    @property
    def tombstones(self) -> Tombstones: ...
    @property
    def reading(self) -> Reading: ...
    @property
    def operating(self) -> Operating: ...
    @property
    def administering(self) -> Administering: ...

    def gate(self) -> AbstractContextManager[None]:
        """A host's turn to write with a transaction of its own, where writers take turns (SQLite); else nothing. Not reentrant;
        thread-safe. Raises SpoolBusy after ``busy_timeout_s``, or at once if this thread holds it already."""
        ...

    def worker_side(self) -> WorkerSide:
        """A worker's own side: a spool thread of its own. Call it in the process that uses it."""
        ...

    def close(self) -> None:
        """Release connections. Idempotent; the next use opens again."""
        ...
