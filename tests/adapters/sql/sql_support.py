"""What the tests of the SQL spool hand over and look at, a private PostgreSQL server, and databases on MariaDB."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from ticketmail.adapters.sql import create
from ticketmail.domain.ports.spooling import SpoolOptions
from ticketmail.testing.spool_contract.kit import ALL_MAIL as ALL
from ticketmail.testing.spool_contract.kit import HOUR, MINUTE, SECOND, START, WORKER, Worker, claims, entry
from ticketmail.testing.spool_contract.kit import ContractClock as HandClock

__all__ = [
    "ALL",
    "HOUR",
    "MINUTE",
    "SECOND",
    "START",
    "WORKER",
    "HandClock",
    "OpenTransaction",
    "Server",
    "Worker",
    "claims",
    "empty",
    "entry",
    "kill_connections",
    "mariadb_connection",
    "mariadb_database",
    "private_server",
    "spools",
    "until",
]


class OpenTransaction:
    """A host's DB-API connection in a transaction of its own."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def commit(self) -> None:
        self.connection.commit()

    def rollback(self) -> None:
        self.connection.rollback()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A private PostgreSQL: durable, on loopback, in a directory of its own."""

    def __init__(self, binaries: Path, home: Path) -> None:
        self._binaries, self._data = binaries, home / "data"
        self.port = _free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}"
        self._settings: tuple[str, ...] = ()

    def make(self) -> None:
        self._run("initdb", "-D", str(self._data), "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8", "--locale=C")

    def start(self, *settings: str) -> None:
        options = [f"-p {self.port}", "-c listen_addresses=127.0.0.1", "-c unix_socket_directories=''", *settings]
        log = str(self._data.parent / "log")
        self._run("pg_ctl", "-D", str(self._data), "-o", " ".join(options), "-l", log, "-w", "start")

    def stop(self, mode: str = "fast") -> None:
        self._run("pg_ctl", "-D", str(self._data), "-m", mode, "-w", "stop")

    def _run(self, name: str, *arguments: str) -> None:
        as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        # A file, not a pipe: the server that pg_ctl leaves behind would keep a pipe open.
        subprocess.run(
            [*as_user, str(self._binaries / name), *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self._data.parent,
            timeout=60,
        )


def find_binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) + [Path(p) for p in [shutil.which("initdb")] if p]
    return found[-1].parent if found else None


@contextlib.contextmanager
def private_server() -> Iterator[Server]:
    binaries = find_binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL binaries here; set TICKETMAIL_TEST_POSTGRESQL to the URL of a disposable server")
    home = Path(tempfile.mkdtemp(prefix="ticketmail-pg-"))
    if os.geteuid() == 0:
        shutil.chown(home, "postgres")
    server = Server(binaries, home)
    try:
        server.make()
        server.start()
        yield server
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            server.stop("immediate")
        shutil.rmtree(home, ignore_errors=True)


def mariadb_connection(url: str, **more: Any) -> Any:
    """A host's PyMySQL connection."""
    import pymysql

    at = make_url(url)
    return pymysql.connect(host=at.host, port=at.port, user=at.username, password=at.password, database=at.database, **more)


@contextlib.contextmanager
def mariadb_database() -> Iterator[str]:
    """The URL of a new database."""
    server = os.environ.get("TICKETMAIL_TEST_MARIADB")
    if not server:
        pytest.skip("no MariaDB: `scripts/services start mariadb`, or set TICKETMAIL_TEST_MARIADB")
    name = f"t{uuid.uuid4().hex}"
    with contextlib.closing(mariadb_connection(server)) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
        yield f"{server.rpartition('/')[0]}/{name}"
        cursor.execute(f"DROP DATABASE {name}")


def empty(url: str) -> None:
    """Delete the rows of our tables, and all tables of others: making ours takes MariaDB seconds."""
    with contextlib.closing(mariadb_connection(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW TABLES")
        for (name,) in cursor.fetchall():
            cursor.execute(f"DELETE FROM {name}" if name.startswith("ticketmail_") else f"DROP TABLE {name}")
        connection.commit()


def kill_connections(url: str) -> int:
    """Hang up on everybody else in this database; how many that were."""
    with contextlib.closing(mariadb_connection(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()")
        ids = [id_ for (id_,) in cursor.fetchall()]
        for id_ in ids:
            cursor.execute(f"KILL CONNECTION {id_}")
        return len(ids)


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Poll, bounded."""
    for _ in range(int(seconds / 0.01)):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come to pass in time")


def spools(url: str) -> Iterator[Callable[..., Any]]:
    """Makes spools on ``url`` by a clock or by options, and closes them."""
    made: list[Any] = []

    def make(given: Any = None) -> Any:
        spool = create(url, given if isinstance(given, SpoolOptions) else SpoolOptions(clock=given))
        made.append(spool)
        return spool

    yield make
    for spool in made:
        spool.close()
