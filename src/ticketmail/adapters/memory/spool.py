"""The spool in memory as a whole."""

from __future__ import annotations

from ticketmail.adapters.memory.administering import MemoryAdministering
from ticketmail.adapters.memory.book import MemoryBook
from ticketmail.adapters.memory.deliveries import MemoryDeliveries
from ticketmail.adapters.memory.intake import MemoryBlobs, MemoryDirectory, MemoryIntake
from ticketmail.adapters.memory.operating import MemoryOperating
from ticketmail.adapters.memory.outbox import MemoryOutbox
from ticketmail.adapters.memory.reading import MemoryReading
from ticketmail.adapters.memory.store import Access
from ticketmail.adapters.memory.upkeep import MemoryUpkeep
from ticketmail.adapters.memory.workers import MemoryWorkers
from ticketmail.domain.ports.delivering import WorkerSide
from ticketmail.domain.ports.spooling import SpoolCapabilities


class MemoryWorkerSide:
    """A worker's roles. What it did is done when a call returns, so there is nothing to close."""

    def __init__(self, access: Access) -> None:
        self.deliveries = MemoryDeliveries(access)
        self.workers = MemoryWorkers(access)
        self.book = MemoryBook(access)
        self.upkeep = MemoryUpkeep(access)

    async def aclose(self) -> None:
        """Idempotent. A worker that has not retired is dead when its beat is old."""


class MemorySpool:
    """``SpoolAdapter`` in memory: gone with its process. A forked child goes on with a copy of its own."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self.intake = MemoryIntake(access)
        self.blobs = MemoryBlobs(access)
        self.directory = MemoryDirectory(access)
        self.outbox = MemoryOutbox(access)
        self.reading = MemoryReading(access)
        self.operating = MemoryOperating(access)
        self.administering = MemoryAdministering(access)

    @property
    def capabilities(self) -> SpoolCapabilities:
        return SpoolCapabilities(
            survives_process=False, joins_transactions=False, many_processes=False, rings=True, server_clock=False
        )

    def worker_side(self) -> WorkerSide:
        return MemoryWorkerSide(self._access)

    def close(self) -> None:
        """Nothing is open; what was accepted stays as long as the process, or this object for a nameless spool."""
