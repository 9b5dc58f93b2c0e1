"""What must not happen: lost commits, starved writers, shared handles, unsafe databases, secrets in words."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy.exc
from sql_support import ALL as WANT
from sql_support import MINUTE, WORKER, HandClock, claims, entry, private_server

from ticketmail.adapters.sql import create, errors
from ticketmail.adapters.sql import thread as spool_thread
from ticketmail.adapters.sql.claiming import ClaimStatements
from ticketmail.adapters.sql.commits import CommitInDoubt
from ticketmail.adapters.sql.gate import BALLAST_BYTES
from ticketmail.adapters.sql.picking import PickStatements
from ticketmail.adapters.sql.sqlite import ANEW_PAGES, file_system_of
from ticketmail.adapters.sql.transaction import Compiler
from ticketmail.domain.errors import (
    SettingsError,
    SpoolBusy,
    SpoolError,
    SpoolFull,
    SpoolUnreachable,
    SpoolUnsafe,
    SubmitInDoubt,
    UnknownScheme,
)
from ticketmail.domain.outbound.delivery import DeliveryState as S
from ticketmail.domain.ports.delivering import Completion
from ticketmail.domain.ports.spooling import SpoolOptions
from ticketmail.domain.scope import Scope

ALL = Scope.parse("all")


def taken(claim: Any) -> Completion:
    return Completion(claim, S.SENT, spends=True, account="a", outcome="taken")


# -- group commit


async def test_a_group_that_fails_is_replayed_op_by_op(spool: Any, work: Any) -> None:
    spool.intake.accept([entry()])
    worker = await work()
    (claim,) = claims((await worker.claim())[0])

    def broken(content: bytes | None, now_us: int) -> Any:
        raise ZeroDivisionError

    begun, failed, beat = await asyncio.gather(
        worker.deliveries.begin(worker.id, "a", [claim]),
        worker.book.change("account", "a", broken),
        worker.workers.beat(worker.id, {}),
        return_exceptions=True,
    )
    assert begun == [True]
    assert isinstance(failed, ZeroDivisionError)
    assert beat.alive


async def test_what_is_queued_together_is_committed_together(spool: Any, work: Any) -> None:
    spool.intake.accept([entry(f"u{i}@example.net") for i in range(60)])
    worker = await work()
    all_claims = [c for mail in await worker.claim() for c in claims(mail)]
    before = worker.side._thread.commits
    begun = await asyncio.gather(*(worker.deliveries.begin(worker.id, "a", [c]) for c in all_claims))
    assert begun == [[True]] * 60
    assert worker.side._thread.commits - before < 30


async def test_an_outcome_shares_the_commit_of_the_beginning_that_follows(
    spool: Any, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_thread, "_PATIENCE_S", 60.0)
    spool.intake.accept([entry(), entry()])
    worker = await work()
    one, two = [c for mail in await worker.claim() for c in claims(mail)]
    await worker.deliveries.begin(worker.id, "a", [one])
    monkeypatch.setattr(worker.side._thread._database.store, "chunk_s", 60.0)
    before = worker.side._thread.commits
    recording = asyncio.ensure_future(worker.deliveries.record(worker.id, [taken(one)]))
    await asyncio.sleep(0.05)
    assert worker.side._thread.commits == before
    assert await worker.deliveries.begin(worker.id, "a", [two]) == [True]
    assert await recording == [True]
    assert worker.side._thread.commits == before + 1


async def test_a_claim_that_nobody_waited_for_is_given_back(spool: Any, work: Any) -> None:
    spool.intake.accept([entry()])
    worker = await work()
    claiming = asyncio.ensure_future(worker.claim())
    await asyncio.sleep(0)
    claiming.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await claiming
    for _ in range(200):
        if mails := await worker.claim():
            break
        await asyncio.sleep(0.01)
    assert len(mails) == 1


async def test_closing_commits_what_is_queued(spool: Any, work: Any) -> None:
    spool.intake.accept([entry()])
    worker = await work()
    (claim,) = claims((await worker.claim())[0])
    await worker.deliveries.begin(worker.id, "a", [claim])
    recording = asyncio.ensure_future(worker.deliveries.record(worker.id, [taken(claim)]))
    await asyncio.sleep(0)
    await worker.side.aclose()
    assert await recording == [True]
    assert spool.reading.overview().counts == {S.SENT: 1}
    await worker.side.aclose()


# -- processes and threads


def test_a_forked_child_opens_its_own_handles(spool: Any) -> None:
    spool.intake.accept([entry()])
    spool.blobs.put("", b"x")
    child = os.fork()
    if child == 0:
        code = 1
        with contextlib.suppress(BaseException):
            spool.intake.accept([entry(f"c{i}@child.example") for i in range(5)])
            code = 0 if len(spool.reading.find(Scope.parse("domain:child.example"))) == 5 else 2
        os._exit(code)
    for _ in range(20):
        spool.intake.accept([entry()])  # beside the child
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(spool.reading.find(ALL)) == 26


async def test_a_fork_beside_a_running_worker_harms_neither(spool: Any, work: Any) -> None:
    spool.intake.accept([entry()])
    worker = await work()
    (claim,) = claims((await worker.claim())[0])
    child = os.fork()
    if child == 0:
        code = 1
        with contextlib.suppress(BaseException):
            spool.intake.accept([entry("child@example.net")])
            code = 0
        os._exit(code)
    assert await worker.deliveries.begin(worker.id, "a", [claim]) == [True]
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert await worker.deliveries.record(worker.id, [taken(claim)]) == [True]
    assert len(await worker.claim()) == 1


def test_four_threads_hand_over_at_once(spool: Any) -> None:
    failures: list[BaseException] = []

    def submit(name: str) -> None:
        try:
            for i in range(15):
                spool.intake.accept([entry(f"{name}{i}@example.net", ticket="7")])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=submit, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(spool.reading.find(ALL, limit=100)) == 60


def test_use_after_close_opens_again(spool: Any) -> None:
    spool.intake.accept([entry()])
    spool.close()
    spool.close()
    assert len(spool.reading.find(ALL)) == 1


# -- SQLite


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "spool.db"


def test_what_is_in_use_at_a_close_is_closed_when_it_comes_back(file: Path) -> None:
    spool = create(f"sqlite:///{file}", SpoolOptions())
    spool.intake.accept([entry()])
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = threading.Thread(target=spool.intake.accept, args=([entry()],))
        waiting.start()
        while len(handles_of(file)) < 2:
            time.sleep(0.001)
        spool.close()
        other.execute("COMMIT")
        waiting.join()
    assert handles_of(file) == []


def handles_of(file: Path) -> list[str]:
    """This process's open files of that name."""
    return [name for name in os.listdir("/proc/self/fd") if os.path.realpath(f"/proc/self/fd/{name}") == str(file)]


def test_sqlite_runs_in_wal_with_full_syncs(file: Path) -> None:
    spool = create(f"sqlite:///{file}", SpoolOptions())
    spool.intake.accept([entry()])
    with contextlib.closing(sqlite3.connect(file)) as c:
        assert c.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    with contextlib.closing(spool._database.store.own_connection()) as c:
        assert c.execute("PRAGMA synchronous").fetchone() == (2,)
    spool.close()


async def test_a_worker_folds_the_log_so_that_no_commit_has_to(tmp_path: Path) -> None:
    spool = create(f"sqlite:///{tmp_path}/spool.db", SpoolOptions(site="desk"))
    side = spool.worker_side()
    worker = await side.workers.register(WORKER)
    log, longest = tmp_path / "spool.db-wal", 0
    for number in range(60):
        spool.intake.accept([entry(f"u{number}@example.net", body=b"x" * 150_000)])
        longest = max(longest, log.stat().st_size)
        side._thread._folded_s = -1e9  # type: ignore[attr-defined]  # a while later
        await side.workers.beat(worker.worker_id, {})
    assert longest < 2 * ANEW_PAGES * 4096, "it begins anew, though a host writes all the time"
    await side.aclose()
    spool.close()


def test_the_file_is_nobody_elses_business(file: Path) -> None:
    spool = create(f"sqlite:///{file}", SpoolOptions())
    spool.intake.accept([entry()])
    assert {f.name: f.stat().st_mode & 0o007 for f in file.parent.iterdir()} == {
        name: 0 for name in ("spool.db", "spool.db-wal", "spool.db-shm", "spool.db-gate")
    }
    spool.close()


def test_a_foreign_writer_that_holds_on_makes_the_spool_busy(file: Path) -> None:
    spool = create(f"sqlite:///{file}", SpoolOptions(busy_timeout_s=0.05))
    spool.reading.overview()
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as c:
        c.execute("BEGIN IMMEDIATE")
        with pytest.raises(SpoolBusy):
            spool.intake.accept([entry()])
        c.execute("ROLLBACK")
    assert spool.intake.accept([entry()])[0].new
    spool.close()


async def test_a_spool_that_is_shut_fails_a_whole_group_in_one_time_out(file: Path) -> None:
    spool = create(f"sqlite:///{file}", SpoolOptions(site="desk", busy_timeout_s=0.2))
    side = spool.worker_side()
    worker = await side.workers.register(WORKER)
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as c:
        c.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        beats = await asyncio.gather(*(side.workers.beat(worker.worker_id, {}) for _ in range(30)), return_exceptions=True)
        took_s = time.monotonic() - began
        c.execute("ROLLBACK")
    assert {type(result) for result in beats} == {SpoolBusy}
    assert took_s < 30 * 0.2 / 2  # not one time-out for each
    assert (await side.workers.beat(worker.worker_id, {})).alive
    await side.aclose()
    spool.close()


def test_the_gate_is_given_up_after_the_time_out(file: Path) -> None:
    first, second = (create(f"sqlite:///{file}", SpoolOptions(busy_timeout_s=0.05)) for _ in range(2))
    first.reading.overview()
    second.reading.overview()
    with first._database.store.gate.passed(), pytest.raises(SpoolBusy, match="gate"):
        second.intake.accept([entry()])
    assert second.intake.accept([entry()])[0].new
    first.close()
    second.close()


def test_network_file_systems_are_told_by_the_longest_mount_above(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text("/dev/a / ext4 rw 0 0\nserver:/x /mnt/two\\040words nfs4 rw 0 0\nu@h: /mnt/ssh fuse.sshfs rw 0 0\n")
    kinds = [file_system_of(Path(p), str(mounts)) for p in ("/var/x.db", "/mnt/two words/x.db", "/mnt/ssh/d/x.db")]
    assert kinds == ["ext4", "nfs4", "fuse.sshfs"]


def test_a_network_file_system_is_refused_unless_loss_is_allowed(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ticketmail.adapters.sql.sqlite.file_system_of", lambda path: "nfs4")
    with pytest.raises(SpoolUnsafe, match="nfs4"):
        create(f"sqlite:///{file}", SpoolOptions()).intake.accept([entry()])
    lossy = create(f"sqlite:///{file}", SpoolOptions(allow_lossy=True))
    assert lossy.intake.accept([entry()])[0].new
    lossy.close()


def test_a_missing_directory_and_a_file_that_is_no_database_are_named(tmp_path: Path) -> None:
    with pytest.raises(SpoolUnreachable, match="no directory"):
        create(f"sqlite:///{tmp_path}/not/there.db", SpoolOptions()).reading.overview()
    (tmp_path / "text.db").write_text("this is not a database, whatever its name says" * 20)
    with pytest.raises(SpoolError, match="no SQLite database"):
        create(f"sqlite:///{tmp_path}/text.db", SpoolOptions()).reading.overview()


def test_the_claim_reads_its_indexes_and_nothing_else(file: Path) -> None:
    spool = create(f"sqlite:///{file}", SpoolOptions())
    spool.intake.accept([entry(f"u{i}@example.net") for i in range(300)])
    database = spool._database
    compiler = Compiler(database.language, database.tables)
    values = {"p_route": "main", "p_lane": "reply", "p_now": 1, "p_limit": 10, "p_ids": '["x"]', "p_worker": "w"}
    values |= {"p_tenant": "a", "p_most": 64, "p_floor": 0}
    statements = {**vars(compiler.book(PickStatements)), "take": compiler.book(ClaimStatements).take}
    with contextlib.closing(database.store.own_connection()) as c:
        plans = {}
        for name, statement in statements.items():
            sql, fixed = compiler.text(statement)
            plans[name] = " ".join(row[3] for row in c.execute(f"EXPLAIN QUERY PLAN {sql}", {**values, **fixed}))
    assert "ix_ticketmail_delivery_claim (route=? AND lane=? AND due_us>? AND due_us<?)" in plans["oldest"]
    assert "ix_ticketmail_delivery_turn (route=? AND lane=? AND tenant=? AND due_us>? AND due_us<?)" in plans["of_tenant"]
    assert "INDEX ix_ticketmail_delivery_turn (route=? AND lane=? AND tenant>?)" in plans["tenants"]
    assert "INDEX ix_ticketmail_delivery_turn (route=? AND lane=? AND tenant>?)" in plans["tenants_after"]
    assert not [name for name, plan in plans.items() if "TEMP B-TREE" in plan]
    assert "PRIMARY KEY (submission_id=?)" in plans["take"]
    spool.close()


async def test_a_claim_does_not_more_where_more_waits(file: Path) -> None:
    """Counted in steps of SQLite's machine: 500 or 10,000 waiting, of fifty tenants, one of which has most of it."""
    spool = create(f"sqlite:///{file}", SpoolOptions(site="desk"))
    side = spool.worker_side()
    worker = await side.workers.register(WORKER)
    steps = []
    for more in (500, 9_500):
        flood = [entry(f"u{i}@example.net", tenant="flood") for i in range(more - 50)]
        spool.intake.accept(flood + [entry(tenant=f"t{i}") for i in range(50)])
        await side.deliveries.claim(worker.worker_id, [replace(WANT, limit=10)])
        counted = [0]
        side._thread._connection.set_progress_handler(partial(_count_up, counted), 10)
        await side.deliveries.claim(worker.worker_id, [replace(WANT, limit=10)])
        side._thread._connection.set_progress_handler(None, 0)
        steps.append(counted[0])
    assert steps[0] > 10
    assert steps[1] < 1.2 * steps[0]
    await side.aclose()
    spool.close()


def _count_up(counted: list[int]) -> int:
    counted[0] += 1
    return 0


FULL_DISK = """
import asyncio, os, resource, signal, sys
sys.path.insert(0, sys.argv[1])
from sql_support import WORKER, ALL, entry, claims
from ticketmail.adapters.sql import create
from ticketmail.domain.errors import SpoolFull
from ticketmail.domain.outbound.delivery import DeliveryState as S
from ticketmail.domain.ports.delivering import Completion
from ticketmail.domain.ports.spooling import SpoolOptions

async def main(directory):
    spool = create(f"sqlite:///{directory}/spool.db", SpoolOptions(site="desk"))
    stored = 0
    spool._database.store.ballast.load = lambda: load(directory)  # no 200 MiB here
    side = spool.worker_side()
    worker = await side.workers.register(WORKER)
    try:
        while True:
            spool.intake.accept([entry(f"u{stored}@example.net", body=b"x" * 200_000)])
            stored += 1
    except SpoolFull as error:
        assert "Free some room" in str(error), error
    claimed = await side.deliveries.claim(worker.worker_id, [ALL])  # the ballast makes room for that
    mine = [c for mail in claimed for c in claims(mail)]
    assert all(await side.deliveries.begin(worker.worker_id, "a", mine))
    done = [Completion(c, S.SENT, spends=True, outcome="taken") for c in mine]
    assert all(await side.deliveries.record(worker.worker_id, done))
    assert len(spool.reading.find(__import__("ticketmail.domain.scope").domain.scope.Scope.parse("all"), limit=1000)) == stored
    assert not os.path.exists(f"{directory}/spool.db-ballast")
    await side.aclose()
    print("stored", stored)

def load(directory):
    with open(f"{directory}/spool.db-ballast", "wb") as file:
        file.write(bytes(4 * 1024 * 1024))

asyncio.run(main(sys.argv[2]))
"""


@pytest.mark.root
def test_a_full_disk_refuses_new_mail_and_still_takes_outcomes(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(small)]).returncode:
        pytest.skip("only root may mount a small tmpfs")
    try:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", textwrap.dedent(FULL_DISK), str(Path(__file__).parent), str(small)],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        assert int(done.stdout.split()[1]) > 10
    finally:
        subprocess.run(["umount", str(small)], check=True)


async def test_the_ballast_is_taken_on_by_a_worker_where_there_is_room(file: Path) -> None:
    spool = create(f"sqlite:///{file}", SpoolOptions(site="desk"))
    side = spool.worker_side()
    await side.workers.register(WORKER)
    ballast = file.with_name("spool.db-ballast")
    assert ballast.stat().st_size == BALLAST_BYTES
    assert await side.upkeep.free_bytes() == pytest.approx(spool.reading.overview().free_bytes, rel=0.2)
    await side.aclose()
    spool.close()


async def test_a_killed_workers_lock_is_free_at_once(file: Path) -> None:
    """On SQLite death needs no clock: the lock falls with the process."""
    program = textwrap.dedent(
        f"""
        import asyncio, os, signal, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from sql_support import WORKER, ALL, entry
        from ticketmail.adapters.sql import create
        from ticketmail.domain.ports.spooling import SpoolOptions
        async def main():
            spool = create("sqlite:///{file}", SpoolOptions(site="desk"))
            spool.intake.accept([entry()])
            side = spool.worker_side()
            worker = await side.workers.register(WORKER)
            assert await side.deliveries.claim(worker.worker_id, [ALL])
            os.kill(os.getpid(), signal.SIGKILL)
        asyncio.run(main())
        """
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == -9
    spool = create(f"sqlite:///{file}", SpoolOptions(site="desk"))
    assert [worker.alive for worker in spool.reading.workers()] == [False]
    side = spool.worker_side()
    (reaped,) = await side.workers.reap()
    assert reaped.requeued == 1
    await side.aclose()
    spool.close()


# -- PostgreSQL


@pytest.mark.postgresql
class TestPostgresql:
    """A server that goes away, comes back, or does not keep its word."""

    async def test_a_restart_heals_by_itself(self, tmp_path: Path) -> None:
        with private_server() as server:
            spool = create(f"{server.url}/postgres", SpoolOptions(site="desk"))
            spool.intake.accept([entry()])
            side = spool.worker_side()
            worker = await side.workers.register(WORKER)
            server.stop("immediate")
            with pytest.raises(SpoolUnreachable):
                spool.intake.accept([entry()])
            with pytest.raises(SpoolUnreachable):
                await side.workers.beat(worker.worker_id, {})
            server.start()
            assert spool.intake.accept([entry()])[0].new
            assert (await side.workers.beat(worker.worker_id, {})).alive
            assert len(await side.deliveries.claim(worker.worker_id, [WANT])) == 2
            await side.aclose()
            spool.close()

    def test_fsync_off_is_refused_unless_loss_is_allowed(self) -> None:
        with private_server() as server:
            server.stop()
            server.start("-c fsync=off", "-c synchronous_commit=off")
            url = f"{server.url}/postgres"
            with pytest.raises(SpoolUnsafe, match="fsync"):
                create(url, SpoolOptions()).intake.accept([entry()])
            lossy = create(url, SpoolOptions(allow_lossy=True))
            lossy.intake.accept([entry()])
            assert "synchronous_commit" in lossy.administering.check()[0]
            lossy.close()

    @pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
    def test_a_database_that_cannot_keep_all_characters_is_refused(self, postgresql_url: str, encoding: str) -> None:
        """psycopg gives the text of a SQL_ASCII database as bytes: even the driver stumbled over them."""
        import psycopg

        name, options = f"t{encoding.lower()}", f"ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
        with psycopg.connect(postgresql_url, autocommit=True) as c:
            c.execute(f"CREATE DATABASE {name} {options}")
            spool = create(f"{postgresql_url.rpartition('/')[0]}/{name}", SpoolOptions())
            with pytest.raises(SpoolUnsafe, match=f"keeps text as {encoding}.*ENCODING 'UTF8'"):
                spool.intake.accept([entry()])
            spool.close()
            c.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def test_the_claim_locks_submissions_and_reads_its_indexes(self, postgresql_url: str) -> None:
        import psycopg

        spool = create(postgresql_url, SpoolOptions())
        spool.intake.accept([entry(f"u{i}@example.net", lane=f"l{i % 10}", tenant=f"t{i % 7}") for i in range(2000)])
        database = spool._database
        compiler = Compiler(database.language, database.tables)
        values = {"p_route": "main", "p_lane": "l1", "p_now": 1, "p_limit": 10, "p_tenant": "t1", "p_most": 64, "p_floor": 0}
        plans = {}
        with psycopg.connect(postgresql_url, autocommit=True) as c:
            c.execute("ANALYZE")
            for name, statement in vars(compiler.book(PickStatements)).items():
                sql, fixed = compiler.text(statement)
                plans[name] = " ".join(row[0] for row in c.execute(f"EXPLAIN {sql}", {**fixed, **values}))
                if name in ("of_tenant", "oldest"):
                    assert "AS MATERIALIZED" in sql
                    assert "FOR UPDATE OF ticketmail_submission SKIP LOCKED" in sql
        assert "ix_ticketmail_delivery_claim" in plans["oldest"]
        assert all("ix_ticketmail_delivery_turn" in plans[name] for name in ("of_tenant", "tenants", "tenants_after"))
        spool.close()


# -- servers


@pytest.fixture(params=[pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("postgresql", "mariadb")])
def server_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_url"))


class TestServers:
    """What holds on every server."""

    def test_a_lost_answer_to_commit_is_read_back(
        self, server_url: str, monkeypatch: pytest.MonkeyPatch, clock: HandClock
    ) -> None:
        from ticketmail.adapters.sql import engine

        spool = create(server_url, SpoolOptions(clock=clock))
        spool.reading.overview()
        real = engine.commit

        def commit_then_lose(connection: Any) -> None:
            real(connection)
            connection.close()
            monkeypatch.setattr(engine, "commit", real)
            raise CommitInDoubt from OSError("gone")

        monkeypatch.setattr(engine, "commit", commit_then_lose)
        assert spool.intake.accept([entry()])[0].new
        assert len(spool.reading.find(ALL)) == 1

        def lose(connection: Any) -> None:
            connection.close()
            raise CommitInDoubt from OSError("gone")

        monkeypatch.setattr(engine, "commit", lose)
        with pytest.raises(SubmitInDoubt) as caught:
            spool.intake.accept([entry()])
        monkeypatch.setattr(engine, "commit", real)
        assert caught.value.retry()[0].new
        assert len(spool.reading.find(ALL)) == 2
        spool.close()

    async def test_a_claim_whose_commits_answer_was_lost_is_given_back(
        self, server_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        spool = create(server_url, SpoolOptions(site="desk"))
        spool.intake.accept([entry()])
        side = spool.worker_side()
        worker = await side.workers.register(WORKER)
        real = spool_thread.commit

        def commit_then_lose(connection: Any) -> None:
            real(connection)
            connection.close()
            raise CommitInDoubt from OSError("gone")

        monkeypatch.setattr(spool_thread, "commit", commit_then_lose)
        with pytest.raises(SpoolUnreachable):
            await side.deliveries.claim(worker.worker_id, [WANT])
        monkeypatch.setattr(spool_thread, "commit", real)
        assert len(await side.deliveries.claim(worker.worker_id, [WANT])) == 1
        await side.aclose()
        spool.close()

    def test_times_are_the_servers(self, server_url: str) -> None:
        spool = create(server_url, SpoolOptions())
        assert abs(spool.reading.now_us() - time.time() * 1e6) < MINUTE
        spool.close()

    @pytest.mark.parametrize("scheme", ["postgres", "mariadb"])
    def test_an_unreachable_server_is_named_without_its_password(self, scheme: str) -> None:
        spool = create(f"{scheme}://ann:canary-s3cret@127.0.0.1:1/desk", SpoolOptions())
        assert "canary" not in repr(spool)
        with pytest.raises(SpoolUnreachable) as caught:
            spool.intake.accept([entry()])
        assert "canary" not in f"{caught.value!r} {caught.value} {caught.value.__cause__!r}"


# -- errors and URLs


def subclasses(cls: type[BaseException]) -> set[type[BaseException]]:
    found = {cls}
    for sub in cls.__subclasses__():
        found |= subclasses(sub)
    return found


def test_every_error_of_every_driver_is_translated() -> None:
    import psycopg
    import psycopg.errors
    import psycopg2.errors
    import pymysql

    builtin = {one for one in subclasses(OSError) if one.__module__ == "builtins"}  # whoever is imported adds others
    foreign = subclasses(sqlite3.Error) | subclasses(psycopg.Error) | subclasses(psycopg2.Error)
    foreign |= subclasses(pymysql.Error) | subclasses(pymysql.Warning) | builtin
    assert len(foreign) > 300
    for cls in foreign - {c for c in foreign if c.__module__.startswith("ticketmail")}:
        error = cls.__new__(cls)
        assert isinstance(errors.translate(error), SpoolError), cls
        names = {base.__name__ for base in cls.__mro__}
        coded = getattr(cls, "sqlstate", None)
        known = names & set(errors.CLASSES) or (coded and (coded in errors.SQLSTATE or coded[:2] in errors.SQLSTATE))
        assert known, cls


@pytest.mark.parametrize(
    "name",
    [
        "BUSY",
        "LOCKED",
        "FULL",
        "IOERR",
        "CANTOPEN",
        "READONLY",
        "PERM",
        "CORRUPT",
        "NOTADB",
        "ERROR",
        "SCHEMA",
        "AUTH",
        "PROTOCOL",
        "INTERRUPT",
        "IOERR_SHMSIZE",
    ],
)
def test_every_sqlite_result_code_that_a_healthy_program_meets_is_in_the_table(name: str) -> None:
    assert getattr(sqlite3, f"SQLITE_{name}") in errors.SQLITE


def test_the_kinds_that_callers_act_on_are_told_apart() -> None:
    import psycopg.errors as pg

    kinds = {
        pg.DiskFull: SpoolFull,
        pg.LockNotAvailable: SpoolBusy,
        pg.DeadlockDetected: SpoolBusy,
        pg.AdminShutdown: SpoolUnreachable,
        pg.InvalidPassword: SpoolUnreachable,
    }
    for cls, kind in kinds.items():
        assert type(errors.translate(cls("x"))) is kind, cls
    assert type(errors.translate(OSError(28, "no space"))) is SpoolFull
    assert type(errors.translate(sqlalchemy.exc.TimeoutError("pool"))) is SpoolBusy


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "not a url"])
def test_a_url_that_names_no_spool_is_refused(url: str) -> None:
    with pytest.raises(SettingsError):
        create(url, SpoolOptions())


def test_another_databases_url_is_refused_without_its_password() -> None:
    with pytest.raises(UnknownScheme) as caught:
        create("mysql://ann:canary@db/x", SpoolOptions())
    assert "canary" not in str(caught.value)


def test_passwords_are_scrubbed_from_texts() -> None:
    text = errors.scrub("postgresql://ann:canary@h/db password=canary PASSWORD='can ary' host=x")
    assert "canary" not in text
    assert "can ary" not in text
    assert "host=x" in text
