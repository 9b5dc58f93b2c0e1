"""Spools on SQLite, on a private PostgreSQL server and on MariaDB, and what the tests hand over."""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ticketmail.adapters.sql import create
from ticketmail.domain.ports.spooling import SpoolOptions

sys.path.insert(0, str(Path(__file__).parent))

from sql_support import WORKER, HandClock, Worker, empty, mariadb_database, private_server


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def work(spool: Any) -> AsyncIterator[Callable[..., Any]]:
    """Makes workers, and closes them."""
    sides: list[Any] = []

    async def start(on: Any = None) -> Worker:
        side = (on or spool).worker_side()
        sides.append(side)
        return Worker(side, (await side.workers.register(WORKER)).worker_id)

    yield start
    for side in sides:
        await side.aclose()


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The URL of a superuser on a disposable server."""
    given = os.environ.get("TICKETMAIL_TEST_POSTGRESQL")
    if given:
        yield given
        return
    with private_server() as server:
        yield server.url


@pytest.fixture
def postgresql_url(postgresql_server: str) -> Iterator[str]:
    """A database of the test's own."""
    import psycopg

    name = f"t{uuid.uuid4().hex}"
    base, _, query = postgresql_server.partition("?")
    head = base.rstrip("/") if base.count("/") < 3 else base.rpartition("/")[0]
    tail = f"?{query}" if query else ""
    with psycopg.connect(f"{head}/postgres{tail}", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    yield f"{head}/{name}{tail}"
    with psycopg.connect(f"{head}/postgres{tail}", autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[str]:
    """A database of this run's own on the server of ``scripts/services``."""
    with mariadb_database() as url:
        create(url, SpoolOptions()).administering.upgrade()
        yield url


@pytest.fixture
def mariadb_url(mariadb_server: str) -> str:
    """The same, empty again."""
    empty(mariadb_server)
    return mariadb_server


SERVERS = [pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("postgresql", "mariadb")]


@pytest.fixture(params=["sqlite", *SERVERS])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/spool.db"
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def options(clock: HandClock) -> SpoolOptions:
    return SpoolOptions(site="desk", clock=clock)


@pytest.fixture
def spool(url: str, options: SpoolOptions) -> Iterator[Any]:
    made = create(url, options)
    yield made
    made.close()
