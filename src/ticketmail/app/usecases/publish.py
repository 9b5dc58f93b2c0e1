"""Events out of the spool's outbox onto the broker: published with confirm, noted as told after it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID, uuid5

from ticketmail.domain.errors import BrokerError, SpoolError
from ticketmail.domain.event_job import event_parcel
from ticketmail.domain.job import Parcel, encode, spooled_payload
from ticketmail.domain.ports.queueing import EVENTS, SPOOLED, Broker, Job
from ticketmail.domain.ports.telling import Outbox, OutboxItem
from ticketmail.domain.ports.timing import Sleeper, Threads

BATCH: Final = 200
#: What was taken and not noted as told is published again after this.
LEASE_S: Final = 30.0
LOOK_S: Final = 0.25
PAUSE_S: Final = (1.0, 30.0)

_log = logging.getLogger("ticketmail.events")


class Mailbag:
    """Packs and publishes what the mail service tells hosts. ``secret`` signs it. Thread-safe, synchronous."""

    def __init__(self, broker: Broker, *, secret: bytes | None, now_us: Callable[[], int]) -> None:
        self._broker = broker
        self._secret = secret
        self._now_us = now_us

    def tell(self, items: Sequence[OutboxItem]) -> None:
        """Return when the broker has confirmed all of them. Raises BrokerError kin."""
        self._broker.publish(EVENTS, [self._job(event_parcel(item.event, item.fence)) for item in items])

    def tell_safe(self, job_ids: Sequence[UUID]) -> None:
        """The service's word that these jobs are in its spool. Raises BrokerError kin."""
        if job_ids:
            ident = uuid5(job_ids[0], "".join(one.hex for one in job_ids))
            self._broker.publish(SPOOLED, [self._job(Parcel("spooled", ident, self._now_us(), spooled_payload(job_ids)))])

    def _job(self, parcel: Parcel) -> Job:
        return Job(parcel.job_id.hex, encode(parcel, secret=self._secret))


class Publish:
    """One publisher; several may run, in one worker or many. ``run`` ends after ``stop`` was called."""

    def __init__(
        self, outbox: Outbox, mailbag: Mailbag, *, threads: Threads, sleeper: Sleeper, jitter: Callable[[], float]
    ) -> None:
        self._outbox = outbox
        self._mailbag = mailbag
        self._threads = threads
        self._sleeper = sleeper
        self._jitter = jitter
        self._stopping = asyncio.Event()
        self._wait_s = 0.0
        self.trouble = ""  #: why nothing is published now

    def stop(self) -> None:
        """Take no further events."""
        self._stopping.set()

    async def run(self) -> None:
        """Never raises but for being cancelled."""
        while not self._stopping.is_set():
            try:
                told = await self._threads.run(self.tell_due)
                self._well()
                wait_s = 0.0 if told else LOOK_S
            except (SpoolError, BrokerError) as error:
                wait_s = self._ill(error)
            await self._sleeper.sleep(wait_s)

    def tell_due(self) -> int:
        """Publish what is due, at most a batch, and say how many. Raises SpoolError, BrokerError kin."""
        items = self._outbox.take(BATCH, LEASE_S)
        if items:
            self._mailbag.tell(items)
            self._outbox.done(items)
        return len(items)

    def _well(self) -> None:
        if self.trouble:
            _log.warning("events are told again")
        self.trouble, self._wait_s = "", 0.0

    def _ill(self, error: SpoolError | BrokerError) -> float:
        if not self.trouble:
            _log.error("events wait in the spool, they cannot be told: %s", error)
        self.trouble = str(error)
        self._wait_s = min(max(self._wait_s * 2, PAUSE_S[0]), PAUSE_S[1])
        return self._wait_s * (0.7 + 0.6 * self._jitter())
