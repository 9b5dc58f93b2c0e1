"""Database: connections by process, transactions, and the guard over schema, site and safety. Lazy, thread- and fork-safe."""

from __future__ import annotations

import contextlib
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar

from sqlalchemy import Engine
from sqlalchemy.engine import URL

from ticketmail.adapters.sql import upgrading
from ticketmail.adapters.sql.commits import CommitInDoubt, commit, ending, is_usable, may_go_again, rolling_back, unreachable
from ticketmail.adapters.sql.doorbell import Doorbell
from ticketmail.adapters.sql.errors import translated
from ticketmail.adapters.sql.schema import Tables, tables
from ticketmail.adapters.sql.store import Store
from ticketmail.adapters.sql.transaction import Compiler, Language, Tx
from ticketmail.domain.errors import MissingExtra, SiteMismatch, SpoolBusy
from ticketmail.domain.ports.spooling import SpoolOptions

T = TypeVar("T")
_TRIES = 5
_PATIENCE_S = 1.0  #: that who closes or forks has with those who are in the middle of something
_abandoned: list[object] = []  #: a parent's pools: closing them in a child would hang up on the parent


class Kept(Protocol):
    """Which tables a database keeps."""

    def __call__(self, prefix: str, *, partial_indexes: bool) -> Tables: ...


class Handle(Protocol):
    """Holds a connection outside the pool."""

    def let_go(self) -> None: ...


class Database:
    """One spool's database in this process."""

    def __init__(self, url: URL, options: SpoolOptions, store: Store, kept: Kept = tables) -> None:
        self.url = url
        self.options = options
        self.store = store
        self.tables: Tables = kept(options.prefix, partial_indexes=store.language.partial_indexes)
        self.mail_bell = Doorbell()
        self.event_bell = Doorbell()
        self.handles: weakref.WeakSet[Handle] = weakref.WeakSet()
        self._language: Language = store.language
        self._compiler = Compiler(self._language, self.tables)
        self._compilers: dict[str, Compiler] = {}
        self._engine: Engine | None = None
        self._is_ready = self._site_checked = False
        self.reset()
        _open_databases.add(self)

    def __repr__(self) -> str:
        return f"Database({self.url.render_as_string(hide_password=True)})"

    @property
    def language(self) -> Language:
        return self._language

    @property
    def bell_name(self) -> str:
        """The channel of NOTIFY."""
        return f"{self.options.prefix}bell"

    # -- transactions

    def write(self, work: Callable[[Tx], T], *, guard: bool = False) -> T:
        """Run ``work`` in a transaction and commit. ``guard``: only for our own site. Raises SpoolError kin."""
        try:
            return self.write_or_doubt(work, guard=guard)
        except CommitInDoubt as doubt:
            raise unreachable(doubt.__cause__ or doubt) from doubt

    def write_or_doubt(self, work: Callable[[Tx], T], *, guard: bool = False) -> T:
        """Run ``work`` in a transaction and commit; again, if the database asks for it (deadlock). Raises SpoolError kin, and
        CommitInDoubt. ``guard``: only for our own site."""
        self.ready()
        if guard:
            self.guard_site()
        for left in reversed(range(_TRIES)):
            try:
                result, tx = self._once(work)
                break
            except SpoolBusy as error:
                if not left or not may_go_again(error):
                    raise
                time.sleep(0.002 * (_TRIES - left))
        self.announce(tx)
        return result

    def read(self, work: Callable[[Tx], T]) -> T:
        """Run ``work`` in a transaction that is ended without a commit. Raises SpoolError kin."""
        self.ready()
        return self._read(work)

    def read_unchecked(self, work: Callable[[Tx], T]) -> T:
        """As :meth:`read`, whatever the tables are like."""
        return self._read(work)

    def write_unchecked(self, work: Callable[[Tx], T]) -> T:
        """As :meth:`write`, whatever the tables are like."""
        return self._once(work)[0]

    def tx(self, cursor: Any, *, server_now_us: int | None = None) -> Tx:
        """A Tx on a cursor of ours in an open transaction."""
        return Tx(cursor, self._compiler, self.options.clock, server_now_us=server_now_us)

    def compiler_for(self, language: Language) -> Compiler:
        """Kept statements in a language that a host's connection speaks."""
        if language is self._language:
            return self._compiler
        return self._compilers.setdefault(language.sa.driver, Compiler(language, self.tables))

    def announce(self, tx: Tx) -> None:
        """After the commit: wake who waits for what ``tx`` brought. Never raises. Other processes are told of mail alone: only
        workers listen, whom events would wake in vain, each of them for each mail of all."""
        if tx.rings:
            self.mail_bell.ring()
        if tx.tells:
            self.event_bell.ring()
        if tx.rings and self.store.capabilities.rings:
            with contextlib.suppress(Exception), self._leased() as connection:
                self.store.ring(connection, self.bell_name)

    def _once(self, work: Callable[[Tx], T]) -> tuple[T, Tx]:
        with translated(), self._leased() as connection, self.store.turn(write=True):
            cursor = connection.cursor()
            with rolling_back(connection):
                self.store.begin(cursor, write=True)
                tx = self.tx(cursor)
                result = work(tx)
            commit(connection)
        return result, tx

    def _read(self, work: Callable[[Tx], T]) -> T:
        with translated(), self._leased() as connection:
            cursor = connection.cursor()
            with ending(connection):
                self.store.begin(cursor, write=False)
                return work(self.tx(cursor))

    # -- opening

    def ready(self) -> None:
        """Open at first use in this process: prove safety, make or check the tables. Raises SpoolError kin."""
        if self._pid != os.getpid():
            self.reset()
        if self._is_ready:
            return
        with self._opening:
            if not self._is_ready:
                self._open()
                self._is_ready = True

    def guard_site(self) -> None:
        """Raises SiteMismatch if the spool is another site's."""
        if self._site_checked:
            return
        found = self._read(lambda tx: upgrading.read_meta(tx).get("site"))
        if found is None:
            found = self._once(lambda tx: upgrading.claim_site(tx, self.options.site))[0]
        check_site(found, self.options.site)
        self._site_checked = True

    def guard_meta(self, tx: Tx) -> None:
        """The same in a transaction of the caller's: schema and site. Raises SchemaMismatch, SiteMismatch."""
        meta = upgrading.require(tx)
        check_site(meta.get("site") or upgrading.claim_site(tx, self.options.site), self.options.site)

    def forget(self) -> None:
        """Look at tables and site anew at the next use."""
        self._is_ready = self._site_checked = False

    def close(self) -> None:
        """Close connections, waiting a moment for those in use. The next use opens again."""
        if self._pid == os.getpid() and self._engine is not None:
            with self._idle:
                idle = self._idle.wait_for(self._is_idle, timeout=_PATIENCE_S)
            self._engine.dispose()
            self._engine = None
            if idle:
                self.store.before_fork()
        self._is_ready = self._site_checked = False

    def open_unchecked(self, *, make: bool = True) -> None:
        """Prove safety; leave the tables as they are. ``make``: SQLite's file, if it is not there. Raises SpoolError kin."""
        self.store.before_open(make=make)
        try:
            with translated(), self._leased() as connection, ending(connection):
                self.store.after_open(connection.cursor())
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        self.open_unchecked(make=self.options.create)
        if self.options.create:
            self.upgrade()
        self._read(upgrading.require)

    def upgrade(self) -> list[str]:
        """Make or upgrade the tables. Says what was done."""
        if not self._read(upgrading.steps_due):
            return []

        def work(tx: Tx) -> list[str]:
            with self.store.alone(tx.cursor):
                return upgrading.upgrade(tx, self.options.site)

        return self._once(work)[0]

    # -- connections

    @contextlib.contextmanager
    def _leased(self) -> Iterator[Any]:
        """A pooled driver connection. What broke is not pooled again."""
        with self.busy():
            engine = self._engine or self._make_engine()
            pool, pooled = engine.pool, engine.raw_connection()
            try:
                yield pooled.driver_connection
            except BaseException:
                if not is_usable(pooled.driver_connection):
                    pooled.invalidate()
                raise
            finally:
                pooled.close()
                if engine.pool is not pool:  # closed meanwhile: nobody else will close what came back now
                    pool.dispose()

    @contextlib.contextmanager
    def busy(self) -> Iterator[None]:
        """No fork in the block: SQLite's handles must not be carried into a child (sqlite.org/howtocorrupt.html 2.6)."""
        if self._pid != os.getpid():
            self.reset()
        with self._idle:
            self._in_use += 1
        try:
            yield
        finally:
            with self._idle:
                self._in_use -= 1
                self._idle.notify_all()

    def _make_engine(self) -> Engine:
        with self._engine_lock:
            engine = self._engine
            if engine is None:
                try:
                    engine = self._engine = self.store.engine()
                except ImportError as error:
                    raise _missing_driver() from error
            return engine

    def reset(self) -> None:
        """Begin anew: at birth, and in a forked child, which leaves the parent's connections alone."""
        engine, self._engine = self._engine, None
        if engine is not None:
            _abandoned.append(engine.pool)
            engine.dispose(close=False)
        self._pid = os.getpid()
        self._engine_lock = threading.Lock()
        self._opening = threading.RLock()
        self._idle = threading.Condition()
        self._in_use = 0
        self._is_ready = self._site_checked = False

    def _is_idle(self) -> bool:
        return not self._in_use

    # -- forks

    def before_fork(self) -> None:
        """Close idle handles, waiting a moment for those in use."""
        if not self.store.leaves_no_handle_at_fork or self._pid != os.getpid():
            return
        self._idle.acquire()
        if self._idle.wait_for(self._is_idle, timeout=_PATIENCE_S):
            if self._engine is not None:
                self._engine.dispose()
            for handle in list(self.handles):
                handle.let_go()
            self.store.before_fork()

    def after_fork_in_parent(self) -> None:
        if self.store.leaves_no_handle_at_fork and self._pid == os.getpid():
            with contextlib.suppress(RuntimeError):
                self._idle.release()


_open_databases: weakref.WeakSet[Database] = weakref.WeakSet()


def _before_fork() -> None:
    for database in list(_open_databases):
        database.before_fork()


def _after_fork_in_parent() -> None:
    for database in list(_open_databases):
        database.after_fork_in_parent()


def _after_fork_in_child() -> None:
    for database in list(_open_databases):
        database.reset()
        database.store.in_child()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)


def check_site(found: str, site: str) -> None:
    """Raises SiteMismatch."""
    if found != site:
        raise SiteMismatch(
            f"This spool belongs to site {found!r}, the settings say {site!r}.",
            remedy="If it is a copy or a restore: `ticketmail adopt SITE --hold --reason ...`. Else correct the setting `site`.",
        )


def _missing_driver() -> Exception:
    return MissingExtra("psycopg is not installed.", name="spool", remedy="pip install 'ticketmail[postgresql]'")
