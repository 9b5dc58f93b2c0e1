"""Writing in the host's own transaction: no commit, no other connection, never an aborted transaction.

Statements run on the host's driver connection, inside a savepoint: whatever fails is undone there and the host's transaction
lives on.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from ticketmail.adapters.sql.engine import Database
from ticketmail.adapters.sql.errors import ROLLED_BACK, is_foreign, scrub, server_code, translated
from ticketmail.adapters.sql.postgresql import Psycopg2Language
from ticketmail.adapters.sql.transaction import Language, Tx
from ticketmail.adapters.sql.upgrading import require
from ticketmail.domain.errors import HostTransactionMustBeImmediate, InvalidSubmission, SpoolBusy

T = TypeVar("T")
_SAVEPOINT = "ticketmail_join"
_KINDS = "a SQLAlchemy Connection or Session, Django's connection, sqlite3, psycopg 2, psycopg 3, PyMySQL or mysqlclient"
_psycopg2 = Psycopg2Language()


def run(database: Database, connection: object, work: Callable[[Tx], T]) -> T:
    """Run ``work`` in the host's transaction.

    Raises:
        InvalidSubmission: ``connection`` is of no known kind, of another database than the spool, in autocommit mode, closed, or
            another thread's.
        HostTransactionMustBeImmediate: see there (SQLite).
        SpoolError kin: nothing was written; the host's transaction is as it was. But on MariaDB, which rolls all of
            it back to break a deadlock, or where a row was changed since the host read it (SpoolBusy, which says so).
    """
    with _unusable_told():
        driver = driver_connection(connection)
        language, cursor = _cursor(database, driver)
    with _victims_told(), translated():
        _require_transaction(database, driver, cursor)
        if isinstance(driver, sqlite3.Connection):
            _require_writer(database, driver, cursor)
        with _savepoint(cursor):
            tx = Tx(cursor, database.compiler_for(language), database.options.clock)
            require(tx, spool=database.url)
            return work(tx)


def driver_connection(connection: object) -> Any:
    """The DB-API connection inside what the host has at hand."""
    module = type(connection).__module__.partition(".")[0]
    found: Any = connection
    if module == "sqlalchemy" or hasattr(found, "get_bind"):
        if hasattr(found, "get_bind"):  # a Session, or a scoped one
            found = found.connection()
        if not found.in_transaction():  # nothing was executed yet: without this the host's commit() would do nothing
            found.begin()
        return found.connection.driver_connection
    if hasattr(found, "vendor") and hasattr(found, "ensure_connection"):  # Django
        found.ensure_connection()
        return found.connection
    return found


def _cursor(database: Database, driver: Any) -> tuple[Language, Any]:
    kinds = {f"{cls.__module__.partition('.')[0]}.{cls.__name__}" for cls in type(driver).__mro__}
    if "sqlite3.Connection" in kinds:
        cursor = driver.cursor(sqlite3.Cursor)
        cursor.row_factory = None
        language: Language = database.language
        spoken = "sqlite"
    elif "psycopg.Connection" in kinds:
        import psycopg

        cursor, language, spoken = psycopg.Cursor(driver, row_factory=psycopg.rows.tuple_row), database.language, "postgresql"
    elif "psycopg2.connection" in kinds:
        import psycopg2.extensions  # type: ignore[import-untyped]

        cursor, language, spoken = driver.cursor(cursor_factory=psycopg2.extensions.cursor), _psycopg2, "postgresql"
    elif "pymysql.Connection" in kinds or "MySQLdb.Connection" in kinds:
        cursor, language, spoken = driver.cursor(_plain_cursor(driver)), database.language, "mariadb"
    else:
        raise InvalidSubmission(
            f"{type(driver).__name__} is not a connection that can be joined.", field="connection", remedy=f"Pass {_KINDS}."
        )
    if spoken != database.language.name:
        raise InvalidSubmission(
            f"this is a {spoken} connection, the spool is on {database.language.name}.",
            field="connection",
            remedy="Point the setting `spool` at the host's own database, or submit without connection=.",
        )
    return language, cursor


def _plain_cursor(driver: Any) -> Any:
    """The driver's own cursor of tuples, whatever kind the host has made its default."""
    if type(driver).__module__.partition(".")[0] == "pymysql":
        from pymysql.cursors import Cursor

        return Cursor
    from MySQLdb.cursors import Cursor as TheirCursor

    return TheirCursor


def _require_transaction(database: Database, driver: Any, cursor: Any) -> None:
    """With autocommit each row would commit by itself, and a rollback would leave some."""
    if isinstance(driver, sqlite3.Connection):
        return
    if database.language.name == "mariadb":
        cursor.execute("SELECT @@autocommit AND NOT @@in_transaction")
        alone = bool(cursor.fetchone()[0])
    else:
        alone = driver.autocommit and int(driver.info.transaction_status) == 0
    if alone:
        raise InvalidSubmission(
            "it is in autocommit mode, outside a transaction.",
            field="connection",
            remedy="Open a transaction first (transaction.atomic(), connection.transaction()).",
        )


def _require_writer(database: Database, driver: sqlite3.Connection, cursor: sqlite3.Cursor) -> None:
    """A transaction that has only read may fail at its first write whatever the time-out: then it is too late to say so."""
    if not driver.in_transaction:
        raise _not_immediate("no transaction is open")
    if not database.language.has_tables(cursor, database.tables):
        return
    try:
        cursor.execute(f"UPDATE {database.tables.meta.name} SET value = value WHERE name = ''")  # noqa: S608 - our own name
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise _not_immediate("it has only read so far, and another writer is ahead") from error
        raise


def _not_immediate(why: str) -> HostTransactionMustBeImmediate:
    return HostTransactionMustBeImmediate(
        f"On SQLite, connection= needs a transaction that is already a writer; {why}.",
        remedy="Begin it with BEGIN IMMEDIATE (SQLAlchemy: the `begin` event; Django: OPTIONS transaction_mode=IMMEDIATE), "
        "or write your own rows before you submit.",
    )


@contextlib.contextmanager
def _unusable_told() -> Iterator[None]:
    """What a driver says before anything was asked of the database: the connection is closed, or another thread's."""
    try:
        yield
    except Exception as error:
        if not is_foreign(error) or isinstance(error, OSError):
            raise
        text = f"it cannot be used ({type(error).__name__}: {scrub(str(error))[:200].rstrip('.')})."
        remedy = "Pass an open connection, from the thread that opened it."
        raise InvalidSubmission(text, field="connection", remedy=remedy) from error


@contextlib.contextmanager
def _victims_told() -> Iterator[None]:
    """InnoDB makes way for another by rolling back a whole transaction, savepoints and all: who goes on would commit a half."""
    try:
        yield
    except SpoolBusy as error:
        if server_code(error.__cause__) not in ROLLED_BACK:
            raise
        raise SpoolBusy(
            "MariaDB rolled your whole transaction back: it was in another one's way.",
            remedy="Begin it again from its first statement.",
        ) from error


@contextlib.contextmanager
def _savepoint(cursor: Any) -> Iterator[None]:
    cursor.execute(f"SAVEPOINT {_SAVEPOINT}")
    try:
        yield
    except BaseException:
        with contextlib.suppress(Exception):  # the first error says more
            cursor.execute(f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}")
            cursor.execute(f"RELEASE SAVEPOINT {_SAVEPOINT}")
        raise
    cursor.execute(f"RELEASE SAVEPOINT {_SAVEPOINT}")
