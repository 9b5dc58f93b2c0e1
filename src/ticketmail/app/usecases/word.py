"""The service's word: jobs that are in its spool now leave the host's outbox."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID

from ticketmail.domain.errors import BrokerError, InvalidJob, SpoolError
from ticketmail.domain.job import decode, spooled_from
from ticketmail.domain.ports.queueing import SPOOLED, Broker, Received, Receiver
from ticketmail.domain.ports.relaying import HostOutbox
from ticketmail.domain.ports.timing import Sleeper, Threads

WAIT_S: Final = 0.5
PREFETCH: Final = 100
PAUSE_S: Final = 2.0

_log = logging.getLogger("ticketmail.relay")


class AwaitWord:
    """Listens on one loop. ``secrets``: with any, only words signed with one of them count."""

    def __init__(
        self, outbox: HostOutbox, broker: Broker, *, secrets: Sequence[bytes], threads: Threads, sleeper: Sleeper
    ) -> None:
        self._outbox = outbox
        self._broker = broker
        self._secrets = secrets
        self._threads = threads
        self._sleeper = sleeper

    async def run(self, stopped: Callable[[], bool]) -> None:
        """Until ``stopped()``. Never raises for what a database or a broker does."""
        async with self._broker.receive(SPOOLED, prefetch=PREFETCH) as receiver:
            while not stopped():
                try:
                    await self._hear(receiver)
                except (BrokerError, SpoolError) as error:
                    _log.warning("the mail service's word is not heard: %s", error)
                    await self._sleeper.sleep(PAUSE_S)

    async def _hear(self, receiver: Receiver) -> None:
        got = await receiver.batch(PREFETCH, WAIT_S)
        if not got:
            return
        ids = [ident for one in got for ident in self._ids(one)]
        try:
            await self._threads.run(lambda: self._outbox.spooled(ids))
        except SpoolError:
            await receiver.give_back(got)
            raise
        await receiver.ack(got)

    def _ids(self, received: Received) -> list[UUID]:
        """What cannot be read is no word: its jobs are published again, which does no harm."""
        try:
            return spooled_from(decode(received.job.body, secrets=self._secrets))
        except InvalidJob as error:
            _log.warning("a word of the mail service cannot be read: %s", error)
            return []
