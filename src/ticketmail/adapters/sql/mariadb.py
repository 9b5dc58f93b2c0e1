"""What is MariaDB's own: the server's clock, READ COMMITTED, row locks, InnoDB's proof. New mail is found by looking."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Engine, Executable, bindparam, create_engine
from sqlalchemy.dialects.mysql import insert
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import QueuePool

from ticketmail.adapters.sql.schema import AnyTable, Tables
from ticketmail.adapters.sql.servers import ServerStore
from ticketmail.adapters.sql.transaction import NOTHING, Params, Row, bound, one_by_one
from ticketmail.domain.errors import MissingExtra, SpoolUnreachable, SpoolUnsafe
from ticketmail.domain.ports.spooling import SpoolCapabilities, SpoolOptions

LEAST = (10, 6)  #: SKIP LOCKED
_NOW = "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))"
_DUPLICATE = 1062  #: ER_DUP_ENTRY. It undoes the statement, not the transaction.
_ONCE = "/* once */"  #: marks an INSERT for which a row that is there already is no error
_LOCK = "ticketmail schema"
#: Seconds that a worker's transaction waits for a row, so that a host that holds one holds up nobody else; that any waits for a
#: change of a table.
_WORKER_WAIT_S, _TABLE_WAIT_S = 2, 10
_MODE = "STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"


class MariadbLanguage:
    """SQL as MariaDB speaks it, through PyMySQL or a host's mysqlclient: values are put in by the driver."""

    name = "mariadb"
    locks_rows = True
    returns = False
    probes_recursively = False  # it goes through all rows of the lane for each
    partial_indexes = False

    def __init__(self) -> None:
        dialect: Any = make_url("mariadb+pymysql://").get_dialect()
        self.sa: Any = dialect(paramstyle="pyformat")

    def within(self, column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
        return column.bool_op("IN")(bindparam(name))

    def pack(self, values: Sequence[Any]) -> object:
        return tuple(values) or (None,)

    def insert_once(self, table: AnyTable, names: Sequence[str]) -> Executable:
        # Not INSERT IGNORE, which takes what is too long and cuts it.
        return insert(table).values({name: bound(name) for name in names}).prefix_with(_ONCE)

    def upsert(
        self, table: AnyTable, names: Sequence[str], key: Sequence[str], later: Sequence[str], also: Mapping[str, Any] = NOTHING
    ) -> Executable:
        added = insert(table).values({name: bound(name) for name in names})
        return added.on_duplicate_key_update({**{name: added.inserted[name] for name in later}, **also})

    def server_now_us(self, cursor: Any) -> int:
        cursor.execute(_NOW)
        return int(cursor.fetchone()[0])

    def has_tables(self, cursor: Any, tables: Tables) -> bool:
        last = tables.metadata.sorted_tables[-1].name  # a table commits what was made before it
        cursor.execute(
            "SELECT count(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = %(name)s",
            {"name": last},
        )
        return bool(cursor.fetchone()[0])

    def each(self, cursor: Any, sql: str, params: Sequence[Params], *, fetch: bool) -> list[tuple[int, list[Row]]]:
        if _ONCE in sql[:24]:
            return [(_insert_once(cursor, sql, item), []) for item in params]
        if len(params) > 1 and sql.startswith("INSERT") and "ON DUPLICATE" not in sql:
            cursor.executemany(sql, params)  # the drivers make one statement of these
            return [(1, [])] * len(params)
        return one_by_one(cursor, sql, params, fetch=fetch)


def _insert_once(cursor: Any, sql: str, params: Params) -> int:
    try:
        cursor.execute(sql, params)
    except Exception as error:
        if error.args[:1] != (_DUPLICATE,):
            raise
        return 0
    return 1


class MariadbStore(ServerStore):
    """A MariaDB database: how to reach it, and what to demand of it."""

    language = MariadbLanguage()
    capabilities = SpoolCapabilities(
        survives_process=True, joins_transactions=True, many_processes=True, rings=False, server_clock=True
    )

    def __init__(self, url: URL, options: SpoolOptions) -> None:
        self._url = url.set(drivername="mariadb+pymysql")
        self._options = options

    def engine(self) -> Engine:
        options = self._options
        return create_engine(
            self._url,
            creator=lambda: self._connect(max(1, round(options.busy_timeout_s))),
            poolclass=QueuePool,
            pool_size=options.pool_size,
            max_overflow=32,
            pool_timeout=options.busy_timeout_s,
            pool_pre_ping=True,
            pool_recycle=1800,
        )

    def own_connection(self) -> Any:
        """A connection outside the pool, for a spool thread."""
        return self._connect(_WORKER_WAIT_S)

    def _connect(self, wait_s: int) -> Any:
        """READ COMMITTED and strict, whatever the server's own settings. Rows count as touched when they were found."""
        try:
            import pymysql
            from pymysql.constants import CLIENT
        except ImportError as error:
            raise MissingExtra("PyMySQL is not installed.", name="spool", remedy="pip install 'ticketmail[mariadb]'") from error
        arguments: dict[str, Any] = {"connect_timeout": 5, **self.language.sa.create_connect_args(self._url)[1]}
        arguments["client_flag"] = arguments.get("client_flag", 0) | CLIENT.FOUND_ROWS
        arguments.update(charset="utf8mb4", autocommit=False)
        try:
            connection = pymysql.connect(**arguments)
        except RuntimeError as error:  # a way to log in that needs one more package
            raise SpoolUnreachable(f"MariaDB could not be reached: {error}") from error
        try:
            self._set(connection.cursor(), wait_s)
        except BaseException:
            connection.close()
            raise
        return connection

    def _set(self, cursor: Any, wait_s: int) -> None:
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        cursor.execute(
            "SET SESSION sql_mode = %s, innodb_lock_wait_timeout = %s, lock_wait_timeout = %s", (_MODE, wait_s, _TABLE_WAIT_S)
        )

    def after_open(self, cursor: Any) -> None:
        """Refuse a server that does not keep what it confirms, or that cannot skip locked rows. Raises SpoolUnsafe."""
        found = _variables(cursor)
        _require_version(found["version"])
        isolation = found.get("transaction_isolation") or found.get("tx_isolation")  # MariaDB 11.1 gave it the other name
        if isolation != "READ-COMMITTED":
            raise SpoolUnsafe(f"The session runs at {isolation}, not READ COMMITTED.", remedy="Look at its init_connect.")
        if not self._options.allow_lossy:
            _require_durable(found)

    def begin(self, cursor: Any, *, write: bool) -> None:
        """PyMySQL begins by itself."""

    def begin_own(self, cursor: Any, *, write: bool) -> int | None:
        """A spool thread's transaction. Says the time."""
        return self.language.server_now_us(cursor)

    @contextlib.contextmanager
    def alone(self, cursor: Any) -> Iterator[None]:
        """Alone with the schema. Statements that change it commit by themselves here; each may be run again."""
        cursor.execute("SELECT GET_LOCK(%s, %s)", (_LOCK, _TABLE_WAIT_S))
        if not cursor.fetchone()[0]:
            raise SpoolUnreachable("Another process has been changing the tables for long.", remedy="Try again in a moment.")
        try:
            yield
        finally:
            with contextlib.suppress(Exception):  # it ends with the connection at the latest
                cursor.execute("SELECT RELEASE_LOCK(%s)", (_LOCK,))

    def size_bytes(self, cursor: Any) -> int | None:
        cursor.execute("SELECT sum(data_length + index_length) FROM information_schema.tables WHERE table_schema = DATABASE()")
        return int(cursor.fetchone()[0] or 0)

    def warnings(self, cursor: Any) -> list[str]:
        found = _variables(cursor)
        said = []
        if found.get("innodb_doublewrite") == "OFF":
            said.append("warn: innodb_doublewrite=OFF: a power cut can tear pages, unless the file system writes them whole.")
        packet = int(found["max_allowed_packet"])
        if packet < _PACKET_BYTES:
            mebibytes = packet / 1024**2
            said.append(f"warn: max_allowed_packet={mebibytes:.0f}M: larger attachments are refused. Set it to 64M.")
        return said

    def ring(self, connection: Any, bell: str) -> None:
        """Nothing to ring: workers look."""

    def listening_connection(self) -> Any:
        raise NotImplementedError("MariaDB has no NOTIFY; capabilities.rings says so")


#: A mail of 25 MiB, its bytes escaped.
_PACKET_BYTES = 64 * 1024**2
_LOOKED_AT = (
    *("version", "tx_isolation", "transaction_isolation", "innodb_flush_log_at_trx_commit", "innodb_doublewrite"),
    *("log_bin", "sync_binlog", "max_allowed_packet"),
)


def _variables(cursor: Any) -> Mapping[str, str]:
    names = ", ".join(f"'{name}'" for name in _LOOKED_AT)
    cursor.execute(f"SHOW SESSION VARIABLES WHERE Variable_name IN ({names})")
    return dict(cursor.fetchall())


def _require_version(version: str) -> None:
    remedy = "MariaDB 10.6 or later, PostgreSQL or SQLite is needed."
    if "mariadb" not in version.lower():
        raise SpoolUnsafe(f"This server is MySQL {version}, not MariaDB: it is not supported.", remedy=remedy)
    numbers = version.removeprefix("5.5.5-").split("-")[0].split(".")[:2]
    if tuple(int(number) for number in numbers) < LEAST:
        raise SpoolUnsafe(f"MariaDB {version} is too old: it cannot skip locked rows.", remedy=remedy)


def _require_durable(found: Mapping[str, str]) -> None:
    """MariaDB manual, innodb_flush_log_at_trx_commit (3 syncs twice), sync_binlog: after a power cut the binary log decides."""
    flush = found["innodb_flush_log_at_trx_commit"]
    if flush not in ("1", "3"):
        raise SpoolUnsafe(
            f"This MariaDB runs with innodb_flush_log_at_trx_commit={flush}: a crash can lose accepted mail.",
            remedy="Set it to 1, or allow_lossy for a spool whose mail may be lost.",
        )
    if found.get("log_bin") == "ON" and found.get("sync_binlog") != "1":
        raise SpoolUnsafe(
            f"This MariaDB keeps a binary log with sync_binlog={found.get('sync_binlog')}: a power cut can lose accepted mail.",
            remedy="Set sync_binlog=1, or allow_lossy for a spool whose mail may be lost.",
        )
