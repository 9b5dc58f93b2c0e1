"""Workers: beats, reaping by phase, poison, retiring; the book; waiting."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
from contextlib import closing
from typing import Any

import pytest
from sql_support import SECOND, WORKER, HandClock, Worker, claims, entry

from ticketmail.adapters.sql import create
from ticketmail.domain.errors import SiteMismatch
from ticketmail.domain.ports.spooling import SpoolOptions
from ticketmail.testing.spool_contract.acts import event_of
from ticketmail.testing.spool_contract.kit import taken


async def dies(worker: Any, clock: HandClock) -> None:
    """Its lock is let go (SQLite), its beat gets old (servers)."""
    await worker.side.aclose()
    clock.go(31 * SECOND)


async def test_a_worker_of_another_site_is_refused(spool: Any, url: str, clock: HandClock) -> None:
    spool.intake.accept([entry()])
    other = create(url, SpoolOptions(site="test", clock=clock))
    side = other.worker_side()
    try:
        with pytest.raises(SiteMismatch, match="desk"):
            await side.workers.register(WORKER)
        with pytest.raises(SiteMismatch):
            other.intake.accept([entry()])
        assert other.administering.adopt("test", hold=True, actor="ann", reason="restored") == 1
        assert await side.deliveries.claim((await side.workers.register(WORKER)).worker_id, []) == []
        assert str(other.reading.pauses()[0].scope) == "all"
    finally:
        await side.aclose()
        other.close()


async def test_waiting_ends_when_another_process_hands_over(spool: Any, work: Any, url: str) -> None:
    worker = await work()
    while await worker.deliveries.wait(0.3):
        pass
    program = textwrap.dedent(
        f"""
        import sys; sys.path.insert(0, {str(sys.path[0])!r}); sys.path.insert(0, {__file__.rpartition("/")[0]!r})
        from sql_support import entry, HandClock
        from ticketmail.adapters.sql import create
        from ticketmail.domain.ports.spooling import SpoolOptions
        create({url!r}, SpoolOptions(site="desk", clock=HandClock())).intake.accept([entry()])
        """
    )
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stderr=subprocess.PIPE)
    assert await worker.deliveries.wait(30) is True
    assert await child.wait() == 0


@pytest.mark.postgresql
async def test_other_processes_are_rung_for_new_mail_and_not_for_events(postgresql_url: str, options: SpoolOptions) -> None:
    """Only workers listen: each would be woken for each mail that any of them has sent."""
    import psycopg

    spool, letter = create(postgresql_url, options), entry()
    side = spool.worker_side()
    worker = Worker(side, (await side.workers.register(WORKER)).worker_id)
    with closing(spool), psycopg.connect(postgresql_url, autocommit=True) as listener:
        listener.execute("LISTEN ticketmail_bell")
        spool.intake.accept([letter])
        (mail,) = await worker.claim()
        await worker.deliveries.begin(worker.id, "a", claims(mail))
        await worker.deliveries.record(worker.id, [taken(one, events=(event_of(letter),)) for one in claims(mail)])
        await side.aclose()
        listener.execute("NOTIFY ticketmail_bell, 'the end'")
        with closing(listener.notifies()) as heard:
            assert [next(heard).payload, next(heard).payload] == ["", "the end"]


async def test_a_claim_committed_beside_its_workers_burial_is_taken_back(spool: Any, work: Any) -> None:
    """The burial looked for leases before the claim could be seen: the next reaper finds the mail."""
    spool.intake.accept([entry()])
    late, reaper = await work(), await work()
    (mail,) = await late.claim()
    workers, database = spool._database.tables.worker, spool._database
    database.write(lambda tx: tx.run_once(workers.update().where(workers.c.id == late.id.hex).values(dead_us=tx.now_us)))
    assert await reaper.claim() == []

    (reaped,) = await reaper.side.workers.reap()

    assert (reaped.worker_id, reaped.requeued) == (late.id, 1)
    assert [one.submission_id for one in await reaper.claim()] == [mail.submission_id]
    assert await reaper.side.workers.reap() == []


async def test_a_reaper_frees_what_waits_behind_nothing(spool: Any, work: Any, clock: HandClock, url: str) -> None:
    """A host's long transaction may put a delivery behind one whose first attempt ended meanwhile."""
    first, second = entry(ticket="7"), entry(ticket="7")
    spool.intake.accept([first, second])
    database = spool._database
    t = database.tables
    database.write(
        lambda tx: tx.run_once(
            t.delivery.update().where(t.delivery.c.submission_id == first.submission_id.hex).values(state="sent")
        )
    )
    worker = await work()
    assert await worker.claim() == []
    await worker.workers.reap()
    assert [m.submission_id for m in await worker.claim()] == [second.submission_id]
