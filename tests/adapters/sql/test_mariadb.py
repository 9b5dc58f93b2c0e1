"""What is MariaDB's own: connections that are cut, syncs that are off, names, plans, its error numbers."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sql_support import ALL as WANT
from sql_support import WORKER, HandClock, claims, entry, kill_connections, mariadb_connection

from ticketmail.adapters.sql import claiming, create, errors, joining
from ticketmail.adapters.sql.mariadb import _require_durable, _require_version
from ticketmail.adapters.sql.outcomes import release
from ticketmail.adapters.sql.picking import PickStatements
from ticketmail.adapters.sql.purging import PurgeStatements
from ticketmail.adapters.sql.scans import Scans
from ticketmail.adapters.sql.transaction import Compiler
from ticketmail.domain.errors import SchemaMismatch, SpoolBusy, SpoolError, SpoolFull, SpoolUnreachable, SpoolUnsafe
from ticketmail.domain.ports.delivering import Retention
from ticketmail.domain.ports.spooling import SpoolOptions
from ticketmail.domain.scope import Scope
from ticketmail.testing.spool_contract.incoming import DAY, raw, settlement

ALL = Scope.parse("all")


@pytest.mark.mariadb
class TestMariadb:
    """A server that hangs up, refuses a part, or does not keep its word."""

    async def test_connections_that_were_killed_are_opened_again(self, mariadb_url: str) -> None:
        spool = create(mariadb_url, SpoolOptions(site="desk"))
        spool.intake.accept([entry()])
        side = spool.worker_side()
        worker = await side.workers.register(WORKER)
        killed = kill_connections(mariadb_url)
        assert killed >= 2  # the worker's own, and one of the pool
        assert (await side.workers.beat(worker.worker_id, {})).alive
        assert spool.intake.accept([entry()])[0].new
        assert len(await side.deliveries.claim(worker.worker_id, [WANT])) == 2
        await side.aclose()
        spool.close()

    def test_commits_that_are_not_synced_are_refused_unless_loss_is_allowed(self, mariadb_url: str) -> None:
        def flush(how: int) -> None:
            with contextlib.closing(mariadb_connection(mariadb_url)) as c:
                c.cursor().execute(f"SET GLOBAL innodb_flush_log_at_trx_commit = {how}")

        flush(2)
        try:
            with pytest.raises(SpoolUnsafe, match="innodb_flush_log_at_trx_commit=2"):
                create(mariadb_url, SpoolOptions()).intake.accept([entry()])
            lossy = create(mariadb_url, SpoolOptions(allow_lossy=True))
            assert lossy.intake.accept([entry()])[0].new
            lossy.close()
        finally:
            flush(1)

    def test_sessions_read_what_is_committed_and_take_nothing_that_is_cut(self, mariadb_url: str) -> None:
        store = create(mariadb_url, SpoolOptions())._database.store  # type: ignore[attr-defined]
        with contextlib.closing(store.own_connection()) as c, c.cursor() as cursor:
            cursor.execute("SELECT @@tx_isolation, @@sql_mode, @@innodb_lock_wait_timeout")
            isolation, mode, wait_s = cursor.fetchone()
        assert (isolation, wait_s) == ("READ-COMMITTED", 2)
        assert "STRICT_ALL_TABLES" in mode

    def test_names_differ_by_case_accents_and_spaces_at_their_end(self, mariadb_url: str) -> None:
        spool = create(mariadb_url, SpoolOptions())
        names = ["a", "A", "a ", "ä"]
        spool.intake.accept([entry(tenant=name) for name in names])
        for name in names:
            found = [one for one in spool.reading.find(ALL) if one.tenant == name]
            assert len(found) == len(spool.reading.find(Scope(kind="tenant", value=name))) == 1
        spool.close()

    def test_the_claim_reads_its_indexes_in_order(self, mariadb_url: str) -> None:
        spool = create(mariadb_url, SpoolOptions())
        for lane in range(10):
            spool.intake.accept([entry(f"u{i}@example.net", lane=f"l{lane}", tenant=f"t{i % 7}") for i in range(50)])
        database = spool._database  # type: ignore[attr-defined]
        compiler = Compiler(database.language, database.tables)
        values = {
            "p_route": "main",
            "p_lane": "l1",
            "p_now": 1 << 60,
            "p_limit": 10,
            "p_tenant": "t1",
            "p_most": 64,
            "p_floor": 0,
        }
        plans = {}
        with contextlib.closing(mariadb_connection(mariadb_url)) as c, c.cursor() as cursor:
            cursor.execute("ANALYZE TABLE ticketmail_delivery, ticketmail_submission")
            cursor.fetchall()
            for name, statement in vars(compiler.book(PickStatements)).items():
                sql, fixed = compiler.text(statement)
                cursor.execute(f"EXPLAIN {sql}", {**fixed, **values})
                plans[name] = " ".join(str(row) for row in cursor.fetchall())
        assert "ix_ticketmail_delivery_claim" in plans["oldest"]
        assert "ix_ticketmail_delivery_turn" in plans["of_tenant"]
        assert all("optimized away" in plans[name] for name in ("tenant", "tenant_after"))  # a probe of the index
        assert not [name for name, plan in plans.items() if "filesort" in plan]
        spool.close()

    async def test_a_claim_reads_no_more_where_more_waits(self, mariadb_url: str) -> None:
        """Counted in rows that the server read: 400 or 2,000 waiting, of fifty tenants, one of which has most of it."""
        spool = create(mariadb_url, SpoolOptions(site="desk"))
        side = spool.worker_side()
        worker = await side.workers.register(WORKER)
        rows = []
        for more in (400, 1600):
            flood = [entry(f"u{i}@example.net", tenant="flood") for i in range(more - 50)]
            spool.intake.accept(flood + [entry(tenant=f"t{i}") for i in range(50)])
            await side.deliveries.claim(worker.worker_id, [replace(WANT, limit=10)])
            before = _rows_read(side)
            await side.deliveries.claim(worker.worker_id, [replace(WANT, limit=10)])
            rows.append(_rows_read(side) - before)
        assert rows[0] > 50
        assert rows[1] < 1.2 * rows[0]
        await side.aclose()
        spool.close()

    async def test_what_another_gives_back_amid_a_claim_is_not_taken_unseen(self, mariadb_url: str) -> None:
        """A claim reads, then writes: what is due only in between would be CLAIMED, and no worker would know of it."""
        spool = create(mariadb_url, SpoolOptions(site="desk"))
        database = spool._database  # type: ignore[attr-defined]
        spool.intake.accept([entry(recipients=("ann@example.net", "bob@example.net"))])
        side = spool.worker_side()
        one, other = [(await side.workers.register(WORKER)).worker_id for _ in range(2)]
        (mail,) = await side.deliveries.claim(one, [WANT])
        first, second = claims(mail)
        await side.deliveries.release(one, [first])

        def claim(tx: Any) -> Any:
            tx.cursor = _Between(tx.cursor, lambda: database.write(lambda meanwhile: release(meanwhile, one, [second], None)))
            return claiming.claim(tx, other, [WANT], {}, Scans())

        (claimed,) = database.write(claim).mails
        assert [delivery.number for delivery in claimed.deliveries] == [0]
        assert [view.state for view in spool.reading.find(ALL)] == ["claimed", "queued"]
        assert [one.number for mail in await side.deliveries.claim(other, [WANT]) for one in mail.deliveries] == [1]
        await side.aclose()
        spool.close()

    async def test_a_purge_reads_nothing_of_the_incoming_mail_that_was_purged_before(self, mariadb_url: str) -> None:
        clock = HandClock()
        spool = create(mariadb_url, SpoolOptions(site="desk", clock=clock))
        side = spool.worker_side()
        spool.ledger.store([raw(str(number)) for number in range(100)])
        for item in spool.ledger.take(100, 60):
            spool.ledger.settle(item, settlement(item, item.view.source))
        clock.go(91 * DAY)
        assert (await side.upkeep.purge(Retention(), 1000))["inbound"] == 100
        database = spool._database  # type: ignore[attr-defined]
        look = {"p_category": "human", "p_before": clock.at - 90 * DAY, "p_limit": 50}
        before = _rows_read(side)
        side._thread._connection.cursor().execute(*_bound(database, PurgeStatements, "raw", look))
        assert _rows_read(side) - before < 20
        await side.aclose()
        spool.close()

    def test_a_deadlock_that_ended_the_hosts_transaction_is_told(self, mariadb_url: str) -> None:
        spool = create(mariadb_url, SpoolOptions())
        spool.reading.overview()
        with (
            contextlib.closing(mariadb_connection(mariadb_url)) as host,
            contextlib.closing(mariadb_connection(mariadb_url)) as other,
            ThreadPoolExecutor(1) as elsewhere,
        ):
            other.cursor().execute("CREATE TABLE tickets (id INT PRIMARY KEY) ENGINE=InnoDB SELECT seq AS id FROM seq_1_to_99")
            other.cursor().execute("DELETE FROM tickets WHERE id > 1")  # who has done more is not the one to go
            host.cursor().execute("DELETE FROM tickets WHERE id = 1")

            def close_the_circle(tx: Any) -> None:
                elsewhere.submit(other.cursor().execute, "DELETE FROM tickets WHERE id = 1")
                tx.cursor.execute("DELETE FROM tickets WHERE id = 2")

            with pytest.raises(SpoolBusy, match="rolled your whole transaction back"):
                joining.run(spool._database, host, close_the_circle)  # type: ignore[attr-defined]
        spool.close()

    def test_a_deadlock_of_our_own_is_run_again(self, mariadb_url: str) -> None:
        spool = create(mariadb_url, SpoolOptions())
        spool.reading.overview()
        tries = 0
        with contextlib.closing(mariadb_connection(mariadb_url)) as other, ThreadPoolExecutor(1) as elsewhere:
            other.cursor().execute("CREATE TABLE tickets (id INT PRIMARY KEY) ENGINE=InnoDB SELECT seq AS id FROM seq_1_to_99")
            other.cursor().execute("DELETE FROM tickets WHERE id > 1")

            def theirs() -> None:
                other.cursor().execute("DELETE FROM tickets WHERE id = 1")
                other.commit()

            def ours(tx: Any) -> None:
                nonlocal tries
                tries += 1
                tx.cursor.execute("DELETE FROM tickets WHERE id = 1")
                if tries == 1:
                    elsewhere.submit(theirs)
                tx.cursor.execute("INSERT INTO tickets VALUES (2)")  # theirs still, until they have committed

            spool._database.write(ours)  # type: ignore[attr-defined]
            assert tries == 2
        spool.close()

    async def test_a_host_that_read_what_was_changed_since_is_told_that_all_of_it_is_gone(self, mariadb_url: str) -> None:
        """Under ``innodb_snapshot_isolation``, as MariaDB has it by itself since 11.6."""
        spool = create(mariadb_url, SpoolOptions(site="desk"))
        first = entry()
        spool.intake.accept([first])
        side = spool.worker_side()
        worker = (await side.workers.register(WORKER)).worker_id
        with contextlib.closing(mariadb_connection(mariadb_url)) as c, c.cursor() as cursor:
            cursor.execute("CREATE TABLE tickets (id INT) ENGINE=InnoDB")
            cursor.execute("SET SESSION innodb_snapshot_isolation = ON")
            cursor.execute("INSERT INTO tickets VALUES (1)")
            cursor.execute("SELECT count(*) FROM ticketmail_delivery")
            (mail,) = await side.deliveries.claim(worker, [WANT])
            await side.deliveries.release(worker, claims(mail))
            with pytest.raises(SpoolBusy, match="rolled your whole transaction back"):
                spool.intake.accept([entry(supersedes=first.submission_id)], connection=c)
            cursor.execute("SELECT count(*) FROM tickets")
            assert cursor.fetchone() == (0,)
        await side.aclose()
        spool.close()


class _Between:
    """A cursor with which something else happens after a claim's locking read."""

    def __init__(self, cursor: Any, happens: Any) -> None:
        self._cursor, self._happens = cursor, happens

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    def execute(self, sql: str, params: Any = None) -> Any:
        self._cursor.execute(sql, params)
        if sql.endswith("FOR UPDATE"):
            self._happens()


def _bound(database: Any, book: type[Any], name: str, values: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """A kept statement as the driver takes it."""
    compiler = Compiler(database.language, database.tables)
    sql, fixed = compiler.text(getattr(compiler.book(book), name))
    return sql, {**fixed, **values}


def _rows_read(side: Any) -> int:
    cursor = side._thread._connection.cursor()
    cursor.execute("SHOW SESSION STATUS LIKE 'Handler\\_read\\_%'")
    counts = {name: int(value) for name, value in cursor.fetchall()}
    side._thread._connection.rollback()
    return sum(counts.values())


@pytest.mark.parametrize(
    ("version", "refusal"),
    [("8.0.36", "MySQL"), ("10.5.23-MariaDB", "too old"), ("5.5.5-10.3.39-MariaDB-log", "too old")],
)
def test_servers_that_cannot_do_it_are_refused_by_their_version(version: str, refusal: str) -> None:
    with pytest.raises(SpoolUnsafe, match=refusal):
        _require_version(version)
    for good in ("10.6.0-MariaDB", "5.5.5-10.11.6-MariaDB-0+deb12u1", "11.4.2-MariaDB-ubu2404", "12.0.1-mariadb"):
        _require_version(good)


def test_a_binary_log_that_is_not_synced_is_refused() -> None:
    found = {"innodb_flush_log_at_trx_commit": "1", "log_bin": "ON", "sync_binlog": "0"}
    with pytest.raises(SpoolUnsafe, match="sync_binlog=0"):
        _require_durable(found)
    _require_durable({**found, "sync_binlog": "1"})


def test_every_error_number_of_mariadb_is_translated() -> None:
    from pymysql import err
    from pymysql.constants import CR, ER

    server = {value for name, value in vars(ER).items() if name.isupper() and value > 1000}
    client = {value for name, value in vars(CR).items() if name.startswith("CR_") and value >= 2000}
    assert len(server) > 400
    assert len(client) > 40
    for number in server | client | set(errors.MARIADB):
        with pytest.raises(err.Error) as caught:
            err.raise_mysql_exception(number.to_bytes(2, "little").join((b"\xff", b"#HY000what it says")))
        assert caught.value.args[0] == number
        assert errors.is_foreign(caught.value)
        assert isinstance(errors.translate(caught.value), SpoolError)
        if number in client:
            assert type(errors.translate(caught.value)) is SpoolUnreachable
    # What PyMySQL itself calls operational is about the server, not about our statements: each is in the table.
    operational = {number for number, cls in err.error_map.items() if issubclass(cls, err.OperationalError)}
    assert operational - {ER.CONSTRAINT_FAILED} <= set(errors.MARIADB)


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        *((1205, SpoolBusy), (1213, SpoolBusy), (1114, SpoolFull), (1021, SpoolFull), (1045, SpoolUnreachable)),
        *((1053, SpoolUnreachable), (1290, SpoolUnreachable), (2006, SpoolUnreachable), (1146, SchemaMismatch)),
        *((1153, SpoolError), (1064, SpoolError)),
    ],
)
def test_the_kinds_that_callers_act_on_are_told_apart_on_mariadb(number: int, kind: type[SpoolError]) -> None:
    import pymysql

    assert type(errors.translate(pymysql.OperationalError(number, "x"))) is kind
