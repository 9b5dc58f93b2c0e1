"""What is SQLite's own: pragmas and their proof, the gate, network file systems, data_version as the doorbell."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Engine, bindparam, column, create_engine, func, select
from sqlalchemy.dialects import sqlite as sa_sqlite
from sqlalchemy.engine import URL
from sqlalchemy.pool import QueuePool

from ticketmail.adapters.sql.errors import translated
from ticketmail.adapters.sql.gate import FILE_MODE, GAP_S, Ballast, Gate, WorkerLocks
from ticketmail.adapters.sql.schema import Tables
from ticketmail.adapters.sql.transaction import OnConflict, Params, Row, as_json, one_by_one
from ticketmail.domain.errors import SchemaMismatch, SettingsError, SpoolUnreachable, SpoolUnsafe
from ticketmail.domain.ports.spooling import SpoolCapabilities, SpoolOptions

#: File systems whose locks or syncs SQLite cannot trust (sqlite.org/howtocorrupt.html section 2, sqlite.org/wal.html).
NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "9p", "afs", "ncpfs", "ceph", "glusterfs", "lustre", "gfs2", "ocfs2"}
    | {
        "fuse.sshfs",
        "fuse.glusterfs",
        "fuse.ceph",
        "fuse.s3fs",
        "fuse.rclone",
        "fuse.davfs",
        "davfs",
        "vboxsf",
        "prl_fs",
        "virtiofs",
    }
)
_LEAST = (3, 35, 0)  # UPDATE ... RETURNING
#: A commit folds the log into the file when it has so many pages (8 MiB; SQLite's own figure is 1,000): where no worker does it.
LOG_PAGES = 2000
#: From so many pages on a worker has the log begin anew.
ANEW_PAGES = 500


class SqliteLanguage(OnConflict):
    """SQL as SQLite speaks it."""

    name = "sqlite"
    locks_rows = False
    returns = True
    probes_recursively = True
    partial_indexes = True

    def __init__(self) -> None:
        self.sa = sa_sqlite.dialect(paramstyle="named")

    def within(self, column_: ColumnElement[Any], name: str) -> ColumnElement[bool]:
        values = func.json_each(bindparam(name)).table_valued(column("value"))
        return column_.in_(select(values.c.value))

    def pack(self, values: Sequence[Any]) -> object:
        return as_json(values)

    def server_now_us(self, cursor: Any) -> int:
        return time.time_ns() // 1000

    def has_tables(self, cursor: Any, tables: Tables) -> bool:
        cursor.execute("SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?", (tables.mark.name,))
        return bool(cursor.fetchone()[0])

    def each(self, cursor: Any, sql: str, params: Sequence[Params], *, fetch: bool) -> list[tuple[int, list[Row]]]:
        return one_by_one(cursor, sql, params, fetch=fetch)


class SqliteStore:
    """A SQLite file: how to open it, and how to write to it beside others."""

    language = SqliteLanguage()
    capabilities = SpoolCapabilities(
        survives_process=True, joins_transactions=True, many_processes=False, rings=False, server_clock=False
    )
    gap_s = GAP_S
    chunk_s = 0.004  #: a group of writes ends after this long, so that no writer waits more than 5 ms
    poll_s = 0.05
    leaves_no_handle_at_fork = True

    def __init__(self, url: URL, options: SpoolOptions) -> None:
        if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
            raise SettingsError(
                "a SQLite spool is a file.", name="spool", remedy="Use sqlite:///ticketmail.db, or memory:// in tests."
            )
        self.path = Path(os.path.abspath(url.database))  # noqa: PTH100 - resolve() would follow a link to another directory
        self._options = options
        self.gate = Gate(self.path.with_name(f"{self.path.name}-gate"), options.busy_timeout_s)
        self.locks = WorkerLocks(self.path)
        self.ballast = Ballast(self.path)

    def engine(self) -> Engine:
        """A pool of connections; nothing is opened before one is asked for."""
        options = self._options
        return create_engine(
            "sqlite://", creator=self._connect, poolclass=QueuePool, pool_size=options.pool_size, max_overflow=32, pool_timeout=30
        )

    def own_connection(self) -> Any:
        """A connection outside the pool, for a spool thread."""
        return self._connect()

    def _connect(self) -> sqlite3.Connection:
        path = str(self.path)
        connection = sqlite3.connect(
            path, timeout=self._options.busy_timeout_s, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        try:
            self._set(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _set(self, connection: sqlite3.Connection) -> None:
        mode = self._to_wal(connection)
        connection.execute(f"PRAGMA wal_autocheckpoint={LOG_PAGES}")
        connection.execute("PRAGMA synchronous=FULL")
        level = connection.execute("PRAGMA synchronous").fetchone()[0]
        if (mode != "wal" or level < 2) and not self._options.allow_lossy:
            raise SpoolUnsafe(
                f"{self.path.name} is in journal mode {mode}, synchronous {level}; WAL and FULL are needed.",
                remedy="Move it to a local disk that this user may write to, or set allow_lossy.",
            )

    def _to_wal(self, connection: sqlite3.Connection) -> str:
        # Switching needs the file alone, and does not wait for others by itself.
        deadline = time.monotonic() + self._options.busy_timeout_s
        while True:
            try:
                return str(connection.execute("PRAGMA journal_mode=WAL").fetchone()[0])
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
            time.sleep(0.005)

    def before_open(self, *, make: bool) -> None:
        """Refuse what cannot keep its promise; ``make`` the file. Raises SpoolUnsafe, SpoolUnreachable, SchemaMismatch."""
        if not self.path.parent.is_dir():
            raise SpoolUnreachable(f"There is no directory {self.path.parent}.", remedy="Make it, or change the spool's URL.")
        if sqlite3.sqlite_version_info < _LEAST:
            raise SpoolUnsafe(f"SQLite {sqlite3.sqlite_version} is too old.", remedy="3.35 or later is needed.")
        kind = file_system_of(self.path)
        if kind in NETWORK_FILE_SYSTEMS and not self._options.allow_lossy:
            raise SpoolUnsafe(
                f"{self.path} lies on a network file system ({kind}), where SQLite can lose or corrupt mail.",
                remedy="Put the spool on a local disk, or use PostgreSQL.",
            )
        if not make and not self.path.exists():
            raise SchemaMismatch(f"There is no file {self.path}.", remedy="Run `ticketmail db upgrade`.")
        # Only if it is not there: closing a handle of a database file drops this process's locks on it (howtocorrupt.html 2.2).
        with translated(), contextlib.suppress(FileExistsError):
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE))

    def after_open(self, cursor: Any) -> None:
        """Nothing to prove here: each connection proves itself."""

    def begin(self, cursor: Any, *, write: bool) -> None:
        cursor.execute("BEGIN IMMEDIATE" if write else "BEGIN")

    def begin_own(self, cursor: Any, *, write: bool) -> int | None:
        self.begin(cursor, write=write)
        return None

    @contextlib.contextmanager
    def turn(self, *, write: bool) -> Iterator[None]:
        """This process's turn to write."""
        if not write:
            yield
            return
        with self.gate.passed():
            yield

    def alone(self, cursor: Any) -> contextlib.AbstractContextManager[None]:
        """Alone with the schema: BEGIN IMMEDIATE is that."""
        return contextlib.nullcontext()

    def changes(self, connection: Any) -> object:
        """Differs whenever another connection has committed."""
        return connection.execute("PRAGMA data_version").fetchone()[0]

    def fold(self, connection: Any) -> bool:
        """Fold the log into the file (sqlite.org/wal.html section 2.2), as far as those who read let it; nobody waits for that.
        True if it is long. Never raises."""
        with contextlib.suppress(sqlite3.Error):
            _, pages, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            return int(pages) >= ANEW_PAGES
        return False

    def worker_began(self, worker_id: str) -> None:
        self.locks.hold(worker_id)
        self.ballast.load()

    def worker_ended(self, worker_id: str) -> None:
        self.locks.drop(worker_id)

    def is_dead(self, worker_id: str, beat_us: int, now_us: int) -> bool:
        """By the lock alone: a worker that is merely slow still holds its mails."""
        return self.locks.is_free(worker_id)

    def relieve(self) -> bool:
        """The disk is full: give the ballast back. False: there was none."""
        return self.ballast.throw()

    def free_bytes(self) -> int | None:
        return self.ballast.free_bytes()

    def size_bytes(self, cursor: Any) -> int | None:
        sizes = (self.path.with_name(self.path.name + end) for end in ("", "-wal"))
        return sum(file.stat().st_size for file in sizes if file.exists())

    def warnings(self, cursor: Any) -> list[str]:
        return []

    def ring(self, connection: Any, bell: str) -> None:
        """Nothing to ring: workers look at data_version."""

    def listening_connection(self) -> Any:
        raise NotImplementedError("SQLite has no NOTIFY; capabilities.rings says so")

    def before_fork(self) -> None:
        self.gate.close()

    def in_child(self) -> None:
        """Let go of what belongs to the parent."""
        self.locks.close()
        self.gate = Gate(self.path.with_name(f"{self.path.name}-gate"), self._options.busy_timeout_s)


def file_system_of(path: Path, mounts: str = "/proc/mounts") -> str:
    """The type of the file system that holds ``path``, by the longest mount point above it; '' if that cannot be known."""
    try:
        lines = Path(mounts).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    real = path.resolve()
    best, kind = "", ""
    for line in lines:
        _, where, found, *_ = line.split(" ")
        where = where.replace("\\040", " ")
        if len(where) >= len(best) and (real == Path(where) or Path(where) in real.parents):
            best, kind = where, found
    return kind
