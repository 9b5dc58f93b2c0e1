"""The consumer in a worker: batches from the broker into the spool, acknowledged after the commit, in order.

What is not acknowledged comes again, so nothing here may be lost by stopping at any place. While the spool is sick the consumer
lets the broker have its jobs back, tries one batch until the spool takes it, and only then opens the tap again: jobs that were
given back again and again would use up a broker's limit of deliveries.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol
from uuid import UUID

from ticketmail.app.usecases.intake import Taken
from ticketmail.domain.errors import BrokerError
from ticketmail.domain.ports.observing import Meter
from ticketmail.domain.ports.queueing import SUBMIT, Broker, Job, Received, Receiver
from ticketmail.domain.ports.timing import Sleeper, Threads

#: Jobs in one transaction, at most. More brings little, and makes other writers of the spool wait.
BATCH: Final = 100
#: Jobs that one consumer holds: what is committed now, and what comes next.
PREFETCH: Final = 200
#: A rest after each batch, as a part of the time that it took: sending, which shares spool and processor, has its turn.
REST: Final = 0.5
WAIT_S: Final = 1.0
#: The wait before a batch is tried again, doubling.
PAUSE_S: Final = (1.0, 30.0)

_log = logging.getLogger("ticketmail.intake")


class Taking(Protocol):
    """See ``TakeIn``."""

    def take(self, jobs: Sequence[Job]) -> Taken: ...


@dataclass(frozen=True, slots=True)
class IntakeState:
    """How it goes, for people and alarms. ``away``: the broker cannot be reached, and why; ``sick``: the spool takes nothing,
    and why. ``lag_s``: how long ago (by the host's clock) the oldest job of the last batch was handed over."""

    taken: int = 0
    parked: int = 0
    away: str = ""
    sick: str = ""
    since_s: float = 0.0  #: of ``away`` or ``sick``, by the monotonic clock
    lag_s: float = 0.0


@dataclass(frozen=True)
class Means:
    """What a consumer works with. ``tell_safe`` tells hosts that wait for it that these jobs are in the spool; it raises
    BrokerError kin. ``paused`` says whether nothing may be taken in now (the disk is full)."""

    broker: Broker
    taking: Taking
    tell_safe: Callable[[Sequence[UUID]], None]
    paused: Callable[[], str]
    meter: Meter
    threads: Threads
    sleeper: Sleeper
    monotonic_s: Callable[[], float]
    now_us: Callable[[], int]
    jitter: Callable[[], float] = field(default=lambda: 0.5)
    batch: int = BATCH
    prefetch: int = PREFETCH


class Consume:
    """One consumer. ``run`` ends after ``stop`` was called and the batch in hand is safe."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._stopping = asyncio.Event()
        self.state = IntakeState()

    def stop(self) -> None:
        """Take no further batch."""
        self._stopping.set()

    async def run(self) -> None:
        """Never raises but for being cancelled."""
        while not self._stopping.is_set():
            if reason := self._means.paused():
                self._sick(reason)
                await self._means.sleeper.sleep(WAIT_S)
                continue
            refused = await self._tapped()
            if refused:
                await self._until_taken(refused)

    async def _tapped(self) -> Sequence[Job]:
        """Take batches as long as it goes well; the batch that the spool would not take, () if the tap was closed otherwise."""
        try:
            async with self._means.broker.receive(SUBMIT, prefetch=self._means.prefetch) as receiver:
                return await self._pour(receiver)
        except BrokerError as error:
            await self._away(error)
        except Exception as error:  # a fault of an adapter must not end the intake for good
            _log.exception("the consumer failed")
            await self._away(BrokerError(f"The consumer failed: {type(error).__name__}."))
        return ()

    async def _pour(self, receiver: Receiver) -> Sequence[Job]:
        while not self._stopping.is_set() and not self._means.paused():
            received = await self._received(receiver)
            if not received:
                continue
            jobs = [one.job for one in received]
            began_s = self._means.monotonic_s()
            if not await self._taken(jobs):
                return jobs
            await receiver.ack(received)
            await self._means.sleeper.sleep(REST * (self._means.monotonic_s() - began_s))
        return ()

    async def _received(self, receiver: Receiver) -> Sequence[Received]:
        try:
            received = await receiver.batch(self._means.batch, WAIT_S)
        except BrokerError as error:  # it reconnects by itself
            await self._away(error)
            return ()
        if self.state.away:
            _log.warning("the broker is back, intake goes on")
            self.state = replace(self.state, away="")
        return received

    async def _taken(self, jobs: Sequence[Job]) -> bool:
        """Store a batch, and tell who waits for it. False: the spool would not have it."""
        try:
            taken = await self._means.threads.run(lambda: self._means.taking.take(jobs))
        except Exception as error:
            if not isinstance(error, OSError):
                _log.exception("a batch of %d jobs failed", len(jobs))
            self._sick(str(error) if isinstance(error, OSError) else type(error).__name__)
            return False
        if self.state.sick:
            _log.warning("the spool takes mail again, intake goes on")
        self._count(taken)
        await self._say_safe(taken.awaited)
        return True

    async def _say_safe(self, awaited: Sequence[UUID]) -> None:
        """Until the broker has it: the jobs stay unacknowledged as long."""
        wait_s = PAUSE_S[0]
        while awaited and not self._stopping.is_set():
            try:
                return await self._means.threads.run(lambda: self._means.tell_safe(awaited))
            except BrokerError as error:
                await self._away(error, wait_s)
                wait_s = min(wait_s * 2, PAUSE_S[1])
        return None

    async def _until_taken(self, jobs: Sequence[Job]) -> None:
        """The jobs are back at the broker; this copy of them finds out when the spool is well."""
        wait_s = PAUSE_S[0]
        while not self._stopping.is_set():
            await self._means.sleeper.sleep(wait_s * (0.7 + 0.6 * self._means.jitter()))
            if await self._taken(jobs):
                return
            wait_s = min(wait_s * 2, PAUSE_S[1])

    def _count(self, taken: Taken) -> None:
        meter, state = self._means.meter, self.state
        for outcome, count in taken.counts.items():
            meter.count("jobs_total", count, outcome=outcome)
        lag_s = state.lag_s
        if taken.oldest_us is not None:
            lag_s = max(0.0, (self._means.now_us() - taken.oldest_us) / 1e6)
            meter.observe("intake_lag_seconds", lag_s)
        done, parked = sum(taken.counts.values()), taken.counts.get("parked", 0)
        self.state = replace(state, taken=state.taken + done, parked=state.parked + parked, sick="", lag_s=lag_s)

    async def _away(self, error: BrokerError, wait_s: float = WAIT_S) -> None:
        if not self.state.away:
            _log.error("intake waits, the broker cannot be used: %s", error)
            self.state = replace(self.state, since_s=self._means.monotonic_s())
        self.state = replace(self.state, away=str(error))
        await self._means.sleeper.sleep(wait_s * (0.7 + 0.6 * self._means.jitter()))

    def _sick(self, reason: str) -> None:
        if not self.state.sick:
            _log.error("intake pauses, the spool is sick: %s", reason)
            self.state = replace(self.state, since_s=self._means.monotonic_s())
        self.state = replace(self.state, sick=reason)
