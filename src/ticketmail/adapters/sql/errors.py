"""The one table that turns what databases raise into ``SpoolError`` kin.

An entry is found by SQLite's result code, PostgreSQL's SQLSTATE or MariaDB's number; what carries none is found by its class
name, which is the same in every DB-API driver (PEP 249). So nothing here imports a driver.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

from ticketmail.domain.errors import (
    SchemaMismatch,
    SpoolBusy,
    SpoolError,
    SpoolFull,
    SpoolUnreachable,
    TicketmailError,
)

_BUSY = "Another writer held the spool for too long; try again."
_FULL = "Free some room on its disk; nothing that was accepted is lost."
_AWAY = "Check that the database is there and that this user may write to it."
_TABLES = "Run `ticketmail db upgrade`."
_ILL = "Look at `ticketmail doctor`."

#: SQLite primary or extended result codes (sqlite.org/rescode.html).
SQLITE: dict[int, tuple[type[SpoolError], str]] = {
    5: (SpoolBusy, _BUSY),  # BUSY, with BUSY_SNAPSHOT, BUSY_RECOVERY, BUSY_TIMEOUT
    6: (SpoolBusy, _BUSY),  # LOCKED
    9: (SpoolBusy, _BUSY),  # INTERRUPT
    15: (SpoolBusy, _BUSY),  # PROTOCOL: a race for the WAL lock
    13: (SpoolFull, _FULL),  # FULL
    4874: (SpoolFull, _FULL),  # IOERR_SHMSIZE: no room for the index of the WAL
    3: (SpoolUnreachable, _AWAY),  # PERM
    8: (SpoolUnreachable, _AWAY),  # READONLY
    10: (SpoolUnreachable, _AWAY),  # IOERR
    14: (SpoolUnreachable, _AWAY),  # CANTOPEN
    23: (SpoolUnreachable, _AWAY),  # AUTH
    1: (SchemaMismatch, _TABLES),  # ERROR: no such table, no such column
    17: (SchemaMismatch, _TABLES),  # SCHEMA
    11: (SpoolError, "The file is corrupt: restore it, then `ticketmail adopt SITE --hold --reason ...`."),  # CORRUPT
    26: (SpoolError, "This file is no SQLite database: move it away, or name another as `spool`."),  # NOTADB
}

#: SQLSTATE, whole or its class (PostgreSQL manual, appendix A).
SQLSTATE: dict[str, tuple[type[SpoolError], str]] = {
    "40": (SpoolBusy, _BUSY),  # serialization failure, deadlock
    "55P03": (SpoolBusy, _BUSY),  # lock not available
    "57014": (SpoolBusy, _BUSY),  # query cancelled: statement or lock time-out
    "25P03": (SpoolBusy, _BUSY),  # idle in transaction time-out
    "53100": (SpoolFull, _FULL),  # disk full
    "53": (SpoolUnreachable, _AWAY),  # out of connections or memory
    "08": (SpoolUnreachable, _AWAY),  # connection
    "28": (SpoolUnreachable, _AWAY),  # log in
    "3D": (SpoolUnreachable, _AWAY),  # no such database
    "57": (SpoolUnreachable, _AWAY),  # shut down, starting up
    "58": (SpoolUnreachable, _AWAY),  # the server's own I/O
    "25006": (SpoolUnreachable, "This server only reads: use the primary."),
    "42501": (SpoolUnreachable, _AWAY),  # insufficient privilege
    "42": (SchemaMismatch, _TABLES),  # undefined table or column
    "3F": (SchemaMismatch, _TABLES),  # no such schema
    "XX": (SpoolError, _ILL),
}

_READ_ONLY = (SpoolUnreachable, "This server only reads: use the primary.")

#: MariaDB's error numbers (manual, "MariaDB Error Code Reference"). From 2000 to 2999: the client's, about the connection.
MARIADB: dict[int, tuple[type[SpoolError], str]] = {
    **dict.fromkeys((1020, 1205, 1213, 1317, 1412, 1613, 1614, 1969, 3024), (SpoolBusy, _BUSY)),
    **dict.fromkeys((3, 28, 1021, 1026, 1041, 1114), (SpoolFull, _FULL)),
    # too many connections, logins, no such database, hosts, networks, shutting down, killed, quotas of users
    **dict.fromkeys((1040, 1042, 1043, 1044, 1045, 1047, 1049, 1053, 1080, 1129, 1130, 1142, 1143), (SpoolUnreachable, _AWAY)),
    **dict.fromkeys((1152, 1154, 1155, 1156, 1157, 1158, 1159, 1160, 1161, 1184, 1189, 1190), (SpoolUnreachable, _AWAY)),
    **dict.fromkeys((1203, 1226, 1227, 1251, 1275, 1396, 1698, 1820, 1862, 1927, 4151), (SpoolUnreachable, _AWAY)),
    **dict.fromkeys((1036, 1290, 1792, 1836), _READ_ONLY),
    **dict.fromkeys((1051, 1054, 1091, 1109, 1146, 1364, 1932), (SchemaMismatch, _TABLES)),
    1153: (SpoolError, "It is larger than the server takes at once: set max_allowed_packet=64M there."),
    1301: (SpoolError, "It is larger than the server takes at once: set max_allowed_packet=64M there."),
    1665: (SpoolError, "Set binlog_format=MIXED or ROW: READ COMMITTED cannot be written to a log of statements."),
}
#: MariaDB rolls a whole transaction back, savepoints and all: deadlock; a row changed since it was read
#: (``innodb_snapshot_isolation``, on by default since 11.6). As ``server_code`` says it; SQLSTATEs are text of five.
ROLLED_BACK = frozenset({"1213", "1020"})
#: After these the connection is gone, whatever the driver thinks of it: shutting down, killed.
_CUTS = frozenset({1053, 1927})

#: By class name, where no code says more.
CLASSES: dict[str, tuple[type[SpoolError], str]] = {
    "OperationalError": (SpoolUnreachable, _AWAY),
    "InterfaceError": (SpoolUnreachable, _AWAY),
    "TimeoutError": (SpoolBusy, "All connections of the pool are in use; try again."),
    "ConnectionTimeout": (SpoolUnreachable, _AWAY),
    "DisconnectionError": (SpoolUnreachable, _AWAY),
    "ArgumentError": (SpoolUnreachable, "Check the spool's URL."),
    "NoSuchModuleError": (SpoolUnreachable, "Check the spool's URL."),
    "OSError": (SpoolUnreachable, _AWAY),
    "Error": (SpoolError, _ILL),
    "Warning": (SpoolError, _ILL),
    "SQLAlchemyError": (SpoolError, _ILL),
}

_MARIADB_DRIVERS = frozenset({"pymysql", "MySQLdb"})
_PASSWORD = re.compile(r"(://[^:/@\s]*:)[^@\s]*(@)|((?:password|passwd|pwd)\s*=\s*)('[^']*'|\S+)", re.IGNORECASE)


def scrub(text: str) -> str:
    """``text`` without passwords of URLs and of libpq connection strings."""
    return _PASSWORD.sub(lambda m: f"{m[1]}***{m[2]}" if m[1] else f"{m[3]}***", text)


def is_foreign(error: BaseException) -> bool:
    """True for what a driver, SQLAlchemy or the file system raises."""
    if isinstance(error, TicketmailError):
        return False
    modules = {cls.__module__.partition(".")[0] for cls in type(error).__mro__}
    return bool(modules & {"sqlite3", "psycopg", "psycopg2", "sqlalchemy", *_MARIADB_DRIVERS}) or isinstance(error, OSError)


def mariadb_code(error: BaseException | None) -> int | None:
    """MariaDB's error number, if ``error`` carries one."""
    first = error.args[0] if error is not None and error.args else None
    is_theirs = any(cls.__module__.partition(".")[0] in _MARIADB_DRIVERS for cls in type(error).__mro__)
    return first if is_theirs and isinstance(first, int) else None


def server_code(error: BaseException | None) -> str:
    """MariaDB's number, or the SQLSTATE, that ``error`` carries, or ''. PyMySQL says both, mysqlclient the number alone."""
    return str(mariadb_code(error) or getattr(error, "sqlstate", None) or "")


def is_cut(error: BaseException) -> bool:
    """The server has ended the connection, and said so."""
    return mariadb_code(error) in _CUTS


def translate(error: BaseException) -> SpoolError:
    """The ``SpoolError`` that ``error`` amounts to, with cause and remedy and without secrets."""
    root = getattr(error, "orig", None) or error
    kind, remedy = _entry(root)
    text = " ".join(str(root).split())[:500] or type(root).__name__
    return kind(scrub(f"The spool could not be used ({type(root).__name__}: {text})."), remedy=remedy)


def _entry(error: BaseException) -> tuple[type[SpoolError], str]:
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None:
        return SQLITE.get(code) or SQLITE.get(code & 0xFF) or (SpoolError, _ILL)
    number = mariadb_code(error)
    if number:
        return MARIADB.get(number) or ((SpoolUnreachable, _AWAY) if 2000 <= number < 3000 else (SpoolError, _ILL))
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    if state:
        return SQLSTATE.get(state) or SQLSTATE.get(state[:2]) or (SpoolError, _ILL)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return (SpoolFull, _FULL)
    names = (cls.__name__ for cls in type(error).__mro__)
    return next((CLASSES[name] for name in names if name in CLASSES), (SpoolError, _ILL))


@contextmanager
def translated() -> Iterator[None]:
    """Raise what the block raises as ``SpoolError`` kin; programming errors of our own go through."""
    try:
        yield
    except Exception as error:
        if not is_foreign(error):
            raise
        raise translate(error) from error
