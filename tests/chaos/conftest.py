"""Spools that chaos may be done to."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from chaos.databases import connect, run


@pytest.fixture
def postgresql_url() -> Iterator[str]:
    """A database of the test's own on the server of ``scripts/services``."""
    server = os.environ.get("TICKETMAIL_TEST_POSTGRESQL")
    if not server:
        pytest.skip("no PostgreSQL: `scripts/services start postgresql`, or set TICKETMAIL_TEST_POSTGRESQL")
    import psycopg
    from psycopg import sql

    name = f"chaos_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield f"{server.rpartition('/')[0]}/{name}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def mariadb_url() -> Iterator[str]:
    """A database of the test's own on the server of ``scripts/services``."""
    server = os.environ.get("TICKETMAIL_TEST_MARIADB")
    if not server:
        pytest.skip("no MariaDB: `scripts/services start mariadb`, or set TICKETMAIL_TEST_MARIADB")
    name = f"chaos_{uuid.uuid4().hex}"
    with closing(connect(server)) as connection:
        run(connection, f"CREATE DATABASE {name}")
        yield f"{server.rpartition('/')[0]}/{name}"
        run(connection, f"DROP DATABASE {name}")


#: `make test` proves the contract on MariaDB; that takes long enough.
ON_MARIADB = [
    pytest.mark.mariadb,
    pytest.mark.skipif(os.environ.get("TICKETMAIL_TEST_CHAOS") != "full", reason="on MariaDB `make chaos` runs it"),
]
SERVERS = [pytest.param("postgresql", marks=pytest.mark.postgresql), pytest.param("mariadb", marks=ON_MARIADB)]


@pytest.fixture(params=["sqlite", *SERVERS])
def spool_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """SQLite, PostgreSQL and MariaDB in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/spool.db"
    return str(request.getfixturevalue(f"{request.param}_url"))
