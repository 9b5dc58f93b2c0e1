"""The spool on a database as a whole."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager

from ticketmail.adapters.sql.administering import SqlAdministering
from ticketmail.adapters.sql.book import SqlBook
from ticketmail.adapters.sql.content import SqlBlobs, SqlDirectory
from ticketmail.adapters.sql.deliveries import SqlDeliveries
from ticketmail.adapters.sql.engine import Database
from ticketmail.adapters.sql.intake import SqlIntake
from ticketmail.adapters.sql.ledger import SqlLedger
from ticketmail.adapters.sql.operating import SqlOperating
from ticketmail.adapters.sql.outbox import SqlOutbox
from ticketmail.adapters.sql.parking import SqlParking, SqlTombstones
from ticketmail.adapters.sql.reading import SqlReading
from ticketmail.adapters.sql.stores import store_for
from ticketmail.adapters.sql.thread import SpoolThread
from ticketmail.adapters.sql.upkeep import SqlUpkeep
from ticketmail.adapters.sql.workers import SqlWorkers
from ticketmail.domain.ports.delivering import WorkerSide
from ticketmail.domain.ports.spooling import SpoolAdapter, SpoolCapabilities, SpoolOptions


class SqlWorkerSide:
    """A worker's own connection and thread. For one event loop at a time."""

    def __init__(self, database: Database) -> None:
        self._thread = SpoolThread(database)
        self.deliveries = SqlDeliveries(database, self._thread)
        self.workers = SqlWorkers(database, self._thread)
        self.book = SqlBook(self._thread)
        self.upkeep = SqlUpkeep(database, self._thread)

    async def aclose(self) -> None:
        """Commit what is queued, then close. Idempotent."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self.deliveries.close()
        self._thread.stop()
        self.workers.close()


class SqlSpool:
    """``SpoolAdapter`` on SQLite, PostgreSQL and MariaDB. Opens nothing before it is used; reopens by itself after a fork."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.intake = SqlIntake(database)
        self.blobs = SqlBlobs(database)
        self.directory = SqlDirectory(database)
        self.ledger = SqlLedger(database)
        self.outbox = SqlOutbox(database)
        self.parking = SqlParking(database)
        self.tombstones = SqlTombstones(database)
        self.reading = SqlReading(database)
        self.operating = SqlOperating(database)
        self.administering = SqlAdministering(database)

    def __repr__(self) -> str:
        return f"SqlSpool({self._database!r})"

    @property
    def capabilities(self) -> SpoolCapabilities:
        return self._database.store.capabilities

    def gate(self) -> AbstractContextManager[None]:
        return self._database.store.turn(write=True)

    def worker_side(self) -> WorkerSide:
        return SqlWorkerSide(self._database)

    def close(self) -> None:
        self._database.close()


def create(url: str, options: SpoolOptions) -> SpoolAdapter:
    """A spool at ``url``: ``sqlite:///file.db`` (relative), ``sqlite:////dir/file.db``, ``postgresql://user:password@host/db``
    (``postgres://`` and ``postgresql+psycopg://`` too), ``mariadb://user:password@host/db`` (``mariadb+pymysql://`` too).

    Raises:
        SettingsError: the URL cannot be read, or names SQLite in memory.
        UnknownScheme: none of the three.
    """
    parsed, store = store_for(url, options, setting="spool")
    return SqlSpool(Database(parsed, options, store))
