"""Spools that chaos may be done to."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest


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


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def spool_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """SQLite and PostgreSQL in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/spool.db"
    return str(request.getfixturevalue("postgresql_url"))
