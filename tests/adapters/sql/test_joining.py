"""``connection=``: the host's own transaction, on every kind of connection that a host may have."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sql_support import HandClock, entry, mariadb_connection
from sqlalchemy.orm import Session

from ticketmail import Message, TicketMail
from ticketmail.adapters.sql import create
from ticketmail.domain.errors import (
    HostTransactionMustBeImmediate,
    InvalidSubmission,
    KeyReused,
    SchemaMismatch,
    SiteMismatch,
    SpoolBusy,
)
from ticketmail.domain.ports.spooling import SpoolOptions
from ticketmail.domain.scope import Scope

ALL = Scope.parse("all")


class Host:
    """One way a host holds a connection: what it passes, and how its transaction ends."""

    def __init__(self, passed: Any, commit: Any, rollback: Any, execute: Any) -> None:
        self.passed, self.commit, self.rollback, self.execute = passed, commit, rollback, execute


@contextlib.contextmanager
def sqlite3_host(url: str) -> Iterator[Host]:
    with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as c:
        c.row_factory = sqlite3.Row  # a host may have its own
        c.execute("BEGIN IMMEDIATE")
        yield Host(c, c.commit, c.rollback, c.execute)


@contextlib.contextmanager
def psycopg_host(url: str) -> Iterator[Host]:
    import psycopg
    from psycopg.rows import dict_row

    with contextlib.closing(psycopg.connect(url, row_factory=dict_row)) as c:
        yield Host(c, c.commit, c.rollback, c.execute)


@contextlib.contextmanager
def psycopg2_host(url: str) -> Iterator[Host]:
    import psycopg2
    from psycopg2.extras import RealDictCursor

    with contextlib.closing(psycopg2.connect(url, cursor_factory=RealDictCursor)) as c:
        yield Host(c, c.commit, c.rollback, lambda sql: c.cursor().execute(sql))


@contextlib.contextmanager
def pymysql_host(url: str) -> Iterator[Host]:
    from pymysql.cursors import DictCursor

    with contextlib.closing(mariadb_connection(url, cursorclass=DictCursor)) as c:
        yield Host(c, c.commit, c.rollback, lambda sql: c.cursor().execute(sql))


@contextlib.contextmanager
def mysqlclient_host(url: str) -> Iterator[Host]:
    driver = pytest.importorskip("MySQLdb", reason="mysqlclient is not installed: it is built from source")
    from MySQLdb.cursors import DictCursor

    at = sa.make_url(url)
    more = {"database": at.database, "cursorclass": DictCursor, "charset": "utf8mb4"}
    with contextlib.closing(driver.connect(host=at.host, port=at.port, user=at.username, password=at.password, **more)) as c:
        yield Host(c, c.commit, c.rollback, lambda sql: c.cursor().execute(sql))


@contextlib.contextmanager
def sqlalchemy_engine(url: str, driver: str) -> Iterator[sa.Engine]:
    engine = sa.create_engine(url.replace("://", f"+{driver}://", 1) if "sqlite" not in url else url)
    if url.startswith("sqlite"):

        @sa.event.listens_for(engine, "connect")
        def plain(connection: Any, _: Any) -> None:
            connection.isolation_level = None

        @sa.event.listens_for(engine, "begin")
        def immediate(connection: Any) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    yield engine
    engine.dispose()


@contextlib.contextmanager
def connection_host(url: str, driver: str = "psycopg") -> Iterator[Host]:
    with sqlalchemy_engine(url, driver) as engine, engine.connect() as c:
        c.begin()
        yield Host(c, c.commit, c.rollback, lambda sql: c.execute(sa.text(sql)))


@pytest.mark.postgresql
@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_a_sqlalchemy_connection_begins_with_the_hand_over(postgresql_url: str, end: str) -> None:
    """SQLAlchemy begins by itself with what it executes; our statements go past it, and its commit() then did nothing."""
    spool = create(postgresql_url, SpoolOptions())
    spool.administering.upgrade()
    with sqlalchemy_engine(postgresql_url, "psycopg") as engine, engine.connect() as c:
        spool.intake.accept([entry()], connection=c)
        getattr(c, end)()
    assert len(spool.reading.find(Scope.parse("all"))) == (end == "commit")
    spool.close()


@contextlib.contextmanager
def session_host(url: str, driver: str = "psycopg") -> Iterator[Host]:
    with sqlalchemy_engine(url, driver) as engine, Session(engine) as s:
        yield Host(s, s.commit, s.rollback, lambda sql: s.execute(sa.text(sql)))


@contextlib.contextmanager
def django_connection(url: str) -> Iterator[Any]:
    """Django's own default connection, as ``transaction.atomic()`` uses it."""
    import django
    from django.conf import settings
    from django.db import connections

    if url.startswith("mariadb"):
        pytest.importorskip("MySQLdb", reason="Django's backend wants mysqlclient, which is built from source")
    if not settings.configured:
        settings.configure(USE_TZ=True)
        django.setup()
    connections.settings = connections.configure_settings({"default": django_database(url)})
    yield connections["default"]
    connections["default"].close()
    del connections["default"]


@contextlib.contextmanager
def django_host(url: str) -> Iterator[Host]:
    with django_connection(url) as c:
        c.set_autocommit(False)
        yield Host(c, c.commit, c.rollback, lambda sql: c.cursor().execute(sql))
        c.rollback()


def django_database(url: str) -> dict[str, Any]:
    if url.startswith("sqlite"):
        name = url.removeprefix("sqlite:///")
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": name, "OPTIONS": {"transaction_mode": "IMMEDIATE"}}
    parsed = sa.make_url(url)
    return {
        "ENGINE": "django.db.backends." + ("mysql" if url.startswith("mariadb") else "postgresql"),
        "NAME": parsed.database,
        "HOST": parsed.host,
        "PORT": str(parsed.port),
        "USER": parsed.username,
        "PASSWORD": parsed.password or "",
        "OPTIONS": {},
    }


SQLITE = {"sqlite3": sqlite3_host, "sqlalchemy": connection_host, "session": session_host}
MARIADB = {
    "pymysql": lambda url: pymysql_host(url),
    "mysqlclient": lambda url: mysqlclient_host(url),
    "sqlalchemy": lambda url: connection_host(url, "pymysql"),
    "session": lambda url: session_host(url, "pymysql"),
    "django": django_host,
}
POSTGRESQL = {
    "psycopg": psycopg_host,
    "psycopg2": psycopg2_host,
    "sqlalchemy": connection_host,
    "sqlalchemy-psycopg2": lambda url: connection_host(url, "psycopg2"),
    "session": session_host,
    "django": django_host,
}
KINDS = [pytest.param("sqlite", name, id=f"sqlite-{name}") for name in SQLITE]
KINDS += [pytest.param("postgresql", name, id=f"postgresql-{name}", marks=pytest.mark.postgresql) for name in POSTGRESQL]
KINDS += [pytest.param("mariadb", name, id=f"mariadb-{name}", marks=pytest.mark.mariadb) for name in MARIADB]
HOSTS: dict[str, dict[str, Any]] = {"sqlite": SQLITE, "postgresql": POSTGRESQL, "mariadb": MARIADB}
SERVERS = [pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("postgresql", "mariadb")]


@pytest.fixture
def host(kind: str, name: str, spool: Any, url: str) -> Iterator[Host]:
    spool.reading.overview()  # the tables are there
    with HOSTS[kind][name](url) as made:
        yield made


@pytest.fixture
def url(kind: str, tmp_path: Any, request: pytest.FixtureRequest) -> str:
    return f"sqlite:///{tmp_path}/spool.db" if kind == "sqlite" else str(request.getfixturevalue(f"{kind}_url"))


@pytest.mark.parametrize(("kind", "name"), KINDS)
class TestJoined:
    """What holds for each kind of connection."""

    def test_rows_come_with_the_hosts_commit(self, spool: Any, host: Host) -> None:
        host.execute("CREATE TABLE ticket (id INTEGER)")
        mail = entry(ticket="7", key="k", recipients=("a@example.net", "b@example.net"))
        accepted, again = spool.intake.accept([mail, mail], connection=host.passed)
        assert (accepted.new, again.new) == (True, False)
        assert spool.reading.find(ALL) == []
        host.commit()
        assert len(spool.reading.find(ALL)) == 2

    def test_a_rollback_leaves_nothing(self, spool: Any, host: Host) -> None:
        spool.blobs.put("", b"x", connection=host.passed)
        spool.intake.accept([entry(ticket="7")], connection=host.passed)
        host.rollback()
        assert spool.reading.find(ALL) == []

    def test_a_reused_key_leaves_the_hosts_transaction_alive(self, spool: Any, host: Host) -> None:
        mail = entry(key="k")
        spool.intake.accept([mail], connection=host.passed)
        (reused,) = spool.intake.accept([entry(submission_id=mail.submission_id, fingerprint=b"y" * 32)], connection=host.passed)
        assert isinstance(reused, KeyReused)
        host.execute("SELECT 1")
        host.commit()
        assert len(spool.reading.find(ALL)) == 1

    def test_missing_tables_are_named_and_the_transaction_lives_on(self, url: str, host: Host, clock: HandClock) -> None:
        other = create(url, SpoolOptions(site="desk", prefix="missing_", clock=clock))
        with pytest.raises(SchemaMismatch, match="db upgrade"):
            other.intake.accept([entry()], connection=host.passed)
        host.execute("SELECT 1")
        other.close()

    def test_another_sites_spool_is_refused_and_the_transaction_lives_on(self, url: str, host: Host, clock: HandClock) -> None:
        other = create(url, SpoolOptions(site="test", clock=clock))
        with pytest.raises(SiteMismatch):
            other.intake.accept([entry()], connection=host.passed)
        host.execute("SELECT 1")
        other.close()

    def test_cancel_and_exactly_once_join_too(self, spool: Any, host: Host) -> None:
        event = uuid4()
        spool.intake.accept([entry(ticket="7")], connection=host.passed)
        assert spool.operating.cancel(Scope.parse("ticket:7"), actor="a", reason="merged", connection=host.passed) == 1
        assert spool.outbox.first_time(event, connection=host.passed)
        assert not spool.outbox.first_time(event, connection=host.passed)
        host.rollback()
        assert spool.reading.find(ALL) == []


@pytest.mark.parametrize("kind", ["sqlite", *SERVERS])
def test_djangos_atomic_keeps_or_forgets_the_mail(spool: Any, url: str) -> None:
    from django.db import transaction

    spool.reading.overview()
    with django_connection(url) as connection:
        with pytest.raises((HostTransactionMustBeImmediate, InvalidSubmission), match="transaction"):
            spool.intake.accept([entry()], connection=connection)
        with transaction.atomic():
            spool.intake.accept([entry()], connection=connection)
        with contextlib.suppress(ZeroDivisionError), transaction.atomic():
            spool.intake.accept([entry()], connection=connection)
            raise ZeroDivisionError
    assert len(spool.reading.find(ALL)) == 1


@pytest.mark.parametrize("kind", ["sqlite"])
class TestSqlite:
    """A transaction on SQLite must be a writer already."""

    def test_outside_a_transaction_the_remedy_is_named(self, spool: Any, url: str) -> None:
        spool.reading.overview()
        with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as c:
            with pytest.raises(HostTransactionMustBeImmediate, match="BEGIN IMMEDIATE"):
                spool.intake.accept([entry()], connection=c)
            c.execute("CREATE TABLE ticket (id INTEGER)")
            c.execute("INSERT INTO ticket VALUES (1)")  # the module has begun now, and it is a writer
            assert spool.intake.accept([entry()], connection=c)[0].new
            c.commit()
        assert len(spool.reading.find(ALL)) == 1

    def test_a_transaction_that_only_read_behind_a_writer_is_refused(self, spool: Any, url: str) -> None:
        spool.reading.overview()
        with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None, timeout=0)) as c:
            c.execute("BEGIN")
            c.execute("SELECT * FROM ticketmail_meta").fetchall()
            spool.intake.accept([entry()])
            with pytest.raises(HostTransactionMustBeImmediate):
                spool.intake.accept([entry()], connection=c)
            assert c.in_transaction

    def test_a_connection_of_another_database_is_told_where_the_spool_is(self, spool: Any, url: str, tmp_path: Path) -> None:
        spool.reading.overview()
        text = r"tables ticketmail_\* are not there\. Pass a connection to sqlite:.*spool\.db"
        told = pytest.raises(SchemaMismatch, match=text)
        with sqlite3_host(f"sqlite:///{tmp_path}/desk.db") as host, told:
            spool.outbox.first_time(uuid4(), connection=host.passed)

    def test_a_connection_that_is_closed_or_another_threads_is_refused(self, spool: Any, url: str) -> None:
        spool.reading.overview()
        with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as c, ThreadPoolExecutor(1) as pool:
            refused = pool.submit(spool.intake.accept, [entry()], connection=c).exception()
            assert isinstance(refused, InvalidSubmission)
            assert "from the thread that opened it" in str(refused)
            c.close()
            with pytest.raises(InvalidSubmission, match="closed database"):
                spool.intake.accept([entry()], connection=c)

    def test_a_connection_of_no_known_kind_is_refused(self, spool: Any) -> None:
        with pytest.raises(InvalidSubmission, match="connection: object"):
            spool.intake.accept([entry()], connection=object())


@pytest.mark.postgresql
@pytest.mark.parametrize("kind", ["postgresql"])
class TestPostgresql:
    """What only a server can do to a host."""

    def test_autocommit_outside_a_transaction_is_refused(self, spool: Any, url: str) -> None:
        import psycopg

        spool.reading.overview()
        with psycopg.connect(url, autocommit=True) as c:
            with pytest.raises(InvalidSubmission, match="autocommit"):
                spool.intake.accept([entry()], connection=c)
            with c.transaction():
                spool.intake.accept([entry()], connection=c)
        assert len(spool.reading.find(ALL)) == 1

    def test_a_statement_that_times_out_leaves_the_hosts_transaction_alive(self, spool: Any, url: str) -> None:
        import psycopg

        mail = entry()
        spool.reading.overview()
        with psycopg.connect(url) as holder, psycopg.connect(url) as c:
            spool.intake.accept([mail], connection=holder)  # not committed: the same id waits for it
            c.execute("SET LOCAL lock_timeout = '50ms'")
            with pytest.raises(SpoolBusy):
                spool.intake.accept([mail], connection=c)
            assert c.execute("SELECT 1").fetchone() == (1,)
            holder.rollback()

    def test_a_sqlite_connection_is_refused(self, spool: Any) -> None:
        with contextlib.closing(sqlite3.connect(":memory:")) as c, pytest.raises(InvalidSubmission, match="postgresql"):
            spool.intake.accept([entry()], connection=c)

    async def test_a_hosts_open_cancel_does_not_stop_claims_of_others(self, spool: Any, url: str, work: Any) -> None:
        import psycopg

        spool.intake.accept([entry(ticket="7"), entry("bob@example.net")])
        worker = await work()
        with psycopg.connect(url) as c:
            assert spool.operating.cancel(Scope.parse("ticket:7"), actor="a", reason="", connection=c) == 1
            assert len(await worker.claim()) == 1
            c.rollback()
        assert len(await worker.claim()) == 1


def test_a_host_within_the_gate_writes_alone_and_hands_over_in_its_transaction(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    options = {"spool": {"url": f"sqlite:///{path}", "busy_timeout": 1.0}, "accounts": {"one": "null://"}}
    message = Message(sender="help@example.com", to="ann@example.net", subject="-", text="-")
    with TicketMail(settings=options) as mail, TicketMail(settings=options) as other:
        other.prepare()
        with mail.gate(), contextlib.closing(sqlite3.connect(path, isolation_level=None)) as desk:
            desk.execute("BEGIN IMMEDIATE")
            mail.submit(message, key="ours", connection=desk)
            with pytest.raises(SpoolBusy, match="held the gate"):
                other.submit(message, key="theirs")
            began_s = time.monotonic()
            with pytest.raises(SpoolBusy, match="This thread holds the gate"):
                mail.submit(message, key="apart")
            assert time.monotonic() - began_s < 0.5  # nobody waits for himself
            desk.execute("COMMIT")
        other.submit(message, key="later")

        assert {view.key for view in mail.reading.find(ALL)} == {"ours", "later"}


def test_where_writers_take_no_turns_the_gate_is_open(tmp_path: Path) -> None:
    with TicketMail(settings={"spool": "memory://", "accounts": {"one": "null://"}}) as mail, mail.gate(), mail.gate():
        mail.submit(Message(sender="help@example.com", to="ann@example.net", subject="-", text="-"))
