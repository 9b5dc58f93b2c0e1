"""What is PostgreSQL's own: the server's clock, row locks, fsync's proof, NOTIFY as the doorbell."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Engine, Text, bindparam, create_engine, func
from sqlalchemy.dialects.postgresql import ARRAY, psycopg, psycopg2
from sqlalchemy.engine import URL

from ticketmail.adapters.sql.schema import Tables
from ticketmail.adapters.sql.servers import ServerStore
from ticketmail.adapters.sql.transaction import OnConflict, Params, Row, one_by_one
from ticketmail.domain.errors import MissingExtra, SpoolUnsafe
from ticketmail.domain.ports.spooling import SpoolCapabilities, SpoolOptions

_NOW = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
_NOW_OWN = _NOW.replace("SELECT", "SELECT set_config('lock_timeout', '2000', true),")


class PostgresqlLanguage(OnConflict):
    """SQL as PostgreSQL speaks it, through psycopg 3."""

    name = "postgresql"
    locks_rows = True
    returns = True
    probes_recursively = True
    partial_indexes = True

    def __init__(self) -> None:
        self.sa: Any = psycopg.dialect()  # type: ignore[no-untyped-call]

    def within(self, column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
        kind = BigInteger() if isinstance(column.type, BigInteger) else Text()
        result: ColumnElement[bool] = column == func.any(bindparam(name, type_=ARRAY(kind)))
        return result

    def pack(self, values: Sequence[Any]) -> object:
        return list(values)

    def server_now_us(self, cursor: Any) -> int:
        cursor.execute(_NOW)
        return int(cursor.fetchone()[0])

    def has_tables(self, cursor: Any, tables: Tables) -> bool:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", (f'"{tables.mark.name}"',))
        return bool(cursor.fetchone()[0])

    def each(self, cursor: Any, sql: str, params: Sequence[Params], *, fetch: bool) -> list[tuple[int, list[Row]]]:
        if len(params) == 1:
            return one_by_one(cursor, sql, params, fetch=fetch)
        cursor.executemany(sql, params, returning=True)  # psycopg 3 pipelines these: one round trip
        done: list[tuple[int, list[Row]]] = []
        more: Any = True
        while more:
            rows = list(cursor.fetchall()) if fetch else []
            done.append((int(cursor.rowcount), rows))
            more = cursor.nextset()
        return done


class Psycopg2Language(PostgresqlLanguage):
    """The same for a host's psycopg 2 connection."""

    def __init__(self) -> None:
        self.sa = psycopg2.dialect()  # type: ignore[no-untyped-call]

    def each(self, cursor: Any, sql: str, params: Sequence[Params], *, fetch: bool) -> list[tuple[int, list[Row]]]:
        return one_by_one(cursor, sql, params, fetch=fetch)


class PostgresqlStore(ServerStore):
    """A PostgreSQL database: how to reach it, and what to demand of it."""

    language = PostgresqlLanguage()
    capabilities = SpoolCapabilities(
        survives_process=True, joins_transactions=True, many_processes=True, rings=True, server_clock=True
    )

    def __init__(self, url: URL, options: SpoolOptions) -> None:
        self._url = url.set(drivername="postgresql+psycopg")
        self._options = options

    def engine(self) -> Engine:
        options = self._options
        return create_engine(
            self._url,
            pool_size=options.pool_size,
            max_overflow=32,
            pool_timeout=options.busy_timeout_s,
            pool_pre_ping=True,
            pool_recycle=1800,
            connect_args=self._connect_args(),
        )

    def own_connection(self) -> Any:
        """A connection outside the pool, for a spool thread."""
        return self._connect(self._url)

    def listening_connection(self) -> Any:
        """A connection that may LISTEN: past a pgbouncer, if ``listen_url`` says so."""
        from sqlalchemy.engine import make_url

        listen = self._options.listen_url
        url = make_url(listen.replace("postgres://", "postgresql://", 1)) if listen else self._url
        return self._connect(url)

    def _connect(self, url: URL) -> Any:
        try:
            import psycopg as driver
        except ImportError as error:
            raise MissingExtra(
                "psycopg is not installed.", name="spool", remedy="pip install 'ticketmail[postgresql]'"
            ) from error
        plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
        return driver.connect(plain, **self._connect_args())

    def _connect_args(self) -> dict[str, Any]:
        arguments: dict[str, Any] = {"connect_timeout": 5, "application_name": "ticketmail", "client_encoding": "utf8"}
        if self._options.listen_url:  # behind a pooler in transaction mode, prepared statements belong to nobody
            arguments["prepare_threshold"] = None
        return arguments

    def after_open(self, cursor: Any) -> None:
        """Refuse a server that does not keep what it confirms, or not all characters. Raises SpoolUnsafe."""
        cursor.execute("SELECT current_setting('server_encoding')")
        if (encoding := cursor.fetchone()[0]) != "UTF8":
            raise SpoolUnsafe(
                f"This database keeps text as {encoding}: not every name and subject can be stored.",
                remedy="Use one made with CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0.",
            )
        for setting in ("fsync", "full_page_writes"):
            cursor.execute("SELECT current_setting(%s)", (setting,))
            if cursor.fetchone()[0] != "on" and not self._options.allow_lossy:
                raise SpoolUnsafe(
                    f"This PostgreSQL runs with {setting}=off: a crash can lose or corrupt accepted mail.",
                    remedy=f"Set {setting}=on, or allow_lossy for a spool whose mail may be lost.",
                )

    def begin(self, cursor: Any, *, write: bool) -> None:
        """psycopg begins by itself."""

    def begin_own(self, cursor: Any, *, write: bool) -> int | None:
        """A spool thread's transaction. A host that holds a row must not hold all outcomes up: 2 s for a lock. Says the time."""
        cursor.execute(_NOW_OWN)
        return int(cursor.fetchone()[1])

    @contextlib.contextmanager
    def alone(self, cursor: Any) -> Iterator[None]:
        """Alone with the schema, and never long in the way of others. Until the commit."""
        cursor.execute("SET LOCAL lock_timeout = '5s'")
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (zlib.crc32(b"ticketmail schema"),))
        yield

    def size_bytes(self, cursor: Any) -> int | None:
        cursor.execute("SELECT pg_database_size(current_database())")
        return int(cursor.fetchone()[0])

    def warnings(self, cursor: Any) -> list[str]:
        cursor.execute("SELECT current_setting('synchronous_commit')")
        if cursor.fetchone()[0] == "off":
            return ["warn: synchronous_commit=off: the last moments before a crash can be lost. Set it to on."]
        return []

    def ring(self, connection: Any, bell: str) -> None:
        """In a transaction of its own, after the commit: NOTIFY in a commit serialises commits over the whole server."""
        connection.execute("SELECT pg_notify(%s, '')", (bell,))
        connection.commit()
