"""What is the memory spool's own: names, sites, rollback, threads, forks, time."""

from __future__ import annotations

import asyncio
import os
import threading
import uuid
from typing import Any

import pytest

from ticketmail.adapters.memory import create
from ticketmail.domain.errors import SettingsError, SiteMismatch
from ticketmail.domain.outbound.delivery import DeliveryState as S
from ticketmail.domain.ports.delivering import Change, Completion, Want
from ticketmail.domain.ports.spooling import SpoolAdapter, SpoolOptions
from ticketmail.domain.scope import Scope
from ticketmail.testing.clock import FakeClock
from ticketmail.testing.spool_contract.kit import ALL_MAIL, WORKER, claims, entry

ALL = Scope.parse("all")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def spool(clock: FakeClock) -> SpoolAdapter:
    return create("memory://", SpoolOptions(site="desk", clock=clock))


def test_a_name_is_one_spool_per_process_and_no_name_a_fresh_one_each() -> None:
    name = f"memory://{uuid.uuid4().hex}"
    create(name, SpoolOptions()).intake.accept([entry()])
    create("memory://", SpoolOptions()).intake.accept([entry()])

    assert len(create(name, SpoolOptions()).reading.find(ALL)) == 1
    assert create("memory://", SpoolOptions()).reading.find(ALL) == []


def test_another_site_is_refused_until_it_adopts_the_spool() -> None:
    name = f"memory://{uuid.uuid4().hex}"
    create(name, SpoolOptions(site="desk")).intake.accept([entry()])
    other = create(name, SpoolOptions(site="staging"))

    with pytest.raises(SiteMismatch, match="adopt"):
        other.intake.accept([entry()])
    assert "desk" in other.administering.check()[0]
    assert other.administering.adopt("staging", hold=True, actor="ann", reason="restored") == 1
    assert [str(pause.scope) for pause in other.reading.pauses()] == ["all"]


@pytest.mark.parametrize("url", ["memory://a/b", "memory://a?x=1", "memory://u:p@a"])
def test_a_url_with_more_than_a_name_is_refused(url: str) -> None:
    with pytest.raises(SettingsError):
        create(url, SpoolOptions())


def test_there_is_no_transaction_of_the_hosts_to_join(spool: SpoolAdapter) -> None:
    for call in (
        lambda: spool.intake.accept([entry()], connection=object()),
        lambda: spool.blobs.put("", b"x", connection=object()),
        lambda: spool.operating.cancel(ALL, actor="a", reason="", connection=object()),
        lambda: spool.outbox.first_time(uuid.uuid4(), connection=object()),
    ):
        with pytest.raises(SettingsError, match="in memory"):
            call()
    assert spool.reading.find(ALL) == []


def test_a_call_that_fails_in_the_middle_changes_nothing(spool: SpoolAdapter) -> None:
    old = entry(ticket="7")
    spool.intake.accept([old])
    before = (spool.reading.find(ALL), spool.reading.log(since_us=0, decisions_only=False))
    broken: Any = entry(ticket="7", supersedes=old.submission_id, refs=(None,))

    with pytest.raises(AttributeError):
        spool.intake.accept([entry(), broken])

    assert (spool.reading.find(ALL), spool.reading.log(since_us=0, decisions_only=False)) == before


async def test_a_step_that_raises_leaves_the_document(spool: SpoolAdapter) -> None:
    book = spool.worker_side().book
    await book.change("account", "a", lambda content, now: (Change(b"1"), None))

    def broken(content: bytes | None, now_us: int) -> tuple[Change, None]:
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        await book.change("account", "a", broken)
    assert await book.load("account") == {"a": b"1"}


async def test_what_failed_can_still_be_claimed(spool: SpoolAdapter) -> None:
    """The queue is put back in order with the rest."""
    mails = [entry(f"u{i}@example.net", lane="x") for i in range(5)]
    spool.intake.accept(mails)
    side = spool.worker_side()

    def broken(sender: str) -> str:
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        await side.upkeep.reroute(broken, 10)
    worker = (await side.workers.register(WORKER)).worker_id
    got = await side.deliveries.claim(worker, [Want("main", "x", 10)])
    assert {mail.submission_id for mail in got} == {mail.submission_id for mail in mails}


def test_many_threads_hand_over_at_once_and_nothing_is_lost(spool: SpoolAdapter) -> None:
    def hand_over() -> None:
        for _ in range(50):
            spool.intake.accept([entry(ticket="7")])

    threads = [threading.Thread(target=hand_over) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found = spool.reading.find(ALL, limit=500)
    assert len(found) == 200
    assert len({view.behind for view in found}) == 200  # one line, each behind another


async def test_a_ring_between_two_waits_is_not_lost(spool: SpoolAdapter) -> None:
    deliveries = spool.worker_side().deliveries
    assert not await deliveries.wait(0)
    spool.intake.accept([entry()])
    assert await deliveries.wait(0)
    assert not await deliveries.wait(0)


async def test_giving_back_rings_nobody(spool: SpoolAdapter) -> None:
    side = spool.worker_side()
    spool.intake.accept([entry()])
    worker = (await side.workers.register(WORKER)).worker_id
    (mail,) = await side.deliveries.claim(worker, [ALL_MAIL])
    await side.deliveries.wait(0)

    await side.deliveries.release(worker, claims(mail))

    assert not await side.deliveries.wait(0)
    assert len(await side.deliveries.claim(worker, [ALL_MAIL])) == 1


async def test_a_jump_of_the_walls_clock_kills_no_worker_but_silence_does(spool: SpoolAdapter, clock: FakeClock) -> None:
    side = spool.worker_side()
    worker = (await side.workers.register(WORKER)).worker_id
    clock.jump(3600)
    assert await side.workers.reap() == []
    clock.advance(31)
    assert [reaped.worker_id for reaped in await side.workers.reap()] == [worker]


def test_a_forked_child_goes_on_with_a_copy_of_its_own(spool: SpoolAdapter) -> None:
    spool.intake.accept([entry()])
    pid = os.fork()
    if pid == 0:  # the child says by its exit code what it saw
        spool.intake.accept([entry()])
        os._exit(len(spool.reading.find(ALL)))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 2
    assert len(spool.reading.find(ALL)) == 1


async def test_two_runs_of_the_same_acts_leave_the_same_traces() -> None:
    async def run() -> Any:
        spool = create("memory://", SpoolOptions(site="desk", clock=FakeClock()))
        side = spool.worker_side()
        spool.intake.accept([entry(submission_id=uuid.UUID(int=i)) for i in range(1, 6)])
        worker = (await side.workers.register(WORKER)).worker_id
        for mail in await side.deliveries.claim(worker, [ALL_MAIL]):
            done = [Completion(c, S.SENT, spends=True, outcome="taken") for c in claims(mail)]
            await side.deliveries.record(worker, done)
        return spool.reading.find(ALL), spool.reading.log(since_us=0, decisions_only=False)

    assert await run() == await run()


async def test_the_fake_clock_sleeps_without_waiting_and_never_runs_back() -> None:
    clock = FakeClock(now_us=0)
    await asyncio.wait_for(clock.sleep(86_400), timeout=5)
    clock.jump(-3600)
    assert (clock.now_us(), clock.monotonic_s()) == (82_800_000_000, 86_400.0)
    with pytest.raises(ValueError, match="jump"):
        clock.advance(-1)


async def test_a_late_proof_in_the_same_call_does_not_push_aside_a_newer_claims_outcome(spool: SpoolAdapter) -> None:
    """As the SQL spool has it: what fits is recorded first."""
    side = spool.worker_side()
    spool.intake.accept([entry()])
    worker = (await side.workers.register(WORKER)).worker_id
    (first,) = claims((await side.deliveries.claim(worker, [ALL_MAIL]))[0])
    await side.deliveries.release(worker, [first])
    (second,) = claims((await side.deliveries.claim(worker, [ALL_MAIL]))[0])

    late = Completion(first, S.SENT, spends=True, outcome="taken")
    now = Completion(second, S.FAILED, spends=True, outcome="refused")

    assert await side.deliveries.record(worker, [late, now]) == [False, True]
    assert spool.reading.overview().counts == {S.FAILED: 1}
