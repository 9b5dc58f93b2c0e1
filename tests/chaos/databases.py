"""A host's own way to the database that the spool is in: by the driver that hosts use there."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from typing import Any


def kind_of(url: str) -> str:
    """``sqlite``, ``postgresql`` or ``mariadb``."""
    return url.partition(":")[0]


def connect(url: str) -> Any:
    """A DB-API connection. On SQLite the caller begins."""
    if kind_of(url) == "sqlite":
        return sqlite3.connect(url.removeprefix("sqlite:///"), timeout=30, isolation_level=None)
    if kind_of(url) == "mariadb":
        import pymysql
        from sqlalchemy.engine import make_url

        at = make_url(url)
        return pymysql.connect(host=at.host, port=at.port, user=at.username, password=at.password, database=at.database)
    import psycopg

    return psycopg.connect(url)


def run(connection: Any, statement: str, values: Sequence[object] = ()) -> Any:
    """A cursor that has run a statement, whose marks are ``?``."""
    cursor = connection.cursor()
    cursor.execute(statement if isinstance(connection, sqlite3.Connection) else statement.replace("?", "%s"), tuple(values))
    return cursor


def fetch(url: str, statement: str) -> list[tuple[Any, ...]]:
    """All rows of a question."""
    with closing(connect(url)) as connection:
        return list(run(connection, statement).fetchall())
