"""What a road over a broker needs of the spool beside ``Intake``: a place for jobs that cannot be taken in, and a memory of
cancellations that came before their mail. Synchronous, thread-safe; raises SpoolError kin."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol
from uuid import UUID

#: How a parked job leaves the list.
ParkedEnd = Literal["replayed", "dismissed"]


@dataclass(frozen=True, slots=True)
class ParkedJob:
    """A job that could not be taken in, with its bytes. ``cause`` is the error's code, ``reason`` its text. ``kind`` is the
    job's, '' if that could not be read. ``times``: how often it came. Times are UTC microseconds by the spool's clock."""

    parked_id: UUID
    queue: str
    job_id: str
    cause: str
    reason: str
    body: bytes = field(repr=False)
    kind: str = ""
    parked_us: int = 0
    times: int = 1


def parked_id(body: bytes) -> UUID:
    """The same for the same bytes: a job that comes again is parked once."""
    return UUID(bytes=hashlib.sha256(b"ticketmail parked\0" + body).digest()[:16])


class Parking(Protocol):
    """Parked jobs. Never deleted unread."""

    def park(self, jobs: Sequence[ParkedJob]) -> None:
        """Keep ``jobs``, durable on return. One that is there already is counted, gets the new reason, and is listed again if
        it had ended. ``parked_us`` and ``times`` are the spool's own."""
        ...

    def parked(self, limit: int) -> Sequence[ParkedJob]:
        """At most ``limit`` that wait for a human, the last first."""
        ...

    def one(self, ident: UUID) -> ParkedJob | None:
        """One of them, whether or not it still waits; None if there is none."""
        ...

    def waiting(self) -> int:
        """How many wait for a human."""
        ...

    def end(self, ident: UUID, how: ParkedEnd, *, actor: str, reason: str) -> bool:
        """It waits no longer, with a history row; its bytes stay for the retention. False: it was not waiting."""
        ...


class Tombstones(Protocol):
    """Submissions that were cancelled, whether or not they had come. Kept for 7 days."""

    def bury(self, ids: Sequence[UUID]) -> None:
        """From now on each of ``ids`` is cancelled when it comes. Idempotent: the first time counts."""
        ...

    def buried(self, ids: Sequence[UUID]) -> frozenset[UUID]:
        """Those of ``ids`` that were cancelled."""
        ...
