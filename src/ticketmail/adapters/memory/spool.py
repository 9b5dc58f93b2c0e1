"""The spool in memory as a whole."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, nullcontext

from ticketmail.adapters.memory.administering import MemoryAdministering
from ticketmail.adapters.memory.book import MemoryBook
from ticketmail.adapters.memory.deliveries import MemoryDeliveries
from ticketmail.adapters.memory.intake import MemoryBlobs, MemoryDirectory, MemoryIntake
from ticketmail.adapters.memory.ledger import MemoryLedger
from ticketmail.adapters.memory.names import name_of
from ticketmail.adapters.memory.operating import MemoryOperating
from ticketmail.adapters.memory.outbox import MemoryOutbox
from ticketmail.adapters.memory.parking import MemoryParking, MemoryTombstones
from ticketmail.adapters.memory.reading import MemoryReading
from ticketmail.adapters.memory.store import Access, Store
from ticketmail.adapters.memory.upkeep import MemoryUpkeep
from ticketmail.adapters.memory.workers import MemoryWorkers
from ticketmail.domain.ports.delivering import WorkerSide
from ticketmail.domain.ports.spooling import SpoolAdapter, SpoolCapabilities, SpoolOptions

CAPABILITIES = SpoolCapabilities(
    survives_process=False,
    joins_transactions=False,
    many_processes=False,
    rings=True,
    server_clock=False,
)

_named: dict[str, Store] = {}
_naming = threading.Lock()


class MemoryWorkerSide:
    """A worker's side. Works on the caller's event loop, under the spool's lock."""

    def __init__(self, access: Access) -> None:
        self.deliveries = MemoryDeliveries(access)
        self.workers = MemoryWorkers(access)
        self.book = MemoryBook(access)
        self.upkeep = MemoryUpkeep(access)

    async def aclose(self) -> None:
        """Stop listening; nothing is ever queued. Idempotent."""
        self.deliveries.close()


class MemorySpool:
    """``SpoolAdapter`` in this process's memory. Bodies are bytes and events JSON, as in a database; what is read are copies."""

    def __init__(self, access: Access, name: str) -> None:
        self._access = access
        self._name = name
        self.capabilities = CAPABILITIES
        self.intake = MemoryIntake(access)
        self.blobs = MemoryBlobs(access)
        self.directory = MemoryDirectory(access)
        self.ledger = MemoryLedger(access)
        self.outbox = MemoryOutbox(access)
        self.parking = MemoryParking(access)
        self.tombstones = MemoryTombstones(access)
        self.reading = MemoryReading(access)
        self.operating = MemoryOperating(access)
        self.administering = MemoryAdministering(access)

    def __repr__(self) -> str:
        return f"MemorySpool('memory://{self._name}')"

    def gate(self) -> AbstractContextManager[None]:
        return nullcontext()

    def worker_side(self) -> WorkerSide:
        return MemoryWorkerSide(self._access)

    def close(self) -> None:
        """Nothing is held open."""


def create(url: str, options: SpoolOptions) -> SpoolAdapter:
    """A spool in memory. ``memory://name`` is the same one for all of this process, ``memory://`` one of its own.

    Raises:
        SettingsError: the name has other characters than letters, digits, dot, dash and underscore.
    """
    name = name_of(url, what="a spool", setting="spool")
    return MemorySpool(Access(_store(name), options), name)


def _store(name: str) -> Store:
    if not name:
        return Store()
    with _naming:
        return _named.setdefault(name, Store())
