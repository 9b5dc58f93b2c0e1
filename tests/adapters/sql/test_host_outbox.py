"""A host's outbox on each database: nothing is lost between the host's commit and the broker's confirm."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sql_support import HandClock, mariadb_connection

from ticketmail.adapters.sql.road import create_outbox
from ticketmail.domain.errors import HostTransactionMustBeImmediate, InvalidSubmission, SettingsError, SpoolUnreachable
from ticketmail.domain.ports.queueing import Job
from ticketmail.domain.ports.relaying import HostOutbox, HostOutboxOptions

LEASE_S = 60.0
SECOND = 1_000_000
MakeOutbox = Callable[[], HostOutbox]


@pytest.fixture
def make(url: str, clock: HandClock) -> Iterator[MakeOutbox]:
    made: list[HostOutbox] = []

    def one() -> HostOutbox:
        made.append(create_outbox(url, HostOutboxOptions(clock=clock)))
        return made[-1]

    yield one
    for outbox in made:
        outbox.close()


@pytest.fixture
def outbox(make: MakeOutbox) -> HostOutbox:
    one = make()
    one.prepare()
    return one


def job(text: str = "x") -> Job:
    return Job(uuid.uuid4().hex, text.encode())


def bodies(outbox: HostOutbox, limit: int = 100, *, in_order: bool = False) -> list[str]:
    return [row.job.body.decode() for row in outbox.take(limit, LEASE_S, in_order=in_order)]


def test_what_was_put_is_taken_in_its_order(outbox: HostOutbox) -> None:
    jobs = [job(str(n)) for n in range(5)]
    outbox.put(jobs[:3])
    outbox.put(jobs[3:])

    assert [row.job for row in outbox.take(10, LEASE_S)] == jobs
    assert not outbox.is_empty()


def test_what_one_relay_holds_no_other_gets_before_its_lease_ends(outbox: HostOutbox, make: MakeOutbox, clock: HandClock) -> None:
    outbox.put([job("a"), job("b")])

    assert bodies(outbox, 1) == ["a"]
    assert bodies(make()) == ["b"]
    assert bodies(outbox) == []
    clock.go(61 * SECOND)
    assert bodies(make()) == ["a", "b"]


def test_in_order_nothing_passes_what_another_relay_holds(outbox: HostOutbox, make: MakeOutbox, clock: HandClock) -> None:
    outbox.put([job("a"), job("b")])

    assert bodies(outbox, 1, in_order=True) == ["a"]
    assert bodies(make(), in_order=True) == []
    clock.go(61 * SECOND)
    assert bodies(make(), in_order=True) == ["a", "b"]


def test_in_order_one_that_was_refused_holds_nobody_up(outbox: HostOutbox) -> None:
    outbox.put([job("a"), job("b")])
    outbox.failed(outbox.take(1, LEASE_S, in_order=True), "too large", again_s=3600)

    assert bodies(outbox, in_order=True) == ["b"]


def test_what_was_published_is_gone(outbox: HostOutbox, clock: HandClock) -> None:
    outbox.put([job("a"), job("b")])
    outbox.published(outbox.take(1, LEASE_S), again_s=None)
    clock.go(61 * SECOND)

    assert bodies(outbox) == ["b"]


def test_what_waits_for_the_services_word_comes_again_without_it(outbox: HostOutbox, clock: HandClock) -> None:
    said, unsaid = job("said"), job("unsaid")
    outbox.put([said, unsaid])
    outbox.published(outbox.take(10, LEASE_S), again_s=600)
    outbox.spooled([uuid.UUID(said.job_id), uuid.uuid4()])

    assert (outbox.backlog().waiting, outbox.backlog().awaited) == (0, 1)
    assert bodies(outbox) == []
    clock.go(601 * SECOND)
    assert bodies(outbox) == ["unsaid"]


def test_what_failed_is_due_when_it_was_said(outbox: HostOutbox, clock: HandClock) -> None:
    outbox.put([job("a")])
    outbox.failed(outbox.take(1, LEASE_S), "", again_s=5)

    assert bodies(outbox) == []
    clock.go(6 * SECOND)
    (row,) = outbox.take(1, LEASE_S)
    assert row.tries == 1


def test_the_backlog_says_how_much_since_when_and_what_is_stuck(outbox: HostOutbox, clock: HandClock) -> None:
    assert (outbox.backlog().waiting, outbox.backlog().oldest_us, outbox.is_empty()) == (0, None, True)
    outbox.put([job("a")])
    clock.go(90 * SECOND)
    outbox.put([job("b")])
    outbox.failed(outbox.take(1, LEASE_S), "9 bytes, more than the 5 that it takes", again_s=3600)

    found = outbox.backlog()
    assert (found.waiting, found.stuck, found.error) == (2, 1, "9 bytes, more than the 5 that it takes")
    assert found.oldest_us is not None
    assert found.now_us - found.oldest_us == 90_000_000


def test_eight_relays_take_each_job_once(outbox: HostOutbox, make: MakeOutbox) -> None:
    outbox.put([job(str(n)) for n in range(400)])
    taken: list[str] = []

    def relay() -> None:
        mine = make()
        while found := bodies(mine, 10):
            taken.extend(found)

    threads = [threading.Thread(target=relay) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)

    assert sorted(taken, key=int) == [str(n) for n in range(400)]


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_puts_too(outbox: HostOutbox) -> None:
    outbox.put([job("parent")])
    child = os.fork()
    if child == 0:  # it says by its exit code how it went
        code = 1
        try:
            outbox.put([job("child")])
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    assert bodies(outbox) == ["parent", "child"]


def test_closing_twice_is_closing_once_and_the_next_use_opens_again(outbox: HostOutbox) -> None:
    outbox.close()
    outbox.close()
    outbox.put([job("a")])

    assert bodies(outbox) == ["a"]


def test_it_stands_beside_a_spool_in_one_database(url: str, outbox: HostOutbox) -> None:
    from ticketmail import Message, TicketMail

    with TicketMail(spool=url) as mail:
        mail.submit(Message(sender="a@example.com", to="b@example.net", text="x"))
    outbox.put([job("a")])

    assert bodies(outbox) == ["a"]


# --- in the host's transaction ----------------------------------------------------------------------------------------------


def test_on_sqlite_it_commits_and_rolls_back_with_the_hosts_data(tmp_path: Path, clock: HandClock) -> None:
    path = tmp_path / "desk.db"
    outbox = create_outbox(f"sqlite:///{path}", HostOutboxOptions(clock=clock))
    outbox.prepare()
    host = sqlite3.connect(path, isolation_level=None)
    host.execute("CREATE TABLE note (text)")

    host.execute("BEGIN IMMEDIATE")
    host.execute("INSERT INTO note VALUES ('kept')")
    outbox.put([job("kept")], connection=host)
    host.execute("COMMIT")
    host.execute("BEGIN IMMEDIATE")
    outbox.put([job("undone")], connection=host)
    host.execute("ROLLBACK")

    assert bodies(outbox) == ["kept"]
    host.execute("BEGIN")
    host.execute("SELECT * FROM note").fetchall()
    host.execute("COMMIT")
    with pytest.raises(HostTransactionMustBeImmediate):
        outbox.put([job()], connection=host)
    host.close()
    outbox.close()


def test_on_postgresql_it_commits_and_rolls_back_with_the_hosts_data(postgresql_url: str) -> None:
    import psycopg

    outbox = create_outbox(postgresql_url, HostOutboxOptions())
    outbox.prepare()
    with psycopg.connect(postgresql_url) as host:
        outbox.put([job("kept")], connection=host)
        assert outbox.is_empty()
        host.commit()
        outbox.put([job("undone")], connection=host)
        host.rollback()

    assert bodies(outbox) == ["kept"]
    outbox.close()


@pytest.mark.mariadb
def test_on_mariadb_it_commits_and_rolls_back_with_the_hosts_data(mariadb_url: str) -> None:
    outbox = create_outbox(mariadb_url, HostOutboxOptions())
    outbox.prepare()
    with contextlib.closing(mariadb_connection(mariadb_url)) as host:
        outbox.put([job("kept"), job("kept, too")], connection=host)
        assert outbox.is_empty()
        host.commit()
        outbox.put([job("undone")], connection=host)
        host.rollback()

    assert bodies(outbox) == ["kept", "kept, too"]
    outbox.close()


def test_another_databases_connection_is_refused(postgresql_url: str) -> None:
    outbox = create_outbox(postgresql_url, HostOutboxOptions())
    host = sqlite3.connect(":memory:", isolation_level=None)
    with pytest.raises(InvalidSubmission, match="connection"):
        outbox.put([job()], connection=host)
    host.close()
    outbox.close()


# --- what cannot be opened --------------------------------------------------------------------------------------------------


def test_what_is_no_database_is_told_without_its_password() -> None:
    with pytest.raises(SettingsError, match=r"outbox\.url") as caught:
        create_outbox("//canary@", HostOutboxOptions())
    assert "canary" not in str(caught.value)


def test_a_database_that_is_away_is_told(tmp_path: Path) -> None:
    outbox = create_outbox(f"sqlite:///{tmp_path}/nowhere/outbox.db", HostOutboxOptions())
    with pytest.raises(SpoolUnreachable):
        outbox.put([job()])
